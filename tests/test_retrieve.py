"""Dense and lexical search, their fusion, reranking and judging, over fakes."""

from collections.abc import Sequence

import numpy
import pytest

from rag.keyword import KeywordIndex
from rag.retrieve import CHUNKS_PER_SEARCH, FIRST, KEYWORD_WEIGHT, SECOND_WEIGHT, DenseSearcher, Retriever, fuse
from rag.types import Chunk, Hit, Matrix, Searcher, Understood, Vector
from tests.fakes import ListIndex, ScriptedSearcher, WordEmbedder, a_hit, unit

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


def test_dense_search_asks_for_more_chunks_than_an_entry_has() -> None:
    class Counting(ListIndex):
        asked = 0

        def nearest(self, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
            self.asked = limit
            return super().nearest(vector, limit=limit)

    many = [Chunk(f"SCN-09#{row}", "SCN-09", "T", "asked", "the loss becomes nan") for row in range(200)]
    other = Chunk("SCN-20#0", "SCN-20", "T", "asked", "the loss oscillates")
    embedder = WordEmbedder()
    index = Counting([*many, other], embedder)
    found = DenseSearcher(embedder, index, {chunk.id: chunk.entry_id for chunk in [*many, other]})
    assert order(found.search("the loss becomes nan", limit=2)) == ["SCN-09", "SCN-20"]
    assert index.asked == CHUNKS_PER_SEARCH


def test_an_empty_index_finds_nothing() -> None:
    embedder = WordEmbedder()
    searcher = DenseSearcher(embedder, ListIndex([], embedder), {})
    retrieval = Retriever(searcher, KeywordIndex.build([])).retrieve(Understood.alone("anything"), limit=5)
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
        {
            "score": 0.5 + KEYWORD_WEIGHT * 0.25,
            "dense": 0.5,
            "cosine": 0.0,
            "lexical": KEYWORD_WEIGHT * 0.25,
            "keyword": 3.0,
            "coverage": 0.5,
        }
    )
    assert fused[1].chunk_id == "C#0"


def test_an_entry_in_both_lists_appears_once_with_the_chunk_that_was_nearest() -> None:
    fused = fuse([dense("A", 0.6)], [keyword("A", 3.0, 0.5)])
    assert [(hit.entry_id, hit.chunk_id, hit.rank) for hit in fused] == [("A", "A#4", 1)]
    assert set(fused[0].scores) == {"score", "dense", "cosine", "lexical", "keyword", "coverage"}


def test_equal_scores_are_ordered_by_id_and_ranks_count_up() -> None:
    fused = fuse([dense("C", 0.5), dense("A", 0.5), dense("B", 0.5)], [])
    assert [(hit.entry_id, hit.rank) for hit in fused] == [("A", 1), ("B", 2), ("C", 3)]


def test_fusing_leaves_its_inputs_as_they_were() -> None:
    by_meaning, by_word = [dense("A", 0.6)], [keyword("A", 3.0, 0.5)]
    fuse(by_meaning, by_word)
    assert (by_meaning, by_word) == ([dense("A", 0.6)], [keyword("A", 3.0, 0.5)])


def test_a_retrieval_carries_question_vector_hits_and_timings() -> None:
    retrieval = Retriever(dense_searcher(), keyword_index()).retrieve(Understood.alone("mode collapse"), limit=2)
    assert retrieval.question == "mode collapse"
    assert retrieval.vector == pytest.approx(WordEmbedder().embed(["mode collapse"])[0])
    assert retrieval.vector.dtype == numpy.float32
    assert order(retrieval.hits)[0] == "SCN-20"
    assert len(retrieval.hits) == 2
    assert set(retrieval.timings_ms) == {"embed", "search", "rerank"}
    assert min(retrieval.timings_ms.values()) >= 0


def test_the_lists_that_are_fused_reach_as_far_whatever_the_limit() -> None:
    lexical = ScriptedSearcher(keyword("SCN-20", 5.0, 1.0))
    retriever = Retriever(dense_searcher(), lexical)
    assert len(retriever.search("drift", limit=1)) == 1
    assert len(retriever.search("drift", limit=2)) == 2
    assert lexical.asked == [("drift", FIRST), ("drift", FIRST)]


def test_no_more_entries_found_by_meaning_than_the_fusion_takes_are_ranked() -> None:
    embedder = WordEmbedder()
    chunks = [Chunk(f"A-{row}#0", f"A-{row}", "T", "question", f"drift number {row}") for row in range(FIRST + 9)]
    dense = DenseSearcher(embedder, ListIndex(chunks, embedder), {chunk.id: chunk.entry_id for chunk in chunks})
    assert len(Retriever(dense, ScriptedSearcher()).search("drift", limit=1000)) == FIRST


class Axes:
    """An `Embedder` of scripted vectors; it remembers what it was asked."""

    name = "axes"
    token_limit = 100

    def __init__(self, **vectors: Vector) -> None:
        self._vectors = vectors
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.asked += texts
        return numpy.stack([self._vectors[text] for text in texts])

    def count_tokens(self, text: str) -> int:
        return 1


