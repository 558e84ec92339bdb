"""Endpoints that misbehave on the wire, each played by a real server and asked both ways: always one clear line."""

import gzip
import json
from collections.abc import Callable, Iterator

import pytest

from rag.errors import ModelError
from tests.asking import QUOTED, WAYS, Way, ask, failing, the_model
from tests.servers import (
    CHAT,
    HANG,
    Reply,
    Script,
    chat_reply,
    chunked,
    delta,
    failure,
    head,
    playing,
    refused_url,
    serving,
    streamed,
)

JSON = "application/json"
GOOD = json.dumps(chat_reply('{"claims": []}').body).encode()
NOT_THE_PROTOCOL = "{host} sent something that is not a chat-completions reply."
BROKEN_OFF = "{host} broke the connection off before its reply was whole."
NOT_WHOLE = "{host} ended before its reply was whole."
TOO_LARGE = "{host} sent more at once than any answer has."
EMPTY_BODY = "{host} sent an empty body."
UNPACKED = "{host} sent bytes that cannot be unpacked."
pytestmark = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


KEY_CURE = "Check OPENAI_API_KEY."
ACCOUNT = f"Check the account behind OPENAI_API_KEY. {QUOTED}"
RIGHTS = f"Check what OPENAI_API_KEY may use, and TUTOR_MODEL. {QUOTED}"
MODEL_CURE = "Set TUTOR_MODEL, or check OPENAI_BASE_URL."
ADDRESS = f"Check OPENAI_BASE_URL, which usually ends in /v1. {QUOTED}"
FEWER = f"Lower TUTOR_SOURCES. {QUOTED}"
LATER = f"Try again in a minute. {QUOTED}"
LONG = "The question and its sources are too long for small at {host}."
RATE = "{host} is over its rate limit"
BUSY = "{host} is overloaded or still starting"
REFUSALS: list[tuple[str, Reply, str, str]] = [
    ("key", failure(401), "{host} refused the key.", KEY_CURE),
    ("payment", failure(402), "{host} wants to be paid first.", ACCOUNT),
    ("forbidden", failure(403), "{host} does not allow this.", RIGHTS),
    ("model", failure(404), "{host} does not know the model small.", MODEL_CURE),
    ("method", failure(405), "{host} takes no chat completions at this address.", ADDRESS),
    ("proxy key", failure(407), "{host} refused the key.", KEY_CURE),
    ("timeout", failure(408), "{host} failed with status 408.", QUOTED),
    ("conflict", failure(409), "{host} failed with status 409.", QUOTED),
    ("too large", failure(413), LONG, FEWER),
    ("context", failure(400, said="context_length_exceeded"), LONG, FEWER),
    ("teapot", failure(418), "{host} failed with status 418.", QUOTED),
    ("rate", failure(429), f"{RATE}.", LATER),
    (
        "rate, long",
        failure(429, retry_after="300"),
        f"{RATE} and asks to wait 300 s.",
        f"Ask again in 5 minutes. {QUOTED}",
    ),
    ("quota", failure(429, said="insufficient_quota"), "{host} says that the quota is used up.", ACCOUNT),
    ("server", failure(500), "{host} failed with status 500.", QUOTED),
    ("gateway", failure(502), "{host} failed with status 502.", QUOTED),
    ("starting", failure(503), f"{BUSY} (status 503).", LATER),
    (
        "busy",
        failure(503, retry_after="20"),
        f"{BUSY} (status 503) and asks to wait 20 s.",
        f"Ask again in 20 s. {QUOTED}",
    ),
    ("gateway timeout", failure(504), "{host} failed with status 504.", QUOTED),
    ("overloaded", failure(529), f"{BUSY} (status 529).", LATER),
    ("HTML page", Reply(b"<html>" + b"x" * 9999, 503, "text/html"), f"{BUSY} (status 503).", LATER),
    ("10 MB", Reply(b"x" * 10_000_000, 500), "{host} failed with status 500.", QUOTED),
    ("deep JSON", Reply(b"[" * 60_000, 500), "{host} failed with status 500.", QUOTED),
    ("no content", Reply(b"", 204), EMPTY_BODY, QUOTED),
]


