"""What single lines of a guide are: headings, questions, labels. Looks no further than a line's neighbours."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

PILCROW = "¶"
"""Documentation sites end their headings with this link mark."""
BULLET = re.compile(r"^\s*(?:[-*+•◦▪‣·●○■]|\d+[.)])\s+")
RULE = re.compile(r"^\s*(?:-{3,}|\*{3,}|_{3,}|(?:- ){2,}-)\s*$")
FENCE = re.compile(r"^\s*(?:>\s*)?(```+|~~~+)")
ATX = re.compile(r"^ {0,3}(#{1,6})(?:\s+(.*?)(?:\s+#+)?|([^#\s!].*))\s*$")
PART = re.compile(
    r"^(?:Part|Chapter|Section|Module|Unit|Lesson|Appendix)\s+(?:\d+|[IVX]+|[A-Z])\s*[:.–—-]\s*\S.{0,90}$", re.I
)
STRONG = r"[*_]{0,3}"
NUMBERED = re.compile(
    rf"^(?:[-*+•]\s+)?{STRONG}(Q|Question)\s*#?\s*(\d{{1,5}}){STRONG}\s*[:.)–—-]\s*{STRONG}\s*(\S.*)$", re.I
)
PLAIN = re.compile(rf"^{STRONG}(Q|Question)\s*{STRONG}\s*:\s*{STRONG}\s*(\S.*)$", re.I)
TITLED = re.compile(
    rf"^{STRONG}(Scenario|Problem|Design|Case(?: Study)?|Exercise|Challenge|Task|Project|Puzzle)\s+#?(\d{{1,5}})"
    rf"{STRONG}\s*[:.–—-]\s*{STRONG}\s*(\S.*)$",
    re.I,
)
PLAN = re.compile(
    rf"^(?:[-*+•]\s+)?{STRONG}(Week|Day|Month|Phase|Sprint)s?\s+(\d{{1,4}}){STRONG}\s*[:.–—]\s*{STRONG}\s*(\S.*)$", re.I
)
QUOTED = re.compile(r"^(?:“([^“”]{3,250}[.?!…])”|\"([^\"]{3,250}\?)\")\s*(.*)$")
LISTED = re.compile(r"^(?:\*\*)?(?:(\d{1,4})[.)]\s+)?(?:\*\*)?(\S.{3,300}\?)(?:\*\*)?$")
LABEL = re.compile(
    r"^(?:\*\*|__)?(Situation|Task|Action|Result|Answer|A|Sample Answer|Model Answer|Explanation|Solution|Reasoning"
    r"|Key Points?|Example|Why|Tip|Tips|Note|Difficulty)(?::\s*(?:\*\*|__)?|(?:\*\*|__)\s*:)\s*(.*)$",
    re.IGNORECASE,
)
BOLD_LABEL = re.compile(r"^(?:\*\*|__)([^*_:]{2,60}?)(?::\s*(?:\*\*|__)|(?:\*\*|__)\s*:)\s*$")
FOLLOW_UP = re.compile(
    r"^(?:#{1,6}\s+)?(?:\*\*|__)?\s*(?:[-•]\s+)?(?:\*\*|__)?follow[- ]?ups?(?:\s+questions?)?(?:\s+\d+)?\s*"
    r"(?:\*\*|__)?\s*[:.]\s*(?:\*\*|__)?\s*(\S.*)$",
    re.IGNORECASE,
)
KNOWN_LABELS = re.compile(
    r"(?:key points?|example|summary|answer|solution|explanation|follow-?ups?|tips?|notes?)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A line that opens a section; `weak` when only its look says so."""

    level: int
    text: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """A line that opens a question. `label` is what its number counts, `kind` how it was recognised."""

    kind: str
    label: str
    number: int | None
    text: str


def code_lines(lines: Sequence[str]) -> list[bool]:
    """Which lines belong to fenced code, the fences included."""
    inside = ""
    result = []
    for line in lines:
        found = FENCE.match(line)
        if inside:
            result.append(True)
            if found and found.group(1).startswith(inside) and not line.strip().strip("`~> "):
                inside = ""
        else:
            result.append(bool(found))
            # Three backticks that close on the same line are no fence.
            if found and found.group(1) not in line[found.end() :]:
                inside = found.group(1)
    return result


