"""Result files of the suite for tests: rows of every group, summed up by the suite itself."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.suite import summary

HOSTILE = "<img src=x onerror=alert(1)> **bold** $x^2$ :red[no] ![x](http://evil.example/a.png)"


def a_row(id: str, group: str = "answerable", style: str = "keyword", **values: Any) -> dict[str, Any]:
    """A row that went well, or what `values` make of it."""
    answered = group == "answerable"
    filled: dict[str, Any] = {
        "id": id, "group": group, "style": style, "question": f"Question {id}?", "expected": "", "model": "quote",
        "status": "answered" if answered else "not_covered", "covered": 0.95 if answered else 0.1,
        "relevant": ["SCN-09"] if answered else [], "retrieved": ["SCN-09", "SCN-08"],
        "cited": ["SCN-09"] if answered else [], "dropped": [], "message": "", "uncovered": [],
        "claims": [{"text": f"Sentence {id}.", "sources": ["SCN-09"], "support": 1.0, "supported": True}] * answered,
        "timings_ms": {"total": 90.0},
        "measures": {"hit@1": 1.0, "refused_answerable": 0.0, "latency_ms": 90.0} if answered else {},
    }  # fmt: skip
    if group in {"near_miss", "off_topic"}:
        filled["measures"] = {"refusal_recall": 1.0, f"refusal_recall_{group}": 1.0}
    return {**filled, **values}


def wrong(id: str, **values: Any) -> dict[str, Any]:
    """An answerable question whose first entry is not the right one."""
    measures = {"hit@1": 0.0, "refused_answerable": 0.0, "latency_ms": 120.0}
    return a_row(id, relevant=["SCN-08"], covered=0.9, measures=measures, **values)


def rows(miss: int = 1) -> list[dict[str, Any]]:
    """Forty questions of every sort, the first `miss` answerable ones of them wrong."""
    asked = [wrong(f"Q{n}") if n < miss else a_row(f"Q{n}", style="typo" if n % 2 else "keyword") for n in range(20)]
    open_row = {
        "status": "answered",
        "covered": 0.7,
        "measures": {"refusal_recall": 0.0, "refusal_recall_near_miss": 0.0},
    }
    left_open = [a_row(f"N{n}", "near_miss", "near_miss", **(open_row if n < 2 else {})) for n in range(10)]
    return [*asked, *left_open, *(a_row(f"O{n}", "off_topic", "off_topic") for n in range(10))]


def a_run(
    date: str = "2026-11-22T08:15:00Z", miss: int = 1, gates: Mapping[str, bool] | None = None, **values: Any
) -> dict[str, Any]:
    """A run; `gates` names metrics with a gate of at least 0.9, and whether they hold it."""
    made = values.pop("rows", None) or rows(miss)
    run = {
        "date": date, "commit": "abc123+", "settings": {"embedding_model": "all-mpnet-base-v2"}, "weights": {},
        "packages": {}, "machine": {"cores": 2, "machine": "x86_64", "python": "3.11.2"}, "kind": "run",
        "split": "test", "model": "quote", "seed": 0, "limit": None, "seconds": 61.2, **summary(made), "rows": made,
    }  # fmt: skip
    for name, passed in (gates or {}).items():
        run["metrics"][name]["gate"] = {"min": 0.9, "passed": passed}
    return {**run, **values}


def keep(folder: Path, run: Mapping[str, Any], name: str = "") -> Path:
    """Writes a run where the suite would, or under another name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"run-{run['date'].replace(':', '')}.json")
    path.write_text(json.dumps(run), "utf-8")
    return path
