"""PDF files to lines with page numbers: headings by their type size, white, tiny and invisible text left out."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ingest.limits import Limits, Refused

TINY = 2.0
"""Type of this many points or less is not meant to be read."""
HEADING = 1.15
INVISIBLE_MODE = 3
SHOWN_AROUND_OCR = 0.2
"""A scan's recognised text is invisible as a whole; invisible words beside shown ones are hidden."""


@dataclass(frozen=True, slots=True)
class PdfText:
    """Lines of Markdown, the page each stands on, and what was left out."""

    lines: list[str]
    pages: list[int]
    title: str
    warnings: list[str]


def pdf_to_lines(data: bytes, limits: Limits) -> PdfText:
    """The text of a PDF file.

    Raises:
        Refused: when it is damaged, protected, or holds no text.
    """
    import pypdfium2  # type: ignore[import-untyped]

    try:
        document = pypdfium2.PdfDocument(data)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower()
        raise Refused("it is protected by a password" if locked else "it is not a readable PDF file") from None
    warnings = [f"only the first {limits.pages} of {count} pages were read"] if count > limits.pages else []
    found: list[list[tuple[str, float]]] = []
    hidden = broken = letters = 0
    for index in range(min(count, limits.pages)):
        try:
            lines, left_out = _page_lines(document[index])
        except pypdfium2.PdfiumError:
            lines, left_out = [], 0
            broken += 1
        found.append(lines)
        hidden += left_out
        letters += sum(len(text) for text, _ in lines)
        if letters > limits.inflated_bytes:
            raise Refused("its text is longer than the limit")
    if not any(found):
        raise Refused("there is no text in it; a scan needs text recognition first")
    if broken:
        warnings.append(f"{broken} page{'s' if broken > 1 else ''} could not be read")
    if hidden:
        warnings.append(f"{hidden} hidden piece{'s' if hidden > 1 else ''} of text left out (white, tiny or invisible)")
    running = _running_lines(found)
    if running:
        warnings.append(f"lines repeated on every page left out: {'; '.join(sorted(running)[:3])[:120]}")
    title = str(document.get_metadata_dict().get("Title") or "").strip()
    lines_out, pages = _markdown(found, running)
    return PdfText(lines_out, pages, title, warnings)


def _page_lines(page: Any) -> tuple[list[tuple[str, float]], int]:
    """(line, type size) of a page, and how many pieces of hidden text it has."""
    from pypdfium2 import raw

    textpage = page.get_textpage()
    hidden, total = _hidden_objects(page)
    if hidden and len(hidden) >= (1 - SHOWN_AROUND_OCR) * total and set(hidden.values()) == {"mode"}:
        hidden = {}
    text = _shown_text(textpage, hidden) if hidden else textpage.get_text_range()
    lines: list[tuple[str, float]] = []
    position = 0
    for row in re.split(r"\r\n|\r|\n", text):
        line = row.replace("\ufffe", "\x02").replace("\t", " ")
        kind = 0.0
        if row[:1] and not hidden and raw.FPDFText_GetUnicode(textpage, position) == ord(row[0]):
            kind = _size(textpage, position)
        position += len(row) + 2
        if lines and lines[-1][0].endswith("\x02"):
            lines[-1] = (lines[-1][0][:-1] + line.lstrip(), lines[-1][1])
        else:
            lines.append((line, kind))
    textpage.close()
    page.close()
    return [(line.replace("\x02", "").rstrip(), kind) for line, kind in lines if line.strip()], len(hidden)


def _size(textpage: Any, index: int) -> float:
    """The size a character is shown at: the font's size times the scale of its matrix."""
    from pypdfium2 import raw

    matrix = raw.FS_MATRIX()
    scale = abs(matrix.d) or abs(matrix.b) if raw.FPDFText_GetMatrix(textpage, index, matrix) else 1.0
    return round(float(raw.FPDFText_GetFontSize(textpage, index)) * (scale or 1.0), 1)


