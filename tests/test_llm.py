"""The client against a real HTTP server: what it sends, what it takes, and one clear line for whatever goes wrong."""

import traceback
from typing import Any

import pytest

from rag.answer import claim_schema
from rag.errors import ModelError
from rag.llm import DEFAULT_MODEL, OpenAIModel
from tests.servers import CHAT, MODELS, ChatServer, Reply, chat_reply, failure, models_reply, refused_url, serving

KEY = "sk-never-shown-4711"
SCHEMA = claim_schema(["SCN-09", "LLM-02"])
MESSAGES = [{"role": "system", "content": "Cite."}, {"role": "user", "content": "Why is the loss NaN?"}]
QUOTED = "The quoted answer needs no model; `tutor doctor` tests the endpoint."
NOT_THE_PROTOCOL = "sent something that is not a chat-completions reply."


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def the_model(url: str | None, name: str = "small", key: str | None = KEY, seconds: float = 5.0) -> OpenAIModel:
    return OpenAIModel(name, key, url, 321, seconds)


def complete(server: ChatServer, **options: Any) -> str:
    return the_model(server.url, **options).complete_json(MESSAGES, SCHEMA)


def failing(url: str, **options: Any) -> ModelError:
    """The error of asking this endpoint; the key is nowhere in what a user or a log may see of it."""
    with pytest.raises(ModelError) as caught:
        the_model(url, **options).complete_json(MESSAGES, SCHEMA)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def failing_with(reply: Reply, **options: Any) -> tuple[str, str, str]:
    """The address of a server that sends this reply to everything, the message and the cure."""
    with serving({CHAT: [reply], MODELS: [reply]}) as server:
        error = failing(server.url, **options)
        assert len(server.requests) == 1
        return server.url, error.message, error.cure


def test_a_good_reply_is_returned_as_it_came() -> None:
    with serving({CHAT: [chat_reply('{"claims": []}')]}) as server:
        assert complete(server) == '{"claims": []}'
        assert server.paths() == [CHAT]


def test_the_request_carries_the_messages_the_schema_and_the_limits() -> None:
    with serving({CHAT: [chat_reply("{}")]}) as server:
        complete(server)
        request = server.requests[0]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "small",
        "messages": MESSAGES,
        "temperature": 0,
        "max_tokens": 321,
        "response_format": {"type": "json_schema", "json_schema": {"name": "claims", "strict": True, "schema": SCHEMA}},
    }
    claim = request.body["response_format"]["json_schema"]["schema"]["properties"]["claims"]["items"]
    assert claim["properties"]["sources"]["items"]["enum"] == ["SCN-09", "LLM-02"]


def test_an_endpoint_of_ones_own_needs_no_key() -> None:
    with serving({CHAT: [chat_reply("{}")]}) as server:
        assert complete(server, key=None) == "{}"
        assert server.requests[0].headers["authorization"] == "Bearer none"


def test_without_a_name_the_first_listed_model_is_asked_and_kept() -> None:
    with serving({MODELS: [models_reply("alpha", "beta")], CHAT: [chat_reply("{}")]}) as server:
        model = the_model(server.url, name="")
        assert model.name == "the endpoint's first model"
        model.complete_json(MESSAGES, SCHEMA)
        model.complete_json(MESSAGES, SCHEMA)
        assert server.paths() == [MODELS, CHAT, CHAT]
        assert [request.body["model"] for request in server.requests[1:]] == ["alpha", "alpha"]
        assert model.name == "alpha"


def test_without_a_name_and_an_endpoint_the_default_of_openai_is_meant() -> None:
    assert the_model(None, name="").name == DEFAULT_MODEL


def test_an_endpoint_that_lists_no_model_is_named_with_its_cure() -> None:
    with serving({MODELS: [models_reply()], CHAT: [chat_reply("{}")]}) as server:
        error = failing(server.url, name="")
        assert (error.message, error.cure) == ("The endpoint lists no model.", "Set TUTOR_MODEL to the model to use.")
        assert server.paths() == [MODELS]


def test_models_are_listed_in_the_order_of_the_endpoint() -> None:
    with serving({MODELS: [models_reply("beta", "alpha")]}) as server:
        assert the_model(server.url).models() == ["beta", "alpha"]


