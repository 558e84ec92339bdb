"""`python -m eval.bench sessions`: how long people wait at the page when ten of them ask at the same time.

Starts the app as `tutor ui` does, opens it in Chromium, and reads the clock of the page itself: from pressing Enter
until the whole quoted answer is drawn. Every round is ten new browser contexts with ten other questions. Needs the
dependencies of the tests and Chromium.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy

from eval.gold import of_split, questions
from rag.errors import ResourceError
from rag.settings import PROJECT, Settings
from ui.session import open_library, progress_bar

SESSIONS = 10
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
"""Nothing but what the page asks for goes over the network."""
CLOCK = """() => {
    window.started = performance.now();
    window.drawn = null;
    const look = () => {
        const said = document.querySelectorAll('[data-testid=stChatMessage]').length;
        const state = document.querySelector('[data-testid=stApp]')?.dataset.testScriptState;
        if (said === 2 && state === 'notRunning') window.drawn = performance.now(); else setTimeout(look, 20);
    };
    look();
}"""
"""Starts a clock in the page that stops when question and answer are there and the app has run to its end."""


def measure(settings: Settings, rounds: int) -> dict[str, Any]:
    """Seconds: the first page and answer of a cold server, a page of a warm one, and the answers of all sessions.

    Raises:
        ResourceError: there is no Chromium.
    """
    with progress_bar() as report:
        open_library(settings, report)  # so that no index has to be built while the clock runs
    asked = [item.question for item in of_split(questions(), "test")]
    step = len(asked) // (rounds * SESSIONS)
    chosen = asked[::step]
    with app_running(settings.home, TUTOR_MODEL="quote") as address, browser_running() as browser:
        page, cold_page = _opened(browser, address)
        cold_answer = _ask([page], ["What is data drift?"])[0]
        warm_page = _opened(browser, address)[1]
        waited = []
        for number in range(rounds):
            pages = [_opened(browser, address)[0] for _ in range(SESSIONS)]
            waited += _ask(pages, chosen[number * SESSIONS : (number + 1) * SESSIONS])
            for opened in pages:
                opened.context.close()
    return {
        "cold": {"page": round(cold_page, 2), "answer": round(cold_answer, 2)},
        "warm page": round(warm_page, 2),
        "sessions": SESSIONS,
        "answers": len(waited),
        "p50": round(float(numpy.quantile(waited, 0.5)), 2),
        "p95": round(float(numpy.quantile(waited, 0.95)), 2),
        "longest": round(max(waited), 2),
    }


def _opened(browser: Any, address: str) -> tuple[Any, float]:
    """A page of a session of its own, and the seconds until its heading was drawn."""
    page = browser.new_context().new_page()
    page.set_default_timeout(60_000)
    started = time.perf_counter()
    page.goto(address)
    page.get_by_role("heading", level=1).first.wait_for()
    return page, time.perf_counter() - started


def _ask(pages: Sequence[Any], asked: Sequence[str]) -> list[float]:
    """Puts one question in each page, all at once, and returns the seconds each page waited."""
    boxes = [page.get_by_test_id("stChatInputTextArea") for page in pages]
    for box, question in zip(boxes, asked, strict=True):
        box.fill(question)
    for page, box in zip(pages, boxes, strict=True):
        page.evaluate(CLOCK)
        box.press("Enter")
    waited = []
    for page in pages:
        page.wait_for_function("window.drawn")
        waited.append(page.evaluate("(window.drawn - window.started) / 1000"))
    return waited


@contextmanager
def browser_running() -> Iterator[Any]:
    """Debian's Chromium, or what else of its kind is there, headless: a `playwright.sync_api.Browser`."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise ResourceError("No Chromium was found.", "Install it (Debian: apt-get install chromium).")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def app_running(home: Path, **settings: str) -> Iterator[str]:
    """The app as `tutor ui` starts it, on a free port, with these settings and no others; yields its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TUTOR_", "OPENAI_"))}
    environment |= {"TUTOR_HOME": str(home), "TUTOR_PORT": "0", "PYTHONUNBUFFERED": "1", **settings}
    call = [sys.executable, "-m", "ui.cli", "ui"]
    with subprocess.Popen(call, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            yield _address(server)
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                # Streamlit sometimes waits for a browser that is gone.
                server.kill()


def _address(server: "subprocess.Popen[str]") -> str:
    """What the server prints once it listens."""
    address = ""
    for line in server.stdout or ():
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        address = found.group() if found else address
        if address and "URL" in line:
            return address
    raise ResourceError("The app did not start.", "Run `tutor ui` to see why.")
