"""`tutor ingest`: the user's own documents beside the guides."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.errors import UsageError
from rag.settings import Settings
from ui import text
from ui.session import progress_bar, settings

Paths = Annotated[list[Path] | None, typer.Argument(help="Files and folders: Markdown, text, HTML, DOCX, PDF.")]


def ingest(
    paths: Paths = None,
    remove: Annotated[str | None, typer.Option(help="Forget the document with this id prefix.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show the documents that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Adds your own documents, lists them, or removes one; they never leave this machine."""
    chosen = settings()
    if sum([bool(paths), remove is not None, listed]) != 1:
        raise UsageError("Say what to do with documents.", "Give files or folders, or --list, or --remove PREFIX.")
    if listed:
        _show_list(chosen, as_json)
    elif remove is not None:
        _remove(chosen, remove, as_json)
    else:
        _add(chosen, paths or [], as_json)


def _add(chosen: Settings, paths: list[Path], as_json: bool) -> None:
    from ingest.library import add_documents

    with progress_bar() as report:
        reports = add_documents(chosen, paths, report)
    if as_json:
        typer.echo(text.safe_json({"files": [asdict(item) for item in reports]}))
    for item in [] if as_json else reports:
        typer.echo(text.safe(str(item)))
    if reports and all(item.status == "skipped" for item in reports):
        raise typer.Exit(1)


def _remove(chosen: Settings, prefix: str, as_json: bool) -> None:
    from ingest.library import drop_document

    with progress_bar() as report:
        document = drop_document(chosen, prefix.strip().upper(), report)
    done = {"removed": document.id_prefix, "title": document.title, "entries": len(document.entries)}
    typer.echo(text.safe_json(done) if as_json else text.safe(f"Removed {document.id_prefix} {document.title}."))


def _show_list(chosen: Settings, as_json: bool) -> None:
    from ingest.documents import list_documents

    documents = list_documents(chosen.documents_folder)
    rows = [
        {"prefix": item.id_prefix, "title": item.title, "file": item.file_name, "entries": len(item.entries)}
        for item in documents
    ]
    if as_json:
        typer.echo(json.dumps({"documents": rows}, ensure_ascii=True))
        return
    for row in rows:
        typer.echo(text.safe(f"{row['prefix']:<7} {row['entries']:>5} entries  {row['title']} ({row['file']})"))
    if not rows:
        typer.echo("No documents yet. Add some with: tutor ingest PATH")
