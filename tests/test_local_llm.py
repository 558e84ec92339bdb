"""The local model's server: what keeps it from starting, and the real one: who may use it, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest

from ingest.prepare import prepare_local_model
from rag import local_llm
from rag.answer import Draft
from rag.catalog import LOCAL, LOCAL_MODEL
from rag.errors import ModelError
from rag.local_llm import LocalServer
from rag.pick import PickingWriter, pick_grammar, prefix
from rag.settings import PROJECT, Settings
from rag.types import Understood
from rag.wiring import Library
from tests.conftest import HOME, silent

CODE = "import sys; sys.path.insert(0, sys.argv[1]); "
ASKED = [{"role": "user", "content": "Which of them?"}]
needs_proc = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux lists its sockets there")


class Spoken:
    """A `GrammarModel`: the running server, spoken to with the openai client."""

    name = LOCAL

    def __init__(self, client: openai.OpenAI) -> None:
        self._client = client
        self.usage: Any = None

    def stream_grammar(self, messages: Sequence[Mapping[str, str]], grammar: str, max_tokens: int) -> Iterator[str]:
        create: Any = self._client.chat.completions.create
        with create(
            model=LOCAL,
            messages=list(messages),
            max_tokens=max_tokens,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"grammar": grammar},
        ) as chunks:
            for chunk in chunks:
                self.usage = chunk.usage or self.usage
                if chunk.choices:
                    yield chunk.choices[0].delta.content or ""


def a_file(folder: Path, body: bytes = b"no model at all") -> Path:
    path = folder / "model.gguf"
    path.write_bytes(body)
    return path


def failure(server: LocalServer) -> ModelError:
    """How starting it fails; no process is left behind."""
    with pytest.raises(ModelError) as caught:
        server.start()
    assert server.child_id is None
    return caught.value


def gone(pid: int, seconds: float = 20.0) -> bool:
    """Whether a process that is not ours to wait for ends; a zombie has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_model_that_is_not_there_is_named_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    error = failure(LocalServer(tmp_path / "model.gguf", 1))
    assert error.message == f"The local model {tmp_path / 'model.gguf'} is not there."
    assert error.cure.startswith("Run `tutor models fetch local`.")


@pytest.mark.parametrize("body", [b"", b"no model at all", b"GGUF" + bytes(200)])
def test_a_damaged_model_is_named_with_the_command_that_checks_it(tmp_path: Path, body: bytes) -> None:
    file = a_file(tmp_path, body)
    error = failure(LocalServer(file, 1))
    assert error.message == (
        f"The local model does not start: llama.cpp refuses {file}; `tutor models verify local` checks it."
    )
    assert "--model quote" in error.cure


def test_a_machine_without_the_engine_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = local_llm.CODE.replace("import sys;", "import sys; sys.modules['xllamacpp'] = None;", 1)
    monkeypatch.setattr(local_llm, "CODE", code)
    error = failure(LocalServer(a_file(tmp_path), 1))
    assert "xllamacpp cannot be loaded" in error.message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "lacks instructions it needs (AVX2)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "most likely for lack of memory"),
        ("sys.exit(3)", "its process ended with status 3"),
        ("print('no JSON')", "its process ended with status 0"),
        ("print('[]')", "its process ended with status 0"),
    ],
)
def test_a_process_that_dies_while_it_starts_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    monkeypatch.setattr(local_llm, "CODE", CODE + code)
    assert said in failure(LocalServer(a_file(tmp_path), 1)).message


def test_a_process_that_never_gets_ready_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_llm, "CODE", CODE + "import time; time.sleep(600)")
    monkeypatch.setattr(local_llm, "START_SECONDS", 0.3)
    assert "it was not ready within 0.3 s" in failure(LocalServer(a_file(tmp_path), 1)).message


def test_a_process_that_does_not_end_by_itself_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = 'import time; print(\'{"url": "http://127.0.0.1:1"}\', flush=True); time.sleep(600)'
    monkeypatch.setattr(local_llm, "CODE", CODE + deaf)
    monkeypatch.setattr(local_llm, "END_SECONDS", 0.1)
    server = LocalServer(a_file(tmp_path), 1)
    url, key, name = server.start()
    assert (url, name) == ("http://127.0.0.1:1/v1", LOCAL)
    assert len(key) >= 32
    pid = server.child_id
    assert pid is not None
    assert server.start() == (url, key, name)
    assert server.child_id == pid
    server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_died_is_started_anew_with_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = 'print(\'{"url": "http://127.0.0.1:1"}\', flush=True); sys.stdin.readline()'
    monkeypatch.setattr(local_llm, "CODE", CODE + short)
    server = LocalServer(a_file(tmp_path), 1)
    first = server.start()
    for _ in range(400):
        if server.child_id is None:
            break
        time.sleep(0.05)
    assert server.child_id is None
    second = server.start()
    assert first[1] != second[1]
    server.close()


def test_closing_what_never_ran_is_harmless(tmp_path: Path) -> None:
    server = LocalServer(a_file(tmp_path), 1)
    server.close()
    server.close()
    assert server.child_id is None


