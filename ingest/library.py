"""Adding and removing user documents: the files, then the index, under one writer's lock each."""

from collections.abc import Sequence
from pathlib import Path

from ingest.build import WAIT_SECONDS, build_index
from ingest.documents import Document, FileReport, ingest_paths, remove_document
from ingest.limits import Limits
from ingest.lock import writer_lock
from ingest.state import state_of_index
from rag.settings import Settings
from rag.weights import Report


def limits_of(settings: Settings) -> Limits:
    """How large and slow a document may be, from the settings."""
    return Limits(
        file_bytes=settings.document_megabytes * 1_000_000,
        pages=settings.document_pages,
        seconds=settings.document_seconds,
    )


def add_documents(settings: Settings, paths: Sequence[Path], report: Report) -> list[FileReport]:
    """Reads documents and brings the index up to date; what cannot be read is reported, the rest goes in.

    A process killed between the two leaves documents that the index does not hold yet; the next
    start notices and finishes.
    """
    with writer_lock(settings.home, WAIT_SECONDS, report):
        reports = ingest_paths(paths, settings.documents_folder, limits_of(settings), report)
    _bring_up_to_date(settings, report)
    return reports


def drop_document(settings: Settings, prefix: str, report: Report) -> Document:
    """Forgets one document and brings the index up to date.

    Raises:
        UsageError: there is no such document.
    """
    with writer_lock(settings.home, WAIT_SECONDS, report):
        document = remove_document(settings.documents_folder, prefix)
    _bring_up_to_date(settings, report)
    return document


def _bring_up_to_date(settings: Settings, report: Report) -> None:
    if state_of_index(settings)[0] is None:
        build_index(settings, report, wait_seconds=WAIT_SECONDS)
