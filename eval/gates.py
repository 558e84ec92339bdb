"""The gates: what a run has to reach, read from `gates.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import UsageError

FILE = Path(__file__).with_name("gates.toml")
FORM = 'A line reads "hit@1" = { min = 0.92 } or unknown_ids = { max = 0 }.'


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound of one metric: the least it has to be, or with `most` the most it may be."""

    metric: str
    bound: float
    most: bool = False

    def passed(self, value: float | None) -> bool:
        """Whether a value holds the bound; a metric that was not measured does not."""
        if value is None:
            return False
        return value <= self.bound if self.most else value >= self.bound


def read_gates(path: Path | None = None) -> list[Gate]:
    """The gates in the order of the file.

    Raises:
        UsageError: the file cannot be read, or a line has another form.
    """
    path = path or FILE
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Mend the file.") from None
    return [_gate(metric, value, path) for metric, value in values.items()]


def _gate(metric: str, value: Any, path: Path) -> Gate:
    if isinstance(value, dict) and len(value) == 1:
        ((side, bound),) = value.items()
        if side in {"min", "max"} and isinstance(bound, int | float) and not isinstance(bound, bool):
            return Gate(metric, float(bound), side == "max")
    raise UsageError(f"The gate of {metric} in {path} is no bound.", FORM)


def judged(metrics: dict[str, dict[str, Any]], gates: list[Gate]) -> dict[str, dict[str, Any]]:
    """The metrics, with a `gate` where there is one; one that was not measured misses its gate."""
    found = {name: dict(values) for name, values in metrics.items()}
    for gate in gates:
        row = found.setdefault(gate.metric, {"value": None, "low": None, "high": None, "n": 0})
        row["gate"] = {"max" if gate.most else "min": gate.bound, "passed": gate.passed(row["value"])}
    return found
