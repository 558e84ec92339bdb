"""What the web app keeps: one open library a process, one conversation a browser session."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

import streamlit

from ingest.documents import FileReport
from rag.errors import TutorError
from rag.manifest import POINTER, live_folder
from rag.pace import Pace
from rag.reply import Reply
from rag.settings import Settings
from rag.types import Answer, Claim, Entry, Hit, Origin, Source, Turn
from rag.weights import Report
from rag.wiring import Library
from ui.answering import Answering, stopped_answer
from ui.browse import Filters
from ui.session import open_library, settings
from ui.suite_job import Outcome
from ui.trace import Trace
from ui.uploads import Work

KEY = "conversation"
PAGE = 20
"""Entries, or documents, listed before `Show more`."""
VIEWS = ("List", "Map", "Topics by guides")
"""The views of the Library page."""
VIEW, WORDS, GUIDE, TOPIC, LEVEL = "library-view", "library-words", "library-guide", "library-topic", "library-level"
"""Keys of what the Library page shows: one of `VIEWS`, words, and three filters that are empty for everything."""
MAP, MATRIX = "library-map", "library-matrix"
"""Keys of the Library page's two charts."""
QUESTION, BEFORE, WRITER = "lab-question", "lab-before", "lab-writer"
"""Keys of what is typed and chosen in the retrieval lab."""
PART, SCORED = "lab-part", "lab-entry"
"""Keys of which search and which entry's score the retrieval lab shows; they end with the question."""
Kept = TypeVar("Kept")
_LOCK = Lock()
_WARMING = Lock()
_OPEN: dict[str, object] = {}


@dataclass
class Exchange:
    """One question with what became of it: an answer, or the problem that kept it from one.

    `hits` are the entries found for it with the parts of their scores, looked up when first asked for;
    `scope` is what it was answered from, None for everything; `verdict` is the reader's word on the answer.
    """

    question: str
    answer: Answer | None = None
    problem: str = ""
    hits: tuple[Hit, ...] | None = None
    scope: Origin | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Opened:
    """The entry that is open: the sentence of an answer that led there, and the exchange it stands in.

    `number` counts what was opened, so that the page knows a new one from one it has scrolled to.
    """

    entry_id: str
    claim: Claim | None
    turn: int
    number: int


@dataclass
class Conversation:
    """One browser session's questions and answers, what it chose, and the entry that is open beside them.

    `model` is empty as long as nothing was chosen, `scope` is None for everything; `asked` is a question
    that a button asks.
    """

    turns: list[Exchange] = field(default_factory=list)
    opened: Opened | None = None
    asked: str = ""
    model: str = ""
    scope: Origin | None = None
    topic: str | None = None
    job: Answering | None = None
    pace: Pace | None = None
    _opened: int = 0
    _drawn_from: Origin | None = None

    @property
    def answers(self) -> list[Answer]:
        """The answers so far, oldest first."""
        return [turn.answer for turn in self.turns if turn.answer is not None]

    def ask(self, question: str) -> None:
        """Has a question asked with the next run of the page."""
        self.asked = question

    def take_asked(self) -> str:
        """The question that a button asked, once."""
        asked, self.asked = self.asked, ""
        return asked

    def open(self, entry_id: str, turn: int, claim: Claim | None = None) -> None:
        """Opens an entry, for a sentence of an answer or for itself."""
        self._opened += 1
        self.opened = Opened(entry_id, claim, turn, self._opened)

    def close(self) -> None:
        """Closes the entry."""
        self.opened = None

    def pace_of(self, chosen: Settings) -> Pace:
        """How often this session may call a language model."""
        if self.pace is None:
            self.pace = Pace(chosen.requests_per_minute)
        return self.pace

    def history(self, before: int | None = None) -> list[Turn]:
        """The turns so far, oldest first; with `before` only those before the exchange of that number."""
        turns = []
        for exchange in self.turns[:before]:
            if exchange.answer is not None:
                turns += [Turn("user", exchange.question), Turn("assistant", exchange.answer.text)]
        return turns

    def start(self, question: str, make: Callable[[], Reply], source: Callable[[str], Source]) -> None:
        """Begins to answer a question; an answer still being made is stopped and kept as far as it came."""
        if self.job is not None:
            self.job.stop()
            self.settle(source)
        self.job, self._drawn_from = Answering(question, make), self.scope

    def settle(self, source: Callable[[str], Source]) -> None:
        """Keeps what became of the question that was being answered.

        Raises:
            Exception: what went wrong without being foreseen.
        """
        job, self.job = self.job, None
        if job is None:
            return
        if isinstance(job.error, TutorError):
            self.turns.append(Exchange(job.question, problem=str(job.error)))
        elif job.error is not None:
            raise job.error
        else:
            answer = job.answer or stopped_answer(job.question, job.shown, source)
            problem = "" if answer else "Stopped before the first sentence was found."
            self.turns.append(Exchange(job.question, answer, problem, scope=self._drawn_from))

    def restart(self) -> None:
        """Forgets the conversation; what was chosen beside it stays."""
        if self.job is not None:
            self.job.stop()
        self.turns, self.opened, self.asked, self.job = [], None, "", None


