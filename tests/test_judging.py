"""Scoring many samples: a few at a time, every outcome counted, and nothing lost by a kill."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from eval.judge import Ragas
from eval.judging import GIVE_UP, WorkFile, rows, score_all, spent, summary
from eval.samples import Endpoint, Outcome, Sample
from eval.verdicts import ModelJudge
from rag.errors import ModelError, ResourceError
from rag.settings import PROJECT
from tests.conftest import silent
from tests.fakes import FakeChat, WordEmbedder
from tests.judge_server import NAME, JudgeServer, judging
from tests.servers import failure

METRICS = ("faithfulness", "context_recall")
SCORED = Outcome("scored", 0.5, calls=2, tokens_in=20, tokens_out=5, judge="me")


def samples(many: int) -> list[Sample]:
    return [
        Sample(f"G{n}", f"Question {n}?", f"It is {n}. It is red.", (f"It is {n}.",), reference=f"It is {n}.")
        for n in range(many)
    ]


class Told:
    """A scorer that says what it was told, in turn, and watches how many are scored at a time."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.identity: Mapping[str, str] = {"judge": "told"}
        self.asked: list[tuple[str, str]] = []
        self.running = 0
        self.most = 0
        self.closed = 0

    async def score(self, metric: str, sample: Sample) -> Outcome:
        self.asked.append((metric, sample.id))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judging() as judge:
        yield judge


def test_no_more_are_scored_at_a_time_than_allowed() -> None:
    for allowed in (1, 3):
        scorer = Told(SCORED)
        found = score_all(scorer, samples(5), METRICS, None, allowed, silent)
        assert (scorer.most, scorer.closed, len(scorer.asked)) == (allowed, 1, 10)
        assert [list(scores) for scores in found] == [list(METRICS)] * 5


def test_progress_counts_every_score() -> None:
    seen: list[tuple[str, int, int]] = []
    score_all(Told(SCORED), samples(2), METRICS, None, 1, lambda *report: seen.append(report))
    assert seen == [("scoring with told", done, 4) for done in range(5)]


def test_what_has_no_value_is_counted_and_never_averaged() -> None:
    told = [
        Outcome("scored", 0.25), Outcome("nan", why="empty"), Outcome("failed", why="status 500"), Outcome("timeout"),
        Outcome("scored", 0.75), Outcome("refused"),
    ]  # fmt: skip
    found = score_all(Told(*told), samples(6), ["faithfulness"], None, 1, silent)
    row = summary(found, ["faithfulness"])["faithfulness"]
    assert row["value"] == 0.5
    assert row["low"] <= 0.5 <= row["high"]
    assert {name: row[name] for name in ("n", "scored", "nan", "failed", "timeout", "refused")} == {
        "n": 6, "scored": 2, "nan": 1, "failed": 1, "timeout": 1, "refused": 1,
    }  # fmt: skip
    assert row["reasons"]["status 500"] == 1


def test_nothing_scored_is_no_value_instead_of_zero() -> None:
    row = summary([{"faithfulness": Outcome("failed", why="x")}], ["faithfulness"])["faithfulness"]
    assert (row["value"], row["low"], row["high"], row["n"]) == (None, None, None, 1)


def test_calls_tokens_and_names_add_up_and_every_sample_has_its_row() -> None:
    asked = samples(2)
    found = score_all(Told(SCORED), asked, METRICS, None, 1, silent)
    assert spent(found) == {"calls": 8, "tokens_in": 80, "tokens_out": 20, "answered_as": ["me"]}
    written = rows(asked, found)
    assert [row["id"] for row in written] == ["G0", "G1"]
    assert written[0]["scores"]["faithfulness"]["value"] == 0.5
    json.dumps(written, allow_nan=False)
    silence = [{"a": SCORED}, {"a": Outcome("scored", 1.0, calls=1, tokens_in=None, tokens_out=None)}]
    assert spent(silence) == {"calls": 3, "tokens_in": None, "tokens_out": None, "answered_as": ["me"]}
    assert written[0]["writer"] == ""


def test_the_local_models_file_is_part_of_what_its_scores_are_kept_under() -> None:
    used = [Endpoint("local", "http://127.0.0.1:1", "k", weights=weights) for weights in ("", "a", "b")]
    for made in (lambda one: Ragas(WordEmbedder(), one), lambda one: ModelJudge(FakeChat("local"), one)):
        assert len({json.dumps(dict(made(one).identity)) for one in used}) == 3


def test_a_score_does_not_depend_on_who_wrote_the_answer() -> None:
    (one,) = samples(1)
    assert one.key == replace(one, writer="me", fell_back=True).key != replace(one, answer="x").key


def test_a_judge_that_is_dead_from_the_start_is_given_up(tmp_path: Path) -> None:
    scorer = Told(Outcome("failed", why="status 401"))
    with pytest.raises(ModelError, match=r"None of the first 5 scores came out: status 401\. Check") as caught:
        score_all(scorer, samples(50), METRICS, WorkFile(tmp_path, {}), 1, silent)
    assert "OPENAI_BASE_URL" in caught.value.cure
    assert (len(scorer.asked), scorer.closed) == (GIVE_UP, 1)


