"""A result file says under which circumstances it was measured, and never holds a key."""

import hashlib
import json
import os
import platform
import subprocess
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from eval import record
from eval.record import circumstances, commit, write_result
from rag.catalog import LOCAL, LOCAL_MODEL, TABLE
from rag.settings import load_settings
from tests.canary import CANARY

KEY = CANARY


def git(folder: Path, *words: str) -> str:
    call = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_the_circumstances_name_date_settings_weights_packages_and_machine(tmp_path: Path) -> None:
    settings = load_settings({"TUTOR_EMBEDDING_MODEL": "all-MiniLM-L6-v2", "TUTOR_SOURCES": "7"}, tmp_path)
    found = circumstances(settings)
    age = datetime.now(UTC) - datetime.strptime(found["date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= age < timedelta(hours=1)
    assert found["commit"] == commit()
    assert (found["settings"]["embedding_model"], found["settings"]["sources"]) == ("all-MiniLM-L6-v2", 7)
    assert found["weights"] == {"all-MiniLM-L6-v2": TABLE["all-MiniLM-L6-v2"].hash}
    assert found["packages"]["chromadb"] == version("chromadb")
    assert found["packages"]["xllamacpp"] == version("xllamacpp")
    assert found["seed"] == 0
    assert circumstances(settings, seed=7)["seed"] == 7
    assert found["machine"] == {
        "cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
    }  # fmt: skip


def test_the_circumstances_hold_neither_the_key_nor_anybodys_folders(tmp_path: Path) -> None:
    environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "TUTOR_HOME": str(tmp_path)}
    settings = load_settings(environment, tmp_path)
    assert settings.api_key is not None
    written = json.dumps(circumstances(settings))
    assert '"base_url": "127.0.0.1"' in written
    for hidden in (KEY, "api_key", str(tmp_path), "**"):
        assert hidden not in written


def test_every_model_in_use_is_named_with_its_hash(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "my-reranker"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    chosen = {"TUTOR_RERANKER": str(folder), "TUTOR_ENTAILMENT_MODEL": "cross-encoder/nli-deberta-v3-base"}
    settings = load_settings(chosen, tmp_path)
    found = circumstances(settings, ["quote", LOCAL])
    assert found["weights"] == {
        "all-mpnet-base-v2": TABLE["all-mpnet-base-v2"].hash,
        LOCAL_MODEL.name: LOCAL_MODEL.hash,
        "my-reranker": hashlib.sha256(b"weights").hexdigest(),
        "cross-encoder/nli-deberta-v3-base": record.UNKNOWN,
    }
    assert found["settings"]["reranker"] == "my-reranker"
    assert str(tmp_path) not in json.dumps(found)
    assert LOCAL_MODEL.name not in circumstances(settings, ["gpt-4.1-mini"])["weights"]


def test_a_package_that_is_not_there_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "PACKAGES", ("numpy", "no-such-package-4711"))
    assert circumstances(load_settings({}, tmp_path))["packages"] == {"numpy": version("numpy")}


def test_a_commit_with_changed_files_carries_a_plus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "PROJECT", tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a.txt").write_text("one", "utf-8")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "--quiet", "--message", "One")
    clean = git(tmp_path, "rev-parse", "HEAD")[:12]
    assert commit() == clean
    (tmp_path / "a.txt").write_text("two", "utf-8")
    assert commit() == clean + "+"


def test_outside_a_repository_or_without_git_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "PROJECT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == ""


def test_a_result_is_written_with_its_folder_and_takes_the_place_of_the_last(tmp_path: Path) -> None:
    path = tmp_path / "results" / "new" / "retrieval.json"
    write_result(path, {"run": 1, "what": "größer ≥ 0.9"})
    assert "größer ≥ 0.9" in path.read_text("utf-8")
    write_result(path, {"run": 2})
    assert json.loads(path.read_text("utf-8")) == {"run": 2}
    assert list(path.parent.iterdir()) == [path]


def test_a_result_that_cannot_be_written_leaves_the_last_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "retrieval.json"
    write_result(path, {"run": 1})
    with pytest.raises(TypeError):
        write_result(path, {"run": 2, "what": object()})
    assert json.loads(path.read_text("utf-8")) == {"run": 1}
