"""Feedback lines: whole, appended, private, and readable after a crash."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import ResourceError
from rag.types import Answer, Claim, Source, Turn
from ui.feedback import FILE, feedback_on, keep_feedback, kept_feedback

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
