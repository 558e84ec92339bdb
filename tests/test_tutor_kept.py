"""Written answers are paid for once, and no session may ask for more of them than its pace allows."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.answer import QUOTE
from rag.cache import AnswerCache
from rag.errors import ModelError, WeightsError
from rag.pace import Pace
from rag.tutor import Limits
from rag.types import Shown, Turn
from tests.fakes import FakeChat, FakeChecker, Scripted
from tests.tutoring import (
    COLLAPSE,
    DRIFT,
    EMBEDDER,
    FALSE,
    FIRST,
    OUTSIDE,
    SAID,
    WRITTEN,
    a_tutor,
    always,
    claims,
    drift,
    quoted,
    written,
)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    kept = AnswerCache(tmp_path / "answers")
    yield kept
    kept.close()


def test_the_same_question_is_answered_the_second_time_without_the_model(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0], FALSE[0], WRITTEN[1]))
    first = a_tutor(chat, kept=cache).ask(DRIFT)
    reply = a_tutor(chat, kept=cache).reply(f" {DRIFT}\n")
    assert list(reply) == [Shown(claim, "fake-chat") for claim in written(*WRITTEN[:2])]
    again = reply.answer
    assert len(chat.calls) == 1
    assert again.claims == written(*WRITTEN[:2])
    assert [claim.text for claim in again.dropped_claims] == [FALSE[0]]
    assert again == replace(first, timings_ms=again.timings_ms, covered=again.covered)
    assert again.notices == ("1 sentence was left out because the guides don't support it.",)
    assert again.covered == pytest.approx(first.covered, abs=0.001)
    assert again.timings_ms["generate"] == 0
    assert again.timings_ms["total"] > 0


def test_notices_are_those_of_today_not_of_the_day_the_answer_was_kept(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0]))
    a_tutor(chat, kept=cache, notices=["The index is old."]).ask(DRIFT)
    assert a_tutor(chat, kept=cache, notices=["A document is missing."]).ask(DRIFT).notices == (
        "A document is missing.",
    )


def test_another_model_question_or_fingerprint_asks_again(cache: AnswerCache) -> None:
    one, other = FakeChat().enqueue(drift(*WRITTEN[:1]), drift(*WRITTEN[:2])), FakeChat("other-chat")
    other.enqueue(drift(*WRITTEN[:3]))
    a_tutor(one, other, kept=cache).ask(DRIFT)
    assert len(a_tutor(one, other, kept=cache).ask(DRIFT, model="other-chat").claims) == 3
    assert len(a_tutor(one, kept=cache, fingerprint="other index").ask(DRIFT).claims) == 2
    one.enqueue(claims((SAID["SCN-20"][0], "SCN-20")))
    assert a_tutor(one, kept=cache).ask(COLLAPSE).sources[0].id == "SCN-20"
    assert (len(one.calls), len(other.calls)) == (3, 1)
    assert len(a_tutor(one, other, kept=cache).ask(DRIFT).claims) == 1


class Nameless(FakeChat):
    """A model whose name only shows when it is asked: the first that its endpoint lists."""

    def __init__(self, name: str) -> None:
        super().__init__("the first model")
        self.real = name

    def stream_json(self, *asked: Any) -> Iterator[str]:
        self.name = self.real
        return super().stream_json(*asked)


def test_an_answer_is_kept_under_the_name_of_the_model_that_wrote_it(cache: AnswerCache) -> None:
    first = Nameless("small-1").enqueue(drift(WRITTEN[0]))
    answer = a_tutor(first, kept=cache).ask(DRIFT)
    assert (answer.model, answer.claims) == ("small-1", written(WRITTEN[0]))
    other = Nameless("large-2").enqueue(drift(WRITTEN[1]))
    assert a_tutor(other, kept=cache).ask(DRIFT).claims == written(WRITTEN[1])
    for known, text in ((first, WRITTEN[0]), (other, WRITTEN[1]), (FakeChat("small-1"), WRITTEN[0])):
        reply = a_tutor(known, kept=cache).reply(DRIFT)
        assert list(reply) == [Shown(claim, known.name) for claim in written(text)]


def test_what_is_shown_while_it_is_written_names_the_model_that_writes() -> None:
    reply = a_tutor(Nameless("small-1").enqueue(drift(WRITTEN[0]))).reply(DRIFT)
    assert {item.model for item in reply} == {QUOTE, "small-1"}


def test_another_question_about_the_same_entry_is_asked_of_the_model(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0]), drift(WRITTEN[1]))
    first, second = (a_tutor(chat, kept=cache).ask(question) for question in (DRIFT, DRIFT[:-1]))
    assert first.retrieved == second.retrieved
    assert second.claims == written(WRITTEN[1])


def test_the_same_words_about_the_same_entry_may_mean_something_else(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0]), drift(WRITTEN[1]))
    tutor = a_tutor(chat, kept=cache, judge=always(1.0), limits=Limits(300, 20, sources=1, claims=6))
    first, second = (tutor.ask("why?", [Turn("user", text)]) for text in (DRIFT, "How is data drift found?"))
    assert first.retrieved == second.retrieved == ("FND-03",)
    assert second.claims == written(WRITTEN[1])


def test_the_same_words_in_another_conversation_are_another_question(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(claims((SAID["SCN-20"][0], "SCN-20")), drift(WRITTEN[0]))
    tutor = a_tutor(chat, kept=cache, judge=always(1.0))
    assert tutor.ask("why that?", [Turn("user", COLLAPSE)]).sources[0].id == "SCN-20"
    assert tutor.ask("why that?", [Turn("user", DRIFT)]).sources[0].id == "FND-03"


REPLIES: dict[str, list[Scripted]] = {
    "unverified": [drift(*FALSE[:2])],
    "nothing": [claims()],
    "failed": [ModelError("It failed.")],
    "failed in mid-stream": [[drift(*WRITTEN[:3])[:-2], ModelError("The line was cut.")]],
    "cut": [drift(*WRITTEN[:3])[:-2]],
    "junk, mended with junk": ["no JSON", "no JSON"],
}


@pytest.mark.parametrize("replies", REPLIES.values(), ids=REPLIES.keys())
def test_an_answer_that_is_none_or_only_half_is_asked_for_again(cache: AnswerCache, replies: list[Scripted]) -> None:
    chat = FakeChat().enqueue(*replies, drift(WRITTEN[5]))
    tutor = a_tutor(chat, kept=cache)
    assert tutor.ask(DRIFT).claims in ((), quoted())
    assert tutor.ask(DRIFT).claims == written(WRITTEN[5])
    assert len(chat.calls) == len(replies) + 1


def change(cache: AnswerCache, old: str, new: str) -> None:
    """Writes something else into every answer that is kept."""
    rows = cache._open()
    for key in list(rows):
        assert old in rows[key]
        rows[key] = rows[key].replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"), [(WRITTEN[0], FALSE[0]), (FIRST, "Data drift is no change."), ("FND-03", "SCN-20"), ("FND-03", "X")]
)
def test_a_kept_answer_that_somebody_changed_is_written_again(cache: AnswerCache, old: str, new: str) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0]), drift(WRITTEN[5]))
    tutor = a_tutor(chat, kept=cache)
    tutor.ask(DRIFT)
    change(cache, old, new)
    reply = tutor.reply(DRIFT)
    assert list(reply) == [*(Shown(claim, QUOTE) for claim in quoted()), Shown(written(WRITTEN[5])[0], "fake-chat")]
    assert len(chat.calls) == 2


def test_of_a_kept_answer_only_the_sentences_are_believed(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0]))
    first = a_tutor(chat, kept=cache).ask(DRIFT)
    for old, new in (("Title of FND-03", "Buy this"), ('"answered"', '"partial"'), ('"message": ""', '"message": "!"')):
        change(cache, old, new)
    change(cache, '"support": 0.9', '"support": 1.7')
    again = a_tutor(chat, kept=cache).ask(DRIFT)
    assert again == replace(first, timings_ms=again.timings_ms)


def test_a_kept_answer_that_cannot_be_checked_is_not_shown(cache: AnswerCache) -> None:
    class Unjudged(FakeChecker):
        def support(self, claim: str, entry_id: str) -> tuple[float, str]:
            raise WeightsError("No model.")

    chat = FakeChat().enqueue(drift(WRITTEN[0]), drift(WRITTEN[0]))
    a_tutor(chat, kept=cache).ask(DRIFT)
    answer = a_tutor(chat, kept=cache, checker=Unjudged({})).ask(DRIFT)
    assert (answer.claims, answer.notices) == (quoted(), ("No model. This is the quoted answer instead.",))


def test_a_question_of_which_another_part_is_open_is_another_question(cache: AnswerCache) -> None:
    both = f"{DRIFT[:-1]} and how is the weather in Oslo?"
    weather = EMBEDDER.embed(["how is the weather in Oslo"])[0]
    chat = FakeChat().enqueue(drift(WRITTEN[0]), drift(WRITTEN[1]))
    closed = a_tutor(chat, kept=cache, judge=always(0.9)).ask(both)
    half = a_tutor(chat, kept=cache, judge=lambda vector, _: 0.1 if vector @ weather > 0.9 else 0.9).ask(both)
    assert closed.retrieved == half.retrieved
    assert [(answer.status, answer.claims) for answer in (closed, half)] == [
        ("answered", written(WRITTEN[0])),
        ("partial", written(WRITTEN[1])),
    ]


def test_a_cancelled_answer_is_not_kept(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(*WRITTEN[:3]), drift(WRITTEN[5]))
    reply = a_tutor(chat, kept=cache).reply(DRIFT)
    while next(reply).claim.text != WRITTEN[0]:
        pass
    reply.cancel()
    assert a_tutor(chat, kept=cache).ask(DRIFT).claims == written(WRITTEN[5])


def test_quotations_and_refusals_are_made_anew(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0]))
    a_tutor(chat, kept=cache).ask(DRIFT)
    assert a_tutor(chat, kept=cache).ask(DRIFT, model=QUOTE).claims == quoted()
    a_tutor(kept=cache).ask(DRIFT)
    assert a_tutor(chat, kept=cache).ask(DRIFT).claims == written(WRITTEN[0])
    assert a_tutor(chat, kept=cache).ask(OUTSIDE).status == "not_covered"
    assert a_tutor(chat, kept=cache, judge=always(0.1)).ask(DRIFT).status == "not_covered"


def test_an_answer_that_asks_back_is_kept_with_all_it_says(cache: AnswerCache) -> None:
    chat = FakeChat().enqueue(drift(WRITTEN[0]))
    questions = {"FND-03": "drift sampling", "SCN-20": "collapse sampling"}
    found = [a_tutor(chat, kept=cache, judge=always(1.0), questions=questions).ask("sampling") for _ in range(2)]
    assert len(chat.calls) == 1
    assert [answer.status for answer in found] == ["answered", "answered"]
    assert found[0].message == found[1].message
    assert found[1].choices == ("drift sampling", "collapse sampling")
    assert len(found[1].quoted) == 3


def test_a_session_that_asks_too_often_is_quoted_to_and_told_when_it_may_ask_again() -> None:
    now = [0.0]
    pace = Pace(1, lambda: now[0])
    chat, rewriter = FakeChat().enqueue(drift(WRITTEN[0]), drift(WRITTEN[1])), FakeChat()
    tutor = a_tutor(chat, rewriter=rewriter, notices=["The index is old."])
    assert tutor.ask(DRIFT, pace=pace).claims == written(WRITTEN[0])
    now[0] = 18.0
    answer = tutor.ask(DRIFT, [Turn("user", COLLAPSE)], pace=pace)
    assert (answer.status, answer.model, answer.claims) == ("answered", QUOTE, quoted())
    assert answer.notices == (
        "The index is old.",
        "This session may ask the language model again in 42 s, so the guides are quoted; "
        "TUTOR_REQUESTS_PER_MINUTE sets how often.",
    )
    assert (len(chat.calls), rewriter.calls) == (1, [])
    now[0] = 60.0
    assert tutor.ask(DRIFT, pace=pace).claims == written(WRITTEN[1])


def test_only_questions_that_reach_the_model_count(cache: AnswerCache) -> None:
    pace = Pace(1, lambda: 0.0)
    chat, rewriter = FakeChat().enqueue(drift(WRITTEN[0])), FakeChat()
    tutor = a_tutor(chat, kept=cache, rewriter=rewriter)
    tutor.ask(DRIFT)
    assert tutor.ask(OUTSIDE, pace=pace).status == "not_covered"
    assert tutor.ask(DRIFT, pace=pace).claims == written(WRITTEN[0])
    reply = tutor.reply(COLLAPSE, pace=pace)
    next(reply)
    reply.cancel()
    rewriter.enqueue(json.dumps({"question": COLLAPSE}))
    chat.enqueue(claims((SAID["SCN-20"][0], "SCN-20")))
    assert tutor.ask("why that?", [Turn("user", COLLAPSE)], pace=pace).model == "fake-chat", "both for one call"
    assert (len(chat.calls), len(rewriter.calls), tutor.ask(DRIFT, pace=pace).model) == (2, 1, "fake-chat")
    assert tutor.ask(DRIFT[:-1], pace=pace).model == QUOTE


def test_those_who_are_quoted_to_and_other_sessions_are_not_slowed() -> None:
    pace = Pace(1, lambda: 0.0)
    chat = FakeChat().enqueue(*[drift(WRITTEN[0])] * 3)
    for _ in range(3):
        assert a_tutor().ask(DRIFT, pace=pace).notices == ()
        assert a_tutor(chat).ask(DRIFT, model=QUOTE, pace=pace).notices == ()
    assert a_tutor(chat).ask(DRIFT, pace=pace).model == "fake-chat"
    assert a_tutor(chat).ask(DRIFT, pace=Pace(1)).model == "fake-chat"
    assert a_tutor(chat).ask(DRIFT).model == "fake-chat"
