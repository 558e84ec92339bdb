"""User documents from the command to the answer, with the real index."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.build import build_index, ensure_index
from ingest.library import add_documents, drop_document
from ingest.state import state_of_index
from rag.errors import UsageError
from rag.settings import PROJECT, Settings
from rag.types import Answer
from rag.wiring import Library
from tests.conftest import silent

pytestmark = pytest.mark.real

NOTES = """# Beehive monitoring

## Q1. How does a scale under a hive show swarming?

**Answer:** The weight of the hive falls by one to three kilograms within an hour. A swarm leaves in the late morning.

## Q2. Which sensor finds a lost queen?

**Answer:** A microphone finds a lost queen, because queenless bees roar at about 400 hertz.
"""


def ask(settings: Settings, question: str) -> Answer:
    folder, _ = ensure_index(settings, silent)
    library = Library(settings, folder)
    try:
        return library.tutor().ask(question)
    finally:
        library.close()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "bees.md"
    path.write_text(NOTES, "utf-8")
    return path


def test_a_document_is_asked_cited_edited_and_removed(spare_home: Settings, notes: Path) -> None:
    build_index(spare_home, silent)
    question = "which sensor notices that the queen bee is gone"
    assert ask(spare_home, question).status == "not_covered"

    (report,) = add_documents(spare_home, [notes], silent)
    assert (report.status, report.entries) == ("added", 2)
    answer = ask(spare_home, question)
    assert answer.status == "answered"
    assert answer.sources[0].id == f"{report.prefix}-02"
    assert answer.sources[0].guide == "Beehive monitoring (your document)"
    assert "400 hertz" in answer.text

    (again,) = add_documents(spare_home, [notes], silent)
    assert again.status == "unchanged"
    notes.write_text(NOTES.replace("400 hertz", "410 hertz"), "utf-8")
    (changed,) = add_documents(spare_home, [notes], silent)
    assert (changed.status, changed.prefix) == ("updated", report.prefix)
    assert "410 hertz" in ask(spare_home, question).text

    removed = drop_document(spare_home, report.prefix, silent)
    assert removed.title == "Beehive monitoring"
    assert ask(spare_home, question).status == "not_covered"
    with pytest.raises(UsageError, match="tutor ingest --list"):
        drop_document(spare_home, report.prefix, silent)


def test_a_word_only_a_document_knows_is_not_corrected_away(spare_home: Settings, tmp_path: Path) -> None:
    build_index(spare_home, silent)
    path = tmp_path / "names.md"
    path.write_text("# Names\n\n## Q1. What is gradeent?\n\n**Answer:** Gradeent is our scheduler.\n", "utf-8")
    (report,) = add_documents(spare_home, [path], silent)
    answer = ask(spare_home, "what is gradeent")
    assert answer.standalone_question == "what is gradeent"
    assert answer.sources[0].id == f"{report.prefix}-01"


def test_only_changed_entries_of_a_document_are_embedded_again(spare_home: Settings, notes: Path) -> None:
    build_index(spare_home, silent)
    add_documents(spare_home, [notes], silent)
    notes.write_text(NOTES.replace("late morning", "early afternoon"), "utf-8")
    from ingest.documents import ingest_paths
    from ingest.library import limits_of

    ingest_paths([notes], spare_home.documents_folder, limits_of(spare_home), silent)
    assert "1 new or edited" in state_of_index(spare_home)[1]
    assert build_index(spare_home, silent).embedded == 1


def test_a_document_that_contradicts_a_guide_is_shown_beside_it(spare_home: Settings, tmp_path: Path) -> None:
    build_index(spare_home, silent)
    path = tmp_path / "own.md"
    path.write_text(
        "# Own notes\n\n## Q1. The loss of an LSTM turns into NaN. What makes training stable?\n\n"
        "**Answer:** Gradient clipping never helps against NaN in an LSTM, only a smaller batch does.\n",
        "utf-8",
    )
    (report,) = add_documents(spare_home, [path], silent)
    answer = ask(spare_home, "The loss of my LSTM turns into NaN. What makes training stable?")
    assert {"SCN-09", f"{report.prefix}-01"} <= {source.id for source in answer.sources}


def test_the_command_adds_lists_and_removes(spare_home: Settings, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 garbage")
    environment = {
        **os.environ,
        "TUTOR_HOME": str(spare_home.home),
        "TUTOR_CORPUS": str(spare_home.corpus),
        "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model,
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "ui.cli", "ingest", *words]
        return subprocess.run(call, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)

    done = run(str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    files = {item["file"]: item for item in json.loads(done.stdout)["files"]}
    assert files["bees.md"]["status"] == "added"
    assert files["broken.pdf"]["status"] == "skipped"
    assert files["broken.pdf"]["reason"]
    prefix = files["bees.md"]["prefix"]
    assert prefix in run("--list").stdout
    assert "Removed" in run("--remove", prefix).stdout
    assert "No documents yet" in run("--list").stdout
    done = run()
    assert done.returncode == 2
    assert "--list" in done.stderr
