"""Learning rag/support.json: labelled pairs, decision trees over their signals, and the border between both sides."""

import json
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from eval.gold import FOLDER
from rag.keyword import terms
from rag.rules import Signals
from rag.support import SUPPORTED, SentenceSupport, decided, said
from rag.trees import DEPTH, FILE, learnt
from rag.wiring import Library

Part = Literal["calibrate", "held"]
Matrix = NDArray[numpy.float64]
EXTRA = 800
"""Pairs numbered above this were written for calibration only, by someone who had seen how the gate errs."""
FOLDS = 6
SEEDS = 2
STOP = 0.95
"""The share of unsupported claims that must be stopped; it decides before the supported ones are counted."""
TREES: dict[str, Any] = {
    "n_estimators": 300,
    "learning_rate": 0.05,
    "max_depth": 3,
    "subsample": 0.5,
    "max_features": 0.2,
}
TREES |= {"min_samples_leaf": 8, "init": "zero"}
ALWAYS = 1e9
"""A limit that no signal exceeds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim, the entry it cites, whether that entry says so, and what the entry says on the matter."""

    id: str
    claim: str
    entry: str
    supported: bool
    kind: str
    sentence: str


def pairs(path: Path = FOLDER / "support.jsonl") -> list[Pair]:
    """All labelled pairs."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Pair(row["id"], row["claim"], row["entry"], row["supported"], row["kind"], row["sentence"]) for row in rows]


def part_of(pair_id: str) -> Part:
    """Which part a pair belongs to, from its id alone."""
    held = int(pair_id[1:]) <= EXTRA and zlib.crc32(pair_id.encode()) % 3 == 0
    return "held" if held else "calibrate"


def fit(chosen: Sequence[Pair], found: Sequence[Signals], scores: Matrix, kept: dict[str, Any]) -> None:
    """Learns the trees and their border from the calibration part, and writes rag/support.json."""
    names = sorted(found[0])
    values, truth = matrix(found, names), numpy.array([pair.supported for pair in chosen])
    write(kept | {"signals": names, "border": border(chosen, found, scores), "trees": forest(values, truth)})


def frequencies(library: Library) -> dict[str, Any]:
    """How many of the guides' entries have each stem, as `{times: stems}`."""
    entries = [entry for entry in library.store.entries() if entry.origin == "guide"]
    counts = Counter(stem for entry in entries for stem in set(terms(said(entry))))
    by_times: dict[int, list[str]] = {}
    for stem in sorted(counts):
        by_times.setdefault(counts[stem], []).append(stem)
    return {"entries": len(entries), "entries_with": {str(n): " ".join(by_times[n]) for n in sorted(by_times)}}


def write(kept: dict[str, Any]) -> None:
    """Writes what was learnt, one tree a line."""
    trees = ",\n".join(json.dumps(tree, separators=(",", ":")) for tree in kept["trees"])
    rest = json.dumps({**kept, "trees": []}, ensure_ascii=False, indent=0)
    FILE.write_text(rest.replace('"trees": []', f'"trees": [\n{trees}\n]') + "\n", "utf-8")
    learnt.cache_clear()


def measured(checker: SentenceSupport, chosen: Sequence[Pair]) -> list[Signals]:
    """The signals of each pair."""
    return [checker.signals(pair.claim, pair.entry)[0] for pair in chosen]


def matrix(found: Sequence[Signals], names: Sequence[str]) -> Matrix:
    """One row a pair, one column a signal."""
    return numpy.array([[values[name] for name in names] for values in found], dtype=float)


def crossed(chosen: Sequence[Pair], found: Sequence[Signals]) -> Matrix:
    """The score of each pair by trees that knew no pair of its entry."""
    values, truth = matrix(found, sorted(found[0])), numpy.array([pair.supported for pair in chosen])
    order = sorted({pair.entry for pair in chosen})
    Random(0).shuffle(order)  # noqa: S311
    fold = {entry: number % FOLDS for number, entry in enumerate(order)}
    folds = numpy.array([fold[pair.entry] for pair in chosen])
    scores = numpy.zeros(len(truth))
    for number in range(FOLDS):
        for model in models(values[folds != number], truth[folds != number]):
            scores[folds == number] += model.decision_function(values[folds == number]) / SEEDS
    return scores


def models(values: Matrix, truth: NDArray[Any]) -> list[Any]:
    """Gradient-boosted trees (Friedman 2001), grown with several seeds to be averaged."""
    from sklearn.ensemble import GradientBoostingClassifier

    return [GradientBoostingClassifier(random_state=seed, **TREES).fit(values, truth) for seed in range(SEEDS)]


def forest(values: Matrix, truth: NDArray[Any]) -> list[dict[str, list[float]]]:
    """The trees as `rag.trees.Trees` reads them, each filled up to three questions."""
    grown = models(values, truth)
    shrink = TREES["learning_rate"] / SEEDS
    return [filled(tree.tree_, shrink) for model in grown for tree in model.estimators_[:, 0]]


def filled(tree: Any, shrink: float) -> dict[str, list[float]]:
    """One tree with all its questions; where it asks fewer, the rest lead the same way."""
    nodes = [0]
    asked: list[float] = []
    limits: list[float] = []
    for _ in range(2**DEPTH - 1):
        node = nodes[len(asked)]
        leaf = tree.children_left[node] < 0
        asked.append(0 if leaf else int(tree.feature[node]))
        limits.append(ALWAYS if leaf else float(f"{tree.threshold[node]:.5g}"))
        nodes += [node, node] if leaf else [int(tree.children_left[node]), int(tree.children_right[node])]
    return {
        "asked": asked,
        "limits": limits,
        "leaves": [round(shrink * float(tree.value[n].item()), 4) for n in nodes[2**DEPTH - 1 :]],
    }


def border(chosen: Sequence[Pair], found: Sequence[Signals], scores: Matrix) -> float:
    """The least score that stops enough of the bank's unsupported claims, together with the rules."""
    rows = [
        ruled_score(values, score)
        for pair, values, score in zip(chosen, found, scores, strict=True)
        if not pair.supported and int(pair.id[1:]) <= EXTRA
    ]
    return round(float(numpy.quantile(rows, STOP, method="higher")), 3)


def ruled_score(values: Signals, score: float) -> float:
    """The trees' score of a claim, above or below all others where a rule decides."""
    ruled = decided(values)
    return score if ruled is None else math.inf if ruled >= SUPPORTED else -math.inf
