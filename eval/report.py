"""`tutor eval report`: a run as one HTML page that asks nothing of the network, without a script.

Everything that comes out of questions, documents and models goes through `eval.markup`, which escapes it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval import figures, history
from eval.bad_rows import examples_section
from eval.headline import (
    PAIRED,
    SAME,
    Line,
    Run,
    attack_kinds,
    changes,
    comparable,
    facts,
    interval,
    lines,
    missed,
    shown,
    verdict,
)
from eval.markup import Child, Markup, element, style_sheet
from eval.reliability import (
    at_border,
    average_precision,
    bins,
    brier_score,
    calibration_error,
    precision_recall,
)
from eval.suite import LATENCY, STATUSES
from eval.worst import with_questions
from rag.tutor import COVERED

STYLE = Path(__file__).with_name("report.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLED = ("hit@1", "cited_first", "citation_recall", "key_point_coverage")
FOLLOWED = ("hit@1", "refusal_recall", "refused_answerable", "cited_first", "supported_sentences", "consistency")
"""The metrics drawn over the runs when no gate names any."""
Fold = tuple[str, str, Child]
"""A section: its anchor, its heading, what is in it."""


def page(run: Run, base: Run | None, earlier: Sequence[Run], titles: Mapping[str, str], notes: Sequence[str]) -> str:
    """The whole page; with it what `eval/results` holds of RAGAS and of judges.

    Args:
        run: the run it is about.
        base: the accepted baseline.
        earlier: runs to draw the history from, in any order; those of another kind are left out.
        titles: the entries' titles, as far as they are known.
        notes: what is to be said at the top, such as files that could not be read.
    """
    run = {**run, "rows": with_questions(run)}
    folds: list[Fold] = [
        ("metrics", "Metrics, gates, baseline", metrics_section(run, base)),
        ("styles", "Quality by style", style_section(run)),
        ("confusion", "What was asked, and what the tutor said", confusion_section(run)),
        ("reliability", "Can the probability be believed?", reliability_section(run)),
        ("refusing", "Refusing", refusing_section(run)),
        ("latency", "Latency", latency_section(run)),
        ("judges", "RAGAS, and which judge to believe", judges_section()),
        ("history", "History", history_section(run, base, earlier)),
        ("worst", "Worst examples", examples_section(run["rows"], titles)),
        ("circumstances", "Circumstances", circumstances_section(run)),
    ]
    links = [element("li", None, element("a", {"href": f"#{anchor}"}, heading)) for anchor, heading, _ in folds]
    head = element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", None, f"Evaluation of {run['date']}"),
        style_sheet(STYLE.read_text("utf-8")),
    )
    body = element(
        "body",
        None,
        element(
            "header",
            None,
            element("h1", None, "Evaluation of the tutor"),
            element("p", {"class": "verdict bad" if missed(run) else "verdict"}, verdict(run)),
            [element("p", {"class": "note"}, note) for note in notes],
            pairs(facts(run, base)),
        ),
        element("nav", {"aria-label": "Sections"}, element("ul", None, links)),
        element("main", None, [element("section", {"aria-labelledby": anchor}, element("h2", {"id": anchor}, heading),
                                       content) for anchor, heading, content in folds]),
    )  # fmt: skip
    return f"<!doctype html>\n{element('html', {'lang': 'en'}, head, body)}\n"


def pairs(items: Sequence[tuple[str, str]]) -> Markup:
    """Names and values."""
    return element(
        "dl",
        None,
        [element("div", None, element("dt", None, name), element("dd", None, value)) for name, value in items],
    )


def said(words: Child) -> Markup:
    """A paragraph."""
    return element("p", None, words)


def metrics_section(run: Run, base: Run | None) -> list[Markup]:
    """The headline table."""
    moved = changes(run, base)
    rows = [_metric_row(line, moved.get(line.name, "")) for line in lines(run, base)]
    head = ["metric", "value", "gate", "95% interval", "n", "baseline", "difference"]
    parts = [figures.table("Every metric of the run", head, rows)]
    if unlike := comparable(run, base):
        parts.append(element("p", {"class": "note"}, unlike))
    if base is None:
        told: list[Child] = ["No baseline was accepted yet: ", element("code", None, "tutor eval accept FILE"),
                             " makes a run the baseline."]  # fmt: skip
    else:
        told = [PAIRED, " ", element("code", None, "tutor eval compare"), " prints differences with their intervals."]
    return [*parts, said(told)]


def _metric_row(line: Line, change: str) -> list[Child]:
    gate: Child = ""
    if line.passed is not None:
        word = "met" if line.passed else "missed"
        gate = element("span", {"class": f"gate {word}"}, f"{line.gate} {word}")
    known = change and change != SAME
    moved = element("span", {"class": None if known else "note"}, shown(line.name, line.difference, "+"),
                    f" {change}" if known else None)  # fmt: skip
    title: list[Child] = [line.title, " ", element("code", None, line.name)]
    return [title, shown(line.name, line.value), gate, interval(line), line.n, shown(line.name, line.base), moved]


def style_section(run: Run) -> list[Markup]:
    """A plot a metric, and the metrics of all other groups as a table."""
    styles = sorted({row["style"] for row in run["rows"] if row["group"] == "answerable"})
    titles = {line.name: line.title for line in lines(run, None)}
    drawn = []
    for name in STYLED:
        cells = {style: run["groups"].get(style, {}).get(name) for style in styles}
        held = {style: cell for style, cell in cells.items() if cell and cell.get("value") is not None}
        if held:
            least = min(cell["low"] for cell in held.values())
            drawn.append(figures.by_style(name, titles.get(name, name), held, 0.5 if least >= 0.5 else 0.0))
    rows = [
        [group, titles.get(name, name), shown(name, cell["value"]), shown(name, cell["low"]), shown(name, cell["high"]),
         cell["n"]]
        for group, cells in run["groups"].items() for name, cell in cells.items() if cell.get("value") is not None
    ]  # fmt: skip
    every = figures.table("Every metric of every group", ["group", "metric", "value", "low", "high", "n"], rows)
    return [
        said("Styles are ways of putting a question the guides answer; the number of questions stands behind each."),
        element("div", {"class": "plots"}, drawn),
        element("details", None, element("summary", None, "Every metric of every group"), every),
    ]


def confusion_section(run: Run) -> list[Markup]:
    """Kinds of questions against what became of them."""
    rows: list[list[Child]] = []
    right = {row["group"]: row["expected"] for row in run["rows"] if row.get("expected")}
    for group, counts in run["confusion"].items():
        total = sum(counts.values()) or 1
        cells = [_cell(counts.get(name, 0), total, right.get(group) == name) for name in STATUSES]
        rows.append([f"{group.replace('_', ' ')} ({sum(counts.values())})", *cells])
    head = ["question is", *(name.replace("_", " ") for name in STATUSES)]
    told = "Framed cells are right. Shares are of the row, and the stronger the colour, the larger the share."
    attacks = attack_kinds(run)
    parts = [figures.table("What was asked, and what the tutor said", head, rows), said(told)]
    return [*parts, said(attacks)] if attacks else parts


def _cell(count: int, total: int, right: bool) -> Markup:
    kind = f"share s{min(9, count * 10 // total)}" + (" right" if right else "")
    return element("span", {"class": kind}, f"{count} ({count / total:.0%})")


def _judged(run: Run) -> tuple[list[float], list[bool], list[str]]:
    """Probability, truth and group of the questions whose truth is known."""
    rows = [row for row in run["rows"] if row["group"] in {"answerable", "near_miss", "off_topic"}]
    return (
        [float(row["covered"]) for row in rows],
        [row["group"] == "answerable" for row in rows],
        [row["group"] for row in rows],
    )


def reliability_section(run: Run) -> list[Markup]:
    """The reliability diagram of the abstention score."""
    probabilities, truth, _ = _judged(run)
    if not probabilities:
        return [said("This run has no question whose answerability is known.")]
    found = bins(probabilities, truth)
    brier, error = brier_score(probabilities, truth), calibration_error(found)
    share = sum(truth) / len(truth)
    told = (
        f"The tutor refuses when the probability that the guides cover a question is under {COVERED}. Here it is "
        f"compared with the truth on {len(truth)} questions, {share:.0%} of them answerable. Among real questions the "
        "share is another one, and the same score would then be off by it: read the order, more than the level."
    )
    return [said(told), element("div", {"class": "beside"}, figures.reliability(found, brier, error, COVERED))]


def refusing_section(run: Run) -> list[Markup]:
    """Precision and recall of refusing, near misses apart."""
    probabilities, truth, groups = _judged(run)
    kinds = {"all open questions": {"near_miss", "off_topic"}, "near misses": {"near_miss"}}
    curves, average, chosen = {}, {}, {}
    for name, wanted in kinds.items():
        held = [(1 - p, not true) for p, true, group in zip(probabilities, truth, groups, strict=True)
                if true or group in wanted]  # fmt: skip
        scores, flags = [score for score, _ in held], [flag for _, flag in held]
        if any(flags):
            curves[name] = precision_recall(scores, flags)
            average[name] = average_precision(curves[name])
            if point := at_border(scores, flags, 1 - COVERED):
                chosen[name] = point
    if not curves:
        return [said("This run has no questions that the guides leave open.")]
    told = "A refusal is right when the guides leave the question open. Near misses are the hard ones among these."
    return [said(told), element("div", {"class": "beside"}, figures.refusal_curves(curves, average, chosen))]


def latency_section(run: Run) -> list[Markup]:
    """How long answers took, over the same questions as the metrics `latency_p50` and `latency_p95`."""
    times: dict[str, list[float]] = {}
    for row in run["rows"]:
        if LATENCY in row["measures"]:
            times.setdefault("answered", []).append(float(row["measures"][LATENCY]))
        elif row["status"] == "not_covered" and (total := row.get("timings_ms", {}).get("total")):
            times.setdefault("refused", []).append(float(total))
    if not times:
        return [said("This run holds no times.")]
    told = (
        "Questions are asked one after the other, on the machine named above; another machine has other times. "
        "Answered are the answerable questions that got an answer; refused is any question that was."
    )
    return [said(told), element("div", {"class": "beside"}, figures.latency(dict(sorted(times.items()))))]


def judges_section() -> list[Markup]:
    """What language models and labels say, from the files that `tutor eval ragas` and `tutor eval judge` wrote."""
    found, notes = history.others()
    parts = [element("p", {"class": "note"}, note) for note in notes]
    if ragas := found.get("ragas"):
        judge = ragas.get("judge")
        name = judge.get("name") if isinstance(judge, dict) else None
        by = f"judged by {name}" if name else "without a judge"
        told = f"RAGAS {by}: split {ragas.get('split')}, answers by {ragas.get('model')}, {ragas.get('date')}."
        parts += [said(told), figures.ragas(ragas["metrics"])]
    if judges := found.get("judges"):
        told = f"How far each judge agrees with the labels of its answers, {judges.get('date')}."
        parts += [said(told), figures.judges(judges["judges"])]
    nothing = "Nothing yet: `tutor eval ragas` and `tutor eval judge` write what is shown here."
    return parts or [said(nothing)]


def history_section(run: Run, base: Run | None, earlier: Sequence[Run]) -> list[Markup]:
    """Each gated metric over the runs of the same kind."""
    kind = ("split", "model", "limit")
    known = {item["date"]: item for item in [*earlier, *([base] if base else []), run]}
    same = [item for _, item in sorted(known.items()) if all(item.get(key) == run.get(key) for key in kind)]
    told = f"{len(same)} runs of split {run['split']} answered by {run['model']}. Ring: the baseline. Dashed: the gate."
    if len(same) < 2:
        return [said("No other run of the same split and model yet, so there is nothing to draw.")]
    gated = [line for line in lines(run, base) if line.gate]
    followed = gated or [line for line in lines(run, base) if line.name in FOLLOWED]
    drawn = []
    for line in followed:
        values = [(item["date"], item["metrics"].get(line.name, {}).get("value"), bool(base) and item is known.get(
            base["date"] if base else "")) for item in same]  # fmt: skip
        bounds = {key: bound for key, bound in run["metrics"][line.name].get("gate", {}).items() if key != "passed"}
        if any(value is not None for _, value, _ in values):
            drawn.append(figures.history(line, values, bounds))
    left_out = len(known) - len(same)
    other = f" {left_out} runs of another split, model or size are left out." if left_out else ""
    return [said(told + other), element("div", {"class": "plots small"}, drawn)]


def circumstances_section(run: Run) -> Markup:
    """Settings, weights and packages."""
    parts: list[tuple[str, Mapping[str, Any]]] = [
        (name, run[name]) for name in ("settings", "weights", "packages", "machine") if isinstance(run.get(name), dict)
    ]
    rows: list[list[Child]] = [
        [f"{part}: {name}", "" if value is None else str(value)]
        for part, values in parts
        for name, value in values.items()
    ]
    return figures.table("What the run was made with", ["name", "value"], rows)
