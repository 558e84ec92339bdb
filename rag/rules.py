"""What a claim changes in its source's words: figures, negation, direction, strength, names, order.

A claim is compared with the sentences nearest to it. Every signal is a number by name; `broken` names
the rule that a claim breaks outright, the rest are weighed together in `rag.support`.
"""

import math
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations, pairwise

from rag.wording import HEDGE, SURE, UNITS, Figure, Text, Word, negates, opposites

Signals = dict[str, float]
FORMULA = re.compile(r"[\w.()]+(?: ?[/*+^=<>] ?[\w.()]+)+")
FAR = 20
"""Words further apart than this count as that far apart."""
MOST_FIGURES = 14
"""Figures of a source that are combined with each other, in search of a calculated one."""
VERBATIM = 0.5
"""The share of the claim's weight in the carrying sentence from which a reversed word is a contradiction."""


@dataclass(frozen=True)
class Compared:
    """A claim beside its source: the best sentence, those the claim draws on, and these with their neighbours."""

    claim: Text
    best: Text
    context: Sequence[Text]
    near: Sequence[Text]
    entry: Text


def signals(found: Compared, weight: Mapping[str, float]) -> Signals:
    """Every signal of a comparison; `weight` is the inverse document frequency of each stem in it."""
    return {
        **figure_signals(found),
        **polarity_signals(found),
        **strength_signals(found),
        **order_signals(found),
        **frame_signals(found, weight),
        **name_signals(found),
    }


def broken(values: Signals) -> str:
    """The rule that a claim breaks for sure; empty when it breaks none."""
    if values["figures_unfounded"]:
        return "a figure that is not in the source"
    if values["opposite"] and not values["negation_differs"] and values["recall"] > VERBATIM:
        return "a word turned into its opposite"
    return ""


def same(claimed: Figure, said: Figure) -> bool:
    """Whether two figures mean one value: `half`, `50%`, `0.5` and `five in ten` do."""
    one, other = claimed.value, said.value
    if _close(one, other, 1e-6):
        return True
    shares = "share" in (claimed.kind, said.kind)
    if (_close(one, 100 * other, 1e-6) or _close(100 * one, other, 1e-6)) and (shares or one < 1 or other < 1):
        return True
    if shares and _close(one, other, 0.012):
        return True
    return any(_close(one, part, 1e-6) for part in said.of) or any(_close(other, part, 1e-6) for part in claimed.of)


def related(claimed: Figure, said: Figure) -> bool:
    """Whether a figure may be another put differently: rounded, in another unit, its inverse or its rest."""
    one, other = claimed.value, said.value
    if any(_close(one, other * factor, 0.03) for factor in (1, 100, 0.01, 1e3, 1e-3, 1e6, 1e-6)):
        return True
    if one and other and (_close(one, 1 / other, 0.02) or _close(one, 100 / other, 0.02)):
        return True
    return any(0 < other < whole and _close(one, whole - other, 0.02) for whole in (1, 100))


def calculated(claimed: Figure, said: Iterable[Figure]) -> bool:
    """Whether a figure is a sum, difference, product or quotient of two of the source's."""
    for one, other in combinations([figure.value for figure in said][:MOST_FIGURES], 2):
        results = [one * other, abs(one - other), one + other]
        results += [one / other, other / one] if one and other else []
        if any(
            result and _close(claimed.value, factor * result, 0.01) for result in results for factor in (1, 100, 0.01)
        ):
            return True
    return False


def _close(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) <= tolerance * max(abs(one), abs(other), 1e-12)


def figure_signals(found: Compared) -> Signals:
    """Figures of the claim that its source does not have, and units exchanged."""
    said = [figure for text in found.near for figure in text.figures]
    claimed = found.claim.figures
    missing = [figure for figure in claimed if not any(same(figure, other) for other in said)]
    nowhere = [figure for figure in missing if not any(same(figure, other) for other in found.entry.figures)]
    unfounded = [f for f in nowhere if not any(related(f, other) for other in said) and not calculated(f, said)]
    unused = [figure for figure in found.best.figures if not any(same(other, figure) for other in claimed)]
    used = {UNITS[word.text] for word in found.claim.words if word.text in UNITS}
    given = {UNITS[word.text] for text in found.context for word in text.words if word.text in UNITS}
    dimensions = {dimension for dimension, _ in given}
    return {
        "figures": len(claimed),
        "figures_missing": len(missing),
        "figures_nowhere": len(nowhere),
        "figures_unfounded": len(unfounded),
        "figure_replaced": float(bool(missing and unused)),
        "figure_added": float(bool(nowhere and not unused)),
        "figures_kept": float(bool(claimed and not missing)),
        "units_changed": sum(unit not in given and unit[0] in dimensions for unit in used),
    }


