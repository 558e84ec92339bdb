"""What the slow browser tests share: one browser and one app over the real index a file, and the headings of a page.

A test file takes a fixture by naming it: `browser = browser_fixtures.browser`.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page

from rag.settings import Settings
from tests.browsing import app_running, borrowed_home, browser_running

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of a file."""
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def address(real: Settings, browser: Browser) -> Iterator[str]:
    """The app over the real index."""
    with TemporaryDirectory() as folder, app_running(borrowed_home(real, Path(folder))) as found:
        yield found


def outline(page: Page) -> list[int]:
    """The levels of the page's headings, in order."""
    found: list[int] = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stMain] :is(h1,h2,h3,h4,h5,h6)')].map((it) => +it.tagName[1])"
    )
    return found


def in_order(levels: list[int]) -> bool:
    """One first heading, and no level left out on the way down."""
    return levels.count(1) == 1 and all(
        after - before <= 1 for before, after in zip([0, *levels], levels, strict=False)
    )


def cut_texts(drawn: Locator) -> list[str]:
    """The words of a drawing that reach over its rim, or were shortened."""
    found: list[str] = drawn.evaluate(
        """(it) => {
            const rim = it.getBoundingClientRect();
            const texts = [...it.querySelectorAll('text')].filter((text) => text.textContent);
            if (!texts.length) return ['nothing is written'];
            return texts.filter((text) => {
                const box = text.getBoundingClientRect();
                const over = Math.max(rim.left - box.left, box.right - rim.right, rim.top - box.top,
                    box.bottom - rim.bottom);
                return over > 1 || text.textContent.includes('…');
            }).map((text) => text.textContent);
        }"""
    )
    return found
