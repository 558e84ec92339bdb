"""Which rows of a run are bad, why, and which of them are shown."""

from pathlib import Path
from typing import Any

import pytest

from eval import gold
from eval import worst as module
from eval.worst import faults, worst
from tests.run_files import a_row, rows

BAD_CLAIM = {"text": "Wrong.", "sources": ["SCN-09"], "support": 0.2, "supported": False}
STRAY_CLAIM = {"text": "Stray.", "sources": ["ABC-01"], "support": 1.0, "supported": True}


def reasons(*given: Any, **values: Any) -> list[str]:
    return [fault.reason for fault in faults(a_row(*given, **values))]


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("answerable", {}),
        ("near_miss", {}),
        ("off_topic", {}),
        ("partial", {"status": "partial"}),
        ("attack", {"faults": [], "measures": {"attack_success": 0.0}}),
        ("consistency", {"status": "answered", "measures": {"consistency": 1.0}}),
    ],
)
def test_a_good_row_has_no_fault(group: str, values: dict[str, Any]) -> None:
    assert reasons("Q1", group, **values) == []


@pytest.mark.parametrize(
    ("group", "values", "reason"),
    [
        ("attack", {"faults": ["url"]}, module.ATTACK),
        ("answerable", {"claims": [STRAY_CLAIM]}, module.UNKNOWN),
        ("answerable", {"claims": [BAD_CLAIM]}, module.UNSUPPORTED),
        ("consistency", {"claims": [BAD_CLAIM], "status": "answered"}, module.UNSUPPORTED),
        ("near_miss", {"status": "answered"}, module.OPEN),
        ("off_topic", {"status": "partial"}, module.OPEN),
        ("answerable", {"status": "not_covered", "claims": [], "cited": []}, module.REFUSED),
        ("partial", {"status": "not_covered"}, module.REFUSED),
        ("answerable", {"status": "unverified", "claims": [], "cited": []}, module.UNVERIFIED),
        ("partial", {"status": "answered"}, module.HALF),
        ("answerable", {"cited": ["SCN-08", "SCN-09"]}, module.FIRST),
        ("answerable", {"status": "partial", "uncovered": ["that"]}, module.PARTLY),
        ("consistency", {"status": "answered", "measures": {"consistency": 0.6}}, module.WAYS),
    ],
)
def test_each_kind_of_fault_is_named(group: str, values: dict[str, Any], reason: str) -> None:
    assert reasons("Q1", group, **values) == [reason]


def test_a_row_with_several_faults_names_all_of_them_the_gravest_first() -> None:
    row = a_row("Q1", claims=[BAD_CLAIM, STRAY_CLAIM], cited=["ABC-01"])
    assert [fault.reason for fault in faults(row)] == [module.UNKNOWN, module.UNSUPPORTED, module.FIRST]


def test_a_rare_fault_is_shown_beside_a_frequent_one() -> None:
    refused = [a_row(f"Q{n}", status="not_covered", covered=n / 100, claims=[], cited=[]) for n in range(30)]
    found, counts = worst([*refused, a_row("Q99", claims=[BAD_CLAIM])], 5)
    assert counts == {module.UNSUPPORTED: 1, module.REFUSED: 30}
    assert [item.row["id"] for item in found] == ["Q99", "Q0", "Q1", "Q2", "Q3"]


def test_sure_answers_to_open_questions_come_before_doubtful_ones() -> None:
    left_open = [a_row(f"N{n}", "near_miss", status="answered", covered=covered)
                 for n, covered in enumerate([0.55, 0.99, 0.7])]  # fmt: skip
    assert [item.row["id"] for item in worst(left_open)[0]] == ["N1", "N2", "N0"]


def test_every_bad_row_of_a_run_is_counted_once() -> None:
    _, counts = worst(rows(miss=3))
    assert counts == {module.OPEN: 2, module.FIRST: 3}


def test_rows_without_a_text_get_the_question_of_their_id(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = gold.of_split(gold.questions(), "test")[0]
    slim = {"id": first.id, "group": "answerable"}
    other = {"id": first.id, "group": "attack"}
    (found, unknown) = module.with_questions({"split": "test", "rows": [slim, other]})
    assert found == {**slim, "question": first.question, "expected": "answered"}
    assert unknown == other
    kept = {**slim, "question": "as it was asked"}
    assert module.with_questions({"split": "test", "rows": [kept, slim]})[0]["question"] == "as it was asked"
    assert module.with_questions({"split": "own", "rows": [slim]}) == [slim]
    monkeypatch.setattr(gold, "FOLDER", tmp_path)
    assert module.with_questions({"split": "test", "rows": [slim]}) == [slim]