@dataclass
class Shown:
    """How many entries the Library page has unfolded, and for which filters."""

    count: int = PAGE
    filters: Filters = field(default_factory=Filters)


@dataclass
class Desk:
    """What a session is doing with documents, what came of it, and how many of them are unfolded."""

    work: Work[Any] | None = None
    reports: Sequence[FileReport] = ()
    said: str = ""
    error: str = ""
    count: int = PAGE


@dataclass
class Lab:
    """What the retrieval lab last followed through the stages, and what went wrong with it."""

    trace: Trace | None = None
    error: str = ""
    run: bool = False


@dataclass
class Quality:
    """What this browser session was told of the last run that ended."""

    outcome: Outcome | None = None


def kept(key: str, factory: Callable[[], Kept]) -> Kept:
    """What this browser session keeps under a key, made on first use.

    A page keeps one dataclass of its own under its name, `kept("lab", Lab)`. The key must not be
    that of a widget, because Streamlit forgets those when their page is left.
    """
    if key not in streamlit.session_state:
        streamlit.session_state[key] = factory()
    return cast(Kept, streamlit.session_state[key])


def conversation() -> Conversation:
    """This session's conversation; a new session has an empty one."""
    return kept(KEY, Conversation)


def show_guide(guide: str) -> None:
    """Has the Library page list all entries of a guide or document when it is opened next; of all when it is empty."""
    streamlit.session_state.update({VIEW: VIEWS[0], WORDS: "", GUIDE: guide, TOPIC: "", LEVEL: ""})


def library(report: Report) -> tuple[Library, tuple[str, ...]]:
    """The library of this process, opened again when another index version went live.

    Streamlit's own cache would not let a build that it wraps draw its progress on the page.
    """
    chosen = _settings()
    with _LOCK:
        pointer = chosen.index_folder / POINTER
        version = pointer.read_text("utf-8", "replace") if pointer.is_file() else ""
        if not version or _OPEN.get("version") != version:
            _OPEN["opened"] = _opened(chosen, report)
            _OPEN["version"] = pointer.read_text("utf-8", "replace")
        return cast(tuple[Library, tuple[str, ...]], _OPEN["opened"])


def _opened(chosen: Settings, report: Report) -> tuple[Library, tuple[str, ...]]:
    """The live index; the first time it is checked, and made when there is none that can be used."""
    folder = live_folder(chosen.index_folder)
    if folder and "opened" in _OPEN:
        # Somebody may be adding documents: what is live is used, and nobody waits for them.
        return Library(chosen, folder), ()
    return open_library(chosen, report)


def warm(books: Library) -> None:
    """Opens the parts that a first answer needs, once however many sessions ask; the model takes a few seconds.

    Without the lock, two first questions would each open their own.
    """
    with _WARMING:
        if is_warm(books):
            return
        _ = books.retriever, books.gate, books.kept, books.local_server
        books.embedder.embed(["warm"])
        _OPEN["warm"] = books


def is_warm(books: Library) -> bool:
    """Whether an answer can begin at once."""
    return _OPEN.get("warm") is books


@lru_cache(maxsize=1)
def entries_of(books: Library) -> tuple[Entry, ...]:
    """All entries of the library, in corpus order."""
    return tuple(books.store.entries())


def home() -> Path:
    """The home folder of this process."""
    return _settings().home


@lru_cache(maxsize=1)
def _settings() -> Settings:
    return settings()


def streamlit_report(placeholder: Callable[..., object]) -> Report:
    """A progress report drawn by a Streamlit progress element."""

    def report(what: str, done: int, total: int) -> None:
        placeholder(done / total if total else 0.0, text=what)

    return report
