"""Entries, chunks, sentences and vectors on disk, in one SQLite file.

This file is the truth of an index version; the Chroma collection beside it can be made again from
it. It is written once, under the writer's lock, and only read afterwards.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy

from rag.errors import IndexUnavailable
from rag.types import Chunk, Entry, FollowUp, Matrix, Sentence, Vector

FILE = "entries.sqlite"
KEPT = 1024
"""Entries remembered in memory; more are read again from the disk."""
CURE = "Run `tutor index --rebuild`."

SCHEMA = """
CREATE TABLE entry (id TEXT PRIMARY KEY, position INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE chunk (id TEXT PRIMARY KEY, entry_id TEXT NOT NULL, body TEXT NOT NULL, vector BLOB NOT NULL);
CREATE INDEX chunk_entry ON chunk (entry_id);
CREATE TABLE sentence (entry_id TEXT NOT NULL, position INTEGER NOT NULL, section TEXT NOT NULL,
                       body TEXT NOT NULL, quote TEXT NOT NULL, vector BLOB NOT NULL,
                       PRIMARY KEY (entry_id, position));
CREATE TABLE vector (text_hash TEXT PRIMARY KEY, vector BLOB NOT NULL);
"""


class EntryStore:
    """Read access to one index version. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        if not self._path.is_file():
            raise IndexUnavailable(f"{self._path} is missing.", CURE)
        self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, check_same_thread=False)
        self._entry = lru_cache(maxsize=KEPT)(self._read)
        self._chunk_vectors = lru_cache(maxsize=KEPT)(self._read_chunk_vectors)

    def close(self) -> None:
        self._connection.close()

    def entries(self) -> list[Entry]:
        """All entries, in corpus order."""
        return [_entry(json.loads(body)) for (body,) in self._rows("SELECT body FROM entry ORDER BY position")]

    def entry(self, entry_id: str) -> Entry:
        """The entry with this id; KeyError when there is none."""
        return self._entry(entry_id)

    def chunks(self) -> Iterator[tuple[Chunk, Vector]]:
        """All chunks with their vectors."""
        for body, vector in self._rows("SELECT body, vector FROM chunk ORDER BY rowid"):
            yield Chunk(**json.loads(body)), _vector(vector)

    def chunk_entries(self) -> dict[str, str]:
        """Which entry each chunk belongs to."""
        return dict(self._rows("SELECT id, entry_id FROM chunk"))

    def chunk_vectors(self, entry_id: str) -> Matrix:
        """The vectors of the entry's chunks, shape (chunks, dimension)."""
        return self._chunk_vectors(entry_id)

    def chunk_text(self, chunk_id: str) -> str:
        """What the embedder read of a chunk, its title and question included."""
        for (body,) in self._rows("SELECT body FROM chunk WHERE id = ?", chunk_id):
            return Chunk(**json.loads(body)).embedding_text
        raise KeyError(chunk_id)

    def _read_chunk_vectors(self, entry_id: str) -> Matrix:
        rows = list(self._rows("SELECT vector FROM chunk WHERE entry_id = ?", entry_id))
        if not rows:
            raise KeyError(entry_id)
        vectors: Matrix = numpy.stack([_vector(row[0]) for row in rows])
        return vectors

    def sentences(self, entry_id: str) -> tuple[list[Sentence], Matrix]:
        """The entry's sentences in reading order, and their vectors, shape (count, dimension).

        Sentences of user documents are kept without vectors: there are many, and few are ever quoted.
        Their matrix has the shape (count, 0).
        """
        rows = list(
            self._rows(
                "SELECT position, section, body, quote, vector FROM sentence WHERE entry_id = ? ORDER BY position",
                entry_id,
            )
        )
        found = [Sentence(entry_id, *row[:4]) for row in rows]
        vectors = [_vector(row[4]) for row in rows]
        return found, numpy.stack(vectors) if vectors else numpy.zeros((0, 0), dtype=numpy.float32)

    def _read(self, entry_id: str) -> Entry:
        for (body,) in self._rows("SELECT body FROM entry WHERE id = ?", entry_id):
            return _entry(json.loads(body))
        raise KeyError(entry_id)

    def _rows(self, query: str, *values: str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise IndexUnavailable(f"{self._path} is damaged ({error}).", CURE) from error


def write_store(
    folder: Path,
    entries: Iterable[Entry],
    chunks: Iterable[Chunk],
    sentences: Iterable[Sentence],
    vector_of: Mapping[str, Vector],
    hash_of: Mapping[str, str],
) -> None:
    """Writes a new store.

    Args:
        vector_of: the vector of each embedded text.
        hash_of: the key under which each embedded text's vector is kept for later builds.
    """
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.executemany(
            "INSERT INTO entry VALUES (?, ?, ?)",
            ((entry.id, position, json.dumps(asdict(entry))) for position, entry in enumerate(entries)),
        )
        connection.executemany(
            "INSERT INTO chunk VALUES (?, ?, ?, ?)",
            (
                (chunk.id, chunk.entry_id, json.dumps(asdict(chunk)), vector_of[chunk.embedding_text].tobytes())
                for chunk in chunks
            ),
        )
        connection.executemany(
            "INSERT INTO sentence VALUES (?, ?, ?, ?, ?, ?)",
            ((s.entry_id, s.position, s.section, s.text, s.quote, _bytes(vector_of.get(s.text))) for s in sentences),
        )
        connection.executemany(
            "INSERT INTO vector VALUES (?, ?)", ((hash_of[text], vector_of[text].tobytes()) for text in hash_of)
        )


def read_vectors(folder: Path) -> dict[str, Vector]:
    """The vectors an earlier build kept, by text hash; empty when there is nothing readable."""
    if not (folder / FILE).is_file():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT text_hash, vector FROM vector").fetchall()
    except sqlite3.Error:
        return {}
    return {text_hash: _vector(vector) for text_hash, vector in rows}


def _bytes(vector: Vector | None) -> bytes:
    return b"" if vector is None else vector.tobytes()


def _vector(data: bytes) -> Vector:
    return numpy.frombuffer(data, dtype=numpy.float32) if data else numpy.zeros(0, dtype=numpy.float32)


def _entry(values: dict[str, Any]) -> Entry:
    for name in ("key_points", "also_asked", "topics", "related", "asked"):
        values[name] = tuple(values[name])
    values["follow_ups"] = tuple(FollowUp(**follow_up) for follow_up in values["follow_ups"])
    return Entry(**values)
