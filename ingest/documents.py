"""A user's own documents: read in the sandbox, given ids that stay, kept as one JSON file each."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ingest.files import Found, find_files, read_bytes
from ingest.limits import Limits, Refused
from ingest.numbering import BUILT_IN, Asked, assign, new_prefix
from ingest.parse import VERSION
from ingest.sandbox import Sandbox
from rag.errors import ResourceError, UsageError
from rag.types import Entry, FollowUp

GUIDE = "{} (your document)"
Report = Callable[[str, int, int], None]
Status = Literal["added", "updated", "unchanged", "skipped"]


@dataclass(frozen=True)
class Document:
    """A document with its entries. `id_prefix` also names it; a file in our own entry format has its entry's id.

    `numbers` is the history of the ids: every key a question was ever known by, and its number.
    """

    id_prefix: str
    title: str
    file_name: str
    sha256: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    parser: int = VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Document":
        """The reverse of `to_dict`."""
        entries = tuple(_entry(item) for item in values["entries"])
        return cls(**{**values, "entries": entries, "warnings": tuple(values["warnings"])})


@dataclass(frozen=True)
class FileReport:
    """What became of one file. `reason` says why it was skipped."""

    file: str
    status: Status
    prefix: str = ""
    entries: int = 0
    warnings: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        if self.status == "skipped":
            return f"{self.file}: skipped: {self.reason}"
        what = "entry" if self.entries == 1 else "entries"
        notes = f" ({'; '.join(self.warnings)})" if self.warnings else ""
        return f"{self.file}: {self.status} as {self.prefix}, {self.entries} {what}{notes}"


def ingest_paths(paths: Sequence[Path], folder: Path, limits: Limits, report: Report) -> list[FileReport]:
    """Reads files and folders into `folder`; one report a file, whatever the file is.

    Args:
        folder: where the documents are kept, one JSON file each.
        report: called with what is done, how many files are done, and how many there are.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{folder} cannot be made ({error.strerror}).", "Set TUTOR_HOME to another folder."
        ) from None
    found = find_files(paths, limits)
    results = []
    with Sandbox(limits) as sandbox:
        shelf = _Shelf(folder, sandbox, limits, {item.name for item in found})
        for done, item in enumerate(found):
            report("reading documents", done, len(found))
            try:
                results.append(shelf.take(item))
            except Refused as refused:
                results.append(FileReport(item.name, "skipped", reason=str(refused)))
    report("reading documents", len(found), len(found))
    return results


def list_documents(folder: Path) -> list[Document]:
    """All documents kept, in order of prefix."""
    return [_load(path) for path in sorted(folder.glob("*.json"))]


def remove_document(folder: Path, prefix: str) -> Document:
    """Forgets a document; returns what it was.

    Raises:
        UsageError: when there is none with this prefix.
    """
    for document in list_documents(folder):
        if document.id_prefix == prefix.strip().upper():
            (folder / f"{document.id_prefix}.json").unlink()
            return document
    known = ", ".join(document.id_prefix for document in list_documents(folder)) or "none"
    raise UsageError(f"There is no document {prefix[:40]!r}, only: {known}.", "See them with `tutor ingest --list`.")


