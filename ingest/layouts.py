"""A guide's lines to pieces: one a question, one a section of prose. No word of the guide is dropped.

A question ends where the next one, or a heading that is not deeper than its own, begins. The headings
above a piece come back as the first line of its answer, so that it says what it was filed under.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ingest import marks
from ingest.answers import body_of, question_of
from ingest.marks import Heading, Opening, bare
from ingest.sections import first_sentence, shortened, trimmed, windows

PATH_JOINT = " › "
PREAMBLE_WORDS = 20
CLOSING_WORDS = 80


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry before it has an id. `number` is the guide's own, and counts `label`s."""

    label: str
    number: int | None
    section: str
    title: str
    question: str
    answer: str
    follow_ups: tuple[tuple[str, str], ...] = ()
    page: int = 0


@dataclass(slots=True)
class _Span:
    """Lines from `start` that become one piece; `opening` is None for a section."""

    start: int
    path: tuple[str, ...]
    level: float
    opening: Opening | None = None
    heading: str = ""
    end: int = 0
    first: int = field(default=0)


def title_of(lines: Sequence[str]) -> str:
    """The guide's own title: its first heading of the first level, or its first heading; empty without one."""
    found = marks.headings(lines, marks.code_lines(lines))
    tops = [heading.text for heading in found.values() if heading.level == 1] or [
        heading.text for number, heading in found.items() if not marks.opening(heading.text)
    ]
    return tops[0] if tops else ""


def split(lines: Sequence[str], pages: Sequence[int], title: str) -> list[Piece]:
    """All pieces of a guide, in order."""
    spans = _Splitter(lines).spans()
    spans = _with_closing(lines, spans)
    pieces: list[Piece] = []
    carried: list[str] = []
    last = max((i for i, span in enumerate(spans) if span.opening or _has_text(lines, span)), default=0)
    for index, span in enumerate(spans):
        start, end = trimmed(lines[span.first : span.end])
        body = list(lines[span.first + start : span.first + end])
        place = pages[span.first + start : span.first + end] if pages else []
        page = pages[span.start] if pages else 0
        if span.opening is None and not body:
            if span.heading and not _is_used(lines, span, spans, index):
                carried.append(span.heading)
            continue
        preamble = span.opening is None and not span.heading and not pieces
        if preamble and index < last and _words(body) < PREAMBLE_WORDS:
            carried += [line for line in body if line.strip()]
            continue
        above = [*carried, PATH_JOINT.join(_shown_path(span, title, first=not pieces))]
        carried = []
        head = f"## {PATH_JOINT.join(part for part in above if part)}\n\n" if any(above) else ""
        made = _question(span, body, page, head) if span.opening else _section(span, body, place, head, title)
        pieces += made
    if carried and not pieces:
        return [Piece("", None, "", shortened(title or carried[0]), title or carried[0], "\n\n".join(carried))]
    if carried:
        more = "\n\n".join(f"## {text}" for text in carried)
        pieces[-1] = replace(pieces[-1], answer=f"{pieces[-1].answer}\n\n{more}".strip())
    return pieces


def _shown_path(span: _Span, title: str, *, first: bool) -> list[str]:
    """The headings above a piece; the guide's title only once, its name is beside every entry anyway."""
    return [text for text in span.path if first or text != title]


def _is_used(lines: Sequence[str], span: _Span, spans: Sequence[_Span], index: int) -> bool:
    """Whether an empty section's heading is shown above a piece inside it."""
    path = (*span.path, span.heading)
    for place in range(index + 1, len(spans)):
        other = spans[place]
        if other.path[: len(path)] != path:
            return False
        if other.opening or _has_text(lines, other):
            return True
    return False


def _has_text(lines: Sequence[str], span: _Span) -> bool:
    start, end = trimmed(lines[span.first : span.end])
    return start < end


def _words(lines: Sequence[str]) -> int:
    return sum(len(line.split()) for line in lines)


