"""Prose without questions to entries: one a section, long sections in windows that overlap."""

import re
from collections.abc import Iterator, Sequence

from ingest.marks import BULLET, RULE, code_lines
from ingest.sentences import split_sentences

WINDOW_WORDS = 250
"""About what the embedder reads at once, its title and question included."""
OVERLAP_WORDS = 40
SOLID_WORDS = 1500
"""Code and tables stay whole up to this length."""


def shortened(text: str, limit: int = 80) -> str:
    """The text, or as many of its words as fit, with an ellipsis."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut).rstrip(" ,;:.-–—") + "…"


def first_sentence(lines: Sequence[str]) -> str:
    """What a section without a heading is called."""
    for line in lines:
        text = re.sub(r"[*_`#>|]", "", BULLET.sub("", line)).strip()
        if re.search(r"\w", text):
            return shortened(split_sentences(text[:2000])[0])
    return ""


def windows(lines: Sequence[str], pages: Sequence[int]) -> list[tuple[str, int]]:
    """(Markdown, page) of each part of a section; one part when it is short enough."""
    units = list(_units(lines, pages))
    if sum(_weight(text, solid) for text, solid, _, _ in units) <= WINDOW_WORDS * 1.2:
        return [("\n".join(lines).strip("\n"), pages[0] if pages else 0)]
    result: list[tuple[str, int]] = []
    held: list[tuple[str, bool, int, str]] = []
    fresh = 0
    for unit in units:
        total = sum(_weight(text, solid) for text, solid, _, _ in held)
        if fresh and total + _weight(unit[0], unit[1]) > WINDOW_WORDS:
            result.append((_joined(held), held[0][2]))
            held = _overlap(held)
            fresh = 0
        held.append(unit)
        fresh += 1
    if fresh:
        result.append((_joined(held), held[0][2]))
    return result


def _weight(text: str, solid: bool) -> int:
    return 0 if solid else len(text.split())


def _units(lines: Sequence[str], pages: Sequence[int]) -> Iterator[tuple[str, bool, int, str]]:
    """(text, whether it must stay whole, page, what joins it to the unit before)."""
    code = code_lines(lines)
    place = 0
    while place < len(lines):
        start, page = place, pages[place] if pages else 0
        solid = code[place] or lines[place].lstrip().startswith("|")
        while place < len(lines) and lines[place].strip() and _solid(lines, code, place) == solid:
            place += 1
        while solid and place < len(lines) and code[place]:
            place += 1
        if place == start:
            place += 1
            continue
        block = list(lines[start:place])
        if solid and sum(len(line.split()) for line in block) <= SOLID_WORDS:
            yield "\n".join(block), True, page, "\n\n"
        elif solid:
            yield from ((line, False, page, "\n") for line in block)
        else:
            yield from _prose(block, page)


def _solid(lines: Sequence[str], code: Sequence[bool], place: int) -> bool:
    return code[place] or lines[place].lstrip().startswith("|")


def _prose(block: Sequence[str], page: int) -> Iterator[tuple[str, bool, int, str]]:
    """List items and headings line by line, the rest sentence by sentence."""
    joint = "\n\n"
    held: list[str] = []
    for line in [*block, "- "]:
        if BULLET.match(line) or line.startswith(("#", "- ", " ")):
            for sentence in split_sentences(" ".join(held)):
                for piece in _pieces(sentence):
                    yield piece, False, page, joint
                    joint = " "
            held = []
            if line.strip() not in {"", "-"}:
                yield line, False, page, "\n" if joint != "\n\n" else joint
                joint = "\n"
        else:
            held.append(line)


def _pieces(sentence: str) -> Iterator[str]:
    """A sentence longer than a window is cut between words."""
    words = sentence.split()
    for start in range(0, len(words), WINDOW_WORDS):
        yield " ".join(words[start : start + WINDOW_WORDS])


def _joined(units: Sequence[tuple[str, bool, int, str]]) -> str:
    return "".join((joint if index else "") + text for index, (text, _, _, joint) in enumerate(units))


def _overlap(units: Sequence[tuple[str, bool, int, str]]) -> list[tuple[str, bool, int, str]]:
    kept: list[tuple[str, bool, int, str]] = []
    for unit in reversed(units):
        if unit[1] or sum(len(text.split()) for text, _, _, _ in kept) + len(unit[0].split()) > OVERLAP_WORDS:
            break
        kept.insert(0, unit)
    return kept


def trimmed(lines: Sequence[str]) -> tuple[int, int]:
    """Where the text begins and ends when blank lines and rules around it are left away."""
    start, end = 0, len(lines)
    while start < end and (not lines[start].strip() or RULE.match(lines[start])):
        start += 1
    while end > start and (not lines[end - 1].strip() or RULE.match(lines[end - 1])):
        end -= 1
    return start, end
