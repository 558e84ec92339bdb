"""A question with several parts or several readings, taken apart without a language model."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy

from rag.converse import hangs, understand
from rag.rerank import nearness
from rag.retrieve import Retriever
from rag.types import EntrySource, Hit, Retrieval, Turn, Understood

JOINT = re.compile(
    r"[?!;]+\s+(?:and\s+|also\s+|but\s+)?|"
    r",?\s+(?:and|also|and also|plus|as well as)\s+"
    r"(?=(?:how|what|why|when|which|who|where|is|are|do|does|can|should|name|list|explain|compare|tell|give)\b)",
    re.IGNORECASE,
)
FEWEST_WORDS = 3
MOST = 4
"""Parts looked at; whoever asks more at once gets one answer to all."""
SHORT = 5
"""Words up to which a question may have several readings, or a part may need the one before it."""
TIE = 0.02
"""Scores this close do not tell two readings apart."""


def parts_of(question: str) -> list[str]:
    """The parts of a question in order; the question alone when it has only one.

    A part of fewer than three words ("and why?") belongs to the one before it.
    """
    found: list[str] = []
    for piece in JOINT.split(question):
        piece = piece.strip(" ,.?!;")
        if not piece:
            continue
        if found and len(piece.split()) < FEWEST_WORDS:
            found[-1] = f"{found[-1]}, {piece}"
        else:
            found.append(piece)
    return found if 1 < len(found) <= MOST else [question]


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """One part of a question, what it finds, and the probability that this covers it."""

    text: str
    retrieval: Retrieval
    covered: float


def judge_parts(retriever: Retriever, question: str, limit: int) -> list[JudgedPart]:
    """Each part searched by itself, or as a follow-up to the parts before it when it leans on them."""
    judged: list[JudgedPart] = []
    parts = parts_of(question)
    if len(parts) == 1:
        return []
    for number, part in enumerate(parts):
        asked = [Understood.alone(part)]
        if number and (hangs(part) or len(part.split()) < SHORT):
            asked.append(understand(part, [Turn("user", text) for text in parts[:number]]))
        found = [retriever.retrieve(item, limit=limit) for item in asked]
        best = max(found, key=lambda retrieval: retrieval.covered)
        judged.append(JudgedPart(part, best, best.covered))
    return judged


@dataclass(frozen=True, slots=True)
class Joined(Retrieval):
    """What several parts of one question found, taken in turns; `parts` holds what each found by itself."""

    parts: tuple[Retrieval, ...] = ()


def join(question: str, parts: Sequence[JudgedPart], limit: int) -> Retrieval:
    """What is found for these parts of a question: the best entry of each, then the second ones, up to `limit`.

    The whole is covered as far as its least covered part is. One part alone is a retrieval like any other.
    """
    if len(parts) == 1:
        return replace(parts[0].retrieval, question=question)
    found: dict[str, Hit] = {}
    for row in zip_longest(*(part.retrieval.hits for part in parts)):
        for hit in row:
            if hit is not None and len(found) < max(limit, len(parts)):
                found.setdefault(hit.entry_id, hit)
    vector = numpy.sum([part.retrieval.vector for part in parts], axis=0)
    return Joined(
        question=question,
        vector=numpy.asarray(vector / (numpy.linalg.norm(vector) or 1.0), dtype=numpy.float32),
        hits=tuple(replace(hit, rank=rank) for rank, hit in enumerate(found.values(), 1)),
        covered=min(part.covered for part in parts),
        parts=tuple(_within(part.retrieval, found) for part in parts),
    )


def _within(retrieval: Retrieval, kept: Container[str]) -> Retrieval:
    return replace(retrieval, hits=tuple(hit for hit in retrieval.hits if hit.entry_id in kept))


def shares(retrieval: Retrieval, claims: int) -> list[tuple[Retrieval, int]]:
    """What can be quoted from by itself, and how many of an answer's sentences it may have, one at the least."""
    parts = retrieval.parts if isinstance(retrieval, Joined) else (retrieval,)
    each, more = divmod(claims, len(parts))
    return [(part, max(1, each + (row < more))) for row, part in enumerate(parts)]


def readings(question: str, hits: Sequence[Hit], entries: EntrySource) -> tuple[str, ...]:
    """The questions a short question can be read as, when its two best entries are as near and far apart.

    Far apart: no topic in common, and neither names the other as related.
    """
    if len(hits) < 2 or len(question.split()) > SHORT or nearness(hits[0]) - nearness(hits[1]) > TIE:
        return ()
    first, second = (entries.entry(hit.entry_id) for hit in hits[:2])
    near = set(first.topics) & set(second.topics) or second.id in first.related or first.id in second.related
    if near or first.origin != second.origin:
        return ()
    return first.question, second.question
