"""Answers written by a language model: the real index, the real openai client, a real loopback server."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rag.catalog import LOCAL, LOCAL_MODEL
from rag.errors import QuestionError
from rag.settings import Settings
from rag.shape import answer_to_dict
from rag.tutor import NO_LLM
from rag.types import Turn
from rag.verdict import WROTE_NOTHING
from rag.wiring import Library
from tests.canary import CANARY
from tests.servers import CHAT, MODELS, ChatServer, Reply, chat_reply, failure, models_reply, serving, streamed

pytestmark = pytest.mark.real

QUESTION = "the loss of my lstm becomes nan after a while"
TRUE = "Gradient clipping compares the norm of the whole gradient with a threshold, commonly 1.0."
Opening = Callable[..., Library]


@pytest.fixture
def opened(library: Library, real: Settings, tmp_path: Path) -> Iterator[Opening]:
    """Opens the real index with other settings; what it keeps of the answers goes into a folder of the test."""
    made: list[Library] = []

    def opening(**settings: Any) -> Library:
        one = Library(real.model_copy(update={"home": tmp_path / "home", **settings}), library.folder)
        vars(one)["embedder"] = library.embedder  # who writes the answers changes nothing about it
        made.append(one)
        return one

    yield opening
    for one in made:
        one.close()


@contextmanager
def writing(opened: Opening, *replies: Reply, **settings: Any) -> Iterator[tuple[Library, ChatServer]]:
    """A library whose language model is a server with these replies."""
    with serving({CHAT: replies, MODELS: [models_reply("first", "second")]}) as server:
        key = SecretStr(CANARY)
        chosen = {"base_url": server.url, "api_key": key, "model": "tiny", "first_byte_seconds": 5.0, **settings}
        yield opened(**chosen), server


def said(*items: Mapping[str, Any]) -> str:
    return json.dumps({"claims": items})


GOOD = {"text": TRUE, "sources": ["SCN-09"]}


def test_supported_claims_are_shown_with_their_source_and_quote(opened: Opening) -> None:
    with writing(opened, chat_reply(said(GOOD))) as (library, server):
        answer = library.tutor().ask(QUESTION)
        assert (answer.status, answer.model, answer.notices) == ("answered", "tiny", ())
        (claim,) = answer.claims
        assert (claim.text, claim.sources) == (TRUE, ("SCN-09",))
        assert 0.6 < claim.support <= 1.0
        assert claim.quote in library.store.entry("SCN-09").answer
        sent = server.requests[-1].body
        ids = sent["response_format"]["json_schema"]["schema"]["properties"]["claims"]["items"]["properties"]["sources"]
        assert ids["items"]["enum"] == list(answer.retrieved)
        assert '<source id="SCN-09" rank="1"' in sent["messages"][1]["content"]


def test_a_streamed_reply_follows_the_guides_own_words(opened: Opening) -> None:
    text = said(GOOD, {"text": "Paris is the capital of France.", "sources": ["SCN-09"]})
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    with writing(opened, Reply(streamed(*pieces), kind="text/event-stream")) as (library, _):
        reply = library.tutor().reply(QUESTION)
        shown = list(reply)
        assert [item.model for item in shown] == [*["quote"] * (len(shown) - 1), "tiny"]
        assert tuple(item.claim for item in shown[:-1]) == reply.answer.quoted
        assert (shown[-1].claim.text, reply.answer.claims) == (TRUE, (shown[-1].claim,))


@pytest.mark.parametrize(
    "claim",
    [
        {"text": TRUE, "sources": ["SCN-99"]},
        {"text": TRUE, "sources": []},
        {"text": "Paris is the capital of France.", "sources": ["SCN-09"]},
    ],
)
def test_what_the_guides_do_not_support_is_left_out_and_counted(opened: Opening, claim: dict[str, Any]) -> None:
    with writing(opened, chat_reply(said(GOOD, claim))) as (library, _):
        answer = library.tutor().ask(QUESTION)
        assert [shown.text for shown in answer.claims] == [TRUE]
        assert len(answer.dropped_claims) == 1
        assert any("1 sentence was left out" in notice for notice in answer.notices)


def test_a_changed_figure_gives_way_to_what_the_guide_says(opened: Opening) -> None:
    changed = {"text": TRUE.replace("1.0", "7.5"), "sources": ["SCN-09"]}
    with writing(opened, chat_reply(said(changed))) as (library, _):
        answer = library.tutor().ask(QUESTION)
        assert (answer.status, answer.model) == ("answered", "tiny")
        assert "7.5" not in answer.text
        assert any("commonly 1.0" in claim.text for claim in answer.claims)
        said_there = {sentence.text for sentence in library.passages.sentences("SCN-09")[0]}
        assert {claim.text for claim in answer.claims} <= said_there
        assert [claim.text for claim in answer.dropped_claims] == [changed["text"]]
        (notice,) = answer.notices
        assert notice.startswith("1 sentence was not surely what the guides say")


def test_when_nothing_passes_the_answer_is_unverified_and_shows_no_source(opened: Opening) -> None:
    with writing(opened, chat_reply(said({"text": "Paris is in France.", "sources": ["SCN-09"]}))) as (library, _):
        answer = library.tutor().ask(QUESTION)
        assert answer.status == "unverified"
        assert (answer.claims, answer.sources) == ((), ())
        assert {claim.sources for claim in answer.quoted} == {("SCN-09",)}


def test_a_model_that_writes_nothing_leaves_the_quoted_answer(opened: Opening) -> None:
    with writing(opened, chat_reply(said())) as (library, _):
        answer = library.tutor().ask(QUESTION)
        assert (answer.status, answer.model, answer.notices) == ("answered", "quote", (WROTE_NOTHING,))
        assert answer.sources[0].id == "SCN-09"


def test_the_model_on_this_machine_sends_no_conversation_to_the_endpoint(opened: Opening) -> None:
    with writing(opened, chat_reply(json.dumps({"question": QUESTION}))) as (library, server):
        answer = library.tutor().ask("and why is that?", [Turn("user", QUESTION)], model=LOCAL)
        assert (answer.status, answer.model, server.requests) == ("answered", "quote", [])
        assert any("tutor models fetch local" in notice for notice in answer.notices)


def test_an_entailment_model_that_is_nowhere_leaves_the_quoted_answer_and_bothers_no_quotation(opened: Opening) -> None:
    written = {"text": "To keep the LSTM stable, clip the norm of the gradient.", "sources": ["SCN-09"]}
    with writing(opened, chat_reply(said(written)), entailment_model="/no/such/folder") as (library, _):
        assert library.tutor().ask(QUESTION, model="quote").notices == ()
        answer = library.tutor().ask(QUESTION)
        assert (answer.status, answer.model) == ("answered", "quote")
        (notice,) = answer.notices
        assert notice.startswith("The entailment model '/no/such/folder' cannot be loaded")
        assert "TUTOR_ENTAILMENT_MODEL" in notice


CUT = Reply(streamed(said(GOOD, GOOD, GOOD)[:-2], finish_reason=None, done=False), kind="text/event-stream")


@pytest.mark.parametrize(
    "reply", [failure(401), failure(500), chat_reply("no json"), Reply(b"<html>", kind="text/html"), CUT]
)
def test_a_failing_model_gives_the_quoted_answer_and_says_so(opened: Opening, reply: Reply) -> None:
    with writing(opened, reply) as (library, _):
        answer = library.tutor().ask(QUESTION)
        assert (answer.status, answer.model) == ("answered", "quote")
        assert any("quoted answer instead" in notice for notice in answer.notices)
        assert all(claim.quote for claim in answer.claims)
        assert CANARY not in json.dumps(answer_to_dict(answer))


@pytest.mark.parametrize("wrong", ["Clip the gradient.", '{"answer": "Clip the gradient."}'])
def test_a_reply_of_another_form_is_mended_before_the_quoted_answer_steps_in(opened: Opening, wrong: str) -> None:
    with writing(opened, chat_reply(wrong), chat_reply(said(GOOD))) as (library, server):
        answer = library.tutor().ask(QUESTION)
        assert ([claim.text for claim in answer.claims], answer.model, answer.notices) == ([TRUE], "tiny", ())
        assert server.paths() == [CHAT, CHAT]


def test_the_same_question_is_sent_once_until_a_setting_or_the_model_changes(opened: Opening) -> None:
    with writing(opened, chat_reply(said(GOOD))) as (library, server):
        library.tutor().ask(QUESTION)
        library.close()
        same = {"base_url": server.url, "api_key": SecretStr("sk-other"), "model": "tiny"}
        assert [claim.text for claim in opened(**same).tutor().ask(QUESTION).claims] == [TRUE]
        assert server.paths() == [CHAT]
        for changed in ({"model": "large"}, {"claims": 3}, {"answer_tokens": 400}):
            assert [claim.text for claim in opened(**{**same, **changed}).tutor().ask(QUESTION).claims] == [TRUE]
        assert [body["model"] for body in server.bodies()] == ["tiny", "large", "tiny", "tiny"]


def test_what_an_answer_depends_on_names_the_index_and_no_key(opened: Opening, tmp_path: Path) -> None:
    library = opened(api_key=SecretStr(CANARY), base_url="http://127.0.0.1:9/v1")
    assert library.folder.name in library.fingerprint
    assert CANARY not in library.fingerprint
    assert library.fingerprint != Library(library.settings, tmp_path / "another").fingerprint
    assert library.fingerprint != opened(base_url="http://127.0.0.1:8/v1").fingerprint
    assert library.fingerprint != opened(base_url="http://127.0.0.1:9/v1", sources=3).fingerprint
    assert library.fingerprint != opened(base_url="http://127.0.0.1:9/v1", entailment_model="a/nli").fingerprint


@pytest.mark.parametrize("what", ["PROMPT", "PICKING", "TREES"])
def test_an_answer_depends_on_the_prompts_and_on_what_was_learnt(
    opened: Opening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before = opened().fingerprint
    assert opened().fingerprint == before
    (tmp_path / "changed").write_text("something else")
    monkeypatch.setattr(f"rag.wiring.{what}", tmp_path / "changed")
    assert opened().fingerprint != before


def test_an_answer_depends_on_the_weights_of_the_local_model(opened: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened().fingerprint
    (file,) = LOCAL_MODEL.files
    monkeypatch.setattr("rag.wiring.LOCAL_MODEL", replace(LOCAL_MODEL, files=(replace(file, sha256="0" * 64),)))
    assert opened().fingerprint != before


def test_any_model_of_the_endpoint_may_be_named_and_quoting_asks_none(opened: Opening) -> None:
    with writing(opened, chat_reply(said(GOOD)), model="auto") as (library, server):
        tutor = library.tutor()
        assert tutor.ask(QUESTION, model="quote").model == "quote"
        assert server.requests == []
        assert tutor.ask(QUESTION, model="named").model == "named"
        assert [claim.text for claim in tutor.ask(QUESTION).claims] == [TRUE]
        assert [body["model"] for body in server.bodies() if body] == ["named", "first"]


def test_who_chose_quotations_is_not_told_that_a_model_is_missing(opened: Opening) -> None:
    with writing(opened, model="quote") as (library, server):
        answer = library.tutor(("The index is old.",)).ask(QUESTION)
        assert (answer.model, answer.notices, server.requests) == ("quote", ("The index is old.",), [])


def test_without_an_endpoint_only_quotations_can_be_had(opened: Opening) -> None:
    tutor = opened().tutor(("The index is old.",))
    assert tutor.ask(QUESTION).notices == ("The index is old.", NO_LLM)
    assert tutor.ask("what is the capital of France").notices == ("The index is old.",)
    with pytest.raises(QuestionError, match="There is no model called 'tiny'"):
        tutor.reply(QUESTION, model="tiny")


def test_a_library_that_was_never_used_can_be_closed(opened: Opening) -> None:
    library = opened()
    library.close()
    assert not (library.settings.home / "cache").exists()
