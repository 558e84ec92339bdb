"""The retrieval lab's states, run by Streamlit itself over the real index."""

import html
import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from rag.errors import IndexUnavailable
from rag.settings import PROJECT, Settings
from rag.wiring import Library
from tests.browser_fixtures import in_order
from tests.browsing import borrowed_home
from tests.paging import levels, texts, the_page
from tests.run_files import HOSTILE
from tests.servers import CHAT, chat_reply, refused_url, serving
from ui.state import WRITER

PAGE = str(PROJECT / "ui" / "views" / "lab.py")

pytestmark = pytest.mark.real


@pytest.fixture
def opened(library: Library, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page over the real library, drawn once."""
    monkeypatch.setattr("ui.panels.library", lambda report: (library, ()))
    return drawn(AppTest.from_file(PAGE, default_timeout=60).run())


def drawn(page: AppTest) -> AppTest:
    assert [item.value for item in page.exception] == []
    return page


def tables(page: AppTest) -> str:
    """The HTML of all tables."""
    return "\n".join(item.proto.body for item in page.get("html"))


def follow(page: AppTest, question: str, before: str = "") -> AppTest:
    page.text_input(key="lab-question").input(question)
    page.text_input(key="lab-before").input(before)
    submit = next(button for button in page.button if button.label == "Follow it")
    return drawn(submit.click().run())


def headers(page: AppTest) -> list[str]:
    return [item.value for item in page.header]


def test_without_an_index_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(report: Any) -> Any:
        raise IndexUnavailable("There is no index.", "Run `tutor index`.")

    monkeypatch.setattr("ui.panels.library", missing)
    page = drawn(AppTest.from_file(PAGE).run())
    assert [item.value for item in page.error] == ["There is no index\\. Run `tutor index`\\."]
    assert not page.text_input


def test_an_empty_page_offers_examples_and_says_what_to_do(opened: AppTest) -> None:
    assert [item.value for item in opened.title] == ["Retrieval lab"]
    assert "Typing mistakes" in [button.label for button in opened.button]
    assert [item.label for item in opened.text_input] == ["Question", "Question before it (optional)"]
    assert len(opened.info) == 1
    assert headers(opened) == []


def test_a_question_is_shown_stage_by_stage(opened: AppTest) -> None:
    page = follow(opened, "why does my lstm los becom nan durng trainig?")
    assert [text.split(". ")[0] for text in headers(page)] == ["1", "2", "3", "4", "5", "6", "7"]
    shown = tables(page)
    for name in ("By meaning", "By words", "Both as one", "Looked at again"):
        assert f">{name}</h3>" in shown
    assert "<del>durng</del> <ins><strong>during</strong></ins>" in shown
    assert "Exploding gradients in recurrent networks</div>" in shown
    assert "Likeness to questions the guides answer" in shown
    assert "Turning the question into numbers" in shown
    (chart,) = page.get("arrow_vega_lite_chart") or page.get("vega_lite_chart")
    assert "SCN-09: by meaning" in str(chart.proto)
    assert not page.error
    assert in_order(levels(page)), levels(page)


def written(real: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> AppTest:
    """The lab's page for one question that the language model at an address writes the answer of."""
    values = {"OPENAI_BASE_URL": address, "OPENAI_API_KEY": "sk-test", "TUTOR_MODEL": "small"}
    with the_page("lab", borrowed_home(real, folder), monkeypatch, **values) as page:
        drawn(page.run())
        page.selectbox(key=WRITER).set_value("small")
        return follow(page, "why does my lstm loss become NaN?")


def test_an_answer_of_which_nothing_is_supported_is_shown_as_left_out(
    real: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    false = {"claims": [{"text": "The Eiffel Tower was finished in 1889.", "sources": ["SCN-09"]}]}
    with serving({CHAT: (chat_reply(json.dumps(false)),)}) as server:
        page = written(real, tmp_path, monkeypatch, server.url)
    assert len(page.warning) == 1
    assert "Sentences that no source supports" in [item.value for item in page.subheader]
    assert "The Eiffel Tower was finished in 1889." in tables(page)
    assert 'aria-label="Sentences of the answer"' not in tables(page)
    assert in_order(levels(page)), levels(page)


def test_a_provider_that_is_down_is_said_and_the_guides_are_quoted(
    real: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = written(real, tmp_path, monkeypatch, refused_url())
    noted = [item.value for item in page.caption if item.value.startswith("Note: ")]
    assert any("This is the quoted answer instead" in note.replace("\\", "") for note in noted), noted
    assert 'aria-label="Sentences of the answer"' in tables(page)
    assert "sk-test" not in texts(page)


def test_the_parts_of_any_found_entry_s_score_can_be_seen(opened: AppTest) -> None:
    page = follow(opened, "why does my lstm loss become NaN?")
    chosen = next(item for item in page.selectbox if item.label == "Parts of one entry's score")
    assert chosen.options[0].startswith("SCN-09 ")
    page = drawn(chosen.select_index(3).run())
    other = chosen.options[3].split(" ")[0]
    assert f'aria-label="Scores of {other}"' in tables(page)
    assert "Mean cosines of its nearest" in tables(page)


def test_a_follow_up_shows_what_it_was_joined_with(opened: AppTest) -> None:
    button = next(button for button in opened.button if button.label == "A follow-up")
    page = drawn(button.click().run())
    assert page.text_input(key="lab-before").value == "what is concept drift?"
    said = "\n".join(item.value for item in page.markdown)
    assert "Understood as: **what is concept drift\\: and how is it different from data drift\\?**" in said
    assert "Searched by meaning, their vectors added up:" in said


def test_the_parts_of_a_question_can_be_chosen(opened: AppTest) -> None:
    page = follow(opened, "What is dropout, and who won the world cup in 1998?")
    part = next(item for item in page.selectbox if item.label == "Show the search of")
    assert part.options[0] == "The whole question"
    page = drawn(part.select_index(2).run())
    assert any("is **refused**" in item.value for item in page.markdown)
    assert any(item.value.startswith("Left open: ") for item in page.markdown)
    # Another question has other parts, or none: the choice is not carried over.
    page = follow(page, "what is data drift?")
    assert "Show the search of" not in [item.label for item in page.selectbox]


def test_a_refusal_sends_nothing(opened: AppTest) -> None:
    page = follow(opened, "what is the capital of France")
    assert any("Nothing was sent" in item.value for item in page.info)
    assert [item.value for item in page.warning] == ["The guides don\\'t cover this\\."]
    assert any("is **refused**" in item.value for item in page.markdown)


@pytest.mark.parametrize("question", ["", "?", "x" * 3000, "what\x07is drift"])
def test_what_cannot_be_asked_is_one_clear_line(opened: AppTest, question: str) -> None:
    page = follow(follow(opened, "what is data drift?"), question)
    assert len(page.error) == 1
    assert headers(page) == []


def test_hostile_text_stays_text(opened: AppTest) -> None:
    page = follow(opened, f"what is data drift {HOSTILE}", f"what is dropout {HOSTILE}")
    shown = tables(page)
    assert html.escape("<img src=x onerror=alert(1)>", quote=False) in shown
    assert "<img" not in shown
    for item in [*page.markdown, *page.caption]:
        assert "![x](" not in item.value
        assert "<img" not in item.value.replace("\\<img", "")
