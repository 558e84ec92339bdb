"""The measures, against values worked out by hand, and their intervals."""

import math
from collections.abc import Callable, Sequence

import pytest

from eval.metrics import (
    Rank,
    bootstrap_interval,
    discounted_gain,
    first_relevant,
    hit_rate,
    mean,
    mean_interval,
    mean_reciprocal_rank,
    recall,
)

Interval = Callable[[Sequence[float]], tuple[float, float]]
COIN = [0.0, 1.0] * 50
"""Its mean's standard error is 0.05, so the interval is about 0.5 - 0.098 to 0.5 + 0.098."""


def resampled(values: Sequence[float]) -> tuple[float, float]:
    return bootstrap_interval(values, mean)


@pytest.mark.parametrize(
    ("retrieved", "relevant", "rank"),
    [("ABC", "A", 1), ("ABC", "C", 3), ("ABC", "CB", 2), ("ABC", "D", None), ("", "A", None), ("ABC", "", None)],
)
def test_the_first_relevant_entry_has_its_rank_counted_from_one(retrieved: str, relevant: str, rank: Rank) -> None:
    assert first_relevant(list(retrieved), list(relevant)) == rank


@pytest.mark.parametrize(("k", "share"), [(1, 0.25), (2, 0.25), (3, 0.5), (10, 0.75)])
def test_the_hit_rate_is_the_share_found_within_k(k: int, share: float) -> None:
    assert hit_rate([1, 3, None, 10], k) == share


def test_the_mean_reciprocal_rank_counts_nothing_behind_k() -> None:
    ranks = [1, 2, 4, 11, None]
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 4) / 5)
    assert mean_reciprocal_rank(ranks, k=2) == pytest.approx(1.5 / 5)
    assert mean_reciprocal_rank([10]) == pytest.approx(0.1)
    assert mean_reciprocal_rank([None]) == 0


@pytest.mark.parametrize(("k", "share"), [(1, 0.0), (2, 1 / 3), (3, 1 / 3), (4, 2 / 3), (9, 2 / 3)])
def test_recall_is_the_share_of_the_relevant_entries_within_k(k: int, share: float) -> None:
    assert recall(list("ABCD"), ["B", "D", "X"], k) == pytest.approx(share)


def test_an_entry_labelled_twice_counts_once() -> None:
    assert recall(list("AB"), ["B", "B"], 2) == 1
    assert discounted_gain(list("BA"), ["B", "B"]) == 1


@pytest.mark.parametrize(
    ("retrieved", "relevant", "k", "gain"),
    [
        ("ABCD", "A", 10, 1.0),
        ("ABCD", "B", 10, 0.6309),  # 1 / log2(3)
        ("ABCD", "D", 10, 0.4307),  # 1 / log2(5)
        ("ABCD", "BD", 10, 0.6509),  # (0.6309 + 0.4307) / (1 + 0.6309)
        ("ABCD", "BD", 2, 0.3869),  # 0.6309 / (1 + 0.6309)
        ("ABCD", "BA", 10, 1.0),
        ("ABCD", "AX", 10, 0.6131),  # 1 / (1 + 0.6309)
        ("ABCD", "ABC", 2, 1.0),  # no ranking has more than two of them among the first two
        ("ABCD", "D", 3, 0.0),
        ("ABCD", "X", 10, 0.0),
        ("", "A", 10, 0.0),
    ],
)
def test_discounted_gain_is_that_of_the_ranking_over_that_of_the_best(
    retrieved: str, relevant: str, k: int, gain: float
) -> None:
    assert discounted_gain(list(retrieved), list(relevant), k) == pytest.approx(gain, abs=5e-5)


def test_discounted_gain_looks_at_the_first_ten() -> None:
    retrieved = list("ABCDEFGHIJKL")
    assert discounted_gain(retrieved, ["J"]) == pytest.approx(1 / math.log2(11))
    assert discounted_gain(retrieved, ["K"]) == 0


def test_the_mean_is_the_arithmetic_one() -> None:
    assert mean([0.5, 1, 3]) == 1.5


@pytest.mark.parametrize("interval", [mean_interval, resampled])
def test_an_interval_is_the_same_every_time(interval: Interval) -> None:
    assert interval(COIN) == interval(COIN)


@pytest.mark.parametrize("interval", [mean_interval, resampled])
@pytest.mark.parametrize("values", [COIN, [1.0] + [0.0] * 99, [0.0, 1.0], list(range(17)), [0.25]])
def test_an_interval_contains_the_mean_and_stays_within_the_values(interval: Interval, values: list[float]) -> None:
    low, high = interval(values)
    assert min(values) <= low <= mean(values) <= high <= max(values)


@pytest.mark.parametrize("interval", [mean_interval, resampled])
def test_an_interval_holds_95_of_100_means(interval: Interval) -> None:
    low, high = interval(COIN)
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)


@pytest.mark.parametrize("interval", [mean_interval, resampled])
def test_an_interval_halves_with_four_times_the_questions(interval: Interval) -> None:
    (low, high), (closer_low, closer_high) = interval(COIN), interval(COIN * 4)
    assert (high - low) / (closer_high - closer_low) == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("interval", [mean_interval, resampled])
def test_an_interval_of_equal_values_has_no_width(interval: Interval) -> None:
    assert interval([0.5] * 40) == (0.5, 0.5)


def test_another_seed_draws_another_interval() -> None:
    values = [index / 101 for index in range(101)]
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)
    assert bootstrap_interval(values, mean, seed=1) != bootstrap_interval(values, mean, seed=2)


def test_any_measure_of_ranks_can_have_an_interval() -> None:
    ranks: list[Rank] = [1, 2, None, 1] * 10
    low, high = bootstrap_interval(ranks, lambda drawn: hit_rate(drawn, 1))
    assert low < hit_rate(ranks, 1) < high
    assert bootstrap_interval(ranks, len) == (40, 40)
