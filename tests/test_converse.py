"""Which questions hang on an earlier one, what they are joined to, and how a conversation is searched."""

import json

import pytest

from rag.converse import (
    ASKED,
    EVERYTHING,
    LAST,
    LAST_ALONE,
    RECENT,
    REPLY_WORDS,
    SCHEMA,
    hangs,
    standalone_question,
    understand,
    understand_with,
)
from rag.errors import ModelError
from rag.types import Turn, Understood
from tests.fakes import FakeChat

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
        "what is it?",
        "overfitting?",
        "and how would the others behave when there is no label to compare with at all",
    ],
)
def test_a_question_that_refers_back_or_opens_like_a_follow_up_hangs(question: str) -> None:
    assert hangs(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is data drift in production?",
        "what is overfitting?",
        "define momentum",
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


@pytest.mark.parametrize("history", [[], [Turn("assistant", "Hello, ask me about data drift.")]])
def test_a_question_nobody_asked_anything_before_is_searched_as_it_is(history: list[Turn]) -> None:
    assert understand("why is that?", history) == Understood.alone("why is that?")


def test_a_question_with_a_subject_of_its_own_counts_for_far_more_than_what_was_said_before() -> None:
    question = "How do I choose between precision and recall?"
    understood = understand(question, conversation("What is data drift?", "The inputs change."))
    assert understood.meanings[0] == (question, LAST_ALONE)
    assert LAST_ALONE > ASKED + EVERYTHING > LAST
    assert understood.words == question
    assert understood.text == question


def test_a_conversation_means_the_last_turn_all_questions_and_everything_said() -> None:
    history = conversation("What is data drift?", "The inputs change.", "How fast?!", "Within weeks.")
    understood = understand("and how do I detect it?", history)
    assert understood.meanings == (
        ("and how do I detect it?", LAST),
        ("What is data drift. How fast. and how do I detect it.", ASKED),
        ("What is data drift? The inputs change. How fast?! Within weeks. and how do I detect it?", EVERYTHING),
    )


def test_the_last_turn_weighs_most_and_less_than_the_conversation_together() -> None:
    assert max(ASKED, EVERYTHING) < LAST < ASKED + EVERYTHING


def test_words_are_searched_for_the_last_two_questions() -> None:
    history = conversation("What is boosting?", "…", "What is data drift?", "The inputs change.")
    assert understand("and how do I detect it?", history).words == "What is data drift. and how do I detect it?"


def test_people_are_shown_the_question_it_hangs_on_or_the_question_alone() -> None:
    history = conversation("What does the PSI measure exactly?", "How far two distributions are apart.")
    assert understand("and why?", history).text == "What does the PSI measure exactly: and why?"
    alone = "How do I choose between precision and recall?"
    assert understand(alone, history).text == alone


def test_of_a_reply_only_the_beginning_is_read_and_of_a_question_all() -> None:
    asked, replied = ([f"{word}{row}" for row in range(REPLY_WORDS + 20)] for word in ("q", "r"))
    everything = understand("why?", conversation(" ".join(asked), " ".join(replied))).meanings[2][0]
    assert everything.split() == [*asked, *replied[:REPLY_WORDS], "why?"]


def test_the_ids_of_entries_are_not_read_and_do_not_count_as_words_of_a_reply() -> None:
    ids = "[FND-03] [QNA-09]"
    reply = f"Drift is in [0, 1]. {ids} " + f"word {ids} " * REPLY_WORDS
    everything = understand("why?", conversation("PSI?", reply)).meanings[2][0]
    assert everything == "PSI? Drift is in [0, 1]. " + "word " * (REPLY_WORDS - 5) + "why?"


def test_only_recent_turns_say_what_the_conversation_is_about() -> None:
    history = [Turn("user", f"question{row}") for row in range(RECENT + 2)]
    _, (asked, _), (everything, _) = understand("why?", history).meanings
    kept = [turn.text for turn in history[-(RECENT - 1) :]]
    assert asked == ". ".join([*kept, "why."])
    assert everything == " ".join([*kept, "why?"])


def test_when_the_last_question_is_long_ago_the_new_one_stands_alone() -> None:
    history = [Turn("user", DRIFT), *(Turn("assistant", "The inputs change.") for _ in range(RECENT - 1))]
    assert understand("why?", history) == Understood.alone("why?")
    assert len(understand("why?", history[:-1]).meanings) == 3


HISTORY = conversation("What is data drift?", "The inputs change. [FND-03]")


def rewritten(reply: str, question: str = "and how do I detect it?") -> Understood:
    """What becomes of a question whose standalone form a model gave as this reply."""
    return understand_with(FakeChat().enqueue(reply), question, HISTORY)


def test_a_models_question_is_shown_and_searched_and_the_last_turn_keeps_a_share() -> None:
    understood = rewritten('{"question": " How do I detect\\n data drift? "}')
    assert understood.text == understood.words == "How do I detect data drift?"
    (written, most), (own, least) = understood.meanings
    assert (written, own) == ("How do I detect data drift?", "and how do I detect it?")
    assert 0 < least < most


def test_the_model_is_told_the_conversation_without_ids_and_the_last_turn() -> None:
    chat = FakeChat().enqueue('{"question": "How do I detect data drift?"}')
    long_ago = [Turn("user", f"question{row}") for row in range(RECENT)]
    reply = Turn("assistant", "The inputs change. [FND-03] " + "word " * 100)
    understand_with(chat, 'and "it" — häufig?', [*long_ago, reply])
    [([system, user], schema)] = chat.calls
    assert schema == SCHEMA
    assert (system["role"], user["role"]) == ("system", "user")
    assert "Never answer the question" in system["content"]
    assert 'häufig?"' in user["content"]
    told = json.loads(user["content"])
    assert told["last_turn"] == 'and "it" — häufig?'
    lines = told["conversation"].split("\n")
    assert lines[:-1] == [f"user: question{row}" for row in range(RECENT)][-(RECENT - 2) :]
    assert lines[-1] == "assistant: " + " ".join(["The inputs change.", *["word"] * (REPLY_WORDS - 3)])


@pytest.mark.parametrize(
    "reply",
    [
        *(
            "",
            "no JSON",
            "How do I detect drift?",
            "null",
            "7",
            '"drift"',
            "[]",
            '["question"]',
            "{}",
            '{"query": "?"}',
        ),
        pytest.param("[" * 200_000, id="deep"),
        pytest.param('{"question": ' + "[" * 200_000, id="deep question"),
    ],
)
def test_a_reply_that_is_not_the_json_asked_for_is_the_models_fault(reply: str) -> None:
    with pytest.raises(ModelError, match="was not the JSON that was asked for") as caught:
        rewritten(reply)
    assert "TUTOR_MODEL" in caught.value.cure


@pytest.mark.parametrize("written", ["", "  ", "?", "…!", "🤔"])
def test_a_reply_without_a_question_is_the_models_fault(written: str) -> None:
    with pytest.raises(ModelError, match="did not write a question") as caught:
        rewritten(json.dumps({"question": written}))
    assert caught.value.cure == "Ask again with the subject named."


def test_a_model_may_write_as_much_as_it_was_told_twice_and_the_last_turn_but_no_more() -> None:
    told = len("user: What is data drift?\nassistant: The inputs change.")
    most = 2 * told + len("why?")
    assert rewritten(json.dumps({"question": "d" * most}), "why?").text == "d" * most
    for length in (most + 1, 50_000):
        with pytest.raises(ModelError, match="did not write a question"):
            rewritten(json.dumps({"question": "d" * length}), "why?")


def test_a_model_that_fails_is_not_covered_up() -> None:
    with pytest.raises(ModelError, match="cannot be reached"):
        understand_with(FakeChat().enqueue(ModelError("http://x cannot be reached.")), "why?", HISTORY)
