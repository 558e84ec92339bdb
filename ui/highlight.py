"""An entry with the passage that carries a sentence marked where it stands."""

import re
from dataclasses import dataclass

from rag.types import Entry
from ui import escape

START, END = "\ue000", "\ue001"
"""Letters no text needs, in the passage's place until everything around it is escaped."""
MARK = ":yellow-background["
CODE = re.compile(r"`[^`]*`")
PIPE = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class MarkedEntry:
    """The parts of an entry as Streamlit's Markdown; `found` when the passage is marked in one of them."""

    answer: str
    follow_ups: tuple[tuple[str, str], ...]
    caveat: str
    found: bool


def marked_entry(entry: Entry, quote: str) -> MarkedEntry:
    """The entry with the first occurrence of a passage of it marked; without a passage, as it is.

    Args:
        entry: the entry.
        quote: a passage as it stands in the entry's Markdown, its white space folded.
    """
    texts = [entry.answer, *(item.answer for item in entry.follow_ups), entry.caveat or ""]
    clean = [text.replace(START, "").replace(END, "") for text in texts]
    found = False
    for row, text in enumerate(clean):
        marked = _marked(text, quote)
        if marked is not None:
            clean[row], found = marked, True
            break
    *prose, caveat = clean
    answer, *answers = [_shown(escape.markdown(text)) for text in prose]
    questions = [escape.plain(item.question) for item in entry.follow_ups]
    follow_ups = tuple(zip(questions, answers, strict=True))
    return MarkedEntry(answer, follow_ups, _shown(escape.plain(caveat)), found)


def _marked(text: str, quote: str) -> str | None:
    """The text with the passage between START and END; None when it is not there or cannot be marked."""
    words = quote.split()
    match = re.search(r"\s+".join(map(re.escape, words)), text) if words else None
    if match is None:
        return None
    if quote.startswith("|"):
        passage = PIPE.sub("|", " ".join(words))
        inner = "|".join(_cell(cell) for cell in PIPE.split(passage))
    else:
        inner = f"{START}{' '.join(words)}{END}"
        if not _closed(quote):
            return None
    return text[: match.start()] + inner + text[match.end() :]


def _cell(cell: str) -> str:
    """A table cell's text marked by itself: a mark cannot reach from one cell into the next."""
    bare = cell.strip()
    return f" {START}{bare}{END} " if bare and _closed(bare) else cell


def _closed(passage: str) -> bool:
    """Whether what the passage opens ends in it: brackets of code, backticks, bold."""
    code = "".join(CODE.findall(passage))
    prose = CODE.sub("", passage)
    return code.count("[") == code.count("]") and "`" not in prose and prose.count("**") % 2 == 0


def _shown(text: str) -> str:
    return text.replace(START, MARK).replace(END, "]")
