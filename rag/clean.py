"""What a language model writes, made a plain sentence: no markup, no links, nothing invisible.

Every page escapes what it shows as well. This is the first of two locks: after it, a sentence holds
nothing that a page, a terminal or a person could follow or be misled by.
"""

import html
import re
import unicodedata

BRACKETS = str.maketrans("［］【】〔〕〖〗", "[][][][]")
DASHES = str.maketrans("‐‑‒–—−﹣－", "-" * 8)
ROUNDS = 6
SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
BLANK = set("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(code) for code in SELECTORS}
"""Letters by their category that show nothing."""
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
COMMENT = re.compile(r"<!--.*?(-->|$)", re.DOTALL)
ELEMENT = re.compile(r"<(script|style|iframe|svg|object|noscript|template)\b.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
TAG = re.compile(
    r"</?[a-zA-Z!?][^<>]*>|<(?:a|img|svg|script|style|iframe|form|input|link|meta|base|object|embed|video)\b[^<>]*$",
    re.IGNORECASE,
)
IMAGE = re.compile(r"!\[[^\]]*\](\([^()]*(\([^()]*\)[^()]*)*\)|\[[^\]]*\])?")
LINK = re.compile(r"\[([^\[\]]*)\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\]]*\])")
DEFINITION = re.compile(r"^\s*\[[^\]]*\]:\s*\S+.*$", re.MULTILINE)
ADDRESS = re.compile(
    r"<?\b(?:[a-z][a-z0-9+.-]*://|(?:javascript|data|vbscript|file|mailto|blob):|www\.|//(?=[\w-]+\.))[^\s<>]+>?",
    re.IGNORECASE,
)
COMMAND = re.compile(r"\\[a-zA-Z]+\*?(\s*\{[^{}]*\})*")
DIRECTIVE = re.compile(r":[a-z][a-z-]*\[|:material/[\w-]*:|:streamlit:|:[a-z_]+:")
ID_IN_BRACKETS = re.compile(r"\s*\[\s*[A-Za-z]{2,}-?\d+[^\]]*\]")
ACTIVE = re.compile(
    r"//[\w.-]|\S@[\w-]+\.\w|\b[\w-]+\.(?:com|org|net|io|dev|test|example|invalid|info|biz|ru|cn|xyz)\b|"
    r"\w:/{1,2}|\bwww\.|\b(?:javascript|data|vbscript|mailto|blob|file):\S|!\[|\]\(|\]\[|\]:|"
    r"<\s*/?\s*(?:a|img|svg|script|style|iframe|form|input|link|meta|base|object|embed|video|audio|html|body)\b|"
    r"\bon[a-z]+\s*=\s*[\"'\w]|@import|\burl\(|\\[a-zA-Z]{3,}|:[a-z_]+/|:material|\$\$|\[[A-Z]{2,}-?\d",
    re.IGNORECASE,
)
ID = re.compile(r"\b[A-Z]{2,6}-\d{2,}\b", re.IGNORECASE)


def clean_sentence(text: str) -> str:
    """The text on one line as it would be read aloud: markup, links, addresses and invisible letters removed.

    Ids in brackets are removed too: what a sentence cites is shown from the checked list.
    """
    # What is taken out can leave new markup behind, put together from its two sides.
    for _ in range(ROUNDS):
        cleaned = _once(text)
        if cleaned == text:
            break
        text = cleaned
    return text


def _once(text: str) -> str:
    text = html.unescape(text)
    text = "".join(" " if letter.isspace() else letter for letter in text if _visible(letter))
    text = text.translate(BRACKETS)
    for pattern in (COMMENT, ELEMENT, IMAGE, DEFINITION):
        text = pattern.sub(" ", text)
    text = LINK.sub(r"\1", text)
    for pattern in (ADDRESS, TAG, COMMAND, DIRECTIVE, ID_IN_BRACKETS):
        text = pattern.sub(" ", text)
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split()))
    return text.lstrip("-*#>• ").strip()


def suspicious(text: str) -> bool:
    """Whether a cleaned sentence still holds something that a renderer might act on; such a sentence is not shown."""
    return bool(ACTIVE.search(text))


def foreign_ids(text: str, known: set[str], source: str) -> set[str]:
    """The id-like names in a sentence that are neither known entries nor words of its source."""
    spelt = unicodedata.normalize("NFKC", text).translate(DASHES)
    told = source.casefold()
    return {found for found in ID.findall(spelt) if found not in known and found.casefold() not in told}


def _visible(letter: str) -> bool:
    return letter.isspace() or (letter not in BLANK and unicodedata.category(letter) not in INVISIBLE)
