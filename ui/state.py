"""What the web app keeps: one open library a process, one conversation a browser session."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import cast

import streamlit

from rag.manifest import POINTER
from rag.pace import Pace
from rag.settings import Settings
from rag.types import Answer, Turn
from rag.weights import Report
from rag.wiring import Library
from ui.session import open_library, settings

KEY = "conversation"
_LOCK = Lock()
_OPEN: dict[str, object] = {}


@dataclass
class Conversation:
    """One browser session's questions and answers, and the entry that is open beside them."""

    answers: list[Answer] = field(default_factory=list)
    open_entry: str | None = None
    open_quote: str = ""
    chosen: str = ""
    pace: Pace | None = None

    def take_choice(self) -> str:
        """The reading that was chosen, once."""
        chosen, self.chosen = self.chosen, ""
        return chosen

    def pace_of(self, chosen: Settings) -> Pace:
        """How often this session may call a language model."""
        if self.pace is None:
            self.pace = Pace(chosen.requests_per_minute)
        return self.pace

    def history(self) -> list[Turn]:
        """The turns so far, oldest first."""
        turns = []
        for answer in self.answers:
            turns += [Turn("user", answer.question), Turn("assistant", answer.text)]
        return turns


def conversation() -> Conversation:
    """This session's conversation; a new session has an empty one."""
    if KEY not in streamlit.session_state:
        streamlit.session_state[KEY] = Conversation()
    return cast(Conversation, streamlit.session_state[KEY])


def library(report: Report) -> tuple[Library, tuple[str, ...]]:
    """The library of this process, opened again when another index version went live.

    Streamlit's own cache would not let a build that it wraps draw its progress on the page.
    """
    chosen = _settings()
    with _LOCK:
        pointer = chosen.index_folder / POINTER
        version = pointer.read_text("utf-8", "replace") if pointer.is_file() else ""
        if not version or _OPEN.get("version") != version:
            _OPEN["opened"] = open_library(chosen, report)
            _OPEN["version"] = pointer.read_text("utf-8", "replace")
        return cast(tuple[Library, tuple[str, ...]], _OPEN["opened"])


@lru_cache(maxsize=1)
def _settings() -> Settings:
    return settings()


def streamlit_report(placeholder: Callable[..., object]) -> Report:
    """A progress report drawn by a Streamlit progress element."""

    def report(what: str, done: int, total: int) -> None:
        placeholder(done / total if total else 0.0, text=what)

    return report
