"""Getting the embedder ready: its files fetched and verified, its graph for questions exported."""

import json
import time
from pathlib import Path

import numpy

from rag.catalog import LOCAL_MODEL, TABLE, Weights
from rag.embed import DocumentEmbedder
from rag.errors import WeightsError
from rag.query_embed import FILE as GRAPH
from rag.query_embed import QueryEmbedder
from rag.settings import Settings
from rag.weights import Report, fetch, file_hash, present

STAMP = "query.json"
TOLERANCE = 1e-3
"""The largest cosine distance allowed between a vector of the exported graph and the original's."""
SAMPLES = (
    "Why is my loss NaN?",
    "PSI",
    "The model has 95% accuracy offline and 60% in production. What went wrong, and how would you find out?",
    "word " * 600,
)


def model_folder(settings: Settings) -> Path:
    """Where the embedder's files are."""
    return settings.models_folder / settings.embedding_model


def ready(settings: Settings) -> bool:
    """Whether the embedder's files and its exported graph are in place, without hashing them anew."""
    weights, folder = TABLE[settings.embedding_model], model_folder(settings)
    return present(weights, folder) and _graph_is_current(weights, folder)


def prepare_embedder(settings: Settings, report: Report) -> str:
    """Fetches, verifies and exports what is missing. Returns where the files came from.

    Raises:
        WeightsError: the files cannot be had, or the export differs from the original.
        ResourceError: the disk is full or not writable.
    """
    weights, folder = TABLE[settings.embedding_model], model_folder(settings)
    source = fetch(weights, folder, report)
    if not _graph_is_current(weights, folder):
        report(f"preparing {weights.name} for questions", 0, 0)
        _export(settings, weights, folder)
    return source


def prepare_local_model(settings: Settings, report: Report) -> str:
    """Fetches and verifies the local language model. Returns where its file came from.

    Raises:
        WeightsError: the file cannot be had.
        ResourceError: the disk is full or not writable.
    """
    return fetch(LOCAL_MODEL, settings.models_folder / LOCAL_MODEL.name, report)


def document_embedder(settings: Settings) -> DocumentEmbedder:
    """The embedder for documents, its forward pass done by the exported graph."""
    embedder = _original(settings)
    embedder.run_on(query_embedder(settings).hidden_states)
    return embedder


def query_embedder(settings: Settings) -> QueryEmbedder:
    """The embedder for questions; imports neither torch nor sentence-transformers."""
    weights = TABLE[settings.embedding_model]
    return QueryEmbedder(model_folder(settings), weights.name, weights.token_limit, settings.threads)


def _original(settings: Settings) -> DocumentEmbedder:
    weights = TABLE[settings.embedding_model]
    return DocumentEmbedder(model_folder(settings), weights.name, weights.token_limit, settings.threads)


def _export(settings: Settings, weights: Weights, folder: Path) -> None:
    original = _original(settings)
    partial = folder / (GRAPH + ".part")
    original.export(partial)
    partial.replace(folder / GRAPH)
    exported = query_embedder(settings).embed(SAMPLES)
    distance = float(numpy.max(1.0 - numpy.sum(exported * original.embed(SAMPLES), axis=1)))
    if not distance <= TOLERANCE:
        (folder / GRAPH).unlink()
        raise WeightsError(
            f"The exported graph of {weights.name} differs from the original (cosine distance {distance:.4f}).",
            "Run `tutor models fetch` again; if it stays, the installed torch cannot export this model.",
        )
    stamp = {"of": weights.hash, "sha256": file_hash(folder / GRAPH), "size": (folder / GRAPH).stat().st_size}
    stamp |= {"distance": distance, "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    (folder / STAMP).write_text(json.dumps(stamp), "utf-8")


def _graph_is_current(weights: Weights, folder: Path) -> bool:
    try:
        stamp = json.loads((folder / STAMP).read_text("utf-8"))
        return bool(stamp["of"] == weights.hash and stamp["size"] == (folder / GRAPH).stat().st_size)
    except (OSError, ValueError, KeyError):
        return False
