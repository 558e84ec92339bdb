"""Guide entries from Markdown files: reading, checking, hashing."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ingest.questions import Line, asked_questions, question_faults, question_files
from rag.errors import CorpusError
from rag.types import Entry, FollowUp

TOPICS_FILE = "topics.yaml"
GUIDES = {
    "scenarios": "Practical ML Scenarios",
    "foundations": "Foundations: Real-World Scenarios",
    "behavioural": "Problem Solving & Innovation",
    "preparation": "Interview Preparation",
    "guide": "Machine Learning Interview Guide",
}
FOLLOW_UPS = "Follow-ups"

KeyPoint = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=300)]
EntryId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}-\d{2,}$")]


class FrontMatter(BaseModel):
    """The schema of an entry's front matter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: EntryId
    title: Annotated[str, StringConstraints(min_length=3, max_length=80)]
    question: Line
    also_asked: Annotated[list[Line], Field(min_length=5, max_length=8)]
    topics: Annotated[list[str], Field(min_length=1, max_length=3)]
    level: Literal["foundation", "practitioner", "senior"]
    key_points: Annotated[list[KeyPoint], Field(min_length=3, max_length=6)]
    related: Annotated[list[EntryId], Field(min_length=1, max_length=10)]
    caveat: Annotated[str, StringConstraints(min_length=20, max_length=600)] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one file; `line` counts from 1."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def entry_files(corpus: Path) -> list[Path]:
    """The entry files of a corpus folder, in guide and id order."""
    return [path for folder in GUIDES for path in sorted((corpus / folder).glob("*.md"))]


def content_hashes(corpus: Path) -> dict[str, str]:
    """Path of each file the index depends on, relative to the corpus, and the sha256 of its bytes."""
    return {
        path.relative_to(corpus).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*entry_files(corpus), *question_files(corpus)]
    }


def read_corpus(corpus: Path) -> list[Entry]:
    """All entries of a corpus folder.

    Raises:
        CorpusError: with every fault of every file, when there is any.
    """
    entries, faults = check_corpus(corpus)
    if faults:
        raise CorpusError(
            f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in the guides, the first at {faults[0]}.",
            "Run `tutor corpus check` to see all of them; the index in use stays as it is.",
            tuple(map(str, faults)),
        )
    return entries


def check_corpus(corpus: Path) -> tuple[list[Entry], list[Fault]]:
    """The readable entries of a corpus folder and every fault in it."""
    files = entry_files(corpus)
    if not files:
        return [], [Fault(str(corpus), 1, "no entries found")]
    topics, faults = _topics(corpus)
    entries: list[Entry] = []
    lines_of: dict[str, dict[str, int]] = {}
    for path in files:
        name = path.relative_to(corpus).as_posix()
        try:
            entry, lines = _read_entry(path, name)
        except _Broken as broken:
            faults.extend(broken.faults)
            continue
        entries.append(entry)
        lines_of[name] = lines
    faults += _cross_check(entries, lines_of, topics)
    if len(entries) == len(files):
        faults += [Fault(*fault) for fault in question_faults(corpus, {entry.id for entry in entries})]
    asked = asked_questions(corpus)
    return [replace(entry, asked=tuple(asked.get(entry.id, ()))) for entry in entries], faults


class _Broken(Exception):
    def __init__(self, faults: list[Fault]) -> None:
        super().__init__()
        self.faults = faults


def _topics(corpus: Path) -> tuple[set[str], list[Fault]]:
    path = corpus / TOPICS_FILE
    try:
        return set(yaml.safe_load(path.read_text("utf-8"))), []
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        return set(), [Fault(TOPICS_FILE, 1, f"the list of topics cannot be read: {str(error).splitlines()[0]}")]


