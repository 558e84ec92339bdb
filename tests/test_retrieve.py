"""Dense and lexical search and their fusion, over fakes."""

from collections.abc import Sequence

import numpy
import pytest

from rag.keyword import KeywordIndex
from rag.retrieve import KEYWORD_WEIGHT, SECOND_WEIGHT, DenseSearcher, Retriever, fuse
from rag.types import Chunk, Hit, Searcher
from tests.fakes import ListIndex, ScriptedSearcher, WordEmbedder, a_hit

TEXTS = {
    "FND-03#0": "data drift",
    "FND-03#1": "the inputs change over time",
    "SCN-09#0": "the loss becomes nan",
    "SCN-09#1": "exploding gradients make the loss nan",
    "SCN-20#0": "mode collapse of the generator",
}
CHUNKS = [Chunk(id, id.split("#")[0], "T", "answer", text) for id, text in TEXTS.items()]
ENTRY_OF = {chunk.id: chunk.entry_id for chunk in CHUNKS}


def dense_searcher() -> DenseSearcher:
    embedder = WordEmbedder()
    return DenseSearcher(embedder, ListIndex(CHUNKS, embedder), ENTRY_OF)


def keyword_index() -> KeywordIndex:
    return KeywordIndex.build([(entry_id, TEXTS[f"{entry_id}#0"]) for entry_id in dict.fromkeys(ENTRY_OF.values())])


def dense(entry_id: str, score: float) -> Hit:
    return Hit(entry_id, f"{entry_id}#4", 1, {"dense": score, "cosine": score - 0.05})


def keyword(entry_id: str, score: float, coverage: float) -> Hit:
    return a_hit(entry_id, keyword=score, coverage=coverage)


def order(hits: Sequence[Hit]) -> list[str]:
    return [hit.entry_id for hit in hits]


SEARCHERS: list[Searcher] = [dense_searcher(), keyword_index(), Retriever(dense_searcher(), keyword_index())]


@pytest.mark.parametrize("searcher", SEARCHERS, ids=["dense", "keyword", "hybrid"])
def test_every_searcher_finds_the_entry_best_first_and_keeps_to_the_limit(searcher: Searcher) -> None:
    assert order(searcher.search("mode collapse", limit=1)) == ["SCN-20"]
    hits = searcher.search("loss nan drift", limit=2)
    assert order(hits)[0] == "SCN-09"
    assert [hit.rank for hit in hits] == [1, 2]


def test_dense_search_scores_an_entry_by_its_best_chunk_and_a_little_of_the_second() -> None:
    embedder = WordEmbedder()
    vector = embedder.embed(["the loss nan"])[0]
    first, second = (float(embedder.embed([TEXTS[name]])[0] @ vector) for name in ("SCN-09#0", "SCN-09#1"))
    best = dense_searcher().search("the loss nan", limit=1)[0]
    assert best.chunk_id == "SCN-09#0"
    assert best.scores == pytest.approx({"dense": first + SECOND_WEIGHT * second, "cosine": first})


def test_dense_search_takes_an_entry_with_one_chunk_at_its_cosine() -> None:
    best = dense_searcher().search("mode collapse of the generator", limit=1)[0]
    assert best.scores == pytest.approx({"dense": 1.0, "cosine": 1.0})


def test_dense_search_lists_every_entry_once() -> None:
    assert sorted(order(dense_searcher().search("the loss", limit=9))) == ["FND-03", "SCN-09", "SCN-20"]


def test_an_empty_index_finds_nothing() -> None:
    embedder = WordEmbedder()
    searcher = DenseSearcher(embedder, ListIndex([], embedder), {})
    retrieval = Retriever(searcher, KeywordIndex.build([])).retrieve("anything", limit=5)
    assert retrieval.hits == ()


def test_fusing_nothing_gives_nothing() -> None:
    assert fuse([], []) == []


def test_without_lexical_hits_the_dense_order_and_scores_stay() -> None:
    fused = fuse([dense("A", 0.7), dense("B", 0.6)], [])
    assert order(fused) == ["A", "B"]
    assert [hit.scores["score"] for hit in fused] == [0.7, 0.6]


