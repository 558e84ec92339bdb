"""Files from a browser: names made harmless, written, read on a thread, and what is said about it."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest import library as ingest_library
from ingest.build import build_index
from ingest.documents import FileReport
from ingest.lock import writer_lock
from ingest.state import state_of_index
from rag.errors import IndexBusy, ResourceError, UsageError
from rag.settings import Settings
from rag.weights import Report
from tests.conftest import silent
from tests.document_files import GUIDE
from ui import uploads
from ui.uploads import Work, disk_name, kept_documents, outcome, receive, start_adding, start_removing, summary


@dataclass(frozen=True)
class File:
    """What a browser sends."""

    name: str
    content: bytes = GUIDE.encode()

    def getbuffer(self) -> memoryview:
        return memoryview(self.content)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("notes.md", "notes.md"),
        ("Mes idées 2.PDF", "Mes idées 2.PDF"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/path.md", "path.md"),
        ("C:\\Users\\me\\a.docx", "a.docx"),
        ("..", "document"),
        ("", "document"),
        (".md", "md"),
        ("a\0b.md", "a_b.md"),
        ('a<b>"c|d?*.md', "a_b__c_d__.md"),
        ("line\nbreak\x1b[31m.md", "line_break_[31m.md"),
        ("NUL.md", "_NUL.md"),
        ("com1", "_com1"),
        ("console.md", "console.md"),
        ("trailing. ", "trailing"),
        ("\ud800.md", "_.md"),
    ],
)
def test_names_become_names_that_any_file_system_takes(name: str, kept: str) -> None:
    assert disk_name(name) == kept


@pytest.mark.parametrize("name", ["x" * 5000 + ".md", "é" * 5000 + ".md", "a." + "y" * 5000, "🎓" * 300])
def test_long_names_are_cut_and_keep_a_short_suffix(name: str) -> None:
    kept = disk_name(name)
    assert 0 < len(kept.encode()) <= uploads.NAME_BYTES + 20
    assert kept.endswith(".md") == name.endswith(".md")


def test_files_of_one_name_and_names_of_folders_stay_inside(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    paths = receive([File("a.md", b"1"), File("a.md", b"2"), File("../../a.md", b"3"), File("..", b"4")], folder)
    assert [path.read_bytes() for path in paths] == [b"1", b"2", b"3", b"4"]
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in paths)
    assert [path.name for path in paths] == ["a.md", "a.md", "a.md", "document"]
    assert list(tmp_path.iterdir()) == [folder]


def test_work_reports_its_progress_and_its_result() -> None:
    go, at = threading.Event(), threading.Event()

    def action(report: Report) -> str:
        report("reading documents", 1, 4)
        at.set()
        assert go.wait(30)
        return "done"

    work = Work(action)
    assert at.wait(30)
    assert (work.running, work.part, work.step, work.waiting) == (True, 0.25, "Reading documents (2 of 4)", False)
    go.set()
    work.wait(30)
    assert not work.running
    assert outcome(work) == ("done", "")


def test_when_the_last_file_is_read_the_index_follows() -> None:
    work: Work[None] = Work(lambda report: report("reading documents", 3, 3))
    work.wait(30)
    assert (work.part, work.step) == (1.0, "Bringing the library up to date")


def test_work_that_waits_for_another_says_so() -> None:
    work: Work[None] = Work(lambda report: report("waiting for process 7, which is writing the index", 0, 0))
    work.wait(30)
    assert work.waiting
    assert (work.part, work.step) == (0.0, "Waiting for process 7, which is writing the index")


def test_errors_made_on_purpose_are_a_line_and_others_are_raised() -> None:
    def busy(report: Report) -> None:
        raise IndexBusy("It is busy.", "Wait.")

    def broken(report: Report) -> None:
        raise ValueError("a fault of ours")

    first: Work[None] = Work(busy)
    second: Work[None] = Work(broken)
    first.wait(30)
    second.wait(30)
    assert outcome(first) == (None, "It is busy. Wait.")
    with pytest.raises(ValueError, match="a fault of ours"):
        outcome(second)


def test_a_summary_counts_what_became_of_the_files() -> None:
    reports = [FileReport("a", "added"), FileReport("b", "added"), FileReport("c", "skipped", reason="it is empty")]
    assert summary(reports) == "2 added, 1 not taken"
    assert summary([]) == ""


def test_a_full_temporary_folder_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spare_home: Settings
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(ResourceError, match="temporary folder"):
        start_adding(spare_home, [File("a.md")])


@pytest.mark.real
def test_documents_are_added_listed_and_removed(spare_home: Settings) -> None:
    build_index(spare_home, silent)
    assert kept_documents(spare_home) == ()
    work = start_adding(spare_home, [File("../notes.md"), File("broken.pdf", b"%PDF-1.4 garbage"), File("a.exe")])
    work.wait(120)
    reports = work.result()
    assert [(report.file, report.status) for report in reports] == [
        ("notes.md", "added"), ("broken.pdf", "skipped"), ("a.exe", "skipped")
    ]  # fmt: skip
    assert state_of_index(spare_home)[1] == ""
    (document,) = kept_documents(spare_home)
    assert kept_documents(spare_home)[0] is document
    assert (document.title, len(document.entries)) == ("Data Drift Questions", 4)

    again = start_adding(spare_home, [File("notes.md", GUIDE.replace("Fresh", "New").encode())])
    again.wait(120)
    assert [report.status for report in again.result()] == ["updated"]
    (changed,) = kept_documents(spare_home)
    assert (changed.id_prefix, changed.sha256 != document.sha256) == (document.id_prefix, True)

    removing = start_removing(spare_home, document.id_prefix)
    removing.wait(120)
    assert removing.result().title == "Data Drift Questions"
    assert kept_documents(spare_home) == ()
    once_more = start_removing(spare_home, document.id_prefix)
    once_more.wait(120)
    with pytest.raises(UsageError, match="There is no document"):
        once_more.result()


@pytest.mark.real
def test_a_second_writer_waits_and_is_told_who_writes(spare_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    build_index(spare_home, silent)
    monkeypatch.setattr(ingest_library, "WAIT_SECONDS", 1.0)
    with writer_lock(spare_home.home, 0, silent):
        work = start_adding(spare_home, [File("notes.md")])
        while work.running and not work.waiting:
            time.sleep(0.01)
        assert work.waiting
        work.wait(30)
    result, error = outcome(work)
    assert result is None
    assert error.startswith("The index is still being written by process")
    after = start_adding(spare_home, [File("notes.md")])
    after.wait(120)
    assert [report.status for report in after.result()] == ["added"]
