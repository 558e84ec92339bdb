"""The report in a real browser: nothing fetched, nothing wider than a phone, nothing that keeps people out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from eval.report import page as report_page
from tests.browsing import NARROW, PICTURES, WIDE, axe, browser_running
from tests.run_files import a_run, rows
from tests.test_report import EARLIER, hostile_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "page.html"
    gates = {"hit@1": False, "hit@3": True} if "hit@3" in a_run()["metrics"] else {"hit@1": False}
    run = a_run(rows=[*hostile_run()["rows"], *rows(miss=6)], gates=gates)
    path.write_text(report_page(run, EARLIER, [EARLIER], {"SCN-08": "Vanishing gradients"}, []), "utf-8")
    return path.as_uri()


def opened(browser: Browser, address: str, width: int, scheme: Literal["light", "dark"]) -> tuple[Page, list[str]]:
    # The page's own policy would keep axe-core out.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    return page, asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_page_asks_for_nothing_fits_and_keeps_nobody_out(
    browser: Browser, address: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page, asked = opened(browser, address, width, scheme)
    assert asked == [address]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 21, 26)"}[scheme]
    assert axe(page) == []
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=Path(PICTURES) / f"report-{width}-{scheme}.png", full_page=True)
    page.context.close()


def test_drawings_stay_inside_their_frame(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address, WIDE, "light")
    outside = page.evaluate(
        """[...document.querySelectorAll('svg')].flatMap(svg => {
            const box = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text, rect, circle, line')].filter(each => {
                const own = each.getBoundingClientRect();
                return own.left < box.left - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1
                    || own.top < box.top - 1;
            }).map(each => svg.getAttribute('aria-labelledby') + ' ' + each.outerHTML);
        })"""
    )
    assert outside == []
    page.context.close()
