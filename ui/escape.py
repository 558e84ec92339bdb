"""Text for Streamlit's Markdown that shows as written: no markup, no maths, no links, no images.

A backslash keeps markup from being read, but not addresses from becoming links: Streamlit (remark-gfm)
looks for them once more in the text that is left when the backslashes are gone. It never looks into
code, so an address is shown as code.
"""

import re
from collections.abc import Callable, Iterator
from html import unescape

PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
# What remark-gfm links, and the names Streamlit draws (its logo, icons) in text. Private letters are marks of ours.
ADDRESS = (
    r"(?:https?://|www\.)(?:[^\s`|<\ue000-\uf8ff]*[^\s`|<\ue000-\uf8ff.,:;!?\"'*_~)\]}>])?|"
    r"(?<![-.\w+])(?:mailto:|xmpp:)?[-.\w+]+@[-\w]+(?:\.[-\w]+)+|"
    r":(?:streamlit|material_\w+):"
)
# The text between two runs of as many backticks. A table is cut at every bar, so there no code reaches over one.
SPAN = r"(?<!`)(?P<run>`+)(?!`)(?P<code>{letters}+?)(?<!`)(?P=run)(?!`)"
BEGINS_A_BLOCK = r"[ \t]*(?:$|[-*+>#|]|\d+[.)]\s|`{3}|~{3})"
ON_A_LINE = r"[^\n]"
IN_PROSE = rf"(?:[^\n]|\n(?!{BEGINS_A_BLOCK}))"
IN_A_TABLE = r"(?:\\\||[^\n|])"
TABLE = re.compile(r"^(?=[^\n]*-)(?=[^\n]*[|:])[ \t>|:-]+$", re.MULTILINE)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")
DIAGRAM = "mermaid"


def _literals(letters: str) -> re.Pattern[str]:
    return re.compile(f"{SPAN.format(letters=letters)}|(?P<address>{ADDRESS})", re.IGNORECASE | re.MULTILINE)


LINE, PROSE, CELLS = map(_literals, (ON_A_LINE, IN_PROSE, IN_A_TABLE))


def plain(text: str) -> str:
    """Text on one line in which nothing is Markdown except code names between backticks; addresses become code too."""
    return _inline(" ".join(text.split()), LINE, lambda part: PUNCTUATION.sub(r"\\\1", part))


def markdown(text: str) -> str:
    """An entry's own Markdown, its headings one level lower than in the file.

    What Streamlit adds to Markdown (maths, colours, icons, diagrams), HTML, links and images are off. Code is
    written anew and every other backtick escaped: what is left as it was is bound to be read as code.
    """
    return "\n".join(
        _fenced(block, language) if is_code else _prose(block) for is_code, block, language in _blocks(text)
    )


def _blocks(text: str) -> Iterator[tuple[bool, str, str]]:
    """(whether it is fenced code, its text, the code's language) in order."""
    held: list[str] = []
    opened: re.Match[str] | None = None
    for line in text.split("\n"):
        mark = FENCE.fullmatch(line)
        if opened is None and mark:
            if held:
                yield False, "\n".join(held), ""
            held, opened = [], mark
        elif opened and mark and not mark["info"] and mark["fence"].startswith(opened["fence"]):
            yield True, "\n".join(held), opened["info"]
            held, opened = [], None
        else:
            indent = len(opened["indent"]) if opened else 0
            held.append(line[indent:] if line[:indent].isspace() else line)
    if held or opened:
        yield opened is not None, "\n".join(held), opened["info"] if opened else ""


def _fenced(code: str, info: str) -> str:
    fence = "`" * max(3, _longest_run(code) + 1)
    language = re.match(r"[A-Za-z0-9+#]*", info)[0]  # type: ignore[index]  # it matches the empty text too
    if language.lower().startswith(DIAGRAM):
        language = ""
    return f"{fence}{language}\n{code}\n{fence}"


def _prose(text: str) -> str:
    # An entity is a letter that the browser would see and this file would not.
    spelt = ENTITY.sub(lambda found: unescape(found[0]), text)
    lowered = re.sub(r"^##(?=#* )", "###", spelt, flags=re.MULTILINE)
    return _inline(lowered, CELLS if TABLE.search(lowered) else PROSE, _inert)


def _inert(text: str) -> str:
    escaped = re.sub(r"([$<\[\]\\`]|~(?=~~)|:(?=\w)|&(?=[#\w]))", r"\\\1", text)
    return escaped.replace(":material/", r":material\/")


def _inline(text: str, literals: re.Pattern[str], inert: Callable[[str], str]) -> str:
    """The text with its code and its addresses as code, and all the rest made inert."""
    pieces: list[tuple[bool, str]] = []
    end = 0
    for found in literals.finditer(text):
        code = found["address"] or _read(found["code"])
        if found.start() > end:
            pieces.append((False, text[end : found.start()]))
        elif pieces:  # side by side their backticks would run together
            code = pieces.pop()[1] + code
        pieces.append((True, code))
        end = found.end()
    pieces.append((False, text[end:]))
    return "".join(_code(piece) if is_code else inert(piece) for is_code, piece in pieces)


def _read(code: str) -> str:
    """What is shown of the text between backticks: one line, one space less on both sides."""
    code = code.replace("\n", " ")
    return code[1:-1] if code.startswith(" ") and code.endswith(" ") and code.strip() else code


def _code(text: str) -> str:
    fence = "`" * (_longest_run(text) + 1)
    padding = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{padding}{text}{padding}{fence}" if text.strip() else f"{fence}{text}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
