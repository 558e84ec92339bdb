"""Does an entry say what a claim says? Rules first, then nearness of meaning.

A sentence embedding cannot see a changed number, so every figure of the claim has to stand in the
entry; and it can see a wrongly cited entry, so the nearest sentence has to be near.
"""

import re

import numpy

from rag.types import Embedder, EntrySource

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
SUPPORTED = 0.6
"""The least cosine between a claim and the sentence that carries it."""


class SentenceSupport:
    """A `SupportChecker` over the sentences of the cited entry."""

    def __init__(self, embedder: Embedder, entries: EntrySource) -> None:
        self._embedder = embedder
        self._entries = entries

    def support(self, claim: str, entry_id: str) -> tuple[float, str]:
        """(support in 0..1, the sentence that carries the claim); 0 when a figure is not in the entry."""
        sentences, vectors = self._entries.sentences(entry_id)
        if not sentences:
            return 0.0, ""
        cosines = vectors @ self._embedder.embed([claim])[0]
        best = int(numpy.argmax(cosines))
        entry = self._entries.entry(entry_id)
        said = numbers(" ".join([entry.answer, entry.caveat or "", *(item.answer for item in entry.follow_ups)]))
        if not numbers(claim) <= said:
            return 0.0, sentences[best].quote
        return max(0.0, float(cosines[best])), sentences[best].quote


def numbers(text: str) -> set[str]:
    """The figures of a text, thousands separators removed."""
    return {re.sub(r",(?=\d{3})", "", found).rstrip(".,") for found in NUMBER.findall(text)}
