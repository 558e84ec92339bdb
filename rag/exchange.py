"""One request and its reply, with every wait bounded, whatever the network does.

The reply is read by a thread of its own: a wait for it then ends when it has to, in a name lookup, a
handshake or the middle of a byte stream alike. Knows neither the HTTP library nor what is said.
"""

import socket
import ssl
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from queue import Empty, Full, Queue
from threading import Event, Thread, current_thread
from time import monotonic, sleep
from typing import Any

from rag.errors import ModelError
from rag.refusal import ADDRESS, CURE, Passing, Refused, Silent, read_refusal

WIRE_BYTES = 64_000_000
"""Bytes of one reply on the wire: each of a reply's tokens travels in an event a hundred times its size."""
LOOK_SECONDS = 0.2
"""How often a wait looks whether its reply is still wanted."""
_unwanted: ContextVar[Event | None] = ContextVar("unwanted", default=None)


class Cancelled(Exception):
    """Nobody wants the reply any more. No `TutorError`: nothing failed, and nothing is to take its place."""


@contextmanager
def heeding(unwanted: Event) -> Iterator[None]:
    """What waits for an endpoint in this block, in this thread, ends with `Cancelled` soon after the event is set."""
    before = _unwanted.set(unwanted)
    try:
        yield
    finally:
        _unwanted.reset(before)


def pause(seconds: float) -> None:
    """Sleeps.

    Raises:
        Cancelled: see `heeding`.
    """
    unwanted = _unwanted.get()
    if unwanted is None:
        sleep(seconds)
    elif unwanted.wait(seconds):
        raise Cancelled


