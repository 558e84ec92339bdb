"""HTML and SVG as values: text is escaped because it is text, not because somebody remembered to.

A `Markup` can only be made by `element` and `joined`; every other string that is put into one is escaped.
"""

import html
import unicodedata
from collections.abc import Iterable, Mapping

VOID = {"meta", "link", "br", "hr", "img", "line", "rect", "circle", "path", "polyline"}
"""Elements that hold nothing."""


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]
Attributes = Mapping[str, str | int | float | bool | None]


def element(name: str, attributes: Attributes | None = None, *children: Child) -> Markup:
    """One element. Attributes that are None or False are left out, True ones have no value.

    Args:
        children: markup as it is, other text escaped, None left out, lists one after the other.
    """
    shown = "".join(_attribute(key, value) for key, value in (attributes or {}).items())
    if name in VOID and not children:
        return Markup(f"<{name}{shown} />")
    return Markup(f"<{name}{shown}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Children one after the other, without an element around them."""
    return Markup("".join(map(_child, children)))


def style_sheet(css: str) -> Markup:
    """A `style` element; its text must be the project's own, since CSS has no escaping."""
    if "<" in css:
        raise ValueError("A style sheet of ours holds no markup.")
    return Markup(f"<style>\n{css}</style>")


def visible(text: str) -> str:
    """Text without what no page may hold: control and direction characters, halves of characters."""
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in HIDDEN)


HIDDEN = {"Cc", "Cf", "Cs"}


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int):
        return html.escape(visible(str(child)), quote=False)
    return "".join(map(_child, child))


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {key}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {key}="{html.escape(visible(text))}"'
