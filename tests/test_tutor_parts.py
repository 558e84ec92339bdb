"""Questions of several parts and several readings: what is answered, what is left open, and what is asked back."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from rag.answer import QUOTE
from rag.tutor import COVERED, PART_OPEN, Limits
from rag.types import Hit, Turn, Vector
from rag.verdict import NOT_COVERED
from tests.fakes import FakeChat
from tests.tutoring import (
    BARE,
    COLLAPSE,
    DRIFT,
    EMBEDDER,
    FIRST,
    LIMITS,
    Judge,
    a_tutor,
    always,
    assert_refused,
    claims,
    drift,
    quoted,
    written,
)

WEATHER = "how is the weather in Oslo"
BOTH = f"{DRIFT[:-1]} and {WEATHER}?"
SAMPLING = {"FND-03": "drift sampling", "SCN-20": "collapse sampling", "LLM-01": "optimiser"}
TWO_WAYS = "This can be read in two ways. Did you mean “drift sampling” or “collapse sampling”?"


TWO = f"{DRIFT[:-1]}? {COLLAPSE}"
THREE = f"{TWO} {WEATHER}?"


def judging(whole_text: str = BOTH, **odds: float) -> Judge:
    """A judge that knows the whole question and its parts."""
    vectors = {"whole": whole_text, "drift": DRIFT, "weather": WEATHER}
    if "collapse" in odds:
        vectors["collapse"] = COLLAPSE
    known = {name: EMBEDDER.embed([text])[0] for name, text in vectors.items()}

    def judge(vector: Vector, hits: Sequence[Hit]) -> float:
        return odds[max(known, key=lambda name: float(vector @ known[name]))]

    return judge


def test_a_part_the_guides_leave_open_is_named_and_the_rest_answered() -> None:
    answer = a_tutor(judge=judging(whole=0.9, drift=0.9, weather=0.1)).ask(BOTH)
    assert (answer.status, answer.claims, answer.uncovered) == ("partial", quoted(), (WEATHER,))
    assert answer.message == f"The guides don't cover this part: “{WEATHER}”."
    assert answer.text.endswith(f"[FND-03] {answer.message}")
    assert answer.covered == 0.9


@pytest.mark.parametrize(("odds", "status"), [(PART_OPEN, "answered"), (PART_OPEN - 1e-6, "partial")])
def test_a_covered_question_speaks_for_a_part_that_is_nearly_covered(odds: float, status: str) -> None:
    assert a_tutor(judge=judging(whole=0.9, drift=0.9, weather=odds)).ask(BOTH).status == status


@pytest.mark.parametrize("odds", [COVERED - 1e-6, 0.1])
def test_a_part_that_is_covered_is_answered_even_when_the_whole_is_not(odds: float) -> None:
    answer = a_tutor(judge=judging(whole=0.3, drift=0.7, weather=odds)).ask(BOTH)
    assert (answer.status, answer.claims, answer.uncovered) == ("partial", quoted(), (WEATHER,))
    assert (answer.standalone_question, answer.covered, answer.retrieved[0]) == (BOTH, 0.7, "FND-03")


def test_all_covered_parts_are_answered_when_the_whole_is_not() -> None:
    answer = a_tutor(judge=judging(TWO, whole=0.3, drift=0.9, collapse=0.7, weather=0.1)).ask(TWO)
    assert (answer.status, answer.claims) == ("answered", (*quoted("FND-03"), *quoted("SCN-20")))
    assert [source.id for source in answer.sources] == ["FND-03", "SCN-20"]
    assert answer.retrieved == ("FND-03", "SCN-20")
    assert (answer.standalone_question, answer.covered, answer.uncovered, answer.choices) == (TWO, 0.7, (), ())


def test_the_parts_that_are_covered_are_answered_and_those_that_are_not_named() -> None:
    judge = judging(THREE, whole=0.3, drift=0.9, collapse=0.7, weather=0.1)
    answer = a_tutor(judge=judge).ask(THREE)
    assert (answer.status, answer.claims) == ("partial", (*quoted("FND-03"), *quoted("SCN-20")))
    assert answer.uncovered == (WEATHER,)


def test_every_part_has_its_share_of_an_answer() -> None:
    judge = judging(TWO, whole=0.3, drift=0.9, collapse=0.7, weather=0.1)
    answer = a_tutor(judge=judge, limits=replace(LIMITS, claims=2)).ask(TWO)
    assert [claim.sources for claim in answer.claims] == [("FND-03",), ("SCN-20",)]
    one = a_tutor(judge=judge, limits=replace(LIMITS, claims=1, sources=1)).ask(TWO)
    assert ([claim.sources for claim in one.claims], one.notices) == ([("FND-03",)], ())


def test_a_language_model_is_given_the_entries_of_all_covered_parts() -> None:
    said = quoted("SCN-20")[0].text
    chat = FakeChat().enqueue(claims((FIRST, "FND-03"), (said, "SCN-20")))
    answer = a_tutor(chat, judge=judging(TWO, whole=0.3, drift=0.9, collapse=0.7, weather=0.1)).ask(TWO)
    asked = chat.calls[0][0][1]["content"]
    assert f"<question>\n{TWO}\n</question>" in asked
    assert '<source id="FND-03" rank="1"' in asked
    assert '<source id="SCN-20" rank="2"' in asked
    assert [claim.sources for claim in answer.claims] == [("FND-03",), ("SCN-20",)]
    assert answer.claims[:1] == written(FIRST)
    assert answer.quoted == (*quoted("FND-03"), *quoted("SCN-20"))


def test_a_question_of_which_no_part_is_covered_is_refused_whole() -> None:
    answer = a_tutor(judge=judging(whole=0.3, drift=0.4, weather=0.1)).ask(BOTH)
    assert (answer.status, answer.uncovered, answer.covered) == ("not_covered", (), 0.3)
    assert_refused(answer, NOT_COVERED)


def test_where_nothing_is_found_no_part_is_called_open() -> None:
    answer = a_tutor(judge=judging(whole=0.9, drift=0.9, weather=0.1), limits=Limits(300, 20, 0, 6)).ask(BOTH)
    assert (answer.status, answer.uncovered) == ("not_covered", ())


def test_a_question_that_is_covered_in_all_its_parts_is_answered() -> None:
    answer = a_tutor(judge=judging(whole=0.9, drift=0.9, weather=0.9)).ask(BOTH)
    assert (answer.status, answer.uncovered, answer.message) == ("answered", (), "")


def test_a_written_answer_names_the_open_part_too() -> None:
    chat = FakeChat().enqueue(drift(FIRST))
    answer = a_tutor(chat, judge=judging(whole=0.9, drift=0.9, weather=0.1)).ask(BOTH)
    assert (answer.status, answer.model, answer.uncovered) == ("partial", "fake-chat", (WEATHER,))
    assert f"<question>\n{BOTH}\n</question>" in chat.calls[0][0][1]["content"]


def test_a_later_question_that_stands_alone_is_taken_apart_like_a_first_one() -> None:
    judge = judging(whole=0.9, drift=0.9, weather=0.1)
    answer = a_tutor(judge=judge).ask(BOTH, [Turn("user", COLLAPSE), Turn("assistant", "It draws the same faces.")])
    assert (answer.status, answer.uncovered, answer.standalone_question) == ("partial", (WEATHER,), BOTH)


def test_a_follow_up_that_hangs_on_the_turns_before_it_is_not_taken_apart() -> None:
    hanging = f"why is that so and {WEATHER}?"
    judge = judging(f"{COLLAPSE[:-1]}: {hanging}", whole=0.9, drift=0.9, weather=0.1)
    answer = a_tutor(judge=judge).ask(hanging, [Turn("user", COLLAPSE)])
    assert (answer.status, answer.uncovered) == ("answered", ())
    assert answer.standalone_question != hanging


def test_a_follow_up_that_a_model_put_in_other_words_is_not_taken_apart() -> None:
    rewriter, chat = FakeChat().enqueue(json.dumps({"question": BOTH})), FakeChat().enqueue(drift(FIRST))
    judge = judging(whole=0.9, drift=0.9, weather=0.1)
    answer = a_tutor(chat, rewriter=rewriter, judge=judge).ask("and the weather?", [Turn("user", DRIFT)])
    assert (answer.status, answer.uncovered, answer.standalone_question) == ("answered", (), BOTH)


def test_a_short_question_with_two_readings_is_answered_and_asked_back() -> None:
    answer = a_tutor(judge=always(1.0), questions=SAMPLING).ask("sampling")
    assert (answer.status, answer.choices) == ("answered", ("drift sampling", "collapse sampling"))
    assert answer.message == TWO_WAYS
    assert set(quoted("FND-03")) | set(quoted("SCN-20")) == set(answer.claims)


def test_what_is_asked_back_is_asked_when_the_model_writes_nothing_too() -> None:
    answer = a_tutor(FakeChat().enqueue(claims()), judge=always(1.0), questions=SAMPLING).ask("sampling")
    assert (answer.status, answer.choices) == ("answered", ("drift sampling", "collapse sampling"))


def test_a_reading_that_was_chosen_is_answered_without_asking_again() -> None:
    answer = a_tutor(judge=always(1.0), questions=SAMPLING).ask("collapse sampling")
    assert (answer.status, answer.choices, answer.message) == ("answered", (), "")


def test_a_later_question_that_stands_alone_is_asked_back_too() -> None:
    questions = {"FND-03": "signs of drift sampling", "SCN-20": "signs of collapse sampling"}
    answer = a_tutor(judge=always(1.0), questions=questions).ask("list signs of sampling", [Turn("user", BARE)])
    assert answer.standalone_question == answer.question
    assert answer.choices == ("signs of drift sampling", "signs of collapse sampling")


def test_nobody_is_asked_back_about_a_follow_up_or_what_is_refused() -> None:
    followed = a_tutor(judge=always(1.0), questions=SAMPLING).ask("sampling", [Turn("user", "What is it?")])
    refused = a_tutor(judge=always(0.1), questions=SAMPLING).ask("sampling")
    assert (followed.choices, followed.status) == ((), "answered")
    assert (refused.choices, refused.status) == ((), "not_covered")


def test_an_open_part_and_two_readings_are_both_said() -> None:
    def judge(vector: Vector, hits: Sequence[Hit]) -> float:
        return 0.1 if float(vector @ EMBEDDER.embed(["Paris food fair"])[0]) > 0.9 else 0.9

    # Five words are the most that can have two readings, three the fewest of a part.
    questions = {**SAMPLING, "FND-03": "drift rates", "SCN-20": "collapse signs"}
    answer = a_tutor(judge=judge, questions=questions).ask("drift collapse? Paris food fair")
    assert (answer.status, answer.uncovered) == ("partial", ("Paris food fair",))
    assert answer.choices == ("drift rates", "collapse signs")
    assert answer.message == (
        "The guides don't cover this part: “Paris food fair”. "
        "This can be read in two ways. Did you mean “drift rates” or “collapse signs”?"
    )
    assert answer.model == QUOTE