@pytest.fixture(scope="module")
def model_file() -> Path:
    """The real model, fetched when it is not there."""
    prepare_local_model(Settings(home=HOME), silent)
    return HOME / "models" / LOCAL_MODEL.name / LOCAL_MODEL.files[0].name


@pytest.fixture(scope="module")
def server(model_file: Path) -> Iterator[LocalServer]:
    """The real server, running."""
    started = LocalServer(model_file, 2, prefix())
    started.start()
    yield started
    started.close()


def client(server: LocalServer, key: str = "") -> openai.OpenAI:
    """An openai client for it, with the right key unless another is given."""
    url, right, _ = server.start()
    return openai.OpenAI(base_url=url, api_key=key or right, max_retries=0, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["none", "local", "x" * 43])
def test_a_wrong_key_is_refused(server: LocalServer, key: str) -> None:
    with client(server, key) as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
        with pytest.raises(openai.AuthenticationError):
            stranger.chat.completions.create(model=LOCAL, messages=[{"role": "user", "content": "hi"}])


@pytest.mark.slow
def test_the_key_gives_the_model_under_its_name(server: LocalServer) -> None:
    with client(server) as friend:
        assert [model.id for model in friend.models.list().data] == [LOCAL]
        reply = friend.with_raw_response.models.list()
        assert reply.headers["access-control-allow-origin"] != "*"


@pytest.mark.slow
@needs_proc
def test_it_listens_on_loopback_only_and_the_key_is_on_no_command_line(server: LocalServer) -> None:
    url, key, _ = server.start()
    port = int(url.removesuffix("/v1").rsplit(":", 1)[1])
    found = []
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/{server.child_id}/net/{table}").read_text().splitlines()[1:]]
        found += [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
    assert found == [f"0100007F:{port:04X}"]
    assert key not in Path(f"/proc/{server.child_id}/cmdline").read_text()
    assert key not in Path(f"/proc/{server.child_id}/environ").read_text()


@pytest.mark.slow
def test_a_grammar_holds_the_reply_whatever_the_sentences_are_made_of(server: LocalServer) -> None:
    starts = ['say "no" \\ to', "Größe ≤ 3 µm", "機械学習では", "{}[]|*+?", "the nearest one"]
    with client(server) as friend:
        reply = "".join(Spoken(friend).stream_grammar(ASKED, pick_grammar(starts, 4), 200))
    first, *others = reply.split("\n")
    assert first == "- the nearest one"
    assert others
    assert set(others) <= {f"- {start}" for start in starts[:-1]}
    assert others[0] != others[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "question", ["my lstm loss becomes NaN, why?", "how do I pick a threshold when a miss costs far more?"]
)
def test_every_pick_is_a_sentence_of_a_found_entry_word_for_word(
    server: LocalServer, library: Library, question: str
) -> None:
    found = library.retriever.retrieve(Understood.alone(question), limit=5)
    with client(server) as friend:
        drafts = list(PickingWriter(Spoken(friend), library.passages, 6).write(found))
    assert 2 <= len(drafts) <= 6
    assert len(set(drafts)) == len(drafts)
    there = {
        Draft(sentence.text, (hit.entry_id,), sentence.quote)
        for hit in found.hits
        for sentence in library.passages.sentences(hit.entry_id)[0]
    }
    assert set(drafts) <= there


@pytest.mark.slow
def test_the_examples_are_read_once_and_kept_for_the_next_process(server: LocalServer, model_file: Path) -> None:
    server.start()
    assert len(list(model_file.parent.glob("prefix-*.bin"))) == 1
    again = LocalServer(model_file, 2, prefix())
    try:
        with client(again) as friend:
            spoken = Spoken(friend)
            list(spoken.stream_grammar([*prefix(), *ASKED], 'root ::= "yes"', 5))
        cached = spoken.usage.prompt_tokens_details.cached_tokens
        assert cached > 0.9 * spoken.usage.prompt_tokens
    finally:
        again.close()
    assert sorted(path.suffix for path in model_file.parent.iterdir()) == [".bin", ".gguf", ".json"]


@pytest.mark.slow
def test_closing_leaves_neither_process_nor_port_and_the_next_start_has_another_key(model_file: Path) -> None:
    server = LocalServer(model_file, 1)
    url, key, _ = server.start()
    pid = server.child_id
    assert pid is not None
    server.close()
    assert server.child_id is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
    assert server.start()[1] != key
    server.close()


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_the_server_ends_with_its_process_however_that_ends(model_file: Path, how: signal.Signals | None) -> None:
    code = (
        "import sys; from pathlib import Path; from rag.local_llm import LocalServer\n"
        "server = LocalServer(Path(sys.argv[1]), 1); server.start(); print(server.child_id, flush=True)\n"
        "sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(model_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as owner:
        assert owner.stdout
        assert owner.stdin
        pid = int(owner.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        if how is None:
            owner.stdin.write("\n")
            owner.stdin.close()
        else:
            owner.send_signal(how)
        owner.wait(60)
    assert gone(pid)
