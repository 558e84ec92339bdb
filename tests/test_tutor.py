"""One question from start to finish, quoted from the guides: covered, refused, understood from what was said before."""

import json

import pytest

from rag.answer import QUOTE
from rag.catalog import LOCAL
from rag.errors import ModelError, QuestionError, TutorError
from rag.tutor import Limits
from rag.types import Shown, Source, Turn
from rag.verdict import NEAR, NOT_COVERED, UNVERIFIED
from tests.fakes import FakeChat
from tests.tutoring import (
    BARE,
    COLLAPSE,
    DRIFT,
    FIRST,
    OUTSIDE,
    SAID,
    a_tutor,
    always,
    assert_refused,
    claims,
    drift,
    quoted,
)


def test_a_covered_question_is_answered_with_quotations_and_their_source() -> None:
    reply = a_tutor().reply(DRIFT)
    assert list(reply) == [Shown(claim, QUOTE) for claim in quoted()]
    answer = reply.answer
    assert (answer.status, answer.claims) == ("answered", quoted())
    assert answer.sources == (Source("FND-03", "Title of FND-03", "scenarios"),)
    assert answer.retrieved[0] == "FND-03"
    assert len(answer.retrieved) == 2
    assert (answer.model, answer.message, answer.notices) == (QUOTE, "", ())
    assert (answer.quoted, answer.dropped_claims, answer.related) == ((), (), ())
    assert answer.covered > 0.9


@pytest.mark.parametrize("question", [DRIFT, OUTSIDE])
def test_every_answer_carries_its_timings(question: str) -> None:
    times = a_tutor().ask(question).timings_ms
    assert list(times) == ["retrieve", "generate", "verify", "total"]
    assert min(times.values()) >= 0
    assert times["total"] > 0


def test_what_the_guides_do_not_cover_is_refused_without_sources_or_asking_the_model() -> None:
    chat = FakeChat()
    reply = a_tutor(chat).reply(OUTSIDE)
    assert list(reply) == []
    assert reply.answer.status == "not_covered"
    assert_refused(reply.answer, NOT_COVERED)
    assert chat.calls == []
    assert reply.answer.model == "fake-chat"
    assert reply.answer.timings_ms["generate"] == 0


def test_a_question_is_answered_from_even_odds_on() -> None:
    assert a_tutor(judge=always(0.5)).ask(DRIFT).status == "answered"
    answer = a_tutor(judge=always(0.5 - 1e-6)).ask(DRIFT)
    assert answer.status == "not_covered"
    assert_refused(answer, NOT_COVERED)
    assert answer.retrieved[0] == "FND-03"
    assert answer.covered == 0.5 - 1e-6


def test_a_refusal_names_what_is_near_and_only_that() -> None:
    tutor = a_tutor(judge=always(0.1))
    assert a_tutor(judge=always(0.1)).ask(OUTSIDE).related == ()
    [best, second] = tutor.search(DRIFT, limit=2)
    assert best.scores["score"] > NEAR > second.scores["score"]
    assert tutor.ask(DRIFT).related == (Source("FND-03", "Title of FND-03", "scenarios"),)


def test_at_most_three_near_entries_are_named() -> None:
    many = {f"FND-{number:02}": DRIFT for number in range(1, 8)}
    tutor = a_tutor(judge=always(0.1), limits=Limits(300, 20, sources=20, claims=6), questions=many)
    answer = tutor.ask(DRIFT)
    assert len(answer.retrieved) == 7
    assert [source.id for source in answer.related] == list(answer.retrieved[:3])


def test_when_nothing_is_found_nothing_is_answered_whatever_the_odds() -> None:
    answer = a_tutor(limits=Limits(300, 20, sources=0, claims=6), judge=always(1.0)).ask(DRIFT)
    assert (answer.status, answer.retrieved, answer.related) == ("not_covered", (), ())
    assert_refused(answer, NOT_COVERED)


def test_an_entry_with_nothing_to_quote_is_unverified() -> None:
    answer = a_tutor().ask(BARE)
    assert answer.status == "unverified"
    assert_refused(answer, UNVERIFIED)


