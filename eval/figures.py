"""The plots of a report. Each takes numbers and gives a figure: a drawing, what to see in it, and its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from eval.answer_metrics import percentile
from eval.drawing import (
    WIDTH,
    Frame,
    bar,
    curve,
    dot,
    drawing,
    grid,
    key,
    line,
    log_ticks,
    names,
    stairs,
    text,
)
from eval.headline import Line, bound, interval, number, shown
from eval.markup import Child, Markup, element
from eval.reliability import Bin, Point

SMALL_WIDTH = 310
TENTHS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
STATES = ("scored", "nan", "failed", "timeout", "refused")
"""What became of the samples of a RAGAS metric."""
AGREEMENT = ("accuracy", "kappa", "false_pass", "false_fail")


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Child]]) -> Markup:
    """A table whose first column names its rows; it scrolls by itself when it is too wide."""
    top = element("tr", None, [element("th", {"scope": "col"}, name) for name in head])
    body = [
        element("tr", None, element("th", {"scope": "row"}, row[0]), [element("td", None, cell) for cell in row[1:]])
        for row in rows
    ]
    whole = element("table", None, element("caption", None, caption), element("thead", None, top),
                    element("tbody", None, body))  # fmt: skip
    return element("div", {"class": "scroll", "tabindex": 0, "role": "region", "aria-label": caption}, whole)


def ragas(metrics: Mapping[str, Mapping[str, Any]]) -> Markup:
    """RAGAS scores, with how many samples have one and why the others have none; a dash for what is not there."""
    rows: list[list[Child]] = [
        [name, *_measured(name, cell), *(str(cell.get(state, "–")) for state in STATES)]
        for name, cell in metrics.items()
    ]
    return table("RAGAS", ["metric", "value", "95% interval", *STATES], rows)


def judges(found: Sequence[Mapping[str, Any]]) -> Markup:
    """The agreement of each judge with the labels, and what it wrongly passes and fails."""
    rows: list[list[Child]] = [
        [*(str(row.get(name, "–")) for name in ("judge", "n", "failed")),
         *(" ".join(_measured(name, row.get(name))) for name in AGREEMENT)]
        for row in found
    ]  # fmt: skip
    head = ["judge", "n", "failed", *(name.replace("_", " ") for name in AGREEMENT)]
    return table("Agreement of judges with the labels", head, rows)


def _measured(name: str, cell: Any) -> tuple[str, str]:
    """A value and its interval, whatever the file holds."""
    value, low, high = (number(cell.get(side)) if isinstance(cell, dict) else None for side in ("value", "low", "high"))
    return shown(name, value), interval(Line(name, value, low, high, 0, None, "", None))


def figure(drawn: Markup, caption: Child, numbers: Markup) -> Markup:
    """A drawing with what it shows, and its numbers to unfold."""
    unfolded = element("details", None, element("summary", None, "Numbers"), numbers)
    told = element("figcaption", None, caption, unfolded)
    return element("figure", None, drawn, told)


def by_style(name: str, title: str, groups: Mapping[str, Mapping[str, Any]], low: float = 0.0) -> Markup:
    """One metric in each style, with its interval.

    Args:
        groups: a cell with value, low, high and n for each style.
        low: where the axis begins.
    """
    height = 42 + 30 * len(groups) + 48
    frame = Frame(132, 42, WIDTH - 62, height - 48, x=(low, 1.0), y=(0.0, 1.0))
    step = (1 - low) / 5
    marks: list[Child] = [grid(frame, [round(low + step * tick, 3) for tick in range(6)], [])]
    for place, (style, cell) in enumerate(groups.items()):
        y = 42 + 30 * place + 17.0
        value, below, above = (float(cell[part]) for part in ("value", "low", "high"))
        marks += [
            text(frame.left - 10, y + 4, f"{_short(style)} ({cell['n']})", "label", "end"),
            line((frame.across(below), y), (frame.across(above), y), "whisker"),
            dot((frame.across(value), y), "mark"),
            text(frame.right + 10, y + 4, shown(name, value), "value"),
        ]
    told = ", ".join(f"{style} {shown(name, cell['value'])}" for style, cell in groups.items())
    marks.append(text((frame.left + frame.right) / 2, frame.bottom + 36, "share, with 95% interval", "axis", "middle"))
    drawn = drawing(height, f"{title}, by style", f"Value by style: {told}.", text(0, 18, title, "head"), *marks)
    rows = [[style, cell["n"], *(shown(name, cell[part]) for part in ("value", "low", "high"))]
            for style, cell in groups.items()]  # fmt: skip
    numbers = table(f"{title}, by style", ["style", "n", "value", "low", "high"], rows)
    return figure(drawn, None, numbers)


def _short(name: str, letters: int = 12) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def reliability(found: Sequence[Bin], brier: float, error: float, border: float) -> Markup:
    """Predicted against observed, with how many questions there are in each bin."""
    frame = Frame(46, 40, WIDTH - 16, 300)
    most = max(item.n for item in found)
    counts = Frame(46, 352, WIDTH - 16, 412, y=(0.0, float(most)))
    dots: list[Child] = []
    for item in found:
        low, high = item.interval
        x = frame.across(item.predicted)
        dots += [line((x, frame.up(low)), (x, frame.up(high)), "whisker"), dot((x, frame.up(item.observed)), "mark")]
        left, right = counts.across(item.low), counts.across(item.high)
        top = counts.up(item.n)
        dots += [
            bar(left + 1.5, top, right - left - 3, counts.bottom - top, "bar"),
            text((left + right) / 2, top - 4, str(item.n), "tick", "middle"),
        ]
    drawn = drawing(
        462,
        "Reliability of the coverage probability",
        f"{len(found)} bins; Brier score {brier:.3f}, expected calibration error {error:.3f}. On the diagonal, "
        "as many questions are answerable as was predicted.",
        grid(frame, TENTHS, TENTHS),
        names(frame, "", "share that is answerable"),
        line(frame.at((0, 0)), frame.at((1, 1)), "ideal"),
        line(frame.at((border, 0)), frame.at((border, 1)), "border"),
        dots,
        text(frame.across(border) - 6, frame.top + 16, "refused below", "tick over", "end"),
        text(16, 338, "questions in the bin", "axis"),
        line((counts.left, counts.bottom), (counts.right, counts.bottom), "grid"),
        text((counts.left + counts.right) / 2, 436, "probability that the guides cover the question", "axis", "middle"),
    )
    rows: list[list[Child]] = [
        [f"{item.low:g} to {item.high:g}", item.n, f"{item.predicted:.3f}", f"{item.observed:.3f}",
         "{:.3f} to {:.3f}".format(*item.interval)]
        for item in found
    ]  # fmt: skip
    numbers = table("Bins of the coverage probability",
                    ["bin", "n", "mean predicted", "share answerable", "95% interval"], rows)  # fmt: skip
    caption = (
        f"Brier score {brier:.3f}, expected calibration error {error:.3f}. A dot on the dotted line means that the "
        "probability is right; whiskers are 95% Wilson intervals, wide where there are few questions."
    )
    return figure(drawn, caption, numbers)


def refusal_curves(curves: Mapping[str, Sequence[Point]], average: Mapping[str, float],
                   chosen: Mapping[str, Point]) -> Markup:  # fmt: skip
    """Precision against recall of refusing, one curve a kind of open question, with the border in use on each."""
    frame = Frame(46, 40, WIDTH - 16, 300)
    drawn_curves = [curve(frame, [(point.recall, point.precision) for point in points], f"curve-{number}")
                    for number, points in enumerate(curves.values(), 1)]  # fmt: skip
    dots = [dot(frame.at((point.recall, point.precision)), f"dot-{list(curves).index(name) + 1}", 6.0)
            for name, point in chosen.items()]  # fmt: skip
    told = "; ".join(
        f"{name}: recall {point.recall:.3f}, precision {point.precision:.3f}" for name, point in chosen.items()
    )
    legend = [(f"curve-{number}", f"{name}, average precision {average[name]:.3f}")
              for number, name in enumerate(curves, 1)]  # fmt: skip
    drawn = drawing(
        360 + 18 * len(legend),
        "Precision and recall of refusing",
        f"At the border in use, {told}.",
        grid(frame, TENTHS, TENTHS),
        names(frame, "recall: share of open questions refused", "precision: share of refusals that are right"),
        drawn_curves,
        dots,
        key(frame.left, 362, legend),
    )
    rows = [[name, f"{point.precision:.3f}", f"{point.recall:.3f}", f"{average[name]:.3f}"]
            for name, point in chosen.items()]  # fmt: skip
    numbers = table("Refusing at the border in use", ["against", "precision", "recall", "average precision"], rows)
    return figure(drawn, "Dots: the border in use. A lower border moves along the curve to the left.", numbers)


def latency(times: Mapping[str, Sequence[float]]) -> Markup:
    """The share of questions done within a time, one curve a kind of answer; milliseconds, logarithmic."""
    every = [max(value, 0.1) for values in times.values() for value in values]
    low, high = min(every) * 0.9, max(every) * 1.1
    frame = Frame(46, 40, WIDTH - 16, 300, x=(low, high), logarithmic=True)
    curves, legend = [], []
    rows: list[list[Child]] = []
    for place, (name, values) in enumerate(times.items(), 1):
        ranked = sorted(max(value, 0.1) for value in values)
        points = [(ranked[0], 0.0), *((value, at / len(ranked)) for at, value in enumerate(ranked, 1))]
        curves.append(curve(frame, stairs(points), f"curve-{place}"))
        middle, most = (percentile(values, share) for share in (0.5, 0.95))
        legend.append((f"curve-{place}", f"{name} ({len(ranked)}): half in {middle:,.0f} ms, 95% in {most:,.0f} ms"))
        rows.append([name, len(ranked), *(f"{value:,.0f}" for value in (middle, most, ranked[-1]))])
    drawn = drawing(
        360 + 18 * len(legend),
        "Time to the whole answer",
        "; ".join(words for _, words in legend) + ".",
        grid(frame, log_ticks(low, high), TENTHS, "{:,g}".format, "{:.0%}".format),
        names(frame, "milliseconds", "questions done within"),
        line(frame.at((low, 0.95)), frame.at((high, 0.95)), "border"),
        curves,
        key(frame.left, 362, legend),
    )
    numbers = table("Milliseconds to the whole answer", ["kind", "n", "p50", "p95", "slowest"], rows)
    return figure(drawn, "The dashed line is 95% of the questions.", numbers)


def history(title: Line, runs: Sequence[tuple[str, float | None, bool]], bounds: Mapping[str, float]) -> Markup:
    """One metric over the runs, oldest first, with its gate.

    Args:
        runs: for each run its date, its value, and whether it is the accepted baseline.
        bounds: the gate's `min` and `max`.
    """
    values = [value for _, value, _ in runs if value is not None] + list(bounds.values())
    least, most = min(values), max(values)
    room = (most - least) * 0.15 or max(abs(most) * 0.05, 0.01)
    frame = Frame(58, 38, SMALL_WIDTH - 58, 112, x=(0.0, max(len(runs) - 1.0, 1.0)), y=(least - room, most + room))
    points = [(float(place), value) for place, (_, value, _) in enumerate(runs) if value is not None]
    marks: list[Child] = [
        line((frame.left, frame.up(value)), (frame.right, frame.up(value)), "border") for value in bounds.values()
    ]
    marks += [
        text(frame.left - 8, frame.up(value) + 4, bound(title.name, value), "tick", "end") for value in bounds.values()
    ]
    marks.append(curve(frame, points, "curve-1"))
    for place, value in points:
        accepted = runs[int(place)][2]
        marks.append(dot(frame.at((place, value)), "ring" if accepted else "mark", 5.0 if accepted else 4.0))
    last = points[-1]
    marks.append(text(frame.across(last[0]) + 10, frame.up(last[1]) + 4, shown(title.name, last[1]), "value"))
    told = ", ".join(f"{date} {shown(title.name, value)}" for date, value, _ in runs)
    drawn = drawing(140, f"{title.title} over runs", f"{told}.", text(0, 18, title.title, "head"), *marks,
                    text(frame.left, 134, runs[0][0][:10], "tick"),
                    text(frame.right, 134, runs[-1][0][:10], "tick", "end"), width=SMALL_WIDTH)  # fmt: skip
    rows = [[date, shown(title.name, value), "accepted" if accepted else ""] for date, value, accepted in runs]
    return figure(drawn, None, table(f"{title.title} over runs", ["date", "value", ""], rows))
