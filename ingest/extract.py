"""A file's bytes to Markdown lines, whatever the format. Runs in the child process of `ingest/sandbox.py`."""

import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ingest.decode import declared_charset, decode
from ingest.docx_text import docx_to_markdown
from ingest.html_text import html_to_markdown
from ingest.limits import Limits, Refused, size
from ingest.marks import code_lines
from ingest.mend import mend
from ingest.pdf_text import pdf_to_lines

MARKDOWN = {".md", ".markdown", ".mdown", ".mkd"}
TEXT = {".txt", ".text", ".rst", ".log", ""}
HTML = {".html", ".htm", ".xhtml"}
FORMATS = MARKDOWN | TEXT | HTML | {".docx", ".pdf"}
SIGN = re.compile(r"^(?:  ?)?(\s*)[•◦▪‣●○■]\s+")
"""Bullets as word processors and PDF files write them; Markdown knows only the hyphen."""
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
CODE = re.compile(r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1[`~]* *$|\Z)|`[^`\n]+`", re.DOTALL | re.MULTILINE)
IMAGE = re.compile(r"!\[([^\[\]\n]{0,300})\]\(([^()\s]{0,2000})[^()\n]{0,300}\)")
HIDDEN_TAG = re.compile(r"<(script|style|template)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
LAYOUT_TAG = re.compile(r"</?(?:details|summary|div|center|p|span|a|font|br)\b[^>]*>", re.IGNORECASE)
HIDDEN_SPAN = re.compile(
    r"<(span|div|p)\b[^>]*(?:\shidden\b|display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0)[^>]*>"
    r".*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file as Markdown lines; `pages` holds each line's page, or is empty."""

    lines: list[str]
    pages: list[int] = field(default_factory=list)
    title: str = ""
    warnings: list[str] = field(default_factory=list)


def extract(data: bytes, name: str, limits: Limits) -> Extracted:
    """Reads one file; its name only says which format to expect.

    Raises:
        Refused: with the reason, when it cannot be read within the limits.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if not data.strip():
        raise Refused("it is empty")
    if data[:1024].lstrip().startswith(b"%PDF-") or suffix == ".pdf":
        found = _from_pdf(data, limits)
    elif suffix == ".docx" or data.startswith(b"PK\x03\x04"):
        found = _from_docx(data, limits)
    elif suffix in HTML:
        found = _from_html(data, limits)
    else:
        found = _from_text(data, limits)
    if not re.search(r"\w", "".join(found.lines)):
        raise Refused("there is no text in it")
    code = code_lines(found.lines)
    lines = [line if inside else SIGN.sub(r"\1- ", line) for line, inside in zip(found.lines, code, strict=True)]
    return replace(found, lines=lines)


def _from_pdf(data: bytes, limits: Limits) -> Extracted:
    if b"%PDF-" not in data[:1024]:
        raise Refused("it is not a PDF file, although its name says so")
    read = pdf_to_lines(data, limits)
    text, notes = mend("\n".join(line.replace("\n", " ") for line in read.lines))
    lines = text.split("\n")
    if len(lines) != len(read.lines):  # a control character that ends lines was inside one
        lines = [mend(line)[0].replace("\n", " ") for line in read.lines]
    return Extracted(lines, read.pages, mend(read.title)[0], [*read.warnings, *notes])


def _from_docx(data: bytes, limits: Limits) -> Extracted:
    markdown, title, hidden = docx_to_markdown(data, limits)
    text, notes = mend(markdown)
    return Extracted(text.split("\n"), [], mend(title)[0], [*_left_out(hidden), *notes])


def _from_html(data: bytes, limits: Limits) -> Extracted:
    html, notes = mend(decode(data, declared_charset(data)))
    markdown, title, hidden = html_to_markdown(html, limits.depth)
    text, more = mend(markdown)  # what was written as &#8203; is a character only now
    return Extracted(text.split("\n"), [], title, [*_left_out(hidden), *notes, *more])


def _from_text(data: bytes, limits: Limits) -> Extracted:
    text, notes = mend(decode(data))
    if len(text) > limits.inflated_bytes:
        raise Refused(f"its text is longer than {size(limits.inflated_bytes)}")
    if re.search(rf"^(?:[ \t]*>){{{limits.depth + 1}}}", text, re.MULTILINE):
        raise Refused(f"its quotations are nested deeper than {limits.depth} levels")
    text, hidden = _clean_markup(text)
    return Extracted(text.split("\n"), [], "", [*_left_out(hidden), *notes])


def _clean_markup(text: str) -> tuple[str, int]:
    """HTML inside Markdown: what is not shown goes, layout gives way to its text; code stays as it is."""
    pieces, hidden, place = [], 0, 0
    for code in [*CODE.finditer(text), None]:
        part = text[place : code.start() if code else len(text)]
        if "<" in part:
            for pattern in (COMMENT, HIDDEN_TAG, HIDDEN_SPAN):
                part, count = pattern.subn("", part)
                hidden += count
            part = re.sub(r"<summary[^>]*>\s*(?:<[bi]>)?([^<\n]+)(?:</[bi]>)?\s*</summary>", r"\n\n**\1**\n\n", part)
            part = LAYOUT_TAG.sub("", re.sub(r"<br\s*/?>", " ", part))
        pieces.append(IMAGE.sub(r"\1 (\2)", part))
        if code:
            pieces.append(code[0])
            place = code.end()
    return "".join(pieces), hidden


def _left_out(hidden: int) -> list[str]:
    what = "hidden pieces" if hidden > 1 else "hidden piece"
    return [f"{hidden} {what} left out (comments, scripts, elements that are not shown)"] if hidden else []
