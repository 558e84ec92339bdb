"""One file to pieces with a title: what the child process of `ingest/sandbox.py` does."""

import re
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

import yaml

from ingest.extract import extract
from ingest.layouts import split, title_of
from ingest.limits import Limits, Refused

VERSION = 1
"""Raised whenever the same file would give other entries; documents of older versions are parsed again."""

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)(.*)\Z", re.DOTALL | re.MULTILINE)
OWN_ID = re.compile(r"[A-Z]{3,6}\d?-\d{2,6}")
OWN_LISTS = ("also_asked", "topics", "key_points", "related")
LEVELS = ("foundation", "practitioner", "senior")
MAX_PIECES = 20_000


def parse(data: bytes, name: str, limits: Limits) -> dict[str, Any]:
    """Title, warnings and either `pieces` or, for a file in our own format, `entry`; plain JSON values.

    Raises:
        Refused: with the reason, when the file cannot be read within the limits.
    """
    found = extract(data, name, limits)
    lines, pages, warnings = found.lines, found.pages, list(found.warnings)
    title = found.title
    matter = FRONT_MATTER.match("\n".join(lines)) if lines[0].strip() == "---" and not pages else None
    if matter:
        head, body = matter.groups()
        values = _values(head)
        entry = _own_entry(values, body)
        if entry:
            return {"title": entry["title"], "warnings": warnings, "entry": entry, "pieces": []}
        title = str(values.get("title") or title)
        rest = [f"- {line.strip()}" for line in head.splitlines() if line.strip() and not line.startswith("title:")]
        lines = [*rest, "", *body.split("\n")]
    heading = title_of(lines)
    shown = " ".join((heading or title or PurePosixPath(name).stem.replace("_", " ")).split())[:200]
    pieces = split(lines, pages, heading or shown)
    if not pieces:
        raise Refused("there is no text in it")
    if len(pieces) > MAX_PIECES:
        raise Refused(f"it falls into more than {MAX_PIECES} entries")
    _rehearse([piece.answer for piece in pieces])
    return {"title": shown, "warnings": warnings, "entry": None, "pieces": [asdict(piece) for piece in pieces]}


def _values(head: str) -> dict[str, Any]:
    if re.search(r"(?:^|[\s,\[{])[&*]\w", head):  # anchors: a few lines of them expand to gigabytes
        return {}
    try:
        values = yaml.safe_load(head)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _own_entry(values: dict[str, Any], body: str) -> dict[str, Any] | None:
    """The entry of a file as corpus/README.md describes it; None for any other front matter."""
    if not OWN_ID.fullmatch(str(values.get("id", ""))) or not values.get("title") or not values.get("question"):
        return None
    answer, _, tail = body.partition("\n## Follow-ups\n")
    parts = re.split(r"^### +(.+)$", tail, flags=re.MULTILINE)
    follow_ups = [(parts[i].strip(), parts[i + 1].strip()) for i in range(1, len(parts) - 1, 2) if parts[i + 1].strip()]
    kept = sum(len(text.split()) for pair in follow_ups for text in pair)
    if kept + tail.count("### ") < len(tail.split()):  # something there is no follow-up: it stays where it is read
        answer, follow_ups = body, []
    lists = {key: [str(item) for item in values[key]] if isinstance(values.get(key), list) else [] for key in OWN_LISTS}
    entry = {
        "id": str(values["id"]),
        "title": " ".join(str(values["title"]).split()),
        "question": " ".join(str(values["question"]).split()),
        "answer": answer.strip(),
        "follow_ups": follow_ups,
        "level": values["level"] if values.get("level") in LEVELS else "practitioner",
        "caveat": str(values["caveat"]) if values.get("caveat") else None,
    }
    _rehearse([answer])
    return entry | lists if entry["answer"] else None


def _rehearse(answers: list[str]) -> None:
    """Reads every answer as the index will: what makes that hang or fail has to do so here."""
    from ingest.chunk import blocks

    for answer in answers:
        try:
            blocks(answer)
        except RecursionError:
            raise Refused("its Markdown is nested too deeply") from None
