"""A sentence of a user's document as it is shown: no links, images or markup; formulas and code stay as they are.

Its quote stays the passage of the document. What guides say is written by hand and shown as it is.
"""

import html
import re
import unicodedata

from ingest.mend import strip_invisible
from rag.clean import ADDRESS, COMMENT, ELEMENT, IMAGE, LONGEST, only_ids

VERSION = 1
"""Raised whenever the same sentence would be shown otherwise; indexes that hold documents are then rebuilt."""

ROUNDS = 6
SPECIAL = re.compile(r"[<\[\\&$:]|//|www\.", re.IGNORECASE)
"""Without any of these a sentence has nothing to take out."""
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
MATHS = re.compile(r"\$\$.+?\$\$|\$(?![\s$])[^$]+?(?<![\s$])\$(?!\d)|\\\(.+?\\\)|\\\[.+?\\\]")
# The commands of TeX that load or link something, or write HTML.
LINKING = r"\\(?:href|url|includegraphics|html(?:Class|Id|Style|Data))\b\s*(?:\[[^\]]*\])?(?:\s*\{[^{}]*\})*"
COMMAND = re.compile(rf"\$\s*{LINKING}\s*\$|{LINKING}")
SHORT = "a|b|i|p|q|s|u"
LONG = (
    "abbr|address|applet|area|article|aside|audio|base|bdi|bdo|blockquote|body|br|button|canvas|caption|center|cite|"
    "code|col|data|dd|del|details|dfn|dialog|div|dl|dt|em|embed|fieldset|figure|font|footer|form|frame|frameset|h[1-6]|"
    "head|header|hr|html|iframe|img|input|ins|kbd|label|legend|li|link|main|map|mark|marquee|math|menu|meta|nav|"
    "noscript|object|ol|option|output|param|picture|pre|progress|samp|script|section|select|slot|small|source|span|"
    "strike|strong|style|sub|summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|time|title|tr|track|tt|"
    "ul|var|video|wbr|xmp"
)
TAG = re.compile(
    rf"<\s*/?\s*(?:(?:{LONG})(?![\w-])[^<>]*|(?:{SHORT})\s*/?|(?:{SHORT})\s[^<>]*=[^<>]*)>|"
    r"</?[a-z][^<>]*[\s/](?:on\w+|style|src|href)\s*=[^<>]*>|<[!?][a-z-][^<>]*>|"
    r"<\s*(?:img|svg|script|style|iframe|form|input|link|meta|base|object|embed|video|audio)(?![\w-])[^<>]*$",
    re.IGNORECASE,
)
TARGET = r"\((?:[^()]|\([^()]*\))*\)"
LINK = re.compile(rf"(?<![\w)\]])\[([^\[\]]*)\]{TARGET}|\[([^\[\]]*)\](?=\([^()\s]*[:/.#<])(?:{TARGET})")
REFERENCE = re.compile(r"(?<![\w\]])\[([^\[\]]*[^\W\d_]{2}[^\[\]]*)\]\[[^\[\]]*\]")
DEFINITION = re.compile(r"^\s*\[[^\[\]]+\]:\s*\S+.*$")
AUTOLINK = re.compile(r"<(?:[a-z][a-z0-9+.-]{1,31}:[^\s<>]*|[\w.+-]+@[\w.-]+)>", re.IGNORECASE)
COLOURED = re.compile(r":[a-z][a-z-]*\[([^\[\]]*)\]")
SHORTCODE = re.compile(r":material/\w*:|(?<!\w):[a-z_+-]+:(?!\w)")
BRACKETS = re.compile(r"[\[［【〔〖]([^\[\]［］【】〔〕〖〗]{1,80})[\]］】〕〗]")
BROKEN = re.compile(r"\bon[a-z]{4,}\s*=\s*[\"'\w][^<>]*>|\bjavascript:|!\[|\]\(\s*\S*:", re.IGNORECASE)
"""Half of something that the end of a sentence cut in two."""
UNSEEN = {"Cc", "Cn", "Co", "Cs"}
GONE, HELD = "\ue000", "\ue001"
"""Letters no document has: what stood here was taken out; what stands here is kept as it is."""


def shown(text: str) -> str:
    """A sentence, or a row of a table, as it is shown; empty when it is not to be shown at all."""
    kept: list[str] = []

    def hold(found: re.Match[str]) -> str:
        if found.re is MATHS and _acts(found[0]):
            return found[0]
        kept.append(found[0])
        return f"{HELD}{len(kept) - 1}{HELD}"

    if len(text) > LONGEST:
        return ""
    text = _seen(text)
    if not SPECIAL.search(text):
        return text if any(letter.isalnum() for letter in text) else ""
    for pattern in (CODE, MATHS):
        text = pattern.sub(hold, text)
    for _ in range(ROUNDS):
        cleaned = _once(text)
        if cleaned == text:
            break
        text = cleaned
    if BROKEN.search(text) or not any(letter.isalnum() for letter in text):
        return ""
    return re.sub(f"{HELD}(\\d+){HELD}", lambda found: kept[int(found[1])], text)


def _once(text: str) -> str:
    """What is taken out can leave new markup behind, put together from its two sides."""
    text = ENTITY.sub(lambda found: _seen(html.unescape(found[0])), text)
    for pattern in (COMMENT, ELEMENT, IMAGE, DEFINITION):
        text = pattern.sub(GONE, text)
    text = LINK.sub(lambda found: found[1] or found[2] or "", text)
    text = COLOURED.sub(r"\1", REFERENCE.sub(r"\1", text))
    for pattern in (COMMAND, AUTOLINK, ADDRESS, TAG, SHORTCODE):
        text = pattern.sub(GONE, text)
    text = BRACKETS.sub(lambda found: GONE if only_ids(found[1]) else found[0], text)
    text = re.sub(rf"\s*{GONE}[\s{GONE}]*(?=[.,;:!?)]|$)", "", text)
    return re.sub(rf"\s*{GONE}[\s{GONE}]*", " ", text).strip()


def _acts(text: str) -> bool:
    """Whether a formula holds something that a page could follow or run."""
    patterns = (COMMAND, ADDRESS, TAG, IMAGE, AUTOLINK, COMMENT, SHORTCODE)
    return any(pattern.search(text) for pattern in patterns)


def _seen(text: str) -> str:
    """The text without letters that nobody sees, and without those that are marks here."""
    text, _ = strip_invisible(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter for letter in text if unicodedata.category(letter) not in UNSEEN)
