"""Answers a language model writes: quotations first, each sentence checked as it arrives, and every way to fail."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from rag.answer import QUOTE
from rag.errors import IndexUnavailable, ModelError, WeightsError
from rag.tutor import Limits
from rag.types import Shown, Source
from rag.verdict import UNVERIFIED, WROTE_NOTHING
from tests.fakes import FakeChat, FakeChecker, Scripted
from tests.tutoring import (
    BARE,
    COLLAPSE,
    DRIFT,
    FALSE,
    FIRST,
    SAID,
    SECOND,
    SUPPORT,
    WRITTEN,
    a_tutor,
    assert_refused,
    claims,
    drift,
    quoted,
    written,
)

THE_SOURCE = (Source("FND-03", "Title of FND-03", "scenarios"),)
UNREACHED = ModelError("http://x cannot be reached.", "Check OPENAI_BASE_URL.")


def test_the_guides_own_words_come_first_and_the_written_ones_follow() -> None:
    chat = FakeChat().enqueue(drift(*WRITTEN[:2]))
    reply = a_tutor(chat).reply(DRIFT)
    assert list(reply) == [
        *(Shown(claim, QUOTE) for claim in quoted()),
        *(Shown(claim, "fake-chat") for claim in written(*WRITTEN[:2])),
    ]
    answer = reply.answer
    assert (answer.status, answer.model, answer.notices) == ("answered", "fake-chat", ())
    assert (answer.claims, answer.quoted, answer.sources) == (written(*WRITTEN[:2]), quoted(), THE_SOURCE)
    assert answer.text == f"{WRITTEN[0]} [FND-03] {WRITTEN[1]} [FND-03]"
    assert f"<question>\n{DRIFT}\n</question>" in chat.calls[0][0][1]["content"]
    assert chat.streams == ["done"]


def test_the_quotations_do_not_wait_for_the_model_nor_a_sentence_for_the_next() -> None:
    text = drift(*WRITTEN[:4])
    chat = FakeChat().enqueue(text)
    reply = a_tutor(chat).reply(DRIFT)
    for claim in quoted():
        assert next(reply) == Shown(claim, QUOTE)
        assert chat.calls == []
    assert next(reply) == Shown(written(WRITTEN[0])[0], "fake-chat")
    assert chat.streams == ["open"]
    assert chat.letters < text.index(WRITTEN[2])
    assert reply.finish().claims == written(*WRITTEN[:4])


def test_a_model_that_answers_in_lines_is_read_too() -> None:
    chat = FakeChat().enqueue(f"- {WRITTEN[0]} [FND-03]\n- {WRITTEN[1]} [FND-99]\n- {FALSE[0]} [FND-03]\n")
    answer = a_tutor(chat).ask(DRIFT)
    assert (answer.status, answer.claims) == ("answered", written(WRITTEN[0]))
    assert [claim.text for claim in answer.dropped_claims] == [WRITTEN[1], FALSE[0]]


def test_one_unsupported_sentence_is_dropped_and_announced() -> None:
    reply = a_tutor(FakeChat().enqueue(drift(FALSE[0], FIRST))).reply(DRIFT)
    assert FALSE[0] not in [shown.claim.text for shown in reply]
    answer = reply.answer
    assert (answer.status, answer.claims) == ("answered", written(FIRST))
    assert [claim.text for claim in answer.dropped_claims] == [FALSE[0]]
    assert answer.notices == ("1 sentence was left out because the guides don't support it.",)


def test_unknown_ids_and_flipped_numbers_are_dropped_and_counted() -> None:
    said = SAID["SCN-20"][0]
    replies = [(said, "SCN-20"), (said.replace("3", "4"), "SCN-20"), (said, "SCN-99")]
    answer = a_tutor(FakeChat().enqueue(claims(*replies))).ask(COLLAPSE)
    assert [claim.text for claim in answer.claims] == [said]
    assert len(answer.dropped_claims) == 2
    assert answer.notices == ("2 sentences were left out because the guides don't support them.",)


def test_a_sentence_a_model_repeats_is_shown_once() -> None:
    reply = a_tutor(FakeChat().enqueue(drift(WRITTEN[0], WRITTEN[1], WRITTEN[0], WRITTEN[0]))).reply(DRIFT)
    shown = [item.claim for item in reply if item.model == "fake-chat"]
    assert tuple(shown) == reply.answer.claims == written(*WRITTEN[:2])
    assert reply.answer.dropped_claims == ()


def test_a_sentence_repeated_with_another_source_or_in_other_letters_is_shown_once() -> None:
    second = a_tutor().ask(DRIFT).retrieved[1]
    text = WRITTEN[0]
    said = [(text, "FND-03"), (text, second), (text.upper(), "FND-03"), (text, "FND-03")]
    checker = FakeChecker({**SUPPORT, (text.upper(), "FND-03"): 1.0})
    reply = a_tutor(FakeChat().enqueue(claims(*said)), checker=checker).reply(DRIFT)
    assert [item.claim for item in reply if item.model == "fake-chat"] == list(written(text))
    assert (reply.answer.claims, reply.answer.dropped_claims) == (written(text), ())


def test_a_sentence_that_was_quoted_may_be_written_again() -> None:
    answer = a_tutor(FakeChat().enqueue(drift(FIRST))).ask(DRIFT)
    assert (answer.claims, answer.quoted) == (written(FIRST), quoted())


def test_when_nothing_passes_the_answer_is_unverified_beside_the_guides_own_words() -> None:
    reply = a_tutor(FakeChat().enqueue(drift(*FALSE[:2]))).reply(DRIFT)
    assert [shown.model for shown in reply] == [QUOTE, QUOTE]
    answer = reply.answer
    assert (answer.status, answer.model, answer.quoted) == ("unverified", "fake-chat", quoted())
    assert_refused(answer, UNVERIFIED)
    assert [claim.text for claim in answer.dropped_claims] == FALSE[:2]
    assert answer.notices == ("2 sentences were left out because the guides don't support them.",)


def test_a_model_that_writes_nothing_leaves_the_quoted_answer_and_says_so() -> None:
    reply = a_tutor(FakeChat().enqueue(claims())).reply(DRIFT)
    assert list(reply) == [Shown(claim, QUOTE) for claim in quoted()]
    answer = reply.answer
    assert (answer.status, answer.model, answer.claims, answer.sources) == ("answered", QUOTE, quoted(), THE_SOURCE)
    assert (answer.notices, answer.quoted, answer.related) == ((WROTE_NOTHING,), (), ())


class Unjudged(FakeChecker):
    """A check whose model cannot be loaded."""

    def support(self, claim: str, entry_id: str) -> tuple[float, str]:
        raise WeightsError("The entailment model 'x' cannot be loaded: gone.", "Unset TUTOR_ENTAILMENT_MODEL.")


def test_when_the_model_that_judges_cannot_be_loaded_the_quoted_answer_stands_with_a_notice() -> None:
    chat = FakeChat().enqueue(drift(*WRITTEN[:2]))
    answer = a_tutor(chat, checker=Unjudged({})).ask(DRIFT)
    assert (answer.status, answer.model, answer.claims) == ("answered", QUOTE, quoted())
    assert answer.notices == (
        "The entailment model 'x' cannot be loaded: gone. Unset TUTOR_ENTAILMENT_MODEL. "
        "This is the quoted answer instead.",
    )
    assert chat.streams == ["closed"]
    assert a_tutor(checker=Unjudged({})).ask(DRIFT).notices == ()


FAILURES: list[Scripted] = ['{"claims": ""}', UNREACHED, "no JSON", "", '{"claims": [{"text": "One']


@pytest.mark.parametrize("reply", FAILURES)
def test_when_the_model_fails_the_quoted_answer_stands_with_a_notice(reply: Scripted) -> None:
    answer = a_tutor(FakeChat().enqueue(reply, reply)).ask(DRIFT)
    assert (answer.status, answer.model, answer.claims) == ("answered", QUOTE, quoted())
    assert (answer.sources, answer.quoted, answer.dropped_claims) == (THE_SOURCE, (), ())
    [notice] = answer.notices
    expected = str(reply) if reply is UNREACHED else "The language model's reply was not the JSON"
    assert notice.startswith(expected)
    assert notice.endswith("This is the quoted answer instead.")


def test_a_model_that_fails_in_mid_stream_leaves_the_quoted_answer_and_nothing_half() -> None:
    text = drift(*WRITTEN[:3], FALSE[0])
    chat = FakeChat().enqueue([text[: text.index(FALSE[0]) + 5], ModelError("The line was cut.")])
    reply = a_tutor(chat).reply(DRIFT)
    shown = list(reply)
    assert [item.model for item in shown] == [QUOTE, QUOTE, "fake-chat", "fake-chat"]
    answer = reply.answer
    assert (answer.status, answer.model, answer.claims) == ("answered", QUOTE, quoted())
    assert (answer.dropped_claims, answer.quoted) == ((), ())
    assert answer.notices == ("The line was cut. This is the quoted answer instead.",)
    assert chat.streams == ["failed"]


def test_a_failed_model_over_an_entry_with_nothing_to_quote_is_unverified() -> None:
    answer = a_tutor(FakeChat().enqueue(ModelError("It failed."))).ask(BARE)
    assert answer.status == "unverified"
    assert_refused(answer, UNVERIFIED)
    assert answer.notices == ("It failed. This is the quoted answer instead.",)


@pytest.mark.parametrize("parts", [[], [drift(*WRITTEN[:3])[:-2]]])
def test_faults_other_than_the_models_are_not_covered_up(parts: list[str]) -> None:
    with pytest.raises(IndexUnavailable, match="gone"):
        a_tutor(FakeChat().enqueue([*parts, IndexUnavailable("The index is gone.")])).ask(DRIFT)


def endless(*texts: str) -> Iterator[str]:
    """A reply that says these sentences and then the last again and again; who reads on fails the test."""
    yield drift(*texts)[: -len("]}")]
    for _ in range(200):
        yield ", " + drift(texts[-1])[len('{"claims": [') : -len("]}")]
    raise AssertionError("nobody stopped the model")


def test_a_model_that_never_stops_is_stopped_after_enough_sentences() -> None:
    chat = FakeChat().enqueue(endless(*WRITTEN))
    answer = a_tutor(chat, limits=Limits(300, 20, sources=2, claims=3)).ask(DRIFT)
    assert (answer.status, answer.claims) == ("answered", written(*WRITTEN[:3]))
    assert chat.streams == ["closed"]
    assert chat.letters < drift(*WRITTEN).index(WRITTEN[5])


def test_a_model_that_never_says_anything_supported_is_stopped_too() -> None:
    chat = FakeChat().enqueue(endless(*FALSE))
    answer = a_tutor(chat, limits=Limits(300, 20, sources=2, claims=3)).ask(DRIFT)
    assert (answer.status, len(answer.dropped_claims)) == ("unverified", 7)
    assert chat.streams == ["closed"]


def test_a_model_that_repeats_itself_is_stopped_and_what_it_said_is_shown() -> None:
    chat = FakeChat().enqueue(endless(WRITTEN[0]))
    answer = a_tutor(chat, limits=Limits(300, 20, sources=2, claims=3)).ask(DRIFT)
    assert (answer.status, answer.claims, answer.dropped_claims) == ("answered", written(WRITTEN[0]), ())
    assert chat.streams == ["closed"]


def endless_lines() -> Iterator[str]:
    for _ in range(200):
        yield f"- {WRITTEN[0]} [FND-03]\n"
    raise AssertionError("nobody stopped the model")


def test_a_model_that_repeats_a_line_is_stopped_too() -> None:
    chat = FakeChat().enqueue(endless_lines())
    assert a_tutor(chat).ask(DRIFT).claims == written(WRITTEN[0])
    assert chat.streams == ["closed"]


def test_a_model_that_writes_blank_sentences_for_ever_fails() -> None:
    chat = FakeChat().enqueue(endless(*[" "] * 300))
    answer = a_tutor(chat).ask(DRIFT)
    assert (answer.model, answer.claims) == (QUOTE, quoted())
    assert "had no end" in answer.notices[0]
    assert chat.streams == ["closed"]


class Slow(FakeChat):
    """A model that takes two seconds for its reply."""

    def stream_json(self, *asked: Any) -> Iterator[str]:
        NOW[0] += 2.0
        return super().stream_json(*asked)


class Careful(FakeChecker):
    """A check that takes a quarter of a second."""

    def support(self, claim: str, entry_id: str) -> tuple[float, str]:
        NOW[0] += 0.25
        return super().support(claim, entry_id)


NOW = [0.0]


def test_the_times_of_writing_and_checking_are_told_apart_and_the_readers_is_neither(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rag.verdict.time", SimpleNamespace(perf_counter=lambda: NOW[0]))
    reply = a_tutor(Slow().enqueue(drift(*WRITTEN[:3], FALSE[0])), checker=Careful(SUPPORT)).reply(DRIFT)
    for _ in reply:
        NOW[0] += 60.0
    times = reply.answer.timings_ms
    assert (times["generate"], times["verify"]) == pytest.approx((2000, 1000))


def test_the_time_of_a_model_that_fails_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.verdict.time", SimpleNamespace(perf_counter=lambda: NOW[0]))
    unreached = ModelError("It failed.")
    assert a_tutor(Slow().enqueue(unreached)).ask(DRIFT).timings_ms["generate"] == pytest.approx(2000)


def test_a_model_that_writes_just_enough_is_read_to_its_last_sentence() -> None:
    limits = Limits(300, 20, sources=2, claims=3)
    answer = a_tutor(FakeChat().enqueue(drift(FALSE[0], *WRITTEN[:3])), limits=limits).ask(DRIFT)
    assert (answer.claims, len(answer.dropped_claims)) == (written(*WRITTEN[:3]), 1)


def test_cancelling_ends_the_models_reply() -> None:
    chat = FakeChat().enqueue(endless(*WRITTEN))
    reply = a_tutor(chat).reply(DRIFT)
    while next(reply).model == QUOTE:
        pass
    assert chat.streams == ["open"]
    reply.cancel()
    assert chat.streams == ["closed"]
    assert list(reply) == []


def test_cancelling_among_the_quotations_never_asks_the_model() -> None:
    chat = FakeChat().enqueue(drift(SECOND))
    reply = a_tutor(chat).reply(DRIFT)
    next(reply)
    reply.cancel()
    assert list(reply) == []
    assert chat.calls == []
