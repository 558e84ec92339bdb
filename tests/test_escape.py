"""Text for Streamlit's Markdown: what a parser and remark-gfm's second look at the text make of it.

A real parser reads what is escaped. What remark-gfm links in the text that is left is spelt out here,
as its own source has it; `tests/test_injection_page.py` shows the same in a browser.
"""

import random
import re
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ui.escape import markdown, plain

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
LINKED = re.compile(
    r"(?:https?://|www(?=\.))[-.\w]+[^ \t\r\n]*|(?:^|(?<=\W)|(?<=_))[-.\w+]+@[-\w]+(?:\.[-\w]+)+|"
    r":streamlit:|:material_\w+:",
    re.IGNORECASE,
)
ACTIVE = {"link_open", "image", "html_inline", "html_block"}


def tokens(source: str) -> Iterator[Token]:
    """Every token, inline ones too."""
    for token in PARSER.parse(source):
        yield token
        yield from token.children or []


def texts(source: str) -> list[str]:
    """The pieces of text that are looked through for addresses: what stands between other elements."""
    found = [""]
    for token in tokens(source):
        if token.type in {"text", "text_special"}:
            found[-1] += token.content
        elif token.type == "softbreak":
            found[-1] += "\n"
        elif token.type != "inline":
            found.append("")
    return found


def seen(source: str) -> str:
    """What a reader sees of one line."""
    return "".join(token.content for token in tokens(source) if token.type in {"text", "text_special", "code_inline"})


def active(source: str) -> list[str]:
    """What of it is more than text; Streamlit rewrites the name of an icon before anything is parsed."""
    source = source.replace(":material/", ":material_")
    found = [token.type for token in tokens(source) if token.type in ACTIVE]
    return found + [link[0] for text in texts(source) for link in LINKED.finditer(text)]


ADDRESSES = [
    "https://evil.test", "HTTP://EVIL.TEST/a_b?c=d&e=%20#f", "www.evil.test", "WWW.evil.test/x.", "me@evil.test",
    "mailto:me@evil.test?subject=x", "xmpp:me@evil.test", "me+you@a-b.evil.test", "_https://evil.test",
    "(see https://evil.test/a)", "“https://evil.test”", "https://evil.test,www.evil.test", "a@b.c@d.e", "www.", "www..",
    "https://", "https://evil.test/`code`", "`code`https://evil.test", "`code`https://evil.test`code`", "``https://a.b",
    "https://a.b``", "` https://a.b", "https://a.b `", "`https://a.b", "a`b https://a.b", "[x](https://evil.test)",
    "<https://evil.test>", "![](https://evil.test/a.png)", "<img src=https://evil.test>", "\\https://evil.test",
    "https\\://evil.test", "*https://evil.test*", "**me@evil.test**", "https://a|www.b.c|d@e.f", ":streamlit:",
    ":material_lock:", ":material/lock:", ":red[x]", "$x^2$", "&#104;ttps://evil.test", "me&#64;evil.test", "# a@b.c",
]  # fmt: skip


@pytest.mark.parametrize("text", ADDRESSES)
def test_no_address_becomes_a_link_and_all_of_it_is_seen(text: str) -> None:
    shown = plain(text)
    assert active(shown) == []
    assert seen(shown) in {text, text.replace("`code`", "code").replace("`c`", "c")}
    assert active(markdown(text)) == []
    assert (
        active(markdown(f"## A heading\n\n- {text}\n- `b` {text}\n\n| a | b |\n|---|---|\n| {text} | {text} |")) == []
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("recall@5 of 0.9, a/b and e.g. x@y", "recall\\@5 of 0\\.9\\, a\\/b and e\\.g\\. x\\@y"),
        ("see https://evil.test/a.", "see `https://evil.test/a`\\."),
        ("`fit(X)` comes first", "`fit(X)` comes first"),
        ("``a`b`` and `` ` ``", "``a`b`` and `` ` ``"),
        ("one\n two", "one two"),
    ],
)
def test_what_is_no_address_stays_text_and_code_stays_code(text: str, shown: str) -> None:
    assert plain(text) == shown


BITS = [
    "`", "``", "```", "~~~", "\n", "\n\n", " ", "|", "\\", "a", "- ", "> ", "    ", "|---|\n", ":-:\n", "# ", "1. ",
    "*", "https://a.b", "www.a.b", "m@a.b", "![](http://a.b/c)", "[x]: http://a.b\n", "[x]", "<b>", "<http://a.b>",
    "&#96;", "&#104;ttp://a.b", "&lt;", "$", ":red[", "]", ":streamlit:", ":material/lock:",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_no_mixture_of_backticks_fences_tables_and_addresses_gets_through(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(400):
        text = "".join(dice.choices(BITS, k=dice.randint(2, 14)))
        for shown in (plain(text), markdown(text), f"**{plain(text)}**"):
            assert active(shown) == [], (text, shown)


@pytest.mark.parametrize(
    "text",
    [
        "~~~\n```\n~~~\n![](http://a.b)\n```",
        "````\n```\n````\n![](http://a.b)\n```",
        " ```\n```\n![](http://a.b)\n```",
        "- a\n  ```\n![](http://a.b)\n  ```",
        "para\n\n    ```\n![](http://a.b)\n    ```",
        "| a | b |\n|---|---|\n| `x | ![](http://a.b) ` |",
        "`\n`a` ![](http://a.b) `",
        "> ```\n![](http://a.b)\n```",
        "```\n![](http://a.b)",
    ],
)
def test_nothing_passes_for_code_that_a_parser_would_not_take_for_code(text: str) -> None:
    assert active(markdown(text)) == []


ENTRY = """\
## Answer

Use **bold** and `a*b`, $5 and `two
words`.

- One `x|y`.
  ```python
  first = 1
      second = "`"
  ```

| a | b |
|---|---|
| `c` | *d* |

```mermaid
graph TD
```

A &lt; B, AT&T and &amp;copy; are text.
"""


def test_an_entry_keeps_its_headings_lists_tables_and_code() -> None:
    found = list(tokens(markdown(ENTRY)))
    kinds = [token.type for token in found]
    assert [token.tag for token in found if token.type == "heading_open"] == ["h3"]
    assert kinds.count("list_item_open") == 1
    assert kinds.count("table_open") == 1
    assert [token.content for token in found if token.type == "code_inline"] == ["a*b", "two words", "x|y", "c"]
    fences = [(token.info, token.content) for token in found if token.type == "fence"]
    assert fences == [("python", 'first = 1\n    second = "`"\n'), ("", "graph TD\n")]
    assert kinds.count("strong_open") == 1
    assert "A < B, AT&T and &copy; are text." in texts(markdown(ENTRY))
