"""Word files to Markdown: headings, lists, tables and code stay; hidden and deleted text goes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ingest.html_text import markdown_table
from ingest.limits import Limits, Refused, size

if TYPE_CHECKING:
    from docx.document import Document

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
RATIO = 200
"""A text that packs better than this is no text."""


def docx_to_markdown(data: bytes, limits: Limits) -> tuple[str, str, int]:
    """The Markdown, the title, and how many hidden runs were left out.

    Raises:
        Refused: when the file is damaged, protected or inflates beyond the limits.
    """
    import docx

    check_zip(data, limits)
    try:
        document = docx.Document(io.BytesIO(data))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever a broken file makes the library raise
        raise Refused(f"it is not a readable Word file ({type(error).__name__})") from None
    writer = _Writer(document, limits.depth)
    lines = list(writer.blocks(document.element.body, 0))
    title = (document.core_properties.title or "").strip()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n", title, writer.hidden


def check_zip(data: bytes, limits: Limits) -> None:
    """Refuses what would inflate too far, before anything is inflated."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused("it is protected by a password or in the old .doc format")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = {member.filename for member in members}
            inflated = sum(member.file_size for member in members)
            encrypted = any(member.flag_bits & 1 for member in members)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise Refused("it is not a Word file, although its name says so") from None
    if encrypted:
        raise Refused("it is protected by a password")
    if inflated > limits.inflated_bytes:
        raise Refused(f"it inflates to {size(inflated)}; the limit is {size(limits.inflated_bytes)}")
    if inflated > 10_000_000 and inflated > RATIO * len(data):
        raise Refused(f"it inflates to {inflated // len(data)} times its size, as a zip bomb does")
    if "word/document.xml" not in names and "[Content_Types].xml" not in names:
        raise Refused("it is not a Word file, although its name says so")


class _Writer:
    """Walks the document's XML: the library's own paragraphs leave out inserted and boxed text."""

    def __init__(self, document: Document, depth: int) -> None:
        self.hidden = 0
        self._depth = depth
        self._styles = {style.style_id: (style.name or "").lower() for style in document.styles}
        self._code = False

    def blocks(self, parent: Any, level: int) -> Iterator[str]:
        if level > self._depth:
            raise Refused(f"its tables are nested deeper than {self._depth} levels")
        for child in parent:
            if child.tag == f"{W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{W}tbl":
                yield from self._close_code()
                yield from self._table(child, level)
            elif child.tag in {f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins"}:
                yield from self.blocks(child, level + 1)
        yield from self._close_code()

    def _close_code(self) -> Iterator[str]:
        if self._code:
            self._code = False
            yield "```\n"

    def _paragraph(self, element: Any) -> Iterator[str]:
        style = self._style(element)
        text = "".join(self._runs(element))
        if re.search(r"code|preformatted|source|verbatim", style):
            if not self._code:
                self._code = True
                yield "\n```"
            yield text
            return
        yield from self._close_code()
        text = text.strip()
        heading = re.fullmatch(r"heading (\d)|(title)", style)
        indent = self._list_level(element, style)
        if not text:
            yield ""
        elif heading:
            folded = " ".join(text.split())
            yield f"\n{'#' * min(6, int(heading.group(1) or 1))} {folded}\n"
        elif indent is not None:
            mark = "1." if "number" in style else "-"
            yield f"{'   ' * indent}{mark} {text}"
        else:
            yield f"\n{text}\n"

    def _style(self, element: Any) -> str:
        found = element.find(f"{W}pPr/{W}pStyle")
        return self._styles.get(found.get(f"{W}val"), "") if found is not None else ""

    def _list_level(self, element: Any, style: str) -> int | None:
        found = element.find(f"{W}pPr/{W}numPr")
        if found is not None:
            level = found.find(f"{W}ilvl")
            digits = level.get(f"{W}val", "0") if level is not None else "0"
            return min(8, int(digits)) if digits.isdigit() else 0
        listed = re.match(r"list (?:bullet|number|paragraph)\s*(\d?)", style)
        return max(0, int(listed.group(1) or 1) - 1) if listed else None

    def _runs(self, element: Any) -> Iterator[str]:
        """The shown text of a paragraph, in order, whatever it is wrapped in."""
        stack = list(reversed(element))
        while stack:
            node = stack.pop()
            if node.tag in {f"{W}del", f"{W}moveFrom", f"{W}pPr"} or str(node.tag).endswith("}Fallback"):
                continue
            if node.tag == f"{W}r" and self._is_hidden(node):
                self.hidden += 1
            elif node.tag == f"{W}t":
                yield node.text or ""
            elif node.tag in {f"{W}br", f"{W}cr"}:
                yield "\n"
            elif node.tag == f"{W}tab":
                yield "\t"
            else:
                if node.tag == f"{W}p":  # a text box inside the paragraph
                    yield "\n"
                stack.extend(reversed(node))

    def _is_hidden(self, run: Any) -> bool:
        properties = run.find(f"{W}rPr")
        if properties is None or not any(text.text for text in run.iter(f"{W}t")):
            return False
        vanish = properties.find(f"{W}vanish")
        tiny = properties.find(f"{W}sz")
        colour = properties.find(f"{W}color")
        white = colour is not None and colour.get(f"{W}val", "").lower() == "ffffff"
        backed = any(properties.find(f"{W}{name}") is not None for name in ("shd", "highlight"))
        digits = tiny.get(f"{W}val", "") if tiny is not None else ""
        small = digits.isdigit() and int(digits) <= 4
        shown = vanish is None or vanish.get(f"{W}val") in {"0", "false", "off"}
        return not shown or (white and not backed) or small

    def _table(self, element: Any, level: int) -> Iterator[str]:
        rows = []
        for row in element.iter(f"{W}tr"):
            if next(row.iterancestors(f"{W}tbl")) is not element:
                continue
            cells = []
            for cell in row.findall(f"{W}tc"):
                text = " ".join(" ".join(self.blocks(cell, level + 1)).split())
                cells.append(text.replace("|", "\\|"))
            rows.append(cells)
        yield f"\n{markdown_table([row for row in rows if any(row)])}\n"
