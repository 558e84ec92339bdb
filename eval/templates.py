"""Questions made of an entry's own words, by rules: headings, key points and first sentences in the shape of asking.

English rules over one sentence at a time. They are drafts for a person to read: a rule that does not fit is
left out, rather than bent.
"""

import re
import zlib
from collections.abc import Callable, Iterator

from ingest.sentences import plain, split_sentences
from rag.types import Entry

LONGEST = 18
"""Words of a question at the most; what is longer is an answer in disguise."""
PART = re.compile(r"\s*\((?:\d+ of \d+|p\. \d+)\)")
LABEL = re.compile(
    r"^(?:scenario|question|q|story|topic|chapter|section)\s*\d+\s*[:.)\-–—]+\s*|^\d+(?:\.\d+)*[.):]?\s+", re.I
)
PLAN = re.compile(r"^(?:(?P<of>.+): )?(?P<unit>part|day|week|month|phase|step|stage|module)\s+(?P<number>\d+)\b", re.I)
IMPERATIVE = re.compile(
    r"^(?:tell|describe|explain|give|walk|design|implement|write|compare|discuss|define|name|list|outline|sketch|show)\b",
    re.I,
)
VERSUS = re.compile(r"^(?P<a>.+?)\s+(?:vs\.?|versus)\s+(?P<b>[^,;:]+)$", re.I)
HOW_TO = re.compile(r"^how to (?P<do>.+)$", re.I)
WHEN_TO = re.compile(r"^(?P<word>when|where) to (?P<do>.+)$", re.I)
WHY = re.compile(r"^why (?P<rest>(?!do\b|does\b|did\b|is\b|are\b|can\b|should\b|not\b).+)$", re.I)
DOING = re.compile(r"^(?P<doing>[A-Za-z]{2,}ing) (?P<rest>(?:the|a|an|your|with|for|of|from|to|in)\b.*)$")
NOUNS = {
    "training", "learning", "testing", "scaling", "sampling", "clustering", "pricing", "monitoring", "logging",
    "caching", "smoothing", "stacking", "bagging", "boosting", "prompting", "serving", "string", "during",
}  # fmt: skip
"""Words in -ing that head a noun phrase more often than they say what somebody does."""
COLON = re.compile(r"^(?P<of>[^:]{3,60}): (?P<what>[^:]{3,})$")
WH = re.compile(r"^(?:which|what|who|whose|whether) ", re.I)
DETERMINED = re.compile(r"(?:the|an?|your) ")
GENERIC = {
    "introduction", "overview", "summary", "conclusion", "background", "notes", "appendix", "references", "preface",
    "abstract", "contents", "table of contents", "acknowledgements", "further reading", "about", "misc", "other",
}  # fmt: skip
"""Headings that ask for nothing."""
STARTS = re.compile(
    r"^(?:it|this|that|these|those|they|he|she|we|you|i|there (?!are)|here|also|but|and|so|then|however|therefore|thus|"
    r"for example|for instance|in this|as above|such|both|each|another|one|most|many|some|all|the same)\b",
    re.I,
)
"""A sentence that begins like this leans on the one before it."""
SPECIFIC = re.compile(r"^(?:[A-Z][\w-]*[A-Z0-9][\w-]*|[A-Z](?![a-z]))")
LEANS = re.compile(r"\b(?:it|its|they|them|their|these|those|this|such)\b", re.I)
"""A question that holds such a word asks about a sentence nobody sees."""
END = r"(?=[,.;:]|$)"
SENTENCE_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^To (?P<a>[a-z][^,]{4,70}), (?!and\b|or\b)"), "How do I {a}?"),
    (re.compile(r"^(?:If|When|Whenever) (?P<a>[^,]{6,80}), (?!and\b|or\b)"), "What should I do or expect when {a}?"),
    (re.compile(r"^(?:Use|Choose|Prefer|Pick) (?P<a>[^,.;:]{3,50}?) (?:when|if|where) "), "When should I use {a}?"),
    (re.compile(rf"^(?:Use|Choose|Prefer|Pick|Apply) [^,.;:]{{3,60}}? to (?P<a>[a-z]+ [^,.;:]{{3,60}}){END}"),
     "What can I use to {a}?"),
    (re.compile(r"^(?:Never|Do not|Don't) (?P<a>[a-z][^,.;:]{4,60}?)(?:,? because|, since|, as)\b"),
     "Why should I not {a}?"),
    (re.compile(r"^(?P<a>(?:[A-Z]\w+) (?:the|an?|your|all|each|every|both|again|down|out|up|from|for|at|with|only|one|"
                r"several) [^,.;:]{3,60}?),? because (?!of\b)"), "Why should I {a}?"),
    (re.compile(r"^(?P<a>[A-Z][^,.;:]*? (?:is|are|has|have|can|cannot|must|may|should|needs?|do|does) [^,.;:]{2,60}?)"
                r",? because (?!of\b)"), "Why is it that {a}?"),
    (re.compile(r"^(?P<a>(?:[A-Z][\w-]*s [a-z]+|[A-Z][\w-]*(?: [\w-]+){0,4} [a-z]+s (?:the|an?|more|less)"
                r"\b[^,.;:]{2,60}?)),? because (?!of\b)"), "Why is it that {a}?"),
    (re.compile(rf"^There are \w+ (?:main |common |basic )?(?P<a>(?:kinds|types|ways|forms|sources) (?:of|to) "
                rf"[^,.;:()]{{3,50}}){END}"), "Which {a} are there?"),
    (re.compile(r"^(?P<a>(?!The )[A-Z][\w-]*(?: [\w-]+){0,3}) is (?:an?|the) (?:[a-z-]+ ){0,3}[a-z-]+ "
                r"(?:that|which|of|for|where|in|between|with|from|to)\b"), "What is {a}?"),
    (re.compile(r"^(?P<a>(?!The )[A-Z][\w-]*(?: [\w-]+){0,3}) are (?:the )?(?:[a-z-]+ ){0,3}[a-z-]+ (?:that|which)\b"),
     "What are {a}?"),
    (re.compile(rf"^[A-Z][^,.;:()]{{2,50}}? (?P<verb>prevents|reduces|improves|detects|measures|limits|avoids|"
                rf"increases|hides|removes) (?P<a>[^,.;:()]{{3,80}}){END}"), "What {verb} {a}?"),
    (re.compile(rf"^[A-Z][^,.;:()]{{2,50}}? (?:causes|leads to|results in) (?P<a>[^,.;:()]{{3,80}}){END}"),
     "What can lead to {a}?"),
)  # fmt: skip
"""A sentence's shape and the question it answers, the most telling first."""
HEADING_FORMS = ("Can you explain {a}?", "What should I know about {a}?", "How would you explain {a} in an interview?")


