"""`tutor eval report`, `make-dataset` and `accept-dataset`: reading a run, and questions of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.answer import QUOTE
from rag.catalog import LOCAL
from rag.errors import ResourceError, TutorError, UsageError
from rag.settings import Settings
from rag.types import ChatModel
from rag.wiring import AUTO, Library
from ui.feedback import feedback_rows, kept_feedback
from ui.session import open_library, progress_bar, settings
from ui.text import safe

if TYPE_CHECKING:
    from eval.drafts import Decision

OUT = Path("eval-report.html")
NO_MODEL = "Use --model quote, or set OPENAI_API_KEY or OPENAI_BASE_URL."
NO_WRITER = "The local model only picks sentences and cannot write questions: rules draft them, and nothing is sent."
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
Feedback = Annotated[bool, typer.Option("--feedback", help="Draft from the feedback given on the page, too.")]
Everything = Annotated[bool, typer.Option("--all", help="Accept every line unread, but those that carry a note.")]


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
                 model: Model = None, feedback: Feedback = False) -> None:  # fmt: skip
    """Drafts questions about your documents, marked unreviewed until you accept them.

    With --feedback from what readers said about answers on the page; documents only where they are named.
    """
    from eval import drafts

    drafts.check_target(out)
    chosen = settings()
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    with progress_bar() as tell:
        library, _ = open_library(chosen, tell)
        try:
            known = library.store.entries()
            entries = drafts.chosen_entries(known, wanted or []) if wanted or not feedback else []
            if entries:
                rows, notes = drafts.draft_rows(entries, per_entry, _writer(library, model, len(entries)), tell)
        finally:
            library.close()
    made = f"{len(rows)} drafts about {len(entries)} entries"
    if feedback:
        said = kept_feedback(chosen.home)
        more, told = feedback_rows(said, {entry.id for entry in known}, chosen.question_limit)
        rows, notes = [*rows, *more], [*notes, *told]
        made = f"{made} and {len(more)} of {len(said)} lines of feedback" if entries else (
            f"{len(more)} drafts of {len(said)} lines of feedback")  # fmt: skip
    drafts.write_rows(out, rows)
    for line in [*notes, f"{made} written to {out}.",
                 f"Read them with: tutor eval accept-dataset {out} --out FILE"]:  # fmt: skip
        typer.echo(safe(line))


def _writer(library: Library, name: str | None, many: int) -> ChatModel | None:
    """The language model that drafts; None where there is none, or one is asked for that cannot write questions.

    Args:
        many: entries it will be sent, which is said before they are.
    """
    chosen = library.settings
    wanted = name or chosen.model
    if wanted == LOCAL:
        typer.echo(safe(NO_WRITER), err=True)
        return None
    if not chosen.llm_configured or wanted == QUOTE:
        if name not in {None, QUOTE, AUTO}:
            raise UsageError(f"There is no model called {name!r}: no language model is configured.", NO_MODEL)
        return None
    from rag.llm import OpenAIModel

    key = chosen.api_key.get_secret_value() if chosen.api_key else None
    asked = "" if wanted == AUTO else wanted
    model = OpenAIModel(asked, key, chosen.base_url, chosen.answer_tokens, chosen.first_byte_seconds)
    typer.echo(safe(f"{many} entries of yours are sent to {model.name}; --model quote sends nothing."), err=True)
    return model


def accept_dataset(draft: Draft, out: RowsOut, everything: Everything = False) -> None:
    """Goes through drafted questions with you; what you keep counts as reviewed."""
    from eval import drafts

    rows = drafts.read_drafts(draft)
    drafts.check_accepted(out, draft, rows)
    waiting = sum(not drafts.is_reviewed(row) for row in rows)
    kept, accepted, dropped = drafts.accept(rows, _taken if everything else _Reader(waiting))
    drafts.write_rows(out, kept)
    left = waiting - accepted - dropped
    told = f"{accepted} accepted, {dropped} dropped, {left} still unreviewed; {len(kept)} questions written to {out}."
    typer.echo(safe(told))
    if left:
        typer.echo(safe(f"Go on with: tutor eval accept-dataset {out} --out {out}"))


def _taken(row: dict[str, Any]) -> "Decision":
    # A note says what a person has to mend first.
    return "leave" if row.get("note") or not row["relevant"] else row


class _Reader:
    """Asks the person at the terminal about one row after the other; the end of the input stops."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._done = 0

    def __call__(self, row: dict[str, Any]) -> "Decision":
        self._done += 1
        about = f" {row['about']}" if isinstance(row.get("about"), str) else ""
        entries = ", ".join(map(str, row["relevant"])) or "nothing yet"
        lines = [f"\n{self._done} of {self._waiting}: {row['question']}", f"  answered by {entries}{about}"]
        lines += [f"  {row['note']}"] if isinstance(row.get("note"), str) else []
        typer.echo(safe("\n".join(lines)))
        while True:
            said = _line("Keep, edit, drop or quit? [k/e/d/q]")
            if said in {"k", "keep"}:
                if kept := _answered(row):
                    return kept
            elif said in {"d", "drop"}:
                return "drop"
            elif said in {"e", "edit"}:
                changed = " ".join((_line("Question", keep_case=True) or "").split())
                if changed and (kept := _answered({**row, "question": changed})):
                    return kept
            elif said is None or said in {"q", "quit"}:
                return "stop"


def _answered(row: dict[str, Any]) -> dict[str, Any] | None:
    """The row with the entries that answer it, asked for where it names none; None when none are given."""
    if row["relevant"]:
        return row
    said = _line("Ids of the entries that answer it, best first", keep_case=True) or ""
    named = list(dict.fromkeys(said.upper().replace(",", " ").split()))
    return {**row, "relevant": named} if named else None


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
