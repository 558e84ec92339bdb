"""Batches: one JSON object a line in, one a line out, in order, a bad line never stopping the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from rag.errors import ModelError, QuestionError, ResourceError
from rag.types import Turn
from ui.batch import PatientPace, parse_item, run_batch

TURNS = [{"role": "user", "text": "What is L1?"}, {"role": "assistant", "text": "A penalty."},
         {"role": "user", "text": "And L2?"}]  # fmt: skip


def echo(question: str, history: list[Turn]) -> dict[str, Any]:
    """What would be a tutor: says back what it was asked, and fails where the question says so."""
    if question == "fail":
        raise ModelError("small sent an empty reply.", "Ask again.")
    return {"asked": question, "turns": [turn.text for turn in history]}


def run(tmp_path: Path, *lines: str) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """The rows written for these lines, and the counts."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(line + "\n" for line in lines), "utf-8")
    counts = run_batch(source, target, echo)
    return [json.loads(line) for line in target.read_text("utf-8").splitlines()], counts


def test_lines_are_answered_in_input_order_under_their_ids(tmp_path: Path) -> None:
    rows, counts = run(tmp_path, '{"id": "b", "question": "first"}', '{"id": 7, "question": "second"}')
    assert rows == [{"id": "b", "asked": "first", "turns": []}, {"id": 7, "asked": "second", "turns": []}]
    assert counts == (2, 0)


def test_turns_give_the_last_one_as_question_and_the_others_as_history(tmp_path: Path) -> None:
    rows, _ = run(tmp_path, json.dumps({"id": "1", "turns": TURNS}))
    assert rows == [{"id": "1", "asked": "And L2?", "turns": ["What is L1?", "A penalty."]}]
    assert parse_item({"turns": TURNS}) == (
        "And L2?",
        [Turn("user", "What is L1?"), Turn("assistant", "A penalty.")],
    )


def test_a_line_without_an_id_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    rows, counts = run(tmp_path, '{"question": "a"}', "", "   ", '{"question": "b"}')
    assert [row["id"] for row in rows] == [1, 4]
    assert counts == (2, 0)


def test_a_failing_line_carries_its_error_and_the_next_is_answered(tmp_path: Path) -> None:
    rows, counts = run(tmp_path, '{"id": "x", "question": "fail"}', '{"id": "y", "question": "fine"}')
    assert rows[0] == {"id": "x", "error": "small sent an empty reply. Ask again."}
    assert rows[1]["asked"] == "fine"
    assert counts == (2, 1)


def test_a_line_that_is_not_json_is_named_by_its_number(tmp_path: Path) -> None:
    rows, counts = run(tmp_path, '{"question": "a"}', '{"question": ')
    assert rows[1] == {"id": 2, "error": "Line 2 is not JSON: Expecting value."}
    assert counts == (2, 1)


@pytest.mark.parametrize(
    "item",
    [
        {},
        [],
        "What is drift?",
        None,
        {"question": None},
        {"question": ["What is drift?"]},
        {"turns": []},
        {"turns": "What is drift?"},
        {"turns": ["What is drift?"]},
        {"turns": [{"role": "user"}]},
        {"turns": [{"role": "system", "text": "Obey."}, *TURNS]},
        {"turns": TURNS[:2]},
    ],
)
def test_an_item_that_is_no_question_says_what_a_line_needs(tmp_path: Path, item: Any) -> None:
    with pytest.raises(QuestionError) as caught:
        parse_item(item)
    assert caught.value.message == "A line needs `question`, or `turns` that end with one of role `user`."
    assert caught.value.cure.startswith('Write {"id": "1", "question": "…"} or ')
    rows, counts = run(tmp_path, json.dumps(item))
    assert (rows, counts) == ([{"id": 1, "error": str(caught.value)}], (1, 1))


def test_letters_of_all_scripts_are_written_as_they_are(tmp_path: Path) -> None:
    run(tmp_path, '{"id": "ä", "question": "什么是漂移?"}')
    assert (tmp_path / "out.jsonl").read_text("utf-8") == '{"id": "ä", "asked": "什么是漂移?", "turns": []}\n'


def test_half_a_surrogate_pair_neither_stops_the_batch_nor_breaks_its_json(tmp_path: Path) -> None:
    rows, counts = run(tmp_path, r'{"id": "\ud83d", "question": "a"}', '{"id": "2", "question": "b"}')
    assert [row["id"] for row in rows] == ["\ud83d", "2"]
    assert counts == (2, 0)


def test_a_file_that_is_not_utf8_is_named_with_the_cure(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes('{"question": "Ä"}'.encode("latin-1"))
    with pytest.raises(QuestionError) as caught:
        run_batch(source, tmp_path / "out.jsonl", echo)
    assert str(caught.value) == f"{source} is not UTF-8 text. Save it as UTF-8, one JSON object a line."


def test_paths_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    source, missing = tmp_path / "in.jsonl", tmp_path / "no" / "out.jsonl"
    with pytest.raises(ResourceError) as caught:
        run_batch(source, tmp_path / "out.jsonl", echo)
    assert str(caught.value) == f"{source}: No such file or directory. Check the paths of --batch and --out."
    source.touch()
    with pytest.raises(ResourceError) as caught:
        run_batch(source, missing, echo)
    assert str(caught.value) == f"{missing}: No such file or directory. Check the paths of --batch and --out."


def test_a_full_disk_names_the_output(tmp_path: Path) -> None:
    source, full = tmp_path / "in.jsonl", Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    source.write_text('{"question": "a"}\n', "utf-8")
    with pytest.raises(ResourceError) as caught:
        run_batch(source, full, echo)
    assert caught.value.message == "/dev/full: No space left on device."


def test_the_questions_are_never_overwritten_by_their_answers(tmp_path: Path) -> None:
    source, link = tmp_path / "in.jsonl", tmp_path / "link.jsonl"
    source.write_text('{"question": "a"}\n', "utf-8")
    link.symlink_to(source)
    for target in (source, link):
        with pytest.raises(QuestionError) as caught:
            run_batch(source, target, echo)
        assert str(source) in caught.value.message
        assert caught.value.cure == "Name another file after --out."
        assert source.read_text("utf-8") == '{"question": "a"}\n'


def test_a_batch_waits_for_its_turn_and_says_so() -> None:
    now, said = [0.0], list[str]()

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = PatientPace(2, said.append, lambda: now[0], sleep)
    assert [(pace.wait(), now[0]) for _ in range(5)] == [(0.0, 0.0), (0.0, 0.0), (0.0, 60.0), (0.0, 60.0), (0.0, 120.0)]
    wait = "the language model is asked 2 times a minute at the most (TUTOR_REQUESTS_PER_MINUTE)."
    assert said == [f"Waiting 60 s: {wait}"] * 2
