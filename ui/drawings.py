"""The map and the matrix of the library as Vega-Lite specifications, and the map's legend as HTML.

Colours: each has a contrast of at least 3 against the light and the dark page (WCAG 2.2, 1.4.11), and
topics differ in shape as well. Data stand in the specification, so a chart loads nothing.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy

from rag.types import Matrix
from rag.wiring import Library
from ui.atlas import Label, Place, main_topic
from ui.browse import DOCUMENTS, NO_TOPIC, Cell, Shelf, nearest, shelf_of, topic_label
from ui.escape import plain

Spec = dict[str, Any]
COLOURS = ("#3b7de0", "#d1651a", "#2f9150", "#c2459b", "#8d62d9", "#0e8f99", "#a07c10")
SHAPES = ("circle", "square", "triangle-up", "diamond")
SIGNS = {
    "circle": "circle(50%)",
    "square": "inset(5%)",
    "triangle-up": "polygon(50% 0, 100% 95%, 0 95%)",
    "diamond": "polygon(50% 0, 95% 50%, 50% 100%, 5% 50%)",
    "cross": "polygon(33% 0, 67% 0, 67% 33%, 100% 33%, 100% 67%, 67% 67%, 67% 100%, 33% 100%, 33% 67%, 0 67%, 0 33%,"
    " 33% 33%)",
}
"""Each shape as the outline that CSS cuts out of a coloured box: Streamlit takes SVG out of HTML."""
OTHER = ("#7d8590", "cross")
"""Documents, and entries without a topic."""
CELL = "#3b7de0"
POINT, POINT_FAINT = 90, 40
"""Areas of a point in square pixels: one that passes the filters, one that does not."""
MAP_HEIGHT = 560
PHONE, WIDE = 340, 900
"""How wide the map is on a phone and on a laptop, in pixels."""
LETTER, LINE, TOUCH = 6.8, 15, 6
"""Pixels: a letter of a topic's name, the name's height, and how near a point's midst lies when they touch."""
SIDEWAYS = numpy.arange(-0.1, 0.101, 0.02)
UP = numpy.arange(-48, 49, 4) / MAP_HEIGHT
"""How far a name may be moved from the midst of its points, in parts of the map's sides."""
ON_A_POINT, ON_A_NAME = 45, 450
"""A name is moved this many pixels to get off a point, or off another name."""
ROW_HEIGHT, HEADS = 21, 190
"""Pixels: a row of the matrix, and the names of the guides above all rows."""
STEEP = 60
"""Degrees of those names: as steep as can be read with ease, since a flat one is wider than a phone has room for."""
BESIDE = 20
"""Pixels left free at the right, because the room that Vega leaves for a slanted name ends just with it."""


