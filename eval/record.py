"""Result files: what was measured, with everything needed to measure it again."""

import json
import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rag.catalog import TABLE
from rag.errors import ResourceError
from rag.settings import PROJECT, Settings

FOLDER = Path(__file__).with_name("results")
PACKAGES = ("chromadb", "numpy", "onnxruntime", "rank-bm25", "sentence-transformers", "symspellpy")
SECRET = {"api_key"}


def circumstances(settings: Settings) -> dict[str, Any]:
    """Date, commit, settings without secrets, weights, packages and machine."""
    weights = TABLE[settings.embedding_model]
    chosen = settings.model_dump(mode="json", exclude=SECRET | {"home", "corpus"})
    if settings.base_url:
        # An address can carry a password or a key.
        chosen["base_url"] = urlsplit(settings.base_url).hostname or ""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "settings": chosen,
        "weights": {weights.name: weights.hash},
        "packages": {name: version(name) for name in PACKAGES},
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
    }


def commit() -> str:
    """The commit this runs from, with a plus when files were changed since; empty outside a repository."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],  # noqa: S607
            cwd=PROJECT, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def write_result(path: Path, values: dict[str, Any]) -> None:
    """Writes a result file, its folder too.

    Raises:
        ResourceError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        raise ResourceError(f"{path} cannot be written: {error.strerror}.", "Name another file with --out.") from None
