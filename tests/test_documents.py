"""Documents keep their ids through every edit, and are kept one file each."""

import time
from pathlib import Path

import pytest

from ingest.documents import Document, FileReport, ingest_paths, list_documents, remove_document
from ingest.limits import Limits
from ingest.numbering import BUILT_IN, new_prefix
from rag.errors import ResourceError, UsageError
from rag.types import FollowUp
from tests.document_files import GUIDE, ingest, silent, write
from tests.guide_files import TEXT

PROSE = "# {0}\n\n## Alpha\n\nFirst text.\n\n## Beta\n\nSecond text.\n"


def taken(tmp_path: Path, text: str, name: str = "guide.md") -> tuple[FileReport, dict[str, str]]:
    """The report of one version of a guide, and the question of each id."""
    source = write(tmp_path / "in", {name: text})
    report = ingest(source, tmp_path / "home")[name]
    document = next(item for item in list_documents(tmp_path / "home") if item.id_prefix == report.prefix)
    return report, {entry.id: entry.question for entry in document.entries}


def test_an_entry_carries_its_document(tmp_path: Path) -> None:
    report, _ = taken(tmp_path, GUIDE)
    assert report == FileReport("guide.md", "added", "DDQ", 4)
    (document,) = list_documents(tmp_path / "home")
    entry = next(entry for entry in document.entries if entry.id == "DDQ-01")
    assert entry.question == "What is drift?"
    assert (entry.guide, entry.level, entry.path) == (
        "Data Drift Questions (your document)",
        "practitioner",
        "guide.md",
    )
    assert (entry.also_asked, entry.key_points, entry.topics, entry.related) == ((), (), (), ())
    assert Document.from_dict(document.to_dict()) == document


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    taken(tmp_path, GUIDE)
    path = tmp_path / "home" / "DDQ.json"
    before = path.stat().st_mtime_ns
    assert taken(tmp_path, GUIDE)[0].status == "unchanged"
    assert path.stat().st_mtime_ns == before


def test_own_numbers_become_ids_and_stay_through_edits(tmp_path: Path) -> None:
    _, first = taken(tmp_path, GUIDE)
    assert first["DDQ-02"] == "How is drift found?"
    edited = GUIDE.replace("How is drift found?", "How can drift be detected?")
    report, second = taken(tmp_path, edited)
    assert (report.status, report.prefix) == ("updated", "DDQ")
    assert second == {**first, "DDQ-02": "How can drift be detected?"}


def test_a_question_put_in_between_takes_no_other_questions_number(tmp_path: Path) -> None:
    _, first = taken(tmp_path, GUIDE)
    text = GUIDE.replace("## Q3.", "## Q4.").replace("## Q2.", "## Q3.")
    text = text.replace("## Q3.", "## Q2. What is skew?\n\nA mismatch.\n\n## Q3.", 1)
    _, second = taken(tmp_path, text)
    assert {id: question for id, question in second.items() if id in first} == first
    assert second.keys() - first.keys() == {"DDQ-05"}
    assert second["DDQ-05"] == "What is skew?"


def test_a_number_is_never_used_again(tmp_path: Path) -> None:
    _, first = taken(tmp_path, GUIDE)
    shorter = GUIDE[: GUIDE.index("## Q3.")]
    _, second = taken(tmp_path, shorter)
    assert "DDQ-03" not in second
    _, third = taken(tmp_path, shorter + "## Q3. What is skew?\n\nA mismatch.\n")
    assert third["DDQ-05"] == "What is skew?"
    assert "DDQ-03" not in third
    _, fourth = taken(tmp_path, GUIDE)
    assert fourth == first


def test_sections_without_numbers_are_known_by_their_words(tmp_path: Path) -> None:
    _, first = taken(tmp_path, PROSE.format("Some Long Notes"))
    assert first == {"SLN-01": "Alpha", "SLN-02": "Beta"}
    _, second = taken(tmp_path, PROSE.format("Some Long Notes").replace("## Alpha", "## New\n\nText.\n\n## Alpha"))
    assert second == {**first, "SLN-03": "New"}


def test_numbers_that_start_again_in_each_part_stay_apart(tmp_path: Path) -> None:
    text = "# Two Part Guide\n\n## Part 1: A\n\n### Q1: One?\n\nx\n\n## Part 2: B\n\n### Q1: Two?\n\ny\n"
    _, first = taken(tmp_path, text)
    assert first == {"TPG-01": "One?", "TPG-02": "Two?"}
    _, second = taken(tmp_path, text.replace("Two?", "Two again?"))
    assert second == {"TPG-01": "One?", "TPG-02": "Two again?"}


