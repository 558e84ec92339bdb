"""The runs of the suite as the quality page reads them, and the tables and plots it makes of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval import record
from eval.worst import worst
from tests.run_files import HOSTILE, a_row, a_run, keep, rows, wrong
from ui import charts, quality_view, results
from ui.results import Point


def values_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The data of a plot."""
    found: list[dict[str, Any]] = spec["data"]["values"]
    return found


def test_the_newest_run_comes_first_and_the_baseline_last(tmp_path: Path) -> None:
    for date in ("2026-11-22T08:15:00Z", "2026-12-01T00:00:00Z", "2026-11-30T23:59:59Z"):
        keep(tmp_path, a_run(date))
    keep(tmp_path, a_run("2027-01-01T00:00:00Z"), "baseline.json")
    keep(tmp_path, {"anything": 1, "date": "x"}, "retrieval.json")
    found = results.kept_runs(tmp_path)
    assert [item.run["date"][:10] for item in found if item.run] == [
        "2026-12-01", "2026-11-30", "2026-11-22", "2027-01-01",
    ]  # fmt: skip
    assert [item.name for item in found][::3] == [
        "1 Dec 2026, 00:00 UTC, quote, test questions",
        "Baseline of 1 Jan 2027, 00:00 UTC, quote, test questions",
    ]


def test_no_folder_is_no_result(tmp_path: Path) -> None:
    assert results.kept_runs(tmp_path / "nowhere") == []


def test_only_the_newest_are_read(tmp_path: Path) -> None:
    for number in range(results.MOST_RUNS + 3):
        keep(tmp_path, a_run(f"2026-11-22T08:{number:02d}:00Z"))
    found = results.kept_runs(tmp_path)
    assert len(found) == results.MOST_RUNS
    assert found[0].run is not None
    assert found[0].run["date"] == f"2026-11-22T08:{results.MOST_RUNS + 2}:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '{"kind": "run"}', "\x00",
        json.dumps({**a_run(), "kind": "ragas"}),
        json.dumps({**a_run(), "rows": [{"measures": {}}]}),
        json.dumps({**a_run(), "metrics": {"hit@1": 0.5}}),
        json.dumps({**a_run(), "groups": {"keyword": []}}),
        json.dumps({**a_run(), "rows": [a_row("Q1", covered="high")]}),
    ],
)  # fmt: skip
def test_a_damaged_file_carries_its_error_and_hides_no_other(tmp_path: Path, text: str) -> None:
    keep(tmp_path, a_run())
    (tmp_path / "run-2027.json").write_text(text, "utf-8")
    broken, whole = results.kept_runs(tmp_path)
    assert broken.run is None
    assert "run-2027.json" in broken.error
    assert broken.name == "run-2027.json, cannot be read"
    assert whole.run is not None


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = keep(tmp_path, a_run())
    assert results.read(path).run is results.read(path).run
    keep(tmp_path, a_run(model="another"))
    again = results.read(path).run
    assert again is not None
    assert again["model"] == "another"


@pytest.mark.parametrize(
    ("date", "told"), [("2026-01-02T03:04:05Z", "2 Jan 2026, 03:04 UTC"), ("yesterday", "yesterday"), ("", "")]
)
def test_a_date_is_told_as_people_read_it(date: str, told: str) -> None:
    assert results.day(date) == told


def test_styles_are_the_answerable_questions_only() -> None:
    run = a_run(rows=[*rows(), a_row("A1", "attack", "forged_id", measures={"attack_success": 0.0})])
    assert set(results.styles(run)) == {"keyword", "typo"}
    assert "attack:forged_id" in run["groups"]
    assert results.style_metrics(run) == ["hit@1", "refused_answerable"]


def test_a_metric_by_style_has_the_whole_first_and_then_the_best() -> None:
    run = a_run(miss=1, gates={"hit@1": True})
    points = results.by_style(run, "hit@1")
    assert [(item.name, item.value, item.n) for item in points] == [
        ("all", 0.95, 20), ("typo", 1.0, 10), ("keyword", 0.9, 10),
    ]  # fmt: skip
    assert [item.gate for item in points] == [0.9, None, None]
    assert points[2].low < 0.9 < points[2].high
    # Where less is better, the best is the lowest.
    made = [a_row("Q1", style="typo", measures={"refused_answerable": 1.0}), a_row("Q2", style="keyword")]
    names = [item.name for item in results.by_style(a_run(rows=made), "refused_answerable")]
    assert names == ["all", "keyword", "typo"]


def test_refusals_show_both_sides() -> None:
    told = {item.name: item.value for item in results.refusals(a_run())}
    assert told == {"Answerable": 0.0, "Near misses": 0.8, "Off topic": 1.0, "All that is not covered": 0.9}


def test_reliability_counts_what_is_answerable_or_open_as_a_whole() -> None:
    made = [
        *(a_row(f"Q{n}", covered=0.9) for n in range(9)),
        a_row("N1", "near_miss", covered=0.9),
        a_row("N2", "off_topic", covered=0.05),
        a_row("P1", "partial", covered=0.5),
    ]
    found = results.reliability(a_run(rows=made))
    assert found is not None
    assert found.n == 11
    assert [(item.n, round(item.observed, 6), round(item.predicted, 6)) for item in found.bins] == [
        (1, 0.0, 0.05), (10, 0.9, 0.9),
    ]  # fmt: skip
    assert found.brier == pytest.approx((9 * 0.01 + 0.81 + 0.0025) / 11)
    assert found.error == pytest.approx(0.05 / 11)
    assert results.reliability(a_run(rows=made[:9])) is None


