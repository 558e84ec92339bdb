"""What counts as a question and what of a conversation is used: white space folded, what is not text refused."""

import pytest

from rag.errors import QuestionError
from rag.question import clean_question, clean_turns
from rag.types import Turn


@pytest.mark.parametrize(
    ("question", "cleaned"),
    [
        ("What is drift?", "What is drift?"),
        ("  What\n\n is\tdrift?\r\n", "What is drift?"),
        ("\u00a0PSI\u2003?", "PSI ?"),
        ("7", "7"),
        ("什么是数据漂移？", "什么是数据漂移？"),
        ("why 🤔 does it drift?", "why 🤔 does it drift?"),
        ("<b>a && b</b>; DROP TABLE", "<b>a && b</b>; DROP TABLE"),
        ("zero\u200bwidth", "zero\u200bwidth"),
    ],
)
def test_text_is_taken_with_its_white_space_folded(question: str, cleaned: str) -> None:
    assert clean_question(question, 100) == cleaned


@pytest.mark.parametrize("question", ["", " ", "\n\t \u3000", "?", "?!… —", "🤔", "\u200b\u200b", " " * 20_000])
def test_a_question_without_a_letter_or_digit_is_empty(question: str) -> None:
    with pytest.raises(QuestionError, match="The question is empty") as caught:
        clean_question(question, 100)
    assert 'tutor ask "What is data drift?"' in caught.value.cure


@pytest.mark.parametrize(
    "question",
    ["drift \x00", "\x1b[31mdrift", "drift\x7f", "dr\x08ift", "drift\x85", "drift \ud800", "\udce9t\udce9", "\x07"],
)
def test_control_characters_and_lone_surrogates_are_not_text(question: str) -> None:
    with pytest.raises(QuestionError, match="The question contains control characters or bytes that") as caught:
        clean_question(question, 100)
    assert caught.value.cure == "Type it as plain text (UTF-8)."
    caught.value.message.encode()


def test_a_question_too_long_names_its_length_the_limit_and_the_setting() -> None:
    with pytest.raises(QuestionError, match="has 20,000 characters; at most 2,000 are read") as caught:
        clean_question("a" * 20_000, 2000)
    assert "TUTOR_QUESTION_LIMIT" in caught.value.cure


def test_a_question_as_long_as_the_limit_is_taken_and_white_space_does_not_count() -> None:
    assert clean_question("a" * 50 + " " * 900 + "b" * 49, 100) == "a" * 50 + " " + "b" * 49
    with pytest.raises(QuestionError, match="has 101 characters"):
        clean_question("a" * 101, 100)


def said(*texts: str) -> list[Turn]:
    return [Turn("assistant", text) for text in texts]


def asked(*texts: str) -> list[Turn]:
    return [Turn("user", text) for text in texts]


@pytest.mark.parametrize(
    ("reply", "used"),
    [
        ("Drift  is\n\na change.\t[FND-03]\r\n", "Drift is a change. [FND-03]"),
        ("\x1b[2Jdrift\x00 is\x07", "[2Jdrift is"),
        ("half \ud83d of a character \udce9", "half of a character"),
        ("\ud83d\x00", ""),
        ("🎓 Größe ≥ 3\u200b", "🎓 Größe ≥ 3\u200b"),
    ],
)
def test_a_reply_is_used_without_what_is_no_text(reply: str, used: str) -> None:
    assert clean_turns(said(reply), 100, 20) == said(used)


def test_a_long_reply_is_cut_and_a_short_one_stays_whole() -> None:
    assert clean_turns(said("a" * 400), 100, 20) == said("a" * 400)
    assert clean_turns(said("a" * 401, " b" * 100_000), 100, 20) == said("a" * 400, " ".join("b" * 200))


@pytest.mark.parametrize("question", ["drift \x00", "\x1b[31mdrift", "drift \ud800"])
def test_an_earlier_question_that_is_not_text_is_refused(question: str) -> None:
    with pytest.raises(QuestionError, match="An earlier turn contains control characters") as caught:
        clean_turns([*asked("What is drift?"), *said("A change."), *asked(question)], 100, 20)
    assert caught.value.cure == "Type it as plain text (UTF-8)."


def test_an_earlier_question_that_is_too_long_names_the_setting() -> None:
    assert clean_turns(asked("a" * 100 + "\n" * 900), 100, 20) == asked("a" * 100)
    with pytest.raises(QuestionError, match="An earlier turn has 101 characters; at most 100 are read") as caught:
        clean_turns(asked("a" * 101), 100, 20)
    assert "TUTOR_QUESTION_LIMIT" in caught.value.cure


def test_an_earlier_question_may_be_empty_and_has_its_white_space_folded() -> None:
    assert clean_turns(asked("", " What\n is  drift?\t"), 100, 20) == asked("", "What is drift?")


@pytest.mark.parametrize(("turns", "kept"), [(0, ""), (1, "d"), (3, "bcd"), (4, "abcd"), (20, "abcd")])
def test_only_the_latest_turns_are_used_in_their_order(turns: int, kept: str) -> None:
    history = [*asked("a"), *said("b"), *asked("c"), *said("d")]
    assert "".join(turn.text for turn in clean_turns(history, 100, turns)) == kept


def test_what_is_no_longer_used_is_not_judged() -> None:
    assert clean_turns(asked("\x00", "a" * 500, "What is drift?"), 100, 1) == asked("What is drift?")


def test_the_conversation_itself_stays_as_it_was() -> None:
    history = [*asked(" a "), *said(" b ")]
    clean_turns(history, 100, 20)
    assert history == [*asked(" a "), *said(" b ")]
