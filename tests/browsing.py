"""The web app in a real browser: started as people start it, watched for what it fetches, checked for everybody's use.

@pytest.fixture(scope="module")
def address(real: Settings) -> Iterator[str]:
    with TemporaryDirectory() as folder, app_running(borrowed_home(real, Path(folder))) as found:
        yield found

@pytest.fixture
def page(address: str) -> Iterator[Page]:
    with browser_page(address) as opened:
        yield opened
"""

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page

from eval.bench_sessions import app_running, browser_running
from rag.settings import PROJECT, Settings

__all__ = ["app_running", "browser_running"]
PICTURES = PROJECT / ".cache" / "screenshots"
AXE = "4.10.3"
"""The version of axe-core, which says what keeps people from using a page."""
WIDE, NARROW = 1280, 390
"""Pixels: a laptop, a phone."""
_FOREIGN: WeakKeyDictionary[Page, list[str]] = WeakKeyDictionary()
"""What each page fetched from anywhere but the app."""


def borrowed_home(real: Settings, folder: Path) -> Path:
    """A home folder of its own with the weights and the index of the shared one, which it must not write to."""
    for name in ("models", "index"):
        (folder / name).symlink_to(real.home / name)
    return folder


@contextmanager
def browser_page(
    address: str, path: str = "", *, width: int = WIDE, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Page]:
    """A page of the app in a browser of its own, its first heading drawn."""
    with browser_running() as browser:
        yield open_page(browser, address, path, width=width, scheme=scheme)


def open_page(
    browser: Browser, address: str, path: str = "", *, width: int = WIDE, scheme: Literal["light", "dark"] = "light"
) -> Page:
    """A page of the app in a session of its own, its first heading drawn."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(30_000)
    # Before the page is fetched, so that nothing of its first load is missed.
    _FOREIGN[page] = _watched(page, address)
    page.goto(f"{address}/{path}")
    page.get_by_role("heading", level=1).first.wait_for()
    return page


def settled(page: Page) -> None:
    """Waits until the app has run to its end and drawn everything."""
    page.wait_for_function("document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'")


def picture(page: Page, name: str) -> None:
    """Keeps a picture of what is in view as an artefact."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def foreign_requests(page: Page, address: str) -> list[str]:
    """Every request of a page of `open_page` to anywhere but the app since before it was loaded; the list grows."""
    assert page.url.startswith(f"{address}/"), f"{page.url} is not a page of {address}"
    return _FOREIGN[page]


def _watched(page: Page, address: str) -> list[str]:
    found: list[str] = []
    own = (f"{address}/", f"{address.replace('http', 'ws', 1)}/", "data:", "blob:")

    def note(url: str) -> None:
        if not url.startswith(own):
            found.append(url)

    page.on("request", lambda request: note(request.url))
    page.on("websocket", lambda socket: note(socket.url))
    return found


def axe(page: Page) -> list[str]:
    """What keeps people from using the page as it is now: each serious or critical finding of axe-core in a line."""
    page.add_script_tag(path=axe_script())
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:120]} ({node.get('failureSummary', '')[:200]})"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


def axe_script() -> Path:
    """The script of axe-core, fetched with npm when it is not there."""
    folder = PROJECT / ".cache" / "axe" / AXE
    script = folder / "package" / "axe.min.js"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "fetched.lock"):
        _fetch_axe(folder, script)
    return script


def _fetch_axe(folder: Path, script: Path) -> None:
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is missing, which fetches axe-core (Debian: apt-get install npm).")
        call = [npm, "pack", f"axe-core@{AXE}", "--silent", "--pack-destination", str(folder)]
        subprocess.run(call, check=True, cwd=folder, capture_output=True)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extract("package/axe.min.js", folder, filter="data")
