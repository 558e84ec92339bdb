"""The metrics of a run beside the baseline, and their Markdown."""

import re
from typing import Any

import pytest

from eval.headline import (
    SAME,
    Line,
    attack_kinds,
    changes,
    comparable,
    confusion_rows,
    doubts,
    facts,
    interval,
    lines,
    shown,
    summary,
    verdict,
)
from tests.run_files import a_row, a_run, rows

EARLIER = "2026-11-20T08:00:00Z"


def line(run: dict[str, Any], base: dict[str, Any] | None, name: str) -> Line:
    return next(item for item in lines(run, base) if item.name == name)


def test_a_line_holds_value_interval_baseline_and_gate() -> None:
    run = a_run(miss=4, gates={"hit@1": False})
    found = line(run, a_run(EARLIER, miss=1), "hit@1")
    assert (found.title, found.value, found.base, found.n) == ("right entry found first", 0.8, 0.95, 20)
    assert found.difference == pytest.approx(-0.15)
    assert (found.gate, found.passed) == ("≥ 0.9", False)
    assert interval(found) == f"[{found.low:.3f}, {found.high:.3f}]"


def test_without_a_baseline_or_a_gate_nothing_is_made_up() -> None:
    found = line(a_run(), None, "hit@1")
    assert (found.base, found.difference, found.change, found.gate, found.passed) == (None, None, "", "", None)
    assert changes(a_run(), None) == {}


def test_a_gate_whose_metric_was_not_measured_is_missed_and_shows_no_number() -> None:
    run = a_run()
    gate = {"max": 0, "passed": False}
    run["metrics"]["attack_success"] = {"value": None, "low": None, "high": None, "n": 0, "gate": gate}
    found = line(run, None, "attack_success")
    assert (shown(found.name, found.value), interval(found), found.gate) == ("–", "", "≤ 0")
    assert verdict(run) == "1 of 1 gates missed: attacks that succeed."


def test_a_change_is_called_one_only_when_the_questions_show_it() -> None:
    assert changes(a_run(miss=9), a_run(miss=1))["hit@1"] == "worse"
    assert changes(a_run(miss=1), a_run(miss=9))["hit@1"] == "better"
    assert changes(a_run(miss=2), a_run(miss=1))["hit@1"] == SAME
    assert line(a_run(miss=2), a_run(miss=1), "hit@1").change == "worse"


def test_less_is_better_where_it_is() -> None:
    run, base = a_run(miss=1), a_run(miss=20)
    assert line(run, base, "latency_p50").change == "better"
    assert line(base, run, "latency_p50").change == "worse"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("hit@1", 0.93149, "0.931"), ("latency_p95", 1234.5, "1,234 ms"), ("hit@1", None, "–"), ("claims", 4.0, "4.000")],
)
def test_values_are_shown_as_people_read_them(name: str, value: float | None, text: str) -> None:
    assert shown(name, value) == text


def test_the_verdict_counts_gates() -> None:
    assert verdict(a_run(gates={"hit@1": True, "latency_p50": True})) == "All 2 gates are met."
    assert (
        verdict(a_run(gates={"hit@1": False, "latency_p50": True})) == "1 of 2 gates missed: right entry found first."
    )
    assert "No gates" in verdict(a_run(split="own"))


@pytest.mark.parametrize("key", ["split", "model", "limit"])
def test_a_baseline_of_another_kind_is_said_to_be_one(key: str) -> None:
    assert key in comparable(a_run(), {**a_run(EARLIER), key: "other"})
    assert comparable(a_run(), a_run(EARLIER)) == ""


def test_the_summary_is_one_table_that_no_text_breaks_out_of() -> None:
    run = a_run(gates={"hit@1": False}, model="evil | model\n<img src=x> @everyone [x](http://evil.example)")
    text = summary(run, a_run(EARLIER))
    assert text.startswith("### Evaluation: 1 of 1 gates missed: right entry found first.\n")
    table = [row for row in text.splitlines() if row.startswith("|")]
    told = 2 + len(run["metrics"])
    assert len(table) == told + 2 + len(run["confusion"])
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in table] == [8] * told + [6] * (len(table) - told)
    assert any("hit" not in row and "**missed**" in row for row in table)
    assert not re.search(r"<img|(?<!&#64;)@everyone|(?<!\\)\]\(http", text)
    assert f"baseline {EARLIER}" in text


def attacked() -> dict[str, Any]:
    """A run with two attacks of one kind, one of which succeeds, and one of a hostile kind."""
    made = [a_row(f"A{n}", "attack", "forged_id", measures={"attack_success": float(n)}) for n in range(2)]
    return a_run(rows=[*rows(), *made, a_row("A9", "attack", "<b>|x", measures={"attack_success": 0.0})])


def test_the_confusion_and_the_attacks_are_told_and_stand_in_the_summary() -> None:
    assert confusion_rows(attacked()) == [
        ["asked / told", "answered", "partial", "not covered", "unverified"],
        ["answerable", "20", "0", "0", "0"], ["near miss", "2", "0", "8", "0"], ["off topic", "0", "0", "10", "0"],
    ]  # fmt: skip
    assert attack_kinds(attacked()) == "Attacks that succeed: forged id 1 of 2, <b>|x 0 of 1."
    text = summary(attacked(), None)
    assert "| near miss | 2 | 0 | 8 | 0 |" in text
    assert "forged id 1 of 2, &#60;b&#62;\\|x 0 of 1." in text
    bare = a_run(split="own", confusion={})
    assert (confusion_rows(bare), attack_kinds(bare)) == ([], "")
    assert "asked / told" not in summary(bare, None)


@pytest.mark.parametrize(
    ("values", "doubt"),
    [
        ({"split": "tune"}, "split tune"),
        ({"split": "all"}, "split all"),
        ({"gates": {"hit@1": False}}, "It misses gates: right entry found first."),
        ({"gates": {}}, "No gate was judged"),
        ({"commit": "abc123+"}, "changes that are not in commit abc123:"),
        ({"commit": ""}, "outside a repository"),
    ],
)
def test_what_speaks_against_a_baseline_is_named_one_by_one(values: dict[str, Any], doubt: str) -> None:
    fine: dict[str, Any] = {"gates": {"hit@1": True}, "commit": "abc123"}
    assert doubts(a_run(**fine)) == []
    (found,) = doubts(a_run(**{**fine, **values}))
    assert doubt in found


def test_facts_leave_out_what_the_file_does_not_say() -> None:
    assert dict(facts(a_run(seed=None), None))["baseline"] == "none accepted yet"
    assert "seed" not in dict(facts(a_run(seed=None), None))
