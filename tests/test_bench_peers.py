"""The comparison with other libraries, on workers that are real processes and do next to nothing."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy
import pytest

from eval import bench_peers
from eval.bench_peers import System, Task, compare, document_text, percentile, summary, table
from eval.gold import GoldQuestion
from eval.peers.protocol import first_of_each
from eval.peers.runner import PeerFailed, Worker, python_of
from rag.settings import PROJECT, Settings
from rag.types import Entry
from tests.conftest import silent

WORKER = """
import os, sys
sys.path.insert(0, {project!r})
from eval.peers.protocol import Built, serve

def build(job):
    os.write(1, b"noise of a library in C\\n")
    print("noise of a library in Python")
    def ask(question, limit):
        print("noise while answering")
        if question == {fatal!r}:
            print("out of luck", file=sys.stderr)
            os._exit(7)
        return [name for name in {ids!r} if name in job.texts][:limit]
    return Built(ask, lambda texts: [[1.0, 0.0] for _ in texts], {{"threads": os.environ["OMP_NUM_THREADS"]}})

serve(build, ["numpy"])
"""
NEVER = "a question nobody asks"


@pytest.fixture
def system(tmp_path: Path) -> Callable[..., System]:
    """A system whose worker answers every question with the same ids, and dies of one question."""

    def make(name: str, ids: Sequence[str] = ("A", "B"), fatal: str = NEVER) -> System:
        script = tmp_path / f"{name}.py"
        script.write_text(WORKER.format(project=str(PROJECT), ids=list(ids), fatal=fatal), "utf-8")
        return System(name, lambda: [sys.executable, str(script)])

    return make


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of all processes that are started from here on."""
    ids: list[int] = []

    class Watched(Worker):
        def __init__(self, name: str, command: Sequence[str], extra: dict[str, str] | None = None) -> None:
            super().__init__(name, command, extra)
            ids.append(self.process_id)

    monkeypatch.setattr(bench_peers, "Worker", Watched)
    return ids


def task() -> Task:
    job = {"entries": [{"id": name, "text": "…"} for name in "ABC"], "model": "", "threads": 3, "probes": ["a probe"]}
    asked = [GoldQuestion("1", "one", ("B",), "plain"), GoldQuestion("2", "two", ("A", "C"), "plain")]
    return Task(job, numpy.array([[1.0, 0.0]], dtype=numpy.float32), asked, ["zero"])


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_ranks_and_times_are_right_and_noise_on_standard_output_disturbs_nobody(
    system: Callable[..., System], started: list[int]
) -> None:
    results = compare([system("first"), system("second", ["C", "unknown"])], task(), silent)
    assert [result.failure for result in results.values()] == [None, None]
    assert results["first"].ranks == [2, 1]
    assert results["second"].ranks == [None, 1]
    assert all(len(result.milliseconds) == 2 for result in results.values())
    assert all(result.peak_megabytes > 1 for result in results.values())
    ready = results["first"].ready
    assert ready["settings"] == {"threads": "3"}
    assert ready["versions"]["numpy"] == numpy.__version__
    assert ready["build_seconds"] >= 0
    assert len(started) == 2
    assert not any(map(alive, started))


def test_a_worker_that_dies_is_reported_and_the_others_go_on(system: Callable[..., System], started: list[int]) -> None:
    results = compare([system("frail", fatal="two"), system("sound")], task(), silent)
    failure = results["frail"].failure
    assert failure
    assert failure.message == "frail ended early (exit code 7)."
    assert failure.cure
    assert failure.lines[-1] == "out of luck"
    assert results["sound"].ranks == [2, 1]
    assert any("failed" in line and "frail" in line for line in table(results))
    assert summary(Settings(), task(), results)["systems"]["frail"] == {"failed": failure.message}
    assert not any(map(alive, started))


def test_a_worker_that_cannot_start_is_reported_and_the_others_go_on(system: Callable[..., System]) -> None:
    broken = System("broken", lambda: [sys.executable, "-c", "import nothing_of_this_name"])
    results = compare([broken, system("sound")], task(), silent)
    assert results["broken"].failure
    assert "nothing_of_this_name" in results["broken"].failure.lines[-1]
    assert results["sound"].ranks == [2, 1]


def test_a_system_that_cannot_be_installed_is_reported(system: Callable[..., System], tmp_path: Path) -> None:
    requirements = tmp_path / "absent.txt"
    # pip refuses this line before it looks anywhere.
    requirements.write_text("not a requirement at all\n", "utf-8")
    absent = System("absent", lambda: [python_of("absent", requirements, tmp_path / "peers", silent)])
    results = compare([absent, system("sound")], task(), silent)
    assert results["absent"].failure
    assert results["absent"].failure.message == "absent could not be installed."
    assert results["absent"].failure.lines
    assert results["sound"].ranks == [2, 1]


def test_an_environment_is_made_once_and_anew_when_its_requirements_change(tmp_path: Path) -> None:
    requirements = tmp_path / "some.txt"
    requirements.write_text("# nothing\n", "utf-8")
    reports: list[str] = []

    def make() -> str:
        return python_of("some", requirements, tmp_path / "peers", lambda what, done, total: reports.append(what))

    assert Path(make()).is_file()
    make()
    assert reports == ["installing some"]
    requirements.write_text("# still nothing\n", "utf-8")
    make()
    assert reports == ["installing some", "installing some"]


def test_a_system_with_another_embedder_does_not_take_part(system: Callable[..., System], started: list[int]) -> None:
    other = Task(task().job, numpy.array([[0.0, 1.0]], dtype=numpy.float32), task().asked, [])
    failure = compare([system("other")], other, silent)["other"].failure
    assert failure
    assert "other vectors than ours" in failure.message
    assert not any(map(alive, started))


def test_an_interruption_leaves_nobody_running(system: Callable[..., System], started: list[int]) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if what == "asking":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare([system("first"), system("second")], task(), interrupt)
    assert len(started) == 2
    assert not any(map(alive, started))


def test_a_worker_that_takes_too_long_is_ended() -> None:
    worker = Worker("slow", [sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with pytest.raises(PeerFailed, match="gave no reply within 0.2 s"):
            worker.tell({}, 0.2)
        assert not alive(worker.process_id)
    finally:
        worker.close()


def test_the_first_chunk_of_an_entry_counts() -> None:
    assert first_of_each(["B", "A", "B", "C", "A", "D"], 3) == ["B", "A", "C"]


def test_a_document_holds_every_way_of_asking_once() -> None:
    entry = Entry("SCN-01", "g", "Title", "Question?", "Answer.", also_asked=("One?",), asked=("Two?", "One?"))
    assert document_text(entry).split("\n").count("One?") == 1
    assert document_text(entry).split("\n").count("Two?") == 1


def test_the_table_has_a_dash_where_nothing_was_built(system: Callable[..., System]) -> None:
    results = compare([system("first")], task(), silent)
    results["first"].ready["build_seconds"] = None
    header, line = table(results)
    assert header.split()[:3] == ["hit@1", "hit@3", "MRR@10"]
    assert line.split()[:4] == ["first", "0.500", "1.000", "0.750"]
    assert line.split()[-2] == "-"
    assert percentile([3.0, 1.0, 2.0, 4.0], 0.5) == 3.0
