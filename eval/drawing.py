"""Plots as inline SVG: a frame with axes, and marks in its units. Colours come from the page's style sheet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eval.markup import Child, Markup, element, joined

WIDTH = 420
"""Units across; close to the pixels a plot gets on a telephone, so that its letters stay readable there."""
Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Frame:
    """The inside of a plot, and how values become places in it.

    Args:
        left, top, right, bottom: its edges in units from the upper left corner of the drawing.
        x, y: the values at its edges, (left, right) and (bottom, top).
        logarithmic: whether x grows by factors.
    """

    left: float
    top: float
    right: float
    bottom: float
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    logarithmic: bool = False

    def across(self, value: float) -> float:
        low, high = self.x
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return self.left + _share(value, low, high) * (self.right - self.left)

    def up(self, value: float) -> float:
        return self.bottom - _share(value, *self.y) * (self.bottom - self.top)

    def at(self, point: Point) -> Point:
        return self.across(point[0]), self.up(point[1])


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, 0 to 1; values beyond them are drawn at the edge."""
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5


def drawing(height: float, title: str, description: str, *children: Child, width: int = WIDTH) -> Markup:
    """An SVG that a screen reader tells by its title and description."""
    name = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    attributes = {"viewBox": f"0 0 {width} {height:.0f}", "role": "img", "aria-labelledby": f"{name}-t {name}-d"}
    return element(
        "svg",
        attributes,
        element("title", {"id": f"{name}-t"}, title),
        element("desc", {"id": f"{name}-d"}, description),
        *children,
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> Markup:
    """Words whose baseline is at y."""
    return element("text", {"x": x, "y": y, "class": kind or None, "text-anchor": anchor}, words)


def line(start: Point, end: Point, kind: str) -> Markup:
    """A straight line."""
    return element("line", {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1], "class": kind})


def dot(place: Point, kind: str, radius: float = 4.5) -> Markup:
    """A filled circle."""
    return element("circle", {"cx": place[0], "cy": place[1], "r": radius, "class": kind})


def bar(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A filled rectangle with its upper left corner at (x, y)."""
    return element("rect", {"x": x, "y": y, "width": max(width, 0.0), "height": max(height, 0.0), "class": kind})


def curve(frame: Frame, points: Sequence[Point], kind: str) -> Markup:
    """Points joined by straight lines."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(frame.at, points))
    return element("polyline", {"points": places, "class": kind})


def stairs(points: Sequence[Point]) -> list[Point]:
    """The corners of a step curve: a value stays until the next point."""
    corners = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        corners += [(x, before), (x, y)]
    return corners


def grid(frame: Frame, across: Sequence[float], up: Sequence[float], label: Callable[[float], str] = "{:g}".format,
         label_up: Callable[[float], str] = "{:g}".format) -> Markup:  # fmt: skip
    """Grid lines with their values."""
    columns = [
        (line((frame.across(x), frame.top), (frame.across(x), frame.bottom), "grid"),
         text(frame.across(x), frame.bottom + 17, label(x), "tick", "middle"))
        for x in across
    ]  # fmt: skip
    rows = [
        (line((frame.left, frame.up(y)), (frame.right, frame.up(y)), "grid"),
         text(frame.left - 7, frame.up(y) + 4, label_up(y), "tick", "end"))
        for y in up
    ]  # fmt: skip
    return joined(*columns, *rows)


def names(frame: Frame, across: str, up: str) -> Markup:
    """What the axes mean: below the frame, and above its left edge, where no letter has to be turned."""
    return joined(
        text((frame.left + frame.right) / 2, frame.bottom + 36, across, "axis", "middle"),
        text(frame.left - 30, frame.top - 12, up, "axis"),
    )


def key(x: float, y: float, items: Sequence[tuple[str, str]]) -> Markup:
    """What each kind of line is, one below the other."""
    rows = [
        (line((x, y + 18 * row), (x + 26, y + 18 * row), kind), text(x + 33, y + 18 * row + 4, words, "tick"))
        for row, (kind, words) in enumerate(items)
    ]
    return joined(*rows)


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two values; only powers where that would be too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    fitting = [value for value in every if low <= value <= high]
    return fitting if len(fitting) <= 8 else [10.0**power for power in powers if low <= 10.0**power <= high]
