"""Scores samples one by one: a few at a time, each result kept on disk as soon as it is there.

A run that was killed goes on where it stopped. What failed, timed out or came out as NaN is counted, never averaged.
"""

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from eval.metrics import mean, mean_interval
from eval.samples import STATES, Outcome, Sample, State, added
from rag.catalog import LOCAL
from rag.errors import ModelError, ResourceError
from rag.weights import Report

FINAL: set[State] = {"scored", "nan"}
"""What is not asked again by the next run."""
GIVE_UP = 5
"""Failures in a row, with no success before them, after which a judge counts as dead."""
NO_JUDGE = "no judge"
"""In the identity of a scorer that asks no model."""
CURE = "Check --judge, OPENAI_BASE_URL and OPENAI_API_KEY; what was scored before is kept."
CURES = {NO_JUDGE: "Check this machine with `tutor doctor`.", LOCAL: "Raise --seconds, or name another judge."}
Scores = dict[str, Outcome]
"""The outcomes of one sample, by metric."""


class Scorer(Protocol):
    """Gives a sample a score.

    `identity` is everything besides the sample that a score depends on; its results are kept under that.
    """

    @property
    def identity(self) -> Mapping[str, str]: ...

    async def score(self, metric: str, sample: Sample) -> Outcome: ...

    async def close(self) -> None: ...


@dataclass
class WorkFile:
    """Finished outcomes of one scorer, a JSON line each, in a folder that may be deleted at any time.

    Args:
        folder: where work files are kept.
        identity: the scorer's; each has a file of its own.
    """

    folder: Path
    identity: Mapping[str, str]
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        name = hashlib.sha256(json.dumps(dict(self.identity), sort_keys=True).encode()).hexdigest()[:16]
        self.path = self.folder / f"{name}.jsonl"

    def read(self) -> dict[tuple[str, str], Outcome]:
        """The last outcome of every (sample, metric); a line that was cut by a kill is passed over."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError:  # none yet, or one that `append` will complain about
            return {}
        found = {}
        for line in lines:
            try:
                row = json.loads(line)
                found[str(row["sample"]), str(row["metric"])] = Outcome(**row["outcome"])
            except (ValueError, TypeError, KeyError):
                continue
        return found

    def append(self, sample: str, metric: str, outcome: Outcome) -> None:
        """Adds an outcome; it is on the disk when this returns.

        Raises:
            ResourceError: it cannot be written.
        """
        row = {"sample": sample, "metric": metric, "outcome": asdict(outcome)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # One write at the end of the file, begun on a line of its own whatever a kill has left there.
            with self.path.open("ab", buffering=0) as file:
                file.write(b"\n" + json.dumps(row).encode() + b"\n")
                os.fsync(file.fileno())
        except OSError as error:
            cure = "Free some disk space, or set TUTOR_HOME to a folder that can be written."
            raise ResourceError(f"{self.path} cannot be written: {error.strerror}.", cure) from None


@dataclass
class _Run:
    """What one run shares among its workers."""

    scorer: Scorer
    work: WorkFile | None
    report: Report
    what: str
    total: int
    done: int = 0
    scored: int = 0
    failed: int = 0

    async def one(self, metric: str, sample: Sample) -> Outcome:
        outcome = await self.scorer.score(metric, sample)
        if self.work and outcome.state in FINAL:
            self.work.append(sample.key, metric, outcome)
        self.done += 1
        self.report(self.what, self.done, self.total)
        self.scored += outcome.state in FINAL
        self.failed += outcome.state in {"failed", "timeout"}
        if self.failed >= GIVE_UP and not self.scored:
            raise ModelError(
                f"None of the first {self.failed} scores came out: {outcome.why.rstrip('.')}.",
                CURES.get(self.scorer.identity["judge"], CURE),
            )
        return outcome


def score_all(
    scorer: Scorer,
    samples: Sequence[Sample],
    metrics: Sequence[str],
    work: WorkFile | None,
    parallel: int,
    report: Report,
) -> list[Scores]:
    """The outcomes of all samples, in order; what the work file holds is not asked again.

    Args:
        scorer: closed when this returns, whatever happens.
        work: where finished outcomes are kept, None for nowhere.
        parallel: how many are scored at a time.
        report: told how far it is.

    Raises:
        ModelError: the judge has failed from the first sample on.
        ResourceError: the work file cannot be written.
    """
    known = work.read() if work else {}
    found: list[Scores] = [
        {metric: known[sample.key, metric] for metric in metrics if (sample.key, metric) in known} for sample in samples
    ]
    waiting = [(number, metric) for number in range(len(samples)) for metric in metrics if metric not in found[number]]
    total = len(samples) * len(metrics)
    run = _Run(scorer, work, report, f"scoring with {scorer.identity['judge']}", total, total - len(waiting))
    report(run.what, run.done, total)
    asyncio.run(_work_off(run, samples, waiting, found, parallel))
    return [{metric: scores[metric] for metric in metrics} for scores in found]


async def _work_off(
    run: _Run, samples: Sequence[Sample], waiting: Sequence[tuple[int, str]], found: list[Scores], parallel: int
) -> None:
    """Adds what waits to what was found, `parallel` at a time, and closes the scorer."""
    tasks = iter(waiting)

    async def worker() -> None:
        for number, metric in tasks:
            found[number][metric] = await run.one(metric, samples[number])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(parallel, len(waiting))):
                group.create_task(worker())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        await run.scorer.close()


def summary(scores: Sequence[Scores], metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each metric the mean of the scored samples with its 95% interval, and how many there are of each state.

    `value` is None when nothing was scored. `n` counts all samples, so the shares that are not in the mean show.
    """
    found: dict[str, dict[str, Any]] = {}
    for metric in metrics:
        outcomes = [each[metric] for each in scores]
        values = [outcome.value for outcome in outcomes if outcome.value is not None]
        low, high = mean_interval(values) if values else (None, None)
        counted = Counter(outcome.state for outcome in outcomes)
        reasons = Counter(outcome.why for outcome in outcomes if outcome.value is None)
        found[metric] = {
            "value": mean(values) if values else None,
            "low": low,
            "high": high,
            "n": len(outcomes),
            **{state: counted[state] for state in STATES},
            "reasons": dict(reasons.most_common(5)),
        }
    return found


def spent(scores: Sequence[Scores]) -> dict[str, Any]:
    """Calls and tokens over all outcomes, those of earlier runs included, and the names the judge gave itself.

    Tokens are None when some call did not report them.
    """
    outcomes = [outcome for each in scores for outcome in each.values()]
    return {
        "calls": sum(outcome.calls for outcome in outcomes),
        "tokens_in": added(*(outcome.tokens_in for outcome in outcomes)),
        "tokens_out": added(*(outcome.tokens_out for outcome in outcomes)),
        "answered_as": sorted({outcome.judge for outcome in outcomes if outcome.judge}),
    }


def rows(samples: Sequence[Sample], scores: Sequence[Scores]) -> list[dict[str, Any]]:
    """One row a sample, for the result file: what was asked, answered, by whom, retrieved, and every outcome."""
    return [
        {
            "id": sample.id,
            "question": sample.question,
            "answer": sample.answer,
            "writer": sample.writer,
            "retrieved": sample.context_ids,
            "relevant": sample.reference_ids,
            "scores": {metric: asdict(outcome) for metric, outcome in each.items()},
        }
        for sample, each in zip(samples, scores, strict=True)
    ]
