"""Text in markup is text, whatever it says."""

import pytest

from eval.markup import Markup, element, joined, style_sheet

HOSTILE = "<script>alert(1)</script>&\"'"


def test_text_is_escaped_and_markup_is_not() -> None:
    made = element("p", {"title": HOSTILE}, HOSTILE, element("b", None, "bold"))
    assert made == (
        '<p title="&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;">'
        "&lt;script&gt;alert(1)&lt;/script&gt;&amp;\"'<b>bold</b></p>"
    )


def test_markup_that_was_changed_as_text_is_text_again() -> None:
    assert element("p", None, element("b", None, "x") + HOSTILE) == element("p", None, f"<b>x</b>{HOSTILE}")
    assert "&lt;b&gt;" in element("p", None, str(element("b", None, "x")).strip())


def test_lists_are_put_in_one_after_the_other_and_nothing_is_left_out_for_none() -> None:
    assert joined(["a", None, ["b", 3]], element("br")) == "ab3<br />"
    assert isinstance(joined("a"), Markup)


def test_attributes_that_are_not_there_are_left_out() -> None:
    assert element("line", {"x1": 1.504, "y1": 2.0, "hidden": True, "class": None, "id": False}) == (
        '<line x1="1.5" y1="2" hidden />'
    )


@pytest.mark.parametrize("letter", ["\x00", "\x1b", "\u202e", "\u200b", "\ud800"])
def test_what_no_page_may_hold_is_left_out(letter: str) -> None:
    made = element("p", {"title": f"a{letter}b"}, f"a{letter}b")
    assert made == '<p title="ab">ab</p>'
    made.encode()


def test_a_style_sheet_cannot_end_itself() -> None:
    with pytest.raises(ValueError, match="style sheet"):
        style_sheet("a { } </style><script>")