def _read_entry(path: Path, name: str) -> tuple[Entry, dict[str, int]]:
    """The entry, and the line of each front-matter key."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _Broken([Fault(name, line, f"not UTF-8 text (byte {error.start})")]) from None
    except OSError as error:
        raise _Broken([Fault(name, 1, f"cannot be read: {error.strerror}")]) from None
    found = re.match(r"---\n(.*?)\n---\n(.*)\Z", text, re.DOTALL)
    if not found:
        raise _Broken([Fault(name, 1, "no front matter between two lines of ---")])
    head, body = found.groups()
    keys = list(_keys(head))
    lines = dict.fromkeys(FrontMatter.model_fields, 1) | {key: number for number, key in keys}
    twice = [Fault(name, number, f"the key {key} is there twice") for number, key in keys if lines[key] != number]
    if twice:
        raise _Broken(twice)
    try:
        values: Any = yaml.safe_load(head)
        matter = FrontMatter.model_validate(values)
    except ValidationError as error:
        raise _Broken([_schema_fault(name, head, lines, item) for item in error.errors(include_url=False)]) from None
    except (yaml.YAMLError, ValueError) as error:  # a ValueError for a date that does not exist
        raise _Broken([_yaml_fault(name, head, error)]) from None
    body_line = head.count("\n") + 4
    answer, follow_ups, faults = _split_body(body, name, body_line)
    if not path.name.startswith(matter.id + "-"):
        faults.append(Fault(name, lines["id"], f"the id {matter.id} is not the start of the file name"))
    if faults:
        raise _Broken(faults)
    entry = Entry(
        id=matter.id,
        guide=GUIDES[path.parent.name],
        title=matter.title,
        question=matter.question,
        answer=answer,
        key_points=tuple(matter.key_points),
        also_asked=tuple(matter.also_asked),
        topics=tuple(matter.topics),
        level=matter.level,
        related=tuple(matter.related),
        follow_ups=follow_ups,
        caveat=matter.caveat,
        path=name,
    )
    return entry, lines


def _keys(head: str) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(head.splitlines(), 2):
        if match := re.match(r"(\w+):", line):
            yield number, match.group(1)


def _yaml_fault(name: str, head: str, error: Exception) -> Fault:
    """Errors of the parser have a mark, those of the reader a position, those of a value neither."""
    line, what = 1, str(error)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        line, what = error.problem_mark.line + 2, error.problem or what
    elif isinstance(error, yaml.reader.ReaderError):
        line, what = head.count("\n", 0, error.position) + 2, str(error.reason)
    return Fault(name, line, f"front matter is not YAML: {what}")


def _schema_fault(name: str, head: str, lines: dict[str, int], item: Any) -> Fault:
    place = [str(part) for part in item["loc"]]
    line = lines.get(place[0], 1) if place else 1
    # An item is on a line of its own, unless the list is written behind its key.
    if len(place) > 1 and place[1].isdigit() and head.splitlines()[line - 2].rstrip().endswith(":"):
        line += int(place[1]) + 1
    return Fault(name, line, f"{'.'.join(place) or 'front matter'}: {item['msg']}")


def _split_body(body: str, name: str, first_line: int) -> tuple[str, tuple[FollowUp, ...], list[Fault]]:
    """The body without its follow-ups, the follow-ups, and what breaks the format."""
    headings = [
        (number, match.group(1), match.group(2).strip())
        for number, line in _outside_code(body)
        if (match := re.match(r"(#+) (.*)$", line))
    ]
    rows = body.splitlines()
    faults = []
    seconds = [(number, text) for number, marks, text in headings if marks == "##"]
    if not seconds or seconds[0][1] != "Answer":
        faults.append(Fault(name, first_line, "the first heading of the body must be `## Answer`"))
    if not seconds or seconds[-1][1] != FOLLOW_UPS:
        line = first_line + (seconds[-1][0] if seconds else max(0, len(rows) - 1))
        faults.append(Fault(name, line, f"the last second-level heading must be `## {FOLLOW_UPS}`"))
    if faults:
        return "", (), faults
    cut = seconds[-1][0]
    questions = [(number, text) for number, marks, text in headings if marks == "###" and number > cut]
    follow_ups = []
    if any(row.strip() for row in rows[cut + 1 : questions[0][0] if questions else len(rows)]):
        faults.append(Fault(name, first_line + cut, "text before the first follow-up would be lost"))
    for index, (number, text) in enumerate(questions):
        end = questions[index + 1][0] if index + 1 < len(questions) else len(rows)
        answer = "\n".join(rows[number + 1 : end]).strip()
        if not text.endswith("?") or not answer:
            faults.append(Fault(name, first_line + number, "a follow-up needs a heading that ends in ? and an answer"))
        follow_ups.append(FollowUp(text, answer))
    if not 1 <= len(follow_ups) <= 3:
        faults.append(Fault(name, first_line + cut, "there must be one to three follow-ups"))
    return "\n".join(rows[:cut]).strip(), tuple(follow_ups), faults


def _outside_code(body: str) -> Iterable[tuple[int, str]]:
    """(index, line) of every line that is not inside a fenced code block."""
    inside = False
    for number, line in enumerate(body.splitlines()):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def _cross_check(entries: list[Entry], lines_of: dict[str, dict[str, int]], topics: set[str]) -> Iterable[Fault]:
    """Faults that only show when all entries are known."""
    first: dict[str, str] = {}
    ids = {entry.id for entry in entries}
    for entry in entries:
        lines = lines_of[entry.path]
        if entry.id in first:
            yield Fault(entry.path, lines["id"], f"the id {entry.id} is taken by {first[entry.id]}")
        first.setdefault(entry.id, entry.path)
        for unknown in sorted(set(entry.topics) - topics):
            yield Fault(entry.path, lines["topics"], f"the topic {unknown} is not in {TOPICS_FILE}")
        for related in entry.related:
            if related not in ids or related == entry.id:
                what = "the entry itself" if related == entry.id else "not an entry"
                yield Fault(entry.path, lines["related"], f"related: {related} is {what}")
        asked = [line.casefold() for line in (*entry.also_asked, entry.question)]
        if len(set(asked)) < len(asked):
            yield Fault(entry.path, lines["also_asked"], "two ways of asking are the same")
