"""The `tutor` command: asking, searching, reading. Upkeep is in `ui.upkeep`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.errors import QuestionError, TutorError, UsageError
from rag.pace import Pace
from rag.shape import answer_to_dict
from rag.types import Turn
from ui import text
from ui.documents import ingest
from ui.evals import evals
from ui.session import open_library, progress_bar, settings
from ui.upkeep import add_upkeep

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
add_upkeep(app)
app.command()(ingest)
app.add_typer(evals, name="eval")

Model = Annotated[str | None, typer.Option(help="quote (no LLM), or the name of a model at the endpoint.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Batch = Annotated[Path | None, typer.Option(help="Questions, one JSON object a line.")]
Out = Annotated[Path | None, typer.Option(help="Where the results of --batch go.")]
Question = Annotated[str | None, typer.Argument(help="The question.")]


@app.command()
def ask(question: Question = None, model: Model = None, json: AsJson = False, batch: Batch = None,
        out: Out = None) -> None:  # fmt: skip
    """Answers a question from the guides, every sentence with its source."""
    with progress_bar() as report:
        library, notices = open_library(settings(), report)
        tutor = library.tutor(notices)

        def handle(asked: str, history: list[Turn]) -> dict[str, Any]:
            return answer_to_dict(tutor.ask(asked, history, model))

        if not _batched(question, batch, out, handle):
            answer = tutor.ask(question or "", (), model)
            typer.echo(text.safe_json(answer_to_dict(answer)) if json else text.answer_text(answer))


@app.command()
def search(
    question: Question = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Entries at the most.")] = 10,
    json: AsJson = False,
    batch: Batch = None,
    out: Out = None,
) -> None:
    """Ranks the entries for a question and shows the parts of each score."""
    with progress_bar() as report:
        library, _ = open_library(settings(), report)
        tutor = library.tutor()

        def handle(asked: str, history: list[Turn]) -> dict[str, Any]:
            return {"retrieved": [hit.entry_id for hit in tutor.search(asked, limit=limit, history=history)]}

        if _batched(question, batch, out, handle):
            return
        hits = tutor.search(question or "", limit=limit)
        titles = {hit.entry_id: library.store.entry(hit.entry_id).title for hit in hits}
        rows = [
            {"id": hit.entry_id, "title": titles[hit.entry_id], "rank": hit.rank, "scores": dict(hit.scores)}
            for hit in hits
        ]
        typer.echo(text.safe_json({"question": question, "hits": rows}) if json else text.hits_text(hits, titles))


@app.command()
def show(entry_id: Annotated[str, typer.Argument(help="For example SCN-14.")]) -> None:
    """Prints one entry."""
    with progress_bar() as report:
        library, _ = open_library(settings(), report)
        try:
            entry = library.store.entry(entry_id.strip().upper())
        except KeyError:
            raise QuestionError(
                f"There is no entry {text.safe(entry_id)[:40]!r}.", 'Find one with `tutor search "…"`.'
            ) from None
        typer.echo(text.entry_text(entry))


@app.command()
def chat(model: Model = None) -> None:
    """A conversation in the terminal; an empty line ends it."""
    with progress_bar() as report:
        library, notices = open_library(settings(), report)
    tutor = library.tutor(notices)
    history: list[Turn] = []
    pace = Pace(library.settings.requests_per_minute)
    typer.echo("Ask about machine-learning interviews; an empty line ends the conversation.")
    while question := _prompt():
        try:
            answer = tutor.ask(question, history, model, pace)
        except UsageError as error:
            typer.echo(text.safe(str(error)), err=True)
            continue
        typer.echo(text.answer_text(answer) + "\n")
        history += [Turn("user", question), Turn("assistant", answer.text)]


def _prompt() -> str:
    try:
        return str(typer.prompt("You", default="", show_default=False)).strip()
    except (typer.Abort, EOFError):
        return ""


def _batched(question: str | None, batch: Path | None, out: Path | None, handle: Any) -> bool:
    """Runs a batch when one was asked for; refuses half a batch and a batch with a question."""
    if batch is None and out is None:
        if question is None:
            raise QuestionError("There is no question.", 'For example: tutor ask "What is data drift?"')
        return False
    if batch is None or out is None or question is not None:
        raise QuestionError("--batch and --out go together, without a question.", "Give both files.")
    from ui.batch import run_batch

    done, failed = run_batch(batch, out, handle)
    typer.echo(f"{done} lines written to {out}, {failed} of them with an error.", err=True)
    return True


def main() -> None:
    """Runs the command; what goes wrong on purpose becomes one clear line."""
    try:
        app()
    except TutorError as error:
        typer.echo(f"Error: {text.safe(str(error))}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
