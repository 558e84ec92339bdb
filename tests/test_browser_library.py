"""Library and Documents in a real browser: looking through, map and matrix, uploading, asking and removing."""

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as Waited

from ingest.build import build_index
from rag.settings import Settings
from tests import browser_fixtures
from tests.browser_fixtures import Scheme, cut_texts, in_order, outline
from tests.browsing import NARROW, WIDE, app_running, axe, foreign_requests, open_page, picture, settled
from tests.conftest import silent
from tests.document_files import pdf, show

address, browser = browser_fixtures.address, browser_fixtures.browser
pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.slow]

BEES = (
    "# Beehive monitoring\n\n## Q1. Which sensor finds a lost queen?\n\n"
    "**Answer:** A microphone finds a lost queen, because queenless bees roar at about 400 hertz.\n"
)


def look(page: Page, view: str) -> None:
    """Chooses a view of the library."""
    page.get_by_test_id("stButtonGroup").get_by_text(view, exact=True).click()
    settled(page)


def chart(page: Page) -> Locator:
    """The drawing of the chart in view, once it is there."""
    drawn = page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks").first
    drawn.wait_for()
    page.wait_for_timeout(500)
    return drawn


def click_found(page: Page, drawn: Locator, after: Locator) -> None:
    """Clicks where something is drawn that leads on: places in rows across the chart, until `after` is there."""
    places = [(column / 24, row / 12) for row in range(1, 12) for column in range(1, 24)]
    for across, down in places * 3:  # the chart may be drawn anew, and move, while it is looked over
        box = drawn.bounding_box()
        if box is None:
            continue
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        if drawn.evaluate("it => getComputedStyle(it).cursor") == "pointer":
            page.mouse.down()
            page.mouse.up()
            with suppress(Waited):  # a click while it is being drawn is lost
                after.wait_for(timeout=8_000)
                return
    pytest.fail("nothing on the chart can be chosen")


def test_an_address_shows_its_entry_on_a_fresh_server_as_part_of_the_app(address: str, browser: Browser) -> None:
    page = open_page(browser, address, "library?entry=SCN-14")
    expect(page.get_by_role("heading", name=re.compile("^SCN-14 Hallucinations"))).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav").get_by_text("Retrieval lab")).to_be_visible()
    page.context.close()


def test_an_entry_is_searched_opened_and_left_again(address: str, browser: Browser) -> None:
    page = open_page(browser, address, "library")
    foreign = foreign_requests(page, address)
    box = page.get_by_label("Search the entries")
    box.fill("chatbot invents facts")
    box.press("Enter")
    near = page.get_by_role("button", name=re.compile("^SCN-14 "))
    near.click()
    heading = page.get_by_role("heading", level=2, name=re.compile("^SCN-14 "))
    expect(heading).to_be_focused()
    expect(heading).to_be_in_viewport()
    assert page.url.endswith("?entry=SCN-14")
    assert axe(page) == []
    picture(page, "library-entry-wide")
    page.get_by_role("button", name=re.compile("^SCN-17 ")).click()
    expect(page.get_by_role("heading", name=re.compile("^SCN-17 "))).to_be_visible()
    page.get_by_role("button", name="All entries").click()
    expect(page.get_by_label("Search the entries")).to_have_value("chatbot invents facts")
    assert axe(page) == []
    assert foreign == []
    page.context.close()


def test_a_point_of_the_map_opens_its_entry_and_again_after_coming_back(address: str, browser: Browser) -> None:
    page = open_page(browser, address, "library")
    foreign = foreign_requests(page, address)
    look(page, "Map")
    heading = page.get_by_role("heading", level=2, name=re.compile(r"^[A-Z]+-\d+ "))
    for _ in range(2):
        click_found(page, chart(page), heading)
        page.get_by_role("button", name="All entries").click()
        expect(heading).to_have_count(0)
    picture(page, "library-map-wide")
    page.get_by_text("The map as a table").click()
    expect(page.get_by_role("row")).to_have_count(158)
    assert axe(page) == []
    assert foreign == []
    page.context.close()


def test_a_cell_of_the_matrix_lists_its_entries(address: str, browser: Browser) -> None:
    page = open_page(browser, address, "library")
    foreign = foreign_requests(page, address)
    look(page, "Topics by guides")
    click_found(page, chart(page), page.get_by_role("button", name=re.compile("^[A-Z]+-\\d+ ")).first)
    expect(page.get_by_role("heading", level=2, name=re.compile(r"^\d+ entr"))).to_be_visible()
    chosen = [page.get_by_role("combobox", name=re.compile(name)).first for name in ("Guide", "Topic")]
    assert all("All" not in (box.get_attribute("aria-label") or "") for box in chosen)
    look(page, "Topics by guides")
    chart(page)
    assert axe(page) == []
    assert foreign == []
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(NARROW, "dark"), (NARROW, "light"), (WIDE, "dark")])
@pytest.mark.parametrize("path", ["library", "library?entry=SCN-14", "documents"])
def test_every_page_can_be_used_by_everybody(
    address: str, browser: Browser, path: str, width: int, scheme: Scheme
) -> None:
    page = open_page(browser, address, path, width=width, scheme=scheme)
    settled(page)
    usable(page)
    for view in ("Map", "Topics by guides") if path == "library" else ():
        look(page, view)
        drawn = chart(page)
        usable(page)
        assert cut_texts(drawn) == []
        picture(page, f"library-{view.split(' ')[0].lower()}-{width}-{scheme}")
    page.context.close()


