"""Feedback lines: whole, appended, private, readable after a crash; and the questions they become."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from eval import drafts
from ingest.build import build_index
from rag.errors import ResourceError
from rag.settings import Settings
from rag.types import Answer, Claim, Source, Turn
from tests.conftest import silent
from ui.eval_report import add_report
from ui.feedback import FILE, feedback_on, feedback_rows, keep_feedback, kept_feedback

CLAIM = Claim("Clip the gradient.", ("SCN-09",), 1.0, "Clip the gradient.")
ANSWER = Answer("and why?", "why NaN: and why?", "answered", (CLAIM,), (Source("SCN-09", "T", "scenarios"),),
                ("SCN-09", "FND-02"), "quote")  # fmt: skip
HISTORY = [Turn("user", "why NaN?"), Turn("assistant", "Gradients explode. [SCN-09]")]


def test_a_line_has_what_an_evaluation_needs(tmp_path: Path) -> None:
    keep_feedback(tmp_path / "new" / "home", feedback_on(ANSWER, HISTORY, "wrong", CLAIM.text))
    line = json.loads((tmp_path / "new" / "home" / FILE).read_text("utf-8"))
    date = line.pop("date")
    assert line == {
        "question": "and why?",
        "history": [{"role": "user", "text": "why NaN?"}, {"role": "assistant", "text": "Gradients explode. [SCN-09]"}],
        "status": "answered",
        "model": "quote",
        "cited": ["SCN-09"],
        "verdict": "wrong",
        "sentence": "Clip the gradient.",
    }
    assert date.endswith("+00:00")


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    keep_feedback(tmp_path, feedback_on(ANSWER, (), "helpful"))
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_lines_of_sessions_at_once_stay_whole(tmp_path: Path) -> None:
    long = Answer(f"{'long ' * 3000}", "x", "answered", (), (), (), "quote")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: keep_feedback(tmp_path, feedback_on(long, (), "helpful", str(number))), range(64)))
    found = kept_feedback(tmp_path)
    assert sorted(int(item["sentence"]) for item in found) == list(range(64))
    assert {item["question"] for item in found} == {long.question}


def test_a_line_cut_by_a_crash_spoils_neither_what_was_before_nor_what_comes(tmp_path: Path) -> None:
    keep_feedback(tmp_path, feedback_on(ANSWER, (), "helpful", "first"))
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write('{"question": "cut')
    keep_feedback(tmp_path, feedback_on(ANSWER, (), "helpful", "second"))
    assert [item["sentence"] for item in kept_feedback(tmp_path)] == ["first", "second"]


def test_half_a_surrogate_pair_and_line_breaks_are_kept_in_one_line(tmp_path: Path) -> None:
    odd = Answer("a\ud800\nb\u2028c", "x", "answered", (), (), (), "quote")
    keep_feedback(tmp_path, feedback_on(odd, (), "helpful"))
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 1
    assert kept_feedback(tmp_path)[0]["question"] == "a\ud800\nb\u2028c"


def test_no_feedback_is_no_lines(tmp_path: Path) -> None:
    assert kept_feedback(tmp_path) == []


def test_a_home_that_cannot_be_written_to_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ResourceError) as caught:
        keep_feedback(tmp_path / "home", feedback_on(ANSWER, (), "helpful"))
    assert FILE in caught.value.message
    assert "TUTOR_HOME" in caught.value.cure


def test_a_full_disk_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("This system has no /dev/full to play a full disk.")
    (tmp_path / FILE).symlink_to(full)
    with pytest.raises(ResourceError, match="feedback"):
        keep_feedback(tmp_path, feedback_on(ANSWER, (), "helpful"))


def said(question: str, verdict: str = "helpful", **more: Any) -> dict[str, Any]:
    return {"question": question, "verdict": verdict, "cited": ["SCN-09"], "status": "answered", "history": [],
            "sentence": "", **more}  # fmt: skip


def rows(*items: Any) -> list[tuple[str, list[str], str | None]]:
    found, _ = feedback_rows(items, {"SCN-08", "SCN-09"}, 200)
    assert all(not drafts.is_reviewed(row) for row in found)
    return [(row["question"], row["relevant"], row.get("note")) for row in found]


def test_helpful_answers_name_their_entries_and_wrong_ones_only_say_so() -> None:
    assert rows(said("Why NaN?"), said("why  nan", cited=["SCN-08", "GONE-1", "SCN-09"])) == [
        ("Why NaN?", ["SCN-09", "SCN-08"], None)
    ]
    assert rows(said("Why NaN?", "wrong", sentence="It is\nthe moon.")) == [
        ("Why NaN?", [], "A reader called the answer wrong; it cited SCN-09. Wrong: It is the moon.")
    ]
    assert rows(said("Why NaN?", "wrong", status="not_covered", cited=[])) == [
        ("Why NaN?", [], "A reader called the refusal wrong.")
    ]
    ((_, relevant, note),) = rows(said("Why NaN?", "wrong"), said("Why NaN?"))
    assert (relevant, note) == (["SCN-09"], "A reader called the answer wrong; it cited SCN-09.")


def test_a_question_of_a_conversation_has_to_be_written_anew() -> None:
    turns = [{"role": "user", "text": "why NaN?"}, {"role": "assistant", "text": "x"}]
    ((_, relevant, note),) = rows(said("and why?", history=turns))
    assert (relevant, note) == (["SCN-09"], 'Write it so that it stands alone: it followed "why NaN?".')


@pytest.mark.parametrize("item", [
    {}, said(""), said("x" * 201), said("a\ud800"), said("Who?", cited=[]), said("Who?", cited="SCN-09"),
    said("Who?", cited=["GONE-1", 3]), said("Who?", "fine"),
])  # fmt: skip
def test_what_gives_no_question_is_counted(item: dict[str, Any]) -> None:
    found, notes = feedback_rows([item, said("Why NaN?")], {"SCN-09"}, 200)
    assert [row["question"] for row in found] == ["Why NaN?"]
    assert notes[0].startswith("1 lines of feedback gave no question")


def test_odd_lines_can_be_written(tmp_path: Path) -> None:
    odd = said("Who?", "wrong", sentence="a\ud800\u2028b", history=[{"role": "user", "text": 3}, "x"])
    found, _ = feedback_rows([odd], (), 200)
    drafts.write_rows(tmp_path / "d.jsonl", found)
    assert "Wrong: a? b" in drafts.read_drafts(tmp_path / "d.jsonl")[0]["note"]


def command(*words: str, typed: str = "") -> list[str]:
    app = typer.Typer()
    add_report(app)
    result = CliRunner().invoke(app, [*words], input=typed)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.real
def test_feedback_becomes_drafts_and_a_person_names_the_entries_of_a_wrong_answer(
    spare_home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TUTOR_HOME", str(spare_home.home))
    monkeypatch.setenv("TUTOR_CORPUS", str(spare_home.corpus))
    monkeypatch.setenv("TUTOR_EMBEDDING_MODEL", spare_home.embedding_model)
    monkeypatch.chdir(tmp_path)
    build_index(spare_home, silent)
    for question, verdict in (("Why is my loss NaN?", "helpful"), ("Why do early layers not learn?", "wrong")):
        answer = Answer(question, question, "answered", (CLAIM,), ANSWER.sources, (), "quote")
        keep_feedback(spare_home.home, feedback_on(answer, (), verdict))  # type: ignore[arg-type]
    assert "2 drafts of 2 lines of feedback written to d.jsonl." in command("make-dataset", "--feedback", "--out",
                                                                            "d.jsonl")  # fmt: skip
    told = command("accept-dataset", "d.jsonl", "--all", "--out", "mine.jsonl")
    assert told[0].startswith("1 accepted, 0 dropped, 1 still unreviewed")
    told = command("accept-dataset", "mine.jsonl", "--out", "mine.jsonl", typed="k\n\nk\nscn-08, SCN-09\n")
    assert "  A reader called the answer wrong; it cited SCN-09." in told
    assert [(row["relevant"], row["reviewed"], "note" in row) for row in drafts.read_drafts(Path("mine.jsonl"))] == [
        (["SCN-09"], True, False), (["SCN-08", "SCN-09"], True, False),
    ]  # fmt: skip
