"""Sentences that come without vectors get them once; those that have them are passed on."""

from collections.abc import Sequence

import numpy

from rag.passages import EmbeddedSentences
from rag.types import Entry, Matrix, Sentence
from tests.fakes import WordEmbedder, an_entry


class Counting(WordEmbedder):
    """Counts what it is asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.asked += texts
        return super().embed(texts)


class Stored:
    """An `EntrySource` with two sentences an entry, embedded for guide entries only."""

    def entry(self, entry_id: str) -> Entry:
        return an_entry(entry_id)

    def sentences(self, entry_id: str) -> tuple[list[Sentence], Matrix]:
        if entry_id == "EMP-01":
            return [], numpy.zeros((0, 0), dtype=numpy.float32)
        found = [Sentence(entry_id, row, "Answer", f"sentence {row} of {entry_id}", "") for row in range(2)]
        width = 256 if entry_id == "SCN-01" else 0
        return found, numpy.zeros((2, width), dtype=numpy.float32)


def test_sentences_without_vectors_are_embedded_once() -> None:
    embedder = Counting()
    passages = EmbeddedSentences(Stored(), embedder)
    found, vectors = passages.sentences("DOC-01")
    assert vectors.shape == (2, 256)
    assert float(vectors[1] @ embedder.embed([found[1].text])[0]) > 0.999
    embedder.asked.clear()
    passages.sentences("DOC-01")
    assert embedder.asked == []


def test_sentences_with_vectors_and_entries_without_sentences_are_passed_on() -> None:
    embedder = Counting()
    passages = EmbeddedSentences(Stored(), embedder)
    assert passages.sentences("SCN-01")[1].shape == (2, 256)
    assert passages.sentences("EMP-01")[0] == []
    assert passages.entry("SCN-01").id == "SCN-01"
    assert embedder.asked == []