@pytest.mark.parametrize(
    ("status", "message", "cure"),
    [
        (401, "{url} refused the key.", "Check OPENAI_API_KEY."),
        (404, "{url} does not know the model small.", "Set TUTOR_MODEL, or check OPENAI_BASE_URL."),
        (429, "{url} is over its rate limit or quota.", f"Try again later. {QUOTED}"),
        (400, "{url} failed with status 400.", QUOTED),
        (500, "{url} failed with status 500.", QUOTED),
    ],
)
def test_a_refusal_names_the_endpoint_and_the_cure(status: int, message: str, cure: str) -> None:
    url, *told = failing_with(failure(status))
    assert told == [message.format(url=url), cure]


def test_an_address_without_a_list_of_models_is_not_blamed_on_the_model() -> None:
    url, message, cure = failing_with(failure(404), name="")
    assert message == f"{url} lists no models: status 404."
    assert cure.startswith("Check OPENAI_BASE_URL, which usually ends in /v1.")


@pytest.mark.parametrize("status", [429, 500])
def test_one_failure_that_passes_is_not_seen(status: int) -> None:
    with serving({CHAT: [failure(status, retry=True), chat_reply("{}")]}) as server:
        assert complete(server) == "{}"
        assert server.paths() == [CHAT, CHAT]


def test_a_failure_that_stays_is_reported_after_a_second_try() -> None:
    with serving({CHAT: [failure(500, retry=True)]}) as server:
        assert failing(server.url).message == f"{server.url} failed with status 500."
        assert server.paths() == [CHAT, CHAT]


def test_an_endpoint_that_does_not_run_cannot_be_reached() -> None:
    url = refused_url()
    error = failing(url)
    assert error.message == f"{url} cannot be reached."
    assert error.cure == f"Check OPENAI_BASE_URL and that it runs. {QUOTED}"


def test_an_endpoint_that_hangs_is_given_up_and_the_wait_is_named() -> None:
    with serving({CHAT: [Reply(hangs=True)]}) as server:
        error = failing(server.url, seconds=0.3)
        assert (error.message, error.cure) == (f"{server.url} did not answer within 0.3 s.", QUOTED)
        assert server.paths() == [CHAT, CHAT]


def test_an_endpoint_that_hangs_once_is_asked_again() -> None:
    with serving({CHAT: [Reply(hangs=True), chat_reply("{}")]}) as server:
        assert complete(server, seconds=0.3) == "{}"


@pytest.mark.parametrize(
    "reply",
    [Reply(b"<html>Sign in</html>", kind="text/html"), Reply({"id": "1"}), Reply({"choices": []}), Reply([])],
    ids=["HTML", "no choices", "no choice", "a list"],
)
def test_a_reply_without_an_answer_names_the_model(reply: Reply) -> None:
    _, message, cure = failing_with(reply)
    assert (message, cure) == ("small sent a reply without an answer in it.", QUOTED)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>as JSON</html>",
        b"",
        b"\xff\xfe",
        {"choices": "abc"},
        {"choices": 3},
        {"choices": {"first": 1}},
        {"choices": [{}]},
        {"choices": ["text"]},
        {"choices": [{"index": 0, "finish_reason": "stop", "message": None}]},
    ],
)
def test_a_reply_of_another_shape_is_named_as_such(body: Any) -> None:
    url, message, cure = failing_with(Reply(body))
    assert (message, cure) == (f"{url} {NOT_THE_PROTOCOL}", QUOTED)


@pytest.mark.parametrize("body", [b"<html></html>", [], {"object": "list"}, {"data": ["alpha"]}])
def test_a_list_of_models_of_another_shape_is_named_as_such(body: Any) -> None:
    url, message, cure = failing_with(Reply(body), name="")
    assert (message, cure) == (f"{url} {NOT_THE_PROTOCOL}", QUOTED)


@pytest.mark.parametrize("reply", [chat_reply(""), chat_reply(None), chat_reply(None, "content_filter")])
def test_an_empty_reply_names_the_model(reply: Reply) -> None:
    _, message, cure = failing_with(reply)
    assert (message, cure) == ("small sent an empty reply.", QUOTED)


def test_a_reply_cut_at_the_limit_names_the_limit_and_the_setting() -> None:
    _, message, cure = failing_with(chat_reply('{"claims": [', "length"))
    assert (message, cure) == ("The reply of small was cut off at 321 tokens.", "Raise TUTOR_ANSWER_TOKENS.")
