"""`python -m eval.support`: how many unsupported claims the gate stops, and how many supported ones it loses.

The pairs are claims as a language model writes them, each with one cited entry and a label. A claim is
stopped when it is not shown as written. What a supported one says is lost when it is neither shown as
written nor are all the sentences it restates shown in its place. 265 of the 1,212 pairs (22 %), a third of
those numbered up to 800, chosen by their ids, are held back: nothing is learnt or chosen on them. `--fit`
learns the trees of `rag/support.json` from the rest; the table shows the rest up to 800 by cross-validation
over entries, by rules and trees alone. The part held back is judged by all that the gate asks, a model of
entailment included where one is configured.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy

from eval.metrics import mean, mean_interval
from eval.support_trees import EXTRA, Pair, crossed, fit, frequencies, measured, pairs, part_of, ruled_score, write
from rag.cite import NEARNESS, OWN_SENTENCES, SENTENCES
from rag.errors import TutorError
from rag.support import SUPPORTED, SentenceSupport, decided
from rag.trees import FILE, learnt
from rag.wiring import Library
from ui.session import open_library, progress_bar, settings

Fate = Literal["as written", "in the guides' words", "in others of the guides' words", "left out"]
KEPT: set[Fate] = {"as written", "in the guides' words"}


def fate(checker: SentenceSupport, pair: Pair, written: bool) -> Fate:
    """What the gate makes of a claim, given whether it is shown as written."""
    if written:
        return "as written"
    nearness, sentences = checker.nearest(pair.claim, pair.entry)
    if nearness < NEARNESS:
        return "left out"
    own = " ".join(bare(sentence.text) for sentence in sentences[:OWN_SENTENCES])
    said = [bare(part) in own for part in SENTENCES.split(pair.sentence)]
    # A condensed claim needs all that it condenses; beside any other, a second sentence is only its surroundings.
    whole = all(said) if pair.kind == "condense" else any(said)
    return "in the guides' words" if whole else "in others of the guides' words"


def bare(text: str) -> str:
    """A text without its marks and case."""
    return " ".join(re.sub(r"[^\w%]+", " ", text.casefold()).split())


def table(chosen: Sequence[Pair], fates: Sequence[Fate]) -> dict[str, dict[str, Any]]:
    """For each kind, and for each side together: how many, the share lost or stopped, and every fate's count."""
    rows: dict[str, dict[str, Any]] = {}
    both = list(zip(chosen, fates, strict=True))
    for good, word in ((True, "lost"), (False, "stopped")):
        side = [(pair.kind, found) for pair, found in both if pair.supported is good]
        groups = {f"all {'' if good else 'un'}supported": [found for _, found in side]}
        groups |= {
            kind: [found for other, found in side if other == kind] for kind in dict.fromkeys(k for k, _ in side)
        }
        for name, found in groups.items():
            values = [each not in KEPT if good else each != "as written" for each in found]
            low, high = mean_interval(values)
            rows[name] = {"n": len(values), "what": word, "share": round(mean(values), 4)}
            rows[name] |= {"low": round(low, 4), "high": round(high, 4), "fates": dict(Counter(found))}
    return rows


def curve(chosen: Sequence[Pair], supports: Sequence[float]) -> list[dict[str, float]]:
    """The share of unsupported claims stopped at several thresholds, and of supported ones not shown as written."""
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
    checker = library.checker
    calibrate = [pair for pair in chosen if part_of(pair.id) == "calibrate"]
    found = measured(checker, calibrate)
    scores = crossed(calibrate, found)
    if anew:
        fit(calibrate, found, scores, kept)
    least = learnt().trees.border
    passed = [
        (pair, fate(checker, pair, ruled_score(values, score) > least))
        for pair, values, score in zip(calibrate, found, scores, strict=True)
        if int(pair.id[1:]) <= EXTRA
    ]
    held = [pair for pair in chosen if part_of(pair.id) == "held"]
    supports = [checker.support(pair.claim, pair.entry)[0] for pair in held]
    return {
        "calibrate": table([pair for pair, _ in passed], [found for _, found in passed]),
        "held": table(held, [fate(checker, p, value >= SUPPORTED) for p, value in zip(held, supports, strict=True)]),
        "curve": curve(held, supports),
    }


def corpus_check(library: Library, progress: Callable[[str, int, int], None]) -> dict[str, float]:
    """Every sentence of the guides as a claim: on its own entry, there by its signals alone, and on another entry."""
    checker = library.checker
    ids = [entry.id for entry in library.store.entries() if entry.origin == "guide"]
    own, by_signals, other = [], [], []
    for done, entry_id in enumerate(ids):
        progress("corpus", done, len(ids))
        for sentence in library.passages.sentences(entry_id)[0]:
            own.append(checker.support(sentence.text, entry_id)[0] >= SUPPORTED)
            values, _ = checker.signals(sentence.text, entry_id)
            ruled = decided(values)
            by_signals.append((learnt().trees.support(values) if ruled is None else ruled) >= SUPPORTED)
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
            fates = ", ".join(f"{count} {found}" for found, count in sorted(row["fates"].items()))
            lines.append(f"  {name:16} {row['n']:4}  {row['share']:6.1%} {row['what']:7} {interval:18} {fates}")
    lines += [
        f"  threshold {row['threshold']:.2f}: {row['stopped']:.1%} stopped, {row['lost']:.1%} not shown as written"
        for row in found["curve"]
    ]
    lines += [f"  {name}: {value:.4g}" for name, value in found.get("corpus", {}).items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
