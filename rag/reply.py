"""An answer while it is being made."""

from collections.abc import Generator, Iterator

from rag.types import Answer, Shown


class Reply:
    """Iterate it for the claims as they pass their check; afterwards `answer` holds the whole.

    Args:
        steps: yields each claim and returns the finished answer.
    """

    def __init__(self, steps: Generator[Shown, None, Answer]) -> None:
        self._steps = steps
        self._answer: Answer | None = None

    def __iter__(self) -> Iterator[Shown]:
        return self

    def __next__(self) -> Shown:
        try:
            return next(self._steps)
        except StopIteration as end:
            if end.value is not None:
                self._answer = end.value
            raise StopIteration from None

    def finish(self) -> Answer:
        """Runs to the end and returns the answer."""
        if self._answer is None:
            for _ in self:
                pass
        return self.answer

    def cancel(self) -> None:
        """Stops the writer, and the provider behind it; there will be no answer."""
        self._steps.close()

    @property
    def answer(self) -> Answer:
        """The finished answer.

        Raises:
            RuntimeError: it is not finished, or was cancelled.
        """
        if self._answer is None:
            raise RuntimeError("The reply has not been read to its end.")
        return self._answer
