"""The `tutor` command: asking, searching, reading. Upkeep is in `ui.upkeep`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.answer import QUOTE
from rag.errors import QuestionError, TutorError, UsageError
from rag.pace import Pace
from rag.reply import Reply
from rag.settings import Settings
from rag.shape import answer_to_dict
from rag.tutor import Tutor
from rag.types import Answer, Shown, Turn
from rag.verdict import source_of
from rag.wiring import AUTO
from ui import text
from ui.batch import PatientPace, run_batch
from ui.documents import ingest
from ui.evals import evals
from ui.session import open_library, progress_bar, settings
from ui.upkeep import add_upkeep

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
add_upkeep(app)
app.command()(ingest)
app.add_typer(evals, name="eval")

WHO = "quote (no language model), local (the small one on this machine), or the name of a model at the endpoint."
Model = Annotated[str | None, typer.Option(help=WHO)]
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
    pace = PatientPace(library.settings.requests_per_minute, lambda line: typer.echo(line, err=True))

    def handle(asked: str, history: list[Turn]) -> dict[str, Any]:
        return answer_to_dict(tutor.ask(asked, history, model, pace))

    if _batched(question, batch, out, handle):
        return
    reply = tutor.reply(question or "", (), model)
    if json:
        typer.echo(text.safe_json(answer_to_dict(reply.finish())))
    else:
        _print(tutor, reply, _writes(model, library.settings))


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
            reply = tutor.reply(question, history, model, pace)
            answer = _print(tutor, reply, _writes(model, library.settings))
        except UsageError as error:
            typer.echo(text.safe(str(error)), err=True)
            continue
        typer.echo()
        history += [Turn("user", question), Turn("assistant", answer.text)]


def _writes(model: str | None, chosen: Settings) -> bool:
    """Whether a language model is to write, so that quoted and written sentences have to be told apart."""
    named = model or chosen.model
    return named != QUOTE and (named != AUTO or chosen.llm_configured)


def _print(tutor: Tutor, reply: Reply, written: bool) -> Answer:
    """Prints an answer: whole when it only quotes, else each sentence as it comes, under the name of its writer."""
    shown: list[Shown] = []
    try:
        while written and (item := _next(reply, bool(shown))):
            if not shown or item.model != shown[-1].model:
                typer.echo(("\n" if shown else "") + text.writer_text(item.model))
            typer.echo(text.claim_text(item.claim))
            shown.append(item)
        answer = reply.finish()
    finally:
        reply.cancel()  # whatever ends this early, Ctrl+C or a closed pipe, ends the provider's work too
    if shown:
        typer.echo("\n" + text.rest_text(answer, shown, lambda entry_id: source_of(tutor.entries, entry_id)))
    else:
        typer.echo(text.answer_text(answer))
    return answer


def _next(reply: Reply, begun: bool) -> Shown | None:
    """The next sentence, None when there are no more; a terminal is told meanwhile what it waits for."""
    from rich.console import Console

    waiting = "Waiting for the language model …" if begun else "Reading the guides …"
    with Console(stderr=True).status(waiting):
        return next(reply, None)


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