def test_a_metric_over_time_is_in_order_and_knows_its_gaps(tmp_path: Path) -> None:
    for date, miss in (("2026-11-24T00:00:00Z", 0), ("2026-11-22T00:00:00Z", 4), ("2026-11-23T00:00:00Z", 2)):
        keep(tmp_path, a_run(date, miss))
    keep(tmp_path, a_run("2026-11-25T00:00:00Z", rows=[a_row("N1", "near_miss")]))
    found = results.kept_runs(tmp_path)
    assert [item.value for item in results.over_time(found, "hit@1")] == [0.8, 0.9, 1.0]
    assert "hit@1" in results.repeated(found)
    assert "hit@1" not in results.repeated(found[:2])


@pytest.mark.parametrize(
    ("metric", "change", "told"),
    [("hit@1", 0.1, "better"), ("hit@1", -0.1, "worse"), ("latency_p50", 5.0, "worse"),
     ("refused_answerable", -0.1, "better"), ("hit@1", 0.0, "same")],
)  # fmt: skip
def test_better_knows_which_way_is_up(metric: str, change: float, told: str) -> None:
    assert results.better(metric, change) == told


def test_a_new_run_goes_where_the_suite_puts_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    monkeypatch.setattr(record, "FOLDER", tmp_path)
    path = results.fresh_path(datetime(2026, 11, 22, 8, 15, 1, tzinfo=UTC))
    assert path == tmp_path / "run-2026-11-22T081501Z.json"
    keep(tmp_path, a_run("2026-11-22T08:15:01Z"))
    assert [item.path for item in results.kept_runs()] == [path]


def test_dots_hold_the_data_and_leave_out_gates_that_are_not_there() -> None:
    points = [Point("all", 0.9, 0.8, 0.95, 20, 0.85), Point("typo", 0.4, 0.2, 0.6, 5)]
    spec = charts.dots(points, "Found first")
    assert values_of(spec)[0] == {"name": "all", "value": 0.9, "low": 0.8, "high": 0.95, "n": 20, "gate": 0.85}
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0.0, 1]
    assert charts.dots(points[:1], "Found first")["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0.5, 1]
    assert charts.dots_told(points, "Found first") == (
        "Found first: all 0.900, interval 0.80 to 0.95; typo 0.400, interval 0.20 to 0.60."
    )


def test_no_plot_loads_anything() -> None:
    found = results.reliability(a_run())
    assert found is not None
    points = results.by_style(a_run(), "hit@1")
    for spec in (
        charts.dots(points, "x"),
        charts.reliability(found),
        charts.over_time(points, "x"),
    ):
        text = json.dumps(spec)
        assert '"url"' not in text
        assert "http" not in text


def test_metrics_show_interval_gate_and_change() -> None:
    run = a_run(miss=4, gates={"hit@1": False, "refusal_recall": True})
    shown = quality_view.metrics(run, a_run(miss=1))
    assert "Right entry found first" in shown
    assert "0.800" in shown
    assert ">≥ 0.9 missed<" in shown
    assert ">≥ 0.9 met<" in shown
    assert "-0.150 worse" in shown
    assert "left:90.0%" in shown  # the tick of the gate
    assert ">Change<" not in quality_view.metrics(run, None)


def test_a_gate_without_a_measurement_is_shown_as_missed() -> None:
    run = a_run()
    run["metrics"]["consistency"] = {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "gate": {"min": 0.9, "passed": False},
    }
    assert ">≥ 0.9 missed<" in quality_view.metrics(run, None)


def test_confusion_counts_what_each_kind_got() -> None:
    shown = quality_view.confusion(a_run())
    assert shown.index("Near miss") < shown.index("Off topic")
    for told in (">20<", ">8<", ">2<", ">10<"):
        assert told in shown, told


def test_examples_say_why_and_everything_in_them_is_text() -> None:
    claim = {"text": HOSTILE, "sources": ["<b>"], "support": 0.2, "supported": False}
    (example,), counts = worst([wrong("Q1", question=HOSTILE, message=HOSTILE, claims=[claim])])
    assert counts == {example.reason: 1}
    assert quality_view.example(example).endswith(HOSTILE)
    told = dict(quality_view.facts(example))
    assert told["Right entries"] == "SCN-08"
    assert told["Said"] == HOSTILE
    assert told["Question"] == "Q1, answerable, keyword"
    assert "the first cited entry is not a relevant one" in told["Why it is here"]
    shown = quality_view.sentences(example)
    assert shown is not None
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_what_the_baseline_keeps_of_an_example_is_enough() -> None:
    from eval.history import slim

    (example,), _ = worst([slim(wrong("Q1"))])
    assert quality_view.example(example).endswith(": Q1")
    assert quality_view.sentences(example) is None
    assert "Found entries" not in dict(quality_view.facts(example))


def test_a_difference_has_to_be_shown_before_it_is_called_one() -> None:
    shown = quality_view.differences(a_run(miss=12), a_run(miss=0))
    assert shown is not None
    assert "+0.600" in shown
    assert ">better<" in shown
    assert "no difference shown" in shown  # the refusals, which are the same
    small = quality_view.differences(a_run(miss=1), a_run(miss=0))
    assert small is not None
    assert ">better<" not in small
    assert quality_view.differences(a_run(), a_run(rows=[a_row("other")])) is None
