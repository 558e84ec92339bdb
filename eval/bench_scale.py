"""`python -m eval.bench scale`: how long a search takes with 100,000 chunks of user documents beside the guides.

Embedding that many real texts takes hours, so the documents are made: their words are drawn from the
guides' own words, and each vector is a mixture of two of the guides' vectors with noise, so that they
crowd the same regions. The store, the Chroma collection and the keyword index are the real ones.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy

from eval.gold import questions
from ingest.chunk import chunk_entry, searchable_text, sentences_of
from rag.coverage import CoverageModel
from rag.keyword import KeywordIndex
from rag.manifest import CHROMA
from rag.settings import Settings
from rag.spelling import count_words, save_words
from rag.store import write_store
from rag.types import Entry, Vector
from rag.vectors import write_vectors
from rag.wiring import Library
from ui.session import open_library, progress_bar

CHUNKS = 100_000
PARTS = 6
"""Chunks a document section, the title and its question among them."""
WORDS = 150
"""Words a chunk."""
NOISE = 0.6
WARM_UP = 20


def measure(settings: Settings, chunks: int = CHUNKS) -> dict[str, Any]:
    """Milliseconds a search over the guides, and over the guides with that many chunks beside them."""
    with progress_bar() as report:
        library, _ = open_library(settings, report)
    alone = times(library)
    with tempfile.TemporaryDirectory() as folder:
        built = time.perf_counter()
        _write(library, Path(folder), chunks)
        built = time.perf_counter() - built
        large = Library(settings, Path(folder))
        opened = time.perf_counter()
        large.retriever.search("warm up", limit=5)
        opened = time.perf_counter() - opened
        crowded = times(large)
        large.close()
    return {
        "chunks": chunks,
        "guides alone": alone,
        "with documents": crowded,
        "p95 ratio": round(crowded["p95 ms"] / alone["p95 ms"], 2),
        "seconds to write": round(built, 1),
        "seconds to open and search first": round(opened, 1),
    }


def times(library: Library) -> dict[str, float]:
    """Milliseconds of a search for each gold question: p50, p95."""
    low, high = numpy.percentile([1000 * seconds for seconds in search_seconds(library)], [50, 95])
    return {"p50 ms": round(float(low), 1), "p95 ms": round(float(high), 1)}


def search_seconds(library: Library) -> list[float]:
    """Seconds a search for each gold question takes, after some to warm up."""
    asked = [item.question for item in questions()]
    taken = []
    for question in [*asked[:WARM_UP], *asked]:
        started = time.perf_counter()
        library.retriever.search(question, limit=10)
        taken.append(time.perf_counter() - started)
    return taken[WARM_UP:]


def _write(library: Library, folder: Path, count: int) -> None:
    guides = library.store.entries()
    known = dict(library.store.chunks())
    made = list(_documents([searchable_text(entry) for entry in guides], count // PARTS))
    vectors: dict[str, Vector] = {chunk.embedding_text: vector for chunk, vector in known.items()}
    chunks = list(known)
    base = numpy.stack(list(known.values()))
    generator = numpy.random.default_rng(0)
    for entry in made:
        own = chunk_entry(entry, lambda text: len(text.split()), WORDS + 50)
        for chunk in own:
            pair = base[generator.integers(len(base), size=2)].sum(axis=0)
            vectors[chunk.embedding_text] = _unit(pair + NOISE * _unit(generator.standard_normal(base.shape[1])))
        chunks += own
    entries = [*guides, *made]
    sentences = [sentence for entry in guides for sentence in sentences_of(entry)]
    write_store(folder, entries, chunks, sentences, vectors, {})
    texts = [(entry.id, searchable_text(entry)) for entry in entries]
    KeywordIndex.build(texts).save(folder)
    save_words(folder, count_words(text for _, text in texts))
    if model := CoverageModel.load(library.folder):
        model.save(folder)
    matrix = numpy.stack([vectors[chunk.embedding_text] for chunk in chunks])
    write_vectors(folder / CHROMA, [chunk.id for chunk in chunks], matrix, lambda _: None)


def _documents(texts: list[str], count: int) -> Iterator[Entry]:
    generator = numpy.random.default_rng(1)
    words = " ".join(texts).split()
    for number in range(count):
        starts = generator.integers(len(words) - WORDS, size=PARTS - 2)
        paragraphs = [" ".join(words[start : start + WORDS]) for start in starts]
        title = f"Section {number} on {' '.join(paragraphs[0].split()[:4])}"
        yield Entry(f"DOC-{number:06}", "Made", title, f"What does section {number} say?", "\n\n".join(paragraphs),
                    origin="document")  # fmt: skip


def _unit(vector: Any) -> Vector:
    unit: Vector = (vector / numpy.linalg.norm(vector)).astype(numpy.float32)
    return unit
