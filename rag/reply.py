"""An answer while it is being made."""

from collections.abc import Generator, Iterator
from threading import Event, Lock

from rag.exchange import Cancelled, heeding
from rag.types import Answer, Shown


class Reply:
    """Iterate it for the claims as they pass their check; afterwards `answer` holds the whole.

    Args:
        steps: yields each claim and returns the finished answer.
    """

    def __init__(self, steps: Generator[Shown, None, Answer]) -> None:
        self._steps = steps
        self._answer: Answer | None = None
        self._cancelled = Event()
        self._stepping = Lock()

    def __iter__(self) -> Iterator[Shown]:
        return self

    def __next__(self) -> Shown:
        with self._stepping:
            shown = None if self._cancelled.is_set() else self._step()
        if self._cancelled.is_set():
            self.cancel()  # another thread could not close the steps while they ran
            raise StopIteration
        if shown is None:
            raise StopIteration
        return shown

    def _step(self) -> Shown | None:
        """The next claim; None after the last, or when somebody cancelled meanwhile."""
        try:
            with heeding(self._cancelled):
                return next(self._steps)
        except Cancelled:
            return None
        except StopIteration as end:
            if end.value is not None and not self._cancelled.is_set():
                self._answer = end.value
            return None

    def finish(self) -> Answer:
        """Runs to the end and returns the answer.

        Raises:
            RuntimeError: it was cancelled.
        """
        if self._answer is None:
            for _ in self:
                pass
        return self.answer

    def cancel(self) -> None:
        """Stops the writer, and the provider behind it; an answer that is not finished never will be.

        From any thread: while another one waits for the provider, its wait and the connection end within a second.
        """
        self._cancelled.set()
        if self._stepping.acquire(blocking=False):
            try:
                self._steps.close()
            finally:
                self._stepping.release()

    @property
    def answer(self) -> Answer:
        """The finished answer.

        Raises:
            RuntimeError: it is not finished, or was cancelled.
        """
        if self._answer is None:
            raise RuntimeError("The reply has not been read to its end.")
        return self._answer