def test_no_more_is_quoted_than_an_answer_may_have() -> None:
    answer = a_tutor(limits=Limits(300, 20, sources=2, claims=1)).ask(DRIFT)
    assert [claim.text for claim in answer.claims] == [FIRST]


@pytest.mark.parametrize("question", [DRIFT, OUTSIDE])
def test_standing_notices_come_first_with_every_answer(question: str) -> None:
    chat = FakeChat().enqueue(ModelError("It failed."))
    answer = a_tutor(chat, notices=["The index is old."]).ask(question)
    assert answer.notices[0] == "The index is old."


def test_that_nothing_but_quotations_can_be_had_is_said_with_those_and_last() -> None:
    chat = FakeChat().enqueue(drift(FIRST), ModelError("It failed."))
    tutor = a_tutor(chat, default=QUOTE, notices=["The index is old."], quoting="No model is configured.")
    assert tutor.ask(DRIFT).notices == ("The index is old.", "No model is configured.")
    assert tutor.ask(OUTSIDE).notices == ("The index is old.",)
    assert tutor.ask(DRIFT, model="fake-chat").notices == ("The index is old.",)
    assert len(tutor.ask(DRIFT, model="fake-chat").notices) == 2


def test_the_writer_is_the_default_unless_another_is_named() -> None:
    chat = FakeChat().enqueue(drift(FIRST))
    assert a_tutor(chat, default=QUOTE).ask(DRIFT).model == QUOTE
    assert a_tutor(chat, default=QUOTE).ask(DRIFT, model="fake-chat").model == "fake-chat"


def test_a_model_nobody_knows_is_named_with_the_cure_before_anything_is_searched() -> None:
    with pytest.raises(QuestionError, match="There is no model called 'nosuch") as caught:
        a_tutor().reply(DRIFT, model="nosuch" + "h" * 500)
    assert "--model quote" in caught.value.cure
    assert "OPENAI_API_KEY" in caught.value.cure
    assert len(caught.value.message) < 200


def test_a_follow_up_is_answered_as_the_question_it_stands_for() -> None:
    history = [Turn("user", COLLAPSE), Turn("assistant", "It draws the same faces.")]
    answer = a_tutor().ask("why\nthat?", history)
    assert answer.question == "why that?"
    assert answer.standalone_question == f"{COLLAPSE[:-1]}: why that?"
    assert answer.retrieved[0] == "SCN-20"


def test_a_language_model_that_answers_also_puts_a_follow_up_as_a_question_of_its_own() -> None:
    rewriter = FakeChat().enqueue(json.dumps({"question": COLLAPSE}))
    chat = FakeChat().enqueue(claims((SAID["SCN-20"][0], "SCN-20")))
    history = [Turn("user", "Tell me  about\nGANs."), Turn("assistant", "They draw faces. [GEN-01]")]
    answer = a_tutor(chat, rewriter=rewriter).ask("how does it  show?", history)
    assert (answer.question, answer.standalone_question) == ("how does it show?", COLLAPSE)
    assert (answer.retrieved[0], answer.status, answer.notices) == ("SCN-20", "answered", ())
    assert f"<question>\n{COLLAPSE}\n</question>" in chat.calls[0][0][1]["content"]
    told = json.loads(rewriter.calls[0][0][1]["content"])
    assert told["last_turn"] == "how does it show?"
    assert "user: Tell me about GANs." in told["conversation"]


def test_when_the_model_cannot_put_the_follow_up_the_conversation_is_understood_without_it() -> None:
    chat = FakeChat().enqueue(claims((SAID["SCN-20"][0], "SCN-20")))
    history = [Turn("user", COLLAPSE), Turn("assistant", "It draws the same faces.")]
    rewriter = FakeChat().enqueue(ModelError("http://x cannot be reached."))
    answer = a_tutor(chat, notices=["The index is old."], rewriter=rewriter).ask("why that?", history)
    assert answer.standalone_question == f"{COLLAPSE[:-1]}: why that?"
    assert (answer.status, answer.model, answer.retrieved[0]) == ("answered", "fake-chat", "SCN-20")
    assert answer.notices == (
        "The index is old.",
        "http://x cannot be reached. The conversation was understood without it.",
    )


