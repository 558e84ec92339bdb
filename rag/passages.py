"""Sentences with their vectors, for entries whose sentences were not embedded when the index was built."""

from functools import lru_cache

from rag.types import Embedder, Entry, EntrySource, Matrix, Sentence

KEPT = 256
"""Entries whose vectors are remembered; a conversation comes back to the same few."""


class EmbeddedSentences:
    """An `EntrySource` that embeds an entry's sentences the first time they are asked for."""

    def __init__(self, entries: EntrySource, embedder: Embedder) -> None:
        self._entries = entries
        self._embedder = embedder
        self._embedded = lru_cache(maxsize=KEPT)(self._embed)

    def entry(self, entry_id: str) -> Entry:
        return self._entries.entry(entry_id)

    def sentences(self, entry_id: str) -> tuple[list[Sentence], Matrix]:
        """The entry's sentences in reading order, and their vectors, shape (count, dimension)."""
        found, vectors = self._entries.sentences(entry_id)
        if found and vectors.shape[1] == 0:
            return self._embedded(entry_id)
        return found, vectors

    def _embed(self, entry_id: str) -> tuple[list[Sentence], Matrix]:
        found, _ = self._entries.sentences(entry_id)
        return found, self._embedder.embed([sentence.text for sentence in found])
