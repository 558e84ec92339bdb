"""What the Documents page does: files received from a browser, read and removed on a thread of its own.

A page's script is stopped whenever its reader clicks elsewhere; a thread of its own finishes what it began.
"""

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any, Generic, Protocol, TypeVar

from ingest.documents import Document, FileReport, list_documents
from ingest.library import add_documents, drop_document
from rag.errors import ResourceError, TutorError
from rag.settings import Settings
from rag.weights import Report

NAME_BYTES = 150
"""The longest name written to disk; file systems take 255 bytes."""
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/\ud800-\udfff]')
"""What some file system does not take in a name."""
RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)")
READING = "reading documents"
"""What `ingest.documents` calls its step."""
SUMMARY = {"added": "added", "updated": "updated", "unchanged": "unchanged", "skipped": "not taken"}

Result = TypeVar("Result")


class Upload(Protocol):
    """A file as the browser sent it."""

    @property
    def name(self) -> str: ...

    def getbuffer(self) -> memoryview: ...


class Work(Generic[Result]):
    """A slow call on a thread of its own, whose progress can be read at any time.

    Args:
        action: is given a progress report to call.
    """

    def __init__(self, action: Callable[[Report], Result]) -> None:
        self._action = action
        self._progress: tuple[str, int, int] = ("starting", 0, 0)
        self._result: list[Result] = []
        self._error: BaseException | None = None
        # What is kept survives a process that dies, so a server that stops need not wait.
        self._thread = threading.Thread(target=self._run, name="documents", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def part(self) -> float:
        """How much of the present step is done, between 0 and 1."""
        _, done, total = self._progress
        return min(1.0, done / total) if total else 0.0

    @property
    def step(self) -> str:
        """What is being done, as a sentence without a full stop."""
        what, done, total = self._progress
        if what == READING and done == total:
            return "Bringing the library up to date"
        counted = f" ({min(done + 1, total)} of {total})" if what == READING else ""
        return what[:1].upper() + what[1:] + counted

    @property
    def waiting(self) -> bool:
        """Whether somebody else is writing, so that this work has not begun."""
        return self._progress[0].startswith("waiting for")

    def wait(self, seconds: float) -> None:
        """Returns when the work has ended, or after so long."""
        self._thread.join(seconds)

    def result(self) -> Result:
        """What came out, once the work has ended.

        Raises:
            TutorError: what the call raised; anything else it raised is raised as it was.
        """
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._action(self._report))
        except BaseException as error:  # noqa: BLE001 — raised again where somebody sees it
            self._error = error

    def _report(self, what: str, done: int, total: int) -> None:
        self._progress = (what, done, total)


def start_adding(settings: Settings, files: Iterable[Upload]) -> Work[list[FileReport]]:
    """Writes the files to a temporary folder, then reads them as `tutor ingest` does, on a thread.

    Raises:
        ResourceError: the temporary folder cannot be written.
    """
    try:
        # The browser's copies live as long as the page; these are gone when the work is done.
        folder = TemporaryDirectory(prefix="tutor-upload-")
        paths = receive(files, Path(folder.name))
    except OSError as error:
        what = f"The files cannot be kept while they are read ({error.strerror})."
        raise ResourceError(what, "Free some space in the temporary folder.") from error

    def action(report: Report) -> list[FileReport]:
        with folder:
            return add_documents(settings, paths, report)

    return Work(action)


def start_removing(settings: Settings, prefix: str) -> Work[Document]:
    """Forgets a document as `tutor ingest --remove` does, on a thread."""
    return Work(lambda report: drop_document(settings, prefix, report))


def receive(files: Iterable[Upload], folder: Path) -> list[Path]:
    """Writes files below a folder, each in a folder of its own, because two may have one name."""
    paths = []
    for number, file in enumerate(files):
        path = folder / str(number) / disk_name(file.name)
        path.parent.mkdir()
        path.write_bytes(file.getbuffer())
        paths.append(path)
    return paths


def disk_name(name: str) -> str:
    """A name that any file system takes, without folders; the suffix stays, and so does a harmless name.

    A later upload of the same name is the same document, so the same name always gives the same one.
    """
    last = PurePosixPath(PureWindowsPath(name.replace("\0", "_")).name).name
    clean = FORBIDDEN.sub("_", last).strip(" .")
    clean = RESERVED.sub(lambda found: f"_{found[0]}", clean, count=1) if RESERVED.match(clean) else clean
    stem, dot, suffix = clean.rpartition(".")
    if not dot:
        stem, suffix = clean, ""
    suffix = suffix[:20]
    room = NAME_BYTES - len(suffix.encode()) - 1
    stem = stem.encode()[:room].decode("utf-8", "ignore")
    return f"{stem or 'document'}{dot}{suffix}"


def kept_documents(settings: Settings) -> Sequence[Document]:
    """All documents kept, in order of title; read again only when a file of theirs changed.

    Raises:
        ResourceError: a document is damaged.
    """
    folder = settings.documents_folder
    marks = []
    for path in sorted(folder.glob("*.json")):
        try:
            state = path.stat()
        except FileNotFoundError:
            # Somebody removed it just now.
            continue
        marks.append((path.name, state.st_mtime_ns, state.st_size))
    return _read(folder, tuple(marks))


@lru_cache(maxsize=1)
def _read(folder: Path, marks: tuple[tuple[str, int, int], ...]) -> tuple[Document, ...]:
    return tuple(sorted(list_documents(folder), key=lambda document: document.title.casefold())) if marks else ()


def summary(reports: Sequence[FileReport]) -> str:
    """How many files became what, as a sentence without a full stop: "2 added, 1 not taken"."""
    counts = {status: sum(report.status == status for report in reports) for status in SUMMARY}
    return ", ".join(f"{count} {SUMMARY[status]}" for status, count in counts.items() if count)


def outcome(work: Work[Any]) -> tuple[Any, str]:
    """The result of ended work, or one line saying what went wrong and what mends it."""
    try:
        return work.result(), ""
    except TutorError as error:
        return None, str(error)
