"""The page shows what a hostile model says as text: nothing of it is fetched, run, or can be clicked."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Dialog, Page

from rag.answer import QUOTE
from rag.settings import Settings
from rag.wiring import Library
from tests.browsing import app_running, borrowed_home, browser_running, settled
from tests.hostile_model import MODEL, MOST, claim, rows, said
from tests.servers import CHAT, Reply, chat_reply, serving

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
BATCH, BATCHES = 40, 4
"""Payloads of one conversation, and conversations that all of them take."""
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


def payloads(batch: int) -> list[str]:
    """Forty payloads: the worst ones first, then all the others."""
    worst: list[str] = []
    for kind, many in KINDS.items():
        worst += [row["text"] for row in rows("payloads") if row["kind"] == kind][:many]
    assert len(worst) == BATCH
    others = [row["text"] for row in rows("payloads") if row["text"] not in worst]
    return [*worst, *others][batch * BATCH : (batch + 1) * BATCH]


def replies(books: Library, batch: int) -> list[Reply]:
    """What the model says to each question: eight payloads, every other one behind a true sentence.

    From the second question on it first rewrites the question, with harm behind it.
    """
    own_payloads = payloads(batch)
    tutor, told = books.tutor(), []
    for number, question in enumerate(ASKED):
        answer = tutor.ask(question, (), QUOTE)
        best = answer.retrieved[0]
        honest = answer.claims[0].text
        own = own_payloads[number :: len(ASKED)]
        bare = claim(BARE[number].format(honest=honest), best)
        claims = [claim(text if row % 2 else f"{honest} {text}", best) for row, text in enumerate(own)]
        if number:
            told.append(chat_reply(json.dumps({"question": f"{question} ![]( https://evil.test/q.png) <b onclick=x>"})))
        told.append(said([*claims, bare, claim(honest, best)]))
    return [*told, chat_reply(json.dumps({"question": LAST})), said([claim("https://bare.test/last", "SCN-99")])]


def ask_all(page: Page, seen: Seen) -> None:
    """Asks every question, opens what is folded, and notes what the messages hold."""
    box = page.get_by_test_id("stChatInputTextArea")
    for number, question in enumerate((*ASKED, LAST)):
        box.fill(question)
        box.press("Enter")
        page.get_by_role("button", name="Copy", exact=True).nth(number).wait_for()
        settled(page)
    page.evaluate("document.querySelectorAll('[data-testid=stChatMessage] summary').forEach(it => it.click())")
    page.get_by_text("✗").last.wait_for()
    page.wait_for_load_state("networkidle")
    seen.elements = page.evaluate(FOUND)
    seen.text = page.locator("body").inner_text()


@pytest.fixture(scope="module", params=[0, *(pytest.param(row, marks=pytest.mark.slow) for row in range(1, BATCHES))])
def seen(real: Settings, library: Library, request: pytest.FixtureRequest) -> Seen:
    """One conversation with the hostile model; the slow ones have the rest of what it can say."""
    found = Seen()

    def dismissed(dialog: Dialog) -> None:
        found.events.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    settings = {"TUTOR_MODEL": MODEL, "TUTOR_CLAIMS": str(MOST), "TUTOR_THREADS": "1"}
    with serving({CHAT: replies(library, request.param)}) as server, TemporaryDirectory() as folder:
        home = borrowed_home(real, Path(folder))
        with app_running(home, OPENAI_BASE_URL=server.url, **settings) as found.address, browser_running() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            page.on("request", lambda request: found.urls.append(request.url))
            page.on("websocket", lambda socket: found.urls.append(socket.url))
            page.on("popup", lambda opened: found.events.append(f"popup: {opened.url}"))
            page.on("dialog", dismissed)
            page.goto(found.address)
            page.get_by_test_id("stChatInputTextArea").wait_for()
            ask_all(page, found)
        assert len(server.requests) == 2 * len(ASKED) + 1, server.paths()
    return found


def test_the_conversations_have_every_payload() -> None:
    had = [text for batch in range(BATCHES) for text in payloads(batch)]
    assert sorted(had) == sorted(row["text"] for row in rows("payloads"))
    assert len(had) >= 150


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
