"""Reranking: the first candidates looked at again with everything that is known of each."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy

from rag.types import Hit, Matrix, Vector

CANDIDATES = 30
"""Entries looked at again; the right one is among them for 99 of 100 questions."""
POOLS = ((1, 0.2), (3, 0.35), (8, 0.45))
"""(nearest chunks whose cosines are averaged, share). One near chunk may be chance, several are not."""
PART = 3
"""At most one chunk in so many is averaged: a short document has few that could be near."""


class PooledReranker:
    """Orders entries by the mean cosine of their nearest 1, 3 and 8 chunks, plus the lexical part. A `Reranker`.

    The first search sees single chunks; here every chunk of a candidate has its say, each way the
    entry is asked among them.

    Args:
        chunk_vectors: the vectors of an entry's chunks, shape (chunks, dimension).
    """

    def __init__(self, chunk_vectors: Callable[[str], Matrix]) -> None:
        self._chunk_vectors = chunk_vectors

    def rerank(self, question: str, vector: Vector, hits: Sequence[Hit]) -> list[Hit]:
        """The first `CANDIDATES` hits anew, with the scores `pooled` and `score`."""
        found = []
        for hit in hits[:CANDIDATES]:
            meaning = pooled(self._chunk_vectors(hit.entry_id) @ vector)
            score = meaning + hit.scores.get("lexical", 0.0)
            found.append(replace(hit, scores={**hit.scores, "pooled": meaning, "score": score}))
        return ranked(found, "score")


def pooled(cosines: Vector) -> float:
    """The weighted means of the best cosines of one entry, in -1..1."""
    best = -numpy.sort(-cosines)
    most = max(1, len(best) // PART)
    return float(sum(share * best[: min(count, most)].mean() for count, share in POOLS))


def ranked(hits: Sequence[Hit], score: str) -> list[Hit]:
    """The hits by one of their scores, best first, ranks from 1."""
    ordered = sorted(hits, key=lambda hit: (-hit.scores[score], hit.entry_id))
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, 1)]
