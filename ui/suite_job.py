"""The evaluation suite in a process of its own, started by a page: one at a time, watched and stopped from there.

The process is the command a person would type, so it measures, writes and judges as that does. Its progress is read
from the progress bar it draws.
"""

import atexit
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

from rag.settings import PROJECT

COMMAND = ("-m", "ui.cli", "eval", "run")
STOP_SECONDS = 5.0
TOLD_LINES = 12
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What moves a terminal's cursor or colours its letters (ECMA-48 control sequences)."""
PROGRESS = re.compile(r"^(\w[\w .…,-]*?)\s+[━╸╺─\s]*\s(\d{1,3})%")


@dataclass(frozen=True, slots=True)
class Progress:
    """What the process is at, and how far, in 0..1."""

    what: str = "starting"
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: whether with a result, in a sentence, and what it printed last when it had none."""

    fine: bool
    message: str
    told: str = ""


class SuiteJob:
    """One run of the suite. Made by `start`.

    Args:
        out: the result file it will write.
        call: the command, for tests; the suite's own otherwise.
    """

    def __init__(self, out: Path, call: Sequence[str] = ()) -> None:
        self.out = out
        self.stopped = False
        self.started = time.monotonic()
        self.progress = Progress()
        self._told: deque[str] = deque(maxlen=TOLD_LINES)
        call = call or [sys.executable, *COMMAND, "--out", str(out)]
        paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        # Told that it talks to a terminal, the command draws its progress bar.
        terminal = {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "1", "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
        environment = {**os.environ, **terminal, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            call, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
        self._reader = Thread(target=self._read, name="suite", daemon=True)
        self._reader.start()
        atexit.register(self.stop)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet; its last words have been read when it has."""
        if self._process.poll() is None:
            return True
        self._reader.join(STOP_SECONDS)
        return False

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.started

    @property
    def outcome(self) -> Outcome:
        """How it went; a missed gate is a result too, with exit code 1."""
        if self.stopped:
            return Outcome(False, "The run was stopped, so there is no result of it.")
        if self._process.returncode in {0, 1} and self.out.is_file():
            return Outcome(True, "The run is over. Its results are below.")
        return Outcome(False, "The suite ended without a result.", "\n".join(self._told))

    def stop(self) -> None:
        """Ends the process, kindly first, and waits until it is gone."""
        atexit.unregister(self.stop)
        if self._process.poll() is not None:
            return
        self.stopped = True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            # A progress bar ends its lines with a return, which counts as a line's end here.
            for line in lines:
                self._heard(STEERING.sub("", line).strip())

    def _heard(self, line: str) -> None:
        if found := PROGRESS.match(line):
            self.progress = Progress(found.group(1), min(1.0, int(found.group(2)) / 100))
        elif line:
            self._told.append(line)


_LOCK = Lock()
_JOB: list[SuiteJob] = []


def start(out: Path, call: Sequence[str] = ()) -> Outcome | None:
    """Starts the suite unless it runs already, for this or another session; what went wrong, if it cannot."""
    with _LOCK:
        if _JOB and _JOB[0].running:
            return None
        try:
            _JOB[:] = [SuiteJob(out, call)]
        except OSError as error:
            return Outcome(False, f"The suite cannot be started: {error.strerror}.")
    return None


def current() -> SuiteJob | None:
    """The job of this server, running or just over."""
    return _JOB[0] if _JOB else None


def take_outcome() -> Outcome | None:
    """How the job that is over went, once; None while it runs, and when another session has asked before."""
    with _LOCK:
        if not _JOB or _JOB[0].running:
            return None
        return _JOB.pop().outcome
