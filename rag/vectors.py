"""The dense index: Chroma on disk, embedded, cosine space. Written once a version, then only read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy

from rag.errors import IndexUnavailable
from rag.types import Matrix, Vector

COLLECTION = "entries"
BATCH = 2000
"""Rows an insert; Chroma takes at most 5,461."""
CURE = "Run `tutor index --rebuild`."


class ChromaIndex:
    """Nearest vectors of one index version, by chunk id."""

    def __init__(self, folder: Path) -> None:
        try:
            self._client = _client(folder)
            self._collection = self._client.get_collection(COLLECTION, embedding_function=None)
        except Exception as error:  # Chroma raises many kinds, its Rust core bare ones
            raise IndexUnavailable(f"The Chroma index in {folder} cannot be opened ({error}).", CURE) from error

    def nearest(self, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        """(chunk id, cosine similarity in -1..1), best first."""
        try:
            found = self._collection.query(query_embeddings=[vector.tolist()], n_results=limit, include=["distances"])
        except Exception as error:
            raise IndexUnavailable(f"The Chroma index failed to answer ({error}).", CURE) from error
        distances = found["distances"] or [[]]
        return [(row, 1.0 - distance) for row, distance in zip(found["ids"][0], distances[0], strict=True)]

    def ids(self) -> set[str]:
        """Every stored chunk id."""
        return set(self._collection.get(include=[])["ids"])

    def close(self) -> None:
        self._client.close()


def write_vectors(folder: Path, ids: Sequence[str], vectors: Matrix, report: Callable[[int], None]) -> None:
    """Writes a new collection; `report` gets the running count of rows."""
    # Below this many rows Chroma writes its graph anew whenever it is opened, and a version must stay as it was built.
    synced = max(2, min(1000, len(ids)))
    client = _client(folder)
    try:
        collection = client.create_collection(
            COLLECTION, configuration={"hnsw": {"space": "cosine", "sync_threshold": synced}}, embedding_function=None
        )
        for start in range(0, len(ids), BATCH):
            end = start + BATCH
            collection.upsert(ids=list(ids[start:end]), embeddings=numpy.ascontiguousarray(vectors[start:end]))
            report(min(end, len(ids)))
    finally:
        client.close()


def _client(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
