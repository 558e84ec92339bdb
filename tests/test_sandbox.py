"""Hostile and broken files end as one clear line; the file beside them still goes in."""

import os
import re
import time
from pathlib import Path

import pytest

from ingest.files import shown_name
from ingest.limits import Limits, Refused
from ingest.sandbox import Sandbox
from tests.document_files import GUIDE, ingest, pdf, show, word_file, write, zip_bomb

SLOW = b"Hello world, this is a text of many words. " * 700_000
LARGE = b"word " * 8_000_000


def test_one_child_serves_many_files() -> None:
    with Sandbox(Limits()) as sandbox:
        first = sandbox.parse(GUIDE.encode(), "a.md")
        child = sandbox.child_id
        with pytest.raises(Refused, match="not a PDF"):
            sandbox.parse(b"garbage", "b.pdf")
        second = sandbox.parse(word_file(), "c.docx")
        assert sandbox.child_id == child
    assert [piece["number"] for piece in first["pieces"]] == [None, 1, 2, 3]
    assert second["title"] == "Metrics Guide"
    assert sandbox.child_id is None


def test_a_file_that_takes_too_long_costs_its_child_only() -> None:
    with Sandbox(Limits(seconds=1)) as sandbox:
        with pytest.raises(Refused, match="takes longer than 1 s"):
            sandbox.parse(SLOW, "slow.txt")
        assert sandbox.child_id is None
        assert sandbox.parse(GUIDE.encode(), "a.md")["title"] == "Data Drift Questions"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows knows no bound for memory")
def test_a_file_that_takes_too_much_memory_costs_its_child_only() -> None:
    with Sandbox(Limits(memory_bytes=300_000_000)) as sandbox:
        with pytest.raises(Refused, match="memory"):
            sandbox.parse(LARGE, "large.txt")
        assert sandbox.parse(GUIDE.encode(), "a.md")["title"] == "Data Drift Questions"


def test_a_child_that_dies_is_replaced() -> None:
    with Sandbox(Limits()) as sandbox:
        sandbox.parse(GUIDE.encode(), "a.md")
        child = sandbox.child_id
        assert child
        os.kill(child, 9)
        time.sleep(0.5)  # until the system has noticed
        assert sandbox.parse(GUIDE.encode(), "a.md")["pieces"]
        assert sandbox.child_id != child


def test_the_child_gets_no_keys_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with Sandbox(Limits()) as sandbox:
        sandbox.parse(GUIDE.encode(), "a.md")
        process = Path(f"/proc/{sandbox.child_id}")
        if not process.is_dir():
            pytest.skip("needs /proc")
        assert b"secret" not in (process / "environ").read_bytes()
        limits = (process / "limits").read_text()
    assert [line.split()[3] for line in limits.splitlines() if line.startswith("Max file size")] == ["0"]


def test_every_hostile_file_is_one_line_and_the_good_one_goes_in(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in",
        {
            "good.md": GUIDE,
            "good.docx": word_file(),
            "bomb.docx": zip_bomb(),
            "deep.html": "<div>" * 100_000 + "x",
            "garbage.pdf": b"\x93\x01garbage" * 999,
            "locked.pdf": pdf([show(["Secret."])], encrypt=True),
            "empty.txt": b"",
            "binary.md": b"\x00\x01\x02" * 999,
            "picture.png": b"\x89PNG",
            "brackets.md": "![a" * 50_000 + "x",
        },
    )
    with (source / "sparse.md").open("wb") as file:
        file.truncate(100_000_000)
    (source / "outside.md").symlink_to("/etc/passwd")
    (source / "folder").symlink_to("/etc")
    (source / "loop.md").symlink_to("loop.md")
    os.mkfifo(source / "pipe.md")
    reports = ingest(source, tmp_path / "home", seconds=5)
    skipped = {name: report.reason for name, report in reports.items() if report.status == "skipped"}
    assert re.fullmatch(r"it inflates to \d+ times its size, as a zip bomb does", skipped.pop("bomb.docx"))
    assert skipped == {
        "deep.html": "its elements are nested deeper than 50 levels",
        "garbage.pdf": "it is not a PDF file, although its name says so",
        "locked.pdf": "it is protected by a password",
        "empty.txt": "it is empty",
        "binary.md": "it is not text, although its name says so",
        "picture.png": ".png files are not read; Markdown, text, HTML, DOCX and PDF are",
        "sparse.md": "it has 100 MB; the limit is 50 MB",
        "outside.md": "it is a link that leads out of the folder",
        "folder": "it is a link that leads out of the folder",
        "loop.md": "it is a link that leads nowhere",
        "pipe.md": "it is not an ordinary file",
    }
    assert reports["good.md"].entries == 4
    assert reports["good.docx"].status == "added"
    assert all("\n" not in str(report) for report in reports.values())


def test_a_pdf_of_3000_pages_is_cut(tmp_path: Path) -> None:
    page = show(["Inputs change after training."])
    source = write(tmp_path / "in", {"long.pdf": pdf([page] * 3000)})
    report = ingest(source, tmp_path / "home")["long.pdf"]
    assert report.status == "added"
    assert report.warnings == ("only the first 2000 of 3000 pages were read",)


def test_names_are_shown_as_one_harmless_line(tmp_path: Path) -> None:
    assert shown_name("a\nb\x1b[31mred\u202egnp.md") == "a?b?redgnp.md"
    assert shown_name("../../etc/passwd") == "../../etc/passwd"
    source = write(tmp_path / "in", {"a\nb\x1b[31m.md": GUIDE, "..%2f..%2fevil.md": "# Evil\n\nText here.\n"})
    home = tmp_path / "home"
    reports = ingest(source, home)
    assert sorted(reports) == ["a?b?.md"]  # a name that begins with a dot is a hidden file
    assert sorted(path.name for path in home.iterdir()) == sorted(
        f"{report.prefix}.json" for report in reports.values()
    )


def test_too_many_files_and_too_deep_folders_are_said_once(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {f"{number}.md": f"# Title {number}\n\nText.\n" for number in range(5)})
    reports = ingest(source, tmp_path / "home", files=3)
    assert [report.status for report in reports.values()] == ["added"] * 3 + ["skipped"]
    assert list(reports.values())[-1].reason == "there are more than 3 files; the rest was not read"
    deep = write(source / "a" / "b" / "c", {"d.md": GUIDE})
    assert deep.is_dir()
    reasons = [report.reason for report in ingest(source, tmp_path / "other", depth=1).values() if report.reason]
    assert reasons == ["folders are nested deeper than 1 levels"]
