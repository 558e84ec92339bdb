"""A reply is read claim by claim, and holds the answer afterwards."""

from collections.abc import Generator
from threading import Event, Thread

import pytest

from rag.reply import Reply
from rag.types import Answer, Claim, Shown

ANSWER = Answer("q", "q", "answered", (), (), (), "m")
CLAIMS = [Shown(Claim(text, ("A-01",), 1.0, text), "m") for text in ("one", "two")]


def steps(closed: list[bool]) -> Generator[Shown, None, Answer]:
    try:
        yield from CLAIMS
    finally:
        closed.append(True)
    return ANSWER


def test_the_claims_come_one_by_one_and_the_answer_after_them() -> None:
    reply = Reply(steps([]))
    seen = []
    for shown in reply:
        seen.append(shown)
        with pytest.raises(RuntimeError):
            _ = reply.answer
    assert seen == CLAIMS
    assert reply.answer is ANSWER
    assert reply.finish() is ANSWER


def test_finishing_reads_the_rest() -> None:
    reply = Reply(steps([]))
    next(iter(reply))
    assert reply.finish() is ANSWER


def test_cancelling_ends_the_writer_and_leaves_no_answer() -> None:
    closed: list[bool] = []
    reply = Reply(steps(closed))
    next(iter(reply))
    reply.cancel()
    assert closed == [True]
    with pytest.raises(RuntimeError):
        _ = reply.answer


def test_cancelling_from_another_thread_waits_for_nobody_and_ends_the_writer_with_its_step() -> None:
    begun, let, closed = Event(), Event(), Event()

    def slow() -> Generator[Shown, None, Answer]:
        try:
            begun.set()
            assert let.wait(20)
            yield CLAIMS[0]
        finally:
            closed.set()
        return ANSWER

    reply, seen = Reply(slow()), list[Shown]()
    reader = Thread(target=lambda: seen.extend(reply))
    reader.start()
    assert begun.wait(20)
    reply.cancel()
    assert not closed.is_set()
    let.set()
    reader.join(20)
    assert closed.is_set()
    assert seen == []
    with pytest.raises(RuntimeError):
        reply.finish()


def test_an_answer_that_is_cancelled_in_its_last_step_is_none_and_one_that_was_whole_stays() -> None:
    def last() -> Generator[Shown, None, Answer]:
        reply.cancel()
        return ANSWER
        yield

    reply = Reply(last())
    assert list(reply) == []
    with pytest.raises(RuntimeError):
        _ = reply.answer
    whole = Reply(steps([]))
    whole.finish()
    whole.cancel()
    assert whole.answer is ANSWER
