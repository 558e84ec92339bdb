"""`python -m eval.bench ingest`: reading, cutting and embedding 200 PDFs of ten pages each."""

import resource
import tempfile
import time
from pathlib import Path

from eval.pdfs import write_pdfs
from ingest.build import build_index
from ingest.documents import list_documents
from ingest.library import add_documents
from ingest.prepare import document_embedder, prepare_embedder
from rag.manifest import live_folder
from rag.settings import Settings
from rag.store import EntryStore
from ui.session import progress_bar

FILES = 200
PAGES = 10
WORDS = 200


def measure(chosen: Settings) -> dict[str, object]:
    """Pages a second, the share of it that is the embedder's, peak memory, and what a second time costs."""
    with tempfile.TemporaryDirectory() as folder, progress_bar() as report:
        prepare_embedder(chosen, report)
        home, source = Path(folder) / "home", Path(folder) / "pdfs"
        home.mkdir()
        source.mkdir()
        (home / "models").symlink_to(chosen.models_folder)
        settings = chosen.model_copy(update={"home": home})
        build_index(settings, report)
        write_pdfs(source, _sentences(settings), FILES, PAGES, WORDS)
        started = time.perf_counter()
        reports = add_documents(settings, [source], report)
        whole = time.perf_counter() - started
        started = time.perf_counter()
        add_documents(settings, [source], report)
        again = time.perf_counter() - started
        write_pdfs(source, _sentences(settings)[::-1], 1, PAGES, WORDS, seed=1)
        started = time.perf_counter()
        add_documents(settings, [source], report)
        changed = time.perf_counter() - started
        alone = _embedding_alone(settings)
        return {
            "files": sum(item.status == "added" for item in reports),
            "pages": FILES * PAGES,
            "seconds": whole,
            "pages a second": FILES * PAGES / whole,
            "embedding alone, seconds": alone,
            "share of the embedder's throughput": alone / whole,
            "unchanged folder again, seconds": again,
            "one file changed, seconds": changed,
            "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        }


def _sentences(settings: Settings) -> list[str]:
    store = _store(settings)
    return [sentence.text for entry in store.entries()[:60] for sentence in store.sentences(entry.id)[0]]


def _embedding_alone(settings: Settings) -> float:
    """Seconds to embed the texts of the documents' chunks and nothing else."""
    own = {entry.id for document in list_documents(settings.documents_folder) for entry in document.entries}
    texts = list(dict.fromkeys(chunk.embedding_text for chunk, _ in _store(settings).chunks() if chunk.entry_id in own))
    embedder = document_embedder(settings)
    started = time.perf_counter()
    embedder.embed(texts)
    return time.perf_counter() - started


def _store(settings: Settings) -> EntryStore:
    folder = live_folder(settings.index_folder)
    if folder is None:
        raise RuntimeError("the benchmark's own index is not there")
    return EntryStore(folder)
