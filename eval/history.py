"""The runs kept in `eval/results`: each under its date, and the accepted one as the baseline."""

import json
from pathlib import Path
from typing import Any

from eval import record
from rag.errors import UsageError

BASELINE = "baseline.json"
SLIM = ("id", "group", "style", "status", "covered", "relevant", "cited", "measures")
"""What the baseline keeps of a row, besides its total time: enough to compare, none of the text."""
FIELDS = {"date": str, "split": str, "model": str, "metrics": dict, "groups": dict, "confusion": dict, "rows": list}


def read_run(path: Path) -> dict[str, Any]:
    """A run as `tutor eval run` wrote it.

    Raises:
        UsageError: it cannot be read, or is no run.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        told = getattr(error, "strerror", None) or "it is not JSON"
        raise UsageError(f"{path} cannot be read: {told}.", "Name a file written by `tutor eval run`.") from None
    if not isinstance(found, dict) or found.get("kind") != "run" or not _whole(found):
        raise UsageError(f"{path} is not a run.", "Name a file written by `tutor eval run`.")
    return found


def _whole(found: dict[str, Any]) -> bool:
    fields = all(isinstance(found.get(name), kind) for name, kind in FIELDS.items())
    return fields and all(isinstance(row, dict) and isinstance(row.get("measures"), dict) for row in found["rows"])


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
