"""What the benchmark and its workers say to each other: JSON lines over standard input and output.

    benchmark > {"entries": [{"id": "…", "text": "…"}], "model": "…", "threads": 2, "probes": ["…"]}
    worker    > {"ready": true, "build_seconds": …, "versions": {…}, "settings": {…}, "vectors": [[…]]}
    benchmark > {"question": "…", "limit": 10}
    worker    > {"ids": ["…"], "ms": …}
    benchmark closes the pipe
    worker    > {"peak_megabytes": …}

A worker runs in an environment that has none of the project's dependencies, so this module imports
nothing but the standard library.
"""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TextIO

Ask = Callable[[str, int], Sequence[str]]
"""(question, limit) to entry ids, best first."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker gets to index, and with what. `texts` holds the entries' texts by their ids."""

    texts: dict[str, str]
    model: str
    threads: int


@dataclass(frozen=True, slots=True)
class Built:
    """An index that can be asked, the library's own embedding of texts, and every setting that was chosen."""

    ask: Ask
    embed: Callable[[list[str]], Sequence[Sequence[float]]]
    settings: dict[str, object]
    measured: bool = True
    """False when nothing was built, only opened."""


def serve(build: Callable[[Job], Built], packages: Sequence[str]) -> None:
    """Runs a worker until its input ends. `packages` are those whose versions matter."""
    replies = _claim_stdout()
    first = json.loads(sys.stdin.readline())
    job = Job({entry["id"]: entry["text"] for entry in first["entries"]}, first["model"], first["threads"])
    # Read by OpenMP, and so by torch, when they are loaded, which no worker has done yet.
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    started = time.perf_counter()
    built = build(job)
    seconds = time.perf_counter() - started
    ready = {
        "ready": True,
        "build_seconds": seconds if built.measured else None,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "settings": built.settings,
        "vectors": [[float(value) for value in vector] for vector in built.embed(first["probes"])],
    }
    _say(replies, ready)
    for line in sys.stdin:
        asked = json.loads(line)
        started = time.perf_counter()
        ids = list(built.ask(asked["question"], asked["limit"]))
        _say(replies, {"ids": ids, "ms": (time.perf_counter() - started) * 1000})
    _say(replies, {"peak_megabytes": _peak_megabytes()})


def first_of_each(ids: Iterable[str], limit: int) -> list[str]:
    """Chunks' entry ids, best first, to the first `limit` entries."""
    return list(dict.fromkeys(ids))[:limit]


def _claim_stdout() -> TextIO:
    """Keeps standard output for the replies; what libraries print, in Python or in C, goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return replies


def _say(replies: TextIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
