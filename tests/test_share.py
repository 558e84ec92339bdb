"""An answer and a conversation as text to paste and to keep."""

from datetime import datetime

from rag.types import Answer, Claim, Source
from ui.share import answer_text, conversation_markdown

WHEN = datetime(2026, 11, 22, 9, 30)
CLAIM = Claim("Clip the gradient.", ("SCN-09",), 1.0, "Clip the gradient.")
OTHER = Claim("Lower the rate.", ("SCN-09", "FND-02"), 0.9, "Lower the rate.")
SOURCES = (Source("SCN-09", "Exploding gradients", "scenarios"), Source("FND-02", "Rates", "foundations"))


def an_answer(**values: object) -> Answer:
    filled = {
        "question": "Why NaN?", "standalone_question": "Why NaN?", "status": "answered", "claims": (CLAIM, OTHER),
        "sources": SOURCES, "retrieved": ("SCN-09", "FND-02"), "model": "quote",
    }  # fmt: skip
    return Answer(**{**filled, **values})  # type: ignore[arg-type]


def refused(**values: object) -> Answer:
    return an_answer(status="not_covered", claims=(), sources=(), message="The guides don't cover this.", **values)


def test_a_pasted_answer_has_each_sentence_with_its_ids_and_names_its_sources() -> None:
    assert answer_text(an_answer(message="A part is open.")).splitlines() == [
        "Clip the gradient. [SCN-09]",
        "Lower the rate. [SCN-09] [FND-02]",
        "A part is open.",
        "",
        "Sources",
        "SCN-09 Exploding gradients (scenarios)",
        "FND-02 Rates (foundations)",
    ]


def test_a_pasted_refusal_is_its_message_alone() -> None:
    assert answer_text(refused()) == "The guides don't cover this."


def test_a_pasted_answer_carries_no_control_characters() -> None:
    claim = Claim("A\u202eB\x1b[31m", ("SCN-09",), 1.0, "")
    assert answer_text(an_answer(claims=(claim,), sources=())) == "AB[31m [SCN-09]"


def test_a_kept_conversation_has_every_turn_in_order_with_who_wrote_it() -> None:
    text = conversation_markdown([an_answer(), refused(question="Capital of France?")], WHEN)
    assert text.startswith("# ML interview tutor\n\nKept on 2026-11-22 at 09:30.\n\n## Why NaN?\n")
    assert "Quoted from the guides:\n\n- Clip the gradient. [SCN-09]\n- Lower the rate. [SCN-09] [FND-02]\n" in text
    assert text.index("## Why NaN?") < text.index("## Capital of France?")
    assert "Not covered. The guides don't cover this." in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_a_kept_turn_says_how_it_was_understood_and_what_was_left_out_beside_it() -> None:
    answer = an_answer(
        standalone_question="Why is the loss NaN?", status="partial", message="One part is open.", model="small",
        quoted=(CLAIM,), dropped_claims=(Claim("Reboot.", (), 0.0, ""),), related=SOURCES[1:], notices=("Slow.",),
    )  # fmt: skip
    text = conversation_markdown([answer], WHEN)
    for part in (
        "Understood as: Why is the loss NaN?",
        "Covered in part. One part is open.",
        "Written by small, each sentence checked against the entry it names:",
        "The guides' own words:\n\n- Clip the gradient. [SCN-09]",
        "Related, not an answer:\n\n- FND-02 Rates (foundations)",
        "Left out, the guides don't support it:\n\n- Reboot.",
        "Note: Slow.",
    ):
        assert part in text, part


def test_sentences_that_gave_way_to_the_guides_words_are_kept_apart_from_those_left_out() -> None:
    dropped = (Claim("Reboot.", (), 0.0, ""), Claim("Clip always.", (), 0.4, "Clip the gradient."))
    text = conversation_markdown([an_answer(model="small", dropped_claims=dropped)], WHEN)
    assert "Left out, the guides don't support it:\n\n- Reboot.\n\n" in text
    assert "Replaced by the guides' own words:\n\n- Clip always.\n" in text


def test_what_is_said_with_a_whole_answer_and_the_readings_of_its_question_are_kept() -> None:
    text = conversation_markdown([an_answer(message="Did you mean “one”?", choices=("one", "*two*"))], WHEN)
    assert "Did you mean “one”?" in text
    assert r"It can be read as:" + "\n\n" + r"- \*two\*" + "\n" in text


def test_nothing_anybody_says_is_markup_in_a_kept_conversation() -> None:
    hostile = "![x](http://evil.test/a) <img src=x> `code` # no\n## Heading\n- item | *bold* [SCN-99]"
    claim = Claim(hostile, ("SCN-09",), 1.0, "")
    text = conversation_markdown([an_answer(question=hostile, claims=(claim,), model="<b>m</b>")], WHEN)
    inert = r"\!\[x\](http://evil.test/a) \<img src=x\> \`code\` \# no \#\# Heading - item \| \*bold\* \[SCN-99\]"
    assert f"## {inert}" in text
    assert f"- {inert} [SCN-09]" in text
    assert r"Written by \<b\>m\</b\>" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [f"## {inert}"]
