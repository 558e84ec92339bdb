"""Answers written by a language model: the real index, the real openai client, a real loopback server."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from rag.settings import Settings
from rag.types import Answer
from rag.wiring import Library
from tests.servers import CHAT, ChatServer, Reply, chat_reply, failure, serving

pytestmark = pytest.mark.real

QUESTION = "the loss of my lstm becomes nan after a while"
TRUE = "Gradient clipping scales the gradient down when its norm is above a threshold such as 1.0."


@contextmanager
def answered(library: Library, real: Settings, reply: Reply) -> Iterator[tuple[Answer, ChatServer]]:
    with serving({CHAT: [reply]}) as server:
        chosen = real.model_copy(
            update={
                "base_url": server.url,
                "api_key": SecretStr("sk-canary"),
                "model": "tiny",
                "first_byte_seconds": 5.0,
            }
        )
        written = Library(chosen, library.folder)
        try:
            yield written.tutor().ask(QUESTION), server
        finally:
            written.close()


def claims(*items: Mapping[str, Any]) -> Reply:
    return chat_reply(json.dumps({"claims": list(items)}))


def test_supported_claims_are_shown_with_their_source_and_quote(library: Library, real: Settings) -> None:
    with answered(library, real, claims({"text": TRUE, "sources": ["SCN-09"]})) as (answer, server):
        assert (answer.status, answer.model, answer.notices) == ("answered", "tiny", ())
        (claim,) = answer.claims
        assert (claim.text, claim.sources) == (TRUE, ("SCN-09",))
        assert 0.6 < claim.support <= 1.0
        assert claim.quote in library.store.entry("SCN-09").answer
        sent = server.requests[-1].body
        ids = sent["response_format"]["json_schema"]["schema"]["properties"]["claims"]["items"]["properties"]["sources"]
        assert ids["items"]["enum"] == list(answer.retrieved)
        assert '<source id="SCN-09" rank="1"' in sent["messages"][1]["content"]


@pytest.mark.parametrize(
    "claim",
    [
        {"text": TRUE.replace("1.0", "7.5"), "sources": ["SCN-09"]},
        {"text": TRUE, "sources": ["SCN-99"]},
        {"text": TRUE, "sources": []},
        {"text": "Paris is the capital of France.", "sources": ["SCN-09"]},
    ],
)
def test_what_the_guides_do_not_support_is_left_out_and_counted(
    library: Library, real: Settings, claim: dict[str, Any]
) -> None:
    good = {"text": TRUE, "sources": ["SCN-09"]}
    with answered(library, real, claims(good, claim)) as (answer, _):
        assert [shown.text for shown in answer.claims] == [TRUE]
        assert len(answer.dropped_claims) == 1
        assert any("1 sentence was left out" in notice for notice in answer.notices)


def test_when_nothing_passes_the_answer_is_unverified_and_shows_no_source(library: Library, real: Settings) -> None:
    with answered(library, real, claims({"text": "Paris is in France.", "sources": ["SCN-09"]})) as (answer, _):
        assert answer.status == "unverified"
        assert (answer.claims, answer.sources) == ((), ())


def test_a_model_that_finds_no_answer_in_the_sources_refuses(library: Library, real: Settings) -> None:
    with answered(library, real, claims()) as (answer, _):
        assert answer.status == "not_covered"
        assert answer.sources == ()


@pytest.mark.parametrize(
    "reply", [failure(401), failure(500), chat_reply("no json"), Reply(b"<html>", kind="text/html")]
)
def test_a_failing_model_gives_the_quoted_answer_and_says_so(library: Library, real: Settings, reply: Reply) -> None:
    with answered(library, real, reply) as (answer, _):
        assert answer.status == "answered"
        assert answer.model == "quote"
        assert any("quoted answer instead" in notice for notice in answer.notices)
        assert all(claim.quote for claim in answer.claims)
        assert "canary" not in json.dumps(answer.to_dict())