def polarity_signals(found: Compared) -> Signals:
    """Negations added, dropped or moved, and words turned into their opposite."""
    context = [word for text in found.context for word in text.words]
    own = [word for word in found.claim.words if negates(word.text)]
    theirs = [word for word in found.best.words if negates(word.text)]
    denied: dict[str, set[bool]] = defaultdict(set)
    for word in context:
        if word.content:
            denied[word.stem].add(word.negated)
    stems = {word.stem for word in found.claim.words}
    said, nearest = {word.stem for word in context}, {word.stem for word in found.best.words}
    turned = Counter[str]()
    for word in found.claim.words:
        if word.stem and word.stem not in said:
            others = opposites().get(word.stem, set())
            if others & nearest:
                turned["opposite" if (others & nearest) - stems else "opposite_beside"] += 1
            elif others & said:
                turned["opposite_near"] += 1
    added = bool(own) and not any(negates(word.text) for word in context)
    dropped = bool(theirs) and not own
    return {
        "negation_added": float(added),
        "negation_dropped": float(dropped),
        "negations_apart": abs(len(own) - len(theirs)),
        "negation_differs": float(added or dropped),
        "negation_moved": sum(
            word.stem in denied and word.negated not in denied[word.stem] for word in found.claim.content
        ),
        "opposite": turned["opposite"],
        "opposite_beside": turned["opposite_beside"],
        "opposite_near": turned["opposite_near"],
        "turned_once": float((turned["opposite"] > 0) != (added or dropped)),
    }


def strength_signals(found: Compared) -> Signals:
    """Certainty that the source does not have, and caution that the claim drops."""
    said = frozenset[str]().union(*(text.spelled for text in found.context))
    sure = (found.claim.spelled & SURE) - said
    own, theirs = found.claim.spelled & HEDGE, found.best.spelled & HEDGE
    return {
        "sure": len(sure),
        "hedges_apart": len(theirs) - len(own),
        "hedges_dropped": 0 if own else len(theirs),
        "hedge_added": float(bool(own) and not theirs),
        "overclaim": float(bool(sure and theirs and not own)),
    }


def order_signals(found: Compared) -> Signals:
    """Whether shared words stand in the source's order, and together where it has them together.

    Moving a clause (`A, because B` to `since B, A`) never makes a run of three falling positions;
    exchanging two words or parts does: `falls` counts those runs.
    """
    places: dict[str, list[tuple[int, tuple[int, int]]]] = defaultdict(list)
    for number, text in enumerate(found.context):
        for word in text.words:
            if word.stem:
                places[word.stem].append((sum(map(len, places.values())), (number, word.clause)))
    shared = [w for w in found.claim.words if w.stem in places and (w.content or w.stem in opposites())]
    times = Counter(word.stem for word in found.claim.words)
    once = [places[w.stem][0][0] for w in shared if len(places[w.stem]) == 1]
    unique = [places[w.stem][0][0] for w in shared if len(places[w.stem]) == 1 and times[w.stem] == 1]
    falls = sum(
        sum(before > middle for before in unique[:i]) * sum(after < middle for after in unique[i + 1 :])
        for i, middle in enumerate(unique)
    )
    steps = [
        (min((q - p for p, _ in places[one.stem] for q, _ in places[two.stem]), key=abs), one.clause == two.clause)
        for one, two in pairwise(shared)
        if one.stem != two.stem
    ]
    together = [(a, b) for a, b in combinations(shared, 2) if a.clause == b.clause and a.stem != b.stem]
    parted = sum(not ({c for _, c in places[a.stem]} & {c for _, c in places[b.stem]}) for a, b in together)
    inside = [step for step, one_clause in steps if one_clause]
    triples = max(1.0, len(unique) * (len(unique) - 1) * (len(unique) - 2) / 6)
    return {
        "disorder": 1 - rising(once) / len(once) if len(once) > 2 else 0.0,
        "fall": rising([-place for place in unique]),
        "falls": math.log1p(falls),
        "falls_share": falls / triples if len(unique) > 4 else 0.0,
        "reversed": sum(step < 0 for step in inside) / (len(inside) + 1),
        "parted": parted,
        "parted_share": parted / (len(together) + 2),
        "distance": sum(min(abs(step), 12) for step, _ in steps) / len(steps) if steps else 0.0,
        "distance_most": max((min(abs(step), FAR) for step, _ in steps), default=0),
        "next_to": sum(abs(step) == 1 for step, _ in steps) / (len(steps) + 1),
        "passive": float(("by" in found.claim.spelled) != ("by" in found.best.spelled)),
    }