def bare(text: str) -> str:
    """A heading's or question's text without emphasis around it and links in it."""
    text = re.sub(r"\[([^\[\]\n]{1,300})\]\([^()\s]{0,2000}\)", r"\1", text.strip().rstrip(PILCROW).strip())
    while True:
        found = re.fullmatch(r"(\*\*|__|\*|_)(.+)\1", text)
        if not found or found.group(1) in found.group(2):
            break
        text = found.group(2).strip()
    return text[:-2].rstrip() if text.endswith("**") and text.count("**") % 2 else text


def headings(lines: Sequence[str], code: Sequence[bool]) -> dict[int, Heading]:
    """Line number and heading of every line that is one."""
    found: dict[int, Heading] = {}
    for number, line in enumerate(lines):
        if code[number]:
            continue
        atx = ATX.match(line)
        text = line.strip()
        if atx and (atx.group(2) or (atx.group(3) and len(atx.group(1)) > 1)):
            found[number] = Heading(len(atx.group(1)), bare(atx.group(2) or atx.group(3)))
        elif text.endswith(PILCROW) and len(text) <= 200:
            level = 1 if not found else 3 if opening(bare(text)) else 2
            found[number] = Heading(level, bare(text))
        elif _underlined(lines, number):
            found[number] = Heading(1 if "=" in lines[number + 1] else 2, bare(text))
        elif PART.match(bare(text)) and not bare(text).endswith((".", ",", ";")):
            found[number] = Heading(2, bare(text))
    strong = sum(1 for number in found if ATX.match(lines[number]) or lines[number].strip().endswith(PILCROW))
    return found if strong >= 2 else _with_weak(lines, code, found)


def _underlined(lines: Sequence[str], number: int) -> bool:
    if number + 1 >= len(lines) or not lines[number].strip() or len(lines[number]) > 120:
        return False
    below = lines[number + 1].strip()
    alone = number == 0 or not lines[number - 1].strip()
    return alone and bool(re.fullmatch(r"={3,}|-{3,}", below)) and not BULLET.match(lines[number])


def _with_weak(lines: Sequence[str], code: Sequence[bool], strong: dict[int, Heading]) -> dict[int, Heading]:
    found = dict(strong)
    filled = [number for number, line in enumerate(lines) if line.strip()]
    for place, number in enumerate(filled):
        if code[number] or number in found or opening(lines[number].strip()):
            continue
        before = filled[place - 1] if place else None
        after = filled[place + 1] if place + 1 < len(filled) else None
        if after is not None and _looks_like_heading(lines, before, number, after):
            level = 1 if number < 40 and all(heading.level > 1 for heading in found.values()) else 2
            found[number] = Heading(level, bare(lines[number]), weak=True)
    return found


def _looks_like_heading(lines: Sequence[str], before: int | None, number: int, after: int) -> bool:
    text = lines[number].strip()
    words = re.sub(r"^\d+(?:\.\d+)*[.)]?\s+", "", text).split()
    if len(text) > 80 or not 1 <= len(words) <= 12 or not re.match(r"[A-Z]", words[0]):
        return False
    if text.endswith((".", ",", ";", ":", "!", "?")) or "|" in text or re.search(r"[=<>{}]", text):
        return False
    long_words = [word for word in words if len(word) > 3 and word[0].isalpha()]
    if not long_words or sum(word[0].isupper() for word in long_words) < 0.6 * len(long_words):
        return False
    next_text = lines[after].strip()
    if re.match(r"\d+[.)]\s", text) and re.match(r"\d+[.)]\s", next_text) and not opening(next_text):
        return False
    free_above = before is None or before < number - 1
    if free_above and after > number + 1:
        return True
    ended = before is None or lines[before].rstrip().endswith((".", "?", "!", ":", "”", '"'))
    leads = bool(BULLET.match(lines[after])) or len(next_text) > 80 or opening(next_text) is not None
    return (free_above or ended) and leads and len(words) >= 2


def opening(text: str) -> Opening | None:
    """The question a line (or heading) opens by its own words, if it does."""
    if found := NUMBERED.match(text):
        label = "Q" if found.group(1) in {"q", "Q"} else "Question"
        return Opening("numbered", label, int(found.group(2)), bare(found.group(3)))
    if found := PLAIN.match(text):
        return Opening("plain", "", None, bare(found.group(2)))
    if found := TITLED.match(text):
        return Opening("titled", found.group(1).title(), int(found.group(2)), bare(found.group(3)))
    return None
