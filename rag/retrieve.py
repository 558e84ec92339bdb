"""One question to a ranked list of entries: dense and lexical search, fused by score.

Dense search asks Chroma for the chunks nearest to the question (each way of asking an entry is a
chunk of its own) and keeps each entry's best. The lexical list is added with a weight that follows
how much of the question's idf mass an entry's words cover: keyword questions are covered whole and
listen to BM25, described symptoms share few words with their entry and listen to meaning.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from rag.types import Embedder, Hit, Reranker, Retrieval, Searcher, Vector, VectorIndex

CHUNKS_PER_SEARCH = 120
"""Chunks asked of the dense index: an entry has about 18, and 20 or more entries are wanted."""
KEYWORD_WEIGHT = 0.2
"""Weight of the lexical part against the cosine; chosen on half of the gold questions."""
SECOND_WEIGHT = 0.1
"""Weight of an entry's second-best chunk: two near ways of asking are better than one."""


class DenseSearcher:
    """Entries by the cosine of their best chunks. A `Searcher`."""

    def __init__(self, embedder: Embedder, index: VectorIndex, entry_of: Mapping[str, str]) -> None:
        self._embedder = embedder
        self._index = index
        self._entry_of = entry_of

    def search(self, question: str, *, limit: int) -> list[Hit]:
        return self.search_vector(self.embed(question), limit=limit)

    def embed(self, question: str) -> Vector:
        """The question's vector, shape (dimension,)."""
        vector: Vector = self._embedder.embed([question])[0]
        return vector

    def search_vector(self, vector: Vector, *, limit: int) -> list[Hit]:
        """The same for a vector; the score `dense` is the best chunk's cosine plus a tenth of the second's."""
        best: dict[str, list[tuple[str, float]]] = {}
        for chunk_id, cosine in self._index.nearest(vector, limit=CHUNKS_PER_SEARCH):
            best.setdefault(self._entry_of[chunk_id], []).append((chunk_id, cosine))
        hits = []
        for entry_id, found in best.items():
            second = found[1][1] if len(found) > 1 else 0.0
            hits.append((found[0][1] + SECOND_WEIGHT * second, entry_id, found[0]))
        hits.sort(key=lambda hit: -hit[0])
        return [
            Hit(entry_id, chunk_id, rank, {"dense": score, "cosine": cosine})
            for rank, (score, entry_id, (chunk_id, cosine)) in enumerate(hits[:limit], 1)
        ]


def fuse(dense: Sequence[Hit], keyword: Sequence[Hit]) -> list[Hit]:
    """Both lists as one, best first.

    score = dense + KEYWORD_WEIGHT * coverage² * keyword / best keyword

    An entry outside the dense list starts from the lowest dense score.
    """
    floor = min((hit.scores["dense"] for hit in dense), default=0.0)
    top = max((hit.scores["keyword"] for hit in keyword), default=1.0)
    dense_of = {hit.entry_id: hit for hit in dense}
    keyword_of = {hit.entry_id: hit for hit in keyword}
    fused = []
    for entry_id in dict.fromkeys([*dense_of, *keyword_of]):
        by_meaning, by_word = dense_of.get(entry_id), keyword_of.get(entry_id)
        scores = {"dense": floor, "cosine": 0.0, "keyword": 0.0, "coverage": 0.0}
        scores.update(by_meaning.scores if by_meaning else {})
        scores.update(by_word.scores if by_word else {})
        lexical = KEYWORD_WEIGHT * scores["coverage"] ** 2 * scores["keyword"] / top
        chunk_id = (by_meaning or by_word).chunk_id  # type: ignore[union-attr]
        fused.append((scores["dense"] + lexical, entry_id, chunk_id, scores))
    fused.sort(key=lambda item: (-item[0], item[1]))
    return [
        Hit(entry_id, chunk_id, rank, {"score": score, **scores})
        for rank, (score, entry_id, chunk_id, scores) in enumerate(fused, 1)
    ]


class Retriever:
    """Dense, lexical, fused, and reranked when there is a reranker. A `Searcher`."""

    def __init__(
        self,
        dense: DenseSearcher,
        keyword: Searcher,
        reranker: Reranker | None = None,
        correct: Callable[[str], str] = str,
    ) -> None:
        self._dense = dense
        self._keyword = keyword
        self._reranker = reranker
        self._correct = correct

    def search(self, question: str, *, limit: int) -> list[Hit]:
        return list(self.retrieve(question, limit=limit).hits)

    def retrieve(self, question: str, *, limit: int) -> Retrieval:
        """The best `limit` entries with the parts of their scores, and the question as it was searched."""
        started = time.perf_counter()
        question = self._correct(question)
        vector = self._dense.embed(question)
        embedded = time.perf_counter()
        hits = fuse(
            self._dense.search_vector(vector, limit=10 * limit), self._keyword.search(question, limit=10 * limit)
        )
        searched = time.perf_counter()
        if self._reranker is not None:
            hits = self._reranker.rerank(question, hits)
        timings = {"embed": (embedded - started) * 1000, "search": (searched - embedded) * 1000}
        return Retrieval(question, vector, tuple(hits[:limit]), timings)
