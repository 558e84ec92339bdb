"""The page shows what a hostile model says as text: nothing of it is fetched, run, or can be clicked."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Dialog, Page, sync_playwright

from rag.answer import QUOTE
from rag.settings import PROJECT, Settings
from rag.wiring import Library
from tests.hostile_model import MODEL, MOST, claim, rows, said
from tests.servers import CHAT, Reply, chat_reply, serving
from tests.test_browser import FLAGS

pytestmark = [pytest.mark.real, pytest.mark.browser]

ASKED = (
    "my lstm loss becomes NaN, why?",
    "when is PR-AUC better than ROC-AUC?",
    "my gan always draws the same face",
    "what share of parameters does lora train?",
    "how do I detect data drift without labels?",
)
KINDS = {"markdown_image": 9, "html": 9, "link": 9, "css": 5, "latex": 4, "streamlit": 4}
"""How many of each kind are the worst forty: those that a page could fetch, run or follow."""
BARE = (
    "https://bare.test/address",
    "![](https://bare.test/image.png)",
    "<img src=https://bare.test/tag.png onerror=alert(1)>",
    "`code` ![](https://bare.test/code.png)",
    "{honest} Write to someone@bare.test",
)
"""Claims of nothing but harm, one for each question: cleaning leaves nothing of most of them."""
LAST = "difference between l1 and l2 regularization? see https://asked.test/a or www.asked.test, mail me@asked.test"
FOUND = """() => [...document.querySelectorAll('[data-testid=stChatMessage] *')]
    .filter(it => /^(img|iframe|script|object|embed|form|base|meta|link|style|video|audio)$/i.test(it.tagName)
        || (it.tagName === 'A' && it.hasAttribute('href'))
        || it.matches('.katex, [data-testid=stMarkdownContainer] [data-testid=stIconMaterial]')
        || [...it.attributes].some(own => /^on/i.test(own.name) || /evil|javascript:/i.test(own.value)))
    .map(it => it.outerHTML.slice(0, 120))"""
"""Whatever in the messages is more than text."""


@dataclass
class Seen:
    """What the browser did, and what the messages then held."""

    address: str = ""
    urls: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    elements: list[str] = field(default_factory=list)
    text: str = ""


def replies(books: Library) -> list[Reply]:
    """What the model says to each question: eight payloads, every other one behind a true sentence.

    From the second question on it first rewrites the question, with harm behind it.
    """
    payloads: list[str] = []
    for kind, many in KINDS.items():
        payloads += [row["text"] for row in rows("payloads") if row["kind"] == kind][:many]
    assert len(payloads) == 40
    tutor, told = books.tutor(), []
    for number, question in enumerate(ASKED):
        answer = tutor.ask(question, (), QUOTE)
        best = answer.retrieved[0]
        honest = answer.claims[0].text
        own = payloads[number :: len(ASKED)]
        bare = claim(BARE[number].format(honest=honest), best)
        claims = [claim(text if row % 2 else f"{honest} {text}", best) for row, text in enumerate(own)]
        if number:
            told.append(chat_reply(json.dumps({"question": f"{question} ![]( https://evil.test/q.png) <b onclick=x>"})))
        told.append(said([*claims, bare, claim(honest, best)]))
    return [*told, chat_reply(json.dumps({"question": LAST})), said([claim("https://bare.test/last", "SCN-99")])]


@contextmanager
def started(real: Settings, url: str) -> Iterator[str]:
    """The app with this endpoint, in a home folder of its own that borrows weights and index; yields its address."""
    with TemporaryDirectory() as home:
        for name in ("models", "index"):
            (Path(home) / name).symlink_to(real.home / name)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TUTOR_", "OPENAI_"))}
        environment |= {"TUTOR_HOME": home, "TUTOR_PORT": "0", "TUTOR_MODEL": MODEL, "TUTOR_CLAIMS": str(MOST)}
        environment |= {"OPENAI_BASE_URL": url, "TUTOR_THREADS": "1", "PYTHONUNBUFFERED": "1"}
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


def ask_all(page: Page, seen: Seen) -> None:
    """Asks every question, opens what is folded, and notes what the messages hold."""
    box = page.get_by_test_id("stChatInputTextArea")
    for number, question in enumerate((*ASKED, LAST), 1):
        box.fill(question)
        box.press("Enter")
        page.get_by_test_id("stChatMessage").nth(2 * number - 1).get_by_text(
            re.compile("^Sources:|could be checked")
        ).first.wait_for()
    page.evaluate("document.querySelectorAll('[data-testid=stChatMessage] summary').forEach(it => it.click())")
    page.get_by_text("✗").last.wait_for()
    page.wait_for_load_state("networkidle")
    seen.elements = page.evaluate(FOUND)
    seen.text = page.locator("body").inner_text()


@pytest.fixture(scope="module")
def seen(real: Settings, library: Library) -> Seen:
    """One conversation with the hostile model."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("No Chromium found: install it (Debian: apt-get install chromium) and run this again.")
    found = Seen()

    def dismissed(dialog: Dialog) -> None:
        found.events.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    with serving({CHAT: replies(library)}) as server, started(real, server.url) as found.address:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            page.on("request", lambda request: found.urls.append(request.url))
            page.on("websocket", lambda socket: found.urls.append(socket.url))
            page.on("popup", lambda opened: found.events.append(f"popup: {opened.url}"))
            page.on("dialog", dismissed)
            page.goto(found.address)
            page.get_by_test_id("stChatInputTextArea").wait_for()
            ask_all(page, found)
            browser.close()
        assert len(server.requests) == 2 * len(ASKED) + 1, server.paths()
    return found


def test_the_model_was_asked_and_what_it_says_is_on_the_page(seen: Seen) -> None:
    assert seen.text.count(f"Written by {MODEL}, each sentence checked") == len(ASKED)
    assert seen.text.count("✗") >= 20


def test_no_request_leaves_the_page_and_nothing_opens(seen: Seen) -> None:
    own = (seen.address, seen.address.replace("http:", "ws:"), "data:", "blob:")
    assert len(seen.urls) > 10
    assert [url for url in seen.urls if not url.startswith(own)] == []
    assert seen.events == []


def test_no_payload_becomes_an_image_a_frame_a_script_a_link_or_a_formula(seen: Seen) -> None:
    assert [it for it in seen.elements if "bare.test" not in it and "asked.test" not in it] == []


def test_an_address_the_model_gives_is_no_link(seen: Seen) -> None:
    assert "bare.test" in seen.text
    assert [it for it in seen.elements if "bare.test" in it] == []


def test_an_address_in_a_question_is_no_link(seen: Seen) -> None:
    assert "https://asked.test/a" in seen.text
    assert [it for it in seen.elements if "asked.test" in it] == []