def template_questions(entry: Entry) -> Iterator[tuple[str, str]]:
    """Questions an entry answers with where each comes from, the least like the entry's own question first."""
    for source, text in [*(("key point", point) for point in entry.key_points), *_first_sentences(entry)]:
        if question := from_sentence(text):
            yield question, source
    for follow_up in entry.follow_ups:
        if question := from_heading(follow_up.question, entry.id):
            yield question, "follow-up"
    for text in (entry.question, entry.title):
        if question := from_heading(text, entry.id):
            yield question, "heading"


def _first_sentences(entry: Entry) -> Iterator[tuple[str, str]]:
    """The first sentence of each paragraph and list item of the answer; code, tables and headings are left out."""
    fenced = False
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)]) )|\n(?=```)|(?<=```)\n", entry.answer):
        text = block.strip()
        fenced ^= text.count("```") % 2 == 1
        if fenced or "```" in text or text.startswith(("#", "|", ">", "    ")):
            continue
        sentences = split_sentences(plain(re.sub(r"^(?:[-*+]|\d+[.)])\s+", "", text)))
        if sentences:
            yield "sentence", sentences[0]


def from_sentence(text: str) -> str:
    """The question that a sentence answers; empty when no rule fits it."""
    text = " ".join(plain(text).split())
    if STARTS.match(text):
        return ""
    for pattern, form in SENTENCE_RULES:
        found = pattern.match(text)
        if not found:
            continue
        parts = {name: _inner(value) for name, value in found.groupdict().items()}
        question = form.format(**parts)
        return question if _usable(question) and not LEANS.search(question.replace("Why is it that", "")) else ""
    return ""


def from_heading(text: str, name: str = "") -> str:
    """A heading as a question; empty when it asks for nothing.

    Args:
        name: decides between forms that do equally well.
    """
    text = LABEL.sub("", PART.sub("", " ".join(plain(text).split()))).strip()
    if not text or text.casefold().strip(" .:") in GENERIC:
        return ""
    if text.endswith("?") or IMPERATIVE.match(text):
        return text if _usable(text) else ""
    text = text.rstrip(" .:;,…")
    question = f"{text}?" if WH.match(text) else _shaped(text)
    if not question:
        form = HEADING_FORMS[zlib.crc32(f"{name} {text}".encode()) % len(HEADING_FORMS)]
        question = form.format(a=_inner(text))
    return question if _usable(question) else ""


def _shaped(text: str) -> str:
    """A heading whose shape says what it asks."""
    rules: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (PLAN, lambda found: _plan(found)),
        (VERSUS, lambda found: f"What is the difference between {_inner(found['a'])} and {_inner(found['b'])}?"),
        (HOW_TO, lambda found: f"How do I {found['do']}?"),
        (WHEN_TO, lambda found: f"{found['word'].capitalize()} should I {found['do']}?"),
        (WHY, lambda found: f"Why is it that {found['rest']}?"),
        (COLON, lambda found: f"{found['of']}: what should I know about {_inner(found['what'])}?"),
        (DOING, lambda found: "" if found["doing"].lower() in NOUNS and not DETERMINED.match(found["rest"])
            else f"What matters when {_inner(found['doing'])} {found['rest']}?"),
    )  # fmt: skip
    for pattern, made in rules:
        if (found := pattern.match(text)) and (question := made(found)):
            return question
    return ""


def _plan(found: re.Match[str]) -> str:
    of = f" of {_inner(found['of'])}" if found["of"] else " of the plan"
    return f"What comes in {found['unit'].lower()} {found['number']}{of}?"


def _inner(text: str) -> str:
    """A text as it stands inside a sentence: names and abbreviations keep their capitals."""
    text = text.strip(" .:;,")
    first = text.split(" ", 1)[0]
    if first in {"A", "I"}:
        return text if first == "I" else text[:1].lower() + text[1:]
    return text if SPECIFIC.match(first) or not first[1:].islower() else text[:1].lower() + text[1:]


def _usable(question: str) -> bool:
    words = question.split()
    return 3 <= len(words) <= LONGEST and question.count("`") % 2 == 0 and question.count("(") == question.count(")")
