"""`tutor eval report`, `make-dataset` and `accept-dataset`: reading a run, and questions of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.answer import QUOTE
from rag.errors import ResourceError, TutorError, UsageError
from rag.settings import Settings
from rag.types import ChatModel
from rag.wiring import AUTO, NAMELESS, Library
from ui.session import open_library, progress_bar, settings
from ui.text import safe

OUT = Path("eval-report.html")
NO_MODEL = "Use --model quote, or set OPENAI_API_KEY or OPENAI_BASE_URL."
RunFile = Annotated[Path | None, typer.Argument(help="A file of `tutor eval run`; the newest by default.")]
HtmlFile = Annotated[Path, typer.Option(help="Where the page goes.")]
MarkdownFile = Annotated[Path | None, typer.Option(help="Also a summary for a pull request; - prints it.")]
Wanted = Annotated[
    list[str] | None,
    typer.Argument(help="Names of your files, their id prefixes or entry ids; all your documents by default."),
]
Draft = Annotated[Path, typer.Argument(help="The drafts, one JSON object a line.")]
RowsOut = Annotated[Path, typer.Option(help="Where the questions go, one JSON object a line.")]
PerEntry = Annotated[int, typer.Option(min=1, max=10, help="Questions an entry at the most.")]
Model = Annotated[str | None, typer.Option(help="quote drafts without a language model; or a model's name.")]
Everything = Annotated[bool, typer.Option("--all", help="Accept every line unread.")]


def add_report(app: typer.Typer) -> None:
    """Adds the commands to `tutor eval`."""
    app.command()(report)
    app.command("make-dataset")(make_dataset)
    app.command("accept-dataset")(accept_dataset)


def report(file: RunFile = None, out: HtmlFile = OUT, markdown: MarkdownFile = None) -> None:
    """Writes a run as one HTML page, and as Markdown for a pull request."""
    from eval import headline, history
    from eval.report import page

    files = history.run_files()
    if file is None and not files:
        raise UsageError("There is no run yet.", "Make one with `tutor eval run`.")
    run = history.read_run(file or files[-1])
    base, notes = _kept(history.baseline, None)
    earlier = []
    for path in files:
        found, problems = _kept(lambda path=path: history.read_run(path), None)  # type: ignore[misc]
        earlier += [found] if found else []
        notes += problems
    titles, _ = _kept(lambda: _titles(settings()), {})
    _write(out, page(run, base, earlier, titles, notes))
    typer.echo(safe(headline.verdict(run)))
    typer.echo(safe(f"Written to {out}."))
    if markdown == Path("-"):
        typer.echo(safe(headline.summary(run, base)))
    elif markdown:
        _write(markdown, headline.summary(run, base))
        typer.echo(safe(f"Written to {markdown}."))


def _kept(read: Callable[[], Any], otherwise: Any) -> tuple[Any, list[str]]:
    """What can be read, and what to say when it cannot: one bad file is no reason for no report."""
    try:
        return read(), []
    except TutorError as error:
        return otherwise, [error.message]


def _titles(chosen: Settings) -> dict[str, str]:
    """The titles of the guides' entries and of the user's, without opening an index."""
    from ingest.documents import list_documents
    from ingest.guides import check_corpus

    entries = [*check_corpus(chosen.corpus)[0]]
    entries += [entry for document in list_documents(chosen.documents_folder) for entry in document.entries]
    return {entry.id: entry.title for entry in entries}


def make_dataset(wanted: Wanted = None, out: RowsOut = Path("draft.jsonl"), per_entry: PerEntry = 2,
                 model: Model = None) -> None:  # fmt: skip
    """Drafts questions about your documents, marked unreviewed until you accept them."""
    from eval import drafts

    drafts.check_target(out)
    chosen = settings()
    with progress_bar() as tell:
        library, _ = open_library(chosen, tell)
        try:
            entries = drafts.chosen_entries(library.store.entries(), wanted or [])
            writer = _writer(library, model)
            if writer:
                told = f"{len(entries)} entries of yours are sent to {writer.name}; --model quote sends nothing."
                typer.echo(safe(told), err=True)
            rows, notes = drafts.draft_rows(entries, per_entry, writer, tell)
        finally:
            library.close()
    drafts.write_rows(out, rows)
    for line in [*notes, f"{len(rows)} drafts about {len(entries)} entries written to {out}.",
                 f"Read them with: tutor eval accept-dataset {out} --out FILE"]:  # fmt: skip
        typer.echo(safe(line))


def _writer(library: Library, name: str | None) -> ChatModel | None:
    """The language model that drafts; None where there is none, or quote is asked for."""
    chosen = library.settings
    wanted = name or chosen.model
    if not chosen.llm_configured or wanted == QUOTE:
        if name not in {None, QUOTE, AUTO}:
            raise UsageError(f"There is no model called {name!r}: no language model is configured.", NO_MODEL)
        return None
    from rag.llm import OpenAIModel

    key = chosen.api_key.get_secret_value() if chosen.api_key else None
    asked = "" if wanted in NAMELESS else wanted
    return OpenAIModel(asked, key, chosen.base_url, chosen.answer_tokens, chosen.first_byte_seconds)


def accept_dataset(draft: Draft, out: RowsOut, everything: Everything = False) -> None:
    """Goes through drafted questions with you; what you keep counts as reviewed."""
    from eval import drafts

    rows = drafts.read_drafts(draft)
    waiting = sum(not drafts.is_reviewed(row) for row in rows)
    kept, accepted, dropped = drafts.accept(rows, _taken if everything else _Reader(waiting))
    drafts.write_rows(out, kept)
    left = waiting - accepted - dropped
    told = f"{accepted} accepted, {dropped} dropped, {left} still unreviewed; {len(kept)} questions written to {out}."
    typer.echo(safe(told))
    if left:
        typer.echo(safe(f"Go on with: tutor eval accept-dataset {out} --out {out}"))


def _taken(row: dict[str, Any]) -> str:
    return str(row["question"])


class _Reader:
    """Asks the person at the terminal about one row after the other; the end of the input stops."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._done = 0

    def __call__(self, row: dict[str, Any]) -> str | None:
        self._done += 1
        about = f" {row['about']}" if isinstance(row.get("about"), str) else ""
        entries = ", ".join(map(str, row["relevant"]))
        typer.echo(safe(f"\n{self._done} of {self._waiting}: {row['question']}\n  answered by {entries}{about}"))
        while True:
            said = _line("Keep, edit, drop or quit? [k/e/d/q]")
            if said in {"k", "keep"}:
                return str(row["question"])
            if said in {"d", "drop"}:
                return ""
            if said in {"e", "edit"}:
                if changed := " ".join((_line("Question", keep_case=True) or "").split()):
                    return changed
            elif said is None or said in {"q", "quit"}:
                return None


def _line(prompt: str, keep_case: bool = False) -> str | None:
    """What is typed; None at the end of the input."""
    try:
        said = str(typer.prompt(prompt, default="", show_default=False)).strip()
    except (typer.Abort, EOFError):
        return None
    return said if keep_case else said.lower()


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ResourceError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from None
