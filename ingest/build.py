"""Building the index.

Every build makes a new version in a folder of its own and then switches the pointer, so readers and
killed builds never see half an index. Vectors of unchanged texts are taken over from the live
version. One process builds at a time.
"""

import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy

from ingest.chunk import chunk_entry, searchable_text, sentences_of
from ingest.documents import list_documents
from ingest.guides import read_corpus
from ingest.lock import SPARE_BYTES, disk_full, writer_lock
from ingest.prepare import document_embedder, prepare_embedder, query_embedder
from ingest.questions import open_questions
from ingest.state import state_of_index, wanted_manifest
from rag.catalog import TABLE
from rag.coverage import CoverageModel
from rag.errors import IndexUnavailable
from rag.keyword import KeywordIndex
from rag.manifest import CHROMA, file_hashes, live_folder, switch, write_manifest
from rag.settings import Settings
from rag.spelling import count_words, save_words
from rag.store import read_vectors, write_store
from rag.types import Chunk, Matrix, Vector
from rag.vectors import ChromaIndex, write_vectors
from rag.weights import Report

ASKED = {"question", "also_asked", "asked"}
"""The kinds of chunks that are questions the guides answer."""
EMBED_BATCH = 128
WAIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did. `seconds` is wall time."""

    version: str
    entries: int
    chunks: int
    sentences: int
    embedded: int
    kept: int
    megabytes: float
    seconds: float


def ensure_index(settings: Settings, report: Report) -> tuple[Path, tuple[str, ...]]:
    """A usable index, built when there is none. Returns its folder and what there is to announce."""
    folder, reason = state_of_index(settings)
    if folder is not None:
        return folder, ()
    build_index(settings, report, wait_seconds=WAIT_SECONDS)
    folder, still = state_of_index(settings)
    if folder is None:
        raise IndexUnavailable(f"The index was rebuilt and still cannot be used: {still}.", "Run `tutor doctor`.")
    return folder, (f"The index was rebuilt because {reason}.",)


def build_index(
    settings: Settings, report: Report, *, rebuild: bool = False, wait_seconds: float = 0.0
) -> BuildSummary:
    """Builds a new index version from the guides and makes it the live one.

    Args:
        rebuild: embed everything again instead of keeping the vectors of unchanged texts.
        wait_seconds: how long to wait for another process that is building.

    Raises:
        CorpusError: a guide entry breaks the format; the live index stays as it is.
        IndexBusy: another process is building.
        ResourceError: the disk is full or not writable.
        WeightsError: the embedder's files cannot be had.
    """
    started = time.monotonic()
    index = settings.index_folder
    version = time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + secrets.token_hex(3)
    with writer_lock(settings.home, wait_seconds, report):
        index.mkdir(parents=True, exist_ok=True)
        prepare_embedder(settings, report)
        folder = index / version
        try:
            summary = _write_version(settings, folder, report, rebuild)
            previous = _live_folder(index)
            switch(index, version)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _remove_old(index, keep={version, previous.name if previous else version})
    return replace(summary, seconds=time.monotonic() - started)


def _write_version(settings: Settings, folder: Path, report: Report, rebuild: bool) -> BuildSummary:
    manifest = replace(wanted_manifest(settings), built_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    guides = read_corpus(settings.corpus)
    documents = [entry for document in list_documents(settings.documents_folder) for entry in document.entries]
    entries = guides + [replace(entry, origin="document") for entry in documents]
    reader = query_embedder(settings)
    chunks = [chunk for entry in entries for chunk in chunk_entry(entry, reader.count_tokens, reader.token_limit)]
    sentences = [sentence for entry in entries for sentence in sentences_of(entry)]
    built_in = {entry.id for entry in guides}
    quoted = [sentence.text for sentence in sentences if sentence.entry_id in built_in]
    answered = [chunk for chunk in chunks if chunk.kind in ASKED and chunk.entry_id in built_in]
    left_open = open_questions(settings.corpus)
    texts = dict.fromkeys([chunk.embedding_text for chunk in chunks] + quoted + left_open)
    hash_of = {text: _text_hash(manifest.weight_hash, text) for text in texts}
    known = {} if rebuild else _known_vectors(settings.index_folder)
    missing = [text for text in texts if hash_of[text] not in known]
    _check_space(settings.home, len(texts), manifest.dimension)
    vector_of = {text: known[hash_of[text]] for text in texts if hash_of[text] in known}
    vector_of |= dict(_embed(settings, missing, report))
    folder.mkdir()
    _write_coverage(settings, folder, answered, left_open, vector_of)
    write_store(folder, entries, chunks, sentences, vector_of, hash_of)
    searched = {entry.id: searchable_text(entry) for entry in entries}
    KeywordIndex.build(list(searched.items())).save(folder)
    save_words(folder, count_words(searched.values()))
    vectors = numpy.stack([vector_of[chunk.embedding_text] for chunk in chunks])
    ids = [chunk.id for chunk in chunks]
    write_vectors(folder / CHROMA, ids, vectors, lambda count: report("writing the index", count, len(ids)))
    _self_check(folder, ids, vectors)
    counts = {"entries": len(entries), "chunks": len(chunks), "sentences": len(sentences)}
    write_manifest(folder, replace(manifest, counts=counts, file_hashes=file_hashes(folder)))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return BuildSummary(
        folder.name, len(entries), len(chunks), len(sentences), len(missing), len(texts) - len(missing), size / 1e6, 0.0
    )


def _write_coverage(
    settings: Settings, folder: Path, answered: list[Chunk], left_open: list[str], vector_of: dict[str, Vector]
) -> None:
    """Learns which questions the guides answer, and with which entry; an unchanged set is not learnt again."""
    if not left_open or not answered:
        return
    texts = [f"{chunk.entry_id} {chunk.text}" for chunk in answered]
    key = _text_hash(TABLE[settings.embedding_model].hash, "\n".join([*texts, "", *left_open]))
    live = _live_folder(settings.index_folder)
    try:
        known = CoverageModel.load(live) if live else None
    except IndexUnavailable:
        known = None
    if known is None or known.key != key:
        asked = numpy.stack([vector_of[chunk.embedding_text] for chunk in answered])
        outside = numpy.stack([vector_of[text] for text in left_open])
        known = CoverageModel.fit(asked, outside, [chunk.entry_id for chunk in answered], key)
    known.save(folder)


def _embed(settings: Settings, texts: list[str], report: Report) -> Iterator[tuple[str, Vector]]:
    if not texts:
        return
    report("loading the embedding model", 0, 0)
    embedder = document_embedder(settings)
    # Texts of like length in one batch waste no time on padding; the longest first shows memory trouble early.
    ordered = sorted(texts, key=len, reverse=True)
    total = sum(map(len, ordered))
    done = 0
    for start in range(0, len(ordered), EMBED_BATCH):
        report("embedding the guides", done, total)
        batch = ordered[start : start + EMBED_BATCH]
        yield from zip(batch, embedder.embed(batch), strict=True)
        done += sum(map(len, batch))
    report("embedding the guides", total, total)


def _known_vectors(index: Path) -> dict[str, Vector]:
    folder = _live_folder(index)
    return read_vectors(folder) if folder else {}


def _text_hash(weight_hash: str, text: str) -> str:
    return hashlib.sha256(f"{weight_hash}\0{text}".encode()).hexdigest()


def _self_check(folder: Path, ids: list[str], vectors: Matrix) -> None:
    """Asks the new collection for what was just written, before anyone relies on it."""
    index = ChromaIndex(folder / CHROMA)
    try:
        lost = set(ids) ^ index.ids()
        step = max(1, len(ids) // 50)
        # Two chunks may have the same text, so the nearest one has to be as near, not the same.
        far = [ids[row] for row in range(0, len(ids), step) if index.nearest(vectors[row], limit=1)[0][1] < 0.999]
    finally:
        index.close()
    if lost or far:
        raise IndexUnavailable(
            f"The new index lost rows while it was written ({sorted(lost)[:3] or far[:3]}).",
            "Run `tutor index --rebuild`.",
        )


def _check_space(home: Path, texts: int, dimension: int) -> None:
    needed = texts * dimension * 4 * 4 + SPARE_BYTES
    free = shutil.disk_usage(home).free
    if free < needed:
        raise disk_full(home, needed)


def _live_folder(index: Path) -> Path | None:
    try:
        return live_folder(index)
    except IndexUnavailable:
        return None


def _remove_old(index: Path, keep: set[str]) -> None:
    """Removes versions nobody reads any more; the previous one stays for readers that have it open."""
    for path in index.iterdir():
        if path.is_dir() and path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)
