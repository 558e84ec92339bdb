"""What the retrieval lab shows of a trace: tables, the chart of ranks, and what each stage does in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.markup import Markup
from rag.tutor import COVERED
from rag.types import Claim
from ui import charts
from ui.tables import Cell, Row, beside, table
from ui.trace import SPENT, Search, Trace, moved
from ui.watched import AGAIN, FUSED, MEANING, RERANKED, WORDS, Stage

SHOWN = 8
"""Entries of a list that are drawn."""
LEFT_SHOWN = 5
ROW, NAMES = 30, 60
"""Pixels: a rank of the chart, and the names of the stages below all ranks with what is left free around."""
COLUMN = 190
"""Pixels a list needs at the least."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a stage is named, what it does, and the score its list is ordered by."""

    title: str
    does: str
    score: str


STAGES = {
    MEANING: Told("By meaning", "Finds the texts whose numbers lie nearest to the question's, whatever their words.",
                  "dense"),
    WORDS: Told("By words", "Counts the question's own words in each entry (BM25); a rare word weighs more.",
                "keyword"),
    FUSED: Told("Both as one", "Adds the two scores; words count for as much of the question as they cover.", "score"),
    RERANKED: Told("Looked at again", "Compares all texts of the first 30: several near ones beat a single lucky one.",
                   "score"),
    AGAIN: Told("Read together", "A cross-encoder reads the question and each entry together.", "score"),
}  # fmt: skip
SCORES = {
    "cosine": "Cosine of its nearest text with the question",
    "dense": "The same and a tenth of its second-nearest text's: the order by meaning",
    "keyword": "BM25: the order by words",
    "coverage": "Share of the question's words it covers, rare ones counting more",
    "lexical": "What its words add: 0.15 × coverage² × BM25 ÷ the best BM25",
    "pooled": "Mean cosines of its nearest 1, 3 and 8 texts",
    "classified": "What is taken off because the question looks more like those of another entry",
    "score": "What the last list is ordered by",
}
TIMES = {
    "spelling": "Putting the spelling right",
    "embedding": "Turning the question into numbers",
    MEANING: "Searching by meaning",
    WORDS: "Searching by words",
    FUSED: "Making both lists one",
    "reranking": "Looking at the first again",
    "judging": "Judging whether the guides cover it",
    "writing": "Choosing or writing sentences",
    "checking": "Checking each sentence",
    "the rest": "Everything else",
}


def step(before: Stage | None, after: Stage, entry_id: str) -> str:
    """How an entry moved between two lists, in a few letters that need no colour."""
    if before is None:
        return ""
    places = moved(before, after, entry_id)
    if places is None:
        return "new"
    return f"▲ {places}" if places > 0 else f"▼ {-places}" if places < 0 else "="


def lists(trace: Trace, search: Search) -> Markup:
    """The lists of all stages, side by side."""
    parts = [(STAGES[stage.name].title, STAGES[stage.name].does, ranking(trace, search, stage.name))
             for stage in search.stages]  # fmt: skip
    return beside(parts, COLUMN)


def ranking(trace: Trace, search: Search, name: str) -> Markup:
    """One stage's list as a table: rank and entry, its move since the list before, its score."""
    stage = search.stage(name)
    before = _before(search, name)
    shown = stage.hits[:SHOWN]
    key = STAGES[name].score
    scores = [hit.scores.get(key, 0.0) for hit in shown]
    # Only the ends of a list differ visibly when bars start at 0, so they start below its last score.
    low, high = (min(scores) * 0.8, max(scores)) if scores else (0.0, 1.0)
    rows: list[Row] = []
    for hit, score in zip(shown, scores, strict=True):
        name_and_move = f"{hit.entry_id} {step(before, stage, hit.entry_id)}".strip()
        share = (score - low) / (high - low or 1.0)
        told = Cell(name_and_move, share, strong=hit.entry_id in trace.sent, note=trace.titles[hit.entry_id])
        rows.append([str(hit.rank), told, f"{score:.3f}" if score < 10 else f"{score:.1f}"])
    return table(f"{STAGES[name].title}, the first {len(rows)}", ["Rank", "Entry", "Score"], rows)


