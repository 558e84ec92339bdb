"""Which questions hang on an earlier one, and what they are joined to."""

import pytest

from rag.converse import hangs, standalone_question
from rag.types import Turn

DRIFT = "What is data drift and how does it differ from concept drift?"


def conversation(*texts: str) -> list[Turn]:
    """User and assistant in turn."""
    return [Turn("assistant" if row % 2 else "user", text) for row, text in enumerate(texts)]


@pytest.mark.parametrize(
    "question",
    [
        "why?",
        "in production?",
        "and in production?",
        "how do I detect it",
        "What about images?",
        "tell me more",
        "Can you give an example for that?",
        "so does this also hold for time series",
        "which one is better",
        "and how would the others behave when there is no label to compare with at all",
    ],
)
def test_a_question_that_refers_back_or_opens_like_a_follow_up_hangs(question: str) -> None:
    assert hangs(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is data drift in production?",
        "How do I choose between precision and recall?",
        "Explain the difference between bagging, boosting and stacking ensembles in detail",
        "my validation loss rises while it keeps falling on the training set, and I wonder which regulariser to try",
    ],
)
def test_a_question_with_a_subject_of_its_own_does_not_hang(question: str) -> None:
    assert not hangs(question)


def test_the_first_question_stands_as_it_is() -> None:
    assert standalone_question("why is that?", []) == "why is that?"


def test_an_assistants_turn_alone_gives_no_subject() -> None:
    assert standalone_question("why is that?", [Turn("assistant", "Hello, ask me anything.")]) == "why is that?"


def test_a_question_of_its_own_ignores_the_history() -> None:
    question = "How do I choose between precision and recall?"
    assert standalone_question(question, conversation(DRIFT, "Drift is …")) == question


def test_a_follow_up_is_joined_to_the_question_before_it() -> None:
    history = conversation("What does the PSI measure exactly?", "How far two distributions are apart.")
    assert standalone_question("and what is a good threshold?", history) == (
        "What does the PSI measure exactly: and what is a good threshold?"
    )


def test_a_follow_up_of_a_follow_up_is_joined_to_the_question_that_stood_alone() -> None:
    history = conversation("How is class imbalance handled best?", "…", "why?", "…", "and for images?", "…")
    assert standalone_question("tell me more", history) == "How is class imbalance handled best: tell me more"


def test_after_a_change_of_subject_the_newer_one_counts() -> None:
    first, second = (
        "How is class imbalance handled best?",
        "Which optimiser suits a small vision transformer best of all?",
    )
    history = conversation(first, "…", second, "…")
    assert standalone_question("why?", history) == "Which optimiser suits a small vision transformer best of all: why?"


def test_when_every_turn_hangs_the_oldest_is_the_subject() -> None:
    history = conversation("PSI?", "…", "why?", "…")
    assert standalone_question("and then?", history) == "PSI: and then?"


def test_the_assistants_words_are_never_the_subject() -> None:
    history = conversation("How is class imbalance handled best?", "Class weights are usually the first thing to try.")
    assert "weights" not in standalone_question("why?", history)
