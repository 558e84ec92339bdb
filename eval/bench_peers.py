"""`python -m eval.bench retrieval --peers`: our retrieval beside LangChain's, LlamaIndex's and Haystack's.

Everyone gets the same entries, the same embedder, the same threads and the same questions, one
question after the other to everyone in turn, in a process and an environment of their own.
"""

import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from eval.gold import GoldQuestion, of_split, questions
from eval.metrics import Rank, bootstrap_interval, first_relevant, hit_rate, mean_reciprocal_rank
from eval.peers.runner import ANSWER_SECONDS, BUILD_SECONDS, PeerFailed, Worker, python_of
from ingest.chunk import searchable_text
from rag.catalog import TABLE
from rag.settings import Settings
from rag.types import Entry, Matrix
from rag.weights import Report
from ui.session import open_library, progress_bar

PEERS = ("langchain", "llamaindex", "haystack")
LIMIT = 10
WARM_UP = 20
PROBE = "My LSTM loss becomes NaN every now and then. What should I do?"
FARTHEST = 0.04
"""Distance of two unit vectors of the same text at the most: a cosine of 0.999."""
REQUIREMENTS = Path(__file__).with_name("peers")
RESULTS = Path(__file__).with_name("results") / "peers.json"


@dataclass(frozen=True)
class System:
    """What is compared: its name and what gives the command of its worker."""

    name: str
    command: Callable[[], Sequence[str]]


@dataclass(frozen=True)
class Task:
    """What every system gets. `reference` holds our vectors of the job's probes."""

    job: dict[str, Any]
    reference: Matrix
    asked: Sequence[GoldQuestion]
    warm_up: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """How one system did; `failure` says why it has no numbers."""

    ready: dict[str, Any] = field(default_factory=dict)
    ranks: list[Rank] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    peak_megabytes: float = 0.0
    failure: PeerFailed | None = None


def measure(chosen: Settings, build: bool) -> bool:
    """Compares, prints the table, writes `results/peers.json`; False when a system failed.

    Args:
        build: also build our own index anew, in the worker, to measure it as the others' is measured.
    """
    cache = chosen.home / "cache" / "peers"
    cache.mkdir(parents=True, exist_ok=True)
    with progress_bar() as report, _published_layout(chosen) as model, tempfile.TemporaryDirectory() as spare:
        task = _task(chosen, str(model), report)
        ours = [sys.executable, "-m", "eval.peers.our_worker", *([spare] if build else [])]
        systems = [System("ours", lambda: ours)]
        systems += [System(name, partial(_peer_command, name, cache, report)) for name in PEERS]
        results = compare(systems, task, report)
    for name, result in results.items():
        if result.failure:
            lines = "".join(f"  {line}\n" for line in result.failure.lines)
            sys.stderr.write(f"{name}: {result.failure}\n{lines}")
    sys.stdout.write("\n".join(table(results)) + "\n")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(summary(chosen, task, results), indent=1) + "\n", "utf-8")
    return not any(result.failure for result in results.values())


def compare(systems: Sequence[System], task: Task, report: Report) -> dict[str, Result]:
    """Starts one system after the other, asks all of them in turn, ends them. Nobody is left running."""
    results = {system.name: Result() for system in systems}
    order = random.Random(0)  # noqa: S311
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}

        def attempt(name: str, step: Callable[[], None]) -> None:
            try:
                step()
            except PeerFailed as failure:
                results[name].failure = failure
                if name in workers:
                    workers.pop(name).close()

        def start(system: System) -> None:
            worker = Worker(system.name, system.command(), task.environment)
            stack.callback(worker.close)
            workers[system.name] = worker
            results[system.name].ready = _ready(worker, task)

        def ask(name: str, question: str, relevant: Sequence[str] | None) -> None:
            reply = workers[name].tell({"question": question, "limit": LIMIT}, ANSWER_SECONDS)
            if relevant is not None:
                results[name].ranks.append(first_relevant(reply["ids"], relevant))
                results[name].milliseconds.append(reply["ms"])

        def finish(name: str) -> None:
            results[name].peak_megabytes = workers[name].finish(ANSWER_SECONDS)["peak_megabytes"]

        for number, system in enumerate(systems):
            report("starting the systems and building their indexes", number, len(systems))
            attempt(system.name, partial(start, system))
        todo = [(text, None) for text in task.warm_up] + [(item.question, item.relevant) for item in task.asked]
        for number, (question, relevant) in enumerate(todo):
            report("asking", number, len(todo))
            # Shuffled, so that nobody always follows the one whose threads take longest to fall asleep.
            for name in order.sample(list(workers), len(workers)):
                attempt(name, partial(ask, name, question, relevant))
        for name in list(workers):
            attempt(name, partial(finish, name))
    return results


