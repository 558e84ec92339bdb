"""Reranking by the nearest chunks of each entry, over chunk vectors of our own making."""

from collections.abc import Mapping

import numpy
import pytest

from rag.rerank import CANDIDATES, CLASSIFIER_WEIGHT, PART, POOLS, PooledReranker, nearness, pooled, ranked
from rag.types import Hit, Matrix, Vector
from tests.fakes import a_hit, unit

QUESTION = unit(1, 0)


def cosines(*values: float) -> Vector:
    return numpy.array(values, dtype=numpy.float32)


def vectors(*values: float) -> Matrix:
    """Unit vectors with these cosines to `QUESTION`."""
    return numpy.array([[value, (1 - value**2) ** 0.5] for value in values], dtype=numpy.float32)


def reranked(chunks: Mapping[str, Matrix], *hits: Hit) -> list[Hit]:
    return PooledReranker(chunks.__getitem__).rerank("what?", QUESTION, hits)


def test_an_entry_with_many_chunks_is_as_near_as_its_nearest_one_three_and_eight_together() -> None:
    near = [0.9, 0.6, 0.3, 0.25, 0.2, 0.15, 0.1, 0.1]
    assert pooled(cosines(*near, *[-0.5] * 32)) == pytest.approx(0.2 * 0.9 + 0.35 * 0.6 + 0.45 * 0.325)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.4], 0.4),
        ([0.4, 0.1], 0.4),
        ([0.9, 0.1, 0.1, 0.1, 0.1], 0.9),
        ([0.9, 0.5, 0.1, 0.1, 0.1, 0.1], 0.2 * 0.9 + 0.8 * 0.7),
        ([0.9, 0.6, 0.3, *[0.0] * 6], 0.2 * 0.9 + 0.8 * 0.6),
    ],
)
def test_of_a_short_entry_no_more_than_a_third_of_the_chunks_is_averaged(values: list[float], expected: float) -> None:
    assert PART == 3
    assert pooled(cosines(*values)) == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 3, 7, 40])
@pytest.mark.parametrize("value", [-1.0, 0.25, 1.0])
def test_chunks_that_are_all_as_near_give_that_nearness(value: float, count: int) -> None:
    assert sum(share for _, share in POOLS) == pytest.approx(1.0)
    assert pooled(cosines(*[value] * count)) == pytest.approx(value)


def test_the_order_of_the_chunks_does_not_matter_and_they_stay_as_they_were() -> None:
    values = cosines(0.1, 0.9, -0.2, 0.4, 0.3, 0.8, 0.0)
    kept = values.copy()
    assert pooled(values) == pytest.approx(pooled(values[::-1]))
    assert numpy.array_equal(values, kept)


def test_several_near_ways_of_asking_beat_a_single_one_that_is_nearer_by_chance() -> None:
    chunks = {"ONE": vectors(0.8, *[0.1] * 23), "MANY": vectors(*[0.7] * 8, *[0.1] * 16)}
    found = reranked(chunks, a_hit("ONE", 1, score=0.8), a_hit("MANY", 2, score=0.7))
    assert [(hit.entry_id, hit.rank) for hit in found] == [("MANY", 1), ("ONE", 2)]


def test_a_hit_keeps_its_parts_and_its_chunk_and_gets_pooled_and_score() -> None:
    before = Hit("A", "A#7", 1, {"score": 0.9, "dense": 0.9, "cosine": 0.8, "lexical": 0.05, "keyword": 3.0})
    [hit] = reranked({"A": vectors(0.6, 0.2)}, before)
    assert (hit.entry_id, hit.chunk_id, hit.rank) == ("A", "A#7", 1)
    assert hit.scores == pytest.approx(
        {
            "score": 0.65, "pooled": 0.6, "classified": 0.0, "dense": 0.9, "cosine": 0.8, "lexical": 0.05,
            "keyword": 3.0,
        }
    )  # fmt: skip
    assert before.scores["score"] == 0.9


def test_the_lexical_part_still_counts_and_is_nothing_where_there_was_none() -> None:
    chunks = {"A": vectors(0.6), "B": vectors(0.5)}
    found = reranked(chunks, a_hit("A", 1, score=0.6), a_hit("B", 2, score=0.5, lexical=0.15))
    assert [hit.entry_id for hit in found] == ["B", "A"]
    assert [hit.scores["score"] for hit in found] == pytest.approx([0.65, 0.6])


def test_the_classifier_takes_off_what_an_entry_lies_behind_its_first_choice() -> None:
    chunks = {"A": vectors(0.62), "B": vectors(0.6), "MY-1": vectors(0.61)}
    likeness = {"A": 0.1, "B": 0.9, "FAR": 2.0}  # what was not found has no say
    reranker = PooledReranker(chunks.__getitem__, lambda _: likeness)
    found = reranker.rerank("what?", QUESTION, [a_hit(name, 1, score=0.5) for name in chunks])
    assert [hit.entry_id for hit in found] == ["MY-1", "B", "A"]
    assert [hit.scores["classified"] for hit in found] == pytest.approx([0.0, 0.0, -0.8 * CLASSIFIER_WEIGHT])
    assert [nearness(hit) for hit in found] == pytest.approx([0.61, 0.6, 0.62])


def test_only_the_first_candidates_are_looked_at_and_kept() -> None:
    chunks = {f"A-{row:03}": vectors(row / 100) for row in range(CANDIDATES + 5)}
    found = reranked(chunks, *[a_hit(name, rank, score=0.5) for rank, name in enumerate(chunks, 1)])
    assert [hit.entry_id for hit in found] == sorted(chunks)[:CANDIDATES][::-1]
    assert [hit.rank for hit in found] == list(range(1, CANDIDATES + 1))


def test_without_hits_there_is_nothing_to_rerank() -> None:
    assert reranked({}) == []


def test_hits_are_ranked_by_the_score_that_is_named_and_equal_ones_by_id() -> None:
    hits = [a_hit("C", 1, x=0.5, y=0.9), a_hit("B", 2, x=0.7, y=0.1), a_hit("A", 3, x=0.5, y=0.5)]
    assert [(hit.entry_id, hit.rank) for hit in ranked(hits, "x")] == [("B", 1), ("A", 2), ("C", 3)]
    assert [(hit.entry_id, hit.rank) for hit in ranked(hits, "y")] == [("C", 1), ("A", 2), ("B", 3)]
