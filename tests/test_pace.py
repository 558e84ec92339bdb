"""A session calls a language model at most so many times a minute."""

from rag.pace import Pace, Turnstile


def test_calls_beyond_the_limit_wait_until_the_first_is_a_minute_old() -> None:
    now = [100.0]
    pace = Pace(2, lambda: now[0])
    assert (pace.wait(), pace.wait()) == (0.0, 0.0)
    now[0] = 130.0
    assert pace.wait() == 30.0
    assert pace.wait() == 30.0, "asking how long to wait costs nothing"
    now[0] = 160.0
    assert pace.wait() == 0.0
    assert pace.wait() == 0.0
    assert pace.wait() == 60.0


def test_a_question_takes_one_call_when_it_first_needs_one_and_no_other() -> None:
    pace = Pace(2, lambda: 100.0)
    first, second, third = (Turnstile(pace) for _ in range(3))
    assert [first.wait(), first.wait(), first.wait()] == [0.0, 0.0, 0.0]
    assert second.wait() == 0.0
    assert third.wait() == third.wait() == 60.0
    assert first.wait() == 0.0
    assert Turnstile(None).wait() == 0.0
