"""Answers, entries and rankings as plain text for the terminal."""

import json
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from rag.answer import QUOTE
from rag.catalog import LOCAL
from rag.types import Answer, Claim, Entry, Hit, Shown, Source, bracketed

WIDTH = 100
BROKE_OFF = "The language model broke off; the sentences from the guides are the answer."


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
    """The whole answer as it is read in the terminal."""
    quoted = answer.quoted if answer.status == "unverified" else ()
    return _sections(
        _understood(answer),
        _bullets(answer.claims),
        _said(answer),
        _titled("Sources", _named(answer.sources if answer.claims else ())),
        _titled("Related, not an answer", _named(answer.related)),
        _titled("Quoted from the guides instead", _bullets(quoted)),
        *_beside(answer),
    )


def writer_text(model: str) -> str:
    """The line above the sentences of one writer, where an answer has several."""
    if model == QUOTE:
        return "From the guides:"
    if model == LOCAL:
        return "Picked by the small model on this machine:"
    return safe(f"Written by {' '.join(model.split())}:")


def claim_text(claim: Claim) -> str:
    """One sentence of an answer with its ids."""
    return safe(_bullets([claim])[0])


def rest_text(answer: Answer, shown: Sequence[Shown], source: Callable[[str], Source]) -> str:
    """What belongs to an answer whose sentences were printed while it was made.

    Args:
        shown: those sentences, at least one.
        source: an entry by its id; every id that was printed is named.
    """
    broke_off = answer.model == QUOTE and shown[-1].model != QUOTE
    ids = dict.fromkeys(entry_id for item in shown for entry_id in item.claim.sources)
    return _sections(
        _understood(answer),
        [BROKE_OFF] if broke_off else [],
        _said(answer),
        _titled("Sources", _named([source(entry_id) for entry_id in ids])),
        _titled("Related, not an answer", _named(answer.related)),
        *_beside(answer),
    )


def choices_of(answer: Answer) -> tuple[str, ...]:
    """The readings of an ambiguous question that the answer's message does not name."""
    return tuple(choice for choice in answer.choices if choice not in answer.message)


def _understood(answer: Answer) -> list[str]:
    same = answer.standalone_question == answer.question
    return [] if same else [f"Understood as: {answer.standalone_question}"]


def _said(answer: Answer) -> list[str]:
    """The message, and the readings of the question it leaves out."""
    # A refusal is one sentence of ours; what goes with an answer quotes the question and may be long.
    message = _wrapped(answer.message, "") if answer.claims else answer.message
    asked = [_wrapped(choice, "  ") for choice in choices_of(answer)]
    return [*([message] if message else []), *(["Which of these do you mean?", *asked] if asked else [])]


def _beside(answer: Answer) -> list[list[str]]:
    """What was written and is not shown as it was written, and the notices."""
    gone = [_wrapped(claim.text, "x ") for claim in answer.dropped_claims if not claim.quote]
    replaced = [_wrapped(claim.text, "x ") for claim in answer.dropped_claims if claim.quote]
    return [
        _titled("Left out, not supported by the guides", gone),
        _titled("Replaced by the guides' own words", replaced),
        [_wrapped(notice, "Note: ") for notice in answer.notices],
    ]


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    return [title, *lines] if lines else []


def _sections(*sections: Sequence[str]) -> str:
    """The sections that have lines, an empty line between them."""
    return safe("\n\n".join("\n".join(lines) for lines in sections if lines))


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