def test_without_dense_hits_the_lexical_order_stays() -> None:
    fused = fuse([], [keyword("A", 4.0, 1.0), keyword("B", 2.0, 1.0)])
    assert order(fused) == ["A", "B"]
    assert [hit.scores["score"] for hit in fused] == pytest.approx([KEYWORD_WEIGHT, KEYWORD_WEIGHT / 2])


def test_a_fused_score_is_the_dense_one_and_the_lexical_share_by_squared_coverage() -> None:
    fused = fuse([dense("A", 0.6), dense("B", 0.5)], [keyword("B", 8.0, 1.0), keyword("A", 4.0, 0.5)])
    scores = {hit.entry_id: hit.scores["score"] for hit in fused}
    assert scores == pytest.approx({"A": 0.6 + KEYWORD_WEIGHT * 0.25 * 0.5, "B": 0.5 + KEYWORD_WEIGHT})


def test_a_keyword_question_listens_to_the_words_and_a_described_symptom_to_the_meaning() -> None:
    meaning = [dense("A", 0.6), dense("B", 0.5)]
    assert order(fuse(meaning, [keyword("B", 9.0, 1.0)])) == ["B", "A"]
    assert order(fuse(meaning, [keyword("B", 9.0, 0.3)])) == ["A", "B"]


def test_an_entry_found_by_words_alone_starts_from_the_lowest_dense_score() -> None:
    fused = fuse([dense("A", 0.6), dense("B", 0.5)], [keyword("C", 3.0, 0.5)])
    assert order(fused) == ["A", "C", "B"]
    assert fused[1].scores == pytest.approx(
        {"score": 0.5 + KEYWORD_WEIGHT * 0.25, "dense": 0.5, "cosine": 0.0, "keyword": 3.0, "coverage": 0.5}
    )
    assert fused[1].chunk_id == "C#0"


def test_an_entry_in_both_lists_appears_once_with_the_chunk_that_was_nearest() -> None:
    fused = fuse([dense("A", 0.6)], [keyword("A", 3.0, 0.5)])
    assert [(hit.entry_id, hit.chunk_id, hit.rank) for hit in fused] == [("A", "A#4", 1)]
    assert set(fused[0].scores) == {"score", "dense", "cosine", "keyword", "coverage"}


def test_equal_scores_are_ordered_by_id_and_ranks_count_up() -> None:
    fused = fuse([dense("C", 0.5), dense("A", 0.5), dense("B", 0.5)], [])
    assert [(hit.entry_id, hit.rank) for hit in fused] == [("A", 1), ("B", 2), ("C", 3)]


def test_fusing_leaves_its_inputs_as_they_were() -> None:
    by_meaning, by_word = [dense("A", 0.6)], [keyword("A", 3.0, 0.5)]
    fuse(by_meaning, by_word)
    assert (by_meaning, by_word) == ([dense("A", 0.6)], [keyword("A", 3.0, 0.5)])


def test_a_retrieval_carries_question_vector_hits_and_timings() -> None:
    retrieval = Retriever(dense_searcher(), keyword_index()).retrieve("mode collapse", limit=2)
    assert retrieval.question == "mode collapse"
    assert numpy.array_equal(retrieval.vector, WordEmbedder().embed(["mode collapse"])[0])
    assert order(retrieval.hits)[0] == "SCN-20"
    assert len(retrieval.hits) == 2
    assert set(retrieval.timings_ms) == {"embed", "search"}
    assert min(retrieval.timings_ms.values()) >= 0


def test_the_lists_that_are_fused_reach_further_than_the_limit() -> None:
    lexical = ScriptedSearcher(keyword("SCN-20", 5.0, 1.0))
    hits = Retriever(dense_searcher(), lexical).search("drift", limit=2)
    assert lexical.asked == [("drift", 20)]
    assert len(hits) == 2


class Backwards:
    """A `Reranker` that turns the order round and remembers how many it got."""

    seen = 0

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        self.seen = len(hits)
        return list(hits)[::-1]


def test_a_reranker_orders_the_whole_list_before_it_is_cut() -> None:
    reranker = Backwards()
    plain = Retriever(dense_searcher(), keyword_index()).search("mode collapse", limit=9)
    turned = Retriever(dense_searcher(), keyword_index(), reranker).search("mode collapse", limit=1)
    assert reranker.seen == len(plain) == 3
    assert order(turned) == [order(plain)[-1]]
