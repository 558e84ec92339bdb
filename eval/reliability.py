"""How far a probability can be believed, and what a border on it costs. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

BINS = 10
NORMAL = 1.959964
"""The 97.5% quantile of the normal distribution."""


@dataclass(frozen=True)
class Bin:
    """Questions whose probability lies between `low` and `high`: how many, their mean probability, the share true."""

    low: float
    high: float
    n: int
    predicted: float
    observed: float

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.observed, self.n)


@dataclass(frozen=True)
class Point:
    """One border: what is flagged at a score of at least `border`, as precision and recall."""

    border: float
    precision: float
    recall: float


def bins(probabilities: Sequence[float], truth: Sequence[bool], count: int = BINS) -> list[Bin]:
    """Equally wide bins from 0 to 1, those without a question left out (Murphy and Winkler 1977)."""
    held: dict[int, list[tuple[float, bool]]] = {}
    for probability, true in zip(probabilities, truth, strict=True):
        held.setdefault(min(int(probability * count), count - 1), []).append((probability, true))
    return [
        Bin(
            number / count,
            (number + 1) / count,
            len(pairs),
            sum(probability for probability, _ in pairs) / len(pairs),
            sum(true for _, true in pairs) / len(pairs),
        )
        for number, pairs in sorted(held.items())
    ]


def brier_score(probabilities: Sequence[float], truth: Sequence[bool]) -> float:
    """Mean of (probability - truth)², 0 at best (Brier 1950)."""
    return sum((p - t) ** 2 for p, t in zip(probabilities, truth, strict=True)) / len(truth)


def calibration_error(found: Sequence[Bin]) -> float:
    """Expected calibration error: mean over bins of |share true - mean probability|, weighted by questions.

    Naeini, Cooper and Hauskrecht 2015. It depends on the bins, and is 0 for a score that says the base
    rate of everything.
    """
    total = sum(item.n for item in found)
    return sum(item.n * abs(item.observed - item.predicted) for item in found) / total


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95% interval of a share of n (Wilson 1927); unlike share ± 2 s it holds with few of them and near 0 or 1."""
    spread = NORMAL**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = NORMAL * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def precision_recall(scores: Sequence[float], truth: Sequence[bool]) -> list[Point]:
    """Precision and recall at each border there can be, from the strictest; equal scores fall together.

    Args:
        scores: higher means rather flagged.
        truth: what should be flagged; at least one has to be.
    """
    ranked = sorted(zip(scores, truth, strict=True), key=lambda pair: -pair[0])
    wanted = sum(truth)
    flagged = right = 0
    points = []
    for score, same in groupby(ranked, key=lambda pair: pair[0]):
        here = [true for _, true in same]
        flagged += len(here)
        right += sum(here)
        points.append(Point(score, right / flagged, right / wanted))
    return points


def average_precision(points: Sequence[Point]) -> float:
    """Sum over borders of (recall gained) · precision: the area under the steps, nothing interpolated."""
    before = [0.0, *(point.recall for point in points)]
    return sum((point.recall - last) * point.precision for point, last in zip(points, before, strict=False))


def at_border(scores: Sequence[float], truth: Sequence[bool], border: float) -> Point | None:
    """Precision and recall of flagging every score above `border`; None when none is."""
    flagged = [true for score, true in zip(scores, truth, strict=True) if score > border]
    return Point(border, sum(flagged) / len(flagged), sum(flagged) / sum(truth)) if flagged else None
