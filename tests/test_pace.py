"""A session calls a language model at most so many times a minute."""

from rag.pace import Pace


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