def _question(span: _Span, body: list[str], page: int, head: str) -> list[Piece]:
    assert span.opening
    title, question, rest, asked = question_of(span.opening, body)
    answer, follow_ups = body_of(rest, asked)
    number = f"{span.opening.label} {span.opening.number}" if span.opening.number is not None else ""
    if span.opening.label == "Q" and number:
        number = f"Q{span.opening.number}"
    if span.opening.kind == "listed" and span.opening.number is not None:
        number = str(span.opening.number)
    name = f"{number}: {shortened(title, 120)}" if number else shortened(title)
    if span.opening.kind == "plan":
        question = f"{span.path[-1]}: {number}" if span.path else f"{number}: {shortened(question)}"
        answer = "\n".join(part for part in (title, answer) if part)
        name = f"{number}: {shortened(title, 60)}"
    section = PATH_JOINT.join(span.path)
    label, own = span.opening.label or "Q", span.opening.number
    return [Piece(label, own, section, _paged(name, page), question, (head + (answer or question)), follow_ups, page)]


def _section(span: _Span, body: list[str], places: Sequence[int], head: str, title: str) -> list[Piece]:
    name = span.heading or (title if span.start == 0 else "") or first_sentence(body)
    pieces = []
    parts = windows(body, places)
    full_name = "" if len(name) <= 80 else name
    for number, (text, page) in enumerate(parts, 1):
        part = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        if number == 1 and span.heading and name == shortened(name):
            question = name
        else:
            question = f"{name}: {first_sentence(text.splitlines())}" if number > 1 else full_name or name
        section = PATH_JOINT.join(span.path)
        shown = _paged(shortened(name, 70) + part, page)
        pieces.append(Piece("", None, section, shown, question, (head if number == 1 else "") + text, (), page))
    return pieces


def _paged(title: str, page: int) -> str:
    return f"{title} (p. {page})" if page else title


def _with_closing(lines: Sequence[str], spans: list[_Span]) -> list[_Span]:
    """What stands behind a rule or a wide gap at the very end belongs to the guide, not to its last question."""
    if not spans or spans[-1].opening is None:
        return spans
    last = spans[-1]
    code = marks.code_lines(lines)
    for number in range(last.end - 1, last.first, -1):
        gap = not lines[number].strip() and not lines[number - 1].strip()
        if (marks.RULE.match(lines[number]) or gap) and not code[number]:
            start, end = trimmed(lines[number : last.end])
            if start < end and _words(lines[number : last.end]) <= CLOSING_WORDS:
                path = last.path[:1]
                closing = _Span(number + start, path, 2, end=last.end, first=number + start)
                last.end = number
                return [*spans, closing]
    return spans


