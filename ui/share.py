"""An answer and a conversation as text that people paste or keep."""

import re
from collections.abc import Sequence
from datetime import datetime

from rag.answer import QUOTE
from rag.types import Answer, Claim, Source, bracketed
from ui.text import choices_of, safe

ACTIVE = re.compile(r"([\\`*_\[\]<>#|~!])")
"""What Markdown could take for markup, an image or a link; a list of ids in brackets is ours."""
STATUS = {"partial": "Covered in part", "not_covered": "Not covered", "unverified": "Not verified"}


def answer_text(answer: Answer) -> str:
    """The answer with its citations as plain text, for pasting anywhere."""
    lines = [f"{claim.text} {bracketed(claim.sources)}" for claim in answer.claims]
    lines += [answer.message] if answer.message else []
    if answer.sources:
        lines += ["", "Sources", *(f"{source.id} {source.title} ({source.guide})" for source in answer.sources)]
    return safe("\n".join(lines))


def conversation_markdown(answers: Sequence[Answer], when: datetime) -> str:
    """The conversation as a Markdown file; nothing that a model or a document says is markup in it."""
    parts = ["# ML interview tutor", f"Kept on {when:%Y-%m-%d at %H:%M}."]
    for answer in answers:
        parts += _turn(answer)
    return safe("\n\n".join(parts)) + "\n"


def _turn(answer: Answer) -> list[str]:
    parts = [f"## {_inert(answer.question)}"]
    if answer.standalone_question != answer.question:
        parts.append(f"Understood as: {_inert(answer.standalone_question)}")
    if answer.status in STATUS:
        parts.append(f"{STATUS[answer.status]}. {_inert(answer.message)}".strip())
    elif answer.message:
        parts.append(_inert(answer.message))
    if answer.claims:
        parts += [f"{_writer(answer)}:", _bullets(answer.claims)]
    if answer.quoted:
        parts += ["The guides' own words:", _bullets(answer.quoted)]
    if answer.sources:
        parts.append("Sources:\n\n" + "\n".join(map(_named, answer.sources)))
    if answer.related:
        parts.append("Related, not an answer:\n\n" + "\n".join(map(_named, answer.related)))
    if choices := choices_of(answer):
        parts.append("It can be read as:\n\n" + "\n".join(f"- {_inert(choice)}" for choice in choices))
    if gone := [claim for claim in answer.dropped_claims if not claim.quote]:
        parts.append("Left out, the guides don't support it:\n\n" + _texts(gone))
    if replaced := [claim for claim in answer.dropped_claims if claim.quote]:
        parts.append("Replaced by the guides' own words:\n\n" + _texts(replaced))
    return [*parts, *(f"Note: {_inert(notice)}" for notice in answer.notices)]


def _writer(answer: Answer) -> str:
    if answer.model == QUOTE:
        return "Quoted from the guides"
    return f"Written by {_inert(answer.model)}, each sentence checked against the entry it names"


def _bullets(claims: Sequence[Claim]) -> str:
    return "\n".join(f"- {_inert(claim.text)} {bracketed(claim.sources)}" for claim in claims)


def _texts(claims: Sequence[Claim]) -> str:
    return "\n".join(f"- {_inert(claim.text)}" for claim in claims)


def _named(source: Source) -> str:
    return f"- {source.id} {_inert(source.title)} ({_inert(source.guide)})"


def _inert(text: str) -> str:
    """One line that a Markdown reader shows as it stands."""
    return ACTIVE.sub(r"\\\1", " ".join(text.split()))