def usable(page: Page) -> None:
    """Headings in order, nothing wider than the window, nothing that keeps people from using the page."""
    assert in_order(outline(page)), outline(page)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth")
    assert axe(page) == []


@pytest.fixture
def small_app(spare_home: Settings) -> Iterator[str]:
    """The app over three entries, in a home folder that may be written to."""
    build_index(spare_home, silent)
    values = {
        "TUTOR_CORPUS": str(spare_home.corpus),
        "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model,
        "TUTOR_DOCUMENT_MEGABYTES": "1",
    }
    with app_running(spare_home.home, **values) as found:
        yield found


def upload(page: Page, *files: tuple[str, bytes]) -> None:
    sent = [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files]
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(sent)  # type: ignore[arg-type]
    page.get_by_test_id("stFileChipName").nth(len(files) - 1).wait_for()
    expect(page.get_by_test_id("stFileChipIconSpinner")).to_have_count(0)
    page.get_by_role("button", name="Add to the library").click()


def ask(page: Page, question: str) -> None:
    page.get_by_role("link", name="Ask", exact=True).click()
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(question)
    box.press("Enter")


def test_documents_are_uploaded_asked_about_and_removed(small_app: str, browser: Browser) -> None:
    page = open_page(browser, small_app)
    page.get_by_role("link", name="Documents").click()
    foreign = foreign_requests(page, small_app)
    expect(page.get_by_text("Everybody who opens this app on this machine")).to_be_visible()
    lines = ["Wasp notes", "What do wasps build?", "Wasps build nests of grey paper that they chew from old wood."]
    upload(page, ("bees.md", BEES.encode()), ("wasps.pdf", pdf([show(lines)])), ("broken.pdf", b"%PDF-1.4 garbage"))
    expect(page.get_by_role("heading", name="Result: 2 added, 1 not taken")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("broken.pdf was not taken")).to_be_visible()
    wasps = re.findall(r"added as (\w+):", page.get_by_text("wasps.pdf added as").inner_text())[0]
    usable(page)
    picture(page, "documents-wide")

    ask(page, "what do wasps build?")
    expect(page.get_by_text("Wasps build nests of grey paper that they chew from old wood").first).to_be_visible()

    page.get_by_role("link", name="Documents").click()
    remove = page.locator(f".st-key-remove-{wasps}").get_by_role("button", name="Remove …")
    remove.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("wasps")).to_be_visible()
    assert axe(page) == []
    picture(page, "documents-remove")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    remove.click()
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text(re.compile(f"Removed {wasps} "))).to_be_visible(timeout=120_000)
    expect(page.get_by_role("heading", name="Your documents (1)")).to_be_visible()
    expect(page.get_by_text("wasps.pdf")).to_have_count(0)
    other = open_page(browser, small_app)
    ask(other, "what do wasps build?")
    expect(other.get_by_text("Not covered").first).to_be_visible()
    expect(other.get_by_text("Wasps build nests")).to_have_count(0)
    other.context.close()
    assert foreign == []
    page.context.close()


def test_two_sessions_add_at_once_and_both_are_in_the_library(small_app: str, browser: Browser) -> None:
    pages = [open_page(browser, small_app) for _ in range(2)]
    for page in pages:
        page.get_by_role("link", name="Documents").click()
    for number, page in enumerate(pages):
        upload(page, (f"notes{number}.md", BEES.replace("Beehive", f"Hive {number}").encode()))
    for page in pages:
        expect(page.get_by_role("heading", name="Result: 1 added")).to_be_visible(timeout=120_000)
    pages[0].get_by_role("link", name="Library").click()
    expect(pages[0].get_by_text("5 entries from 1 guide and 2 of your documents")).to_be_visible(timeout=120_000)
    for page in pages:
        page.context.close()


def test_leaving_the_page_does_not_cut_reading_off(small_app: str, browser: Browser) -> None:
    page = open_page(browser, small_app)
    page.get_by_role("link", name="Documents").click()
    upload(page, ("bees.md", BEES.encode()))
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("heading", level=1, name="Library")).to_be_visible()
    page.get_by_role("link", name="Documents").click()
    expect(page.get_by_role("heading", name="Result: 1 added")).to_be_visible(timeout=120_000)
    page.context.close()


def test_hostile_names_and_files_that_are_too_large_do_no_harm(small_app: str, browser: Browser) -> None:
    page = open_page(browser, small_app)
    page.get_by_role("link", name="Documents").click()
    foreign = foreign_requests(page, small_app)
    hostile = "![x](http:evil.example) <img src=x onerror=alert(1)> :red[no].md"
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    upload(page, (hostile, BEES.replace("Beehive", "<img src=http://evil.example/a.png> hive").encode()))
    expect(page.get_by_role("heading", name="Result: 1 added")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("_red[no].md").first).to_be_visible()
    too_large = [{"name": "large.txt", "mimeType": "text/plain", "buffer": b"a" * 1_100_000}]
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(too_large)  # type: ignore[arg-type]
    expect(page.get_by_test_id("stFileChipIconError")).to_be_visible()
    assert foreign == []
    page.context.close()
