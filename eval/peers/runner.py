"""The workers' environments and processes: made, asked, and gone at the end."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.errors import TutorError
from rag.settings import PROJECT
from rag.weights import Report

BUILD_SECONDS = 3600.0
ANSWER_SECONDS = 120.0
ENDING_SECONDS = 5.0
"""How long a process that closed its output may take to end before it is ended."""
LAST_LINES = 15
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "ANONYMIZED_TELEMETRY": "False",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LANGSMITH_TRACING": "false",
}
"""The environment of every worker: nothing is fetched, nothing is reported to anyone."""


class PeerFailed(TutorError):
    """A system under comparison could not be installed, or its worker ended early. `lines` are its last words."""

    def __init__(self, message: str, cure: str = "", lines: tuple[str, ...] = ()) -> None:
        super().__init__(message, cure)
        self.lines = lines


def python_of(name: str, requirements: Path, folder: Path, report: Report) -> str:
    """The interpreter of a virtual environment with these requirements, made anew when they have changed.

    Raises:
        PeerFailed: when they cannot be installed.
    """
    python = folder / name / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / name / "installed.txt"
    wanted = f"# Python {sys.version}\n{requirements.read_text('utf-8')}"
    if not (done.is_file() and done.read_text("utf-8") == wanted):
        report(f"installing {name}", 0, 0)
        _run(name, [sys.executable, "-m", "venv", "--clear", str(folder / name)])
        _run(name, [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
        done.write_text(wanted, "utf-8")
    return str(python)


def _run(name: str, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = tuple(done.stderr.splitlines()[-LAST_LINES:])
        cure = "Check the connection to the package registry."
        raise PeerFailed(f"{name} could not be installed.", cure, lines)


class Worker:
    """A worker's process. Close it whatever happened; then it is gone.

    Args:
        name: what messages call it.
        command: the program and its arguments; runs in the project's folder.
        extra: environment variables on top of this process's.
    """

    def __init__(self, name: str, command: Sequence[str], extra: dict[str, str] | None = None) -> None:
        self.name = name
        # Unbuffered by a pipe nobody reads: a library may write any amount of it.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # This environment's packages must not be found by another one's interpreter.
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(  # noqa: S603
            command,
            cwd=PROJECT,
            env={**inherited, **QUIET, **(extra or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    @property
    def process_id(self) -> int:
        return self._process.pid

    def tell(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Sends a line and returns the reply.

        Raises:
            PeerFailed: when none comes in time, or the process ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failure("ended early") from None
        return self._reply(seconds)

    def finish(self, seconds: float) -> dict[str, Any]:
        """Ends the input and returns the last line.

        Raises:
            PeerFailed: when there is none.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._reply(seconds)

    def close(self) -> None:
        """Ends the process if it still runs."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                pass  # what was still to be sent; nobody is there to read it

    def _reply(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        # A pipe can't be read with a time limit everywhere; ending the process ends the reading.
        expired = threading.Event()

        def end() -> None:
            expired.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            raise self._failure(f"gave no reply within {seconds:g} s" if expired.is_set() else "ended early")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _failure(self, what: str) -> PeerFailed:
        try:
            code = self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:]
        cure = "Mend what its last lines say; delete its folder in `cache/peers` of the home folder to install it anew."
        return PeerFailed(f"{self.name} {what} (exit code {code}).", cure, tuple(lines))
