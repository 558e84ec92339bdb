"""What readers say about answers, kept on this machine, and the questions of the evaluation it becomes."""

import json
import os
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rag.errors import QuestionError, ResourceError
from rag.question import clean_question
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


def feedback_rows(
    kept: Sequence[Mapping[str, Any]], known: Collection[str], limit: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Feedback as drafts for `tutor eval accept-dataset` (`eval.drafts`), and what is to be said about them.

    One row a question, however often it was asked. The entries that helpful answers cited are its relevant ones;
    of an answer called wrong nothing is taken over but a note.

    Args:
        kept: as `kept_feedback` returns it; nothing in it is trusted.
        known: the ids of the index; others are left out.
        limit: characters of a question at the most.
    """
    from eval.drafts import folded

    rows: dict[str, dict[str, Any]] = {}
    passed = 0
    for item in kept:
        cited = [id for id in _listed(item.get("cited")) if isinstance(id, str) and id in known]
        wrong = item.get("verdict") == "wrong"
        try:
            question = clean_question(str(item.get("question", "")), limit)
        except QuestionError:
            question = ""
        # A refusal that was welcome names no entry, so there is nothing to be found.
        if not question or not (wrong or (item.get("verdict") == "helpful" and cited)):
            passed += 1
            continue
        row = rows.setdefault(folded(question), _draft(question))
        row["relevant"] += [] if wrong else [id for id in cited if id not in row["relevant"]]
        row["note"] += [note for note in _notes(item, cited, wrong, limit) if note not in row["note"]]
    found = []
    for row in rows.values():
        notes = " ".join(row.pop("note"))
        found.append({**row, "note": notes} if notes else row)
    told = [f"{passed} lines of feedback gave no question: no entry of the index is named, or no text is left."]
    return found, told if passed else []


def _draft(question: str) -> dict[str, Any]:
    # The id follows from the question, so that it falls into the same half whenever it is drafted.
    name = f"FEEDBACK/{zlib.crc32(question.encode()):08x}"
    return {"id": name, "question": question, "relevant": [], "style": "feedback", "reviewed": False,
            "made": "feedback", "note": []}  # fmt: skip


def _notes(item: Mapping[str, Any], cited: Sequence[str], wrong: bool, limit: int) -> list[str]:
    """What whoever accepts the question has to know."""
    notes = []
    if wrong:
        what = f"A reader called the answer wrong; it cited {', '.join(cited) or 'nothing that is still here'}."
        if item.get("status") == "not_covered":
            what = "A reader called the refusal wrong."
        sentence = item.get("sentence")
        notes += [what, *([f"Wrong: {_plain(sentence, limit)}"] if isinstance(sentence, str) and sentence else [])]
    turns = [turn for turn in _listed(item.get("history")) if isinstance(turn, dict)]
    asked = [turn.get("text") for turn in turns if turn.get("role") == "user"]
    if asked:
        notes.append(f'Write it so that it stands alone: it followed "{_plain(str(asked[-1]), limit)}".')
    return notes


def _plain(text: str, limit: int) -> str:
    """A text in one line that can be written as UTF-8."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:limit]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