class _Shelf:
    """The documents kept, while files are taken in."""

    def __init__(self, folder: Path, sandbox: Sandbox, limits: Limits, names: set[str]) -> None:
        self._folder = folder
        self._sandbox = sandbox
        self._limits = limits
        self._names = names
        self._kept = {document.id_prefix: document for document in list_documents(folder)}
        self._taken: set[str] = set()
        """Documents that a file of this call already is."""

    def take(self, found: Found) -> FileReport:
        data = read_bytes(found, self._limits)
        sha256 = hashlib.sha256(data).hexdigest()
        twin = next((kept for kept in self._kept.values() if kept.sha256 == sha256), None)
        if twin and twin.id_prefix in self._taken:
            raise Refused(f"it has the same content as {twin.file_name}")
        earlier = self._same_name(found.name, sha256)
        if earlier is None and twin and twin.file_name not in self._names:
            earlier = twin
        if earlier and earlier.sha256 == sha256 and earlier.parser == VERSION:
            self._taken.add(earlier.id_prefix)
            return FileReport(found.name, "unchanged", earlier.id_prefix, len(earlier.entries), earlier.warnings)
        parsed = self._sandbox.parse(data, found.name)
        earlier = earlier or self._same_title(parsed["title"])
        document = self._made(parsed, found.name, sha256, earlier)
        _write(self._folder, document)
        if earlier and earlier.id_prefix != document.id_prefix:
            (self._folder / f"{earlier.id_prefix}.json").unlink(missing_ok=True)
            del self._kept[earlier.id_prefix]
        self._kept[document.id_prefix] = document
        self._taken.add(document.id_prefix)
        status: Status = "updated" if earlier else "added"
        return FileReport(found.name, status, document.id_prefix, len(document.entries), document.warnings)

    def _same_name(self, name: str, sha256: str) -> Document | None:
        free = [kept for kept in self._kept.values() if kept.file_name == name and kept.id_prefix not in self._taken]
        return next((kept for kept in free if kept.sha256 == sha256), free[0] if free else None)

    def _same_title(self, title: str) -> Document | None:
        """A document whose file was renamed; not one whose own file is being read in this call."""
        for kept in self._kept.values():
            named = kept.file_name in self._names or kept.id_prefix in self._taken
            if not named and kept.title.casefold() == title.casefold():
                return kept
        return None

    def _made(self, parsed: dict[str, Any], name: str, sha256: str, earlier: Document | None) -> Document:
        warnings = tuple(parsed["warnings"])
        title = parsed["title"]
        own = parsed["entry"]
        others = [kept for kept in self._kept.values() if earlier is None or kept.id_prefix != earlier.id_prefix]
        if own:
            return self._own(own, Document("", title, name, sha256, (), warnings), earlier, others)
        taken = {kept.id_prefix.split("-")[0] for kept in others}
        prefix = earlier.id_prefix if earlier and "-" not in earlier.id_prefix else new_prefix(title, name, taken)
        history: Mapping[str, int] = earlier.numbers if earlier else {}
        live = {int(entry.id.rsplit("-", 1)[1]) for entry in earlier.entries} if earlier else set()
        pieces = parsed["pieces"]
        asked = [Asked(item["label"], item["number"], item["section"], item["question"]) for item in pieces]
        numbers, history = assign(asked, history, live)
        entries = tuple(
            Entry(
                id=f"{prefix}-{number:02d}",
                guide=GUIDE.format(title),
                title=piece["title"],
                question=piece["question"],
                answer=piece["answer"],
                follow_ups=tuple(FollowUp(*pair) for pair in piece["follow_ups"]),
                path=name,
            )
            for piece, number in zip(pieces, numbers, strict=True)
        )
        return Document(prefix, title, name, sha256, entries, warnings, history)

    def _own(self, own: dict[str, Any], base: Document, earlier: Document | None, others: list[Document]) -> Document:
        """A file in our own entry format: its id is kept unless someone else has it."""
        prefix = own["id"].split("-")[0]
        ids = {kept.id_prefix for kept in others}
        warnings = base.warnings
        entry_id = own["id"]
        if prefix in BUILT_IN or entry_id in ids or prefix in ids:
            free = new_prefix(base.title, base.file_name, {name.split("-")[0] for name in ids})
            entry_id = f"{free}-{own['id'].split('-')[1]}"
            if earlier and earlier.numbers.get(f"own {own['id']}"):
                entry_id = earlier.id_prefix
            warnings = (*warnings, f"the id {own['id']} is taken; it became {entry_id}")
        entry = _entry({**own, "id": entry_id, "guide": GUIDE.format(base.title), "path": base.file_name})
        number = int(entry_id.rsplit("-", 1)[1]) or 1
        return replace(
            base, id_prefix=entry_id, entries=(entry,), warnings=warnings, numbers={f"own {own['id']}": number}
        )


def _entry(values: Mapping[str, Any]) -> Entry:
    lists = {name: tuple(values[name]) for name in ("key_points", "also_asked", "topics", "related")}
    lists["asked"] = tuple(values.get("asked", ()))
    follow_ups = tuple(FollowUp(**item) if isinstance(item, dict) else FollowUp(*item) for item in values["follow_ups"])
    return Entry(**{**values, **lists, "follow_ups": follow_ups})


def _load(path: Path) -> Document:
    try:
        document = Document.from_dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ResourceError(
            f"The document {path} is damaged ({type(error).__name__}).", "Delete this file and add the document again."
        ) from None
    if not re.fullmatch(r"[A-Z]{3,6}\d*(?:-\d+)?", document.id_prefix) or path.stem != document.id_prefix:
        raise ResourceError(
            f"The document {path} has another name inside.", "Delete this file and add the document again."
        )
    return document


def _write(folder: Path, document: Document) -> None:
    """In one step: a reader sees the old document or the new one."""
    text = json.dumps(document.to_dict(), ensure_ascii=False, indent=1)
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(folder / f"{document.id_prefix}.json")
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ResourceError(
            f"{folder} cannot be written ({error.strerror}).", "Free some space or set TUTOR_HOME to another folder."
        ) from None
