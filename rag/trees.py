"""What was learnt about claims and their sources: decision trees over signals, and how much each word counts.

`python -m eval.support --fit` learns both from eval/gold/support.jsonl and keeps them in support.json.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from rag.rules import Signals

FILE = Path(__file__).with_name("support.json")
DEPTH = 4


@dataclass(frozen=True)
class Trees:
    """Decision trees of four questions in a row each, and the signals they ask about.

    Question n leads to question 2n + 1 when the signal is at most the limit and to 2n + 2 when it is
    above, counted from 0. The arrays have the shapes (trees, 15), (trees, 15) and (trees, 16).
    """

    names: tuple[str, ...]
    asked: NDArray[numpy.int64]
    limits: NDArray[numpy.float64]
    leaves: NDArray[numpy.float64]
    border: float

    def support(self, values: Signals) -> float:
        """From 0 to 1, 0.5 at the border chosen when the trees were learnt."""
        return 1 / (1 + math.exp(self.border - self.score(values)))

    def score(self, values: Signals) -> float:
        """The sum of the leaves reached."""
        row = numpy.array([values[name] for name in self.names])
        rows = numpy.arange(len(self.asked))
        place = numpy.zeros(len(rows), dtype=numpy.int64)
        for _ in range(DEPTH):
            place = 2 * place + 1 + (row[self.asked[rows, place]] > self.limits[rows, place])
        return float(self.leaves[rows, place - self.asked.shape[1]].sum())


@dataclass(frozen=True)
class Learnt:
    """What support.json holds: the trees, and how much each stem of the corpus counts."""

    trees: Trees
    weights: Mapping[str, float]
    unknown: float

    def weigh(self, stem: str) -> float:
        """How much a stem counts: the rarer the more, most when the corpus does not have it."""
        return self.weights.get(stem, self.unknown)


@lru_cache(maxsize=1)
def learnt() -> Learnt:
    """Reads support.json, once."""
    kept: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    trees = kept["trees"]
    forest = Trees(
        tuple(kept["signals"]),
        numpy.array([tree["asked"] for tree in trees]),
        numpy.array([tree["limits"] for tree in trees]),
        numpy.array([tree["leaves"] for tree in trees]),
        kept["border"],
    )
    times = {stem: int(count) for count, stems in kept["entries_with"].items() for stem in stems.split()}
    weights = {stem: rarity_weight(count, kept["entries"]) for stem, count in times.items()}
    return Learnt(forest, weights, rarity_weight(0, kept["entries"]))


def rarity_weight(times: int, entries: int) -> float:
    """ln((entries + 1) / (times + 0.5)): what a stem counts that stands in so many of the entries."""
    return math.log((entries + 1) / (times + 0.5))
