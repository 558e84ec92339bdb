"""What readers say about answers, kept on this machine: each line may become a question of the evaluation."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rag.errors import ResourceError
from rag.types import Answer, Turn

FILE = "feedback.jsonl"
Verdict = Literal["helpful", "wrong"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """One reader's word on one answer; `sentence` is the one that is wrong, empty for the whole. `date` is UTC."""

    question: str
    history: tuple[Turn, ...]
    status: str
    model: str
    cited: tuple[str, ...]
    verdict: Verdict
    sentence: str
    date: str


def feedback_on(answer: Answer, history: Sequence[Turn], verdict: Verdict, sentence: str = "") -> Feedback:
    """The feedback on an answer that was given after these turns, dated now."""
    cited = tuple(source.id for source in answer.sources)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Feedback(answer.question, tuple(history), answer.status, answer.model, cited, verdict, sentence, now)


def keep_feedback(home: Path, feedback: Feedback) -> None:
    """Adds a line to `feedback.jsonl` of the home folder, and has it on the disk before it returns.

    Raises:
        ResourceError: the line cannot be written.
    """
    # Half a surrogate pair cannot be written as UTF-8, but its escape is the same JSON.
    line = json.dumps(asdict(feedback), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    path = home / FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        # Readable by nobody else; one write to a file opened for appending cannot mix with another session's.
        with open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            if file.tell() and not _ends_whole(path):
                line = b"\n" + line  # a crash or a full disk cut the line before
            written = file.write(line)
            os.fsync(file.fileno())
    except OSError as error:
        raise ResourceError(
            f"The feedback cannot be written to {path}: {error.strerror}.", "Make room or set TUTOR_HOME."
        ) from error
    if written != len(line):
        raise ResourceError(f"The feedback was only partly written to {path}.", "Make room on the disk.")


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def kept_feedback(home: Path) -> list[dict[str, Any]]:
    """All feedback of the home folder, oldest first; a line that a crash cut is left out."""
    path = home / FILE
    if not path.is_file():
        return []
    found = []
    for line in path.read_text("utf-8", "replace").split("\n"):
        try:
            item = json.loads(line)
        except ValueError:
            continue
        if isinstance(item, dict):
            found.append(item)
    return found
