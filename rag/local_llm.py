"""A language model on this machine: llama.cpp's own server, through xllamacpp, in a child process.

A child, because a model may need more memory than there is or a processor newer than this one, and because
only a new process can be told how its threads wait. It listens on loopback, on a port the system chooses,
knows one random key, and ends when its input ends: with this process, however that ends.
"""

import atexit
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from rag.catalog import LOCAL
from rag.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent
CODE = "import sys; sys.path.insert(0, sys.argv[1]); from rag.local_llm import serve; serve()"
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH")
WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "2000"}
"""Threads that spin while they wait for each other are ten times slower as soon as another program runs."""
HOST = "127.0.0.1"
CONTEXT = 4096
START_SECONDS = 180.0
END_SECONDS = 5.0
CURE = "The quoted answer needs no model: --model quote."
ANSWER_CURE = (
    "Ask again, or ask a shorter question; on a slow machine raise TUTOR_FIRST_BYTE_SECONDS, how long a reply may "
    f"take to begin. {CURE}"
)
"""For a reply that fails: nothing about an endpoint can be set for it."""


class LocalServer:
    """Starts the server when it is first needed and keeps it. Safe to share between threads.

    Args:
        file: the model (GGUF).
        threads: CPU threads it may use.
        prefix: the messages every conversation with it begins with. They are read once and kept beside
            `file`, so that the next process need not read them again.
        context: tokens of prompt and reply together at the most.
    """

    def __init__(
        self, file: Path, threads: int, prefix: Sequence[Mapping[str, str]] = (), context: int = CONTEXT
    ) -> None:
        self._file = file
        self._threads = threads
        self._prefix = [dict(message) for message in prefix]
        self._context = context
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._address = ("", "", LOCAL)

    def start(self) -> tuple[str, str, str]:
        """The base URL, the key and the model's name to use; starts the server unless it runs.

        Raises:
            ModelError: the model is not there, or the server does not start.
        """
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._end()
                self._address = self._started()
            return self._address

    @property
    def child_id(self) -> int | None:
        """The process id of the running server."""
        child = self._child
        return child.pid if child and child.poll() is None else None

    def close(self) -> None:
        """Ends the server; `start` would start another."""
        with self._lock:
            self._end()

    def _started(self) -> tuple[str, str, str]:
        if not self._file.is_file():
            raise ModelError(f"The local model {self._file} is not there.", f"Run `tutor models fetch {LOCAL}`. {CURE}")
        key = secrets.token_urlsafe(32)
        asked = {
            "file": str(self._file),
            "threads": self._threads,
            "context": self._context,
            "key": key,
            "prefix": self._prefix,
        }
        environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | WAITING
        command = [sys.executable, "-I", "-B", "-c", CODE, str(ROOT)]
        child = subprocess.Popen(  # noqa: S603  # our own interpreter; the key is not on the line, where others see it
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._child = child
        atexit.register(self.close)
        reply = _exchange(child, asked, START_SECONDS)
        if "url" not in reply:
            code = _exit_code(child) if not reply else None
            self._end()
            raise ModelError(f"The local model does not start: {reply.get('failed') or _death(code)}.", CURE)
        return str(reply["url"]) + "/v1", key, LOCAL

    def _end(self) -> None:
        child, self._child = self._child, None
        atexit.unregister(self.close)
        if child is None:
            return
        if child.stdin:
            child.stdin.close()
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def _exchange(child: "subprocess.Popen[bytes]", asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Sends one line and receives one, beside this thread, which watches the clock; empty when nothing came."""
    assert child.stdin
    assert child.stdout
    replies: Queue[bytes] = Queue()

    def talk(into: IO[bytes], out: IO[bytes]) -> None:
        try:
            into.write(json.dumps(asked).encode("ascii") + b"\n")
            into.flush()
            replies.put(out.readline())
        except (OSError, ValueError):
            replies.put(b"")

    threading.Thread(target=talk, args=(child.stdin, child.stdout), daemon=True).start()
    try:
        return dict(json.loads(replies.get(timeout=seconds) or b"{}"))
    except Empty:
        child.kill()
        return {"failed": f"it was not ready within {seconds:g} s"}
    except ValueError:
        return {}


def _exit_code(child: "subprocess.Popen[bytes]") -> int | None:
    try:
        return child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _death(code: int | None) -> str:
    if code == -signal.SIGILL:
        return "this processor lacks instructions it needs (AVX2)"
    if code == -9:
        return "the system ended it, most likely for lack of memory; it needs about 1.4 GB"
    return "its process ended without a word" if code is None else f"its process ended with status {code}"


def serve() -> None:
    """The child: one line in with what to serve, one line out with the address, then until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends this process too
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints must not get between the lines
    asked = json.loads(sys.stdin.buffer.readline())
    try:
        server = _server(asked)
        if asked["prefix"]:
            _read_prefix(server.listening_address, asked)
        reply = {"url": server.listening_address}
    except ImportError as error:
        reply = {"failed": f"xllamacpp cannot be loaded ({error}); `make setup` installs it where it exists"}
    except RuntimeError:  # all that llama.cpp says
        reply = {"failed": f"llama.cpp refuses {asked['file']}; `tutor models verify {LOCAL}` checks it"}
    replies.write(json.dumps(reply).encode("ascii") + b"\n")
    replies.flush()
    if "url" in reply:
        sys.stdin.buffer.read()
    os._exit(0)  # a reply that is being written has nobody left to read it


def _server(asked: Mapping[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked["file"]
    params.model_alias = {LOCAL}
    params.n_ctx = asked["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = asked["threads"]
    params.cache_ram_mib = 0  # the one conversation is in the context; copies of it would only take memory
    params.hostnames = [HOST]
    params.port = 0
    params.api_keys = [asked["key"]]
    params.cors_origins = f"http://{HOST}"  # no web page may read what it says
    params.no_extra_bufts = True  # repacked weights take 0.6 GB more and read prompts no faster here
    params.ui = False
    params.fit_params = False
    params.warmup = False
    params.verbosity = 0
    params.slot_save_path = str(Path(asked["file"]).parent) + os.sep
    return xllamacpp.Server(params)


def _read_prefix(url: str, asked: Mapping[str, Any]) -> None:
    """Puts the beginning of all conversations into the context: from its file, or by reading it once."""
    import xllamacpp

    file = Path(asked["file"])
    made_from = [asked["prefix"], asked["context"], file.name, file.stat().st_size, xllamacpp.__version__]
    kept = file.with_name(f"prefix-{hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]}.bin")
    if kept.is_file() and _post(url, "/slots/0?action=restore", {"filename": kept.name}, asked["key"]):
        return
    body = {"messages": asked["prefix"], "max_tokens": 1, "cache_prompt": True}
    if not _post(url, "/v1/chat/completions", body, asked["key"]):
        return
    partial = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        if _post(url, "/slots/0?action=save", {"filename": partial.name}, asked["key"]):
            for stale in file.parent.glob("prefix-*.bin"):
                stale.unlink(missing_ok=True)
            partial.replace(kept)
    except OSError:
        return  # a folder that cannot be written costs the next process its seconds, no more


def _post(url: str, path: str, body: Mapping[str, Any], key: str) -> bool:
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=START_SECONDS) as reply:
            reply.read()
    except OSError:
        return False
    return True
