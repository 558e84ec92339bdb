"""Every part, its state and version, and the command that mends it."""

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from rag.catalog import TABLE
from rag.errors import ModelError
from rag.settings import Settings
from rag.weights import verify
from rag.wiring import NAMELESS

State = Literal["ok", "missing", "broken"]
PACKAGES = ("chromadb", "openai", "rank-bm25", "sentence-transformers", "streamlit", "torch", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the program. `missing` can be mended or done without, `broken` cannot."""

    name: str
    state: State
    detail: str
    cure: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings) -> list[Part]:
    """Looks at every part; the weights are hashed in full."""
    return [_python(), *_packages(), _home(settings), _weights(settings), _corpus(settings), _index(settings),
            _llm(settings)]  # fmt: skip


def _python() -> Part:
    return Part("python", "ok", f"{platform.python_version()} at {sys.prefix}")


def _packages() -> list[Part]:
    parts = []
    for name in PACKAGES:
        try:
            parts.append(Part(name, "ok", version(name)))
        except PackageNotFoundError:
            parts.append(Part(name, "broken", "not installed", "Run `make setup`."))
    return parts


def _home(settings: Settings) -> Part:
    home = settings.home
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        return Part("home folder", "broken", f"{existing} is not a folder one can write to",
                    "Set TUTOR_HOME to a folder of your own.")  # fmt: skip
    free = shutil.disk_usage(existing).free / 1e9
    return Part("home folder", "ok", f"{home}, {free:.1f} GB free")


def _weights(settings: Settings) -> Part:
    from ingest.prepare import model_folder, ready

    weights = TABLE[settings.embedding_model]
    folder = model_folder(settings)
    if not folder.exists():
        return Part("weights", "missing", f"{weights.name} is not there yet", "Run `tutor models fetch`.")
    faults = verify(weights, folder)
    if faults or not ready(settings):
        return Part("weights", "broken", (faults or ["the exported graph is missing"])[0], "Run `tutor models fetch`.")
    return Part("weights", "ok", f"{weights.name} {weights.hash[:12]}")


def _corpus(settings: Settings) -> Part:
    from ingest.guides import check_corpus

    entries, faults = check_corpus(settings.corpus)
    if faults:
        return Part("guides", "broken", f"{len(faults)} faults, the first at {faults[0]}", "Run `tutor corpus check`.")
    return Part("guides", "ok", f"{len(entries)} entries in {settings.corpus}")


def _index(settings: Settings) -> Part:
    from ingest.state import state_of_index

    folder, reason = state_of_index(settings)
    if folder is None:
        return Part("index", "missing", reason, "Run `tutor index`; asking a question does so too.")
    return Part("index", "ok", f"version {folder.name}")


def _llm(settings: Settings) -> Part:
    if not settings.llm_configured:
        cure = "Set OPENAI_API_KEY, or OPENAI_BASE_URL and TUTOR_MODEL. Quoted answers need none."
        return Part("language model", "missing", "none configured", cure)
    from rag.llm import OpenAIModel

    key = settings.api_key.get_secret_value() if settings.api_key else None
    name = "" if settings.model in NAMELESS else settings.model
    model = OpenAIModel(name, key, settings.base_url, settings.answer_tokens, settings.first_byte_seconds, retries=0)
    try:
        can = model.probe()
    except ModelError as error:
        return Part("language model", "broken", error.message, error.cure)
    form = "a JSON schema" if can["schema"] else "JSON" if can["json"] else "no JSON, so it is asked for lines"
    manner = "piece by piece" if can["streaming"] else "in one piece"
    listed = "" if can["models"] else ", which lists no models"
    return Part("language model", "ok", f"{model.name} at {model.where}{listed}: answers {manner}, keeps to {form}")
