"""A reply is read claim by claim, and holds the answer afterwards."""

from collections.abc import Generator

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
