"""An answer made on a thread of its own, so that a page stays alive while it waits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event, Thread

from rag.reply import Reply
from rag.types import Answer, Shown, Source

STOPPED = "You stopped this answer, so it may lack sentences."


class Answering:
    """Reads a reply to its end or until it is stopped; `shown` grows meanwhile.

    Afterwards there is either `answer` or `error`, or neither when it was stopped.

    Args:
        question: what was asked.
        make: begins the reply; runs on the thread too, because it may have to open things first.
    """

    def __init__(self, question: str, make: Callable[[], Reply]) -> None:
        self.question = question
        self.shown: list[Shown] = []
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.stopped = False
        self._make = make
        self._reply: Reply | None = None
        self._done = Event()
        Thread(target=self._run, name="answering", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Waits that long at the most; whether there is nothing more to wait for."""
        return self.stopped or self._done.wait(seconds)

    def stop(self) -> None:
        """No more is shown from now on; the connection to the model ends within about a second."""
        if not self._done.is_set():
            self.stopped = True
            if self._reply is not None:
                self._reply.cancel()

    def _run(self) -> None:
        try:
            reply = self._reply = self._make()
            if self.stopped:  # before there was a reply to cancel
                reply.cancel()
            for shown in reply:
                if self.stopped:
                    return
                self.shown.append(shown)
            if not self.stopped:
                self.answer = reply.answer
        except Exception as error:  # noqa: BLE001 - raised again, or shown, where the page waits
            self.error = error
        finally:
            self._done.set()


def stopped_answer(question: str, shown: Sequence[Shown], source: Callable[[str], Source]) -> Answer | None:
    """What had passed its check when an answer was stopped; None when nothing had.

    Sentences of the language model stand for themselves, with the quoted ones beside them, as in a whole answer.
    """
    if not shown:
        return None
    writer = shown[-1].model
    claims = tuple(item.claim for item in shown if item.model == writer)
    quoted = tuple(item.claim for item in shown if item.model != writer)
    ids = tuple(dict.fromkeys(entry_id for claim in claims for entry_id in claim.sources))
    answer = Answer(question, question, "partial", claims, tuple(map(source, ids)), ids, writer)
    return replace(answer, message=STOPPED, quoted=quoted)
