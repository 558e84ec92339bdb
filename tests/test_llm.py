"""The client against a real HTTP server: what it sends, what it takes, and how it asks of one that takes less."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from rag.errors import ModelError
from rag.llm import DEFAULT_MODEL
from rag.request import PROBE_SCHEMA
from tests.asking import KEY, MESSAGES, SCHEMA, WAYS, Way, ask, failing, the_model
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
    refused_url,
    serving,
    stream_reply,
)

SENT = {"model": "small", "messages": MESSAGES, "temperature": 0, "max_tokens": 321}
AS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "claims", "strict": True, "schema": SCHEMA}}
GOOD = chat_reply('{"claims": []}')


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_good_reply_is_returned_as_it_came() -> None:
    with serving({CHAT: [chat_reply('{"claims":\n[]}')]}) as server:
        model = the_model(server.url)
        assert ask(model, "whole") == '{"claims":\n[]}'
        assert model.mode == "schema"
        assert server.paths() == [CHAT]


def test_the_request_carries_the_messages_the_schema_and_the_limits() -> None:
    with serving({CHAT: [chat_reply("{}")]}) as server:
        ask(the_model(server.url), "whole")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert server.bodies() == [{**SENT, "response_format": AS_SCHEMA}]


def test_a_streamed_reply_comes_in_its_pieces() -> None:
    with serving({CHAT: [stream_reply('{"claims"', ": ", "[]}")]}) as server:
        assert list(the_model(server.url).stream_json(MESSAGES, SCHEMA)) == ['{"claims"', ": ", "[]}"]
        assert server.bodies() == [{**SENT, "response_format": AS_SCHEMA, "stream": True}]


def test_an_endpoint_that_answers_a_stream_with_one_body_gives_one_piece() -> None:
    with serving({CHAT: [GOOD]}) as server:
        assert list(the_model(server.url).stream_json(MESSAGES, SCHEMA)) == ['{"claims": []}']
        assert server.paths() == [CHAT]


def test_an_endpoint_that_refuses_to_stream_is_asked_for_the_whole_and_remembered() -> None:
    refused = failure(400, said="streaming is not supported by this server")
    with serving({CHAT: [refused, GOOD]}) as server:
        model = the_model(server.url)
        for _ in range(2):
            assert list(model.stream_json(MESSAGES, SCHEMA)) == ['{"claims": []}']
        assert ["stream" in body for body in server.bodies()] == [True, False, False]
        assert model.mode == "schema"


def test_closing_the_iterator_ends_the_providers_stream() -> None:
    with playing([head(), delta('{"claims"'), HANG]) as server:
        pieces = the_model(server.url).stream_json(MESSAGES, SCHEMA)
        assert next(pieces) == '{"claims"'
        assert not server.left.is_set()
        pieces.close()
        assert server.left.wait(5)


def test_a_provider_that_never_stops_is_ended_too() -> None:
    def endless() -> Iterator[bytes]:
        yield head()
        while True:
            yield delta("and on ")

    with playing(endless()) as server:
        pieces = the_model(server.url).stream_json(MESSAGES, SCHEMA)
        assert [next(pieces) for _ in range(500)] == ["and on "] * 500
        pieces.close()
        assert server.left.wait(5)


def test_a_grammar_is_sent_beside_the_messages_and_nothing_else() -> None:
    with serving({CHAT: [stream_reply("3,", "1")]}) as server:
        model = the_model(server.url)
        assert list(model.stream_grammar(MESSAGES, 'root ::= "3,1"', 17)) == ["3,", "1"]
        assert server.bodies() == [{**SENT, "max_tokens": 17, "stream": True, "grammar": 'root ::= "3,1"'}]
        assert model.mode == "schema"


def test_a_grammar_that_is_refused_is_not_left_out() -> None:
    with serving({CHAT: [failure(400, said="failed to parse grammar")]}) as server:
        with pytest.raises(ModelError, match="failed with status 400"):
            list(the_model(server.url).stream_grammar(MESSAGES, "root ::=", 17))
        assert len(server.requests) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [400, 404, 415, 422, 501])
@pytest.mark.parametrize("said", ["response_format is not supported", "json_schema", "Failed to compile GRAMMAR"])
def test_an_endpoint_that_refuses_a_schema_is_asked_for_json_from_then_on(way: Way, status: int, said: str) -> None:
    with serving({CHAT: [failure(status, said=said), GOOD]}) as server:
        model = the_model(server.url)
        assert [ask(model, way), ask(model, way)] == ['{"claims": []}'] * 2
        assert model.mode == "json"
        forms = [body["response_format"]["type"] for body in server.bodies()]
        assert forms == ["json_schema", "json_object", "json_object"]
        system, user = server.bodies()[1]["messages"]
        assert system["content"].startswith("Cite.\n\n")
        assert '"required": ["claims"]' in system["content"]
        assert user == MESSAGES[1]


@pytest.mark.parametrize("way", WAYS)
def test_an_endpoint_that_takes_no_form_at_all_is_asked_in_words(way: Way) -> None:
    with serving({CHAT: [failure(422, said="response_format"), failure(400), GOOD]}) as server:
        model = the_model(server.url)
        assert ask(model, way) == '{"claims": []}'
        assert model.mode == "text"
        last = server.bodies()[-1]
        assert "response_format" not in last
        asked = "ids of its sources in square brackets" if way == "stream" else '"required": ["claims"]'
        assert asked in last["messages"][0]["content"]


def test_an_instruction_without_a_system_message_gets_one() -> None:
    with serving({CHAT: [failure(400), GOOD]}) as server:
        the_model(server.url).complete_json(MESSAGES[1:], SCHEMA)
        assert [message["role"] for message in server.bodies()[1]["messages"]] == ["system", "user"]


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_request_that_no_form_mends_leaves_the_form_as_it_was(way: Way) -> None:
    with serving({CHAT: [failure(400)]}) as server:
        model = the_model(server.url)
        with pytest.raises(ModelError, match="failed with status 400"):
            ask(model, way)
        assert model.mode == "schema"
        assert len(server.requests) == 3


@pytest.mark.parametrize("way", WAYS)
def test_a_refused_key_or_model_is_no_reason_to_ask_in_another_form(way: Way) -> None:
    for status in (401, 403, 404):
        with serving({CHAT: [failure(status)]}) as server:
            failing(server.url, way)
            assert len(server.requests) == 1


def test_what_a_refusal_repeats_of_the_question_does_not_count_as_its_reason() -> None:
    body = {"detail": [{"loc": ["body", "model"], "msg": "unknown", "input": {"response_format": "json_schema"}}]}
    with serving({CHAT: [Reply(body, 422)]}) as server:
        failing(server.url)
        assert len(server.requests) == 1


def test_models_that_want_other_fields_get_them_from_then_on() -> None:
    tokens = failure(400, said="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    warmth = failure(400, said="'temperature' does not support 0 with this model.")
    with serving({CHAT: [tokens, warmth, GOOD]}) as server:
        model = the_model(server.url)
        ask(model, "whole")
        ask(model, "stream")
        for body in server.bodies()[2:]:
            assert body["max_completion_tokens"] == 321
            assert "max_tokens" not in body
            assert "temperature" not in body
        assert model.mode == "schema"


def test_a_reply_that_is_no_json_is_sent_back_once() -> None:
    with serving({CHAT: [chat_reply("Sure! Here:"), GOOD]}) as server:
        model = the_model(server.url)
        assert ask(model, "whole") == '{"claims": []}'
        assert server.bodies()[1]["messages"][-2] == {"role": "assistant", "content": "Sure! Here:"}
        assert "JSON" in server.bodies()[1]["messages"][-1]["content"]
        assert model.mode == "json"


def test_a_second_reply_that_is_no_json_is_the_callers() -> None:
    with serving({CHAT: [chat_reply("no"), chat_reply("still no")]}) as server:
        assert ask(the_model(server.url), "whole") == "still no"
        assert len(server.requests) == 2


def test_a_code_fence_around_json_is_taken_off_without_asking_again() -> None:
    with serving({CHAT: [chat_reply('```json\n{"claims": []}\n```')]}) as server:
        assert ask(the_model(server.url), "whole") == '{"claims": []}'
        assert len(server.requests) == 1


def test_an_endpoint_that_takes_a_schema_and_ignores_it_is_asked_in_simpler_forms() -> None:
    with serving({CHAT: [stream_reply("Clip it. [SCN-09]")]}) as server:
        model = the_model(server.url)
        seen = []
        for _ in range(3):
            ask(model, "stream")
            seen.append(model.mode)
        assert seen == ["json", "text", "text"]


def test_an_endpoint_of_ones_own_needs_no_key() -> None:
    with serving({CHAT: [chat_reply("{}")]}) as server:
        assert ask(the_model(server.url, key=None), "whole") == "{}"
        assert server.requests[0].headers["authorization"] == "Bearer none"


def test_without_a_name_the_first_listed_model_is_asked_and_kept() -> None:
    with serving({MODELS: [models_reply("alpha", "beta")], CHAT: [chat_reply("{}")]}) as server:
        model = the_model(server.url, name="")
        assert model.name == "the endpoint's first model"
        ask(model, "whole")
        ask(model, "stream")
        assert server.paths() == [MODELS, CHAT, CHAT]
        assert [body["model"] for body in server.bodies()[1:]] == ["alpha", "alpha"]
        assert model.name == "alpha"


def test_without_a_name_and_an_endpoint_the_default_of_openai_is_meant() -> None:
    model = the_model(None, name="")
    assert (model.name, model.where) == (DEFAULT_MODEL, "OpenAI")


def test_an_endpoint_is_named_by_its_host_and_never_by_a_password_in_its_address() -> None:
    assert the_model("http://me:secret@[::1]:8080/v1?token=secret").where == "[::1]:8080"
    assert the_model("no address").where == "the endpoint"


def test_models_are_listed_in_the_order_of_the_endpoint() -> None:
    with serving({MODELS: [models_reply("beta", "alpha")]}) as server:
        assert the_model(server.url).models() == ["beta", "alpha"]


@pytest.mark.parametrize(
    ("replies", "found", "mode"),
    [
        ([stream_reply("Yes"), chat_reply('{"wet": true}'), chat_reply("{}")], (True, True, True), "schema"),
        ([stream_reply("Yes"), chat_reply("Yes"), chat_reply('{"a": 1}')], (True, False, True), "json"),
        ([chat_reply("Yes"), failure(400, said="response_format")], (False, False, False), "text"),
        ([failure(400, said="stream"), chat_reply("Yes"), chat_reply("[]")], (False, False, False), "text"),
        ([chat_reply("Yes", "length"), failure(429)], (False, False, False), "text"),
    ],
)
def test_a_probe_finds_what_the_endpoint_can_do(replies: list[Reply], found: tuple[bool, ...], mode: str) -> None:
    with serving({MODELS: [models_reply("small")], CHAT: replies}) as server:
        model = the_model(server.url)
        expected: dict[str, Any] = dict(zip(("streaming", "schema", "json"), found, strict=True))
        assert model.probe() == {"models": True, **expected}
        assert model.mode == mode


def test_a_probe_asks_for_the_schema_it_looks_for_and_needs_no_list_of_models() -> None:
    with serving({CHAT: [stream_reply("Yes"), chat_reply('{"wet": true}'), chat_reply("{}")]}) as server:
        assert not the_model(server.url).probe()["models"]
        assert server.bodies()[1]["response_format"]["json_schema"]["schema"] == PROBE_SCHEMA
        assert server.bodies()[2]["response_format"] == {"type": "json_object"}


def test_a_probe_of_an_endpoint_that_does_not_answer_says_why() -> None:
    with serving({CHAT: [failure(401)]}) as server, pytest.raises(ModelError, match="refused the key"):
        the_model(server.url).probe()
    with pytest.raises(ModelError, match="cannot be reached"):
        the_model(refused_url()).probe()


@pytest.mark.parametrize("way", WAYS)
def test_the_key_is_in_no_log_record_and_no_repr(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "httpx", "httpcore", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)
    replies = [failure(500, retry=True), failure(400, said="response_format"), GOOD]
    with serving({CHAT: replies, MODELS: [failure(401)]}) as server:
        model = the_model(server.url, retries=1)
        ask(model, way)
        with pytest.raises(ModelError):
            model.models()
    failing(refused_url(), way)
    with playing([head(), delta("{"), b"data: {oops\n\n"]) as raw:
        failing(raw.url, way)
    told = [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
    assert {record.name.split(".")[0] for record in caplog.records} >= {"openai", "httpx2", "httpcore2"}
    assert [line for line in told if KEY in line] == []
    assert KEY not in repr(model)
    assert KEY not in str(model)
