"""PDF files for benchmarks: plain text pages, written without a library (ISO 32000-1, section 7.5)."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

WIDTH = 90
"""Characters a line."""


def pdf_bytes(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF whose pages hold these lines in Helvetica."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in lines)
        stream = f"BT /F1 10 Tf 14 TL 50 780 Td\n{shown}ET".encode("latin-1", "replace")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(len(objects) + 1)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (listed, len(kids))
    return _file(objects)


def _file(objects: Iterable[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, start)
    return bytes(out)


def _escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def write_pdfs(folder: Path, sentences: Sequence[str], files: int, pages: int, words: int, seed: int = 0) -> None:
    """`files` PDFs of `pages` pages of about `words` words, sentences drawn anew for each page."""
    generator = random.Random(seed)  # noqa: S311
    for number in range(files):
        made = [_page(generator, sentences, words, f"Report {number}, part {page}") for page in range(pages)]
        (folder / f"report-{number:03}.pdf").write_bytes(pdf_bytes(made))


def _page(generator: random.Random, sentences: Sequence[str], words: int, heading: str) -> list[str]:
    lines, line, count = [heading, ""], "", 0
    while count < words:
        for word in generator.choice(sentences).split():
            if len(line) + len(word) >= WIDTH:
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
            count += 1
    return [*lines, line]
