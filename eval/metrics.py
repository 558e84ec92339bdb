"""Measures as pure functions over ranks. A rank counts from 1; None means not found."""

import math
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy

Rank = int | None
Value = TypeVar("Value")
SEED = 0
"""Of every bootstrap, so that the same rows give the same interval."""


def first_relevant(retrieved: Sequence[str], relevant: Sequence[str]) -> Rank:
    """The rank of the first relevant entry in a ranking."""
    wanted = set(relevant)
    return next((rank for rank, entry in enumerate(retrieved, 1) if entry in wanted), None)


def hit_rate(ranks: Sequence[Rank], k: int) -> float:
    """hit@k: the share of questions with a relevant entry among the first k.

    hit@k = (questions whose first relevant rank is <= k) / questions; for one question the success at k of Manning,
    Raghavan and Schütze 2008, "Introduction to Information Retrieval", ch. 8.
    """
    return sum(rank is not None and rank <= k for rank in ranks) / len(ranks)


def mean_reciprocal_rank(ranks: Sequence[Rank], k: int = 10) -> float:
    """MRR@k = mean of 1 / rank, 0 where nothing relevant is among the first k (Voorhees 1999)."""
    return sum(1 / rank for rank in ranks if rank is not None and rank <= k) / len(ranks)


def recall(retrieved: Sequence[str], relevant: Sequence[str], k: int) -> float:
    """recall@k of one question: the share of its relevant entries among the first k.

    |first k and relevant| / |relevant| (Manning, Raghavan and Schütze 2008, "Introduction to Information Retrieval",
    ch. 8).
    """
    return len(set(retrieved[:k]) & set(relevant)) / len(set(relevant))


def discounted_gain(retrieved: Sequence[str], relevant: Sequence[str], k: int = 10) -> float:
    """nDCG@k of one question, with a gain of 1 for each relevant entry (Järvelin and Kekäläinen 2002).

    DCG = sum over ranks of gain / log2(rank + 1), divided by that of the best possible ranking.
    """
    wanted = set(relevant)
    gained = sum(1 / math.log2(rank + 1) for rank, entry in enumerate(retrieved[:k], 1) if entry in wanted)
    return gained / sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(wanted)) + 1))


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def mean_interval(values: Sequence[float], rounds: int = 1000, seed: int = SEED) -> tuple[float, float]:
    """The percentile bootstrap's 95% confidence interval of a mean (Efron and Tibshirani 1993)."""
    drawn = numpy.random.default_rng(seed).choice(numpy.asarray(values, dtype=float), (rounds, len(values)))
    low, high = numpy.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def bootstrap_interval(
    values: Sequence[Value], measure: Callable[[Sequence[Value]], float], rounds: int = 1000, seed: int = SEED
) -> tuple[float, float]:
    """The percentile bootstrap's 95% confidence interval of a measure (Efron and Tibshirani 1993)."""
    generator = random.Random(seed)  # noqa: S311
    found = sorted(measure(generator.choices(values, k=len(values))) for _ in range(rounds))
    return found[int(0.025 * rounds)], found[int(0.975 * rounds)]
