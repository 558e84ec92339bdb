"""A judge on a loopback port: an OpenAI-compatible endpoint that fills in whatever schema it is sent.

It judges by one plain rule, so that the scores ragas makes of its replies can be worked out by hand: a statement is
supported when it stands in the text word for word.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from tests.servers import Reply

NAME = "judge-1"
DATED = "judge-1-2026-11-01"
"""What the endpoint calls the model it was asked for."""
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
HANGS = Reply(hangs=True)
INPUT = re.compile(r"Now perform the same with the following input\ninput: (.*)\nOutput: $", re.DOTALL)
ASSERTION = re.compile(r"Source:\n(.*)\n\nQuestion:\n.*\n\nAnswer:\n(.*)", re.DOTALL)
TITLE = re.compile(r'"title": "(\w+Output)"')


@dataclass(frozen=True)
class Asked:
    """One request: its schema's name, what it was about, and the whole of it."""

    form: str
    given: dict[str, Any]
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class JudgeServer:
    """What was asked, and what is done out of the ordinary.

    `replies` are sent to the next requests instead of a verdict, None standing for one; `always` to all of them;
    `said` changes a verdict; requests after the first `patience` hang.
    """

    url: str
    asked: list[Asked] = field(default_factory=list)
    replies: list[Reply | None] = field(default_factory=list)
    always: Reply | None = None
    said: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda form, verdict: verdict
    patience: int | None = None
    released: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def forms(self) -> list[str]:
        return [request.form for request in self.asked]

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self.lock:
            form, given = read(body)
            self.asked.append(Asked(form, given, body, headers))
            if self.patience is not None and len(self.asked) > self.patience:
                return HANGS
            planned = self.replies.pop(0) if self.replies else self.always
        return planned or completion(json.dumps(self.said(form, verdict(form, given))))


def completion(content: str, finish_reason: str = "stop") -> Reply:
    """A chat completion that reports its model and its tokens."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
    values = {"id": "1", "object": "chat.completion", "created": 0, "model": DATED, "choices": [choice], "usage": USAGE}
    return Reply(values)


def read(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the wanted schema, and the input at the end of the prompt."""
    texts = [message["content"] for message in body["messages"]]
    asked = next(text for text in reversed(texts) if INPUT.search(text) or ASSERTION.search(text))
    if (found := INPUT.search(asked)) is None:
        source, answer = ASSERTION.search(asked).groups()  # type: ignore[union-attr]
        return "verdict", {"context": source, "answer": answer}
    form = body.get("response_format", {}).get("json_schema", {}).get("name")
    return form or TITLE.findall(asked)[-1], json.loads(found[1])


def verdict(form: str, given: dict[str, Any]) -> dict[str, Any]:
    """What the rule makes of it, in the form that was asked for."""
    context = given.get("context", "")
    if form == "StatementGeneratorOutput":
        return {"statements": sentences(given["answer"])}
    if form == "ClaimDecompositionOutput":
        return {"claims": sentences(given["response"])}
    if form == "NLIStatementOutput":
        rows = [{"statement": s, "reason": "read", "verdict": int(s in context)} for s in given["statements"]]
        return {"statements": rows}
    if form == "ContextRecallOutput":
        parts = sentences(given["answer"])
        return {"classifications": [{"statement": s, "reason": "", "attributed": int(s in context)} for s in parts]}
    if form == "ContextPrecisionOutput":
        return {"reason": "read", "verdict": int(any(s in context for s in sentences(given["answer"])))}
    if form == "AnswerRelevanceOutput":
        return {"question": sentences(given["response"])[0], "noncommittal": 0}
    if form == "ResponseGroundednessOutput":
        found = [s in context for s in sentences(given["response"])]
        return {"rating": 2 if all(found) else int(any(found))}
    assert form == "verdict"
    fine = all(s in context for s in sentences(given["answer"]))
    return {"reason": "read", "verdict": "supported" if fine else "unsupported"}


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+", text.strip())


@contextmanager
def judging() -> Iterator[JudgeServer]:
    """Runs the judge on a free port as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = judge.take(body, {name.lower(): value for name, value in self.headers.items()})
            if reply.hangs:
                judge.released.wait()
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            data = data.replace(b"<authorization>", self.headers.get("Authorization", "").encode())
            with suppress(OSError):  # the client may be gone
                self.send_response(reply.status)
                for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the requests are kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        judge = JudgeServer(f"http://127.0.0.1:{server.server_port}/v1")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield judge
        finally:
            judge.released.set()
            server.shutdown()
            thread.join()
