"""A chat-completions endpoint on a loopback port: a real HTTP server that says what a test tells it to."""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def chat_reply(content: str | None, finish_reason: str = "stop") -> Reply:
    """A well-formed chat completion with one choice."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return Reply({"id": "1", "object": "chat.completion", "created": 0, "model": "any", "choices": [choice]})


def models_reply(*names: str) -> Reply:
    """A well-formed list of models."""
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "me"} for name in names]
    return Reply({"object": "list", "data": listed})


def failure(status: int, *, retry: bool = False) -> Reply:
    """A refusal that repeats the key it was sent, as careless servers do, and says whether to try again."""
    told = {"retry-after-ms": "1"} if retry else {"x-should-retry": "false"}
    return Reply({"error": {"message": "<authorization>"}}, status, headers=told)


class ChatServer:
    """Answers each path with its replies in turn, the last one again and again; a path without any gets a 404."""

    def __init__(self, url: str, replies: Mapping[str, Sequence[Reply]]) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.released = Event()
        self._replies = {path: list(given) for path, given in replies.items()}

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

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


def refused_url() -> str:
    """The address of an endpoint that does not run: its port was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
