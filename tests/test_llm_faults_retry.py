"""What is asked again, how often, and after which wait; and what is not."""

import socket
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from rag import llm
from rag.errors import ModelError
from rag.exchange import Exchange
from rag.refusal import retry_after
from tests.asking import MESSAGES, WAYS, Way, ask, failing, the_model
from tests.servers import (
    CHAT,
    HANG,
    MODELS,
    Reply,
    chat_reply,
    delta,
    failure,
    head,
    models_reply,
    playing,
    serving,
    streamed,
)

GOOD = chat_reply('{"claims": []}')
PASSING = [408, 409, 429, 500, 502, 503, 504, 529]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits before each retry, which are not waited."""
    waited: list[float] = []
    monkeypatch.setattr(llm, "pause", waited.append)
    return waited


def refusal(status: int, **headers: str) -> Reply:
    """A refusal that says nothing about trying again but what it is told to."""
    return Reply({}, status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", PASSING)
def test_a_failure_that_passes_is_not_seen(way: Way, status: int) -> None:
    with serving({CHAT: [refusal(status), refusal(status), GOOD]}) as server:
        assert ask(the_model(server.url, retries=2), way) == '{"claims": []}'
        assert len(server.requests) == 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [429, 503])
def test_a_failure_that_stays_is_reported_after_the_last_try(way: Way, status: int) -> None:
    with serving({CHAT: [refusal(status), refusal(status), refusal(status), GOOD]}) as server:
        failing(server.url, way, retries=2)
        assert len(server.requests) == 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 405, 413, 418, 422])
def test_a_failure_that_cannot_pass_is_reported_at_once(way: Way, status: int, waits: list[float]) -> None:
    with serving({CHAT: [refusal(status)]}) as server:
        failing(server.url, way, retries=2)
        assert waits == []


def test_a_list_of_models_is_tried_again_too() -> None:
    with serving({MODELS: [refusal(503), models_reply("alpha")]}) as server:
        assert the_model(server.url, retries=1).models() == ["alpha"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "script",
    [[], [b"HTTP/1.1 2"], [head()], [head(), delta(role="assistant")], [head("Content-Length: 99"), b"data:"]],
    ids=["no word", "half a line", "no body", "no text", "half a body"],
)
def test_a_connection_that_breaks_before_any_text_is_made_again(way: Way, script: list[bytes]) -> None:
    with playing(script, [head(), streamed('{"claims"', ": []}")]) as server:
        assert ask(the_model(server.url, retries=1), way) == '{"claims": []}'
        assert len(server.requests) == 2


def test_nothing_is_asked_again_once_text_was_yielded(waits: list[float]) -> None:
    with playing([head(), delta("{")], [head(), streamed("{}")]) as server:
        failing(server.url, "stream", retries=2)
        assert len(server.requests) == 1
        assert waits == []


@pytest.mark.parametrize("way", WAYS)
def test_silence_is_not_waited_for_twice(way: Way, waits: list[float]) -> None:
    with playing([HANG]) as server:
        failing(server.url, way, retries=2, first_byte_seconds=0.2)
        assert len(server.requests) == 1
    with playing([head(), delta(role="assistant"), HANG]) as server:
        failing(server.url, way, retries=2, between_bytes_seconds=0.2)
        assert len(server.requests) == 1
    assert waits == []


def test_the_waits_double_and_differ(waits: list[float]) -> None:
    with serving({CHAT: [refusal(500)]}) as server:
        for _ in range(8):
            failing(server.url, retries=3, backoff_seconds=0.5)
    for number, wait in enumerate(waits):
        full = 0.5 * 2 ** (number % 3)
        assert full / 2 <= wait <= full
    assert len(set(waits)) > len(waits) / 2


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [("1", 1.0, 1.0), ("10", 10.0, 10.0), ("0", 0.0, 0.001), ("junk", 0.0, 0.001), ("", 0.0, 0.001), ("-5", 0.0, 0.001),
     ("nan", 0.0, 0.001), ("1e999", 0.0, 0.001)],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_an_endpoint_asks_for_is_kept(
    status: int, given: str, least: float, most: float, waits: list[float]
) -> None:
    with serving({CHAT: [refusal(status, Retry_After=given), GOOD]}) as server:
        ask(the_model(server.url, retries=1), "stream")
        (wait,) = waits
        assert least <= wait <= most


def test_a_short_wait_is_really_waited() -> None:
    with serving({CHAT: [refusal(429, retry_after="0.05"), GOOD]}) as server:
        assert ask(the_model(server.url, retries=1), "whole") == '{"claims": []}'


@pytest.mark.parametrize(("given", "told"), [("11", "11 s"), ("300", "5 minutes"), ("7200", "120 minutes")])
def test_a_long_wait_is_the_users_to_decide(given: str, told: str, waits: list[float]) -> None:
    with serving({CHAT: [refusal(429, retry_after=given), GOOD]}) as server:
        error = failing(server.url, retries=2)
        assert error.message == f"{server.host} is over its rate limit and asks to wait {given} s."
        assert error.cure.startswith(f"Ask again in {told}.")
        assert len(server.requests) == 1


def test_an_endpoint_that_says_not_to_try_again_is_heard(waits: list[float]) -> None:
    with serving({CHAT: [failure(503), GOOD]}) as server:
        failing(server.url, retries=2)
        assert waits == []


def test_a_used_up_quota_is_not_tried_again(waits: list[float]) -> None:
    with serving({CHAT: [Reply({"error": {"code": "insufficient_quota"}}, 429), GOOD]}) as server:
        assert "quota" in failing(server.url, retries=2).message
        assert waits == []


def test_a_wait_that_would_go_past_the_end_is_not_begun(waits: list[float]) -> None:
    with serving({CHAT: [refusal(429, retry_after="9"), GOOD]}) as server:
        failing(server.url, retries=2, total_seconds=8.0)
        assert waits == []


def test_a_date_to_wait_for_is_understood() -> None:
    def in_seconds(seconds: float) -> float | None:
        return retry_after(
            {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)}
        )

    assert 90 < (in_seconds(100) or 0) <= 101
    assert in_seconds(-100) == 0.0
    assert retry_after({"retry-after": "Tuesday"}) is None
    assert retry_after({}) is None
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5


@pytest.mark.parametrize(
    "call", [lambda m: m.models(), lambda m: m.probe(), lambda m: list(m.stream_grammar(MESSAGES, "g", 9))]
)
def test_every_call_raises_the_same_error(call: Callable[[llm.OpenAIModel], object]) -> None:
    with serving({CHAT: [failure(401)], MODELS: [failure(401)]}) as server:
        with pytest.raises(ModelError) as caught:
            call(the_model(server.url, retries=2))
        assert caught.value.message == f"{server.host} refused the key."


def test_an_endpoint_without_models_is_named() -> None:
    with serving({MODELS: [models_reply()], CHAT: [GOOD]}) as server:
        error = failing(server.url, name="")
        assert (error.message, error.cure) == (f"{server.host} lists no model.", "Set TUTOR_MODEL to the model to use.")
    with serving({MODELS: [failure(404)]}) as server:
        error = failing(server.url, name="")
        assert error.message == f"{server.host} lists no models: status 404."
        assert error.cure.startswith("Check OPENAI_BASE_URL, which usually ends in /v1.")


@pytest.mark.parametrize("body", [b"<html></html>", b"", [], {"object": "list"}, {"data": ["alpha"]}, {"data": {}}])
def test_a_list_of_models_of_another_shape_is_named_as_such(body: object) -> None:
    with serving({MODELS: [Reply(body)]}) as server:
        error = failing(server.url, name="")
        assert error.message == f"{server.host} sent something that is not a chat-completions reply."


@pytest.mark.parametrize("stopped", [True, False])
def test_a_connection_made_after_nobody_waits_any_more_is_ended(stopped: bool) -> None:
    near, far = socket.socketpair()

    class Stream:
        def get_extra_info(self, name: str) -> socket.socket:
            return near

    with near, far:
        exchange = Exchange(lambda: nullcontext(), "host", 1.0, 1.0, 1.0)
        if stopped:
            exchange.stop()
        far.sendall(b"x")
        exchange.watch("connection.connect_tcp.complete", {"return_value": Stream()})
        near.setblocking(False)
        assert near.recv(9) == b"x"
        if stopped:
            assert near.recv(9) == b""
        else:
            with pytest.raises(BlockingIOError):
                near.recv(9)