def _before(search: Search, name: str) -> Stage | None:
    """The list that a stage's moves are counted from: the search by meaning for the fused list."""
    earlier = {FUSED: MEANING, RERANKED: FUSED, AGAIN: RERANKED}.get(name)
    return search.stage(earlier) if earlier else None


def flow(trace: Trace, search: Search) -> dict[str, Any]:
    """A Vega-Lite chart: the rank of the entries that end among the first, stage by stage."""
    stages = [stage for stage in search.stages if stage.hits]
    titles = [STAGES[stage.name].title for stage in stages]
    chosen = [hit.entry_id for hit in stages[-1].hits[:SHOWN]] if stages else []
    points: list[dict[str, Any]] = [
        {"stage": title, "rank": heights[entry_id], "at": str(stage.rank(entry_id) or "not found"), "entry": entry_id,
         "title": trace.titles[entry_id], "end": entry_id if stage is stages[-1] else "",
         "sent": "yes" if entry_id in trace.sent else "no"}
        for stage, title in zip(stages, titles, strict=True)
        for heights in [_heights(stage, chosen)]
        for entry_id in chosen
    ]  # fmt: skip
    lowest = max((point["rank"] for point in points if point["rank"]), default=SHOWN)
    outside = f"datum.value > {SHOWN} ? 'lower' : datum.value"
    # Each name in two lines, its first word above the others: four of them stand beside each other on a phone.
    name = "[split(datum.label, ' ')[0], join(slice(split(datum.label, ' '), 1), ' ')]"
    x = {"field": "stage", "type": "ordinal", "sort": titles, "title": None, "scale": {"padding": 0.4},
         "axis": {"labelAngle": 0, "labelExpr": name, "labelOverlap": False, "grid": False}}  # fmt: skip
    y = {"field": "rank", "type": "quantitative", "title": None,
         "scale": {"reverse": True, "domain": [1, max(lowest, SHOWN)], "nice": False},
         "axis": {"values": list(range(1, min(lowest, SHOWN + 1) + 1)), "labelExpr": outside,
                  "grid": True}}  # fmt: skip
    colour = {"condition": {"test": "datum.sent == 'yes'", "value": charts.BLUE}, "value": charts.GREY}
    tooltip = [
        {"field": "entry", "title": "Entry"},
        {"field": "title", "title": "Title"},
        {"field": "at", "title": "Rank"},
    ]
    base = {"x": x, "y": y, "color": colour, "detail": {"field": "entry"}}
    return {
        "data": {"values": points},
        "height": ROW * max(lowest, SHOWN) + NAMES,
        # Right of the last point stands the entry's id, above and below the first and the last half a point.
        "padding": {"left": 5, "top": 8, "right": 62, "bottom": 8},
        "config": charts.LETTERS,
        "layer": [
            {"mark": {"type": "line", "interpolate": "monotone", "strokeWidth": 2}, "encoding": base},
            {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
             "encoding": {**base, "tooltip": tooltip}},
            {"mark": {"type": "text", "align": "left", "dx": 9, "fontSize": 12},
             "encoding": {"x": x, "y": y, "text": {"field": "end"}, "color": {"value": charts.INK}}},
        ],
    }  # fmt: skip


def _heights(stage: Stage, chosen: Sequence[str]) -> dict[str, int | None]:
    """Where each entry is drawn in a stage: at its rank; those after the first `SHOWN` one below the other.

    None for one that the stage did not find, which leaves a gap in its line.
    """
    ranks = {entry_id: stage.rank(entry_id) for entry_id in chosen}
    lower = sorted(rank for rank in ranks.values() if rank is not None and rank > SHOWN)
    return {
        entry_id: SHOWN + 1 + lower.index(rank) if rank is not None and rank > SHOWN else rank
        for entry_id, rank in ranks.items()
    }


