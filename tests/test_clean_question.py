"""What counts as a question: white space folded, empty ones, other things than text and long ones refused."""

import pytest

from rag.errors import QuestionError
from rag.tutor import clean_question


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
