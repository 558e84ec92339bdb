"""A run's metrics beside the last accepted baseline, and the Markdown of it for a pull request."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eval.answer_metrics import LOWER_IS_BETTER
from eval.compare import compare
from eval.markup import visible
from eval.suite import STATUSES, TITLES

Run = Mapping[str, Any]
"""The JSON of a run file; its shape is in `eval/suite.py`."""
SAME = "no difference shown"
PAIRED = "“Better” and “worse” are said only where a paired bootstrap over the same questions leaves out 0."
SMALL = 5e-4
"""A difference under this is shown as nothing, so it is called nothing."""


@dataclass(frozen=True)
class Line:
    """One metric: its value with interval and N, the baseline's, and its gate; None where there is no number."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    base: float | None
    gate: str
    passed: bool | None

    @property
    def title(self) -> str:
        return str(TITLES.get(self.name, self.name.replace("_", " ")))

    @property
    def difference(self) -> float | None:
        return None if self.value is None or self.base is None else self.value - self.base

    @property
    def change(self) -> str:
        """`better`, `worse` or `same` as the baseline; empty without one. Says nothing about chance: see `changes`."""
        if self.difference is None:
            return ""
        return "same" if abs(self.difference) < SMALL else _moved(self.name, self.difference)


def lines(run: Run, base: Run | None) -> list[Line]:
    """The run's metrics in its own order."""
    known = base["metrics"] if base else {}
    return [_line(name, cell, known.get(name, {})) for name, cell in run["metrics"].items()]


def changes(run: Run, base: Run | None) -> dict[str, str]:
    """`better`, `worse` or `no difference shown` by metric, for those that rows of both runs have.

    Decided by a paired bootstrap over the same questions (`eval.compare`), not by the two averages.
    """
    if base is None:
        return {}
    found = compare(dict(base), dict(run), list(run["metrics"]))
    return {item.measure: _moved(item.measure, item.change) if item.shown else SAME for item in found}


def _moved(name: str, change: float) -> str:
    return "worse" if (change > 0) == (name in LOWER_IS_BETTER) else "better"


def _line(name: str, cell: Mapping[str, Any], known: Mapping[str, Any]) -> Line:
    gate = cell.get("gate") or {}
    bounds = [f"{sign} {bound(name, gate[key])}" for key, sign in (("min", "≥"), ("max", "≤")) if key in gate]
    value, low, high = (number(cell.get(key)) for key in ("value", "low", "high"))
    passed = bool(gate["passed"]) if "passed" in gate else None
    return Line(name, value, low, high, int(cell.get("n", 0)), number(known.get("value")), " and ".join(bounds), passed)


def number(value: Any) -> float | None:
    """A finite number of a file as such, anything else as None."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def shown(name: str, value: float | None, sign: str = "") -> str:
    """A value as people read it: milliseconds as such, shares with three decimals; a dash for none.

    Args:
        sign: "+" shows the sign of a difference.
    """
    if value is None:
        return "–"
    if name.startswith("latency"):
        return f"{value:{sign},.0f} ms"
    return f"{value:{sign}.3f}"


def bound(name: str, value: float) -> str:
    """A gate's bound, without digits it does not have."""
    return shown(name, value) if name.startswith("latency") else f"{value:g}"


def interval(line: Line) -> str:
    """The line's interval in square brackets, or nothing."""
    if line.low is None or line.high is None:
        return ""
    return f"[{shown(line.name, line.low)}, {shown(line.name, line.high)}]"


def comparable(run: Run, base: Run | None) -> str:
    """Why the baseline's numbers are not this run's kind; empty when they are, or there is none."""
    for key, what in (("split", "split"), ("model", "model"), ("limit", "limit")):
        if base and base.get(key) != run.get(key):
            return f"The baseline has another {what} ({base.get(key)} instead of {run.get(key)})."
    return ""


def missed(run: Run) -> list[Line]:
    """The lines whose gate is missed."""
    return [line for line in lines(run, None) if line.passed is False]


def verdict(run: Run) -> str:
    """One sentence about the gates."""
    gated = [line for line in lines(run, None) if line.passed is not None]
    if not gated:
        return "No gates were judged: they are for whole runs over the project's own questions."
    failed = missed(run)
    if not failed:
        return f"All {len(gated)} gates are met."
    return f"{len(failed)} of {len(gated)} gates missed: {', '.join(line.title for line in failed)}."


