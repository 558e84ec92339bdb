"""The questions beside the entries: other ways an entry is asked, and what the guides leave open.

`asked.jsonl` holds `{"entry": "SCN-14", "question": "…"}` a line, `outside.jsonl` holds
`{"question": "…", "near": ["SCN-15"]}`. Both are optional. They teach retrieval: the first which
entry a question means, the second what a question sounds like that only seems to be covered.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

ASKED_FILE = "asked.jsonl"
OUTSIDE_FILE = "outside.jsonl"
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]
Row = TypeVar("Row", bound=BaseModel)
LineFault = tuple[str, int, str]
"""(file, line, what is wrong)."""


class Asked(BaseModel):
    """One way of asking for an entry."""

    model_config = ConfigDict(extra="forbid", strict=True)

    entry: str
    question: Line


class Outside(BaseModel):
    """A question no entry answers, and the entries it could be taken for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: Line
    near: list[str]


def question_files(corpus: Path) -> list[Path]:
    """The files of questions that a corpus folder has."""
    return [path for name in (ASKED_FILE, OUTSIDE_FILE) if (path := corpus / name).is_file()]


def asked_questions(corpus: Path) -> dict[str, list[str]]:
    """The ways of asking by entry id; none when there is no such file."""
    found: dict[str, list[str]] = {}
    for _, row in _rows(corpus / ASKED_FILE, Asked)[0]:
        found.setdefault(row.entry, []).append(row.question)
    return found


def open_questions(corpus: Path) -> list[str]:
    """The questions a corpus is known not to answer; none when there is no such file."""
    return [row.question for _, row in _rows(corpus / OUTSIDE_FILE, Outside)[0]]


def question_faults(corpus: Path, ids: set[str]) -> Iterator[LineFault]:
    """Everything wrong with both files, for a corpus with these entries."""
    asked, faults = _rows(corpus / ASKED_FILE, Asked)
    outside, more = _rows(corpus / OUTSIDE_FILE, Outside)
    yield from [*faults, *more]
    seen: dict[str, str] = {}
    named = [(ASKED_FILE, number, row.question, [row.entry]) for number, row in asked]
    named += [(OUTSIDE_FILE, number, row.question, row.near) for number, row in outside]
    for name, number, question, entries in named:
        for unknown in sorted(set(entries) - ids):
            yield name, number, f"{unknown} is not an entry"
        key = question.casefold()
        if key in seen:
            yield name, number, f"the same question as {seen[key]}"
        seen.setdefault(key, f"{name}:{number}")


def _rows(path: Path, schema: type[Row]) -> tuple[list[tuple[int, Row]], list[LineFault]]:
    rows: list[tuple[int, Row]] = []
    faults: list[LineFault] = []
    if not path.is_file():
        return rows, faults
    try:
        text = path.read_text("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        return rows, [(path.name, 1, f"cannot be read: {error}")]
    # Only a newline ends a row; JSON may hold other characters that Python counts as line ends.
    for number, line in enumerate(text.split("\n") if text else (), 1):
        try:
            rows.append((number, schema.model_validate_json(line)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            faults.append((path.name, number, f"{key}: {first['msg']}" if key else first["msg"]))
    return rows, faults
