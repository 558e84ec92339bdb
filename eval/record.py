"""Result files: what was measured, with everything needed to measure it again."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eval.metrics import SEED
from rag.catalog import LOCAL, LOCAL_MODEL, TABLE
from rag.errors import ResourceError
from rag.settings import PROJECT, Settings
from rag.weights import file_hash

FOLDER = Path(__file__).with_name("results")
PACKAGES = ("chromadb", "numpy", "onnxruntime", "rank-bm25", "sentence-transformers", "symspellpy", "xllamacpp")
SECRET = {"api_key"}
CHOSEN = ("reranker", "entailment_model")
"""Settings that name a model: a folder, or a name on the hub."""
UNKNOWN = "named only: the hub's copy is not hashed"


def circumstances(settings: Settings, models: Collection[str] = (), seed: int = SEED) -> dict[str, Any]:
    """Date, commit, settings without secrets, weights, packages, machine and seed.

    Args:
        settings: those of the run; keys and folders of this machine are left out.
        models: who answered and who judged, by the names of `--model` and `--judge`; `local` adds its file's hash.
        seed: of what is drawn, such as the bootstrap's samples.
    """
    chosen = settings.model_dump(mode="json", exclude=SECRET | {"home", "corpus"})
    chosen |= {name: _model_name(chosen[name]) for name in CHOSEN}
    if settings.base_url:
        # An address can carry a password or a key.
        chosen["base_url"] = urlsplit(settings.base_url).hostname or ""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "settings": chosen,
        "weights": _weights(settings, models),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "seed": seed,
    }


def _weights(settings: Settings, models: Collection[str]) -> dict[str, str]:
    """The sha256 of every model in use, by its name."""
    found = {TABLE[settings.embedding_model].name: TABLE[settings.embedding_model].hash}
    if LOCAL in models:
        found[LOCAL_MODEL.name] = LOCAL_MODEL.hash
    for name in filter(None, (getattr(settings, setting) for setting in CHOSEN)):
        # The same choice as of sentence-transformers, which prefers this file to an older form of it.
        files = [Path(name) / file for file in ("model.safetensors", "pytorch_model.bin")]
        file = next((file for file in files if file.is_file()), None)
        found[_model_name(name)] = file_hash(file) if file else UNKNOWN
    return found


def _model_name(name: str) -> str:
    """A model's name, of a folder only its last part: the others belong to this machine."""
    path = Path(name)
    return path.name if path.is_dir() or path.is_absolute() else name


def _version(package: str) -> str:
    """The version that is installed; empty where there is none, as of xllamacpp on some machines."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


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
