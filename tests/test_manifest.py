"""Which index version is live, what it was made from, and whether its files are whole."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import IndexUnavailable
from rag.manifest import (
    CURE,
    FILE,
    POINTER,
    Manifest,
    check_files,
    file_hashes,
    live_folder,
    read_manifest,
    switch,
    write_manifest,
)

MANIFEST = Manifest(
    format=1,
    chunker=1,
    embedding_model="all-mpnet-base-v2",
    weight_hash="78c0",
    dimension=768,
    entry_hashes={"SCN-01": "aa", "SCN-02": "bb"},
    counts={"entries": 2},
    built_at="2026-11-22T00:00:00Z",
)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """An index version as a build leaves it, its manifest listing its files."""
    folder = tmp_path / "index" / "v1"
    (folder / "chroma" / "segment").mkdir(parents=True)
    (folder / "entries.sqlite").write_bytes(b"entries")
    (folder / "chroma" / "segment" / "data.bin").write_bytes(b"vectors")
    with closing(sqlite3.connect(folder / "chroma" / "chroma.sqlite3")) as connection, connection:
        connection.execute("CREATE TABLE collection (name TEXT)")
        connection.executemany("INSERT INTO collection VALUES (?)", [("entries" * 50,)] * 200)
    write_manifest(folder, replace(MANIFEST, file_hashes=file_hashes(folder)))
    return folder


def assert_damaged(folder: Path, what: str) -> None:
    """The check refuses the version, names the folder and what is wrong, and tells the cure."""
    with pytest.raises(IndexUnavailable, match="is damaged") as caught:
        check_files(folder, read_manifest(folder))
    assert str(folder) in caught.value.message
    assert what in caught.value.message
    assert caught.value.cure == CURE


def test_without_a_pointer_no_version_is_live(tmp_path: Path) -> None:
    assert live_folder(tmp_path) is None
    assert live_folder(tmp_path / "nothing") is None


def test_the_version_switched_to_is_live(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        switch(tmp_path, name)
        assert live_folder(tmp_path) == tmp_path / name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CURRENT", "v1", "v2"]


def test_a_pointer_edited_by_hand_may_end_in_a_newline(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / POINTER).write_text("v1\n")
    assert live_folder(tmp_path) == tmp_path / "v1"


@pytest.mark.parametrize(
    "pointer", [b"", b"\n", b"v2", b".", b"..", b"v1/", b"../index/v1", b"/", b"file", b"\xff\x00", b"x" * 5000]
)
def test_a_pointer_that_names_no_version_is_damage_with_a_cure(tmp_path: Path, pointer: bytes) -> None:
    index = tmp_path / "index"
    (index / "v1").mkdir(parents=True)
    (index / "file").write_text("")
    (index / POINTER).write_bytes(pointer)
    with pytest.raises(IndexUnavailable, match="is damaged: its version .* is not there") as caught:
        live_folder(index)
    assert str(index) in caught.value.message
    assert caught.value.cure == "Run `tutor index --rebuild`."
    assert len(caught.value.message) < 300 + len(str(index))


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = replace(MANIFEST, file_hashes={"chroma/data.bin": "cc"})
    write_manifest(tmp_path, written)
    assert read_manifest(tmp_path) == written


@pytest.mark.parametrize("text", [None, b"", b"{", b"[]", b"null", b"{}", b'{"colour": 1}', b"\xff\xfe"])
def test_a_manifest_that_cannot_be_read_is_damage_with_a_cure(tmp_path: Path, text: bytes | None) -> None:
    if text is not None:
        (tmp_path / FILE).write_bytes(text)
    with pytest.raises(IndexUnavailable, match="is damaged: its manifest cannot be read") as caught:
        read_manifest(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert caught.value.cure == CURE


def test_two_builds_of_the_same_things_do_not_differ() -> None:
    later = replace(MANIFEST, built_at="2027", counts={"entries": 3}, file_hashes={"a": "b"})
    assert MANIFEST.difference(later) == ""


@pytest.mark.parametrize("older", [replace(MANIFEST, format=0), replace(MANIFEST, chunker=0)])
def test_another_version_of_the_program_is_a_difference(older: Manifest) -> None:
    assert older.difference(MANIFEST) == "it was made by another version of this program"


def test_another_embedding_model_is_named_beside_the_wanted_one() -> None:
    other = replace(MANIFEST, embedding_model="all-MiniLM-L6-v2", weight_hash="53aa")
    assert MANIFEST.difference(other) == (
        "it was made with the embedding model all-mpnet-base-v2, not all-MiniLM-L6-v2"
    )


def test_other_files_of_the_same_embedding_model_are_a_difference_of_their_own() -> None:
    assert MANIFEST.difference(replace(MANIFEST, weight_hash="other")) == (
        "it was made with other files of the embedding model all-mpnet-base-v2"
    )


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [
        ({"SCN-01": "aa", "SCN-02": "changed"}, "1 new or edited, 0 removed"),
        ({"SCN-01": "aa", "SCN-02": "bb", "SCN-03": "cc"}, "1 new or edited, 0 removed"),
        ({"SCN-01": "aa"}, "0 new or edited, 1 removed"),
        ({"SCN-03": "cc", "SCN-04": "dd", "SCN-05": "ee"}, "3 new or edited, 2 removed"),
    ],
)
def test_changed_guides_are_counted(wanted: dict[str, str], counts: str) -> None:
    assert MANIFEST.difference(replace(MANIFEST, entry_hashes=wanted)) == f"the guides changed ({counts})"


def test_hashes_cover_every_file_but_the_manifest_and_what_chroma_keeps_writing_to(version: Path) -> None:
    (version / "chroma" / "chroma.sqlite3-wal").write_bytes(b"")
    assert list(file_hashes(version)) == ["chroma/segment/data.bin", "entries.sqlite"]
    (version / "entries.sqlite").write_bytes(b"abc")
    assert file_hashes(version)["entries.sqlite"].startswith("ba7816bf")


def test_a_whole_version_passes(version: Path) -> None:
    check_files(version, read_manifest(version))


def test_chroma_may_write_to_its_database_and_add_files(version: Path) -> None:
    with closing(sqlite3.connect(version / "chroma" / "chroma.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO collection VALUES ('more')")
    (version / "chroma" / "lock").write_bytes(b"")
    check_files(version, read_manifest(version))


@pytest.mark.parametrize("name", ["entries.sqlite", "chroma/segment/data.bin"])
def test_a_file_with_a_flipped_byte_is_named(version: Path, name: str) -> None:
    body = (version / name).read_bytes()
    (version / name).write_bytes(bytes([body[0] ^ 1]) + body[1:])
    assert_damaged(version, f"{name} changed or is gone")


def test_a_file_that_is_gone_is_named(version: Path) -> None:
    (version / "entries.sqlite").unlink()
    assert_damaged(version, "entries.sqlite changed or is gone")


def test_of_many_changed_files_three_are_named(version: Path) -> None:
    hashes = {f"part-{number}": "00" for number in range(9)}
    write_manifest(version, replace(MANIFEST, file_hashes=hashes))
    assert_damaged(version, ": part-0, part-1, part-2 changed or is gone")


def test_a_database_of_chroma_that_is_none_is_named(version: Path) -> None:
    (version / "chroma" / "chroma.sqlite3").write_bytes(b"not a database " * 100)
    assert_damaged(version, "chroma.sqlite3 (file is not a database)")


def test_a_database_of_chroma_with_a_broken_page_is_named(version: Path) -> None:
    path = version / "chroma" / "chroma.sqlite3"
    body = bytearray(path.read_bytes())
    body[4096:8192] = b"\xa5" * 4096
    path.write_bytes(body)
    assert_damaged(version, "chroma.sqlite3 (")


def test_a_missing_database_of_chroma_is_damage(version: Path) -> None:
    (version / "chroma" / "chroma.sqlite3").unlink()
    assert_damaged(version, "Chroma's database is gone")