class Exchange(Thread):
    """A request that runs in this thread while another reads the reply.

    Args:
        opening: sends the request; its context gives something with `iter_bytes()`.
        where: the endpoint, as messages name it.
        first: seconds to wait for the first byte of the reply.
        between: seconds to wait for each further one.
        ends: when all has to be over, on the clock of `time.monotonic`.
    """

    def __init__(
        self, opening: Callable[[], AbstractContextManager[Any]], where: str, first: float, between: float, ends: float
    ) -> None:
        super().__init__(name="language model", daemon=True)
        self.refused: Refused | None = None
        self._opening = opening
        self._where = where
        self._first = first
        self._between = between
        self._ends = ends
        self._connection: socket.socket | None = None
        self._arrived: Queue[bytes | Exception | None] = Queue(64)
        self._stopped = Event()

    def chunks(self) -> Generator[bytes, None, None]:
        """Starts the request and yields the reply's bytes; closing the iterator ends the request.

        Raises:
            Refused: with a status that is not success.
            ModelError: the endpoint cannot be reached, is silent for too long, or breaks off.
            Cancelled: see `heeding`.
        """
        pause(0)  # nothing is sent for a reply that is not wanted any more
        self.start()
        taken = 0
        try:
            while (chunk := self._next(began=taken > 0)) is not None:
                taken += len(chunk)
                if taken > WIRE_BYTES:
                    raise ModelError(f"{self._where} does not stop sending.", CURE)
                yield chunk
        finally:
            self.stop()

    def hurry(self, seconds: float) -> None:
        """From now on waits no longer than this for further bytes."""
        self._between = min(self._between, seconds)

    def stop(self) -> None:
        """Ends the connection, which is how a provider learns that nobody listens any more."""
        self._stopped.set()
        if self._connection is not None:
            _shut(self._connection)
            self.join(1.0)

    def run(self) -> None:
        try:
            with self._opening() as response:
                for chunk in response.iter_bytes():
                    if chunk and not self._hand(chunk):
                        return
            self._hand(None)
        except Exception as error:  # noqa: BLE001  # handed over to the thread that waits
            self._hand(error)

    def watch(self, event: str, details: Mapping[str, Any]) -> None:
        """Told by the HTTP library what it does; keeps the connection once there is one."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._connection = details["return_value"].get_extra_info("socket")
            if self._stopped.is_set() and self._connection is not None:
                _shut(self._connection)

    def _hand(self, item: bytes | Exception | None) -> bool:
        """Whether somebody takes it; a reader that is slow is waited for, one that left is not."""
        while not self._stopped.is_set() and monotonic() < self._ends + 1:
            with suppress(Full):
                self._arrived.put(item, timeout=0.1)
                return True
        return False

    def _next(self, *, began: bool) -> bytes | None:
        now = monotonic()
        patience = self._between if began else self._first
        try:
            if now >= self._ends:
                raise Empty
            item = self._awaited(min(now + patience, self._ends))
        except Empty:
            silence = self._silence(began=began, seconds=patience, over=monotonic() >= self._ends)
        else:
            if not isinstance(item, Exception):
                return item
            silence = self._fault(item, began=began)
        raise silence  # outside the handlers: what it came from may hold the key

    def _awaited(self, until: float) -> bytes | Exception | None:
        """What arrives next; `Empty` when nothing has by then."""
        while True:
            pause(0)
            left = until - monotonic()
            try:
                return self._arrived.get(timeout=max(0.0, min(left, LOOK_SECONDS)))
            except Empty:
                if left <= LOOK_SECONDS:
                    raise

    def _silence(self, *, began: bool, seconds: float, over: bool) -> Exception:
        if self.refused is not None:
            return self.refused
        if over:
            cure = f"Lower TUTOR_ANSWER_TOKENS, or choose a faster model with TUTOR_MODEL. {CURE}"
            return ModelError(f"{self._where} was not done in the time there is for a reply.", cure)
        if began:
            return Silent(f"{self._where} fell silent for {seconds:g} s in the middle of its reply.", CURE)
        if self._connection is None:
            return _unreachable(self._where)
        cure = f"Raise TUTOR_FIRST_BYTE_SECONDS, or choose a faster model with TUTOR_MODEL. {CURE}"
        return ModelError(f"{self._where} did not answer within {seconds:g} s.", cure)

    def _fault(self, error: Exception, *, began: bool) -> Exception:
        """One clear line for whatever was raised on the way."""
        causes = list(_chain(error))
        refused = next((cause for cause in causes if isinstance(cause, Refused)), None)
        if refused is not None:
            return refused
        kinds = tuple(type(cause) for cause in causes)
        if any(issubclass(kind, zlib.error) for kind in kinds):
            return ModelError(f"{self._where} sent bytes that cannot be unpacked.", ADDRESS)
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                cure = f"Check OPENAI_BASE_URL and the certificates of this machine (SSL_CERT_FILE). {CURE}"
                return ModelError(f"The certificate of {self._where} cannot be trusted.", cure)
            if isinstance(cause, socket.gaierror):
                return Passing(f"There is no host {self._where}.", f"Check OPENAI_BASE_URL and the network. {CURE}")
        if any(issubclass(kind, ssl.SSLError) for kind in kinds) and not began:
            cure = f"Check OPENAI_BASE_URL: a server on one's own machine usually wants http://. {CURE}"
            return ModelError(f"{self._where} does not speak TLS.", cure)
        if self._connection is None or (TimeoutError in kinds and not began):
            return _unreachable(self._where)
        return Passing(f"{self._where} broke the connection off before its reply was whole.", CURE)


def _shut(connection: socket.socket) -> None:
    # Closing would leave the other thread waiting; this wakes it up, and it closes. Only the reading side:
    # after both, Linux does not tell a sender that waits for room that nobody will ever make any. Not the
    # method of a TLS socket, which would take the cipher away under the reader.
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RD)


def _unreachable(where: str) -> Passing:
    return Passing(f"{where} cannot be reached.", f"Check OPENAI_BASE_URL and that it runs. {CURE}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def watch_request(request: Any) -> None:
    """A hook of the HTTP client: lets the exchange that sends this request see its connection."""
    thread = current_thread()
    if isinstance(thread, Exchange):
        request.extensions["trace"] = thread.watch


def check_response(response: Any) -> None:
    """A hook of the HTTP client: a refusal is read here, since the client would read one of any length.

    Raises:
        Refused: the status is not success.
    """
    if response.is_success:
        return
    refused = Refused(response.status_code, response.headers)
    thread = current_thread()
    if isinstance(thread, Exchange):
        thread.refused = refused  # should its body never end
    read_refusal(refused, response.iter_bytes())
    raise refused
