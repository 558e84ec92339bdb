"""What a language model writes, made a plain sentence: no markup, no links, nothing invisible.

Every page escapes what it shows as well. This is the first of two locks: after it, a sentence holds
nothing that a page, a terminal or a person could follow or be misled by.
"""

import html
import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

BRACKETS = str.maketrans("［］【】〔〕〖〗", "[][][][]")
ROUNDS = 6
LONGEST = 4000
"""Letters of a sentence at the most; what is longer is none, and could be made to take minutes to clean."""
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
LEADING = re.compile(r"^(?:[-*]\s+|•\s*|#{1,6}\s+|>\s*(?=[^\W\d_]))+")
"""Marks of lists, headings and quotations; a minus or a "greater than" belongs to what follows it."""
STRONG = re.compile(r"(?<![\w*`])\*\*(?=[^\s*])(.+?)(?<=[^\s*])\*\*(?![\w*`])")
GUIDES = frozenset({"BEH", "COD", "CON", "DSN", "FND", "LLM", "PLN", "QNA", "REF", "SCN", "SNP", "STR"})
"""How the ids of the guides' entries begin."""
SHAPE = re.compile(r"(?<![\w-])[A-Z]{2,6}\d?-\d{2,}(?!\w)")
"""What an id of any other beginning looks like."""
KNOWN = re.compile(r"([A-Z]+\d*)-(\d+)")
LOOKALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХԌԚԜасеѕіјорхуԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹονϲՏᎠᎡᎢᎪᎫᎬᎳᎷᎻᎽᏀᏃᏙᏚᏞᏟᏢᏦᏴꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ"
    "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "ABESIJKMHOPCTYXGQWacesijopxydqwABEZHIKMNOPTYXCovcSDRTAJEWMHYGZVSLCPKBBPDTGKJCZFMNLSRVHWXYAEIOU"
    "ABCDEFGHIJKLMNOPRSTUVWYZ",
)
"""Letters of other scripts, and small capitals, that are read as Latin ones."""
LOOKALIKES |= {first + place: ord("A") + place for first in (0x1F150, 0x1F170, 0x1F1E6) for place in range(26)}


def clean_sentence(text: str) -> str:
    """The text on one line as it would be read aloud: markup, links, addresses and invisible letters removed.

    Ids in brackets are removed too: what a sentence cites is shown from the checked list. Nothing is left of
    a text of more than 4,000 letters.
    """
    if len(text) > LONGEST:
        return ""
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
    return STRONG.sub(r"\1", LEADING.sub("", text)).strip()


def suspicious(text: str) -> bool:
    """Whether a cleaned sentence still holds something that a renderer might act on; such a sentence is not shown."""
    return bool(ACTIVE.search(text))


def foreign_ids(text: str, known: Collection[str], source: str, prefixes: Collection[str] = ()) -> set[str]:
    """The entries a sentence names, however they are spelt, that are neither known nor named in its source.

    Args:
        text: the sentence.
        known: ids that it may name.
        source: what the cited entries say.
        prefixes: beginnings of ids in use besides those of the guides and of `known`.

    Returns:
        The ids as they are written in full, such as `SCN-14` for "scn 14".
    """
    parts = [found for entry_id in known if (found := KNOWN.fullmatch(entry_id))]
    used = frozenset({*GUIDES, *(prefix.upper() for prefix in prefixes), *(found[1] for found in parts)})
    allowed = {_full(found[1], found[2]) for found in parts} | _named(source, used)
    told = _squeezed(source)
    others = {found for found in SHAPE.findall(spelt(text)) if found.split("-")[0] not in used}
    return (_named(text, used) - allowed) | {found for found in others if _squeezed(found) not in told}


def only_ids(text: str) -> bool:
    """Whether a text, such as what stands between brackets, is nothing but ids of entries."""
    rest = _spellings(GUIDES).sub("", SHAPE.sub("", spelt(text)))
    return rest != spelt(text) and not any(letter.isalnum() for letter in rest)


def spelt(text: str) -> str:
    """The text as it is read: Latin letters, plain digits and hyphens, no accents, nothing invisible."""
    # Twice: some lookalikes are taken for yet another letter by the first step, some only come out of it.
    folded = unicodedata.normalize("NFKD", text.translate(LOOKALIKES)).translate(LOOKALIKES)
    seen = (letter for letter in folded if _visible(letter) and unicodedata.category(letter) != "Mn")
    return "".join(map(_plain, seen))


def _plain(letter: str) -> str:
    digit = unicodedata.digit(letter, None)
    return str(digit) if digit is not None else "-" if letter == "−" or unicodedata.category(letter) == "Pd" else letter


def _named(text: str, prefixes: frozenset[str]) -> set[str]:
    found = _spellings(prefixes).finditer(spelt(text))
    return {_full(match["tight"] or match["loose"], match["number"] or match["apart"]) for match in found}


@lru_cache(maxsize=64)
def _spellings(prefixes: frozenset[str]) -> re.Pattern[str]:
    """Ids with these beginnings: `SCN14`, `scn_14`, `SCN-**14**`; apart (`SCN 14`) only with two digits or more."""
    names = "|".join(sorted(map(re.escape, prefixes), key=len, reverse=True))
    tight = rf"(?P<tight>{names})(?:(?:[^\w\s]|_){{1,3}}|(?=\d+(?![^\W_])))(?P<number>\d{{1,4}})(?!\d)"
    loose = rf"(?P<loose>{names})[^\w.,;!?]{{1,4}}(?P<apart>\d{{2,4}})(?![\w%]|[.,]\d)"
    return re.compile(rf"(?<![^\W_])(?:{tight}|{loose})", re.IGNORECASE)


def _full(prefix: str, number: str) -> str:
    return f"{prefix.upper()}-{int(number):02}"


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]+", "", spelt(text)).casefold()


def _visible(letter: str) -> bool:
    return letter.isspace() or (letter not in BLANK and unicodedata.category(letter) not in INVISIBLE)
