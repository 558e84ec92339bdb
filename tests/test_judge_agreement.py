"""Agreement of judges with labels: known tables, limits, and the labelled answers themselves."""

import re
from collections import Counter
from pathlib import Path

import pytest

from eval.agreement import Pair, accuracy, agreement, cohen_kappa, false_fail, false_pass, right_by_kind
from eval.samples import entry_text
from eval.verdicts import labelled
from ingest.guides import read_corpus
from rag.errors import UsageError
from rag.settings import PROJECT
from rag.wording import Text

KINDS = {
    "supported": {"paraphrase", "figures", "combined", "correction"},
    "unsupported": {"number", "negation", "swapped", "addition", "wrong_entry", "overclaim", "misconception"},
}
WHOLE = '{"id": "1", "question": "q", "context_id": "SCN-01", "answer": "a", "verdict": "supported", "kind": "figures"}'


def table(both: int, only_label: int, only_verdict: int, neither: int) -> list[Pair]:
    """Pairs in these numbers: passed by both, by the label only, by the judge only, by neither."""
    pairs: list[Pair] = [(True, True)] * both + [(True, False)] * only_label
    return pairs + [(False, True)] * only_verdict + [(False, False)] * neither


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        (table(20, 5, 10, 15), 0.4),  # 0.7 agree, 0.5 * 0.6 + 0.5 * 0.4 = 0.5 by chance
        (table(45, 15, 25, 15), (0.60 - 0.54) / 0.46),
        (table(50, 0, 0, 50), 1.0),
        (table(0, 50, 50, 0), -1.0),
        (table(50, 0, 50, 0), 0.0),  # a judge that passes everything
        (table(25, 25, 25, 25), 0.0),
        (table(9, 0, 0, 0), 0.0),  # nothing to tell apart
    ],
)
def test_kappa_is_agreement_beyond_chance(pairs: list[Pair], kappa: float) -> None:
    assert cohen_kappa(pairs) == pytest.approx(kappa)


def test_a_judge_that_passes_everything_is_seen_as_weak() -> None:
    pairs = table(60, 0, 40, 0)
    assert (accuracy(pairs), false_pass(pairs), false_fail(pairs)) == (0.6, 1.0, 0.0)


def test_wrong_passes_are_counted_among_the_unsupported_and_wrong_fails_among_the_supported() -> None:
    pairs = table(30, 10, 5, 15)
    assert (false_pass(pairs), false_fail(pairs)) == (5 / 20, 10 / 40)
    assert false_pass(table(3, 1, 0, 0)) == false_fail(table(0, 0, 1, 3)) == 0.0


def test_every_measure_has_an_interval_around_it_that_shrinks_with_more_items() -> None:
    few, many = agreement(table(4, 1, 1, 4)), agreement(table(80, 20, 20, 80))
    assert (few["n"], many["n"]) == (10, 200)
    for name in ("accuracy", "kappa", "false_pass", "false_fail"):
        assert few[name]["value"] == pytest.approx(many[name]["value"])
        assert few[name]["low"] <= few[name]["value"] <= few[name]["high"]
        assert many[name]["high"] - many[name]["low"] < few[name]["high"] - few[name]["low"]


def test_without_a_verdict_there_is_no_number() -> None:
    found = agreement([])
    assert found["n"] == 0
    assert found["kappa"] == {"value": None, "low": None, "high": None}


def test_kinds_are_counted_apart() -> None:
    found = right_by_kind(["number", "figures", "number"], [(False, True), (True, True), (False, False)])
    assert found == {"figures": {"n": 1, "right": 1}, "number": {"n": 2, "right": 1}}


def test_there_are_a_hundred_labelled_answers_half_of_each() -> None:
    items = labelled()
    assert Counter(item.verdict for item in items) == {"supported": 50, "unsupported": 50}
    assert len({item.id for item in items}) == len({item.answer for item in items}) == 100
    assert len({item.context_id for item in items}) >= 30
    for item in items:
        assert item.kind in KINDS[item.verdict], item.id
        assert 1 <= len(re.split(r"(?<=[.!?])\s+", item.answer)) <= 3, item.id
    assert all(sum(item.kind == kind for item in items) >= 4 for kinds in KINDS.values() for kind in kinds)


def test_labelled_answers_are_about_entries_and_right_figures_stand_in_them() -> None:
    texts = {entry.id: entry_text(entry) for entry in read_corpus(PROJECT / "corpus")}
    for item in labelled():
        text = texts[item.context_id]
        assert item.answer not in text, f"{item.id} is a quotation, which needs no judge"
        if item.kind == "figures":
            said = {figure.value for figure in Text(text).figures}
            assert {figure.value for figure in Text(item.answer).figures} <= said, item.id


@pytest.mark.parametrize(
    "row",
    [
        WHOLE.replace('"answer": "a", ', ""),
        WHOLE.replace('"supported"', '"maybe"'),
        WHOLE.replace('"q"', '""'),
        WHOLE.replace('"q"', "3"),
        "[]",
        "",
    ],
)
def test_a_row_that_is_no_labelled_answer_is_refused(tmp_path: Path, row: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(WHOLE + "\n", "utf-8")
    assert labelled(path)[0].supported
    path.write_text(row + "\n", "utf-8")
    with pytest.raises(UsageError):
        labelled(path)


def test_an_id_that_is_used_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(f"{WHOLE}\n{WHOLE}\n", "utf-8")
    with pytest.raises(UsageError, match="twice"):
        labelled(path)
