"""The runs of the evaluation suite as a page shows them: which there are, and series for its plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from eval import history, record
from eval.answer_metrics import LOWER_IS_BETTER
from eval.cases import GROUPS
from eval.headline import SMALL
from eval.reliability import Bin, bins, brier_score, calibration_error
from eval.suite import TITLES
from rag.errors import TutorError

Run = Mapping[str, Any]
MOST_RUNS = 30
"""Runs read for the page, the newest ones."""
JUDGED = {"answerable": True, "near_miss": False, "off_topic": False}
"""Groups whose questions the guides answer or leave open as a whole."""
REFUSALS = {
    "refused_answerable": "Answerable",
    "refusal_recall_near_miss": "Near misses",
    "refusal_recall_off_topic": "Off topic",
    "refusal_recall": "All that is not covered",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A result file: its run, or why it cannot be shown."""

    path: Path
    run: Run | None
    error: str = ""

    @property
    def name(self) -> str:
        """What people choose it by."""
        if self.run is None:
            return f"{self.path.name}, cannot be read"
        accepted = "Baseline of " if self.path.name == history.BASELINE else ""
        part = ", limited" if self.run.get("limit") else ""
        return f"{accepted}{day(self.run['date'])}, {self.run['model']}, {self.run['split']} questions{part}"


@dataclass(frozen=True, slots=True)
class Point:
    """A named value with its 95% interval, over `n` questions; `gate` is the bound it has to hold."""

    name: str
    value: float
    low: float
    high: float
    n: int
    gate: float | None = None


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far the probability of being covered can be believed."""

    bins: tuple[Bin, ...]
    brier: float
    error: float
    n: int


def kept_runs(folder: Path | None = None) -> list[Kept]:
    """What is in the folder of results, the newest run first, the baseline last."""
    paths = history.run_files(folder)[-MOST_RUNS:][::-1]
    base = (folder or record.FOLDER) / history.BASELINE
    return [read(path) for path in [*paths, *([base] if base.is_file() else [])]]


def read(path: Path) -> Kept:
    """One result file; a damaged one carries its error."""
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        return Kept(path, None, f"{path.name} cannot be read: {error.strerror}.")


@lru_cache(maxsize=MOST_RUNS + 2)
def _read(path: Path, changed: int, size: int) -> Kept:
    """Reads a file once for each of its states."""
    try:
        return Kept(path, history.read_run(path))
    except TutorError as error:
        return Kept(path, None, str(error))


def day(date: str) -> str:
    """`2026-11-22T08:15:00Z` as `22 Nov 2026, 08:15 UTC`; anything else as it is."""
    try:
        found = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return date
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def title(metric: str) -> str:
    """A metric in plain words, with a capital."""
    told = TITLES.get(metric, metric.replace("_", " "))
    return told[:1].upper() + told[1:]


def styles(run: Run) -> dict[str, Mapping[str, Any]]:
    """The groups that are styles of answerable questions."""
    return {name: cells for name, cells in run["groups"].items() if name not in GROUPS and ":" not in name}


def style_metrics(run: Run) -> list[str]:
    """The metrics that are a share and that at least two styles have."""
    counted = [name for cells in styles(run).values() for name in cells]
    return [name for name in TITLES if counted.count(name) > 1 and _is_share(name)]


def _is_share(metric: str) -> bool:
    return not metric.startswith("latency") and metric not in {"claims", "dropped", "unknown_ids"}


def by_style(run: Run, metric: str) -> list[Point]:
    """A metric of each style, the best first, after that of all questions."""
    points = [point(name, cells[metric]) for name, cells in styles(run).items() if metric in cells]
    points.sort(key=lambda item: item.value, reverse=metric not in LOWER_IS_BETTER)
    whole = [point("all", run["metrics"][metric])] if _measured(run, metric) else []
    return whole + points


def refusals(run: Run) -> list[Point]:
    """The refused share of what is covered and of what is not."""
    return [point(told, run["metrics"][name]) for name, told in REFUSALS.items() if _measured(run, name)]


def _measured(run: Run, metric: str) -> bool:
    return run["metrics"].get(metric, {}).get("value") is not None


def point(name: str, cell: Mapping[str, Any]) -> Point:
    """A cell of a run's metrics under a name of its own."""
    gate = cell.get("gate") or {}
    value = float(cell["value"])
    low, high = (float(cell.get(side, value)) for side in ("low", "high"))
    return Point(name, value, low, high, int(cell.get("n", 0)), gate.get("min", gate.get("max")))


def reliability(run: Run) -> Reliability | None:
    """Bins of the probability of being covered against the truth; None without questions of both sorts."""
    judged = [(float(row["covered"]), JUDGED[row["group"]]) for row in run["rows"] if row["group"] in JUDGED]
    if len({true for _, true in judged}) < 2:
        return None
    told, truth = [share for share, _ in judged], [true for _, true in judged]
    found = bins(told, truth)
    return Reliability(tuple(found), brier_score(told, truth), calibration_error(found), len(judged))


def over_time(kept: Sequence[Kept], metric: str) -> list[Point]:
    """A metric of each run that has it, oldest first, the point's name its date."""
    runs = [item.run for item in kept if item.run is not None]
    found = {run["date"]: point(run["date"], run["metrics"][metric]) for run in runs if _measured(run, metric)}
    return [found[date] for date in sorted(found)]


def repeated(kept: Sequence[Kept]) -> list[str]:
    """The metrics that at least two runs have."""
    return [name for name in TITLES if len(over_time(kept, name)) > 1]


def better(metric: str, change: float) -> str:
    """Whether a change of a metric is for the better."""
    if abs(change) < SMALL:
        return "same"
    return "worse" if (change > 0) == (metric in LOWER_IS_BETTER) else "better"


def fresh_path(now: datetime) -> Path:
    """The file of a run that starts now."""
    return history.run_path({"date": f"{now:%Y-%m-%dT%H:%M:%SZ}"})
