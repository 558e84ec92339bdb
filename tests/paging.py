"""Pages of the web app run without a browser: the real page over the real index, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import HeadingBase

from rag.settings import PROJECT
from ui import state

PATIENCE = 120
"""Seconds a run may take on a busy machine before it counts as hanging."""


@contextmanager
def the_page(name: str, home: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Iterator[AppTest]:
    """A page, not yet run, over this home folder and these settings.

    The process keeps one library open for all sessions, so it is forgotten before and closed after.
    """
    for key, value in {"TUTOR_HOME": str(home), **environment}.items():
        monkeypatch.setenv(key, value)
    forget()
    try:
        yield AppTest.from_file(PROJECT / "ui" / "views" / f"{name}.py", default_timeout=PATIENCE)
    finally:
        forget()


def forget() -> None:
    """Closes what the pages keep for the whole process, as if it had just started."""
    opened = state._OPEN.get("opened")
    if isinstance(opened, tuple):
        opened[0].close()
    state._OPEN.clear()
    state._settings.cache_clear()
    state.entries_of.cache_clear()


def levels(page: AppTest) -> list[int]:
    """The levels of the headings that the page itself draws, in order from the top."""
    return [int(item.tag[1]) for item in page.main if isinstance(item, HeadingBase)]


def texts(page: AppTest) -> str:
    """Everything the page says in Markdown, captions, headings and notices, a line each."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info")
    return "\n".join(str(getattr(item, "value", "")) for kind in kinds for item in page.get(kind))
