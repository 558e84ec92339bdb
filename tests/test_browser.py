"""The web page in a real browser: Debian's Chromium, headless, driven by Playwright."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from rag.settings import PROJECT, Settings
from ui.upkeep import free_port

pytestmark = [pytest.mark.real, pytest.mark.browser]

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = PROJECT / ".cache" / "screenshots"


@pytest.fixture(scope="module")
def address(real: Settings) -> Iterator[str]:
    """The app as `tutor ui` starts it; yields the address it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TUTOR_", "OPENAI_"))}
    environment |= {"TUTOR_HOME": str(real.home), "TUTOR_PORT": "0", "PYTHONUNBUFFERED": "1"}
    call = [sys.executable, "-m", "ui.cli", "ui"]
    with subprocess.Popen(call, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            printed = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", printed)
            assert found, printed
            while "URL" not in printed:
                printed = server.stdout.readline()
                assert printed, "the server stopped"
            yield found.group()
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                # Streamlit sometimes waits for a browser that is gone.
                server.kill()


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("No Chromium found: install it (Debian: apt-get install chromium) and run this again.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(30_000)
        opened.goto(address)
        opened.get_by_test_id("stChatInputTextArea").wait_for()
        yield opened
        browser.close()


def ask(page: Page, question: str) -> None:
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(question)
    box.press("Enter")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def test_a_question_is_answered_with_ids_that_open_their_entry(page: Page, address: str) -> None:
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(address) else None)
    ask(page, "my lstm loss suddenly becomes NaN, what can I do?")
    chip = page.get_by_role("button", name="SCN-09").first
    chip.wait_for()
    expect(page.get_by_text("the standard cure is gradient clipping", exact=False).first).to_be_visible()
    expect(page.get_by_text("No language model is configured", exact=False)).to_be_visible()
    chip.click()
    expect(page.get_by_role("heading", name="SCN-09 Exploding gradients in recurrent networks")).to_be_visible()
    expect(page.get_by_role("heading", name="Trade-offs")).to_be_attached()
    picture(page, "ask-wide")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Trade-offs")).to_have_count(0)
    assert [url for url in foreign if not url.startswith(("ws:", "data:", "blob:"))] == []


def test_the_history_stays_and_a_follow_up_says_how_it_was_understood(page: Page) -> None:
    ask(page, "what is concept drift?")
    page.get_by_text("Sources:").first.wait_for()
    ask(page, "and how is it different from data drift?")
    expect(page.get_by_text("Understood as: what is concept drift: and how is it different")).to_be_visible()
    expect(page.get_by_test_id("stChatMessage")).to_have_count(4)


def test_a_refusal_shows_no_sources(page: Page) -> None:
    ask(page, "what is the capital of France")
    expect(page.get_by_text("The guides don't cover this.", exact=False)).to_be_visible()
    expect(page.get_by_text("Sources:")).to_have_count(0)


def test_a_hostile_question_shows_as_text_and_fetches_nothing(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    ask(page, "what is data drift ![x](http://evil.example/a.png) <img src=http://evil.example/b.png> $x^2$ :red[no]")
    page.get_by_text("Sources:").first.wait_for()
    expect(page.get_by_text("![x](http://evil.example/a.png)", exact=False).first).to_be_visible()
    expect(page.get_by_text("$x^2$ :red[no]", exact=False).first).to_be_visible()
    assert [url for url in asked if "evil" in url] == []


def test_a_narrow_page_can_be_used(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    ask(page, "when is PR-AUC better than ROC-AUC?")
    page.get_by_role("button", name="QNA-07").first.click()
    expect(page.get_by_role("heading", name=re.compile("^QNA-07"))).to_be_visible()
    picture(page, "ask-narrow")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


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
