"""The Ask page in a real browser: Debian's Chromium, headless, driven by Playwright."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Page, expect

from rag.settings import PROJECT, Settings
from rag.wiring import Library
from tests.browsing import (
    NARROW,
    WIDE,
    app_running,
    axe,
    borrowed_home,
    browser_page,
    browser_running,
    foreign_requests,
    open_page,
    picture,
    settled,
)
from tests.servers import CHAT, HANG, Reply, chat_reply, delta, head, playing, refused_url, serving
from ui.feedback import kept_feedback
from ui.upkeep import free_port

pytestmark = [pytest.mark.real, pytest.mark.browser]

NAN = "my lstm loss suddenly becomes NaN, what can I do?"
TRUE = (
    "Gradient clipping compares the norm of the whole gradient with a threshold, commonly 1.0, and scales the gradient "
    "down to that length whenever it is longer."
)
MARKED = ".st-key-entry .stMarkdownColoredBackground"


@pytest.fixture(scope="module")
def home(real: Settings) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield borrowed_home(real, Path(folder))


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with app_running(home) as found:
        yield found


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    with browser_page(address) as opened:
        opened.get_by_test_id("stChatInputTextArea").wait_for()
        yield opened


def ask(page: Page, question: str) -> None:
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(question)
    box.press("Enter")


def answered(page: Page, question: str) -> None:
    """Asks and waits for the whole answer with its buttons."""
    many = page.get_by_role("button", name="Copy", exact=True).count()
    ask(page, question)
    page.get_by_role("button", name="Copy", exact=True).nth(many).wait_for()
    settled(page)


def headings(page: Page) -> list[int]:
    """The levels of the headings in their order."""
    found: list[int] = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(it => Number(it.tagName[1]))")
    return found


def test_what_the_first_load_of_a_page_fetches_from_elsewhere_is_noticed() -> None:
    elsewhere = f"{refused_url()}/far.png"
    drawn = Reply(f"<h1>Page</h1><img src='{elsewhere}'><img src='near.png'>".encode(), kind="text/html")
    with serving({"/": [drawn]}) as server, browser_page(f"http://{server.host}") as page:
        page.wait_for_load_state("networkidle")
        assert server.paths().count("/near.png") == 1
        assert foreign_requests(page, f"http://{server.host}") == [elsewhere]


def test_a_question_is_answered_with_ids_that_open_their_entry_at_the_sentence(page: Page, address: str) -> None:
    foreign = foreign_requests(page, address)
    answered(page, NAN)
    expect(page.get_by_text("the standard cure is gradient clipping", exact=False).first).to_be_visible()
    expect(page.get_by_text("No language model is configured", exact=False)).to_be_visible()
    page.get_by_role("button", name="SCN-09").nth(1).click()
    heading = page.get_by_role("heading", name="SCN-09 Exploding gradients in recurrent networks")
    expect(heading).to_be_visible()
    expect(heading).to_be_focused()
    expect(page.locator(MARKED)).to_have_count(1)
    expect(page.locator(MARKED)).to_be_in_viewport()
    expect(page.get_by_role("button", name="Close")).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("Why this source?")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("heading", name="Trade-offs")).to_be_attached()
    picture(page, "ask-wide")
    page.get_by_text("Why this source?").click()
    expect(page.get_by_text("Rank 1 of 5")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Trade-offs")).to_have_count(0)
    expect(page.get_by_role("button", name="SCN-09").nth(1)).to_be_focused()
    assert foreign == []


def test_everything_works_from_the_keyboard(page: Page) -> None:
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_focused()
    page.keyboard.type("what is concept drift?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copy", exact=True).wait_for()
    settled(page)
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if re.match(r"^[A-Z]{3}-\d+$", page.evaluate("document.activeElement.innerText")):
            break
    page.keyboard.press("Enter")
    expect(page.locator(MARKED)).to_have_count(1)


def test_the_history_stays_and_a_follow_up_says_how_it_was_understood(page: Page) -> None:
    answered(page, "what is concept drift?")
    answered(page, "and how is it different from data drift?")
    expect(page.get_by_text("Understood as: what is concept drift: and how is it different")).to_be_visible()
    expect(page.get_by_test_id("stChatMessage")).to_have_count(4)


def test_a_refusal_shows_no_sources(page: Page) -> None:
    answered(page, "what is the capital of France")
    expect(page.get_by_text("The guides don't cover this.", exact=False)).to_be_visible()
    expect(page.get_by_text("Sources:")).to_have_count(0)


def test_a_hostile_question_shows_as_text_and_fetches_nothing(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answered(
        page, "what is data drift ![x](http://evil.example/a.png) <img src=http://evil.example/b.png> $x^2$ :red[no]"
    )
    expect(page.get_by_text("$x^2$ :red[no]", exact=False).first).to_be_visible()
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("![x](http://evil.example/a.png)")
    assert page.get_by_test_id("stChatMessage").locator("a, img[src*=evil]").count() == 0
    assert [url for url in asked if "evil" in url] == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_question_box_stays_at_the_lower_edge_of_the_window(address: str, width: int) -> None:
    with browser_page(address, width=width) as page:
        for question in (NAN, "what is concept drift?"):
            answered(page, question)
            expect(page.get_by_test_id("stChatInputTextArea")).to_be_in_viewport(ratio=1)
        page.get_by_test_id("stMain").evaluate("it => it.scrollTo(0, 100)")
        box = page.get_by_test_id("stChatInputTextArea").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900
        # Nothing shows through it.
        assert (
            page.locator(".st-key-bar").evaluate("it => getComputedStyle(it).backgroundColor") == "rgb(255, 255, 255)"
        )


def test_a_narrow_page_can_be_used(address: str) -> None:
    with browser_page(address, width=NARROW) as page:
        topics = page.get_by_test_id("stButtonGroup").locator("button")
        topics.first.wait_for()
        assert len({round(it["y"]) for topic in topics.all() if (it := topic.bounding_box())}) == 1
        expect(topics.first).to_have_text("Metrics")
        picture(page, "ask-empty-narrow")
        answered(page, "when is PR-AUC better than ROC-AUC?")
        page.get_by_role("button", name="QNA-07").first.click()
        expect(page.get_by_role("heading", name=re.compile("^QNA-07"))).to_be_visible()
        expect(page.locator(MARKED)).to_be_in_viewport()
        expect(page.get_by_role("button", name="Close")).to_be_in_viewport(ratio=1)
        picture(page, "ask-narrow")
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("button", name="QNA-07").first).to_be_focused()
        expect(page.get_by_role("button", name="QNA-07").first).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_feedback_is_kept_on_this_machine_with_the_sentence(page: Page, home: Path) -> None:
    answered(page, NAN)
    page.get_by_role("button", name="Something is wrong").click()
    page.get_by_role("radio").nth(1).check(force=True)
    page.get_by_role("button", name="Save feedback").click()
    expect(page.get_by_text("Marked as wrong", exact=False)).to_be_visible()
    kept = kept_feedback(home)[-1]
    assert (kept["question"], kept["verdict"], kept["cited"][0]) == (NAN, "wrong", "SCN-09")
    assert "gradient clipping" in kept["sentence"]


def test_a_conversation_is_saved_as_markdown(page: Page) -> None:
    answered(page, NAN)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save conversation").click()
    assert waiting.value.suggested_filename.endswith(".md")
    text = Path(waiting.value.path()).read_text("utf-8")
    assert f"## {NAN}" in text
    assert "[SCN-09]" in text


def test_an_answer_is_copied_with_its_citations(page: Page) -> None:
    answered(page, NAN)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "[SCN-09]" in copied
    assert "Sources" in copied


def test_a_model_that_never_ends_is_stopped_and_what_was_checked_stays(real: Settings) -> None:
    claim = f'{{"text": "{TRUE}", "sources": ["SCN-09"]}}'
    begun = f'{{"claims": [{claim}, {claim}, '
    with TemporaryDirectory() as folder, playing([head(), delta(role="assistant"), delta(begun), HANG]) as server:
        settings = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test", "TUTOR_MODEL": "small"}
        with app_running(borrowed_home(real, Path(folder)), **settings) as address, browser_page(address) as page:
            ask(page, NAN)
            expect(page.get_by_text("Quoted from the guides")).to_be_visible()
            expect(page.get_by_text(TRUE[:40], exact=False)).to_be_visible()
            picture(page, "ask-writing")
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_text("You stopped this answer", exact=False)).to_be_visible()
            expect(page.get_by_role("button", name="SCN-09").first).to_be_visible()
            expect(page.get_by_text(TRUE[:40], exact=False)).to_have_count(1)
            expect(page.get_by_text("Quoted from the guides")).to_have_count(0)


def test_of_an_answer_that_fails_its_check_nothing_stays_behind(real: Settings) -> None:
    said = chat_reply('{"claims": [{"text": "The Eiffel Tower was finished in 1889.", "sources": ["SCN-09"]}]}')
    with TemporaryDirectory() as folder, serving({CHAT: [said]}) as server:
        settings = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test", "TUTOR_MODEL": "small"}
        with app_running(borrowed_home(real, Path(folder)), **settings) as address, browser_page(address) as page:
            answered(page, NAN)
            expect(page.get_by_text("Not verified")).to_be_visible()
            expect(page.get_by_text("Occasional NaN losses", exact=False)).to_have_count(1)
            expect(page.get_by_text("Look at the batch", exact=False)).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_from_using_the_page(address: str, scheme: str) -> None:
    with browser_page(address, scheme="dark" if scheme == "dark" else "light") as page:
        settled(page)
        assert axe(page) == []
        assert headings(page) == [1, 2]
        answered(page, NAN)
        answered(page, "what is the capital of France")
        page.get_by_role("button", name="SCN-09").first.click()
        expect(page.locator(MARKED)).to_have_count(1)
        settled(page)
        assert axe(page) == []
        page.get_by_role("button", name="Something is wrong").first.click()
        page.get_by_role("radio").first.wait_for()
        assert axe(page) == []
        levels = headings(page)
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels)), levels


def test_ten_sessions_asking_at_once_each_get_their_own_answer(address: str, library: Library) -> None:
    entries = library.store.entries()[:: len(library.store.entries()) // 10][:10]
    with browser_running() as browser:
        pages = [open_page(browser, address) for _ in entries]
        for page, entry in zip(pages, entries, strict=True):
            ask(page, entry.question)
        for page, entry in zip(pages, entries, strict=True):
            page.get_by_role("button", name="Copy", exact=True).wait_for()
            expect(page.get_by_role("button", name=entry.id, exact=True).first).to_be_visible()
            expect(page.get_by_test_id("stChatMessage")).to_have_count(2)
            expect(page.get_by_test_id("stChatMessage").first).to_have_text(re.compile(re.escape(entry.question)))


def test_a_port_in_use_is_one_clear_line(real: Settings, address: str) -> None:
    port = address.rsplit(":", 1)[1]
    environment = {**os.environ, "TUTOR_HOME": str(real.home), "TUTOR_PORT": port}
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "ui"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "TUTOR_PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert free_port("127.0.0.1", 0) > 0
