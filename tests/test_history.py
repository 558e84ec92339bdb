"""Runs are kept under their date, read with every fault named, and one is the baseline."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval import history, record
from rag.errors import UsageError


def a_row(id: str = "G1") -> dict[str, Any]:
    return {
        "id": id, "group": "answerable", "style": "keyword", "question": "what is psi", "expected": "answered",
        "status": "answered", "covered": 0.9, "relevant": ["FND-05"], "retrieved": ["FND-05", "SCN-32"],
        "cited": ["FND-05"],
        "claims": [{"text": "PSI compares two windows.", "sources": ["FND-05"], "support": 0.9, "supported": True}],
        "timings_ms": {"retrieve": 20.1, "total": 31.5}, "measures": {"hit@1": 1.0},
    }  # fmt: skip


def a_run(**values: Any) -> dict[str, Any]:
    metrics = {"hit@1": {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}}
    return {
        "date": "2026-11-22T08:15:00Z", "commit": "abc", "kind": "run", "split": "test", "model": "quote", "seed": 0,
        "limit": None, "metrics": metrics, "groups": {}, "confusion": {}, "rows": [a_row()], **values,
    }  # fmt: skip


def written(path: Path, values: Any) -> Path:
    path.write_text(json.dumps(values), "utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    return tmp_path


def test_a_run_is_named_after_its_date_and_runs_come_oldest_first(folder: Path) -> None:
    later = a_run(date="2026-12-01T00:00:01Z")
    assert history.run_path(later) == folder / "run-2026-12-01T000001Z.json"
    for run in (later, a_run()):
        written(history.run_path(run), run)
    written(folder / history.BASELINE, a_run())
    written(folder / "retrieval.json", {})
    assert [history.read_run(path)["date"] for path in history.run_files()] == [a_run()["date"], later["date"]]


def test_an_accepted_run_is_the_baseline_without_its_text(folder: Path) -> None:
    assert history.baseline() is None
    target = history.accept(written(folder / "mine.json", a_run()))
    found = history.baseline()
    assert target == folder / "baseline.json"
    assert found is not None
    assert found["metrics"] == a_run()["metrics"]
    (row,) = found["rows"]
    assert row["measures"] == {"hit@1": 1.0}
    assert row["timings_ms"] == {"total": 31.5}
    assert "psi" not in target.read_text("utf-8").casefold()
    history.accept(written(folder / "next.json", a_run(date="2026-12-01T00:00:01Z")))
    assert (history.baseline() or {})["date"] == "2026-12-01T00:00:01Z"


def test_the_baseline_can_be_accepted_again(folder: Path) -> None:
    history.accept(written(folder / "mine.json", a_run()))
    before = history.baseline()
    history.accept(folder / history.BASELINE)
    assert history.baseline() == before


@pytest.mark.parametrize("values", [{"split": "own"}, {"limit": 3}])
def test_part_of_the_questions_or_ones_own_are_no_baseline(folder: Path, values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="whole half"):
        history.accept(written(folder / "mine.json", a_run(**values)))
    assert history.baseline() is None


@pytest.mark.parametrize(
    "values",
    [
        [],
        {},
        {"stages": {}},
        a_run(kind="ragas"),
        a_run(metrics=None),
        {name: value for name, value in a_run().items() if name != "confusion"},
    ],
)
def test_what_is_no_run_is_named(tmp_path: Path, values: Any) -> None:
    path = written(tmp_path / "mine.json", values)
    with pytest.raises(UsageError) as caught:
        history.read_run(path)
    assert caught.value.message == f"{path} is not a run."
    assert "`tutor eval run`" in caught.value.cure


CELL = a_run()["metrics"]["hit@1"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"rows": [["G1"]]}, "row 1 lacks one of id, group"),
        *(({"rows": [a_row(), {k: v for k, v in a_row().items() if k != name}]}, "row 2 lacks one of")
          for name in ("id", "group", "style", "status", "measures")),
        ({"rows": [{k: v for k, v in a_row().items() if k != "covered"}]}, "no number in covered"),
        ({"rows": [{**a_row(), "covered": float("nan")}]}, "no number in covered"),
        ({"rows": [{**a_row(), "measures": {"hit@1": "1"}}]}, "no number in covered"),
        ({"rows": [{**a_row(), "timings_ms": {"total": "fast"}}]}, "no number in covered"),
        ({"rows": [{**a_row(), "cited": "FND-05"}]}, "another form of cited"),
        ({"rows": [{**a_row(), "cited": [5]}]}, "an id that is no text"),
        ({"rows": [{**a_row(), "claims": [{"text": "x", "sources": []}]}]}, "claims or wordings"),
        ({"rows": [{**a_row(), "asked": ["x"]}]}, "claims or wordings"),
        ({"metrics": {"hit@1": 1.0}}, "metrics holds what is no metric"),
        ({"metrics": {"hit@1": {**CELL, "value": "high"}}}, "metrics holds what is no metric"),
        ({"metrics": {"hit@1": {**CELL, "low": None}}}, "metrics holds what is no metric"),
        ({"metrics": {"hit@1": {**CELL, "n": []}}}, "metrics holds what is no metric"),
        ({"metrics": {"hit@1": {**CELL, "gate": {"min": "0.9", "passed": True}}}}, "metrics holds what is no metric"),
        ({"groups": {"typo": [CELL]}}, "typo holds what is no metric"),
        ({"confusion": {"answerable": {"answered": "all"}}}, "confusion holds what is no count"),
    ],
)  # fmt: skip
def test_what_is_missing_in_a_run_is_named(tmp_path: Path, values: dict[str, Any], fault: str) -> None:
    path = written(tmp_path / "mine.json", a_run(**values))
    with pytest.raises(UsageError) as caught:
        history.read_run(path)
    assert caught.value.message.startswith(f"{path} is not a whole run: ")
    assert fault in caught.value.message


def test_a_metric_that_was_not_measured_is_whole_and_so_is_the_baseline_that_is_shipped(tmp_path: Path) -> None:
    unmeasured = {"value": None, "low": None, "high": None, "n": 0, "gate": {"min": 0.9, "passed": False}}
    history.read_run(written(tmp_path / "mine.json", a_run(metrics={"hit@1": unmeasured})))
    assert history.baseline() is not None


def test_other_results_are_found_beside_the_runs_and_damaged_ones_named(folder: Path) -> None:
    assert history.others() == ({}, [])
    ragas = {"kind": "ragas", "metrics": {"faithfulness": {"value": 0.5}}}
    judges = {"kind": "judges", "judges": [{"judge": "gate"}]}
    written(folder / "ragas.json", ragas)
    written(folder / "judges.json", judges)
    assert history.others() == ({"ragas": ragas, "judges": judges}, [])
    broken: list[Any] = [[], {"kind": "ragas", "metrics": [{}]}, {"kind": "ragas", "metrics": {"x": 0.5}}, judges]
    for values in broken:
        written(folder / "ragas.json", values)
        assert history.others() == ({"judges": judges}, ["ragas.json is not what `tutor eval` writes."])
    (folder / "judges.json").write_text("{", "utf-8")
    assert history.others()[0] == {}
    assert "judges.json cannot be read" in history.others()[1][1]


@pytest.mark.parametrize("raw", [None, b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_cannot_be_read_is_named(tmp_path: Path, raw: bytes | None) -> None:
    path = tmp_path / "mine.json"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(UsageError) as caught:
        history.read_run(path)
    assert str(caught.value).startswith(f"{path} cannot be read: ")
