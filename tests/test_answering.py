"""Answers made on a thread: watched while they grow, stopped, failed."""

from collections.abc import Generator
from threading import Event

import pytest

from rag.errors import QuestionError
from rag.reply import Reply
from rag.types import Answer, Claim, Shown, Source
from tests.asking import MESSAGES, SCHEMA, the_model
from tests.servers import CHAT, HANG, Script, delta, failure, head, playing, serving
from ui.answering import STOPPED, Answering, stopped_answer

QUOTED = Shown(Claim("Quoted.", ("SCN-09",), 1.0, "Quoted."), "quote")
WRITTEN = Shown(Claim("Written.", ("FND-02", "SCN-09"), 0.9, "Passage."), "small")
MORE = Shown(Claim("More.", ("FND-02",), 0.9, "Passage."), "small")
WHOLE = Answer("why?", "why?", "answered", (), (), (), "small")
PATIENCE = 20.0


class Writer:
    """A reply that says its second sentence when it is let, and remembers whether it was closed."""

    def __init__(self) -> None:
        self.begun, self.let, self.closed = Event(), Event(), Event()

    def make(self) -> Reply:
        return Reply(self._steps())

    def _steps(self) -> Generator[Shown, None, Answer]:
        try:
            yield QUOTED
            self.begun.set()
            assert self.let.wait(PATIENCE)
            yield WRITTEN
            return WHOLE
        except GeneratorExit:
            self.closed.set()
            raise


def source(entry_id: str) -> Source:
    return Source(entry_id, f"Title of {entry_id}", "scenarios")


def test_sentences_are_there_before_the_answer_is() -> None:
    writer = Writer()
    job = Answering("why?", writer.make)
    assert writer.begun.wait(PATIENCE)
    assert (job.shown, job.answer, job.wait(0)) == ([QUOTED], None, False)
    writer.let.set()
    assert job.wait(PATIENCE)
    assert (job.shown, job.answer, job.error) == ([QUOTED, WRITTEN], WHOLE, None)


def test_a_stop_is_obeyed_at_once_and_a_writer_that_waits_for_no_model_ends_with_its_next_sentence() -> None:
    writer = Writer()
    job = Answering("why?", writer.make)
    assert writer.begun.wait(PATIENCE)
    job.stop()
    assert job.wait(0)
    writer.let.set()
    assert writer.closed.wait(PATIENCE)
    assert (job.shown, job.answer, job.error) == ([QUOTED], None, None)


def endless() -> Script:
    yield head()
    while True:
        yield delta("A sentence that does not pass. ")
        yield 0.01


@pytest.mark.parametrize("script", [[HANG], [head(), delta("{"), HANG], endless()], ids=["silent", "hangs", "no end"])
def test_a_stop_ends_the_connection_to_a_model_that_says_nothing_worth_showing(script: Script) -> None:
    with playing(script) as server:
        model = the_model(server.url, first_byte_seconds=60.0, between_bytes_seconds=60.0, retries=2)
        begun = Event()

        def steps() -> Generator[Shown, None, Answer]:
            begun.set()
            for _ in model.stream_json(MESSAGES, SCHEMA):
                pass
            yield WRITTEN
            return WHOLE

        job = Answering("why?", lambda: Reply(steps()))
        assert begun.wait(PATIENCE)
        while not server.requests:
            assert not job.wait(0.01)
        job.stop()
        assert server.left.wait(5)
        assert len(server.requests) == 1
    assert (job.shown, job.answer, job.error) == ([], None, None)


def test_a_stop_ends_the_wait_before_another_try_too() -> None:
    with serving({CHAT: [failure(503, retry=True)]}) as server:
        model, ended = the_model(server.url, retries=9, backoff_seconds=60.0), Event()

        def steps() -> Generator[Shown, None, Answer]:
            try:
                model.complete_json(MESSAGES, SCHEMA)
                yield WRITTEN
            finally:
                ended.set()
            return WHOLE

        job = Answering("why?", lambda: Reply(steps()))
        while not server.requests:
            assert not job.wait(0.01)
        job.stop()
        assert ended.wait(5)
        assert (job.shown, job.error) == ([], None)


def test_a_stop_after_the_end_changes_nothing() -> None:
    writer = Writer()
    writer.let.set()
    job = Answering("why?", writer.make)
    assert job.wait(PATIENCE)
    job.stop()
    assert (job.stopped, job.answer) == (False, WHOLE)


def test_what_goes_wrong_is_kept_for_the_page() -> None:
    def refuse() -> Reply:
        raise QuestionError("The question is empty.", "Type one.")

    job = Answering("", refuse)
    assert job.wait(PATIENCE)
    assert str(job.error) == "The question is empty. Type one."
    assert job.answer is None


def test_a_stopped_answer_keeps_what_had_passed_its_check() -> None:
    answer = stopped_answer("why?", [QUOTED, WRITTEN, MORE], source)
    assert answer is not None
    assert (answer.status, answer.message, answer.model) == ("partial", STOPPED, "small")
    assert answer.claims == (WRITTEN.claim, MORE.claim)
    assert answer.quoted == (QUOTED.claim,)
    assert [item.id for item in answer.sources] == ["FND-02", "SCN-09"]


def test_an_answer_stopped_before_the_model_wrote_is_what_was_quoted() -> None:
    answer = stopped_answer("why?", [QUOTED], source)
    assert answer is not None
    assert (answer.model, answer.claims, answer.quoted) == ("quote", (QUOTED.claim,), ())


def test_an_answer_stopped_before_anything_is_none() -> None:
    assert stopped_answer("why?", [], source) is None
