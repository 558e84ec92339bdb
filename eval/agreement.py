"""How far a judge's verdicts agree with the labels: pure functions over (label, verdict) pairs.

Both are true for "supported". A judge is dangerous when it passes what is not supported, so that share comes apart.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.metrics import bootstrap_interval, mean

Pair = tuple[bool, bool]
"""The label, and what the judge says."""


def accuracy(pairs: Sequence[Pair]) -> float:
    """The share of items on which both agree."""
    return mean([label == verdict for label, verdict in pairs])


def cohen_kappa(pairs: Sequence[Pair]) -> float:
    """Agreement beyond chance: kappa = (p_o - p_e) / (1 - p_e) (Cohen 1960).

    p_o is the share of agreement, p_e what two raters with these shares of "supported" would reach by chance.
    1 is perfect, 0 is chance. Where chance alone agrees on everything nothing is shown, which counts as 0.
    """
    labels, verdicts = mean([label for label, _ in pairs]), mean([verdict for _, verdict in pairs])
    chance = labels * verdicts + (1 - labels) * (1 - verdicts)
    return 0.0 if chance == 1 else (accuracy(pairs) - chance) / (1 - chance)


def false_pass(pairs: Sequence[Pair]) -> float:
    """The share of unsupported items that the judge passes; 0 when there are none."""
    passed = [verdict for label, verdict in pairs if not label]
    return mean(passed) if passed else 0.0


def false_fail(pairs: Sequence[Pair]) -> float:
    """The share of supported items that the judge fails; 0 when there are none."""
    failed = [not verdict for label, verdict in pairs if label]
    return mean(failed) if failed else 0.0


MEASURES: Mapping[str, Callable[[Sequence[Pair]], float]] = {
    "accuracy": accuracy,
    "kappa": cohen_kappa,
    "false_pass": false_pass,
    "false_fail": false_fail,
}


def agreement(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Every measure with its 95% bootstrap interval over items, and how many items it rests on.

    Values are None when there is no pair at all.
    """
    rows: dict[str, Any] = {"n": len(pairs)}
    for name, measure in MEASURES.items():
        low, high = bootstrap_interval(pairs, measure) if pairs else (None, None)
        rows[name] = {"value": measure(pairs) if pairs else None, "low": low, "high": high}
    return rows


def right_by_kind(kinds: Sequence[str], pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """For each kind of item, how many there are and how many the judge gets right."""
    rows: dict[str, dict[str, int]] = {}
    for kind, (label, verdict) in zip(kinds, pairs, strict=True):
        row = rows.setdefault(kind, {"n": 0, "right": 0})
        row["n"] += 1
        row["right"] += label == verdict
    return dict(sorted(rows.items()))