def _hidden_objects(page: Any) -> tuple[dict[int, str], int]:
    """Address and reason of each text object nobody can see, and the number of all text objects."""
    from pypdfium2 import raw

    hidden: dict[int, str] = {}
    grounds: list[tuple[float, float, float, float]] = []
    total = 0
    for item in page.get_objects(max_depth=5):
        if item.type in {raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING}:
            if item.type != raw.FPDF_PAGEOBJ_PATH or not _is_white(item):
                grounds.append(item.get_bounds())
        elif item.type == raw.FPDF_PAGEOBJ_TEXT:
            total += 1
            reason = _hidden_by(item, grounds)
            if reason:
                hidden[ctypes.addressof(item.raw.contents)] = reason
    return hidden, total


def _hidden_by(item: Any, grounds: list[tuple[float, float, float, float]]) -> str:
    from pypdfium2 import raw

    if raw.FPDFTextObj_GetTextRenderMode(item) == INVISIBLE_MODE:
        return "mode"
    size = ctypes.c_float()
    raw.FPDFTextObj_GetFontSize(item, size)
    matrix = item.get_matrix()
    if size.value * max(abs(matrix.d), abs(matrix.b)) <= TINY:
        return "tiny"
    if _is_white(item):
        left, bottom, right, top = item.get_bounds()
        x, y = (left + right) / 2, (bottom + top) / 2
        if not any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for box in grounds[-500:]):
            return "white"
    return ""


def _is_white(item: Any) -> bool:
    from pypdfium2 import raw

    parts = [ctypes.c_uint() for _ in range(4)]
    if not raw.FPDFPageObj_GetFillColor(item, *parts):
        return False
    return all(part.value >= 250 for part in parts[:3]) or parts[3].value <= 5


def _shown_text(textpage: Any, hidden: dict[int, str]) -> str:
    """The page's characters without those of hidden objects."""
    from pypdfium2 import raw

    shown = []
    for index in range(raw.FPDFText_CountChars(textpage)):
        owner = raw.FPDFText_GetTextObject(textpage, index)
        if owner and ctypes.addressof(owner.contents) in hidden:
            continue
        code = raw.FPDFText_GetUnicode(textpage, index)
        if code and not 0xD800 <= code <= 0xDFFF:
            shown.append(chr(code))
    return "".join(shown)


def _running_lines(found: list[list[tuple[str, float]]]) -> set[str]:
    """Heads and feet: the first or last line of most pages, whatever number it holds."""
    pages = [lines for lines in found if len(lines) > 2]
    edges = Counter(_masked(line[0]) for lines in pages for line in {lines[0], lines[-1]})
    return {line for line, times in edges.items() if times >= 4 and times > 0.6 * len(pages)}


def _masked(line: str) -> str:
    return re.sub(r"\d+", "#", " ".join(line.split()))


def _markdown(found: list[list[tuple[str, float]]], running: set[str]) -> tuple[list[str], list[int]]:
    """Lines with headings marked; three sizes above the running text become three levels."""
    weights: Counter[float] = Counter()
    for lines in found:
        for line, kind in lines:
            weights[kind] += len(line) if kind else 0
    body = weights.most_common(1)[0][0] if weights else 0.0
    sizes = sorted((kind for kind in weights if body and kind >= HEADING * body), reverse=True)
    level = {kind: min(3, index + 1) for index, kind in enumerate(sizes)}
    result: list[str] = []
    pages: list[int] = []
    for page, lines in enumerate(found, 1):
        before = 0.0
        for place, (line, kind) in enumerate(lines):
            edge = place in {0, len(lines) - 1} and len(lines) > 2
            if edge and _masked(line) in running:
                continue
            heading = level.get(kind) if len(line) <= 150 else None
            if heading and before == kind and result and result[-2:-1] and result[-2].startswith("#"):
                result[-2] += " " + line.strip()  # a heading that runs over two lines
                continue
            rows = ["", f"{'#' * heading} {line.strip()}", ""] if heading else [line]
            result += rows
            pages += [page] * len(rows)
            before = kind
    return result, pages