def doubts(run: Run) -> list[str]:
    """Why a run should not be the baseline, though it can be; a sentence each, none for a run as it should be."""
    found = []
    if run.get("split") != "test":
        found.append(f"It is of split {run.get('split')}: the baseline is meant to be of test, which has the gates.")
    if failed := missed(run):
        found.append(f"It misses gates: {', '.join(line.title for line in failed)}.")
    elif all(line.passed is None for line in lines(run, None)):
        found.append("No gate was judged in it.")
    commit = str(run.get("commit") or "")
    if not commit or commit.endswith("+"):
        what = f"with changes that are not in commit {commit[:-1]}" if commit else "outside a repository"
        found.append(f"It was made {what}: nobody can make it again.")
    return found


def confusion_rows(run: Run) -> list[list[str]]:
    """What each kind of question was told: the head, then a row of counts for each kind; empty without any."""
    words = [name.replace("_", " ") for name in STATUSES]
    rows = [
        [kind.replace("_", " "), *(str(counts.get(name, 0)) for name in STATUSES)]
        for kind, counts in run["confusion"].items()
    ]
    return [["asked / told", *words], *rows] if rows else []


def attack_kinds(run: Run) -> str:
    """How many attacks of each kind succeeded, in a sentence; empty for a run without attacks."""
    found = []
    for name, cells in run["groups"].items():
        share = number(cells.get("attack_success", {}).get("value"))
        if name.startswith("attack:") and share is not None:
            many = int(cells["attack_success"].get("n", 0))
            found.append(f"{name.removeprefix('attack:').replace('_', ' ')} {round(share * many)} of {many}")
    return f"Attacks that succeed: {', '.join(found)}." if found else ""


def facts(run: Run, base: Run | None) -> list[tuple[str, str]]:
    """What was measured with what, as pairs of a name and a value."""
    settings, machine = run.get("settings", {}), run.get("machine", {})
    found = [
        ("date", run.get("date")),
        ("commit", run.get("commit") or "outside a repository"),
        ("questions", f"{len(run['rows'])}, split {run.get('split')}" + (", limited" if run.get("limit") else "")),
        ("answers by", run.get("model")),
        ("embedder", settings.get("embedding_model")),
        ("seed", run.get("seed")),
        ("machine", f"{machine.get('cores')} cores, {machine.get('machine')}, Python {machine.get('python')}"),
        ("baseline", f"{base.get('date')}, commit {base.get('commit')}" if base else "none accepted yet"),
    ]
    return [(name, str(value)) for name, value in found if value not in (None, "")]


def summary(run: Run, base: Run | None) -> str:
    """The Markdown for a pull request: the verdict, one row a metric, the confusion, attacks, the circumstances."""
    rows = ["| metric | value | 95% interval | n | baseline | difference | gate |", "|---|---|---|---|---|---|---|"]
    said = changes(run, base)
    for line in lines(run, base):
        gate = f"{line.gate} {'met' if line.passed else '**missed**'}" if line.passed is not None else ""
        moved = f"{shown(line.name, line.difference, '+')} {said.get(line.name, '').replace(SAME, '')}".strip()
        cells = [line.title, shown(line.name, line.value), interval(line), str(line.n), shown(line.name, line.base),
                 moved, gate]  # fmt: skip
        rows.append(f"| {' | '.join(map(_cell, cells[:-1]))} | {gate} |")
    table = [f"| {' | '.join(map(_cell, cells))} |" for cells in confusion_rows(run)]
    table[1:1] = [f"|{'---|' * (1 + len(STATUSES))}"] if table else []
    told = "; ".join(f"{name} {_cell(value)}" for name, value in facts(run, base))
    parts = [f"### Evaluation: {_cell(verdict(run))}", "\n".join(rows), PAIRED if base else "",
             _cell(comparable(run, base)), "\n".join(table), _cell(attack_kinds(run)), told]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


ESCAPED: dict[str, str | int | None] = {
    **{letter: f"\\{letter}" for letter in "\\`*_[]|#~"},
    **{letter: f"&#{ord(letter)};" for letter in "<>&@"},
}


def _cell(text: str) -> str:
    """A text that stays in its table cell and is neither markup nor a link nor a mention."""
    return " ".join(visible(text).split()).translate(str.maketrans(ESCAPED))
