"""Tables with small bars as HTML, for pages that show numbers; every text in them is escaped.

A table is its own plot: screen readers read the number, eyes the bar. Colours are those of the page, so
that they hold in its light and its dark theme.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eval.markup import Markup, element, joined

BAR = "#4a86e8"
"""Contrast of at least 3 against both themes' backgrounds, as WCAG 2.2, 1.4.11 asks of graphics."""
LINE = "1px solid color-mix(in srgb, currentColor 22%, transparent)"
FAINT = "color-mix(in srgb, currentColor 9%, transparent)"
TABLE = "width:100%;border-collapse:collapse;font-size:0.9rem;"
CELL = f"text-align:left;vertical-align:top;padding:0.3rem 0.6rem 0.3rem 0;border:0;color:inherit;border-bottom:{LINE};"
# A long word of a document breaks anywhere, because it must not widen the page; ids and numbers never break.
LONG, SHORT = "overflow-wrap:anywhere;", "white-space:nowrap;"
SHORT_LETTERS = 16
BAR_WIDTH = "min-width:5.5rem;"
TRACK = f"position:relative;height:12px;background:linear-gradient({FAINT},{FAINT}) 0 3px/100% 6px no-repeat"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and a bar of that share (0..1) of the cell's width under it; `strong` is bold.

    `note` stands below the text, smaller. `low` and `high` (0..1) draw an interval on the bar, `mark` a tick across it.
    """

    text: str
    bar: float | None = None
    strong: bool = False
    low: float | None = None
    high: float | None = None
    mark: float | None = None
    note: str = ""


Row = list[Cell | str]
"""The cells of a row, plain texts among them."""


def table(name: str, headings: Sequence[str], rows: Sequence[Sequence[Cell | str]], wide: int = 0) -> Markup:
    """An HTML table; the first cell of each row is its heading.

    Args:
        name: what the table holds, for screen readers.
        wide: the width in pixels below which it scrolls sideways instead of shrinking.
    """
    style = f"{CELL}font-weight:600;overflow-wrap:break-word"
    head = element("tr", None, [element("th", {"scope": "col", "style": style}, text) for text in headings])
    body = [element("tr", None, [_cell(cell, first=not n) for n, cell in enumerate(row)]) for row in rows]
    least = f"min-width:{wide}px" if wide else ""
    whole = element(
        "table",
        {"aria-label": name, "style": TABLE + least},
        element("thead", None, head),
        element("tbody", None, body),
    )
    # What scrolls has to be reached with the keyboard, and then has to have a name.
    style = "overflow-x:auto"
    scrolls = {"style": style, "tabindex": "0", "role": "region", "aria-label": name} if wide else {"style": style}
    return element("div", scrolls, whole)


def beside(parts: Sequence[tuple[str, str, Markup]], least: int) -> Markup:
    """Parts with a heading of the third level and a sentence each, side by side where there is room.

    Args:
        parts: (heading, sentence, content) of each.
        least: the width in pixels below which a part moves to the next line.
    """
    shown = [
        element("section", {"style": "display:grid;grid-template-rows:subgrid;grid-row:span 3;align-content:start"},
                element("h3", {"style": "font-size:1.15rem;padding:0;margin:0"}, heading),
                element("p", {"style": "margin:0;font-size:0.9rem"}, sentence),
                content)
        for heading, sentence, content in parts
    ]  # fmt: skip
    grid = f"display:grid;grid-template-columns:repeat(auto-fit,minmax({least}px,1fr));gap:0.5rem 1.5rem"
    return element("div", {"style": grid}, shown)


def changed(pieces: Sequence[tuple[str, str]]) -> Markup:
    """A text in which what was put right is struck out and followed by what was meant."""
    shown = [
        new
        if old == new
        else joined(element("del", None, old), " ", element("ins", None, element("strong", None, new)))
        for old, new in pieces
    ]
    return element("p", {"style": "font-size:1.05rem;margin:0;overflow-wrap:anywhere"}, shown)


def _cell(cell: Cell | str, *, first: bool) -> Markup:
    item = Cell(cell) if isinstance(cell, str) else cell
    breaks = SHORT if len(item.text) <= SHORT_LETTERS and not item.note else LONG
    wide = "" if item.bar is None else BAR_WIDTH
    style = {"style": f"{CELL}{breaks}{wide}font-weight:{600 if item.strong else 400}"}
    inside = [
        item.text,
        element("div", {"style": "font-weight:400;font-size:0.85em"}, item.note) if item.note else None,
        None if item.bar is None else _bar(item),
    ]
    return element("th", {"scope": "row", **style}, inside) if first else element("td", style, inside)


def _bar(item: Cell) -> Markup:
    """The bar under a cell's text, with its interval and its mark; nothing for a reader who hears the number."""
    parts = [_box(0, item.bar or 0, f"background:{BAR};height:6px;top:3px")]
    if item.low is not None and item.high is not None:
        parts.append(_box(item.low, item.high, "border-top:2px solid currentColor;top:5px"))
    if item.mark is not None:
        parts.append(_box(item.mark, item.mark, "border-left:3px solid currentColor;height:12px;top:0"))
    return element("div", {"aria-hidden": "true", "style": TRACK}, parts)


def _box(start: float, end: float, style: str) -> Markup:
    start, end = (100 * min(1.0, max(0.0, value)) for value in (start, end))
    return element("div", {"style": f"position:absolute;left:{start:.1f}%;width:{end - start:.1f}%;{style}"})
