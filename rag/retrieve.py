"""One question to a ranked list of entries: dense and lexical search, fused by score, reranked.

Dense search asks Chroma for the chunks nearest to the question (each way of asking an entry is a
chunk of its own) and keeps each entry's best. The lexical list is added with a weight that follows
how much of the question's idf mass an entry's words cover: keyword questions are covered whole and
listen to BM25, described symptoms share few words with their entry and listen to meaning. Rerankers
then look at the first candidates again.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy

from rag.types import Embedder, Hit, Reranker, Retrieval, Searcher, Understood, Vector, VectorIndex

CHUNKS_PER_SEARCH = 300
"""Chunks asked of the dense index: an entry has about 40, and 20 or more entries are wanted."""
WIDER = 8
"""How many times more chunks are asked for when too few are of the origin that is wanted."""
ENOUGH = 20
"""Entries of that origin that are enough."""
ALL_BY_WORDS = 100_000
FIRST = 50
"""Entries either list gives to the fusion."""
KEYWORD_WEIGHT = 0.15
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

    def search_vector(self, vector: Vector, *, limit: int, wanted: Callable[[str], bool] | None = None) -> list[Hit]:
        """The same for a vector; the score `dense` is the best chunk's cosine plus a tenth of the second's.

        With `wanted`, only entries for whose ids it holds.
        """
        best = self._chunks(vector, wanted) if wanted else self._nearest(vector, CHUNKS_PER_SEARCH)[0]
        hits = []
        for entry_id, found in best.items():
            second = found[1][1] if len(found) > 1 else 0.0
            hits.append((found[0][1] + SECOND_WEIGHT * second, entry_id, found[0]))
        hits.sort(key=lambda hit: -hit[0])
        return [
            Hit(entry_id, chunk_id, rank, {"dense": score, "cosine": cosine})
            for rank, (score, entry_id, (chunk_id, cosine)) in enumerate(hits[:limit], 1)
        ]

    def _nearest(self, vector: Vector, count: int) -> tuple[dict[str, list[tuple[str, float]]], bool]:
        """The nearest chunks by their entry, and whether there are no more of them."""
        found = self._index.nearest(vector, limit=count)
        best: dict[str, list[tuple[str, float]]] = {}
        for chunk_id, cosine in found:
            best.setdefault(self._entry_of[chunk_id], []).append((chunk_id, cosine))
        return best, len(found) < count

    def _chunks(self, vector: Vector, wanted: Callable[[str], bool]) -> dict[str, list[tuple[str, float]]]:
        """The same for some entries only: asked for more and more chunks, since Chroma's filters take seconds."""
        count = CHUNKS_PER_SEARCH
        while True:
            best, complete = self._nearest(vector, count)
            chosen = {entry_id: found for entry_id, found in best.items() if wanted(entry_id)}
            if complete or len(chosen) >= ENOUGH:
                return chosen
            count *= WIDER


def lexical_score(scores: Mapping[str, float], top: float) -> float:
    """The lexical part of an entry's score; `top` is the best `keyword` score of the question."""
    return KEYWORD_WEIGHT * scores["coverage"] ** 2 * scores["keyword"] / top


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
        lexical = lexical_score(scores, top)
        chunk_id = (by_meaning or by_word).chunk_id  # type: ignore[union-attr]
        scores.update(lexical=lexical, score=scores["dense"] + lexical)
        fused.append((entry_id, chunk_id, scores))
    fused.sort(key=lambda item: (-item[2]["score"], item[0]))
    return [Hit(entry_id, chunk_id, rank, scores) for rank, (entry_id, chunk_id, scores) in enumerate(fused, 1)]


class Retriever:
    """Dense, lexical, fused, reranked, judged. A `Searcher`.

    Args:
        dense: search by meaning.
        keyword: search by words.
        rerankers: applied in order to the fused list.
        correct: puts the spelling of a text right.
        judge: the probability that these hits answer a question with this vector.
        wanted: which entries are searched; all by default.
    """

    def __init__(
        self,
        dense: DenseSearcher,
        keyword: Searcher,
        rerankers: Sequence[Reranker] = (),
        correct: Callable[[str], str] = str,
        judge: Callable[[Vector, Sequence[Hit]], float] | None = None,
        wanted: Callable[[str], bool] | None = None,
    ) -> None:
        self._dense = dense
        self._keyword = keyword
        self._rerankers = tuple(rerankers)
        self._correct = correct
        self._judge = judge
        self._wanted = wanted

    def within(self, wanted: Callable[[str], bool]) -> "Retriever":
        """The same over those entries only for whose ids `wanted` holds."""
        return Retriever(self._dense, self._keyword, self._rerankers, self._correct, self._judge, wanted)

    def search(self, question: str, *, limit: int) -> list[Hit]:
        return list(self.retrieve(Understood.alone(question), limit=limit).hits)

    def retrieve(self, question: Understood, *, limit: int) -> Retrieval:
        """The best `limit` entries with the parts of their scores, and the question as it was searched."""
        started = time.perf_counter()
        # What stands alone is the same text everywhere, and is put right once.
        asked = {question.text, question.words, *(text for text, _ in question.meanings)}
        right = {text: self._correct(text) for text in asked}
        vector = self._meaning([(right[text], weight) for text, weight in question.meanings])
        embedded = time.perf_counter()
        hits = fuse(
            self._dense.search_vector(vector, limit=FIRST, wanted=self._wanted),
            self._by_words(right[question.words]),
        )
        searched = time.perf_counter()
        for reranker in self._rerankers:
            hits = reranker.rerank(right[question.text], vector, hits)
        covered = self._judge(vector, hits) if self._judge else 1.0
        reranked = time.perf_counter()
        spans = {"embed": embedded - started, "search": searched - embedded, "rerank": reranked - searched}
        timings = {name: span * 1000 for name, span in spans.items()}
        return Retrieval(right[question.text], vector, tuple(hits[:limit]), timings, covered)

    def _by_words(self, words: str) -> list[Hit]:
        if self._wanted is None:
            return self._keyword.search(words, limit=FIRST)
        found = self._keyword.search(words, limit=ALL_BY_WORDS)
        return [hit for hit in found if self._wanted(hit.entry_id)][:FIRST]

    def _meaning(self, meanings: Sequence[tuple[str, float]]) -> Vector:
        """The weighted sum of the vectors of what the question means, unit length."""
        vector = sum(weight * self._dense.embed(text) for text, weight in meanings)
        length = float(numpy.linalg.norm(vector))
        unit: Vector = numpy.asarray(vector / length if length else vector, dtype=numpy.float32)
        return unit
