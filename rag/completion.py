"""A chat-completions reply from bytes to text: whole, or an error.

Takes what an endpoint sent, an event stream or one JSON body, and hands out its text. On the wire a reply
that is cut, empty or declined looks like any other, so one counts as whole only when it says that it
ended. Knows no network.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from rag.errors import ModelError
from rag.refusal import ADDRESS, CURE, Passing, Silent

BOM = b"\xef\xbb\xbf"
DONE = "[DONE]"
REPLY_CHARACTERS = 1_000_000
"""Characters of a reply at the most; an answer has a few thousand."""
EVENT_BYTES = 2_000_000
"""Bytes of one event, or of a body that is not a stream, at the most."""
BLANK_BYTES = 65_536
"""White space before a body at the most; some servers send it to keep the line open."""
AFTER_END = 1.0
"""Seconds to wait for what follows the end of a reply: nobody needs it, and some servers leave the line open."""
TEXT_PARTS = {"text", "output_text"}
CUT = re.compile(r"length|max|limit")
TOOL = re.compile(r"tool|function")
DECLINED = re.compile(r"filter|safety|block|recitation|prohibited|refus|guardrail")
GIVEN_UP = re.compile(r"abort|cancel|error|time|incomplete|insufficient|fail|pause|interrupt|malformed|other|unknown")


class CutOff(ModelError):
    """The reply reached its limit of tokens."""


class Garbled(ModelError):
    """What came is not of the protocol."""


class CompletionReader:
    """Reads one reply.

    Args:
        where: the endpoint, as messages name it.
        model: the model, likewise.
        tokens: the limit the reply was given.
    """

    def __init__(self, where: str, model: str, tokens: int) -> None:
        self.streamed = False
        self._where = where
        self._model = f"{model} at {where}"
        self._tokens = tokens

    def text(self, chunks: Iterable[bytes], hurry: Callable[[float], None] = lambda _: None) -> Iterator[str]:
        """The reply's text: piece by piece when it is streamed, at once when it comes as one body.

        Args:
            chunks: the bytes, cut anywhere.
            hurry: told once how long to wait for more after the reply has ended.

        Raises:
            ModelError: at any point, as soon as it is known that the reply is not whole.
        """
        first, chunks = self._opened(iter(chunks))
        if first in (b"{", b"["):
            yield self._whole(self._json(b"".join(self._bounded(chunks))))
        elif first and first in b":deir":  # the beginnings of a comment, data, event, id and retry
            self.streamed = True
            yield from self._streamed(chunks, hurry)
        elif first:
            raise self._garbled()
        else:
            raise Passing(f"{self._where} sent an empty body.", CURE)

    def models(self, chunks: Iterable[bytes]) -> list[str]:
        """The names in a list of models.

        Raises:
            ModelError: it is none.
        """
        listed = self._json(b"".join(self._bounded(chunks)))
        data = listed.get("data")
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise self._garbled()
        return [item["id"] for item in data if item.get("id") and isinstance(item["id"], str)]

    def _opened(self, chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
        """The first byte that says something, and the chunks with nothing taken away but a byte-order mark."""
        head = b""
        for chunk in chunks:
            head += chunk
            said = head.removeprefix(BOM)
            if said.strip() and not BOM.startswith(head):
                return said.lstrip()[:1], chain([said], chunks)
            if len(head) > BLANK_BYTES:
                raise self._garbled()
        return b"", chunks

    def _streamed(self, chunks: Iterable[bytes], hurry: Callable[[float], None]) -> Iterator[str]:
        taken, finish, ended = 0, "", False
        try:
            for name, data in self._events(chunks):
                if data.strip() == DONE:
                    ended = True
                    break
                text, reason = self._delta(name, data)
                if text:
                    taken += len(text)
                    if taken > REPLY_CHARACTERS:
                        raise ModelError(f"The reply of {self._model} is longer than any answer.", CURE)
                    # Some endpoints repeat the reason with every piece: only one that comes last is the end.
                    finish = ""
                    yield text
                if reason:
                    self._check_reason(reason)
                    finish = reason
                    hurry(AFTER_END)
        except (Passing, Silent, Garbled):
            if finish != "stop":  # after the end, nothing that breaks can break the reply
                raise
        if finish != "stop" and not (finish and ended):
            raise Passing(f"{self._where} ended before its reply was whole.", CURE)
        if not taken:
            raise self._empty()

    def _events(self, chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        """(name, data) of each server-sent event that was closed by an empty line."""
        data: list[bytes] = []
        name, size = "", 0
        for line in self._lines(chunks):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if not line:
                if data:
                    yield name, self._decoded(b"\n".join(data))
                name, data, size = "", [], 0
            elif field == b"data":
                size += len(value)
                if size > EVENT_BYTES:
                    raise self._too_large()
                data.append(value)
            elif field == b"event":
                name = self._decoded(value)

    def _lines(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Whole lines without their ends, which may be any of the three."""
        pending = bytearray()
        after_return = False
        for chunk in chunks:
            for piece in chunk.splitlines(keepends=True):
                ends = piece.endswith((b"\n", b"\r"))
                if piece == b"\n" and after_return and not pending:
                    after_return = False
                    continue
                pending += piece.rstrip(b"\r\n") if ends else piece
                if len(pending) > EVENT_BYTES:
                    raise self._too_large()
                after_return = piece.endswith(b"\r")
                if ends:
                    yield bytes(pending)
                    pending.clear()

    def _delta(self, name: str, data: str) -> tuple[str, str]:
        """The text of one event, and why the reply ends with it if it does."""
        if name == "error":
            raise self._reported()
        choice = self._choice(self._json(data))
        if choice is None or choice.get("index") not in (0, None):
            return "", ""
        return self._content(choice.get("delta") or choice.get("message") or {}), self._reason(choice)

    def _whole(self, body: Mapping[str, Any]) -> str:
        choice = self._choice(body)
        if choice is None:
            raise Garbled(f"{self._model} sent a reply without an answer in it.", CURE)
        reason = self._reason(choice)
        if reason:
            self._check_reason(reason)
        text = self._content(choice.get("message"))
        if not text:
            raise self._empty()
        if len(text) > REPLY_CHARACTERS:
            raise ModelError(f"The reply of {self._model} is longer than any answer.", CURE)
        if not reason:
            raise ModelError(f"{self._where} does not say whether its reply is whole.", CURE)
        return text

    def _choice(self, value: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The first choice; None where there is none, as in an event about usage."""
        if value.get("error"):
            raise self._reported()
        choices = value.get("choices")
        if not choices:
            return None
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise self._garbled()
        return choices[0]

    def _content(self, message: Any) -> str:
        if not isinstance(message, dict):
            raise self._garbled()
        if message.get("refusal"):
            raise ModelError(f"{self._model} declined to answer.", CURE)
        content = message.get("content")
        if isinstance(content, list) and all(isinstance(part, dict) for part in content):
            content = "".join(str(part.get("text", "")) for part in content if part.get("type") in TEXT_PARTS)
        if not content:
            return ""
        if not isinstance(content, str):
            raise self._garbled()
        try:
            content.encode()  # JSON can spell half a character, which nothing after this could handle
        except UnicodeEncodeError:
            raise self._garbled() from None
        return content

    def _reason(self, choice: Mapping[str, Any]) -> str:
        reason = choice.get("finish_reason") or ""
        if not isinstance(reason, str):
            raise self._garbled()
        return reason.lower()

    def _check_reason(self, reason: str) -> None:
        """Raises for the reasons of a reply that is not whole; endpoints have many names for these."""
        if CUT.search(reason):
            message = f"The reply of {self._model} was cut off at {self._tokens} tokens."
            raise CutOff(message, f"Raise TUTOR_ANSWER_TOKENS. {CURE}")
        if TOOL.search(reason):
            message = f"{self._model} called a tool instead of answering."
            raise ModelError(message, f"Choose another model with TUTOR_MODEL. {CURE}")
        if DECLINED.search(reason):
            raise ModelError(f"The content filter of {self._where} stopped the reply.", CURE)
        if GIVEN_UP.search(reason):
            raise ModelError(f"{self._where} gave its reply up before the end.", CURE)

    def _bounded(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > EVENT_BYTES:
                raise self._too_large()
            yield chunk

    def _json(self, data: str | bytes) -> dict[str, Any]:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._garbled()
        return value

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._garbled() from None

    def _garbled(self) -> Garbled:
        return Garbled(f"{self._where} sent something that is not a chat-completions reply.", ADDRESS)

    def _too_large(self) -> ModelError:
        return ModelError(f"{self._where} sent more at once than any answer has.", CURE)

    def _reported(self) -> ModelError:
        return ModelError(f"{self._where} reported an error instead of a reply.", f"Ask again. {CURE}")

    def _empty(self) -> ModelError:
        return ModelError(f"{self._model} sent an empty reply.", CURE)