class _Splitter:
    """One pass over the lines; remembers the headings above and whether a question is open."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._code = marks.code_lines(lines)
        self._headings = marks.headings(lines, self._code)
        self._first_heading = next(iter(sorted(self._headings)), -1)
        self._repeated = {
            text for text, times in Counter(h.text.casefold() for h in self._headings.values()).items() if times > 1
        }
        self._above: list[Heading] = []
        self._spans: list[_Span] = []
        self._quoted = self._count(marks.QUOTED) >= 2
        self._plans = self._count(marks.PLAN) >= 2
        plain = [marks.opening(line.strip()) for line, code in zip(lines, self._code, strict=True) if not code]
        asked = any(found for found in plain) or any(
            marks.opening(heading.text) or self._asks(number, heading) for number, heading in self._headings.items()
        )
        self._listed = set() if asked else set(self._listed_questions())

    def spans(self) -> list[_Span]:
        """Every line in exactly one span; a span's own heading or question line is not in its body."""
        self._spans = [_Span(0, (), 0, first=0)]
        for number, line in enumerate(self._lines):
            if self._code[number]:
                continue
            if number in self._headings:
                self._at_heading(number, self._headings[number])
            else:
                self._at_line(number, line.strip())
        for span, following in zip(self._spans, [*self._spans[1:], None], strict=True):
            span.end = following.start if following else len(self._lines)
        return self._spans

    def _count(self, pattern: re.Pattern[str]) -> int:
        return sum(
            1 for line, code in zip(self._lines, self._code, strict=True) if not code and pattern.match(line.strip())
        )

    def _asks(self, number: int, heading: Heading) -> bool:
        """A heading that ends in a question mark, unless it is the title of the whole."""
        return heading.text.endswith("?") and not (heading.level == 1 and number == self._first_heading)

    def _listed_questions(self) -> Iterator[int]:
        """Numbered or bold lines that ask something and are followed by something else than the next one."""
        filled = [number for number, line in enumerate(self._lines) if line.strip() and not self._code[number]]
        for number, after in pairwise(filled):
            here, text = self._lines[number], self._lines[number].strip()
            marked = re.match(r"\d{1,4}[.)]\s|\*\*\S", here) is not None
            if marked and marks.LISTED.match(text) and not marks.LISTED.match(self._lines[after].strip()):
                yield number

    def _at_heading(self, number: int, heading: Heading) -> None:
        open_question = self._spans[-1].opening is not None
        level = self._spans[-1].level
        found = marks.opening(heading.text)
        if found is None and self._asks(number, heading):
            if open_question and heading.level > level:
                return  # a further question inside the answer; it becomes a follow-up
            listed = re.match(r"(\d{1,4})[.)]\s+(.*)", heading.text)
            own = int(listed.group(1)) if listed else None
            found = Opening("listed" if listed else "asked", "", own, listed.group(2) if listed else heading.text)
        if found:
            self._close(heading.level)
            self._open(number, found, heading.level)
        elif open_question and self._is_inside(heading, level):
            return
        else:
            self._close(heading.level)
            path = tuple(above.text for above in self._above)
            underlined = number + 1 < len(self._lines) and re.fullmatch(r"\s*(?:=+|-{3,})\s*", self._lines[number + 1])
            first = number + (2 if underlined else 1)
            self._spans.append(_Span(number, path, heading.level, heading=heading.text, first=first))
            self._above.append(heading)

    def _is_inside(self, heading: Heading, level: float) -> bool:
        if heading.weak:
            return heading.text.casefold() in self._repeated or bool(marks.KNOWN_LABELS.match(heading.text))
        return heading.level > level

    def _close(self, level: int) -> None:
        while self._above and self._above[-1].level >= level:
            self._above.pop()

    def _open(self, number: int, found: Opening, level: float) -> None:
        path = tuple(heading.text for heading in self._above)
        self._spans.append(_Span(number, path, level, found, first=number + 1))

    def _at_line(self, number: int, text: str) -> None:
        if not text:
            return
        current = self._spans[-1].opening
        level = (self._above[-1].level if self._above else 0) + 0.5
        found = marks.opening(text)
        if found and found.kind == "plain" and current and current.kind == "titled":
            return  # the question that a scenario's title announced
        if found and (found.kind != "titled" or current is None or current.kind == "titled"):
            self._open(number, found, level)
        elif number in self._listed and (listed := marks.LISTED.match(text)):
            own = int(listed.group(1)) if listed.group(1) else None
            self._open(number, Opening("listed", "", own, bare(listed.group(2))), level)
        elif self._quoted and (current is None or current.kind == "quoted") and (quoted := marks.QUOTED.match(text)):
            asked = quoted.group(1) or quoted.group(2)
            self._open(number, Opening("quoted", "", None, f"{asked}\n{quoted.group(3)}".strip()), level)
        elif self._plans and (current is None or current.kind == "plan") and (plan := marks.PLAN.match(text)):
            self._open(number, Opening("plan", plan.group(1).title(), int(plan.group(2)), bare(plan.group(3))), level)
