"""The retrieval lab and the quality page in a real browser: Debian's Chromium, headless, driven by Playwright."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browser_fixtures
from tests.browser_fixtures import SCHEMES, Scheme, cut_texts, in_order, outline
from tests.browsing import NARROW, axe, foreign_requests, open_page, picture, settled

address, browser = browser_fixtures.address, browser_fixtures.browser
pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.slow]


def follow(page: Page, question: str) -> None:
    page.get_by_label("Question", exact=True).fill(question)
    page.get_by_label("Question", exact=True).press("Enter")
    page.get_by_role("heading", name="7. Time").wait_for()
    settled(page)


def test_a_question_is_followed_with_the_keyboard_alone(browser: Browser, address: str) -> None:
    page = open_page(browser, address, "lab")
    foreign = foreign_requests(page, address)
    follow(page, "why does my lstm los becom nan durng trainig?")
    expect(page.get_by_role("table", name="Looked at again, the first 8").first).to_be_visible()
    assert page.get_by_role("table", name="Sources sent").get_by_text("SCN-09").count() == 1
    expect(page.locator("ins").filter(has_text="during")).to_be_visible()
    # The chart is drawn, and told to those who do not see it.
    chart = page.get_by_test_id("stVegaLiteChart")
    expect(chart.locator("svg, canvas").first).to_be_visible()
    assert "SCN-09: by meaning" in chart.first.evaluate("(it) => it.outerHTML")
    assert in_order(outline(page)), outline(page)
    assert axe(page) == []
    assert foreign == []
    picture(page, "lab-wide")
    page.context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_lab_can_be_used_on_a_phone(browser: Browser, address: str, scheme: Scheme) -> None:
    page = open_page(browser, address, "lab", width=NARROW, scheme=scheme)
    page.get_by_role("button", name="Two parts").click()
    page.get_by_role("heading", name="7. Time").wait_for()
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    expect(page.get_by_role("combobox", name="Show the search of")).to_be_visible()
    assert in_order(outline(page)), outline(page)
    assert cut_texts(page.get_by_test_id("stVegaLiteChart").locator("svg.marks")) == []
    assert axe(page) == []
    picture(page, f"lab-narrow-{scheme}")
    page.context.close()


def test_hostile_text_is_shown_and_fetches_nothing(browser: Browser, address: str) -> None:
    page = open_page(browser, address, "lab")
    foreign = foreign_requests(page, address)
    hostile = "what is data drift <img src=http://evil.example/b.png onerror=alert(1)> ![x](http://evil.example/a.png)"
    follow(page, hostile)
    expect(page.get_by_text("<img src=http://evil.example/b.png", exact=False).first).to_be_visible()
    assert foreign == []
    page.context.close()


def test_the_suite_is_started_watched_and_stopped(browser: Browser, address: str) -> None:
    page, other = open_page(browser, address, "quality"), open_page(browser, address, "quality")
    foreign = foreign_requests(page, address)
    page.get_by_role("button", name="Run the suite").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    # Another session sees the same run and cannot start a second one.
    other.reload()
    expect(other.get_by_role("button", name="Stop")).to_be_visible()
    expect(other.get_by_role("button", name="Run the suite")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The run was stopped")).to_be_visible()
    expect(other.get_by_role("button", name="Run the suite")).to_be_visible()
    assert foreign == []
    page.context.close()
    other.context.close()


@pytest.mark.parametrize("width", [1280, NARROW])
def test_the_quality_page_can_be_used_by_everybody(browser: Browser, address: str, width: int) -> None:
    page = open_page(browser, address, "quality", width=width)
    settled(page)
    page.wait_for_load_state("networkidle")
    assert in_order(outline(page)), outline(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert axe(page) == []
    picture(page, f"quality-{width}")
    page.context.close()
