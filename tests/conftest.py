"""What several test files share: a home folder with the real weights and the real index.

Both are kept in `.cache/` between runs. On a fresh clone that folder is empty, so the real fetching
and the whole real build run; later runs fetch nothing and embed only what changed.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from ingest.prepare import prepare_embedder
from rag.settings import PROJECT, Settings
from rag.wiring import Library
from tests.canary import pytest_runtest_makereport as pytest_runtest_makereport
from ui.session import open_library

HOME = PROJECT / ".cache" / "test-home"


def silent(what: str, done: int, total: int) -> None:
    """A progress report nobody looks at."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One file that needs the real index comes first, the others last.

    Of several workers one then builds it while the others run what does without.
    """
    real = {item.path for item in items if {"real", "library"} & set(getattr(item, "fixturenames", ()))}
    first = min(real, default=None)
    items.sort(key=lambda item: (item.path != first, item.path in real))


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the developer's settings and keys nor their home folder."""
    for name in list(os.environ):
        if name.startswith(("TUTOR_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TUTOR_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def real() -> Settings:
    """Settings of a home folder with the verified embedder and the index of the built-in corpus."""
    settings = Settings(home=HOME)
    open_library(settings, silent)
    return settings


@pytest.fixture(scope="session")
def library(real: Settings) -> Iterator[Library]:
    """The real index, open; tests must not write to it."""
    opened, _ = open_library(real, silent)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def small() -> Settings:
    """Settings of the shared home folder with the small embedder, fetched when it is not there."""
    settings = Settings(home=HOME, embedding_model="all-MiniLM-L6-v2")
    HOME.mkdir(parents=True, exist_ok=True)
    with FileLock(HOME.parent / "small.lock"):  # of several workers one fetches
        prepare_embedder(settings, silent)
    return settings


@pytest.fixture
def spare_home(small: Settings) -> Iterator[Settings]:
    """Settings of a home folder of its own with the small embedder and three entries, but no index.

    The weights are links, so the folder lies beside the shared one, on the same file system.
    """
    with tempfile.TemporaryDirectory(dir=HOME.parent, prefix="spare-") as folder:
        home = Path(folder)
        models = home / "models" / small.embedding_model
        models.mkdir(parents=True)
        for source in (small.models_folder / small.embedding_model).iterdir():
            (models / source.name).hardlink_to(source)
        write_small_corpus(small.corpus, home / "corpus")
        yield small.model_copy(update={"home": home, "corpus": home / "corpus"})


def write_small_corpus(source: Path, target: Path) -> None:
    """Three of the built-in entries as a corpus of their own."""
    (target / "scenarios").mkdir(parents=True)
    shutil.copy(source / "topics.yaml", target)
    for name, related in (("SCN-08", "SCN-09"), ("SCN-09", "SCN-08"), ("SCN-13", "SCN-09")):
        path = next((source / "scenarios").glob(f"{name}-*.md"))
        text = re.sub(r"^related: .*$", f"related: [{related}]", path.read_text("utf-8"), flags=re.MULTILINE)
        (target / "scenarios" / path.name).write_text(text, "utf-8")
