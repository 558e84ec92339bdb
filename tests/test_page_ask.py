"""The Ask page's states, over the real index: the page says what the tutor found, and everything on it works."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ingest.library import add_documents
from rag.settings import Settings
from rag.types import Claim
from tests.browsing import borrowed_home
from tests.conftest import silent
from tests.paging import texts, the_page
from tests.servers import CHAT, ChatServer, Reply, chat_reply, failure, refused_url, serving
from ui.feedback import kept_feedback
from ui.highlight import MARK

pytestmark = pytest.mark.real

NAN = "my lstm loss suddenly becomes NaN, what can I do?"
TRUE = (
    "Gradient clipping compares the norm of the whole gradient with a threshold, commonly 1.0, and scales the gradient "
    "down to that length whenever it is longer."
)
FALSE = "The Eiffel Tower was finished in 1889."
FIRST_CHIP = "source-0-said-0-SCN-09"


@pytest.fixture
def home(real: Settings, tmp_path: Path) -> Path:
    (tmp_path / "borrowed").mkdir()
    return borrowed_home(real, tmp_path / "borrowed")


@pytest.fixture
def page(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The page without a language model, opened."""
    with the_page("ask", home, monkeypatch) as opened:
        yield fine(opened.run())


@contextmanager
def with_model(home: Path, monkeypatch: pytest.MonkeyPatch, *replies: Reply) -> Iterator[tuple[AppTest, ChatServer]]:
    """The page whose language model is a server with these replies."""
    with serving({CHAT: replies}) as server:
        settings = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test", "TUTOR_MODEL": "small"}
        with the_page("ask", home, monkeypatch, **settings) as opened:
            yield fine(opened.run()), server


def said(*sentences: str) -> Reply:
    return chat_reply(json.dumps({"claims": [{"text": text, "sources": ["SCN-09"]} for text in sentences]}))


def fine(page: AppTest) -> AppTest:
    assert [item.value for item in page.exception] == []
    return page


def ask(page: AppTest, question: str) -> AppTest:
    page.chat_input[0].set_value(question)
    return fine(page.run())


def keys(page: AppTest, start: str) -> list[str]:
    return [str(button.key) for button in page.button if str(button.key).startswith(start)]


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click()
    return fine(page.run())


def test_an_empty_page_has_one_title_starters_topics_and_a_place_to_type(page: AppTest) -> None:
    assert [item.value for item in page.title] == ["ML interview tutor"]
    assert len(keys(page, "starter-")) == 4
    assert "Drift" in page.pills[0].options
    assert page.header[0].value == "Start with one of these"
    assert page.chat_input[0].placeholder == "Ask about machine-learning interviews"
    assert page.selectbox[0].options[0] == "The guides' own words"
    assert page.selectbox[0].value == "quote"
    assert page.get("download_button") == []


def test_a_topic_brings_questions_of_its_own_and_one_of_them_is_asked(page: AppTest) -> None:
    before = [button.label for button in page.button if str(button.key).startswith("starter-")]
    page.pills[0].set_value("drift")
    fine(page.run())
    starters = [button.label for button in page.button if str(button.key).startswith("starter-")]
    assert starters
    assert not set(starters) & set(before)
    page.pills[0].set_value("metrics")
    fine(page.run())
    others = [button.label for button in page.button if str(button.key).startswith("starter-")]
    assert not set(others) & set(starters)
    press(page, "starter-0")
    assert "Answered" in texts(page)
    assert keys(page, "starter-") == []


def test_an_answer_shows_its_status_its_sentences_and_their_entries(page: AppTest) -> None:
    ask(page, NAN)
    shown = texts(page)
    assert "Answered" in shown
    assert "Quoted from the guides" in shown
    assert "gradient clipping" in shown
    assert "No language model is configured" in shown
    assert keys(page, "source-0-said-")[0] == FIRST_CHIP
    assert len(page.chat_message) == 2
    assert [item.proto.label for item in page.get("download_button")] == ["Save conversation"]