def test_a_renamed_file_with_the_same_title_is_the_same_document(tmp_path: Path) -> None:
    taken(tmp_path, GUIDE, "old.md")
    (tmp_path / "in" / "old.md").unlink()
    report, _ = taken(tmp_path, GUIDE + "\nMore text.\n", "new.md")
    assert (report.status, report.prefix) == ("updated", "DDQ")


def test_two_files_with_one_title_are_two_documents_and_a_copy_is_none(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a.md": GUIDE, "b.md": GUIDE + "\nMore.\n", "c.md": GUIDE})
    for status in ("added", "unchanged"):
        reports = ingest(source, tmp_path / "home")
        assert [reports[name].prefix for name in ("a.md", "b.md")] == ["DDQ", "DDQ2"]
        assert [reports[name].status for name in ("a.md", "b.md")] == [status, status]
        assert reports["c.md"].reason == "it has the same content as a.md"


@pytest.mark.parametrize(
    ("title", "prefix"),
    [
        ("NLP Interview Questions", "NLP"),
        ("Interview Preparation", "INTPRE"),
        ("The Art of Machine Learning", "AML"),
        ("Drift", "DRIFT"),
        ("Über Prüfungen", "UBEPRU"),
        ("LLM notes", "LLM2"),
        ("Вопросы", "FILE"),
        ("AI", "FILE"),
    ],
)
def test_prefixes_come_from_the_title(title: str, prefix: str) -> None:
    assert new_prefix(title, "folder/file.md", set()) == prefix


def test_a_taken_prefix_gets_a_digit() -> None:
    assert new_prefix("NLP questions", "a.md", {"NLP", "NLP2"}) == "NLP3"
    assert not any(new_prefix(prefix + " notes", "a.md", set()) in BUILT_IN for prefix in BUILT_IN)


def test_our_own_entry_format_keeps_everything_and_its_id(tmp_path: Path) -> None:
    text = TEXT.replace("FND-01", "ABC-07")
    report, ids = taken(tmp_path, text, "ABC-07-first.md")
    assert (report.prefix, report.warnings, ids) == ("ABC-07", (), {"ABC-07": "What is drift?"})
    (document,) = list_documents(tmp_path / "home")
    (entry,) = document.entries
    assert entry.answer == "## Answer\n\nDrift is a **change** of the inputs."
    assert entry.follow_ups == (FollowUp("And then?", "Retrain."),)
    assert len(entry.also_asked) == 5
    assert (entry.topics, entry.level, entry.related) == (("drift",), "foundation", ("FND-02",))


def test_a_built_in_id_is_never_taken_over(tmp_path: Path) -> None:
    report, ids = taken(tmp_path, TEXT, "FND-01-first.md")
    assert list(ids) == ["SHOTIT-01"]
    assert report.warnings == ("the id FND-01 is taken; it became SHOTIT-01",)
    again, same = taken(tmp_path, TEXT + "\nAgain.\n", "FND-01-first.md")
    assert (again.status, same) == ("updated", ids)


def test_other_front_matter_gives_the_title(tmp_path: Path) -> None:
    report, ids = taken(tmp_path, "---\ntitle: Notes on Data Drift\ntags: [a]\n---\nDrift is change.\n")
    assert report.prefix == "NDD"
    assert len(ids) == 1


def test_removing_names_what_there_is(tmp_path: Path) -> None:
    taken(tmp_path, GUIDE)
    home = tmp_path / "home"
    for unknown in ("XYZ", "../DDQ", ""):
        with pytest.raises(UsageError, match="There is no document .*DDQ"):
            remove_document(home, unknown)
    assert remove_document(home, "ddq").title == "Data Drift Questions"
    assert list_documents(home) == []
    assert list_documents(tmp_path / "nowhere") == []


def test_a_damaged_document_says_so(tmp_path: Path) -> None:
    write(tmp_path, {"DDQ.json": "{"})
    with pytest.raises(ResourceError, match="Delete this file and add the document again"):
        list_documents(tmp_path)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (report,) = ingest_paths([tmp_path / "no.md"], tmp_path / "home", Limits(), silent)
    assert str(report) == "no.md: skipped: it cannot be opened (No such file or directory)"


def test_two_hundred_unchanged_files_take_no_time(tmp_path: Path) -> None:
    names = [f"{first}{second}" for first in "abcdefghij" for second in "klmnopqrstuvwxyzabcd"]
    source = write(tmp_path / "in", {f"{name}.md": GUIDE.replace("Data", name.title() * 2) for name in names})
    assert {report.status for report in ingest(source, tmp_path / "home").values()} == {"added"}
    start = time.perf_counter()
    assert {report.status for report in ingest(source, tmp_path / "home").values()} == {"unchanged"}
    assert time.perf_counter() - start < 2
