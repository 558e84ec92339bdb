"""The runs kept in `eval/results`: each under its date, and the accepted one as the baseline."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eval import record
from rag.errors import UsageError

BASELINE = "baseline.json"
SLIM = ("id", "group", "style", "status", "covered", "relevant", "cited", "measures")
"""What the baseline keeps of a row, besides its total time: enough to compare, none of the text."""
FIELDS = {"date": str, "split": str, "model": str, "metrics": dict, "groups": dict, "confusion": dict, "rows": list}
ROW = {"id": str, "group": str, "style": str, "status": str, "measures": dict}
MORE = {"question": str, "expected": str, "message": str, "model": str, "relevant": list, "cited": list,
        "retrieved": list, "uncovered": list, "faults": list, "claims": list, "asked": list,
        "timings_ms": dict}  # fmt: skip
"""What the baseline does not keep, or not every row has."""
CLAIM = {"text": str, "sources": list, "supported": bool}
WORDING = {"question": str, "cited": list}
OTHERS: dict[str, tuple[str, type]] = {"ragas": ("metrics", dict), "judges": ("judges", list)}
"""Result files of other commands that a report also shows, with the field that holds their numbers."""


def read_run(path: Path) -> dict[str, Any]:
    """A run as `tutor eval run` wrote it.

    Raises:
        UsageError: it cannot be read, is no run, or a row or a metric is not of the form in `eval/suite.py`.
    """
    found = _read(path, "Name a file written by `tutor eval run`.")
    if not isinstance(found, dict) or found.get("kind") != "run" or not _has(found, FIELDS):
        raise UsageError(f"{path} is not a run.", "Name a file written by `tutor eval run`.")
    if fault := _fault(found):
        raise UsageError(f"{path} is not a whole run: {fault}.", "Make it anew with `tutor eval run`.")
    return found


def _read(path: Path, cure: str) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        told = getattr(error, "strerror", None) or "it is not JSON"
        raise UsageError(f"{path} cannot be read: {told}.", cure) from None


def _fault(run: dict[str, Any]) -> str:
    """What is missing or of another kind in a run, the first of it; empty when nothing is."""
    for number, row in enumerate(run["rows"], 1):
        if not isinstance(row, dict) or not _has(row, ROW):
            return f"row {number} lacks one of {', '.join(ROW)}"
        if wrong := [name for name, kind in MORE.items() if not isinstance(row.get(name, kind()), kind)]:
            return f"row {number} has another form of {wrong[0]}"
        numbers = [row.get("covered"), *row["measures"].values(), *row.get("timings_ms", {}).values()]
        if not all(map(is_number, numbers)):
            return f"row {number} has what is no number in covered, measures or timings_ms"
        if not _parts(row):
            return f"row {number} has claims or wordings of another form, or an id that is no text"
    for name, cells in (("metrics", run["metrics"]), *run["groups"].items()):
        if not isinstance(cells, dict) or not all(map(is_cell, cells.values())):
            return f"{name} holds what is no metric"
    if not all(isinstance(row, dict) and all(map(is_number, row.values())) for row in run["confusion"].values()):
        return "confusion holds what is no count"
    return ""


def _has(found: dict[str, Any], fields: Mapping[str, type]) -> bool:
    return all(isinstance(found.get(name), kind) for name, kind in fields.items())


def _parts(row: dict[str, Any]) -> bool:
    """Whether the lists of a row hold what they should."""
    claims, asked = row.get("claims", []), row.get("asked", [])
    fine = all(isinstance(claim, dict) and _has(claim, CLAIM) and is_number(claim.get("support")) for claim in claims)
    if not fine or not all(isinstance(wording, dict) and _has(wording, WORDING) for wording in asked):
        return False
    lists = [row.get(name, []) for name, kind in MORE.items() if kind is list and name not in {"claims", "asked"}]
    lists += [*(claim["sources"] for claim in claims), *(wording["cited"] for wording in asked)]
    return all(isinstance(item, str) for items in lists for item in items)


def is_number(value: Any) -> bool:
    """Whether a value of a file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_cell(cell: Any) -> bool:
    """Whether this is a metric: numbers, or None for value, low and high together, and a gate of numbers if any."""
    if not isinstance(cell, dict) or not is_number(cell.get("n", 0)):
        return False
    gate = cell.get("gate", {})
    bounds = isinstance(gate, dict) and all(is_number(bound) for side, bound in gate.items() if side != "passed")
    sides = [cell.get(side) for side in ("value", "low", "high")]
    return bounds and (sides == [None] * 3 or all(map(is_number, sides)))


def others(folder: Path | None = None) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The RAGAS scores and the judges' agreement that are kept beside the runs.

    Returns:
        The contents of `ragas.json` and `judges.json` by their kind, as far as they are there, and what is to be
        said of one that cannot be used.
    """
    found, notes = {}, []
    for kind, (field, form) in OTHERS.items():
        path = (folder or record.FOLDER) / f"{kind}.json"
        if not path.is_file():
            continue
        try:
            values = _read(path, "")
        except UsageError as error:
            notes.append(error.message)
            continue
        held = values.get(field) if isinstance(values, dict) and values.get("kind") == kind else None
        rows: Iterable[Any] = held.values() if isinstance(held, dict) else held or ()
        if isinstance(held, form) and all(isinstance(row, dict) for row in rows):
            found[kind] = values
        else:
            notes.append(f"{path.name} is not what `tutor eval` writes.")
    return found, notes


def run_path(run: dict[str, Any]) -> Path:
    """Where a run is written when nobody names a file: its date tells runs apart."""
    return record.FOLDER / f"run-{run['date'].replace(':', '')}.json"


def run_files(folder: Path | None = None) -> list[Path]:
    """The runs in a folder, oldest first, without the baseline."""
    return sorted((folder or record.FOLDER).glob("run-*.json"))


def baseline(folder: Path | None = None) -> dict[str, Any] | None:
    """The run accepted last; None when none was.

    Raises:
        UsageError: it cannot be read, or is no run.
    """
    path = (folder or record.FOLDER) / BASELINE
    return read_run(path) if path.is_file() else None


def accept(path: Path) -> Path:
    """Makes a run the baseline and returns where that is.

    Raises:
        UsageError: it is no run of the project's own questions, or only part of one.
        ResourceError: the baseline cannot be written.
    """
    run = read_run(path)
    if run["split"] == "own" or run.get("limit"):
        raise UsageError(
            f"{path} does not hold a whole half of the project's questions.",
            "Accept a run made without --dataset and --limit.",
        )
    target = record.FOLDER / BASELINE
    record.write_result(target, {**run, "rows": [slim(row) for row in run["rows"]]})
    return target


def slim(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its text."""
    kept = {name: row[name] for name in SLIM if name in row}
    return {**kept, "timings_ms": {"total": row.get("timings_ms", {}).get("total", 0.0)}}
