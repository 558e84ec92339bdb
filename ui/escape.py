"""Text for Streamlit's Markdown that shows as written: no markup, no maths, no links, no images."""

import re

PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
# Only where CommonMark is bound to see code too: runs of one backtick, and fences on lines of their own.
SPAN = r"(?<!`)`(?!`)[^`\n]+(?<!`)`(?!`)"
CODE_SPAN = re.compile(f"({SPAN})")
CODE = re.compile(rf"(^```[^\n`]*\n.*?^```[ ]*$|{SPAN})", re.DOTALL | re.MULTILINE)


def plain(text: str) -> str:
    """Text in which nothing is Markdown except code names between backticks."""
    parts = CODE_SPAN.split(" ".join(text.split()))
    return "".join(part if index % 2 else PUNCTUATION.sub(r"\\\1", part) for index, part in enumerate(parts))


def markdown(text: str) -> str:
    """An entry's own Markdown, its headings one level lower than in the file.

    What Streamlit adds to Markdown (maths, colours, icons), HTML, links and images are off.
    """
    parts = CODE.split(text)
    return "".join(part if index % 2 else _prose(part) for index, part in enumerate(parts))


def _prose(text: str) -> str:
    lowered = re.sub(r"^##(?=#* )", "###", text, flags=re.MULTILINE)
    return re.sub(r"([$<\[\]\\]|:(?=\w))", r"\\\1", lowered)
