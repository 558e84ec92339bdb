"""The plots of the quality page as Vega-Lite specifications.

The data stand in the specification, so a plot loads nothing. The colours have a contrast of at least 3 against the
light and the dark page (WCAG 2.2, 1.4.11), and nothing is told by colour alone.
"""

from collections.abc import Sequence
from typing import Any

from ui.results import Point, Reliability, day

Spec = dict[str, Any]
BLUE, GREY, ORANGE = "#4a86e8", "#7d8590", "#d1651a"
INK = "currentColor"
"""The page's own colour of letters, light or dark: Streamlit's grey for charts is too faint to read."""
LETTERS = {
    "axis": {"labelColor": INK, "titleColor": INK, "labelFontSize": 13, "titleFontSize": 13, "labelFlush": False}
}
ROW, AXIS = 34, 70
"""Pixels that a row of dots takes, and the axis below them with its title."""


def dots(points: Sequence[Point], heading: str) -> Spec:
    """A row a point: a dot, its 95% interval as a line, its gate as a tick. Shares from 0 to 1."""
    rows = [{"name": item.name, "value": item.value, "low": item.low, "high": item.high, "n": item.n, "gate": item.gate}
            for item in points]  # fmt: skip
    y = {"field": "name", "type": "nominal", "sort": [item.name for item in points], "title": None,
         "axis": {"labelLimit": 170, "ticks": False, "domain": False}}  # fmt: skip
    x = {"field": "value", "type": "quantitative", "title": heading, "scale": {"domain": [_lowest(points), 1]},
         "axis": {"format": ".2~f", "tickCount": 5}}  # fmt: skip
    tooltip = [
        {"field": "name", "title": "Questions"},
        *(
            {"field": name, "title": told, "format": ".3f"}
            for name, told in (("value", heading), ("low", "From"), ("high", "To"), ("gate", "Gate"))
        ),
        {"field": "n", "title": "N"},
    ]
    interval = {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    return {
        "data": {"values": rows},
        "height": ROW * len(points) + AXIS,
        "config": LETTERS,
        "layer": [
            {"mark": {"type": "rule", "strokeWidth": 2, "color": GREY}, "encoding": interval},
            {"mark": {"type": "tick", "thickness": 3, "size": 22, "color": ORANGE},
             "transform": [{"filter": "isValid(datum.gate)"}], "encoding": {"y": y, "x": {**x, "field": "gate"}}},
            {"mark": {"type": "point", "filled": True, "size": 110, "opacity": 1, "color": BLUE},
             "encoding": {"y": y, "x": x, "tooltip": tooltip}},
        ],
    }  # fmt: skip


def _lowest(points: Sequence[Point]) -> float:
    """Where the axis begins: at 0, or at 0.5 when everything lies above."""
    ends = [value for item in points for value in (item.low, item.value, item.gate) if value is not None]
    return 0.5 if ends and min(ends) >= 0.55 else 0.0


def dots_told(points: Sequence[Point], heading: str) -> str:
    """The same in words."""
    told = [f"{item.name} {item.value:.3f}, interval {item.low:.2f} to {item.high:.2f}" for item in points]
    return f"{heading}: {'; '.join(told)}."


def reliability(found: Reliability) -> Spec:
    """What happened against what was told: on the diagonal the probability can be taken at its word."""
    rows = [{"told": item.predicted, "true": item.observed, "low": item.interval[0], "high": item.interval[1],
             "n": item.n} for item in found.bins]  # fmt: skip
    whole = {"scale": {"domain": [0, 1]}, "axis": {"values": [0, 0.2, 0.4, 0.6, 0.8, 1], "format": ".1f"}}
    x = {"field": "told", "type": "quantitative", "title": "Probability the tutor gave", **whole}
    y = {"field": "true", "type": "quantitative", "title": "Share that the guides answer", **whole}
    tooltip = [
        {"field": "told", "title": "Mean probability", "format": ".3f"},
        {"field": "true", "title": "Share answered by the guides", "format": ".3f"},
        {"field": "n", "title": "N"},
    ]
    size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [60, 500]}}
    diagonal = {"values": [{"told": 0, "true": 0}, {"told": 1, "true": 1}]}
    return {
        "height": 320,
        "config": LETTERS,
        "layer": [
            {"data": diagonal, "mark": {"type": "line", "strokeDash": [5, 5], "color": GREY, "strokeWidth": 2},
             "encoding": {"x": x, "y": y}},
            {"data": {"values": rows}, "mark": {"type": "rule", "color": GREY, "strokeWidth": 2},
             "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
            {"data": {"values": rows}, "mark": {"type": "point", "filled": True, "opacity": 1, "color": BLUE},
             "encoding": {"x": x, "y": y, "size": size, "tooltip": tooltip}},
        ],
    }  # fmt: skip


def reliability_told(found: Reliability) -> str:
    """The same in words."""
    told = [f"at {item.predicted:.2f} the guides answered {item.observed:.2f} of {item.n}" for item in found.bins]
    return f"Reliability: {'; '.join(told)}."


def over_time(points: Sequence[Point], heading: str) -> Spec:
    """A metric run by run, with its interval."""
    rows = [{"date": item.name, "told": day(item.name), "value": item.value, "low": item.low, "high": item.high}
            for item in points]  # fmt: skip
    x = {"field": "date", "type": "temporal", "title": None, "scale": {"padding": 20},
         "axis": {"format": "%-d %b %Y", "tickCount": {"interval": "day", "step": 1},
                  "labelOverlap": "greedy"}}  # fmt: skip
    y = {"field": "value", "type": "quantitative", "title": heading, "scale": {"zero": False}}
    tooltip = [{"field": "told", "title": "Run"}, {"field": "value", "title": heading, "format": ".3f"}]
    return {
        "data": {"values": rows},
        "height": 260,
        "config": LETTERS,
        "layer": [
            {"mark": {"type": "rule", "color": GREY, "strokeWidth": 2},
             "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "color": BLUE, "strokeWidth": 2}, "encoding": {"x": x, "y": y}},
            {"mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": BLUE},
             "encoding": {"x": x, "y": y, "tooltip": tooltip}},
        ],
    }  # fmt: skip
