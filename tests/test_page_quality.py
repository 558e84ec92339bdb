"""The quality page's states, run by Streamlit itself over result files."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button, Selectbox

from eval import gold, record
from rag.settings import PROJECT
from tests.run_files import HOSTILE, a_row, a_run, keep, rows, wrong
from ui import escape, suite_job

PAGE = str(PROJECT / "ui" / "views" / "quality.py")
SLEEPS = [sys.executable, "-c", "import time\ntime.sleep(60)"]


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder of results; no process is left behind."""
    monkeypatch.setattr(record, "FOLDER", tmp_path / "results")
    yield tmp_path / "results"
    if job := suite_job.current():
        job.stop()
        suite_job.take_outcome()


def drawn(changed: Button | Selectbox[Any] | None = None) -> AppTest:
    """The page, run again after something on it was used, without an exception."""
    page = changed.run() if changed else AppTest.from_file(PAGE, default_timeout=60).run()
    assert [item.value for item in page.exception] == []
    return page


def tables(page: AppTest) -> str:
    return "\n".join(item.proto.body for item in page.get("html"))


def headers(page: AppTest) -> list[str]:
    return [item.value for item in page.header]


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_without_results_it_says_what_makes_them() -> None:
    page = drawn()
    assert [item.value for item in page.title] == ["Quality"]
    assert len(page.info) == 1
    assert "tutor eval run" in page.info[0].value
    assert labels(page) == ["Run the suite"]
    assert headers(page) == []


def test_one_run_shows_everything_but_a_comparison(folder: Path) -> None:
    keep(folder, a_run(gates={"hit@1": True}))
    page = drawn()
    assert headers(page) == [
        "Metrics", "By style of question", "Refusals, both sides", "Can the probability be believed?",
        "Worst examples", "How this run was made",
    ]  # fmt: skip
    assert [item.value for item in page.success] == ["All 1 gates are met\\."]
    assert "Right entry found first" in tables(page)
    assert "abc123+" in tables(page)


def test_a_missed_gate_is_said_first(folder: Path) -> None:
    keep(folder, a_run(miss=8, gates={"hit@1": False}))
    page = drawn()
    assert [item.value for item in page.error] == ["1 of 1 gates missed\\: right entry found first\\."]


def test_the_newest_run_is_compared_with_the_baseline(folder: Path) -> None:
    keep(folder, a_run("2026-11-20T00:00:00Z", miss=12), "baseline.json")
    keep(folder, a_run("2026-11-21T00:00:00Z", miss=6))
    keep(folder, a_run("2026-11-22T00:00:00Z", miss=0))
    page = drawn()
    chosen, other = page.selectbox[:2]
    assert (chosen.label, other.label) == ("Run", "Compared with")
    assert chosen.options[0].startswith("22 Nov 2026")
    assert chosen.options[-1].startswith("Baseline of 20 Nov 2026")
    assert {"Is it a difference?", "Over time"} <= set(headers(page))
    assert "+0.600" in tables(page)
    # Another run is shown, and it is compared with something else.
    page = drawn(chosen.select_index(1))
    assert "+0.300" in tables(page)
    page = drawn(page.selectbox[1].select_index(0))
    assert "Is it a difference?" not in headers(page)


def test_a_damaged_file_is_named_and_the_rest_is_shown(folder: Path) -> None:
    keep(folder, a_run())
    (folder / "run-2027.json").write_text("{", "utf-8")
    page = drawn()
    assert len(page.warning) == 1
    assert "run\\-2027\\.json" in page.warning[0].value
    assert "Metrics" in headers(page)


def test_the_baseline_alone_is_shown_without_the_texts_it_does_not_keep(folder: Path) -> None:
    from eval.history import slim

    asked = next(item for item in gold.of_split(gold.open_questions(), "test") if item.kind == "near_miss")
    run = a_run(rows=[*rows(3), a_row(asked.id, "near_miss", "near_miss", status="answered")])
    keep(folder, {**run, "rows": [slim(row) for row in run["rows"]]}, "baseline.json")
    page = drawn()
    assert any(item.label.endswith("Q0") for item in page.expander)
    assert any(escape.plain(asked.question) in item.label for item in page.expander)


def test_a_run_without_a_fault_says_so(folder: Path) -> None:
    keep(folder, a_run(rows=rows(0)[:30][:20]))
    page = drawn()
    assert "No question went wrong." in [item.value for item in page.info]
    assert "Can the probability be believed?" not in headers(page)


def test_text_from_questions_and_documents_stays_text(folder: Path) -> None:
    claim = {"text": HOSTILE, "sources": [HOSTILE], "support": 0.1, "supported": False}
    bad = wrong("Q0", question=HOSTILE, message=HOSTILE, claims=[claim], cited=[HOSTILE], style=HOSTILE)
    keep(folder, a_run(rows=[bad, *rows(0)[1:]], model=HOSTILE, commit=HOSTILE))
    page = drawn()
    assert "<img" not in tables(page)
    assert "&lt;img src=x onerror=alert(1)&gt;" in tables(page)
    for item in page.expander:
        assert "![x](" not in item.label
        assert "<img" not in item.label.replace("\\<img", "")


def test_a_run_that_lasts_can_be_watched_and_stopped(folder: Path) -> None:
    suite_job.start(folder / "x.json", SLEEPS)
    page = drawn()
    assert labels(page) == ["Stop"]
    stop = page.button[0]
    page = drawn(stop.click())
    assert labels(page) == ["Run the suite"]
    assert [item.value for item in page.error] == ["The run was stopped\\, so there is no result of it\\."]
    assert suite_job.current() is None


def test_a_run_that_ends_shows_its_result(folder: Path) -> None:
    path = keep(folder.parent, a_run("2026-11-23T00:00:00Z"), "made.json")
    out = folder / "run-2026-11-23T000000Z.json"
    keep(folder, a_run())
    copies = "import shutil, sys\nshutil.copy(sys.argv[1], sys.argv[2])"
    suite_job.start(out, [sys.executable, "-c", copies, str(path), str(out)])
    job = suite_job.current()
    assert job is not None
    while job.running:
        time.sleep(0.01)
    page = drawn()
    assert "The run is over\\. Its results are below\\." in [item.value for item in page.success]
    assert page.selectbox[0].options[0].startswith("23 Nov 2026")


def test_a_run_that_fails_shows_what_it_said(folder: Path) -> None:
    suite_job.start(folder / "x.json", [sys.executable, "-c", "raise SystemExit('There is no index. \\x1b[31m')"])
    job = suite_job.current()
    assert job is not None
    while job.running:
        time.sleep(0.01)
    page = drawn()
    assert [item.value for item in page.error] == ["The suite ended without a result\\."]
    assert [item.value for item in page.code] == ["There is no index."]


def test_the_button_starts_the_suite_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_job, "COMMAND", ("-c", "import time\ntime.sleep(60)"))
    page = drawn()
    page = drawn(page.button[0].click())
    assert labels(page) == ["Stop"]
    job = suite_job.current()
    assert job is not None
    assert job.out.parent == folder
    assert labels(drawn()) == ["Stop"]
    assert suite_job.current() is job
