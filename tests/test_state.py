"""What a browser session keeps: its turns, the answer being made, the entry that is open."""

from collections.abc import Callable, Generator
from threading import Event

import pytest
from streamlit.testing.v1 import AppTest

from rag.errors import QuestionError
from rag.reply import Reply
from rag.settings import Settings
from rag.types import Answer, Claim, Shown, Source
from ui import state
from ui.state import Conversation

CLAIM = Claim("Quoted.", ("SCN-09",), 1.0, "Quoted.")
PATIENCE = 20.0


def source(entry_id: str) -> Source:
    return Source(entry_id, f"Title of {entry_id}", "scenarios")


def an_answer(question: str) -> Answer:
    return Answer(question, question, "answered", (CLAIM,), (source("SCN-09"),), ("SCN-09",), "quote")


def replying(question: str) -> Callable[[], Reply]:
    def steps() -> Generator[Shown, None, Answer]:
        yield Shown(CLAIM, "quote")
        return an_answer(question)

    return lambda: Reply(steps())


def asked(talk: Conversation, question: str) -> None:
    talk.start(question, replying(question), source)
    assert talk.job is not None
    assert talk.job.wait(PATIENCE)
    talk.settle(source)


def test_answers_become_the_history_of_the_next_question() -> None:
    talk = Conversation()
    asked(talk, "why?")
    asked(talk, "and then?")
    assert [turn.text for turn in talk.history()] == ["why?", "Quoted. [SCN-09]", "and then?", "Quoted. [SCN-09]"]
    assert [turn.text for turn in talk.history(1)] == ["why?", "Quoted. [SCN-09]"]
    assert talk.job is None


def test_a_question_that_could_not_be_used_is_shown_and_is_no_history() -> None:
    def refuse() -> Reply:
        raise QuestionError("The question is empty.", "Type one.")

    talk = Conversation()
    talk.start(" ", refuse, source)
    assert talk.job is not None
    assert talk.job.wait(PATIENCE)
    talk.settle(source)
    assert [(turn.answer, turn.problem) for turn in talk.turns] == [(None, "The question is empty. Type one.")]
    assert talk.history() == []
    assert talk.answers == []


def test_a_fault_of_ours_is_raised_where_the_page_runs() -> None:
    def broken() -> Reply:
        raise ZeroDivisionError

    talk = Conversation()
    talk.start("why?", broken, source)
    assert talk.job is not None
    assert talk.job.wait(PATIENCE)
    with pytest.raises(ZeroDivisionError):
        talk.settle(source)
    assert talk.job is None


def test_a_new_question_stops_the_answer_being_made_and_keeps_what_it_had() -> None:
    said, let = Event(), Event()

    def steps() -> Generator[Shown, None, Answer]:
        yield Shown(CLAIM, "quote")
        said.set()
        let.wait(PATIENCE)
        return an_answer("slow")

    talk = Conversation()
    talk.start("slow", lambda: Reply(steps()), source)
    assert said.wait(PATIENCE)
    asked(talk, "next")
    let.set()
    assert [(turn.question, turn.answer and turn.answer.status) for turn in talk.turns] == [
        ("slow", "partial"),
        ("next", "answered"),
    ]


def test_an_answer_stopped_before_anything_was_said_says_so() -> None:
    let = Event()

    def wait() -> Reply:
        let.wait(PATIENCE)
        return replying("slow")()

    talk = Conversation()
    talk.start("slow", wait, source)
    assert talk.job is not None
    talk.job.stop()
    talk.settle(source)
    let.set()
    assert talk.turns[0].answer is None
    assert "Stopped" in talk.turns[0].problem


def test_each_opening_has_a_number_of_its_own() -> None:
    talk = Conversation()
    talk.open("SCN-09", 0, CLAIM)
    first = talk.opened
    talk.open("SCN-09", 0, CLAIM)
    assert first is not None
    assert talk.opened is not None
    assert talk.opened.number == first.number + 1
    talk.close()
    assert talk.opened is None


def test_a_button_s_question_is_asked_once() -> None:
    talk = Conversation()
    talk.ask("why?")
    assert (talk.take_asked(), talk.take_asked()) == ("why?", "")


def test_a_new_conversation_forgets_what_was_said_and_keeps_what_was_chosen() -> None:
    talk = Conversation(model="small")
    asked(talk, "why?")
    talk.open("SCN-09", 0)
    talk.ask("next")
    talk.restart()
    assert (talk.turns, talk.opened, talk.take_asked(), talk.job, talk.model) == ([], None, "", None, "small")


def test_the_library_is_opened_at_a_guide_without_what_was_looked_for_before() -> None:
    def page() -> None:
        import streamlit

        from ui import state

        streamlit.session_state.update({state.VIEW: "Map", state.WORDS: "drift", state.LEVEL: "senior"})
        state.show_guide("Bees (your document)")

    kept = AppTest.from_function(page).run().session_state
    keys = (state.VIEW, state.WORDS, state.GUIDE, state.TOPIC, state.LEVEL)
    assert [kept[key] for key in keys] == ["List", "", "Bees (your document)", "", ""]


def test_a_session_s_pace_lasts_as_long_as_the_session() -> None:
    talk = Conversation()
    assert talk.pace_of(Settings()) is talk.pace_of(Settings())
