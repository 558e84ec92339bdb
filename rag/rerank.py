"""Reranking: the first candidates looked at again with everything that is known of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy

from rag.types import Hit, Matrix, Vector

CANDIDATES = 30
"""Entries looked at again; the right one is among them for 99 of 100 questions."""
POOLS = ((1, 0.2), (3, 0.35), (8, 0.45))
"""(nearest chunks whose cosines are averaged, share). One near chunk may be chance, several are not."""
CLASSIFIER_WEIGHT = 0.1
"""Weight of the classifier against the cosines; chosen on the tune half of the gold questions."""
PART = 3
"""At most one chunk in so many is averaged: a short document has few that could be near."""


class PooledReranker:
    """Orders entries by the mean cosines of their nearest chunks, the lexical part and a classifier. A `Reranker`.

    The first search sees single chunks; here every chunk of a candidate has its say, each way the
    entry is asked among them. The classifier takes off what an entry lies behind its first choice;
    nothing is taken off entries it does not know, which are the user's own.

    Args:
        chunk_vectors: the vectors of an entry's chunks, shape (chunks, dimension).
        classify: a question's vector to a score of each guide entry.
    """

    def __init__(
        self,
        chunk_vectors: Callable[[str], Matrix],
        classify: Callable[[Vector], Mapping[str, float]] | None = None,
    ) -> None:
        self._chunk_vectors = chunk_vectors
        self._classify = classify

    def rerank(self, question: str, vector: Vector, hits: Sequence[Hit]) -> list[Hit]:
        """The first `CANDIDATES` hits anew, with the scores `pooled`, `classified` (0 at the most) and `score`."""
        likeness = self._classify(vector) if self._classify else {}
        first = max((likeness[hit.entry_id] for hit in hits[:CANDIDATES] if hit.entry_id in likeness), default=0.0)
        found = []
        for hit in hits[:CANDIDATES]:
            meaning = pooled(self._chunk_vectors(hit.entry_id) @ vector)
            behind = CLASSIFIER_WEIGHT * (likeness.get(hit.entry_id, first) - first)
            score = meaning + hit.scores.get("lexical", 0.0) + behind
            found.append(replace(hit, scores={**hit.scores, "pooled": meaning, "classified": behind, "score": score}))
        return ranked(found, "score")


def pooled(cosines: Vector) -> float:
    """The weighted means of the best cosines of one entry, in -1..1."""
    best = -numpy.sort(-cosines)
    most = max(1, len(best) // PART)
    return float(sum(share * best[: min(count, most)].mean() for count, share in POOLS))


def nearness(hit: Hit) -> float:
    """How near an entry is whatever lies beside it: its score without what the classifier took off."""
    return hit.scores["score"] - hit.scores.get("classified", 0.0)


def ranked(hits: Sequence[Hit], score: str) -> list[Hit]:
    """The hits by one of their scores, best first, ranks from 1."""
    ordered = sorted(hits, key=lambda hit: (-hit.scores[score], hit.entry_id))
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, 1)]
