"""Every part, its state and version, and the command that mends it."""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from rag.catalog import LOCAL, LOCAL_MODEL, TABLE
from rag.errors import ModelError
from rag.settings import PROJECT, Settings
from rag.weights import present, verify
from rag.wiring import NAMELESS

State = Literal["ok", "missing", "broken"]
PACKAGES = ("chromadb", "openai", "rank-bm25", "sentence-transformers", "streamlit", "torch", "onnxruntime")
RUNNER = "xllamacpp"
"""What runs the local model. Not in `PACKAGES`, because not every machine can have it and few need it."""
CROSS_ENCODERS = {
    "TUTOR_RERANKER": "CrossEncoderReranker(name, str, 1).rerank('a', None, [Hit('A', 'A#0', 1, {})])",
    "TUTOR_ENTAILMENT_MODEL": "EntailmentModel(name, 1).entails('a', 'a')",
}
TRY = """
import json, sys
sys.path.insert(0, sys.argv[1])
from rag.cross_encoder import CrossEncoderReranker, EntailmentModel
from rag.errors import WeightsError
from rag.types import Hit
name, said = sys.argv[2], None
try:
    {made}
except WeightsError as error:
    said = [error.message, error.cure, error.__cause__ is not None]
print(json.dumps(said))
"""
"""Tries a cross-encoder; says nothing, or what went wrong, its cure, and whether it is not to be had at all."""
LOAD_SECONDS = 240.0


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
    reranker = _cross_encoder("reranker", "TUTOR_RERANKER", settings.reranker)
    entailment = _cross_encoder("entailment model", "TUTOR_ENTAILMENT_MODEL", settings.entailment_model)
    return [_python(), *_packages(), _runner(settings), _home(settings), _weights(settings), reranker, entailment,
            _corpus(settings), _index(settings), _local(settings), _llm(settings)]  # fmt: skip


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


def _runner(settings: Settings) -> Part:
    try:
        return Part(RUNNER, "ok", version(RUNNER))
    except PackageNotFoundError:
        if settings.model != LOCAL and not _local_file(settings).exists():
            return Part(RUNNER, "ok", "not installed; only --model local needs it")
        cure = f"Run `make setup`; a machine it does not exist for ({platform.machine()}) does without --model local."
        return Part(RUNNER, "missing", "not installed, so the local model cannot run", cure)


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


def _cross_encoder(part: str, setting: str, name: str) -> Part:
    """Loads it, in a process that may not ask the hub: nothing is downloaded, and torch stays out of this one."""
    if not name:
        return Part(part, "ok", f"the built-in one; {setting} sets another")
    call = [sys.executable, "-I", "-B", "-c", TRY.format(made=CROSS_ENCODERS[setting]), str(PROJECT), name]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENAI_")}
    environment["HF_HUB_OFFLINE"] = "1"
    cure = f"Set {setting} to another one, or unset it."
    try:
        done = subprocess.run(call, capture_output=True, env=environment, timeout=LOAD_SECONDS, check=False)  # noqa: S603
        said = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return Part(part, "broken", f"{name} did not load within {LOAD_SECONDS:g} s", cure)
    except (IndexError, ValueError):
        return Part(part, "broken", f"{name} cannot be loaded: its process ended with {done.returncode}", cure)
    if said is None:
        return Part(part, "ok", name)
    message, cure, absent = said
    if absent and not Path(name).exists():
        tries = f"The first question tries the hub. Or set {setting} to a folder with a cross-encoder."
        return Part(part, "missing", f"{name} is not on this machine", tries)
    return Part(part, "broken", message, cure)


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


def _local_file(settings: Settings) -> Path:
    return settings.models_folder / LOCAL_MODEL.name / LOCAL_MODEL.files[0].name


def _local(settings: Settings) -> Part:
    file, cure = _local_file(settings), f"Run `tutor models fetch {LOCAL}`."
    if not file.exists():
        if settings.model == LOCAL:
            return Part("local model", "missing", f"TUTOR_MODEL is {LOCAL}, but {LOCAL_MODEL.name} is not there", cure)
        size = f"{LOCAL_MODEL.size / 1e9:.1f} GB"
        return Part("local model", "ok", f"not used; `tutor models fetch {LOCAL}` fetches one of {size}")
    if faults := verify(LOCAL_MODEL, file.parent):
        return Part("local model", "broken", faults[0], cure)
    return Part("local model", "ok", f"{LOCAL_MODEL.name} {LOCAL_MODEL.hash[:12]}")


def _llm(settings: Settings) -> Part:
    if not settings.llm_configured:
        if present(LOCAL_MODEL, _local_file(settings).parent):
            return Part("language model", "ok", f"no endpoint; the local model answers with --model {LOCAL}")
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
