"""`python -m eval.support`: how many unsupported claims the gate stops, and how many supported ones it loses.

The pairs are claims as a language model writes them, each with one cited entry and a label. A third of
them, chosen by their ids, is held back: nothing is learnt or chosen on it. `--fit` learns the trees of
`rag/support.json` from the rest; the table shows the rest by cross-validation over entries.
"""

import argparse
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from eval.gold import FOLDER
from eval.metrics import mean, mean_interval
from rag import support
from rag.errors import TutorError
from rag.keyword import terms
from rag.rules import Signals, broken
from rag.support import FILE, SUPPORTED, SentenceSupport, said
from rag.wiring import Library
from ui.session import open_library, progress_bar, settings

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
    """A claim, the entry it cites, and whether that entry says so."""

    id: str
    claim: str
    entry: str
    supported: bool
    kind: str


def pairs(path: Path = FOLDER / "support.jsonl") -> list[Pair]:
    """All labelled pairs."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Pair(row["id"], row["claim"], row["entry"], row["supported"], row["kind"]) for row in rows]


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
    support.learnt.cache_clear()


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
    """The trees as `rag.support.Trees` reads them, each filled up to three questions."""
    grown = models(values, truth)
    shrink = TREES["learning_rate"] / SEEDS
    return [filled(tree.tree_, shrink) for model in grown for tree in model.estimators_[:, 0]]


def filled(tree: Any, shrink: float) -> dict[str, list[float]]:
    """One tree with all its seven questions; where it asks fewer, the rest lead the same way."""
    nodes = [0]
    asked: list[float] = []
    limits: list[float] = []
    for _ in range(7):
        node = nodes[len(asked)]
        leaf = tree.children_left[node] < 0
        asked.append(0 if leaf else int(tree.feature[node]))
        limits.append(ALWAYS if leaf else float(f"{tree.threshold[node]:.5g}"))
        nodes += [node, node] if leaf else [int(tree.children_left[node]), int(tree.children_right[node])]
    return {
        "asked": asked,
        "limits": limits,
        "leaves": [round(shrink * float(tree.value[n].item()), 4) for n in nodes[7:]],
    }


def border(chosen: Sequence[Pair], found: Sequence[Signals], scores: Matrix) -> float:
    """The least score that stops enough of the bank's unsupported claims, those that a rule stops included."""
    rows = [
        -numpy.inf if broken(values) else score
        for pair, values, score in zip(chosen, found, scores, strict=True)
        if not pair.supported and int(pair.id[1:]) <= EXTRA
    ]
    return round(float(numpy.quantile(rows, STOP, method="higher")), 3)


def table(chosen: Sequence[Pair], shown: Sequence[bool]) -> dict[str, dict[str, Any]]:
    """For each kind, and for each side together: how many, and the share lost or stopped, with its interval."""
    rows: dict[str, dict[str, Any]] = {}
    for good, word in ((True, "lost"), (False, "stopped")):
        side = [(pair.kind, not passed) for pair, passed in zip(chosen, shown, strict=True) if pair.supported is good]
        groups = {"all supported" if good else "all unsupported": [kept for _, kept in side]}
        groups |= {kind: [kept for other, kept in side if other == kind] for kind in dict.fromkeys(k for k, _ in side)}
        for name, values in groups.items():
            low, high = mean_interval(values)
            rows[name] = {"n": len(values), "what": word, "share": round(mean(values), 4)}
            rows[name] |= {"low": round(low, 4), "high": round(high, 4)}
    return rows


def curve(chosen: Sequence[Pair], supports: Sequence[float]) -> list[dict[str, float]]:
    """Stopped against lost at several thresholds."""
    good = numpy.array([s for pair, s in zip(chosen, supports, strict=True) if pair.supported])
    bad = numpy.array([s for pair, s in zip(chosen, supports, strict=True) if not pair.supported])
    return [
        {"threshold": at, "stopped": round(float((bad < at).mean()), 3), "lost": round(float((good < at).mean()), 3)}
        for at in (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    ]


def judged(library: Library, chosen: Sequence[Pair], anew: bool) -> dict[str, Any]:
    """Both parts: the calibration part by cross-validation, the part held back by the gate as it is."""
    if anew:
        kept = frequencies(library)
        write({**json.loads(FILE.read_text("utf-8")), **kept})
    checker = SentenceSupport(library.embedder, library.passages)
    calibrate = [pair for pair in chosen if part_of(pair.id) == "calibrate"]
    found = measured(checker, calibrate)
    scores = crossed(calibrate, found)
    if anew:
        fit(calibrate, found, scores, kept)
    least = support.learnt().trees.border
    passed = [
        (pair, not broken(values) and bool(score > least))
        for pair, values, score in zip(calibrate, found, scores, strict=True)
        if int(pair.id[1:]) <= EXTRA
    ]
    held = [pair for pair in chosen if part_of(pair.id) == "held"]
    supports = [checker.support(pair.claim, pair.entry)[0] for pair in held]
    return {
        "calibrate": table([pair for pair, _ in passed], [shown for _, shown in passed]),
        "held": table(held, [value >= SUPPORTED for value in supports]),
        "curve": curve(held, supports),
    }


def corpus_check(library: Library, progress: Callable[[str, int, int], None]) -> dict[str, float]:
    """Every sentence of the guides as a claim: on its own entry, there by its signals alone, and on another entry."""
    checker = SentenceSupport(library.embedder, library.passages)
    ids = [entry.id for entry in library.store.entries() if entry.origin == "guide"]
    own, by_signals, other = [], [], []
    for done, entry_id in enumerate(ids):
        progress("corpus", done, len(ids))
        for sentence in library.passages.sentences(entry_id)[0]:
            own.append(checker.support(sentence.text, entry_id)[0] >= SUPPORTED)
            values, _ = checker.signals(sentence.text, entry_id)
            by_signals.append(not broken(values) and support.learnt().trees.support(values) >= SUPPORTED)
            wrong = Random(sentence.text).choice([name for name in ids if name != entry_id])  # noqa: S311
            other.append(checker.support(sentence.text, wrong)[0] < SUPPORTED)
    return {
        "sentences": len(own),
        "supported by their own entry": mean(own),
        "supported by their own entry, by signals alone": mean(by_signals),
        "stopped on another entry": mean(other),
    }


def main(arguments: Sequence[str]) -> int:
    """The door: 1 with a line of explanation when there is no usable index."""
    parser = argparse.ArgumentParser(prog="python -m eval.support")
    parser.add_argument("--fit", action="store_true", help="learn rag/support.json anew first")
    parser.add_argument("--corpus", action="store_true", help="also check every sentence of the guides (minutes)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args(arguments)
    try:
        with progress_bar() as progress:
            library, _ = open_library(settings(), progress)
            found = judged(library, pairs(), options.fit)
            if options.corpus:
                found["corpus"] = corpus_check(library, progress)
    except TutorError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


def show(found: dict[str, Any]) -> None:
    """Prints both tables, the curve, and the check of the corpus."""
    lines = []
    for part, title in (("calibrate", "Calibration part, cross-validated"), ("held", "Held back")):
        lines.append(title)
        for name, row in found[part].items():
            interval = f"({row['low']:.1%} to {row['high']:.1%})"
            lines.append(f"  {name:16} {row['n']:4}  {row['share']:6.1%} {row['what']} {interval}")
    lines += [
        f"  threshold {row['threshold']:.2f}: {row['stopped']:.1%} stopped, {row['lost']:.1%} lost"
        for row in found["curve"]
    ]
    lines += [f"  {name}: {value:.4g}" for name, value in found.get("corpus", {}).items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