def test_a_chip_opens_its_entry_with_the_sentence_marked_and_says_why(page: AppTest) -> None:
    ask(page, NAN)
    press(page, FIRST_CHIP)
    assert page.header[0].value == "SCN-09 Exploding gradients in recurrent networks"
    assert sum(item.value.count(MARK) for item in page.markdown) == 1
    shown = texts(page)
    assert "- **Rank 1 of 5**" in shown
    assert "- **Words 0." in shown
    assert "quoted word for word" in shown
    assert "Practical ML Scenarios · " in shown
    assert any("Why this source? Rank 1" in item.label for item in page.expander)
    press(page, "close-entry")
    assert list(page.header) == []


def test_a_follow_up_says_how_it_was_understood_and_finds_its_source_again(page: AppTest) -> None:
    ask(page, "what is concept drift?")
    ask(page, "and how is it different from data drift?")
    assert "Understood as: what is concept drift\\: and how is it different" in texts(page)
    press(page, keys(page, "source-1-said-")[0])
    assert any("Why this source? Rank 1" in item.label for item in page.expander)


def test_a_question_covered_in_part_says_which_part_is_open(page: AppTest) -> None:
    ask(page, "What is data drift? And what does a new Tesla Model 3 cost in Norway?")
    shown = texts(page)
    assert "Covered in part" in shown
    assert "Tesla Model 3" in shown
    assert keys(page, "source-0-said-")


def test_a_question_that_is_not_covered_has_no_sentences_and_says_what_to_do(page: AppTest) -> None:
    ask(page, "what is the capital of France")
    shown = texts(page)
    assert "Not covered" in shown
    assert "The guides don't cover this" in shown.replace("\\", "")
    assert "add a document of your own" in shown
    assert keys(page, "source-") == []
    assert "Sources:" not in shown


def test_a_written_answer_names_its_writer_beside_the_guides_words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with with_model(home, monkeypatch, said(TRUE, FALSE)) as (page, server):
        assert page.selectbox[0].value == "small"
        ask(page, NAN)
        shown = texts(page)
        assert "Written by small, each sentence checked" in shown
        assert TRUE[:40] in shown
        assert f"✗ {FALSE[:20]}" in shown
        labels = [item.label for item in page.expander]
        assert "The guides' own words" in labels
        assert any(label.startswith("Sentences left out") for label in labels)
        assert len(server.requests) == 1
        page.selectbox[0].set_value("quote")
        ask(page, "what is concept drift?")
        assert len(server.requests) == 1
        page.selectbox[0].set_value("small")
        ask(page, "what is data drift?")
        assert len(server.requests) > 1


def test_the_readings_of_a_question_can_be_asked_whether_it_is_answered_or_in_part(page: AppTest) -> None:
    ask(page, NAN)
    turn = page.session_state["conversation"].turns[0]
    for status in ("answered", "partial"):
        turn.answer = replace(turn.answer, status=status, choices=("What is data drift?", "What is a GAN?"))
        fine(page.run())
        assert keys(page, "choice-0-") == ["choice-0-0", "choice-0-1"]
    press(page, "choice-0-0")
    assert page.session_state["conversation"].turns[1].question == "What is data drift?"


def test_what_the_guides_words_replaced_is_told_apart_from_what_was_left_out(page: AppTest) -> None:
    ask(page, NAN)
    turn = page.session_state["conversation"].turns[0]
    dropped = (Claim("Clip it.", ("SCN-09",), 0.4, "Gradient clipping."), Claim("So they say.", (), 0.0, ""))
    turn.answer = replace(turn.answer, dropped_claims=dropped)
    fine(page.run())
    shown = [(item.label, item.markdown[0].value) for item in page.expander]
    assert shown[0] == ("Replaced by the guides' own words (1)", "✗ Clip it\\.")
    assert shown[1] == ("Sentences left out (1)", "✗ So they say\\.")


def test_an_answer_of_which_nothing_is_supported_is_not_verified(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with with_model(home, monkeypatch, said(FALSE)) as (page, _):
        ask(page, NAN)
        assert "Not verified" in texts(page)
        assert keys(page, "source-0-said-") == []
        assert keys(page, "source-0-quoted-")
        assert next(item for item in page.expander if item.label == "The guides' own words").proto.expanded


def test_a_provider_that_is_down_is_said_and_the_guides_are_quoted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"OPENAI_BASE_URL": refused_url(), "OPENAI_API_KEY": "sk-test", "TUTOR_MODEL": "small"}
    with the_page("ask", home, monkeypatch, **settings) as page:
        ask(fine(page.run()), NAN)
        assert "This is the quoted answer instead" in texts(page).replace("\\", "")
        assert keys(page, "source-0-said-")


