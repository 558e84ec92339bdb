"""Answers, entries and rankings as plain text for the terminal."""

import json
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Any

from rag.types import Answer, Claim, Entry, Hit, Source, bracketed

WIDTH = 100


def safe(text: str) -> str:
    """Text without control characters: nothing a document says may drive the terminal."""
    return "".join(letter for letter in text if not _drives(letter))


def safe_json(values: Any) -> str:
    """Indented JSON in which control characters, such as those JSON itself lets through, are escaped."""
    text = json.dumps(values, ensure_ascii=False, indent=2)
    return "".join(json.dumps(letter)[1:-1] if _drives(letter) else letter for letter in text)


def _drives(letter: str) -> bool:
    return letter not in "\n\t" and unicodedata.category(letter) in {"Cc", "Cf"}


def answer_text(answer: Answer) -> str:
    """The answer as it is read in the terminal."""
    lines = []
    if answer.standalone_question != answer.question:
        lines += [f"Understood as: {answer.standalone_question}", ""]
    if answer.claims:
        lines += _bullets(answer.claims)
        lines += ["", _wrapped(answer.message, "")] if answer.message else []
        lines += ["", "Sources", *_named(answer.sources)]
    else:
        lines.append(answer.message)
    if answer.related:
        lines += ["", "Related, not an answer", *_named(answer.related)]
    if answer.status == "unverified" and answer.quoted:
        lines += ["", "Quoted from the guides instead", *_bullets(answer.quoted)]
    if answer.dropped_claims:
        lines += ["", "Left out, not supported by the guides"]
        lines += [_wrapped(claim.text, "x ") for claim in answer.dropped_claims]
    lines += ["", *(_wrapped(notice, "Note: ") for notice in answer.notices)] if answer.notices else []
    return safe("\n".join(lines))


def _bullets(claims: Sequence[Claim]) -> list[str]:
    return [_wrapped(f"{claim.text} {bracketed(claim.sources)}", "- ") for claim in claims]


def _named(sources: Sequence[Source]) -> list[str]:
    return [f"  {source.id}  {source.title} ({source.guide})" for source in sources]


def entry_text(entry: Entry) -> str:
    """The whole entry as it is read in the terminal."""
    parts = [
        f"{entry.id}  {entry.title}",
        f"{entry.guide} · {entry.level} · {', '.join(entry.topics)}",
        "",
        _wrapped(entry.question, "Q: "),
        "",
        entry.answer,
        "",
        "## Key points",
        "",
        *(_wrapped(point, "- ") for point in entry.key_points),
    ]
    for follow_up in entry.follow_ups:
        parts += ["", f"### {follow_up.question}", "", follow_up.answer]
    if entry.caveat:
        parts += ["", _wrapped(entry.caveat, "Caveat: ")]
    parts += ["", f"Related: {', '.join(entry.related)}"]
    return safe("\n".join(parts))


def hits_text(hits: Sequence[Hit], titles: dict[str, str]) -> str:
    """A ranking with the parts of each score."""
    rows = []
    for hit in hits:
        scores = "  ".join(f"{name} {value:.3f}" for name, value in hit.scores.items())
        rows.append(f"{hit.rank:>2}  {hit.entry_id}  {titles[hit.entry_id]}\n    {scores}")
    return safe("\n".join(rows))


def _wrapped(text: str, mark: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark))
