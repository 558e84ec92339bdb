"""What an index version was made from, which version is live, and whether its files are whole.

`index/CURRENT` names the live version; it is replaced in one step, so a killed build leaves the old
version live and whole. Every version is a folder of its own.
"""

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rag.errors import IndexUnavailable

POINTER = "CURRENT"
FILE = "manifest.json"
CHROMA = "chroma"
CHANGING = ".sqlite3"
"""Chroma writes to its SQLite file whenever it is opened, so that one is checked by SQLite itself."""
CURE = "Run `tutor index --rebuild`."


@dataclass(frozen=True, slots=True)
class Manifest:
    """The recipe and the result of one index version."""

    format: int
    chunker: int
    embedding_model: str
    weight_hash: str
    dimension: int
    entry_hashes: dict[str, str]
    counts: dict[str, int]
    built_at: str
    file_hashes: dict[str, str] = field(default_factory=dict)

    def difference(self, other: "Manifest") -> str:
        """Why an index made by `self` cannot serve where `other` is wanted; empty when it can."""
        if (self.format, self.chunker) != (other.format, other.chunker):
            return "it was made by another version of this program"
        if self.embedding_model != other.embedding_model:
            return f"it was made with the embedding model {self.embedding_model}, not {other.embedding_model}"
        if self.weight_hash != other.weight_hash:
            return f"it was made with other files of the embedding model {other.embedding_model}"
        if self.entry_hashes != other.entry_hashes:
            changed = sum(self.entry_hashes.get(name) != value for name, value in other.entry_hashes.items())
            removed = len(set(self.entry_hashes) - set(other.entry_hashes))
            return f"the guides changed ({changed} new or edited, {removed} removed)"
        return ""


def live_folder(index: Path) -> Path | None:
    """The folder of the live version, or None when there has never been one.

    Raises:
        IndexUnavailable: the pointer is damaged or names a folder that is gone.
    """
    pointer = index / POINTER
    if not pointer.is_file():
        return None
    name = pointer.read_text("utf-8", "replace").strip()
    if not any(folder.name == name for folder in index.iterdir() if folder.is_dir()):
        raise IndexUnavailable(f"The index in {index} is damaged: its version {name[:80]!r} is not there.", CURE)
    return index / name


def switch(index: Path, version: str) -> None:
    """Makes `version` the live one, in one step."""
    partial = index / (POINTER + ".part")
    partial.write_text(version, "utf-8")
    partial.replace(index / POINTER)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a version.

    Raises:
        IndexUnavailable: it is missing or unreadable.
    """
    try:
        return Manifest(**json.loads((folder / FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise IndexUnavailable(f"The index in {folder} is damaged: its manifest cannot be read.", CURE) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest of a version that is being built."""
    (folder / FILE).write_text(json.dumps(asdict(manifest), indent=1), "utf-8")


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hashes the version's files: flipped bytes in Chroma's index can end the process at a query.

    Raises:
        IndexUnavailable: a file is missing or has other bytes than when it was built.
    """
    found = file_hashes(folder)
    wrong = sorted(name for name, value in manifest.file_hashes.items() if found.get(name) != value)
    if wrong:
        raise IndexUnavailable(f"The index in {folder} is damaged: {', '.join(wrong[:3])} changed or is gone.", CURE)
    for path in (folder / CHROMA).glob("*" + CHANGING):
        try:
            with closing(sqlite3.connect(path)) as connection:
                state = connection.execute("PRAGMA quick_check").fetchone()[0]
        except sqlite3.Error as error:
            state = str(error)
        if state != "ok":
            raise IndexUnavailable(f"The index in {folder} is damaged: {path.name} ({state[:120]}).", CURE)
    if not list((folder / CHROMA).glob("*" + CHANGING)):
        raise IndexUnavailable(f"The index in {folder} is damaged: Chroma's database is gone.", CURE)


def file_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file of a version that nobody writes to after the build."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != FILE and CHANGING not in path.name
    }
