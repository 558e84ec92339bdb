"""What the index should be made from, and whether the live one is that."""

import hashlib
from pathlib import Path

from ingest.chunk import VERSION as CHUNKER
from ingest.guides import content_hashes
from ingest.shown import VERSION as SHOWN
from rag.catalog import TABLE
from rag.errors import IndexUnavailable
from rag.manifest import Manifest, check_files, live_folder, read_manifest
from rag.settings import Settings

FORMAT = 4
"""Raised whenever the files of an index version change their shape."""


def wanted_manifest(settings: Settings) -> Manifest:
    """What an index for these settings, guides and documents must say it was made from."""
    weights = TABLE[settings.embedding_model]
    return Manifest(
        format=FORMAT,
        chunker=CHUNKER,
        embedding_model=weights.name,
        weight_hash=weights.hash,
        dimension=weights.dimension,
        entry_hashes=content_hashes(settings.corpus) | _document_hashes(settings.documents_folder),
        counts={},
        built_at="",
    )


def state_of_index(settings: Settings) -> tuple[Path | None, str]:
    """The live version when it can be used, else None and the reason why not."""
    try:
        folder = live_folder(settings.index_folder)
        if folder is None:
            return None, "there is no index yet"
        manifest = read_manifest(folder)
        reason = manifest.difference(wanted_manifest(settings))
        if reason:
            return None, reason
        check_files(folder, manifest)
    except IndexUnavailable as error:
        return None, error.message[0].lower() + error.message[1:].rstrip(".")
    return folder, ""


def _document_hashes(folder: Path) -> dict[str, str]:
    """The sha256 of each ingested document and of how it is shown; a name says where it comes from."""
    return {
        f"documents/{path.name}": hashlib.sha256(b"%d " % SHOWN + path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.json"))
    }
