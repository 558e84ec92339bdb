"""The gold questions: written without sight of the entries' `also_asked`, with a fixed split."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).with_name("gold")
Split = Literal["tune", "test"]


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question, its relevant entries, best first, and how it is put."""

    id: str
    question: str
    relevant: tuple[str, ...]
    style: str


def split_of(question_id: str) -> Split:
    """Which half a question belongs to, from its id alone; nothing is tuned on `test`."""
    return "test" if zlib.crc32(question_id.encode()) % 2 else "tune"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def questions(path: Path = FOLDER / "questions.jsonl") -> list[GoldQuestion]:
    """The answerable questions."""
    return [GoldQuestion(row["id"], row["question"], tuple(row["relevant"]), row["style"]) for row in read_rows(path)]
