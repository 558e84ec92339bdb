"""`python -m eval.bench cold|parts|warm|retrieval|build|ingest|scale|answers|sessions`: how long things take here."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eval.gold import questions
from rag.errors import TutorError
from rag.settings import PROJECT
from ui.session import open_library, progress_bar, settings

QUESTION = "My LSTM loss becomes NaN every now and then. What should I do?"


def cold(rounds: int) -> dict[str, object]:
    """Wall time of `tutor ask` in a new process, and what its imports and its parts take, in seconds."""
    call = [sys.executable, "-m", "ui.cli", "ask", QUESTION, "--json"]
    walls, answers = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        done = subprocess.run(call, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603
        walls.append(time.perf_counter() - started)
        answers.append(json.loads(done.stdout)["timings_ms"]["total"] / 1000)
    parts = subprocess.run(
        [sys.executable, "-m", "eval.bench", "parts"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    shares = json.loads(parts.stdout)
    return {
        "wall": statistics.median(walls),
        "of which answering": statistics.median(answers),
        "parts": shares["parts"],
    }


def parts(_: int) -> dict[str, object]:
    """Seconds each part of a first answer takes, when this process has done nothing before."""
    taken = {}
    clock = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        taken[name] = round(now - clock, 3)
        clock = now

    chosen = settings(model="quote")
    with progress_bar() as report:
        library, _notices = open_library(chosen, report)
    lap("settings, checking the index")
    library.store.entries()
    lap("reading the entries")
    library.embedder.embed([QUESTION])
    lap("loading onnxruntime and the embedder")
    library.vectors.ids()
    lap("importing and opening Chroma")
    library.keyword.search(QUESTION, limit=1)
    lap("BM25")
    library.tutor().ask(QUESTION)
    lap("answering")
    return {"parts": taken}


def warm(rounds: int) -> dict[str, object]:
    """Seconds an answer takes in a running process: the quoted answer to gold questions, p50 and p95."""
    with progress_bar() as report:
        library, _ = open_library(settings(model="quote"), report)
    tutor = library.tutor()
    tutor.ask(QUESTION)
    times = []
    for item in questions()[: 20 * rounds]:
        started = time.perf_counter()
        tutor.ask(item.question)
        times.append(time.perf_counter() - started)
    times.sort()
    return {"questions": len(times), "p50": times[len(times) // 2], "p95": times[int(0.95 * len(times))]}


def retrieval(_: int) -> dict[str, object]:
    """Seconds one retrieval takes in a running process, over all gold questions, p50 and p95."""
    from eval.bench_scale import search_seconds

    with progress_bar() as report:
        library, _notices = open_library(settings(), report)
    times = sorted(search_seconds(library))
    return {"questions": len(times), "p50": times[len(times) // 2], "p95": times[int(0.95 * len(times))]}


def peers(with_build: bool) -> None:
    """Our retrieval beside other libraries': see `eval.bench_peers`. Exits with 1 when one of them failed."""
    from eval.bench_peers import measure

    try:
        if not measure(settings(), with_build):
            sys.exit(1)
    except TutorError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)


def build(rounds: int) -> dict[str, object]:
    """Seconds and megabytes of a whole index build in an empty home folder with the weights in place."""
    from ingest.build import build_index
    from ingest.prepare import prepare_embedder

    chosen = settings()
    with progress_bar() as report:
        prepare_embedder(chosen, report)
    summaries = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder, progress_bar() as report:
            home = Path(folder)
            (home / "models").symlink_to(chosen.models_folder)
            summaries.append(build_index(chosen.model_copy(update={"home": home}), report))
    middle = sorted(summaries, key=lambda summary: summary.seconds)[len(summaries) // 2]
    return {"seconds": middle.seconds, "megabytes": middle.megabytes, "texts": middle.embedded}


def ingest(_: int) -> dict[str, object]:
    """The user's documents: see `eval.bench_ingest`."""
    from eval.bench_ingest import measure

    return measure(settings())


def answers(_: int) -> dict[str, object]:
    """Answers of the quoting and of the local model: see `eval.bench_answers`."""
    from eval.bench_answers import measure

    return measure(settings(), ["quote", "local"])


def sessions(rounds: int) -> dict[str, object]:
    """Ten people at the page at once: see `eval.bench_sessions`."""
    from eval.bench_sessions import measure

    return measure(settings(), rounds)


def scale(_: int) -> dict[str, object]:
    """A search beside 100,000 chunks of documents: see `eval.bench_scale`."""
    from eval.bench_scale import measure

    return measure(settings())


def main() -> None:
    """Runs one benchmark and prints its result as JSON; the comparison with others as a table."""
    benchmarks = {
        "cold": cold,
        "parts": parts,
        "warm": warm,
        "retrieval": retrieval,
        "build": build,
        "ingest": ingest,
        "scale": scale,
        "answers": answers,
        "sessions": sessions,
    }
    parser = argparse.ArgumentParser(prog="python -m eval.bench", description=__doc__)
    parser.add_argument("what", choices=list(benchmarks))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="retrieval: beside LangChain, LlamaIndex and Haystack")
    parser.add_argument("--build", action="store_true", help="with --peers: also build our index anew")
    arguments = parser.parse_args()
    if (arguments.peers and arguments.what != "retrieval") or (arguments.build and not arguments.peers):
        parser.error("--peers goes with retrieval, and --build with --peers")
    if arguments.peers:
        peers(arguments.build)
        return
    result = benchmarks[arguments.what](arguments.rounds)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    sys.stdout.write(json.dumps({"benchmark": arguments.what, **result, **machine}, indent=1) + "\n")


if __name__ == "__main__":
    main()
