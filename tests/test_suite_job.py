"""The suite in a process of its own: real processes, started, watched and stopped."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.settings import PROJECT
from ui import suite_job
from ui.suite_job import Progress, SuiteJob

STEPS = """
import sys, time
from pathlib import Path
from ui.session import progress_bar
print("begun", flush=True)
with progress_bar() as report:
    for number in range(101):
        report("asking", number, 100)
        time.sleep(0.005)
    while not Path(sys.argv[1]).exists():
        time.sleep(0.01)
print("a table")
"""
"""Draws the real progress bar of the command, to its end, and waits for its file."""
SLEEPS = "import time\nprint('asleep', flush=True)\ntime.sleep(60)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(60)"
)


def call(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


def until(true: Callable[[], bool]) -> None:
    """Waits as long as a slow machine may need."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("It did not happen.")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    if job := suite_job.current():
        job.stop()
        suite_job.take_outcome()


def test_a_run_tells_how_far_it_is_and_ends_with_its_result(tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    assert suite_job.start(out, call(STEPS, str(out))) is None
    job = suite_job.current()
    assert job is not None
    until(lambda: job.progress == Progress("asking", 1.0))
    assert job.running
    assert suite_job.take_outcome() is None
    out.write_text("{}")
    until(lambda: not job.running)
    outcome = suite_job.take_outcome()
    assert outcome is not None
    assert (outcome.fine, outcome.told) == (True, "")
    assert suite_job.current() is None
    assert suite_job.take_outcome() is None


def test_a_missed_gate_is_a_result_and_a_crash_is_none(tmp_path: Path) -> None:
    written = tmp_path / "written.json"
    fails = "import sys\nfrom pathlib import Path\nPath(sys.argv[1]).write_text('{}')\nsys.exit(1)"
    job = SuiteJob(written, call(fails, str(written)))
    until(lambda: not job.running)
    assert job.outcome.fine
    crashed = SuiteJob(tmp_path / "none.json", call("print('some')\nraise SystemExit('It broke.')"))
    until(lambda: not crashed.running)
    assert not crashed.outcome.fine
    assert crashed.outcome.told.split("\n") == ["some", "It broke."]


def test_only_one_runs_at_a_time(tmp_path: Path) -> None:
    suite_job.start(tmp_path / "1.json", call(SLEEPS))
    first = suite_job.current()
    suite_job.start(tmp_path / "2.json", call(SLEEPS))
    assert suite_job.current() is first
    assert first is not None
    first.stop()
    suite_job.start(tmp_path / "2.json", call(SLEEPS))
    assert suite_job.current() is not first


@pytest.mark.parametrize("script", [SLEEPS, STUBBORN])
def test_a_stopped_run_is_gone_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(suite_job, "STOP_SECONDS", 0.2)
    job = SuiteJob(tmp_path / "x.json", call(script))
    until(lambda: bool(job._told))
    job.stop()
    assert not job.running
    assert job._process.returncode is not None
    assert (job.outcome.fine, "stopped" in job.outcome.message) == (False, True)
    job.stop()


def test_a_process_that_cannot_be_started_is_one_sentence(tmp_path: Path) -> None:
    outcome = suite_job.start(tmp_path / "x.json", [str(tmp_path / "nothing")])
    assert outcome is not None
    assert "cannot be started" in outcome.message
    assert suite_job.current() is None


def test_the_command_is_the_one_people_type(tmp_path: Path) -> None:
    done = SuiteJob(tmp_path / "x.json", [sys.executable, *suite_job.COMMAND, "--help"])
    until(lambda: not done.running)
    assert any("--out" in line for line in done._told) or done._process.returncode == 0
    assert (PROJECT / "ui" / "cli.py").is_file()
