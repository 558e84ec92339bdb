"""Questions with several parts, and short ones with several readings."""

import pytest

from rag.parts import JudgedPart, join, judge_parts, parts_of, readings, shares
from rag.retrieve import DenseSearcher, Retriever
from rag.types import Chunk, Retrieval, Vector
from tests.fakes import FakeEntries, ListIndex, ScriptedSearcher, WordEmbedder, a_hit, a_retrieval, an_entry, unit

DRIFT = "What is data drift"
WEATHER = "how is the weather in Oslo today"


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("What is data drift?", ["What is data drift?"]),
        ("What is data drift? How do I find it?", ["What is data drift", "How do I find it"]),
        ("what is PSI and how do I read it", ["what is PSI", "how do I read it"]),
        ("explain bagging and boosting", ["explain bagging and boosting"]),
        ("What is drift? Why?", ["What is drift?, Why"]),
        ("a b c? d e f? g h i? j k l? m n o?", ["a b c? d e f? g h i? j k l? m n o?"]),
        ("?!", ["?!"]),
    ],
)
def test_a_question_is_taken_apart_where_another_begins(question: str, parts: list[str]) -> None:
    found = parts_of(question)
    assert found == ([question] if len(parts) == 1 else parts)


def retriever() -> Retriever:
    embedder = WordEmbedder()
    chunks = [Chunk("FND-03#0", "FND-03", "Drift", "question", DRIFT, "")]
    dense = DenseSearcher(embedder, ListIndex(chunks, embedder), {"FND-03#0": "FND-03"})

    def judge(vector: Vector, _: object) -> float:
        return float(vector @ embedder.embed([DRIFT])[0])

    return Retriever(dense, ScriptedSearcher(), judge=judge)


def test_each_part_is_judged_by_itself() -> None:
    judged = judge_parts(retriever(), f"{DRIFT} and {WEATHER}", 5)
    assert [part.text for part in judged] == [DRIFT, WEATHER]
    assert judged[0].covered > 0.9
    assert judged[1].covered < 0.4


def test_a_part_that_leans_on_the_one_before_is_judged_with_it() -> None:
    leaning = judge_parts(retriever(), f"{DRIFT}? How do I find it?", 5)[1]
    alone = judge_parts(retriever(), f"{DRIFT}? How do people in Oslo find umbrellas on Mondays?", 5)[1]
    assert leaning.covered > 0.3 > alone.covered


def test_a_question_of_one_part_is_not_searched_again() -> None:
    assert judge_parts(retriever(), DRIFT, 5) == []


def judged(text: str, row: int, **scores: float) -> JudgedPart:
    retrieval = a_retrieval(text, unit(*(1.0 if axis == row else 0.0 for axis in range(3))), **scores)
    return JudgedPart(text, retrieval, 0.9 - row / 10)


def test_parts_take_turns_and_each_keeps_what_it_found_of_that() -> None:
    parts = [judged("a", 0, A_1=0.9, B_1=0.8, C_1=0.7), judged("b", 1, B_1=0.9, D_1=0.5)]
    joined = join("a? b?", parts, 3)
    assert [(hit.entry_id, hit.rank) for hit in joined.hits] == [("A-1", 1), ("B-1", 2), ("D-1", 3)]
    assert (joined.question, joined.covered) == ("a? b?", 0.8)
    assert joined.vector == pytest.approx(unit(1, 1, 0))
    found = [([hit.entry_id for hit in part.hits], part.question, claims) for part, claims in shares(joined, 5)]
    assert found == [(["A-1", "B-1"], "a", 3), (["B-1", "D-1"], "b", 2)]


def test_each_part_keeps_its_best_entry_and_a_sentence_however_small_the_limits() -> None:
    joined = join("a? b? c?", [judged(text, row, **{f"{text}_1": 0.9}) for row, text in enumerate("abc")], 1)
    assert [hit.entry_id for hit in joined.hits] == ["a-1", "b-1", "c-1"]
    assert [claims for _, claims in shares(joined, 1)] == [1, 1, 1]


def test_one_part_is_a_retrieval_like_any_other() -> None:
    alone = join("a? b?", [judged("a", 0, A_1=0.9)], 3)
    assert (alone.question, alone.hits, type(alone)) == ("a? b?", judged("a", 0, A_1=0.9).retrieval.hits, Retrieval)
    [(part, claims)] = shares(alone, 4)
    assert (part is alone, claims) == (True, 4)


@pytest.mark.parametrize(
    ("question", "gap", "second", "several"),
    [
        ("sampling", 0.01, {"topics": ("generation",)}, True),
        ("sampling", 0.05, {"topics": ("generation",)}, False),
        ("sampling", 0.01, {"topics": ("labels",)}, False),
        ("sampling", 0.01, {"topics": ("generation",), "related": ("A-01",)}, False),
        ("sampling", 0.01, {"topics": ("generation",), "origin": "document"}, False),
        ("how is sampling done in practice for labels", 0.01, {"topics": ("generation",)}, False),
    ],
)
def test_a_short_question_with_two_far_readings_says_so(
    question: str, gap: float, second: dict[str, object], several: bool
) -> None:
    entries = FakeEntries([an_entry("A-01", topics=("labels",)), an_entry("A-02", **second)])
    found = readings(question, [a_hit("A-01", score=0.7), a_hit("A-02", 2, score=0.7 - gap)], entries)
    assert found == (("What is A-01?", "What is A-02?") if several else ())


def test_one_hit_has_one_reading() -> None:
    assert readings("drift", [a_hit("A-01", score=0.7)], FakeEntries([an_entry("A-01")])) == ()
