"""Do two runs differ? Question by question, so that what both find easy or hard does not hide the difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from eval.metrics import SEED, mean

ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """How one measure changed from the first run to the second, over the `n` rows that have it in both.

    `low` and `high` bound the change in 95% of resamples; `p` is the probability of a change this large by chance.
    """

    measure: str
    n: int
    first: float
    second: float
    low: float
    high: float
    p: float

    @property
    def change(self) -> float:
        return self.second - self.first

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return not self.low <= 0 <= self.high


def paired_bootstrap(
    first: Sequence[float], second: Sequence[float], rounds: int = ROUNDS, seed: int = SEED
) -> tuple[float, float, float]:
    """The 95% interval of the mean of second - first, and the two-sided p value of no difference.

    Questions are drawn with replacement, both values of a question together (Efron and Tibshirani 1993, chapters 13
    and 16). The interval is the percentile one. For p the differences d are shifted to a mean of 0:
    p = (1 + number of rounds with |mean(d*) - mean(d)| >= |mean(d)|) / (rounds + 1).

    Returns:
        (low, high, p).
    """
    differences = numpy.asarray(second, dtype=float) - numpy.asarray(first, dtype=float)
    if not differences.any():
        return 0.0, 0.0, 1.0
    drawn = numpy.random.default_rng(seed).choice(differences, (rounds, len(differences))).mean(axis=1)
    low, high = numpy.percentile(drawn, [2.5, 97.5])
    middle = differences.mean()
    # Sums of the same values in another order differ in the last digits.
    as_large = numpy.abs(drawn - middle) >= abs(middle) - 1e-12
    return float(low), float(high), float((1 + as_large.sum()) / (rounds + 1))


def compare(first: dict[str, Any], second: dict[str, Any], measures: Sequence[str]) -> list[Difference]:
    """The difference of each measure that at least one row has in both runs, in the order given."""
    pairs = [(before, after) for before, after in matched(first, second)]
    found = []
    for measure in measures:
        values = [
            (before["measures"][measure], after["measures"][measure])
            for before, after in pairs
            if measure in before["measures"] and measure in after["measures"]
        ]
        if values:
            before, after = zip(*values, strict=True)
            low, high, p = paired_bootstrap(before, after)
            found.append(Difference(measure, len(values), mean(before), mean(after), low, high, p))
    return found


def matched(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows of the same question in both runs."""
    known = {(row["group"], row["id"]): row for row in first["rows"]}
    return [(known[key], row) for row in second["rows"] if (key := (row["group"], row["id"])) in known]