def looks_of(topics: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and shape of each topic: all colours in one shape first, then in the next."""
    own = [topic for topic in topics if topic not in {DOCUMENTS, NO_TOPIC}]
    looks = {
        topic: (COLOURS[number % len(COLOURS)], SHAPES[number // len(COLOURS) % len(SHAPES)])
        for number, topic in enumerate(own)
    }
    return looks | {topic: OTHER for topic in topics if topic not in looks}


def main_topics(shelf: Shelf) -> dict[str, int]:
    """How many entries have each topic as their main one, in the order of topics."""
    found = [main_topic(entry) for entry in shelf.entries]
    return {topic: found.count(topic) for topic in (*shelf.topics, NO_TOPIC, DOCUMENTS) if topic in found}


def map_spec(
    shelf: Shelf, places: Sequence[Place], labels: Sequence[Label], shown: set[str], ink: str, paper: str
) -> Spec:
    """The map: a point an entry, whose click selects its `id` in the parameter `entry`.

    Args:
        shown: ids of the entries that pass the filters; the others are faint.
        ink: colour of text.
        paper: colour of the page, which keeps text apart from the points under it.
    """
    entry_of = {entry.id: entry for entry in shelf.entries}
    rows = [
        {
            "id": place.id,
            "title": entry_of[place.id].title,
            "topic": _named(main_topic(entry_of[place.id])),
            "guide": entry_of[place.id].guide,
            "x": place.x,
            "y": place.y,
            "shown": place.id in shown,
        }
        for place in sorted(places, key=lambda place: place.id in shown)
    ]
    looks = {_named(topic): look for topic, look in looks_of(list(main_topics(shelf))).items()}
    names = [{"name": topic_label(label.topic), "x": label.x, "y": label.y} for label in off_points(labels, places)]
    text = {"type": "text", "fontSize": 12, "fontWeight": 600, "clip": False}
    return {
        "height": MAP_HEIGHT,
        "config": {"view": {"stroke": None}, "axis": {"disable": True}},
        "encoding": {"x": _coordinate("x"), "y": _coordinate("y")},
        "layer": [
            {"data": {"values": rows}, "params": [_click("entry", ["id"])], **_points(looks, paper)},
            {
                "data": {"values": names},
                "mark": {**text, "stroke": paper, "strokeWidth": 3, "strokeJoin": "round", "tooltip": None},
                "encoding": {"text": {"field": "name"}},
            },
            {
                "data": {"values": names},
                "mark": {**text, "color": ink, "tooltip": None},
                "encoding": {"text": {"field": "name"}},
            },
        ],
    }


def off_points(labels: Sequence[Label], places: Sequence[Place]) -> list[Label]:
    """Each name moved off the points and off the names before it, as near to its own points as that lets it be.

    A point covered on a wide map counts for more than one covered on a phone, where names cover more of the width and
    not all of them can be clear. None is left out, and the same map gives the same places.
    """
    points = numpy.array([(place.x, place.y) for place in places], dtype=numpy.float32).reshape(-1, 2)
    across, up = (grid.ravel() for grid in numpy.meshgrid(SIDEWAYS, UP))
    moved: list[Label] = []
    for label in labels:
        half = _half_width(label)
        rim = min(half / PHONE, 0.5)
        x = numpy.clip(label.x + across, rim, 1 - rim)
        y = numpy.clip(label.y + up, 0, 1 - LINE / 2 / MAP_HEIGHT)
        tried = numpy.stack([x, y], axis=1).astype(numpy.float32)
        cost = numpy.hypot((x - label.x) * (PHONE + WIDE) / 2, (y - label.y) * MAP_HEIGHT)
        for width, weight in ((PHONE, 0.5), (WIDE, 1)):
            cost = cost + weight * ON_A_POINT * _within(tried, points, half + TOUCH, LINE / 2 + TOUCH, width)
            for other in moved:
                own = numpy.array([(other.x, other.y)], dtype=numpy.float32)
                cost = cost + ON_A_NAME * _within(tried, own, half + _half_width(other), LINE, width)
        best = int(numpy.argmin(cost))
        moved.append(Label(label.topic, round(float(x[best]), 4), round(float(y[best]), 4)))
    return moved


def _half_width(label: Label) -> float:
    """Half of what the name of a topic takes, in pixels."""
    return len(topic_label(label.topic)) * LETTER / 2


def _within(tried: Matrix, points: Matrix, across: float, up: float, width: int) -> Matrix:
    """How many points lie in the box around each place that is tried, shape (places,); the box's halves in pixels."""
    apart = abs(tried[:, None] - points[None])
    inside = (apart[:, :, 0] * width < across) & (apart[:, :, 1] * MAP_HEIGHT < up)
    counted: Matrix = inside.sum(axis=1).astype(numpy.float32)
    return counted


def _points(looks: Mapping[str, tuple[str, str]], paper: str) -> Spec:
    scales = {
        "color": {"domain": list(looks), "range": [colour for colour, _ in looks.values()]},
        "shape": {"domain": list(looks), "range": [shape for _, shape in looks.values()]},
    }
    return {
        "mark": {"type": "point", "filled": True, "cursor": "pointer", "stroke": paper, "strokeWidth": 0.7},
        "encoding": {
            "color": {"field": "topic", "type": "nominal", "scale": scales["color"], "legend": None},
            "shape": {"field": "topic", "type": "nominal", "scale": scales["shape"], "legend": None},
            "size": _by_shown(POINT, POINT_FAINT),
            "opacity": _by_shown(1, 0.15),
            "tooltip": [
                {"field": "id", "title": "Entry"},
                {"field": "title", "title": "Title"},
                {"field": "topic", "title": "Topic"},
                {"field": "guide", "title": "Guide"},
            ],
        },
    }


def legend_html(shelf: Shelf) -> str:
    """What colours and shapes mean, as a list; names of topics are escaped."""
    counts = main_topics(shelf)
    looks = looks_of(list(counts))
    items = "".join(
        '<li style="display:flex;align-items:center;gap:0.4rem"><span aria-hidden="true" style="width:0.8rem;'
        f'height:0.8rem;background:{looks[topic][0]};clip-path:{SIGNS[looks[topic][1]]}"></span>'
        f"{escape(_named(topic))} ({count})</li>"
        for topic, count in counts.items()
    )
    style = "list-style:none;display:flex;flex-wrap:wrap;gap:0.25rem 1rem;margin:0;padding:0;font-size:0.875rem"
    return f'<ul aria-label="Topics on the map" style="{style}">{items}</ul>'


def matrix_spec(shelf: Shelf, cells: Sequence[Cell], ink: str) -> Spec:
    """Topics by guides: a cell a count, whose click selects `topic` and `guide` in the parameter `cell`."""
    topics = list(dict.fromkeys(cell.topic for cell in cells))
    rows = [
        {"topic": cell.topic, "guide": cell.guide, "count": cell.count, "name": _named(cell.topic)} for cell in cells
    ]
    most = max((cell.count for cell in cells), default=1)
    # Flush labels would be pushed into the drawing at its ends, away from the first row and the last.
    label = {"labelColor": ink, "labelOverlap": False, "labelFontSize": 12, "labelFlush": False, "ticks": False}
    heads = {**label, "orient": "top", "labelAngle": -STEEP, "labelAlign": "left", "labelLimit": 210}
    names = {**label, "labelLimit": 130, "labelPadding": 6}
    return {
        "height": HEADS + ROW_HEIGHT * len(topics),
        "padding": {"right": BESIDE},
        "data": {"values": rows},
        "config": {"view": {"stroke": None}, "axis": {"domain": False, "title": None, "grid": False}},
        "encoding": {
            "x": _band("guide", _columns(shelf, cells), heads),
            "y": _band("name", [_named(topic) for topic in topics], names),
        },
        "layer": [
            {
                "mark": {"type": "rect", "cursor": "pointer", "color": CELL, "cornerRadius": 3},
                "params": [_click("cell", ["topic", "guide"])],
                "encoding": {
                    # No darker than this, so that the number keeps its contrast on light and dark pages.
                    "opacity": {
                        "field": "count",
                        "type": "quantitative",
                        "scale": {"domain": [0, most], "range": [0.08, 0.45]},
                        "legend": None,
                    },
                    "tooltip": [
                        {"field": "name", "title": "Topic"},
                        {"field": "guide", "title": "Guide"},
                        {"field": "count", "title": "Entries"},
                    ],
                },
            },
            {
                # Without a parameter or a tooltip of its own, the number lets the click through to its cell.
                "mark": {"type": "text", "color": ink, "fontSize": 13, "tooltip": None},
                "encoding": {"text": {"field": "count", "type": "quantitative"}},
            },
        ],
    }


def map_rows(library: Library, shown: set[str]) -> list[dict[str, str]]:
    """The map in words: each entry that passes the filters, its main topic, and the three nearest to it."""
    return [
        {
            "Entry": plain(f"{entry.id} {entry.title}"),
            "Main topic": plain(_named(main_topic(entry))),
            "Nearest": ", ".join(near.id for near in nearest(library, entry.id, 3)),
        }
        for entry in shelf_of(library).entries
        if entry.id in shown
    ]


def matrix_rows(shelf: Shelf, cells: Sequence[Cell]) -> list[dict[str, str]]:
    """The matrix in words: a row a topic, a column a guide; 0 where there is nothing."""
    counts = {(cell.topic, cell.guide): cell.count for cell in cells}
    return [
        {"Topic": plain(_named(topic))}
        | {plain(guide): str(counts.get((topic, guide), 0)) for guide in _columns(shelf, cells)}
        for topic in dict.fromkeys(cell.topic for cell in cells)
    ]


def _columns(shelf: Shelf, cells: Sequence[Cell]) -> list[str]:
    """The guides that have a cell, in the order of the shelf."""
    counted = {cell.guide for cell in cells}
    return [guide for guide in (*shelf.guides, DOCUMENTS) if guide in counted]


def _named(topic: str) -> str:
    return topic if topic == DOCUMENTS else topic_label(topic)


def _band(field: str, order: list[str], axis: Spec) -> Spec:
    return {"field": field, "type": "nominal", "sort": order, "axis": axis, "scale": {"paddingInner": 0.08}}


def _coordinate(field: str) -> Spec:
    return {"field": field, "type": "quantitative", "scale": {"domain": [0, 1], "nice": False}, "axis": None}


def _click(name: str, fields: list[str]) -> Spec:
    return {"name": name, "select": {"type": "point", "fields": fields, "toggle": False}}


def _by_shown(shown: float, faint: float) -> Spec:
    return {"condition": {"test": "datum.shown", "value": shown}, "value": faint}
