"""Entries and chunks on disk: written once, looked up one by one, damage reported with its cure."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy
import pytest

from rag.errors import IndexUnavailable
from rag.store import FILE, EntryStore, write_store
from rag.types import Chunk, Entry, FollowUp, Sentence
from tests.fakes import WordEmbedder, an_entry

FULL = an_entry(
    "SCN-02",
    key_points=("One.", "Two."),
    also_asked=("how so?",),
    topics=("drift",),
    related=("FND-01",),
    follow_ups=(FollowUp("And then?", "Retrain."),),
    caveat="It depends.",
    path="scenarios/SCN-02.md",
    asked=("what if it drifts?", "does it drift?"),
)
ENTRIES = [FULL, an_entry("FND-01"), an_entry("MY-1", origin="document")]
CHUNKS = [
    Chunk("SCN-02#0", "SCN-02", "T", "title", "Drift"),
    Chunk("FND-01#0", "FND-01", "T", "title", "Loss"),
    Chunk("SCN-02#1", "SCN-02", "T", "asked", "does it drift?"),
    Chunk("SCN-02#2", "SCN-02", "T", "answer", "compare two windows", "Drift. What is drift?"),
    Chunk("MY-1#0", "MY-1", "T", "title", "Mine"),
]
SENTENCES = [Sentence("SCN-02", 0, "Answer", "Compare.", "*Compare.*"), Sentence("MY-1", 0, "", "Mine.", "Mine.")]
TEXTS = [chunk.embedding_text for chunk in CHUNKS] + ["Compare."]
VECTORS = dict(zip(TEXTS, WordEmbedder(8).embed(TEXTS), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_store(tmp_path, ENTRIES, CHUNKS, SENTENCES, VECTORS, {"Compare.": "hash"})
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[EntryStore]:
    opened = EntryStore(folder)
    yield opened
    opened.close()


def change(folder: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute(statement, values)


def test_entries_come_back_whole_and_in_order(store: EntryStore) -> None:
    assert store.entries() == ENTRIES
    assert store.entry("SCN-02") == FULL
    assert store.entry("MY-1").origin == "document"


def test_chunks_come_back_with_their_vectors(store: EntryStore) -> None:
    found = list(store.chunks())
    assert [chunk for chunk, _ in found] == CHUNKS
    assert all(numpy.array_equal(vector, VECTORS[chunk.embedding_text]) for chunk, vector in found)
    assert store.chunk_entries() == {chunk.id: chunk.entry_id for chunk in CHUNKS}


def test_the_vectors_of_an_entry_are_those_of_its_own_chunks(store: EntryStore) -> None:
    own = [VECTORS[text] for text in ("Drift", "does it drift?", "Drift. What is drift?\ncompare two windows")]
    assert numpy.array_equal(store.chunk_vectors("SCN-02"), numpy.stack(own))
    assert store.chunk_vectors("FND-01").shape == (1, 8)
    assert store.chunk_vectors("FND-01").dtype == numpy.float32


def test_the_vectors_of_an_entry_are_found_without_reading_every_chunk(store: EntryStore) -> None:
    queries: list[str] = []
    store._connection.set_trace_callback(queries.append)
    store.chunk_vectors("SCN-02")
    store._connection.set_trace_callback(None)
    [query] = queries
    assert "USING INDEX" in str(store._connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())


def test_the_text_of_a_chunk_is_what_was_embedded_its_context_included(store: EntryStore) -> None:
    assert store.chunk_text("SCN-02#2") == "Drift. What is drift?\ncompare two windows"
    assert store.chunk_text("FND-01#0") == "Loss"


def test_an_unknown_entry_or_chunk_is_a_key_error(store: EntryStore) -> None:
    for call, name in ((store.entry, "SCN-99"), (store.chunk_text, "SCN-02#9"), (store.entry, "scn-02")):
        with pytest.raises(KeyError, match=name):
            call(name)


def test_an_entry_is_read_when_it_is_asked_for_and_no_other_with_it(folder: Path, store: EntryStore) -> None:
    change(folder, "UPDATE entry SET body = 'spoilt' WHERE id = 'FND-01'")
    assert store.entry("SCN-02") == FULL
    with pytest.raises((IndexUnavailable, ValueError)):
        store.entry("FND-01")


def test_what_was_looked_up_once_is_remembered(folder: Path, store: EntryStore) -> None:
    entry, vectors = store.entry("SCN-02"), store.chunk_vectors("SCN-02")
    for table in ("entry", "chunk"):
        change(folder, f"DELETE FROM {table}")
    assert store.entry("SCN-02") is entry
    assert store.chunk_vectors("SCN-02") is vectors
    with pytest.raises(KeyError):
        store.entry("FND-01")


def test_two_stores_do_not_mix_what_they_remember(tmp_path: Path, store: EntryStore) -> None:
    changed = Entry("SCN-02", "scenarios", "Another title", "What?", "Answer.")
    (tmp_path / "other").mkdir()
    write_store(tmp_path / "other", [changed], [], [], {}, {})
    with closing(EntryStore(tmp_path / "other")) as other:
        assert (store.entry("SCN-02"), other.entry("SCN-02")) == (FULL, changed)


def test_sentences_come_with_vectors_where_they_were_embedded(store: EntryStore) -> None:
    found, vectors = store.sentences("SCN-02")
    assert found == SENTENCES[:1]
    assert numpy.array_equal(vectors, VECTORS["Compare."][None])
    assert store.sentences("MY-1")[1].shape == (1, 0)
    assert store.sentences("FND-01")[0] == []


def test_threads_share_a_store(store: EntryStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(store.entry, ["SCN-02", "FND-01", "MY-1"] * 20))
        texts = list(pool.map(store.chunk_text, [chunk.id for chunk in CHUNKS] * 20))
    assert [entry.id for entry in found] == ["SCN-02", "FND-01", "MY-1"] * 20
    assert texts == [chunk.embedding_text for chunk in CHUNKS] * 20


def test_a_folder_without_a_store_is_named_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable, match="is missing") as caught:
        EntryStore(tmp_path)
    assert str(tmp_path / FILE) in caught.value.message
    assert caught.value.cure == "Run `tutor index --rebuild`."


def test_a_damaged_store_is_reported_by_whatever_is_asked_first(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, but as long as the header of one " * 10)
    with closing(EntryStore(tmp_path)) as store:
        for call in (store.entry, store.chunk_text, store.chunk_vectors):
            with pytest.raises(IndexUnavailable, match="is damaged") as caught:
                call("SCN-02")
            assert caught.value.cure == "Run `tutor index --rebuild`."
