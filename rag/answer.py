"""Drafts of an answer, and the writer that quotes the guides. `rag.written` has the one with a language model.

A draft is not yet an answer: `rag.cite` decides which of its sentences may be shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy

from rag.types import EntrySource, Hit, Retrieval, Sentence

QUOTE = "quote"

LEAD = "Answer"
LEAD_SENTENCES = 2
LEAD_BONUS = 0.15
"""Added to the cosine of an entry's first sentences, which answer its question outright."""
SECTION_BONUS = 0.05
"""Added to the cosine of the other sentences of the first section, which say what to do."""
WINDOW = 0.35
"""A sentence this much further from the question than the nearest one is not quoted."""
FEWEST = 4
"""Sentences quoted from the best entry even when they lie outside the window: one rarely answers."""
NEAR_ENTRIES = 2
NEAR_TIE = 0.04
"""An entry this close to the best one is quoted too."""
OTHER_ORIGIN_TIE = 0.1
"""The same for a document beside a guide, or a guide beside a document."""
FOREIGN_LIMIT = 2
"""Sentences quoted from an entry that is only a near tie."""
SAME = 0.92
"""Two sentences with a cosine above this say the same."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence somebody proposes, with the ids they name; `quote` when it stands in the source."""

    text: str
    sources: tuple[str, ...]
    quote: str = ""


class AnswerWriter(Protocol):
    """Turns a retrieval into drafts, in the order in which they are to be read."""

    @property
    def name(self) -> str: ...

    def write(self, retrieval: Retrieval) -> Iterable[Draft]: ...


class QuoteWriter:
    """Answers with the guides' own sentences: those of the best entry nearest to the question."""

    name = QUOTE

    def __init__(self, entries: EntrySource, claims: int) -> None:
        self._entries = entries
        self._claims = claims

    def write(self, retrieval: Retrieval) -> list[Draft]:
        if not retrieval.hits:
            return []
        best = retrieval.hits[0]
        near = [hit for hit in retrieval.hits[1:] if self._is_near(hit, best)][:NEAR_ENTRIES]
        own = max(1, self._claims - (1 if near else 0))
        drafts, floor = self._pick(best, retrieval, own, -1.0)
        for hit in near:
            room = min(FOREIGN_LIMIT, self._claims - len(drafts))
            if room > 0:
                # What a document says on a guide's subject, or a guide on a document's, is shown even when
                # its words are further from the question: the two may contradict each other.
                lowest = floor - WINDOW if self._origin(hit) != self._origin(best) else floor
                drafts += self._pick(hit, retrieval, room, lowest)[0]
        return drafts

    def _is_near(self, hit: Hit, best: Hit) -> bool:
        if self._origin(hit) == self._origin(best):
            return best.scores["score"] - hit.scores["score"] <= NEAR_TIE
        # A guide is pooled over many ways of asking and a document over few, so only their best chunks compare.
        return abs(best.scores["cosine"] - hit.scores["cosine"]) <= OTHER_ORIGIN_TIE

    def _origin(self, hit: Hit) -> str:
        return self._entries.entry(hit.entry_id).origin

    def _pick(self, hit: Hit, retrieval: Retrieval, limit: int, floor: float) -> tuple[list[Draft], float]:
        """The sentences to quote from one entry in reading order, and the score of the nearest."""
        sentences, vectors = self._entries.sentences(hit.entry_id)
        if not sentences:
            return [], floor
        scores = vectors @ retrieval.vector
        scores += numpy.array([_bonus(sentence) for sentence in sentences], dtype=numpy.float32)
        top = float(scores.max())
        lowest = max(top - WINDOW, floor)
        picked: list[int] = []
        for row in numpy.argsort(-scores, kind="stable"):
            if len(picked) == limit or (scores[row] < lowest and (len(picked) >= FEWEST or floor > 0)):
                break
            if all(float(vectors[row] @ vectors[other]) < SAME for other in picked):
                picked.append(int(row))
        picked.sort(key=lambda row: sentences[row].position)
        return [_quoted(sentences[row]) for row in picked], top


def _bonus(sentence: Sentence) -> float:
    # A document without headings has no first section but an opening all the same.
    if sentence.section not in {LEAD, ""}:
        return 0.0
    return LEAD_BONUS if sentence.position < LEAD_SENTENCES else SECTION_BONUS


def _quoted(sentence: Sentence) -> Draft:
    return Draft(sentence.text, (sentence.entry_id,), sentence.quote)