def meaning_of(embedder: Axes, *meanings: tuple[str, float]) -> Vector:
    """The vector a question with these meanings is searched with."""
    retriever = Retriever(DenseSearcher(embedder, ListIndex([], WordEmbedder()), {}), ScriptedSearcher())
    return retriever.retrieve(Understood("q", meanings, "q"), limit=1).vector


def test_the_meanings_of_a_question_are_added_up_by_their_weights_to_one_unit_vector() -> None:
    embedder = Axes(x=unit(1, 0), y=unit(0, 1))
    assert meaning_of(embedder, ("x", 1.5), ("y", 2.0)) == pytest.approx([0.6, 0.8])
    assert embedder.asked == ["x", "y"]


def test_meanings_that_cancel_out_point_nowhere_and_break_nothing() -> None:
    assert meaning_of(Axes(x=unit(1, 0), y=unit(-1, 0)), ("x", 1.0), ("y", 1.0)).tolist() == [0.0, 0.0]


def test_the_words_of_a_question_are_searched_and_its_text_is_handed_on() -> None:
    lexical, reranker = ScriptedSearcher(keyword("SCN-20", 5.0, 1.0)), Backwards()
    understood = Understood("shown", (("the loss becomes nan", 1.0),), "searched")
    retrieval = Retriever(dense_searcher(), lexical, [reranker]).retrieve(understood, limit=3)
    assert retrieval.question == "shown"
    assert [question for question, _ in lexical.asked] == ["searched"]
    assert [question for question, _, _ in reranker.seen] == ["shown"]
    assert retrieval.vector == pytest.approx(WordEmbedder().embed(["the loss becomes nan"])[0])


def test_the_spelling_of_text_words_and_meanings_is_put_right() -> None:
    fixed = {"shwon": "shown", "searhced": "searched", "drfit": "drift", "lsos": "loss"}
    lexical = ScriptedSearcher()
    retriever = Retriever(dense_searcher(), lexical, correct=lambda text: fixed[text])
    retrieval = retriever.retrieve(Understood("shwon", (("drfit", 1.0), ("lsos", 1.0)), "searhced"), limit=1)
    assert retrieval.question == "shown"
    assert [question for question, _ in lexical.asked] == ["searched"]
    assert retrieval.vector == pytest.approx(WordEmbedder().embed(["drift loss"])[0])


class Backwards:
    """A `Reranker` that turns the order round and remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Vector, list[str]]] = []

    def rerank(self, question: str, vector: Vector, hits: Sequence[Hit]) -> list[Hit]:
        self.seen.append((question, vector, order(hits)))
        return list(hits)[::-1]


class FirstOnly:
    """A `Reranker` that keeps the first hit."""

    def rerank(self, question: str, vector: Vector, hits: Sequence[Hit]) -> list[Hit]:
        return list(hits[:1])


def test_a_reranker_orders_the_whole_list_before_it_is_cut() -> None:
    reranker = Backwards()
    plain = Retriever(dense_searcher(), keyword_index()).search("mode collapse", limit=9)
    turned = Retriever(dense_searcher(), keyword_index(), [reranker]).search("mode collapse", limit=1)
    [(question, vector, seen)] = reranker.seen
    assert (question, seen) == ("mode collapse", order(plain))
    assert vector == pytest.approx(WordEmbedder().embed(["mode collapse"])[0])
    assert len(plain) == 3
    assert order(turned) == [order(plain)[-1]]


def test_rerankers_work_one_after_the_other() -> None:
    plain = order(Retriever(dense_searcher(), keyword_index()).search("mode collapse", limit=9))
    last = Retriever(dense_searcher(), keyword_index(), [Backwards(), FirstOnly()]).search("mode collapse", limit=9)
    first = Retriever(dense_searcher(), keyword_index(), [FirstOnly(), Backwards()]).search("mode collapse", limit=9)
    assert (order(last), order(first)) == (plain[-1:], plain[:1])


def test_the_reranked_hits_are_judged_before_the_list_is_cut() -> None:
    judged: list[tuple[Vector, list[str]]] = []

    def judge(vector: Vector, hits: Sequence[Hit]) -> float:
        judged.append((vector, order(hits)))
        return 0.25

    plain = Retriever(dense_searcher(), keyword_index()).search("mode collapse", limit=9)
    retriever = Retriever(dense_searcher(), keyword_index(), [Backwards()], judge=judge)
    retrieval = retriever.retrieve(Understood.alone("mode collapse"), limit=1)
    assert retrieval.covered == 0.25
    [(vector, seen)] = judged
    assert seen == order(plain)[::-1]
    assert numpy.array_equal(vector, retrieval.vector)


def test_without_a_judge_whatever_is_found_counts_as_covered() -> None:
    retriever = Retriever(dense_searcher(), keyword_index())
    assert retriever.retrieve(Understood.alone("mode collapse"), limit=1).covered == 1.0