def rising(values: Sequence[int]) -> int:
    """The length of the longest strictly rising subsequence."""
    tails: list[int] = []
    for value in values:
        place = bisect_left(tails, value)
        tails[place : place + 1] = [value]
    return len(tails)


def frame_signals(found: Compared, weight: Mapping[str, float]) -> Signals:
    """How the claim differs from the best sentence laid beside it: kept, replaced, put in, left out."""
    own, theirs = ([word.stem or word.text for word in text.words] for text in (found.claim, found.best))
    matcher = SequenceMatcher(None, own, theirs, autojunk=False)
    count = Counter[str]()
    replaced = 0.0
    for step, start, end, other_start, other_end in matcher.get_opcodes():
        if step == "replace" and end - start <= 3 and other_end - other_start <= 3:
            count["replaced"] += 1
            replaced += sum(weight.get(word.stem, 0.0) for word in found.claim.words[start:end] if word.content)
        elif step == "insert":
            count["left_out"] += other_end - other_start
        else:
            count["kept" if step == "equal" else "put_in"] += end - start
    return {
        "kept": count["kept"] / max(1, len(own)),
        "alike": matcher.ratio(),
        "replaced": count["replaced"],
        "replaced_weight": replaced,
        "put_in": count["put_in"],
        "left_out": count["left_out"],
    }


def name_signals(found: Compared) -> Signals:
    """Names and formulas of the claim that its source does not have."""
    said = frozenset[str]().union(*(text.stems for text in found.context))
    named = [word for word in found.claim.words if word.named]
    written = _squashed(found.entry.raw)
    return {
        "names_nowhere": sum(not _stands(word, found.entry.stems) for word in named),
        "names_missing": sum(not _stands(word, said) for word in named),
        "formulas_missing": sum(
            _squashed(f[0]) not in written for f in FORMULA.finditer(found.claim.raw.replace("`", ""))
        ),
    }


def unsaid_signals(found: Compared, weigh: Callable[[str], float]) -> Signals:
    """How much of the claim's weight stands in its source, and what is left over: in all, in a row, at the end."""
    weight = {word.stem: weigh(word.stem) for word in found.claim.content}
    total = sum(weight.values()) + 1e-9
    source, near = (frozenset[str]().union(*(text.stems for text in texts)) for texts in (found.context, found.near))
    missing = sum(value for stem, value in weight.items() if stem not in source)
    nowhere = [value for stem, value in weight.items() if stem not in found.entry.stems]
    rows = [0.0]
    for word in found.claim.content:
        rows.append(0.0 if word.stem in source else rows[-1] + weight[word.stem])
    theirs = {word.stem: weigh(word.stem) for word in found.best.content}
    return {
        "recall": sum(value for stem, value in weight.items() if stem in found.best.stems) / total,
        "precision": sum(value for stem, value in theirs.items() if stem in weight) / (sum(theirs.values()) + 1e-9),
        "missing": missing,
        "missing_share": missing / total,
        "missing_near": sum(value for stem, value in weight.items() if stem not in near) / total,
        "nowhere": sum(nowhere),
        "nowhere_share": sum(nowhere) / total,
        **dict(
            zip(("nowhere_1", "nowhere_2", "nowhere_3"), sorted([*nowhere, 0.0, 0.0, 0.0], reverse=True), strict=False)
        ),
        "row": max(rows),
        "row_in_said": max(rows) * (1 - missing / total),
        "tail": rows[-1],
    }


def _stands(word: Word, said: frozenset[str]) -> bool:
    return word.text in said or (bool(word.stem) and word.stem in said)


def _squashed(text: str) -> str:
    return re.sub(r"[\s`()]", "", text)
