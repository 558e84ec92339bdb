"""Any model behind an OpenAI-compatible chat-completions endpoint, through the openai package.

The package builds and sends the requests. Waiting, retrying and reading are ours (`rag.exchange`,
`rag.completion`): it takes a cut or empty stream for a reply, and lets raw parsing errors through.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from random import SystemRandom
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.completion import CompletionReader, CutOff
from rag.errors import ModelError
from rag.exchange import Exchange, check_response, pause, watch_request
from rag.refusal import CURE, Passing, Refused, explained
from rag.request import PROBE, PROBE_JSON, Ask, Form, Mode, check_address, fits, is_json, on_this_machine, unfenced

if TYPE_CHECKING:
    from openai import OpenAI

OPENAI = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-4.1-mini"
CONNECT_SECONDS = 10.0
REPLY_SECONDS = 240.0
"""How long a reply may take after the wait for its first byte, tries included."""


class OpenAIModel:
    """A `ChatModel`. Safe to share between threads.

    Args:
        name: the model's name at the endpoint; empty takes the default at OpenAI, and the first
            model the endpoint lists elsewhere.
        api_key: sent as a bearer token; a local endpoint may need none.
        base_url: the endpoint, None for OpenAI's own.
        max_tokens: tokens of a reply at the most.
        first_byte_seconds: how long to wait for a reply to begin.
        between_bytes_seconds: how long it may be silent once it has begun.
        retries: how often a request is sent again when its failure may pass and nothing was yielded yet.
        total_seconds: how long everything may take, tries included; None gives a reply four minutes
            after the wait for its first byte.
        backoff_seconds: the wait before the first retry; it doubles with each.
        cure: what to do about any failure, for a model without the endpoint's settings that are named else.
    """

    def __init__(
        self,
        name: str,
        api_key: str | None,
        base_url: str | None,
        max_tokens: int,
        first_byte_seconds: float,
        between_bytes_seconds: float = 20.0,
        retries: int = 2,
        total_seconds: float | None = None,
        backoff_seconds: float = 0.5,
        cure: str = "",
    ) -> None:
        self._name = name or ("" if base_url else DEFAULT_MODEL)
        self._api_key = api_key or "none"
        self._base_url = base_url or OPENAI
        self._max_tokens = max_tokens
        self._first = first_byte_seconds
        self._between = between_bytes_seconds
        self._retries = retries
        self._total = total_seconds or first_byte_seconds + REPLY_SECONDS
        self._backoff = backoff_seconds
        self._cure = cure
        self._client: OpenAI | None = None
        self._form = Form()

    @property
    def name(self) -> str:
        return self._name or "the endpoint's first model"

    @property
    def mode(self) -> Mode:
        """The best form of reply the endpoint is known to keep to; it only ever steps down."""
        return self._form.mode

    @property
    def where(self) -> str:
        """The endpoint as people are told of it: its host, never what else an address may hold."""
        if self._base_url == OPENAI:
            return "OpenAI"
        with suppress(ValueError):
            parts = urlsplit(self._base_url)
            if parts.hostname:
                return parts.netloc.rpartition("@")[2]
        return "the endpoint"

    def models(self) -> list[str]:
        """The names the endpoint lists.

        Raises:
            ModelError: the endpoint does not answer or refuses.
        """
        return list(self._retried(self._listed, ""))

    def complete_json(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> str:
        """The whole reply to `messages`, JSON text of the given schema where the endpoint keeps to it.

        A reply that is no JSON is sent back once, to be put as JSON; what then comes is returned as it is.

        Raises:
            ModelError: nothing whole came back; says what happened and what to do.
        """
        ask = Ask(messages, self._max_tokens, schema)
        reply = "".join(self._texts(ask, self._form))
        if not is_json(reply):
            if self.mode == "schema":  # it takes the field and does not keep to it
                self._form = self._form.lower()
            reply = "".join(self._texts(ask.repaired(reply), self._form))
        return unfenced(reply)

    def stream_json(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]
    ) -> Generator[str, None, None]:
        """The reply piece by piece: JSON text, or in text mode lines that end with ids in square brackets.

        `mode` may step down before the first piece. Closing the generator ends the request. An endpoint
        that does not stream gives the whole reply as one piece. `mode` steps down after a reply of another
        form or shape too: the next one is asked for in simpler words.

        Raises:
            ModelError: at any point, when it turns out that the reply is not whole.
        """
        pieces: list[str] = []
        asked = self.mode
        for piece in self._texts(Ask(messages, self._max_tokens, schema, stream=True, lines=True), self._form):
            if not pieces:
                asked = self.mode
            pieces.append(piece)
            yield piece
        # It takes the field and does not keep to it; one of several replies at once has said so for all.
        if self.mode == asked and not fits("".join(pieces), schema):
            self._form = self._form.lower()

    def stream_grammar(self, messages: Sequence[Mapping[str, str]], grammar: str, max_tokens: int) -> Iterator[str]:
        """The reply piece by piece, held to a GBNF grammar by a llama.cpp server; others may ignore it.

        Raises:
            ModelError: at any point, when it turns out that the reply is not whole.
        """
        yield from self._texts(Ask(messages, max_tokens, stream=True, grammar=grammar), self._form)

    def probe(self) -> dict[str, bool]:
        """What the endpoint can do, found with tiny real requests; `mode` is then the best that works.

        Returns:
            Whether it lists its "models", replies by "streaming", and keeps to a "schema" and to "json".

        Raises:
            ModelError: it does not answer at all.
        """
        with suppress(CutOff):
            for _ in self._texts(PROBE, self._form):
                pass
        streams = bool(self._form.streams)
        schema, plain = self._keeps_to("schema"), self._keeps_to("json")
        self._form = replace(self._form, mode="schema" if schema else "json" if plain else "text")
        return {"models": self._lists_models(), "streaming": streams, "schema": schema, "json": plain}

    def _lists_models(self) -> bool:
        try:
            return bool(self.models())
        except ModelError:
            return False

    def _keeps_to(self, mode: Mode) -> bool:
        try:
            value = json.loads("".join(self._texts(PROBE_JSON, replace(self._form, mode=mode))))
        except (ModelError, ValueError, RecursionError):
            return False
        return isinstance(value, dict) and (mode == "json" or set(value) == {"wet"})

    def _texts(self, ask: Ask, form: Form) -> Generator[str, None, None]:
        """The pieces of one reply, tried again and asked in simpler forms as long as none was yielded."""
        if not self._name:
            listed = self.models()
            if not listed:
                raise ModelError(f"{self.where} lists no model.", "Set TUTOR_MODEL to the model to use.")
            self._name = listed[0]
        yield from self._retried(lambda ends: self._adapted(ask, form, ends), self.name)

    def _retried(self, once: Callable[[float], Generator[str, None, None]], model: str) -> Generator[str, None, None]:
        """Whatever `once` yields; it is run again when it fails in a way that may pass."""
        ends = monotonic() + self._total
        tries, began = 0, False
        while True:
            try:
                with closing(once(ends)) as texts:
                    for text in texts:
                        began = True
                        yield text
                return
            except Refused as refused:
                failure = explained(refused, self.where, model)
            except ModelError as error:
                failure = error
            if began or tries == self._retries or not isinstance(failure, Passing):
                break
            # Not all at the same time: many who were refused at once would be refused again.
            wait = self._backoff * 2**tries * SystemRandom().uniform(0.5, 1.0)
            if failure.wait is not None:
                wait = max(wait, failure.wait)
            if monotonic() + wait >= ends:
                break
            pause(wait)
            tries += 1
        failure.cure = self._cure or failure.cure
        raise failure  # outside the handlers: what it came from may hold the key

    def _adapted(self, ask: Ask, form: Form, ends: float) -> Generator[str, None, None]:
        """One reply; what the endpoint refuses to be sent is left out, for good once that has helped."""
        first: Refused | None = None
        while True:
            try:
                with closing(self._once(ask, form, ends)) as texts:
                    for text in texts:
                        if first is not None:
                            self._form = replace(form, streams=self._form.streams)
                        yield text
                return
            except Refused as refused:
                first = first or refused
                simpler = ask.simpler(form, refused)
            if simpler is None:
                raise first
            form = simpler

    def _once(self, ask: Ask, form: Form, ends: float) -> Generator[str, None, None]:
        """One request and its reply."""
        create: Any = self._ready().chat.completions.with_streaming_response.create  # its overloads want literals
        body = ask.body(self._name, form)
        exchange = Exchange(lambda: create(**body), self.where, self._first, self._between, ends)
        reader = CompletionReader(self.where, self.name, ask.tokens)
        with closing(exchange.chunks()) as chunks:
            for text in reader.text(chunks, exchange.hurry):
                if ask.stream and self._form.streams != reader.streamed:
                    self._form = replace(self._form, streams=reader.streamed)
                yield text

    def _listed(self, ends: float) -> Generator[str, None, None]:
        opening = self._ready().models.with_streaming_response.list
        exchange = Exchange(opening, self.where, self._first, self._between, ends)
        with closing(exchange.chunks()) as chunks:
            yield from CompletionReader(self.where, self.name, 0).models(chunks)

    def _ready(self) -> OpenAI:
        """The client, made when first needed.

        Raises:
            ModelError: the address or the key cannot be right.
        """
        if self._client is None:
            check_address(self._base_url)
            if not self._api_key.isascii() or not self._api_key.isprintable() or " " in self._api_key:
                raise ModelError("OPENAI_API_KEY holds characters that no key has.", f"Copy the key again. {CURE}")
            self._client = self._made()
        return self._client

    def _made(self) -> OpenAI:
        import openai

        # The exchange ends every wait; this ends those whose connection it could not get hold of.
        patience = openai.Timeout(self._first + self._between, connect=min(CONNECT_SECONDS, self._first))
        # A redirected question could end up anywhere, so none is followed.
        options: dict[str, Any] = {"timeout": patience, "follow_redirects": False}
        options["event_hooks"] = {"request": [watch_request], "response": [check_response]}
        try:
            if on_this_machine(self._base_url):  # a proxy would only learn the question and the key
                # Without the environment it would not know the certificates of one's own that are named there.
                options |= {"trust_env": False, "verify": ssl.create_default_context()}
            http = openai.DefaultHttpxClient(**options)
            # A connection of its own can be ended at any moment, and packed text would arrive in lumps.
            headers = {"Connection": "close", "Accept-Encoding": "identity"}
            return openai.OpenAI(
                api_key=self._api_key, base_url=self._base_url, max_retries=0, http_client=http, default_headers=headers
            )
        except Exception:  # noqa: BLE001  # whatever an address or a proxy variable makes it raise
            cure = f"Check OPENAI_BASE_URL and the proxy variables (HTTP_PROXY, ALL_PROXY). {CURE}"
            failure = ModelError(f"The client for {self.where} cannot be made.", cure)
        raise failure
