"""What both doors do first: load the settings, make sure weights and index are there, open them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.settings import Settings, load_settings
from rag.weights import Report
from rag.wiring import Library


def settings(**overrides: Any) -> Settings:
    """The settings of this process: environment over `tutor.toml` of the current folder."""
    return load_settings(os.environ, Path.cwd(), **overrides)


def open_library(chosen: Settings, report: Report) -> tuple[Library, tuple[str, ...]]:
    """A library over a usable index, and what is to be announced with every answer."""
    from ingest.build import ensure_index

    folder, notices = ensure_index(chosen, report)
    return Library(chosen, folder), notices


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A progress bar on standard error that appears with the first report."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, Any] = {}

    def report(what: str, done: int, total: int) -> None:
        if not tasks:
            progress.start()
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total or None)
        progress.update(tasks[what], completed=done)

    try:
        yield report
    finally:
        if tasks:
            progress.stop()