def flow_told(trace: Trace, search: Search) -> str:
    """The chart in words, for those who do not see it."""
    stages = [stage for stage in search.stages if stage.hits]
    if not stages:
        return "No entry was found."
    told = []
    for hit in stages[-1].hits[:SHOWN]:
        ranks = [f"{STAGES[stage.name].title.lower()} {stage.rank(hit.entry_id) or 'not found'}" for stage in stages]
        told.append(f"{hit.entry_id}: {', '.join(ranks)}")
    return f"Rank of each entry by stage. {'; '.join(told)}."


def scores(search: Search, entry_id: str) -> Markup:
    """Every part of one entry's score, with what it means."""
    last = next((hit for stage in reversed(search.stages) for hit in stage.hits if hit.entry_id == entry_id), None)
    parts = last.scores if last else {}
    rows = [[name, f"{parts[name]:.3f}", told] for name, told in SCORES.items() if name in parts]
    rows += [[name, f"{value:.3f}", ""] for name, value in parts.items() if name not in SCORES]
    return table(f"Scores of {entry_id}", ["Part", "Value", "What it is"], rows)


def judged(search: Search) -> Markup:
    """The terms of the log-odds that the guides answer, and what they add up to."""
    rows: list[Row] = [
        [term.name, f"{term.value:.3f}", f"{term.weight:.2f}", f"{term.product:+.2f}"] for term in search.odds
    ]
    total = sum(term.product for term in search.odds)
    probability = Cell(f"{search.covered:.3f}", search.covered, strong=True, mark=COVERED)
    rows.append([Cell("Sum, and its probability 1 ÷ (1 + e^−sum)", strong=True), probability, "", f"{total:+.2f}"])
    return table("How the probability is made", ["Part", "Value", "Weight", "Value × weight"], rows, 480)


def sources(trace: Trace) -> Markup:
    """The entries that the answer could draw on, and how many of its sentences each carries."""
    cited = [source for claim in trace.answer.claims for source in claim.sources]
    rows: list[Row] = [
        [str(rank), Cell(entry_id, strong=True), trace.titles.get(entry_id, ""), str(cited.count(entry_id))]
        for rank, entry_id in enumerate(trace.sent, 1)
    ]
    return table("Sources sent", ["Rank", "Entry", "Title", "Sentences from it"], rows)


def claims(found: Sequence[Claim], name: str) -> Markup:
    """Sentences with the entries they cite and how far those support them."""
    rows: list[Row] = [
        [claim.text, ", ".join(claim.sources) or "none", Cell(f"{claim.support:.2f}", claim.support)] for claim in found
    ]
    return table(name, ["Sentence", "Cites", "Support"], rows)


def unsent(trace: Trace) -> Markup:
    """The next entries in the last list, which the answer could not draw on."""
    rows: list[Row] = [
        [str(hit.rank), Cell(hit.entry_id, strong=True), trace.titles[hit.entry_id], f"{hit.scores['score']:.3f}"]
        for hit in trace.unsent[:LEFT_SHOWN]
    ]
    return table("Found but not sent", ["Rank", "Entry", "Title", "Score"], rows)


def times(trace: Trace) -> Markup:
    """How long each stage took, as bars."""
    spent = trace.timings_ms
    total = sum(spent.values()) or 1.0
    longest = max(spent.values()) or 1.0
    rows: list[Row] = [
        [TIMES[name], Cell(f"{spent[name]:.1f} ms", spent[name] / longest), f"{spent[name] / total:.0%}"]
        for name in SPENT
    ]
    rows.append([Cell("Together", strong=True), Cell(f"{total:.1f} ms", strong=True), "100%"])
    return table("Time by stage", ["Stage", "Time", "Share"], rows)
