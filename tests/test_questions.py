"""The questions beside the entries are read with them, and every fault in them has its file and line."""

import json
from pathlib import Path

import pytest

from ingest.guides import Fault, check_corpus, content_hashes, read_corpus
from ingest.questions import ASKED_FILE, OUTSIDE_FILE, open_questions
from rag.errors import CorpusError
from tests.guide_files import FIRST, small_corpus

FILES = (ASKED_FILE, OUTSIDE_FILE)
GOOD = {
    ASKED_FILE: '{"entry": "FND-01", "question": "did my inputs move"}',
    OUTSIDE_FILE: '{"question": "how long do eggs boil", "near": ["FND-02"]}',
}


def asked(entry: str, question: str) -> str:
    return json.dumps({"entry": entry, "question": question})


def outside(question: str, *near: str) -> str:
    return json.dumps({"question": question, "near": near})


def a_corpus(tmp_path: Path, **lines: list[str]) -> Path:
    """The small corpus (FND-01 and FND-02) with these lines in `asked` or `outside`."""
    corpus = small_corpus(tmp_path / "corpus")
    for name, rows in lines.items():
        (corpus / f"{name}.jsonl").write_text("".join(row + "\n" for row in rows), "utf-8")
    return corpus


def test_entries_get_their_ways_of_asking_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [asked("FND-01", "inputs shifted"), asked("FND-02", "what is psi"), asked("FND-01", "  why is it worse ")]
    first, second = read_corpus(a_corpus(tmp_path, asked=rows))
    assert first.asked == ("inputs shifted", "why is it worse")
    assert second.asked == ("what is psi",)
    assert "inputs shifted" not in first.also_asked


def test_an_entry_nobody_asks_for_has_no_further_ways_of_asking(tmp_path: Path) -> None:
    entries = read_corpus(a_corpus(tmp_path, asked=[asked("FND-02", "what is psi")]))
    assert [entry.asked for entry in entries] == [(), ("what is psi",)]


def test_the_open_questions_come_in_the_order_of_their_file(tmp_path: Path) -> None:
    corpus = a_corpus(tmp_path, outside=[outside("which flag sets psi", "FND-01", "FND-02"), outside("boil an egg")])
    assert open_questions(corpus) == ["which flag sets psi", "boil an egg"]
    assert check_corpus(corpus)[1] == []


def test_without_the_files_nothing_is_wrong_and_nothing_is_asked_or_open(tmp_path: Path) -> None:
    corpus = a_corpus(tmp_path)
    entries, faults = check_corpus(corpus)
    assert (faults, open_questions(corpus)) == ([], [])
    assert [entry.asked for entry in entries] == [(), ()]


@pytest.mark.parametrize("name", FILES)
def test_one_file_does_without_the_other_and_may_be_empty(tmp_path: Path, name: str) -> None:
    corpus = a_corpus(tmp_path)
    for text in (GOOD[name] + "\n", GOOD[name], ""):
        (corpus / name).write_text(text, "utf-8")
        assert check_corpus(corpus)[1] == []


@pytest.mark.parametrize(
    ("name", "line", "what"),
    [
        ("asked", '{"entry": "FND-01", "question": "cut', "Invalid JSON: EOF while parsing a string"),
        ("asked", "drift?", "Invalid JSON: expected value"),
        ("asked", "", "Invalid JSON: EOF while parsing a value"),
        ("asked", '["FND-01", "what is psi"]', "Input should be an object"),
        ("asked", '{"question": "what is psi"}', "Field required"),
        ("asked", '{"entry": "FND-01"}', "Field required"),
        ("asked", '{"entry": "FND-01", "question": "what is psi", "near": []}', "Extra inputs are not permitted"),
        ("asked", '{"entry": 1, "question": "what is psi"}', "Input should be a valid string"),
        ("asked", '{"entry": "FND-01", "question": null}', "Input should be a valid string"),
        ("asked", asked("FND-01", "ab"), "String should have at least 3 characters"),
        ("asked", asked("FND-01", "  a  "), "String should have at least 3 characters"),
        ("asked", asked("FND-01", "a" * 401), "String should have at most 400 characters"),
        ("asked", asked("FND-77", "what is psi"), "FND-77 is not an entry"),
        ("asked", asked("fnd-01", "what is psi"), "fnd-01 is not an entry"),
        ("outside", '{"question": "boil an egg", "near": [}', "Invalid JSON: expected value"),
        ("outside", '{"question": "boil an egg"}', "Field required"),
        ("outside", '{"question": "boil an egg", "entry": "FND-01", "near": []}', "Extra inputs are not permitted"),
        ("outside", '{"question": "boil an egg", "near": "FND-01"}', "Input should be a valid array"),
        ("outside", '{"question": "boil an egg", "near": [1]}', "Input should be a valid string"),
        ("outside", outside("ab"), "String should have at least 3 characters"),
        ("outside", outside("boil an egg", "FND-01", "SCN-77"), "SCN-77 is not an entry"),
    ],
)
def test_a_fault_is_named_with_its_file_and_line(tmp_path: Path, name: str, line: str, what: str) -> None:
    good = GOOD[f"{name}.jsonl"]
    _, faults = check_corpus(a_corpus(tmp_path, **{name: [good, line]}))
    assert [(fault.path, fault.line) for fault in faults] == [(f"{name}.jsonl", 2)]
    assert what in faults[0].what
    assert "\n" not in str(faults[0])


