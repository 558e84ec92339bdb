"""The gold questions are read with every fault named, and are what the measurements promise they are."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eval import gold
from eval.gold import Dialogue, GoldQuestion, OpenQuestion, dialogues, of_split, open_questions, questions, split_of
from ingest.guides import check_corpus, entry_files
from ingest.questions import open_questions as outside
from rag.errors import UsageError
from rag.settings import PROJECT
from rag.types import Turn

CORPUS = PROJECT / "corpus"
IDS = {"-".join(path.name.split("-")[:2]) for path in entry_files(CORPUS)}
GOOD = '{"id": "Q1", "question": "what is psi", "relevant": ["FND-05", "SCN-32"], "style": "keyword"}'
FORM = "The form is"


def rows_file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "own.jsonl"
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path


def folded(text: str) -> str:
    """A question without its case and spacing."""
    return " ".join(text.casefold().split())


def everything() -> list[tuple[str, str]]:
    """(id, question) of every gold question, the last turns of conversations too."""
    items: list[GoldQuestion | OpenQuestion | Dialogue] = [*questions(), *open_questions(), *dialogues()]
    return [(item.id, item.question) for item in items]


def test_a_question_is_read_with_all_its_parts(tmp_path: Path) -> None:
    assert questions(rows_file(tmp_path, GOOD)) == [
        GoldQuestion("Q1", "what is psi", ("FND-05", "SCN-32"), "keyword"),
    ]


def test_a_question_of_ones_own_needs_neither_id_nor_style(tmp_path: Path) -> None:
    path = rows_file(tmp_path, GOOD, "", '{"question": "and ks?", "relevant": ["FND-05"]}')
    assert questions(path)[1] == GoldQuestion("2", "and ks?", ("FND-05",), "unstyled")


@pytest.mark.parametrize(
    "row",
    [
        '{"id": "Q2", "relevant": ["FND-05"]}',
        '{"id": "Q2", "question": 7, "relevant": ["FND-05"]}',
        '{"id": "Q2", "question": "what is psi"}',
        '{"id": "Q2", "question": "what is psi", "relevant": []}',
        '{"id": "Q2", "question": "what is psi", "relevant": "FND-05"}',
    ],
)
def test_a_row_without_question_or_entries_is_named_with_the_form_it_should_have(tmp_path: Path, row: str) -> None:
    path = rows_file(tmp_path, GOOD, row, GOOD)
    with pytest.raises(UsageError) as caught:
        questions(path)
    assert caught.value.message == f"Row 2 of {path} has no question or no relevant entries."
    assert json.loads(caught.value.cure.removeprefix(FORM).rstrip("."))["relevant"] == ["SCN-14"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([GOOD, "", GOOD], "Line 3 of {} has the id Q1 of line 1."),
        (['{"id": 2, "question": "psi", "relevant": ["FND-05"]}', '{"question": "ks", "relevant": ["FND-05"]}'],
         "Line 2 of {} has the id 2 of line 1."),
    ],
)  # fmt: skip
def test_an_id_that_is_used_twice_is_named_with_both_lines(tmp_path: Path, lines: list[str], told: str) -> None:
    path = rows_file(tmp_path, *lines)
    with pytest.raises(UsageError) as caught:
        questions(path)
    assert caught.value.message == told.format(path)


@pytest.mark.parametrize("line", ['{"question": "cut', "what is psi", '["what is psi", "FND-05"]', '"psi"', "null"])
def test_a_line_that_is_no_object_is_named_by_its_number_in_the_file(tmp_path: Path, line: str) -> None:
    path = rows_file(tmp_path, GOOD, "", "  ", line)
    with pytest.raises(UsageError) as caught:
        questions(path)
    assert caught.value.message == f"Line 4 of {path} is not a JSON object."


def test_a_line_nested_too_deep_is_named_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Line 2 of "):
        questions(rows_file(tmp_path, GOOD, "[" * 100_000))


@pytest.mark.parametrize("kind", ["missing", "folder", "not text"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "own.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "not text":
        path.write_bytes(GOOD.encode() + b"\n\xff\n")
    with pytest.raises(UsageError, match="cannot be read: ") as caught:
        questions(path)
    assert caught.value.message.startswith(str(path))
    assert "UTF-8" in caught.value.cure


def test_open_questions_and_conversations_are_read_with_all_their_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gold, "FOLDER", tmp_path)
    left_open = {"id": "N1", "question": "boil an egg", "kind": "off_topic", "near": []}
    turns = [("user", "what is psi"), ("assistant", "A distance."), ("user", "its threshold?")]
    talk = {"id": "D1", "turns": [{"role": role, "text": text} for role, text in turns], "relevant": ["FND-05"]}
    (tmp_path / "not_covered.jsonl").write_text(json.dumps(left_open), "utf-8")
    (tmp_path / "dialogues.jsonl").write_text(json.dumps(talk), "utf-8")
    assert open_questions() == [OpenQuestion("N1", "boil an egg", "off_topic")]
    history = (Turn("user", "what is psi"), Turn("assistant", "A distance."))
    assert dialogues() == [Dialogue("D1", history, "its threshold?", ("FND-05",))]


def test_which_half_a_question_is_in_never_changes() -> None:
    # Numbers that were reported once would mean something else if these moved.
    assert [split_of(f"G00{number}") for number in range(1, 7)] == ["test"] * 3 + ["tune"] * 3


def test_the_halves_share_nothing_and_leave_nothing_out() -> None:
    items = questions()
    tune, test = of_split(items, "tune"), of_split(items, "test")
    assert of_split(items, "all") == items
    assert sorted(item.id for item in tune + test) == sorted(item.id for item in items)
    assert {split_of(item.id) for item in tune} == {"tune"}
    assert {split_of(item.id) for item in test} == {"test"}


@pytest.mark.parametrize("read", [questions, open_questions, dialogues])
def test_the_halves_are_about_as_large(read: Any) -> None:
    items = read()
    assert 0.4 < len(of_split(items, "test")) / len(items) < 0.6


def test_there_are_enough_questions_and_every_entry_comes_first_in_two() -> None:
    items = questions()
    assert len(items) >= 400
    first = Counter(item.relevant[0] for item in items)
    assert len(IDS) == 157
    assert {entry: first[entry] for entry in IDS if first[entry] < 2} == {}


def test_there_are_enough_open_questions_two_thirds_of_them_near_misses() -> None:
    kinds = Counter(item.kind for item in open_questions())
    assert set(kinds) == {"near_miss", "off_topic"}
    assert kinds.total() >= 120
    assert kinds["near_miss"] / kinds.total() == pytest.approx(2 / 3, abs=0.05)


def test_there_are_enough_conversations_and_each_ends_with_a_turn_that_has_something_before_it() -> None:
    rows = gold.read_rows(gold.FOLDER / "dialogues.jsonl")
    assert len(rows) >= 50
    for row in rows:
        roles = [turn["role"] for turn in row["turns"]]
        assert len(roles) >= 3, row["id"]
        assert roles == [("user", "assistant")[number % 2] for number in range(len(roles))], row["id"]
        assert roles[-1] == "user", row["id"]


def test_every_id_is_there_once() -> None:
    assert [id for id, count in Counter(id for id, _ in everything()).items() if count > 1] == []


def test_every_entry_that_is_named_exists() -> None:
    items: list[GoldQuestion | Dialogue] = [*questions(), *dialogues()]
    named = {entry for item in items for entry in item.relevant}
    named |= {entry for row in gold.read_rows(gold.FOLDER / "not_covered.jsonl") for entry in row["near"]}
    assert named - IDS == set()


def test_every_question_lists_an_entry_once() -> None:
    items: list[GoldQuestion | Dialogue] = [*questions(), *dialogues()]
    assert [item.id for item in items if len(set(item.relevant)) < len(item.relevant) or not item.relevant] == []


def test_no_gold_question_is_one_the_tutor_learns_from() -> None:
    """Word for word, whatever the case; a keyword question may well be an entry's title."""
    learnt = {folded(text): "outside.jsonl" for text in outside(CORPUS)}
    for entry in check_corpus(CORPUS)[0]:
        learnt |= {folded(text): f"asked.jsonl for {entry.id}" for text in entry.asked}
        learnt |= {folded(text): f"also_asked of {entry.id}" for text in entry.also_asked}
    assert len(learnt) > 5000
    found = {id: f"{text!r} is in {learnt[folded(text)]}" for id, text in everything() if folded(text) in learnt}
    assert found == {}
