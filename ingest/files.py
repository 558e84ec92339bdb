"""Which files a call means, and their bytes, without following links out or stumbling over devices."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.extract import FORMATS
from ingest.limits import Limits, Refused, size
from ingest.mend import strip_invisible

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
TERMINAL = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?)")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, by the name it is shown under; or the reason why it is not read."""

    name: str
    path: Path
    reason: str = ""


def shown_name(name: str) -> str:
    """A file's name as one harmless line; it never becomes a path again."""
    text = UNPRINTABLE.sub("?", TERMINAL.sub("?", name))
    text = strip_invisible(text)[0].strip()
    return text if len(text) <= 200 else text[:120] + "…" + text[-60:]


def find_files(paths: Sequence[Path], limits: Limits) -> list[Found]:
    """Every file given or in a folder given, in order of name; the last item says when there are more."""
    found: list[Found] = []
    for path in paths:
        for item in _below(path, limits) if path.is_dir() else [Found(shown_name(path.name), path)]:
            if len(found) == limits.files:
                return [*found, Found(shown_name(str(path)), path, _over(limits))]
            found.append(item)
    return found


def _over(limits: Limits) -> str:
    return f"there are more than {limits.files} files; the rest was not read"


def _below(root: Path, limits: Limits) -> Iterator[Found]:
    top = root.resolve()
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            with os.scandir(folder) as scan:
                items = sorted(scan, key=lambda item: item.name)
        except OSError as error:
            yield Found(_relative(folder, root), folder, f"the folder cannot be read ({error.strerror})")
            continue
        folders = []
        for item in items:
            path = folder / item.name
            if item.name.startswith("."):
                continue
            if item.is_symlink():
                yield _link(path, root, top)
            elif item.is_dir(follow_symlinks=False):
                folders.append((path, depth + 1))
            else:
                yield Found(_relative(path, root), path)
        if folders and depth >= limits.depth:
            yield Found(_relative(folder, root), folder, f"folders are nested deeper than {limits.depth} levels")
        else:
            pending += reversed(folders)


def _relative(path: Path, root: Path) -> str:
    return shown_name(path.relative_to(root).as_posix() if path != root else path.name)


def _link(path: Path, root: Path, top: Path) -> Found:
    name = _relative(path, root)
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return Found(name, path, "it is a link that leads nowhere")
    if not target.is_relative_to(top):
        return Found(name, path, "it is a link that leads out of the folder")
    return Found(name, path, "it is a link to a folder" if target.is_dir() else "it is a link to another file here")


def read_bytes(found: Found, limits: Limits) -> bytes:
    """The file's bytes.

    Raises:
        Refused: when it is no ordinary file, too large, or of a format that is not read.
    """
    if found.reason:
        raise Refused(found.reason)
    suffix = found.path.suffix.lower()
    try:
        # Without O_NONBLOCK opening a named pipe would wait for a writer for ever.
        handle = os.open(found.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise Refused(f"it cannot be opened ({error.strerror})") from None
    except ValueError:
        raise Refused("its name is not valid") from None
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise Refused("it is not an ordinary file")
        if suffix not in FORMATS:
            raise Refused(f"{shown_name(suffix)} files are not read; Markdown, text, HTML, DOCX and PDF are")
        if state.st_size > limits.file_bytes:
            raise Refused(f"it has {size(state.st_size)}; the limit is {size(limits.file_bytes)}")
        try:
            data = stream.read(limits.file_bytes + 1)
        except OSError as error:
            raise Refused(f"it cannot be read ({error.strerror})") from None
    if len(data) > limits.file_bytes:
        raise Refused(f"it is larger than the limit of {size(limits.file_bytes)}")
    if not data:
        raise Refused("it is empty")
    return data
