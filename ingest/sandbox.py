"""Parsing in a child process: whatever a file does to the parser, it does it there.

The child gets bytes and gives JSON, both over pipes. It has bounds for memory, processor time and
files it may write (none), and no environment to speak of. One child serves many files; after a crash,
a time-out or a shortage of memory the next file gets a fresh one.
"""

import json
import math
import os
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from ingest.limits import Limits, Refused, size

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
HEADER = struct.Struct(">QQ")
LENGTH = struct.Struct(">Q")
CODE = "import sys; sys.path.insert(0, sys.argv[1]); from ingest.sandbox import serve; serve(sys.argv[2])"
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP")
OUT_OF_MEMORY = "memory"


class Sandbox:
    """Parses files one after another in a child process; use it in a `with` statement."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    @property
    def child_id(self) -> int | None:
        """The process id of the running child."""
        return self._child.pid if self._child else None

    def parse(self, data: bytes, name: str) -> dict[str, Any]:
        """What `ingest.parse.parse` returns for the file.

        Raises:
            Refused: when it cannot be read, or hurts the child.
        """
        child = self._running()
        label = name.encode("utf-8", "replace")
        reply = self._exchange(child, [HEADER.pack(len(label), len(data)), label, data], self._limits.seconds)
        if "refused" in reply:
            if reply["refused"] == OUT_OF_MEMORY:
                self._end()
                raise Refused(f"reading it takes more than {size(self._limits.memory_bytes)} of memory")
            raise Refused(str(reply["refused"]))
        return reply

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._child and self._child.poll() is None:
            return self._child
        self._end()
        environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-I", "-B", "-c", CODE, str(ROOT), json.dumps(asdict(self._limits))]
        self._child = subprocess.Popen(  # noqa: S603  # our own interpreter, nothing from the user on the line
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._exchange(self._child, [], START_SECONDS)
        return self._child

    def _exchange(self, child: "subprocess.Popen[bytes]", request: list[bytes], seconds: float) -> dict[str, Any]:
        """Sends and receives beside this thread, which only watches the clock."""
        answer: list[bytes] = []
        most = 4 * self._limits.inflated_bytes + 1_000_000

        def talk() -> None:
            assert child.stdin
            assert child.stdout
            try:
                for part in request:
                    child.stdin.write(part)
                child.stdin.flush()
                (length,) = LENGTH.unpack(_exactly(child.stdout, LENGTH.size))
                if length <= most:
                    answer.append(_exactly(child.stdout, length))
            except (OSError, ValueError, EOFError):
                return

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        thread.join(seconds)
        late = thread.is_alive()
        if late or not answer:
            code = None if late else self._exit_code(child)
            self._end()
            thread.join(5)
            raise Refused(f"reading it takes longer than {seconds:g} s" if late else _death(code, self._limits))
        reply: dict[str, Any] = json.loads(answer[0])
        return reply

    def _exit_code(self, child: "subprocess.Popen[bytes]") -> int | None:
        try:
            return child.wait(5)
        except subprocess.TimeoutExpired:
            return None

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:  # what was not sent yet cannot be sent any more
                continue


def _death(code: int | None, limits: Limits) -> str:
    if code == -9:
        return "the system ended the parser on it, most likely for lack of memory"
    if code is not None and -code in {6, 7, 11}:
        return f"it crashes the parser (signal {-code}), or needs more than {size(limits.memory_bytes)} of memory"
    if code is not None and code == -24:
        return "reading it takes too much processor time"
    return "it makes the parser end without a result"


def _exactly(stream: Any, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return bytes(data)


def serve(limits_json: str) -> None:
    """The child: answers requests until its input ends."""
    limits = Limits(**json.loads(limits_json))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not get between the replies
    _restrict(limits)
    from ingest.parse import parse

    requests = sys.stdin.buffer
    _reply(replies, {"ready": True})
    while True:
        head = requests.read(HEADER.size)
        if len(head) < HEADER.size:
            return
        name_length, data_length = HEADER.unpack(head)
        name = requests.read(name_length).decode("utf-8", "replace")
        _restrict_time(limits)
        try:
            # The parent counts memory as a property of the file: its bytes are part of it.
            result = parse(requests.read(data_length), name, limits)
            payload = json.dumps(result).encode("ascii")
        except Refused as refused:
            payload = json.dumps({"refused": str(refused)}).encode("ascii")
        except MemoryError:
            payload = json.dumps({"refused": OUT_OF_MEMORY}).encode("ascii")
        except RecursionError:
            payload = json.dumps({"refused": "it is nested too deeply"}).encode("ascii")
        except Exception as error:  # noqa: BLE001  # a file may make a library raise anything
            payload = json.dumps({"refused": f"the parser fails on it ({type(error).__name__})"}).encode("ascii")
        replies.write(LENGTH.pack(len(payload)) + payload)
        replies.flush()


def _reply(replies: BinaryIO, value: dict[str, Any]) -> None:
    payload = json.dumps(value).encode("ascii")
    replies.write(LENGTH.pack(len(payload)) + payload)
    replies.flush()


def _restrict(limits: Limits) -> None:
    """Bounds the system keeps, where it knows them: Windows knows none, macOS not that of memory."""
    if sys.platform == "win32":
        return
    import resource

    bounds = (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    )
    for what, bound in bounds:
        try:
            resource.setrlimit(what, (bound, bound))
        except (ValueError, OSError):
            continue


def _restrict_time(limits: Limits) -> None:
    """Ends the child by itself when its parent is no longer there to do it."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + limits.seconds) + 5
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    except (ValueError, OSError):
        return