@pytest.mark.parametrize(("reply", "message", "cure"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_names_the_endpoint_and_the_cure(way: Way, reply: Reply, message: str, cure: str) -> None:
    with serving({CHAT: [reply]}) as server:
        error = failing(server.url, way)
        assert (error.message, error.cure) == (message.format(host=server.host), cure)


def bomb() -> bytes:
    return gzip.compress(b" " * 50_000 + b'{"choices": "' + b"x" * 30_000_000)


def with_length(length: str, body: bytes = GOOD, kind: str = JSON) -> list[bytes | float | str]:
    return [head(f"Content-Length: {length}", kind=kind), body]


ELSEWHERE = head("Location: https://me:pw@example.org/x?key=1", status="307 Go")
WIRE: list[tuple[str, Script, str]] = [
    ("closed without a word", [], BROKEN_OFF),
    ("half a status line", [b"HTTP/1."], BROKEN_OFF),
    ("half a head", [b"HTTP/1.1 200 OK\r\nContent-"], BROKEN_OFF),
    ("another protocol", [b"SSH-2.0-OpenSSH_9.2\r\n"], BROKEN_OFF),
    ("a head without an end", [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000], BROKEN_OFF),
    ("HTML", [head(kind="text/html"), b"<!doctype html><title>Sign in</title>"], NOT_THE_PROTOCOL),
    ("HTML as JSON", [head(kind=JSON), b"\n <html></html>"], NOT_THE_PROTOCOL),
    ("HTML as a stream", [head(), b"<html></html>"], NOT_THE_PROTOCOL),
    ("plain words", [head(kind="text/plain"), b"error: the model crashed"], NOT_WHOLE),
    ("other words", [head(kind="text/plain"), b"Internal server trouble"], NOT_THE_PROTOCOL),
    ("no body", [head(kind=JSON)], EMPTY_BODY),
    ("a body of length 0", with_length("0", b""), EMPTY_BODY),
    ("an empty chunked body", [head("Transfer-Encoding: chunked"), b"0\r\n\r\n"], EMPTY_BODY),
    ("white space", [head(kind=JSON), b" \r\n\t"], EMPTY_BODY),
    ("a lot of white space", [head(kind=JSON), b" " * 300_000, GOOD], NOT_THE_PROTOCOL),
    ("null", [head(kind=JSON), b"null"], NOT_THE_PROTOCOL),
    ("a number", [head(kind=JSON), b"3"], NOT_THE_PROTOCOL),
    ("a string", [head(kind=JSON), b'"text"'], NOT_THE_PROTOCOL),
    ("a list", [head(kind=JSON), b"[]"], NOT_THE_PROTOCOL),
    ("zeros", [head(kind=JSON), b"\0" * 100], NOT_THE_PROTOCOL),
    ("bytes that are not text", [head(kind=JSON), b'{"choices": "\xff\xfe"}'], NOT_THE_PROTOCOL),
    ("JSON too deep", [head(kind=JSON), b'{"a":' * 100_000], NOT_THE_PROTOCOL),
    ("half of the JSON", [head(kind=JSON), GOOD[:60]], NOT_THE_PROTOCOL),
    ("two bodies", [head(kind=JSON), GOOD + b"\n" + GOOD], NOT_THE_PROTOCOL),
    ("JSON of 10 MB", [head(kind=JSON), b'{"a": "' + b"x" * 10_000_000 + b'"}'], TOO_LARGE),
    ("length too long", with_length(str(len(GOOD) + 9)), BROKEN_OFF),
    ("length too short", with_length(str(len(GOOD) - 9)), NOT_THE_PROTOCOL),
    ("length too short, stream", with_length("70", streamed("{}"), "text/event-stream"), NOT_WHOLE),
    ("negative length", with_length("-5"), BROKEN_OFF),
    ("no length at all", with_length("many"), BROKEN_OFF),
    ("two lengths", with_length(f"{len(GOOD)}\r\nContent-Length: 3"), BROKEN_OFF),
    ("a bad chunk size", [head("Transfer-Encoding: chunked"), b"zz\r\n" + GOOD], BROKEN_OFF),
    ("chunks that do not end", [head("Transfer-Encoding: chunked"), chunked(delta("{}"), ended=False)], BROKEN_OFF),
    ("gzip that is none", [head("Content-Encoding: gzip"), GOOD], UNPACKED),
    ("half a gzip", [head("Content-Encoding: gzip"), gzip.compress(GOOD)[:-30]], NOT_THE_PROTOCOL),
    ("gzip of 30 MB", [head("Content-Encoding: gzip"), bomb()], TOO_LARGE),
    ("an unknown packing", [head("Content-Encoding: rot13"), b"q" + GOOD], NOT_THE_PROTOCOL),
    ("a redirect elsewhere", [ELSEWHERE], "{host} redirects to example.org."),
    ("a redirect nowhere", [head(status="302 Found")], "{host} redirects to another address."),
]  # fmt: skip


@pytest.mark.parametrize(("script", "message"), [row[1:] for row in WIRE], ids=[row[0] for row in WIRE])
def test_what_breaks_on_the_wire_is_named_in_one_line(way: Way, script: Script, message: str) -> None:
    with playing(script) as server:
        assert failing(server.url, way).message == message.format(host=server.host)


def test_a_redirect_is_not_followed_and_the_key_does_not_travel(way: Way) -> None:
    with playing([head(kind=JSON), GOOD]) as elsewhere:
        for status in ("301 Moved", "302 Found", "303 See", "307 Go", "308 Gone"):
            with playing([head(f"Location: {elsewhere.url}/chat/completions", status=status)]) as server:
                error = failing(server.url, way)
                assert error.message == f"{server.host} redirects to {elsewhere.host}."
                assert error.cure.startswith("Set OPENAI_BASE_URL")
        assert elsewhere.requests == []


def test_a_redirect_to_itself_is_asked_once(way: Way) -> None:
    with playing([head("Location: /v1/chat/completions", status="308 Again")]) as server:
        assert failing(server.url, way).message == f"{server.host} redirects to another address."
        assert len(server.requests) == 1


def test_an_endpoint_that_does_not_run_cannot_be_reached(way: Way) -> None:
    url = refused_url()
    error = failing(url, way)
    assert error.message == f"{url.split('/')[2]} cannot be reached."
    assert error.cure == f"Check OPENAI_BASE_URL and that it runs. {QUOTED}"


def test_an_unknown_host_is_named(way: Way) -> None:
    error = failing("http://no-such-host.invalid/v1", way)
    assert error.message == "There is no host no-such-host.invalid."
    assert error.cure.startswith("Check OPENAI_BASE_URL")


def test_tls_on_a_plain_port_is_named_with_the_usual_cause(way: Way) -> None:
    with playing([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        error = failing(server.url.replace("http:", "https:"), way)
        assert error.message == f"{server.host} does not speak TLS."
        assert "http://" in error.cure


@pytest.mark.parametrize(
    "url",
    ["localhost:1234/v1", "htp://x/v1", "http://", "http:///v1", "http://h:99999/v1", "http://h:0/v1", "//h/v1", "x",
     "http://a b/v1", "http://h/v1\n", "http://[::1/v1", "file:///etc/passwd"],
)  # fmt: skip
def test_an_address_that_is_none_names_the_setting_and_is_not_repeated(way: Way, url: str) -> None:
    error = failing(url, way)
    assert error.message == "OPENAI_BASE_URL is not the address of an endpoint."
    assert "http://127.0.0.1:11434/v1" in error.cure


@pytest.mark.parametrize("key", ["sk-1\nsk-2", "sk 1", "sk-…", "sk-\x00"])
def test_a_key_that_cannot_be_sent_names_the_setting_and_is_not_repeated(way: Way, key: str) -> None:
    with serving({CHAT: [chat_reply("{}")]}) as server:
        error = failing(server.url, way, key=key)
        assert error.message == "OPENAI_API_KEY holds characters that no key has."
        assert server.requests == []


def test_a_proxy_variable_that_is_none_is_named(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "ftp://nowhere")
    assert "ALL_PROXY" in failing("http://192.0.2.1/v1", way).cure


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_is_asked_of_this_machine_is_shown_to_no_proxy(
    way: Way, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving({CHAT: [chat_reply("{}")]}) as server, serving({}) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.host}")
        assert ask(the_model(server.url.replace("127.0.0.1", host)), way) == "{}"
        assert (len(server.requests), proxy.requests) == (1, [])
        failing("http://192.0.2.1/v1", way)
        assert proxy.paths() == ["http://192.0.2.1/v1/chat/completions"]


@pytest.mark.parametrize("reply", [failure(400, said="context length"), failure(401), chat_reply("{", "length")])
def test_a_model_of_another_kind_has_a_cure_of_its_own(way: Way, reply: Reply) -> None:
    with serving({CHAT: [reply]}) as server, pytest.raises(ModelError) as caught:
        ask(the_model(server.url, cure="Ask less."), way)
    assert caught.value.cure == "Ask less."


def dripping(*start: bytes, drop: bytes) -> Iterator[bytes | float]:
    yield from start
    while True:
        yield 0.02
        yield drop


FIRST = {"first_byte_seconds": 0.3}
BETWEEN = {"between_bytes_seconds": 0.3}
TOTAL = {"total_seconds": 0.6}
LATE = "{host} did not answer within 0.3 s."
SILENT = "{host} fell silent for 0.3 s in the middle of its reply."
FAILED = "{host} failed with status 500."
OVER = "{host} was not done in the time there is for a reply."
SLOW: list[tuple[str, Callable[[], Script], dict[str, float], str]] = [
    ("hangs", lambda: [HANG], FIRST, LATE),
    ("answers too late", lambda: [5.0, head(kind=JSON), GOOD], FIRST, LATE),
    ("hangs in the head", lambda: [b"HTTP/1.1 200 OK\r\n", HANG], FIRST, LATE),
    ("hangs after the head", lambda: [head(), HANG], FIRST, LATE),
    ("drips its head", lambda: dripping(b"HTTP/1.1 200 OK\r\n", drop=b"X: y\r\n"), FIRST, LATE),
    ("never gets to the point", lambda: dripping(drop=b"HTTP/1.1 102 Wait\r\n\r\n"), FIRST, LATE),
    ("hangs in a refusal", lambda: [head("Content-Length: 9", status="500 No"), HANG], FIRST, FAILED),
    ("falls silent", lambda: [head(), delta("{"), HANG], BETWEEN, SILENT),
    ("falls silent in an event", lambda: [head(), delta("{")[:30], HANG], BETWEEN, SILENT),
    ("falls silent in a body", lambda: [head(kind=JSON), GOOD[:30], HANG], BETWEEN, SILENT),
    ("keeps the line open", lambda: dripping(head(), drop=b": wait\n\n"), TOTAL, OVER),
    ("drips", lambda: dripping(head(), drop=delta("x")), TOTAL, OVER),
    ("hangs for good", lambda: [HANG], TOTAL, OVER),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    with serving({CHAT: [chat_reply("{}")]}) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        ask(the_model(server.url), "whole")


@pytest.mark.parametrize(("script", "waits", "message"), [row[1:] for row in SLOW], ids=[row[0] for row in SLOW])
def test_every_wait_is_bounded(way: Way, script: Callable[[], Script], waits: dict[str, float], message: str) -> None:
    with playing(script()) as server:
        assert failing(server.url, way, **waits).message == message.format(host=server.host)
        assert server.left.wait(5)  # and the connection is not kept open
