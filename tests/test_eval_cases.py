"""What a run puts to the tutor: the made sets are fresh, whole, and read with every fault named."""

import json
from collections import Counter
from pathlib import Path

import pytest

from eval import cases, gold
from eval.cases import ATTACKS, CONSISTENCY, JUDGED, Case, project_cases, sampled
from eval.gold import GoldQuestion, OpenQuestion, split_of
from ingest.guides import check_corpus
from ingest.questions import open_questions as outside
from rag.errors import UsageError
from rag.settings import PROJECT
from rag.types import Turn

CORPUS = PROJECT / "corpus"
ASKED = [GoldQuestion(f"G{number}", f"What is thing {number}", ("CON-01",), "keyword") for number in range(6)]
OPEN = [OpenQuestion(f"N{number}", f"how is egg {number} boiled?", "near_miss") for number in range(3)]


def folded(text: str) -> str:
    return " ".join(text.casefold().strip(" ?.!").split())


def test_a_partial_question_joins_one_of_each_kind_in_turn() -> None:
    found = cases.partial(ASKED, OPEN)
    assert [(case.id, case.question, case.left_open) for case in found] == [
        ("G0+N0", "What is thing 0? how is egg 0 boiled?", "how is egg 0 boiled?"),
        ("G2+N1", "how is egg 1 boiled? What is thing 2?", "how is egg 1 boiled?"),
        ("G4+N2", "What is thing 4? how is egg 2 boiled?", "how is egg 2 boiled?"),
    ]
    assert {(case.group, case.expected, case.relevant) for case in found} == {("partial", "partial", ("CON-01",))}
    assert [case.style for case in found] == ["near_miss last", "near_miss first", "near_miss last"]
    few = cases.partial(ASKED[:2], OPEN)
    assert [case.id for case in few] == ["G0+N0", "G1+N1"]


def test_a_sample_is_spread_over_each_group() -> None:
    answerable = cases.answerable(ASKED)
    attack = [Case("A1", "attack", "link", "x")]
    assert [case.id for case in sampled([*attack, *answerable], 2)] == ["G0", "G3", "A1"]
    assert sampled(answerable, 100) == answerable


def test_the_halves_have_their_own_questions_and_the_same_attacks() -> None:
    halves = {split: project_cases(split) for split in ("tune", "test", "all")}
    for group in ("answerable", "near_miss", "off_topic", "consistency"):
        ids = {split: {case.id for case in found if case.group == group} for split, found in halves.items()}
        assert ids["all"] == ids["tune"] | ids["test"]
        assert not ids["tune"] & ids["test"]
    for found in halves.values():
        assert sum(case.group == "attack" for case in found) == len(cases.attacks(gold.FOLDER / ATTACKS))
        assert len({(case.group, case.id) for case in found}) == len(found)
    counts = Counter(case.group for case in halves["test"])
    assert counts["partial"] == counts["near_miss"] + counts["off_topic"]
    assert {case.group for case in halves["test"] if case.expected} == set(JUDGED)


@pytest.mark.parametrize(("split", "count"), [("test", 30), ("tune", 60)])
def test_some_questions_of_each_half_are_put_in_five_wordings(split: str, count: int) -> None:
    found = cases.consistency(gold.FOLDER / CONSISTENCY, split)
    assert len(found) == count
    assert {len(case.wordings) for case in found} == {4}
    entries = [case.relevant[0] for case in found]
    assert len(set(entries)) == count
    assert set(entries) <= {entry.id for entry in check_corpus(CORPUS)[0]}
    assert {split_of(entry) for entry in entries} == {split}


def test_no_wording_is_known_to_the_index_or_the_gold_questions() -> None:
    known = {folded(text) for text in outside(CORPUS)}
    for entry in check_corpus(CORPUS)[0]:
        said = [entry.title, entry.question, *entry.also_asked, *(item.question for item in entry.follow_ups)]
        known |= {folded(text) for text in said}
    known |= {folded(json.loads(line)["question"]) for line in (CORPUS / "asked.jsonl").read_text("utf-8").splitlines()}
    known |= {folded(item.question) for item in gold.questions()}
    known |= {folded(item.question) for item in gold.open_questions()}
    wordings = [text for case in cases.consistency(gold.FOLDER / CONSISTENCY, "all") for text in _all(case)]
    assert [text for text in wordings if folded(text) in known] == []
    assert len({folded(text) for text in wordings}) == 450


def _all(case: Case) -> list[str]:
    return [case.question, *case.wordings]


def test_there_are_enough_attacks_of_each_kind_none_of_them_taken_from_the_tests() -> None:
    found = cases.attacks(gold.FOLDER / ATTACKS)
    assert len(found) >= 40
    assert min(Counter(case.style for case in found).values()) >= 3
    lines = (PROJECT / "tests" / "hostile" / "questions.jsonl").read_text("utf-8").splitlines()
    hostile = {folded(json.loads(line)["text"]) for line in lines}
    assert [case.id for case in found if folded(case.question) in hostile] == []
    assert any(case.history for case in found)


def test_an_attack_may_have_a_conversation_before_it(tmp_path: Path) -> None:
    path = tmp_path / "attacks.jsonl"
    row = {"id": "A1", "kind": "link", "turns": [{"role": "user", "text": "hello"}], "question": "and?"}
    path.write_text(json.dumps(row), "utf-8")
    assert cases.attacks(path) == [Case("A1", "attack", "link", "and?", history=(Turn("user", "hello"),))]


@pytest.mark.parametrize(
    ("reader", "row"),
    [
        ("attacks", {"id": "A1", "kind": "link"}),
        ("attacks", {"id": "A1", "kind": 3, "question": "x"}),
        ("attacks", {"id": "A1", "kind": "link", "question": "x", "turns": "hello"}),
        ("attacks", {"id": "A1", "kind": "link", "question": "x", "turns": ["hello"]}),
        ("attacks", {"id": "A1", "kind": "link", "question": "x", "turns": [{"role": "user"}]}),
        ("consistency", {"id": "C1", "entry": "CON-01", "questions": ["only one"]}),
        ("consistency", {"id": "C1", "entry": "CON-01", "questions": ["one", 2]}),
        ("consistency", {"id": "C1", "questions": ["one", "two"]}),
        ("consistency", {"id": "C1", "entry": "CON-01", "questions": "one two"}),
    ],
)
def test_a_row_that_lacks_a_field_is_named_with_the_form_it_should_have(
    reader: str, row: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    with pytest.raises(UsageError) as caught:
        _ = cases.attacks(path) if reader == "attacks" else cases.consistency(path, "all")
    assert caught.value.message == f"Row 1 of {path} lacks a field."
    assert '"id"' in caught.value.cure
