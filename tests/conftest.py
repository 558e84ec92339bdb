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

from rag.settings import PROJECT, Settings
from rag.wiring import Library
from ui.session import open_library

HOME = PROJECT / ".cache" / "test-home"


def silent(what: str, done: int, total: int) -> None:
    """A progress report nobody looks at."""


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


@pytest.fixture
def spare_home(real: Settings) -> Iterator[Settings]:
    """Settings of a home folder of its own that has the real weights and a tiny corpus, but no index.

    The weights are links, so the folder lies beside the shared one, on the same file system.
    """
    with tempfile.TemporaryDirectory(dir=HOME.parent, prefix="spare-") as folder:
        home = Path(folder)
        for source in sorted((real.models_folder / real.embedding_model).iterdir()):
            if source.is_file():
                target = home / "models" / real.embedding_model / source.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.hardlink_to(source)
        corpus = home / "corpus"
        (corpus / "scenarios").mkdir(parents=True)
        shutil.copy(real.corpus / "topics.yaml", corpus)
        for number in ("SCN-08", "SCN-09", "SCN-13"):
            source = next((real.corpus / "scenarios").glob(f"{number}-*.md"))
            text = re.sub(r"^related: .*$", "related: [SCN-09]" if number != "SCN-09" else "related: [SCN-08]",
                          source.read_text("utf-8"), flags=re.MULTILINE)  # fmt: skip
            (corpus / "scenarios" / source.name).write_text(text, "utf-8")
        yield real.model_copy(update={"home": home, "corpus": corpus})