def _ready(worker: Worker, task: Task) -> dict[str, Any]:
    """The worker's first reply, after a look at whether it embeds what we embed."""
    ready = worker.tell(task.job, BUILD_SECONDS)
    vectors = numpy.array(ready.pop("vectors"), dtype=numpy.float32)
    far = numpy.linalg.norm(vectors - task.reference, axis=1).max() if vectors.shape == task.reference.shape else 2.0
    if far > FARTHEST:
        cure = "Look at how its worker loads the model: pooling, token limit, unit length."
        raise PeerFailed(f"{worker.name} has other vectors than ours for the same texts (distance {far:.3f}).", cure)
    return ready


def _task(chosen: Settings, model: str, report: Report) -> Task:
    library, _ = open_library(chosen, report)
    try:
        entries = library.store.entries()
        texts = {entry.id: document_text(entry) for entry in entries}
        # A text longer than the embedder reads shows whether everyone cuts it at the same token.
        probes = [PROBE, max(texts.values(), key=len)]
        reference = library.embedder.embed(probes)
    finally:
        library.close()
    gold = questions()
    return Task(
        {
            "entries": [{"id": name, "text": text} for name, text in texts.items()],
            "model": model,
            "threads": chosen.threads,
            "probes": probes,
        },
        reference,
        of_split(gold, "test"),
        [item.question for item in of_split(gold, "tune")][:WARM_UP],
        {
            "TUTOR_HOME": str(chosen.home.resolve()),
            "TUTOR_CORPUS": str(chosen.corpus.resolve()),
            "TUTOR_EMBEDDING_MODEL": chosen.embedding_model,
        },
    )


def document_text(entry: Entry) -> str:
    """Everything of an entry that our index holds, so that nobody lacks a word of it."""
    text = searchable_text(entry)
    return "\n".join([text, *(line for line in entry.asked if line not in text)])


def _peer_command(name: str, cache: Path, report: Report) -> list[str]:
    python = python_of(name, REQUIREMENTS / f"{name}.txt", cache, report)
    return [python, "-m", f"eval.peers.{name}_worker"]


@contextmanager
def _published_layout(chosen: Settings) -> Iterator[Path]:
    """A folder that shows our weights the way the model is published, as every library expects it.

    Without these files sentence-transformers would guess: more tokens than the model has positions
    for, and vectors that are not of unit length.
    """
    weights = TABLE[chosen.embedding_model]
    source = (chosen.models_folder / weights.name).resolve()
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in kinds:
            (folder / path).mkdir(exist_ok=True)
        for file in weights.files:
            (folder / file.name).symlink_to(source / file.name)
        pooling = {"word_embedding_dimension": weights.dimension, "pooling_mode_mean_tokens": True}
        (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": weights.token_limit}), "utf-8")
        yield folder


def table(results: dict[str, Result]) -> list[str]:
    """One line a system."""
    lines = [f"{'':<12}{'hit@1':>7}{'hit@3':>7}{'MRR@10':>8}{'p50 ms':>8}{'p95 ms':>8}{'build s':>9}{'peak MB':>9}"]
    for name, result in results.items():
        if result.failure:
            lines.append(f"{name:<12}failed: {result.failure.message}")
            continue
        built = result.ready["build_seconds"]
        lines.append(
            f"{name:<12}{hit_rate(result.ranks, 1):>7.3f}{hit_rate(result.ranks, 3):>7.3f}"
            f"{mean_reciprocal_rank(result.ranks):>8.3f}{percentile(result.milliseconds, 0.5):>8.1f}"
            f"{percentile(result.milliseconds, 0.95):>8.1f}{'-' if built is None else f'{built:.0f}':>9}"
            f"{result.peak_megabytes:>9.0f}"
        )
    return lines


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[int(share * len(values))]


def summary(chosen: Settings, task: Task, results: dict[str, Result]) -> dict[str, Any]:
    """All there is to say about a run: when, where, with what, and what came out."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "system": platform.system()},
        "entries": len(task.job["entries"]),
        "questions": {"file": "eval/gold/questions.jsonl", "split": "test", "count": len(task.asked)},
        "settings": {
            "embedder": chosen.embedding_model,
            "threads": chosen.threads,
            "limit": LIMIT,
            "warm-up questions": len(task.warm_up),
            "order": "every question to all systems in turn, in an order shuffled anew",
        },
        "systems": {name: _row(result) for name, result in results.items()},
    }


def _row(result: Result) -> dict[str, Any]:
    if result.failure:
        # Only our own sentence: a worker's last words are full of this machine's paths.
        return {"failed": result.failure.message}
    return {
        "hit@1": hit_rate(result.ranks, 1),
        "hit@1, 95 % interval": bootstrap_interval(result.ranks, partial(hit_rate, k=1)),
        "hit@3": hit_rate(result.ranks, 3),
        "MRR@10": mean_reciprocal_rank(result.ranks),
        "p50 ms": percentile(result.milliseconds, 0.5),
        "p95 ms": percentile(result.milliseconds, 0.95),
        "build seconds": result.ready["build_seconds"],
        "peak megabytes": result.peak_megabytes,
        "versions": result.ready["versions"],
        "settings": result.ready["settings"],
    }
