"""Measures as pure functions over ranks. A rank counts from 1; None means not found."""

import random
from collections.abc import Callable, Sequence

Rank = int | None


def first_relevant(retrieved: Sequence[str], relevant: Sequence[str]) -> Rank:
    """The rank of the first relevant entry in a ranking."""
    wanted = set(relevant)
    return next((rank for rank, entry in enumerate(retrieved, 1) if entry in wanted), None)


def hit_rate(ranks: Sequence[Rank], k: int) -> float:
    """hit@k: the share of questions with a relevant entry among the first k."""
    return sum(rank is not None and rank <= k for rank in ranks) / len(ranks)


def mean_reciprocal_rank(ranks: Sequence[Rank], k: int = 10) -> float:
    """MRR@k = mean of 1 / rank, 0 where nothing relevant is among the first k (Voorhees 1999)."""
    return sum(1 / rank for rank in ranks if rank is not None and rank <= k) / len(ranks)


def bootstrap_interval(
    ranks: Sequence[Rank], measure: Callable[[Sequence[Rank]], float], rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap's 95% confidence interval of a measure (Efron and Tibshirani 1993)."""
    generator = random.Random(seed)  # noqa: S311
    values = sorted(measure(generator.choices(ranks, k=len(ranks))) for _ in range(rounds))
    return values[int(0.025 * rounds)], values[int(0.975 * rounds)]