def test_what_is_as_short_or_as_long_as_allowed_is_no_fault(tmp_path: Path) -> None:
    corpus = a_corpus(tmp_path, asked=[asked("FND-01", "psi"), asked("FND-01", "a" * 400)], outside=[outside("egg")])
    assert check_corpus(corpus)[1] == []


def test_a_question_that_names_two_unknown_entries_has_two_faults(tmp_path: Path) -> None:
    _, faults = check_corpus(a_corpus(tmp_path, outside=[outside("boil an egg", "SCN-78", "FND-02", "SCN-77")]))
    assert list(map(str, faults)) == [f"{OUTSIDE_FILE}:1: SCN-{number} is not an entry" for number in (77, 78)]


@pytest.mark.parametrize("again", ["what is psi", "What is PSI", " what is psi\t"])
def test_a_question_that_is_there_twice_is_named_with_its_first_place(tmp_path: Path, again: str) -> None:
    rows = [asked("FND-01", "inputs shifted"), asked("FND-01", "what is psi"), asked("FND-02", again)]
    left_open = [outside("boil an egg"), outside(again), outside("Boil an EGG", "FND-01")]
    _, faults = check_corpus(a_corpus(tmp_path, asked=rows, outside=left_open))
    assert list(map(str, faults)) == [
        f"{ASKED_FILE}:3: the same question as {ASKED_FILE}:2",
        f"{OUTSIDE_FILE}:2: the same question as {ASKED_FILE}:2",
        f"{OUTSIDE_FILE}:3: the same question as {OUTSIDE_FILE}:1",
    ]


def test_a_faulty_line_hides_neither_the_other_lines_nor_their_faults(tmp_path: Path) -> None:
    rows = ["{", asked("FND-01", "inputs shifted"), asked("FND-77", "what is psi"), "}"]
    entries, faults = check_corpus(a_corpus(tmp_path, asked=rows, outside=["[]", outside("boil an egg", "FND-78")]))
    assert entries[0].asked == ("inputs shifted",)
    assert {(fault.path, fault.line) for fault in faults} == {
        (ASKED_FILE, 1), (ASKED_FILE, 3), (ASKED_FILE, 4), (OUTSIDE_FILE, 1), (OUTSIDE_FILE, 2),
    }  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_text_is_one_fault(tmp_path: Path, name: str) -> None:
    corpus = a_corpus(tmp_path)
    (corpus / name).write_bytes(GOOD[name].encode() + b"\n\xff\n")
    _, faults = check_corpus(corpus)
    assert [(fault.path, fault.line) for fault in faults] == [(name, 1)]
    assert faults[0].what.startswith("cannot be read: ")


def test_questions_of_an_entry_that_is_broken_are_not_called_unknown(tmp_path: Path) -> None:
    corpus = a_corpus(tmp_path, asked=[asked("FND-01", "what is psi")], outside=[outside("boil an egg", "FND-01")])
    (corpus / FIRST).write_text("no entry at all", "utf-8")
    assert not [fault for fault in check_corpus(corpus)[1] if fault.path in FILES]


def test_a_corpus_with_a_faulty_question_is_not_read(tmp_path: Path) -> None:
    corpus = a_corpus(tmp_path, outside=[outside("boil an egg", "FND-77")])
    with pytest.raises(CorpusError) as caught:
        read_corpus(corpus)
    assert caught.value.faults == (str(Fault(OUTSIDE_FILE, 1, "FND-77 is not an entry")),)


@pytest.mark.parametrize("name", FILES)
def test_content_hashes_follow_each_file_of_questions(tmp_path: Path, name: str) -> None:
    corpus = a_corpus(tmp_path)
    without = content_hashes(corpus)
    (corpus / name).write_text(GOOD[name], "utf-8")
    before = content_hashes(corpus)
    (corpus / name).write_text(GOOD[name] + " ", "utf-8")
    after = content_hashes(corpus)
    assert set(before) - set(without) == {name}
    assert {path for path in after if after[path] != before[path]} == {name}
    (corpus / name).unlink()
    assert content_hashes(corpus) == without
