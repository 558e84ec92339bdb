"""Chat-completions endpoints on loopback ports that say what a test tells them to.

A real HTTP server, and a bare socket for what no HTTP server would send.
"""

import json
import select
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"


@dataclass(frozen=True)
class Reply:
    """What the server sends. A `body` that is not bytes is sent as JSON; a reply that hangs sends nothing."""

    body: Any = b""
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass(frozen=True)
class Request:
    """What the server was sent; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Any


def chat_reply(content: Any, finish_reason: str | None = "stop", **message: Any) -> Reply:
    """A well-formed chat completion with one choice."""
    message = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return Reply({"id": "1", "object": "chat.completion", "created": 0, "model": "any", "choices": [choice]})


def models_reply(*names: str) -> Reply:
    """A well-formed list of models."""
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "me"} for name in names]
    return Reply({"object": "list", "data": listed})


def failure(status: int, *, retry: bool = False, said: str = "", **headers: str) -> Reply:
    """A refusal that repeats the key it was sent, as careless servers do, and says whether to try again."""
    told = {"retry-after-ms": "1"} if retry else {"x-should-retry": "false"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": f"<authorization> {said}"}}, status, headers={**told, **named})


def event(**value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def delta(content: Any = None, finish_reason: str | None = None, **more: Any) -> bytes:
    """An event with a piece of a reply."""
    found = {"content": content, **more} if content is not None or more else {}
    return event(id="1", choices=[{"index": 0, "delta": found, "finish_reason": finish_reason}])


DONE = b"data: [DONE]\n\n"


def streamed(*texts: str, finish_reason: str | None = "stop", done: bool = True) -> bytes:
    """The events of a whole reply."""
    return b"".join([delta(role="assistant"), *map(delta, texts), delta(finish_reason=finish_reason)]) + DONE * done


def stream_reply(*texts: str) -> Reply:
    """A well-formed streamed reply."""
    return Reply(streamed(*texts), kind="text/event-stream")


class ChatServer:
    """Answers each path with its replies in turn, the last one again and again; a path without any gets a 404."""

    def __init__(self, url: str, replies: Mapping[str, Sequence[Reply]]) -> None:
        self.url = url
        self.host = url.split("/")[2]
        self.requests: list[Request] = []
        self.released = Event()
        self._replies = {path: list(given) for path, given in replies.items()}

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def bodies(self) -> list[Any]:
        return [request.body for request in self.requests]

    def take(self, request: Request) -> Reply:
        self.requests.append(request)
        waiting = self._replies.get(request.path, [failure(404)])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def serving(replies: Mapping[str, Sequence[Reply]]) -> Iterator[ChatServer]:
    """Runs the server on a free port as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            reply = chat.take(Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if reply.hangs:
                chat.released.wait()
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            data = data.replace(b"<authorization>", self.headers.get("Authorization", "").encode())
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):  # a client may have heard enough
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the requests are kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        chat = ChatServer(f"http://127.0.0.1:{server.server_port}/v1", replies)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield chat
        finally:
            chat.released.set()
            server.shutdown()
            thread.join()


HANG = "hang"
Script = Iterable[bytes | float | str]
"""What is done on one connection after the request: bytes are sent, seconds are waited, HANG stays until the
other side leaves; then the line is cut."""


def head(*headers: str, status: str = "200 OK", kind: str = "text/event-stream") -> bytes:
    """The beginning of an HTTP reply whose body ends with the connection."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers, "", ""]).encode()


def chunked(body: bytes, *, ended: bool = True) -> bytes:
    """A body in one chunk, for a head with `Transfer-Encoding: chunked`."""
    return f"{len(body):x}\r\n".encode() + body + b"\r\n" + b"0\r\n\r\n" * ended


class SocketServer:
    """Plays each connection's script in turn, the last one again and again. `left` is set when a client goes."""

    def __init__(self, scripts: Sequence[Script], tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self.requests: list[bytes] = []
        self.left = Event()
        self._released = Event()
        self._scripts = list(scripts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.host}/v1"
        self._players: list[Thread] = []
        self._accepting = Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        self._released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._players):
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            player = Thread(target=self._play, args=(connection, script))
            self._players.append(player)
            player.start()

    def _play(self, connection: socket.socket, script: Script) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        with connection:
            try:
                self.requests.append(_request(connection))
                for step in script:
                    if self._released.is_set():
                        return
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    elif self._gone(connection, None if isinstance(step, str) else step):
                        self.left.set()
                        return
                connection.shutdown(socket.SHUT_WR)
                self._gone(connection, 1.0)  # closing with unread bytes would reset what is still on its way
            except OSError:
                self.left.set()

    def _gone(self, connection: socket.socket, seconds: float | None) -> bool:
        """Waits; whether the other side has closed its end meanwhile."""
        waited = 0.0
        while not self._released.is_set() and (seconds is None or waited < seconds):
            pause = 0.02 if seconds is None else min(0.02, seconds - waited)
            if select.select([connection], [], [], pause)[0] and not connection.recv(65536):
                return True
            waited += pause
        return False


def _request(connection: socket.socket) -> bytes:
    """A whole HTTP request, or whatever came when it is none."""
    data = b""
    while b"\r\n\r\n" not in data and not data.startswith(b"\x16"):  # the first byte of TLS
        if not (more := connection.recv(65536)):
            return data
        data += more
    found, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in found.lower().splitlines() if line.startswith(b"content-length")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0 and (more := connection.recv(65536)):
        data, missing = data + more, missing - len(more)
    return data


@contextmanager
def playing(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[SocketServer]:
    """Runs the scripts on a free port as long as the block lasts."""
    server = SocketServer(scripts, tls)
    try:
        yield server
    finally:
        server.close()


def refused_url() -> str:
    """The address of an endpoint that does not run: its port was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
