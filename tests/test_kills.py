"""A hundred kills at random moments of ingesting and indexing: the index is the old one or the new one, whole."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.build import build_index, ensure_index
from ingest.library import add_documents
from ingest.state import state_of_index, wanted_manifest
from rag.manifest import live_folder, read_manifest
from rag.settings import PROJECT, Settings
from rag.wiring import Library
from tests.conftest import silent

pytestmark = [pytest.mark.real, pytest.mark.slow]

KILLS = 100
LONGER = 1.3
"""A child may live this much longer than an undisturbed one needs, so some kills come too late."""


def note(number: int) -> str:
    question = f"## Q1. What is trick number {number}?"
    return f"# Notes on kernels\n\n{question}\n\n**Answer:** The trick is to write {number}.\n"


def content(settings: Settings) -> list[tuple[str, str]]:
    """What an index holds, without its ids and dates."""
    folder, _ = ensure_index(settings, silent)
    library = Library(settings, folder)
    try:
        # Opening the dense part compares Chroma's rows with the store's.
        assert library.dense.search("trick number", limit=1)
        return sorted((chunk.id, chunk.text) for chunk, _ in library.store.chunks())
    finally:
        library.close()


def test_a_hundred_kills_leave_the_old_or_the_new_index_and_converge(spare_home: Settings, tmp_path: Path) -> None:
    document = tmp_path / "kernels.md"
    document.write_text(note(0), "utf-8")
    build_index(spare_home, silent)
    add_documents(spare_home, [document], silent)
    environment = {
        **os.environ,
        "TUTOR_HOME": str(spare_home.home),
        "TUTOR_CORPUS": str(spare_home.corpus),
        "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model,
    }
    started = time.monotonic()
    document.write_text(note(0) + "\nMore.\n", "utf-8")
    subprocess.run(
        [sys.executable, "-m", "ui.cli", "ingest", str(document)],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        check=True,
    )
    longest = LONGER * (time.monotonic() - started)
    generator = random.Random(20261122)
    outcomes = {"old": 0, "new": 0}
    for number in range(1, KILLS + 1):
        before = live_folder(spare_home.index_folder)
        document.write_text(note(number), "utf-8")
        words = ["ingest", str(document)] if number % 3 else ["index", "--rebuild"]
        child = subprocess.Popen(
            [sys.executable, "-m", "ui.cli", *words],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(generator.uniform(0.0, longest))
        child.send_signal(signal.SIGKILL)
        child.wait()
        live = live_folder(spare_home.index_folder)
        assert live is not None
        outcomes["old" if live == before else "new"] += 1
        state, reason = state_of_index(spare_home)
        # Whole, and either of the present documents or known to be of earlier ones.
        assert state == live or "the guides changed" in reason, reason
        assert read_manifest(live).difference(wanted_manifest(spare_home)) == reason
    assert min(outcomes.values()) > 0, outcomes
    add_documents(spare_home, [document], silent)
    converged = content(spare_home)
    build_index(spare_home, silent, rebuild=True)
    assert content(spare_home) == converged
    assert any(str(KILLS) in text for _, text in converged)
