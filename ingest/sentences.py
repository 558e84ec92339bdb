"""Prose to sentences, without cutting at abbreviations, decimals or inside code."""

import re

ABBREVIATIONS = {"e.g.", "i.e.", "vs.", "cf.", "approx.", "fig.", "eq.", "dr.", "mr.", "ms."}
EMPHASIS = re.compile(r"`[^`]*`|(?<!\*)\*{1,2}(?=\S)((?:`[^`]*`|[^`])+?)(?<=\S)\*{1,2}")
"""Code is matched first, so that the asterisks of a formula stay."""
BOUNDARY = re.compile(r"[.?!][\"')\]]*\s+(?=[\"'(\[`]?[A-Z0-9`])")


def split_sentences(text: str) -> list[str]:
    """The sentences of one paragraph, white space folded."""
    text = " ".join(text.split())
    sentences = []
    start = 0
    for match in BOUNDARY.finditer(text):
        before = text[start : match.end()].rstrip()
        if before.lower().rsplit(" ", 1)[-1].lstrip("(") in ABBREVIATIONS or before.count("`") % 2:
            continue
        sentences.append(before)
        start = match.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def plain(markdown: str) -> str:
    """A sentence as shown: without marks of emphasis, code names kept in their backticks."""
    return EMPHASIS.sub(lambda found: found[0] if found[1] is None else found[1], markdown)