def test_a_language_model_reads_no_first_question_and_nothing_of_those_who_chose_quotations() -> None:
    rewriter = FakeChat()
    chat = FakeChat().enqueue(drift(FIRST))
    assert a_tutor(chat, rewriter=rewriter).ask(DRIFT).status == "answered"
    assert a_tutor(rewriter=rewriter).ask("why that?", [Turn("user", COLLAPSE)]).retrieved[0] == "SCN-20"
    a_tutor(chat, rewriter=rewriter).ask("why that?", [Turn("user", COLLAPSE)], model=QUOTE)
    assert rewriter.calls == []


def test_a_conversation_is_not_sent_away_for_the_model_on_this_machine() -> None:
    rewriter, local = FakeChat(), FakeChat(LOCAL).enqueue(claims((SAID["SCN-20"][0], "SCN-20")))
    answer = a_tutor(FakeChat(), local, rewriter=rewriter).ask("why that?", [Turn("user", COLLAPSE)], model=LOCAL)
    assert (answer.model, answer.retrieved[0], rewriter.calls) == (LOCAL, "SCN-20", [])


@pytest.mark.parametrize(("kept", "subject"), [(0, ""), (1, "How is it done: "), (20, f"{COLLAPSE[:-1]}: ")])
def test_only_the_latest_turns_count(kept: int, subject: str) -> None:
    history = [Turn("user", COLLAPSE), Turn("user", "How is it done?")]
    tutor = a_tutor(limits=Limits(300, kept, 2, 6), judge=always(1.0))
    assert tutor.ask("why?", history).standalone_question == f"{subject}why?"


def test_what_was_replied_earlier_helps_to_find_what_a_follow_up_is_about() -> None:
    asked, replied = Turn("user", "Tell me about pictures."), Turn("assistant", "Mode collapse may show. [SCN-20]")
    assert a_tutor().ask("why that?", [asked, replied]).retrieved[0] == "SCN-20"
    assert a_tutor().ask("why that?", [asked]).retrieved[0] != "SCN-20"


def test_search_understands_a_follow_up_as_ask_does() -> None:
    history = [Turn("user", COLLAPSE), Turn("assistant", "It draws the same faces.")]
    found = [hit.entry_id for hit in a_tutor().search("why\nthat?", limit=2, history=history)]
    assert tuple(found) == a_tutor().ask("why\nthat?", history).retrieved
    assert found[0] == "SCN-20"


@pytest.mark.parametrize("earlier", ["half \ud83d of a character", "\x1b[2J", "long " * 100])
def test_an_earlier_turn_that_is_not_usable_is_refused(earlier: str) -> None:
    for call in (a_tutor().reply, lambda text, turns: a_tutor().search(text, limit=1, history=turns)):
        with pytest.raises(QuestionError, match="An earlier turn"):
            call("and why is that?", [Turn("user", earlier)])


def test_what_an_assistant_said_earlier_is_not_judged() -> None:
    assert a_tutor().ask(DRIFT, [Turn("assistant", "\x1b" * 1000), Turn("user", "")]).status == "answered"


def test_search_gives_ranked_hits_with_the_parts_of_their_scores() -> None:
    hits = a_tutor().search(f"  {COLLAPSE}\n", limit=2)
    assert hits[0].entry_id == "SCN-20"
    assert [hit.rank for hit in hits] == [1, 2]
    assert set(hits[0].scores) == {"score", "dense", "cosine", "lexical", "keyword", "coverage"}


def test_search_and_ask_refuse_the_same_questions() -> None:
    errors: list[TutorError] = []
    for call in (a_tutor().reply, lambda text: a_tutor().search(text, limit=1)):
        with pytest.raises(QuestionError, match="The question is empty") as caught:
            call(" ")
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
