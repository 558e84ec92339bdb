"""The gold questions: written without sight of the entries' ways of asking, with a fixed split."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from rag.errors import UsageError
from rag.types import Turn

FOLDER = Path(__file__).with_name("gold")
Split = Literal["tune", "test"]


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question, its relevant entries, best first, and how it is put; a draft nobody has read is not `reviewed`."""

    id: str
    question: str
    relevant: tuple[str, ...]
    style: str
    reviewed: bool = True


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question the guides do not answer; `kind` is near_miss or off_topic."""

    id: str
    question: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation whose last turn, the question, needs the turns before it."""

    id: str
    history: tuple[Turn, ...]
    question: str
    relevant: tuple[str, ...]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=_Named)


def split_of(question_id: str) -> Split:
    """Which half a question belongs to, from its id alone; nothing is tuned on `test`."""
    return "test" if zlib.crc32(question_id.encode()) % 2 else "tune"


def of_split(items: Sequence[Item], split: str) -> list[Item]:
    """The items of one half, or all of them for `all`."""
    return [item for item in items if split in {"all", split_of(item.id)}]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line.

    Raises:
        UsageError: the file cannot be read or a line is not a JSON object.
    """
    return [row for _, row in _numbered(path)]


def _numbered(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The JSON objects of a file, each with the number of its line."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Name a UTF-8 file with one JSON object a line.") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            json.dumps(row, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise UsageError(f"Line {number} of {path} is not a JSON object.", "Mend the line; see eval/gold.")
        rows.append((number, row))
    return rows


def questions(path: Path | None = None) -> list[GoldQuestion]:
    """The answerable questions, of the project or of a file of the same form.

    Raises:
        UsageError: a row lacks a field, or has the id of an earlier one.
    """
    path = path or FOLDER / "questions.jsonl"
    found = []
    lines: dict[str, int] = {}
    for number, (line, row) in enumerate(_numbered(path), 1):
        relevant = row.get("relevant")
        if not isinstance(row.get("question"), str) or not isinstance(relevant, list) or not relevant:
            raise UsageError(
                f"Row {number} of {path} has no question or no relevant entries.",
                'The form is {"id": "Q1", "question": "…", "relevant": ["SCN-14"], "style": "paraphrase"}.',
            )
        id = str(row.get("id", number))
        if id in lines:
            # Two runs are compared by id: the wrong rows would be held against each other.
            raise UsageError(
                f"Line {line} of {path} has the id {id} of line {lines[id]}.",
                "Give each question an id of its own; one without an id gets the number of its row.",
            )
        lines[id] = line
        found.append(
            GoldQuestion(
                id,
                row["question"],
                tuple(map(str, relevant)),
                str(row.get("style", "unstyled")),
                row.get("reviewed", True) is True,
            )
        )
    if not found:
        raise UsageError(f"There is no question in {path}.", "Write one JSON object a line.")
    return found


def review_notices(asked: Sequence[GoldQuestion], path: Path) -> list[str]:
    """What to say before measuring with questions of `path` that nobody has read; nothing when all were."""
    waiting = sum(not item.reviewed for item in asked)
    if not waiting:
        return []
    many = f"{waiting} of {len(asked)} questions were" if waiting > 1 else f"1 of {len(asked)} questions was"
    cure = f"Read them with: tutor eval accept-dataset {path} --out FILE"
    return [f"{many} drafted by a machine and read by nobody; the numbers say little until then. {cure}"]


def open_questions() -> list[OpenQuestion]:
    """The questions the guides do not answer."""
    return [OpenQuestion(row["id"], row["question"], row["kind"]) for row in read_rows(FOLDER / "not_covered.jsonl")]


def dialogues() -> list[Dialogue]:
    """The conversations."""
    found = []
    for row in read_rows(FOLDER / "dialogues.jsonl"):
        turns = tuple(Turn(turn["role"], turn["text"]) for turn in row["turns"])
        found.append(Dialogue(row["id"], turns[:-1], turns[-1].text, tuple(row["relevant"])))
    return found
