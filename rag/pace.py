"""How often one session may call a language model."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

WINDOW = 60.0


class Pace:
    """At most so many calls in any minute. Safe to share between threads.

    Args:
        calls: calls a minute.
        clock: seconds that only go forwards.
    """

    def __init__(self, calls: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._clock = clock
        self._spent: deque[float] = deque()
        self._lock = Lock()

    def wait(self) -> float:
        """Takes one call; the seconds until one is free again when there is none, else 0."""
        with self._lock:
            now = self._clock()
            while self._spent and now - self._spent[0] >= WINDOW:
                self._spent.popleft()
            if len(self._spent) >= self._calls:
                return WINDOW - (now - self._spent[0])
            self._spent.append(now)
            return 0.0


class Turnstile:
    """One question's way to the language model: takes a call when the model is first needed, and never a second.

    Args:
        pace: whose calls are taken; without one, nothing is counted.
    """

    def __init__(self, pace: Pace | None) -> None:
        self._pace = pace
        self._seconds: float | None = None

    def wait(self) -> float:
        """Seconds until the model may be asked, 0 when it may be now."""
        if self._seconds is None:
            self._seconds = self._pace.wait() if self._pace else 0.0
        return self._seconds