def test_without_a_judge_nobody_is_sent_to_look_for_one() -> None:
    scorer = Told(Outcome("failed", why="OSError"))
    scorer.identity = {"judge": "no judge"}
    with pytest.raises(ModelError) as caught:
        score_all(scorer, samples(9), METRICS, None, 1, silent)
    assert "--judge" not in caught.value.cure


def test_a_judge_that_has_answered_is_not_given_up() -> None:
    scorer = Told(SCORED, Outcome("timeout"))
    found = score_all(scorer, samples(20), ["faithfulness"], None, 1, silent)
    assert summary(found, ["faithfulness"])["faithfulness"]["timeout"] == 19


def test_a_second_run_asks_only_for_what_failed(tmp_path: Path) -> None:
    work = WorkFile(tmp_path / "new", {"judge": "told"})
    told = [SCORED, Outcome("failed", why="x"), Outcome("nan"), Outcome("timeout")]
    score_all(Told(*told), samples(4), ["faithfulness"], work, 1, silent)
    again = Told(Outcome("scored", 1.0))
    found = score_all(again, samples(4), ["faithfulness"], work, 1, silent)
    assert again.asked == [("faithfulness", "G1"), ("faithfulness", "G3")]
    assert [scores["faithfulness"].value for scores in found] == [0.5, 1.0, None, 1.0]


def test_a_changed_answer_or_another_judge_is_scored_anew(tmp_path: Path) -> None:
    score_all(Told(SCORED), samples(3), ["faithfulness"], WorkFile(tmp_path, {"judge": "a"}), 1, silent)
    other = Told(SCORED)
    score_all(other, samples(3), ["faithfulness"], WorkFile(tmp_path, {"judge": "b"}), 1, silent)
    assert len(other.asked) == 3
    changed = [*samples(2), Sample("G2", "Question 2?", "Another answer.", ("It is 2.",))]
    again = Told(SCORED)
    score_all(again, changed, ["faithfulness"], WorkFile(tmp_path, {"judge": "a"}), 1, silent)
    assert again.asked == [("faithfulness", "G2")]


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_cut_by_a_kill_costs_that_line_only(tmp_path: Path, cut: int) -> None:
    work = WorkFile(tmp_path, {})
    score_all(Told(SCORED), samples(3), ["faithfulness"], work, 1, silent)
    whole = work.path.read_bytes()
    last = whole.rindex(b"{", 0, whole.rindex(b'"outcome"'))
    work.path.write_bytes(whole[: last + cut] if cut > 0 else whole[:-2])
    again = Told(SCORED)
    score_all(again, samples(3), ["faithfulness"], work, 1, silent)
    assert again.asked == [("faithfulness", "G2")]
    assert len(work.read()) == 3


def test_lines_that_are_no_outcomes_are_passed_over(tmp_path: Path) -> None:
    work = WorkFile(tmp_path, {})
    work.append("a", "faithfulness", SCORED)
    with work.path.open("ab") as file:
        file.write(b'[]\n{"sample": "b"}\n{"sample": "c", "metric": "m", "outcome": {"who": 1}}\n\xff\xfe\nnull\n')
    assert work.read() == {("a", "faithfulness"): SCORED}


def test_a_work_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(ResourceError, match="cannot be written"):
        score_all(Told(SCORED), samples(1), ["faithfulness"], WorkFile(tmp_path / "file", {}), 1, silent)


def test_one_sample_that_fails_leaves_the_others_their_scores(server: JudgeServer) -> None:
    server.replies = [None, None, None, failure(400), failure(400)]  # the second sample's first metric, in both modes
    scorer = Ragas(WordEmbedder(), Endpoint(NAME, server.url, "k", retries=0))
    found = score_all(scorer, samples(3), METRICS, None, 1, silent)
    assert [[each[metric].state for metric in METRICS] for each in found] == [
        ["scored", "scored"], ["failed", "scored"], ["scored", "scored"],
    ]  # fmt: skip
    row = summary(found, METRICS)["faithfulness"]
    assert (row["value"], row["n"], row["scored"]) == (0.5, 3, 2)


CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from eval.judge import Ragas
from eval.judging import WorkFile, score_all
from eval.samples import Endpoint
from tests.fakes import WordEmbedder
from tests.judge_server import NAME
from tests.test_judging import METRICS, samples
scorer = Ragas(WordEmbedder(), Endpoint(NAME, sys.argv[2], "k", seconds=300))
work = WorkFile(Path(sys.argv[3]), scorer.identity)
found = score_all(scorer, samples(4), METRICS, work, 1, lambda *report: None)
print([each[metric].value for each in found for metric in METRICS])
"""


def start(server: JudgeServer, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CODE, str(PROJECT), server.url, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT)


def test_a_run_that_is_killed_goes_on_where_it_stopped(server: JudgeServer, tmp_path: Path) -> None:
    server.patience = 7  # three requests a sample: two samples, and one request of the third
    first = start(server, tmp_path)
    until = time.monotonic() + 120
    while len(server.asked) < 8 and first.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert (first.returncode, len(server.asked)) == (-signal.SIGKILL, 8)
    server.released.set()
    server.patience = None
    second = start(server, tmp_path)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert json.loads(out) == [0.5, 1.0] * 4
    assert len(server.asked) == 8 + 6, "what was finished before the kill is not asked again"
