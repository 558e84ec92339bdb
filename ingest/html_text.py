"""HTML to Markdown: headings, lists, tables and code stay; what a browser would not show goes. Nothing is fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.limits import Refused

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

GONE = {"script", "style", "template", "head", "svg", "math", "iframe", "object", "canvas", "select", "datalist"}
HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0(?:\.0*)?\s*(?:;|!|$)"
    r"|font-size\s*:\s*(?:0|1px|0\.\d+\w*)\s*(?:\w+\s*)?(?:;|!|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}|(?<![\w-])color\s*:\s*transparent",
    re.IGNORECASE,
)
WHITE = re.compile(r"(?<![\w-])color\s*:\s*(?:white|#fff(?:fff)?|rgb\(\s*255\s*,\s*255\s*,\s*255\s*\))", re.IGNORECASE)
BLOCKS = {
    "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "ul", "ol", "dl", "dt", "dd", "table",
    "form", "fieldset", "figure", "figcaption", "blockquote", "details", "address", "hr", "body", "html",
}  # fmt: skip
OPEN = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>?")
VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    "p", "li", "dt", "dd", "tr", "td", "th", "option", "thead", "tbody", "tfoot",
}  # fmt: skip
"""Tags that have no end or may do without: they say nothing about depth."""


def html_to_markdown(html: str, depth: int) -> tuple[str, str, int]:
    """The Markdown, the title, and how many hidden pieces were left out.

    Raises:
        Refused: when elements are nested deeper than `depth`.
    """
    from selectolax.lexbor import LexborHTMLParser

    _check_nesting(html, depth)
    tree = LexborHTMLParser(html)
    title_node = tree.css_first("title")
    title = " ".join(title_node.text().split()) if title_node else ""
    writer = _Writer(depth)
    if tree.body is not None:
        writer.children(tree.body, 0)
    return writer.text(), title, writer.hidden + html.count("<!--")


def _check_nesting(html: str, depth: int) -> None:
    """The parser needs quadratic time for deep trees, so the plainly hostile ones never reach it."""
    level = 0
    for found in OPEN.finditer(html):
        closing, tag, rest = found.groups()
        if tag.lower() in VOID or rest.endswith("/"):
            continue
        level = max(0, level - 1) if closing else level + 1
        if level > depth * 10:
            raise Refused(f"its elements are nested deeper than {depth} levels")


class _Writer:
    """Collects Markdown while it walks the tree."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.hidden = 0
        self._parts: list[str] = []

    def text(self) -> str:
        lines = [line.rstrip() if line.strip() else "" for line in "".join(self._parts).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"

    def children(self, node: LexborNode, level: int) -> None:
        if level > self.depth:
            raise Refused(f"its elements are nested deeper than {self.depth} levels")
        child = node.child
        while child is not None:
            self._node(child, level)
            child = child.next

    def _node(self, node: LexborNode, level: int) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._parts.append(re.sub(r"\s+", " ", node.text_content or ""))
        elif tag in GONE or not tag[:1].isalpha():
            self.hidden += tag in {"script", "style", "template"}
        elif _is_hidden(node):
            self.hidden += 1
        elif re.fullmatch(r"h[1-6]", tag):
            self._parts.append(f"\n\n{'#' * int(tag[1])} {self._inline(node, level)}\n\n")
        elif tag == "pre":
            fence = "```"
            code = node.text().strip("\n")
            while fence in code:
                fence += "`"
            self._parts.append(f"\n\n{fence}\n{code}\n{fence}\n\n")
        elif tag == "table" and not node.css_first("table table, pre, ul, ol, h1, h2, h3, h4"):
            self._parts.append("\n\n" + self._table(node, level) + "\n\n")
        elif tag == "li":
            self._item(node, level)
        elif tag == "br":
            self._parts.append("\n")
        elif tag in {"code", "kbd", "samp", "strong", "b", "summary"}:
            self._marked(node, tag, level)
        elif tag == "img":
            self._parts.append((node.attributes.get("alt") or "") + " ")
        else:
            self._block(node, tag, level)

    def _block(self, node: LexborNode, tag: str, level: int) -> None:
        gap = "\n\n" if tag in BLOCKS else "\n" if tag == "tr" else " " if tag in {"td", "th"} else ""
        self._parts.append(gap)
        self.children(node, level + 1)
        self._parts.append(gap)

    def _marked(self, node: LexborNode, tag: str, level: int) -> None:
        text = self._inline(node, level)
        mark = "`" if tag in {"code", "kbd", "samp"} else "**"
        gap = "\n\n" if tag == "summary" else ""
        inside = text if mark in text or not text or (mark == "**" and "*" in text) else f"{mark}{text}{mark}"
        self._parts.append(gap + inside + gap)

    def _item(self, node: LexborNode, level: int) -> None:
        inner = self._inner(node, level)
        number, before = 1, node.prev
        while before is not None:
            number += before.tag == "li"
            before = before.prev if number < 1000 else None
        ordered = node.parent is not None and node.parent.tag == "ol"
        mark = f"{number}. " if ordered else "- "
        body = re.sub(r"\n{2,}", "\n", inner.strip()).replace("\n", "\n" + " " * len(mark))
        self._parts.append(f"\n{mark}{body}\n")

    def _table(self, node: LexborNode, level: int) -> str:
        rows: list[list[str]] = []
        for row in node.css("tr"):
            if not _is_hidden(row):
                cells = [cell for cell in row.css("td, th") if not _is_hidden(cell)]
                rows.append([self._inline(cell, level).replace("|", "\\|") for cell in cells])
        captions = [self._inline(caption, level) for caption in node.css("caption")]
        return "\n\n".join([*captions, markdown_table([row for row in rows if any(row)])])

    def _inner(self, node: LexborNode, level: int) -> str:
        writer = _Writer(self.depth)
        writer.children(node, level + 1)
        self.hidden += writer.hidden
        return "".join(writer._parts)

    def _inline(self, node: LexborNode, level: int) -> str:
        return " ".join(self._inner(node, level).split())


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    style = attributes.get("style") or ""
    white = bool(WHITE.search(style)) and "background" not in style.lower()
    return "hidden" in attributes or white or bool(HIDING.search(style)) or attributes.get("type") == "hidden"


def markdown_table(rows: list[list[str]]) -> str:
    """Rows of cells as a Markdown table, the first row its header."""
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * width}", *lines[1:]])
