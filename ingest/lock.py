"""One writer at a time in a home folder, and a full or forbidden disk named whoever stumbles over it."""

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import IndexBusy, ResourceError
from rag.weights import Report

SPARE_BYTES = 64_000_000


@contextmanager
def writer_lock(home: Path, wait_seconds: float, report: Report) -> Iterator[None]:
    """Holds the writer's lock of a home folder; a process that dies gives it up.

    Raises:
        IndexBusy: another process has held it for longer than `wait_seconds`.
        ResourceError: the disk is full or the folder cannot be written.
    """
    with storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        holder = home / "writer.json"
        lock = FileLock(home / "writer.lock")
        _acquire(lock, holder, wait_seconds, report)
        try:
            holder.write_text(json.dumps({"pid": os.getpid(), "since": time.strftime("%H:%M:%S")}), "utf-8")
            yield
        finally:
            lock.release()


def _acquire(lock: FileLock, holder: Path, wait_seconds: float, report: Report) -> None:
    try:
        lock.acquire(timeout=0)
        return
    except Timeout:
        who = _holder(holder)
    if not wait_seconds:
        raise IndexBusy(f"The index is being written by {who}.", "Wait for it to finish, then run this again.")
    report(f"waiting for {who}, which is writing the index", 0, 0)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise IndexBusy(f"The index is still being written by {who}.", "Stop that process or wait.") from None


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text("utf-8"))
        return f"process {int(found['pid'])} (since {str(found['since'])[:8]})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def storage_errors(home: Path) -> Iterator[None]:
    """Turns what a full or forbidden disk makes libraries raise into one clear error."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(home) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            raise ResourceError(
                f"{error.filename or home} cannot be written: {error.strerror}.",
                "Set TUTOR_HOME to a folder of your own.",
            ) from error
        raise
    except Exception as error:
        # SQLite and Chroma's core report a full disk in words of their own.
        if "disk is full" in str(error) or "No space left" in str(error) or "disk I/O error" in str(error):
            raise disk_full(home) from error
        raise


def disk_full(home: Path, needed: int = SPARE_BYTES) -> ResourceError:
    """The error for a disk on which the index does not fit."""
    return ResourceError(
        f"The disk of {home} is full: the index needs about {needed // 1_000_000} MB more; the old index is untouched.",
        "Free space there, or set TUTOR_HOME to another disk.",
    )
