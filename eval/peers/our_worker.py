"""Ours, behind the same protocol. With the path of an empty folder it first builds a whole index there.

The entries it is sent are those its index is made from, so it doesn't read them again.
"""

import sys
from functools import partial
from pathlib import Path

from eval.peers.protocol import Built, Job, serve

PACKAGES = (
    "chromadb",
    "onnxruntime",
    "tokenizers",
    "rank-bm25",
    "PyStemmer",
    "symspellpy",
    "sentence-transformers",
    "transformers",
    "torch",
    "numpy",
)


def build(home: Path | None, job: Job) -> Built:
    """Opens the index; `home` is an empty home folder to build it in first."""
    from ui.session import open_library, settings

    chosen = settings(threads=job.threads)
    if home is not None:
        for part in (chosen.models_folder, chosen.documents_folder):
            if part.exists():
                (home / part.name).symlink_to(part.resolve())
        chosen = chosen.model_copy(update={"home": home})
    library, _ = open_library(chosen, lambda what, done, total: None)
    retriever = library.retriever

    def ask(question: str, limit: int) -> list[str]:
        return [hit.entry_id for hit in retriever.search(question, limit=limit)]

    settings_used = {"retriever": "ui.session.open_library(…).retriever", "chunks": len(library.store.chunk_entries())}
    return Built(ask, lambda texts: library.embedder.embed(texts).tolist(), settings_used, measured=home is not None)


if __name__ == "__main__":
    serve(partial(build, Path(sys.argv[1]) if len(sys.argv) > 1 else None), PACKAGES)
