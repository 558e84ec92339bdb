"""Replies that arrive and are not whole, or not replies: none is taken for an answer, and none is shown half."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rag.errors import ModelError
from tests.asking import MESSAGES, QUOTED, SCHEMA, WAYS, Way, ask, failing, the_model
from tests.servers import (
    CHAT,
    DONE,
    HANG,
    Reply,
    chat_reply,
    chunked,
    delta,
    event,
    head,
    playing,
    serving,
    stream_reply,
    streamed,
)

NO_ANSWER = "small at {host} sent a reply without an answer in it."
NOT_THE_PROTOCOL = "{host} sent something that is not a chat-completions reply."
EMPTY = "small at {host} sent an empty reply."
CUT = "The reply of small at {host} was cut off at 321 tokens."
FILTERED = "The content filter of {host} stopped the reply."
DECLINED = "small at {host} declined to answer."
TOOL = "small at {host} called a tool instead of answering."
GIVEN_UP = "{host} gave its reply up before the end."
REPORTED = "{host} reported an error instead of a reply."
UNSAID = "{host} does not say whether its reply is whole."
NOT_WHOLE = "{host} ended before its reply was whole."
TOO_LONG = "The reply of small at {host} is longer than any answer."
TOO_LARGE = "{host} sent more at once than any answer has."
CALL = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


BODIES: list[tuple[str, Any, str]] = [
    ("no choices", {"id": "1"}, NO_ANSWER),
    ("choices empty", {"choices": []}, NO_ANSWER),
    ("choices null", {"choices": None}, NO_ANSWER),
    ("choices text", {"choices": "abc"}, NOT_THE_PROTOCOL),
    ("choices number", {"choices": 3}, NOT_THE_PROTOCOL),
    ("choices object", {"choices": {"first": 1}}, NOT_THE_PROTOCOL),
    ("choice null", {"choices": [None]}, NOT_THE_PROTOCOL),
    ("choice text", {"choices": ["text"]}, NOT_THE_PROTOCOL),
    ("no message", {"choices": [{"finish_reason": "stop"}]}, NOT_THE_PROTOCOL),
    ("message null", {"choices": [{"message": None, "finish_reason": "stop"}]}, NOT_THE_PROTOCOL),
    ("message text", {"choices": [{"message": "hi", "finish_reason": "stop"}]}, NOT_THE_PROTOCOL),
    ("content null", chat_reply(None).body, EMPTY),
    ("content empty", chat_reply("").body, EMPTY),
    ("content no parts", chat_reply([]).body, EMPTY),
    ("content only thoughts", chat_reply([{"type": "thinking", "text": "hm"}]).body, EMPTY),
    ("content numbers", chat_reply([1, 2]).body, NOT_THE_PROTOCOL),
    ("content object", chat_reply({"text": "hi"}).body, NOT_THE_PROTOCOL),
    ("content number", chat_reply(7).body, NOT_THE_PROTOCOL),
    ("content half a character", chat_reply("\ud83d").body, NOT_THE_PROTOCOL),
    ("content too long", chat_reply("x" * 1_000_001).body, TOO_LONG),
    ("length", chat_reply('{"claims": [', "length").body, CUT),
    ("max_tokens", chat_reply('{"claims": [', "MAX_TOKENS").body, CUT),
    ("content_filter", chat_reply(None, "content_filter").body, FILTERED),
    ("content_filter, some text", chat_reply("{}", "content_filter").body, FILTERED),
    ("safety", chat_reply("{}", "SAFETY").body, FILTERED),
    ("abort", chat_reply("{}", "abort").body, GIVEN_UP),
    ("no resources", chat_reply("{}", "insufficient_system_resource").body, GIVEN_UP),
    ("reason missing", chat_reply("{}", None).body, UNSAID),
    ("reason a number", chat_reply("{}", 3).body, NOT_THE_PROTOCOL),  # type: ignore[arg-type]
    ("refusal", chat_reply(None, refusal="I cannot help with that.").body, DECLINED),
    ("tool", chat_reply(None, "tool_calls", tool_calls=CALL).body, TOOL),
    ("function", chat_reply(None, "function_call").body, TOOL),
    ("tool, reason stop", chat_reply(None, tool_calls=CALL).body, EMPTY),
    ("error with status 200", {"error": {"message": "overloaded", "code": 529}}, REPORTED),
    ("error beside choices", {"error": "no", **chat_reply("{}").body}, REPORTED),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("body", "message"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_body_that_is_no_whole_answer_says_what_it_lacks(way: Way, body: Any, message: str) -> None:
    with serving({CHAT: [Reply(body)]}) as server:
        error = failing(server.url, way)
        assert error.message == message.format(host=server.host)
        assert ("TUTOR_ANSWER_TOKENS" in error.cure) == (message == CUT)


TEXT = [delta(role="assistant"), delta('{"claims"'), delta(": []}")]
END = delta(finish_reason="stop")
OTHER_END = event(choices=[{"index": 1, "delta": {}, "finish_reason": "stop"}])
STREAMS: list[tuple[str, list[bytes], str]] = [
    ("no events", [b": hello\n\n"], NOT_WHOLE),
    ("only the end mark", [DONE], NOT_WHOLE),
    ("no reason and no end mark", TEXT, NOT_WHOLE),
    ("no reason", [*TEXT, DONE], NOT_WHOLE),
    ("an unknown reason and no end mark", [*TEXT, delta(finish_reason="eos")], NOT_WHOLE),
    ("a reason before more text", [*TEXT, delta("x", finish_reason="stop"), delta("y"), DONE], NOT_WHOLE),
    ("the reason in half an event", [*TEXT, delta(finish_reason="stop")[:-1]], NOT_WHOLE),
    ("only another choice ends", [*TEXT, OTHER_END, DONE], NOT_WHOLE),
    ("nothing said", [delta(role="assistant"), delta(finish_reason="stop"), DONE], EMPTY),
    ("only usage", [event(choices=[], usage={"total_tokens": 3}), DONE], NOT_WHOLE),
    ("length", [*TEXT, delta(finish_reason="length"), DONE], CUT),
    ("content_filter", [*TEXT, delta(finish_reason="content_filter"), DONE], FILTERED),
    ("content_filter after the end", [*TEXT, END, delta(finish_reason="content_filter")], FILTERED),
    ("tool", [delta(tool_calls=CALL), delta(finish_reason="tool_calls"), DONE], TOOL),
    ("abort", [*TEXT, delta(finish_reason="abort"), DONE], GIVEN_UP),
    ("refusal", [delta(refusal="I"), delta(refusal=" cannot"), delta(finish_reason="stop"), DONE], DECLINED),
    ("error", [*TEXT, event(error={"message": "overloaded"})], REPORTED),
    ("error by name", [*TEXT, b"event: error\ndata: overloaded\n\n"], REPORTED),
    ("bad JSON", [*TEXT, b"data: {oops}\n\n"], NOT_THE_PROTOCOL),
    ("a list", [*TEXT, b"data: []\n\n"], NOT_THE_PROTOCOL),
    ("a number", [*TEXT, b"data: 7\n\n"], NOT_THE_PROTOCOL),
    ("events without an empty line between", [b"".join(TEXT).replace(b"\n\n", b"\n") + b"\n"], NOT_THE_PROTOCOL),
    ("bytes that are not text", [*TEXT, b'data: {"a": "\xff"}\n\n'], NOT_THE_PROTOCOL),
    ("too deep", [*TEXT, b"data: " + b"[" * 100_000 + b"\n\n"], NOT_THE_PROTOCOL),
    ("choices text", [*TEXT, event(choices="abc")], NOT_THE_PROTOCOL),
    ("choice null", [*TEXT, event(choices=[None])], NOT_THE_PROTOCOL),
    ("piece text", [event(choices=[{"index": 0, "delta": "hi"}])], NOT_THE_PROTOCOL),
    ("content number", [delta(7)], NOT_THE_PROTOCOL),
    ("half a character", [delta("HALF").replace(b"HALF", b"\\ud83d")], NOT_THE_PROTOCOL),
    ("an event of 10 MB", [delta("x" * 10_000_000)], TOO_LARGE),
    ("a line of 10 MB that says nothing", [b":" + b"x" * 10_000_000 + b"\n\n"], TOO_LARGE),
    ("an event of many lines", [b"data: " + b"x" * 500_000 + b"\n"] * 6, TOO_LARGE),
    ("too many pieces", [delta("x" * 100_000)] * 11, TOO_LONG),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("events", "message"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_a_stream_that_is_no_whole_answer_says_what_it_lacks(way: Way, events: list[bytes], message: str) -> None:
    with playing([head(), *events]) as server:
        assert failing(server.url, way).message == message.format(host=server.host)


WHOLE = '{"claims": []}'
CHUNKED = head("Transfer-Encoding: chunked")
FINE: list[tuple[str, bytes, str]] = [
    ("no end mark", b"".join([*TEXT, END]), WHOLE),
    ("another name for the end", b"".join([*TEXT, delta(finish_reason="eos_token"), DONE]), WHOLE),
    ("reason with the last piece", b"".join([*TEXT[:2], delta(": []}", "stop"), DONE]), WHOLE),
    ("reason with every piece", b"".join([delta(x, "stop") for x in WHOLE]) + DONE, WHOLE),
    ("the end twice", b"".join([*TEXT, END, END, DONE, DONE]), WHOLE),
    ("the beginning twice", b"".join([TEXT[0], *TEXT, END, DONE]), WHOLE),
    ("a piece twice", streamed("ha", "ha"), "haha"),
    ("usage that lies", b"".join([*TEXT, END, event(choices=[], usage={"completion_tokens": -1}), DONE]), WHOLE),
    ("usage after the end mark", b"".join([*TEXT, END, DONE, event(usage=3)]), WHOLE),
    ("broken after the end", b"".join([*TEXT, END, b"data: {oops\n\n"]), WHOLE),
    ("another choice too", b"".join([event(choices=[{"index": 1, "delta": {"content": "no"}}]), *TEXT, END]), WHOLE),
    ("thoughts", b"".join([delta(reasoning_content="hm"), *TEXT, END, DONE]), WHOLE),
    ("parts", b"".join([delta([{"type": "text", "text": WHOLE}]), END, DONE]), WHOLE),
    ("messages instead of pieces", event(choices=[{"message": {"content": WHOLE}, "finish_reason": "stop"}]), WHOLE),
    ("comments", b": keep\n\n" + b": keep\n\n".join([*TEXT, END, DONE]), WHOLE),
    ("fields nobody needs", b"id: 7\nretry: 10\nevent: message\nfoo: bar\nbaz\n" + streamed(WHOLE), WHOLE),
    ("CRLF", streamed(WHOLE).replace(b"\n", b"\r\n"), WHOLE),
    ("CR", streamed(WHOLE).replace(b"\n", b"\r"), WHOLE),
    ("no space", streamed(WHOLE).replace(b"data: ", b"data:"), WHOLE),
    ("events of several lines", streamed(WHOLE).replace(b', "', b',\ndata: "'), WHOLE),
    ("events of several CRLF lines", streamed(WHOLE).replace(b', "', b',\ndata: "').replace(b"\n", b"\r\n"), WHOLE),
    ("a byte-order mark", b"\xef\xbb\xbf" + streamed(WHOLE), WHOLE),
    ("blank lines first", b"\n\n" + streamed(WHOLE), WHOLE),
    ("many alphabets", streamed("äß€", "日本", "👩‍🔬", "\u2028\x85"), "äß€日本👩‍🔬\u2028\x85"),
]  # fmt: skip


@pytest.mark.parametrize("step", [1, 2, 3, 10_000])
@pytest.mark.parametrize(("body", "text"), [row[1:] for row in FINE], ids=[row[0] for row in FINE])
def test_a_whole_stream_is_read_however_it_is_written_and_cut(body: bytes, text: str, step: int) -> None:
    pieces = [chunked(body[start : start + step], ended=False) for start in range(0, len(body), step)]
    with playing([CHUNKED, b"".join(pieces), b"0\r\n\r\n"]) as server:
        assert "".join(the_model(server.url).stream_json(MESSAGES, SCHEMA)) == text


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html", "application/octet-stream", "x"])
def test_a_wrong_content_type_does_not_matter(kind: str) -> None:
    for body in (streamed(WHOLE), json.dumps(chat_reply(WHOLE).body).encode()):
        for way in WAYS:
            with serving({CHAT: [Reply(body, kind=kind)]}) as server:
                assert ask(the_model(server.url), way) == WHOLE


def test_an_endpoint_that_always_streams_is_read_to_the_end() -> None:
    with serving({CHAT: [stream_reply('{"claims"', ": []}")]}) as server:
        assert ask(the_model(server.url), "whole") == WHOLE


def test_a_line_that_stays_open_after_the_end_is_not_waited_for() -> None:
    with playing([head(), *TEXT, END, HANG]) as server:
        model = the_model(server.url, between_bytes_seconds=600.0, total_seconds=10.0)
        assert ask(model, "stream") == WHOLE
        assert server.left.wait(5)


def test_what_was_shown_before_a_failure_is_what_was_sent() -> None:
    with playing([head(), *TEXT]) as server:
        pieces = the_model(server.url).stream_json(MESSAGES, SCHEMA)
        assert [next(pieces), next(pieces)] == ['{"claims"', ": []}"]
        with pytest.raises(ModelError, match="ended before its reply was whole") as caught:
            next(pieces)
        assert caught.value.cure == QUOTED


CUT_STREAM = streamed('{"a":', ' "ä"}')
CUT_BODY = json.dumps(chat_reply('{"a": "ä"}').body).encode()
FRAMES: dict[str, Callable[[bytes, int], list[bytes]]] = {
    "until it closes": lambda body, end: [head(), body[:end]],
    "by its length": lambda body, end: [head(f"Content-Length: {len(body)}"), body[:end]],
    "in one chunk": lambda body, end: [CHUNKED, chunked(body)[: end + len(f"{len(body):x}") + 2]],
    "in chunks": lambda body, end: [CHUNKED, chunked(body[:end] or b" ", ended=False)],
}  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_a_stream_cut_at_any_byte_is_whole_only_after_its_end(frame: str) -> None:
    end = CUT_STREAM.index(DONE)
    with playing(*[FRAMES[frame](CUT_STREAM, cut) for cut in range(len(CUT_STREAM))]) as server:
        model = the_model(server.url)
        for cut in range(len(CUT_STREAM)):
            shown = ""
            try:
                for piece in model.stream_json(MESSAGES, SCHEMA):
                    shown += piece
            except ModelError:
                assert cut < end, cut
            else:
                assert cut >= end, cut
                assert shown == '{"a": "ä"}'
            assert '{"a": "ä"}'.startswith(shown)
        assert len(server.requests) == len(CUT_STREAM)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_body_cut_at_any_byte_is_no_reply(frame: str) -> None:
    with playing(*[FRAMES[frame](CUT_BODY, cut) for cut in range(len(CUT_BODY))]) as server:
        model = the_model(server.url)
        for _ in range(len(CUT_BODY)):
            with pytest.raises(ModelError):
                model.complete_json(MESSAGES, SCHEMA)
        assert len(server.requests) == len(CUT_BODY)