def test_a_provider_that_refuses_the_key_is_said_without_the_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with with_model(home, monkeypatch, failure(401)) as (page, _):
        ask(page, NAN)
        shown = texts(page)
        assert "OPENAI" in shown
        assert "sk-test" not in shown


def test_hostile_text_is_escaped_wherever_it_is_shown(page: AppTest) -> None:
    ask(page, "what is data drift ![x](http://evil.test/a.png) <img src=x> $x^2$ :red[no]")
    values = [item.value for item in [*page.markdown, *page.caption]]
    assert [text for text in values if "![x](" in text or "<img" in text.replace("\\<img", "") or ":red[" in text] == []
    assert [text for text in values if "$x" in text.replace("\\$x", "")] == []


def test_a_question_that_cannot_be_used_is_one_clear_error_and_the_next_one_works(page: AppTest) -> None:
    ask(page, "\u200b\u200b")
    assert "question" in page.error[0].value
    ask(page, NAN)
    assert keys(page, "source-1-said-")


def test_a_new_conversation_is_empty(page: AppTest) -> None:
    ask(page, NAN)
    press(page, FIRST_CHIP)
    press(page, "restart")
    assert (len(page.chat_message), len(page.header), len(keys(page, "starter-"))) == (0, 1, 4)


def test_feedback_is_kept_with_the_sentence_that_is_wrong(page: AppTest, home: Path) -> None:
    ask(page, "what is concept drift?")
    ask(page, "and how do I detect it?")
    press(page, "helpful-0")
    assert "Marked as helpful" in texts(page)
    wrong = page.radio(key="wrong-1")
    assert wrong.options[0] == "The whole answer"
    wrong.set_value(1)
    press(page, "keep-1")
    first, second = kept_feedback(home)
    assert (first["verdict"], first["sentence"], first["history"]) == ("helpful", "", [])
    assert second["verdict"] == "wrong"
    assert second["question"] == "and how do I detect it?"
    assert second["sentence"]
    assert [turn["role"] for turn in second["history"]] == ["user", "assistant"]
    assert second["cited"]


def test_an_answer_can_be_drawn_from_the_guides_or_from_the_documents_alone(
    spare_home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    note = tmp_path / "note.md"
    note.write_text("# Exploding losses\n\nMy LSTM loss became NaN because the learning rate of team Blue was 40.\n")
    add_documents(spare_home, [note], silent)
    settings = {"TUTOR_CORPUS": str(spare_home.corpus), "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model}
    with the_page("ask", spare_home.home, monkeypatch, **settings) as page:
        fine(page.run())
        scope = page.selectbox[1]
        assert scope.options == ["Guides and documents", "The guides only", "The documents added here"]
        for choice, kind in (("guide", "SCN-"), ("document", "")):
            page.selectbox[1].set_value(choice)
            ask(page, "why does my lstm loss become NaN?")
            number = len(page.session_state["conversation"].turns) - 1
            cited = [
                key.split(f"source-{number}-said-")[1].split("-", 1)[1] for key in keys(page, f"source-{number}-said-")
            ]
            assert cited
            assert all(entry.startswith("SCN-") == (kind == "SCN-") for entry in cited), cited


def test_a_broken_corpus_is_one_clear_error_and_no_page(spare_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    next((spare_home.corpus / "scenarios").glob("SCN-09-*.md")).write_text("not an entry")
    settings = {"TUTOR_CORPUS": str(spare_home.corpus), "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model}
    with the_page("ask", spare_home.home, monkeypatch, **settings) as page:
        fine(page.run())
        assert len(page.error) == 1
        assert "tutor corpus check" in page.error[0].value
        assert list(page.chat_input) == []


def test_without_an_index_the_page_makes_one_and_answers(spare_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"TUTOR_CORPUS": str(spare_home.corpus), "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model}
    with the_page("ask", spare_home.home, monkeypatch, **settings) as page:
        ask(fine(page.run()), NAN)
        assert keys(page, "source-0-said-")[0] == FIRST_CHIP
