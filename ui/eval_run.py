"""`tutor eval run`, `accept` and `compare`: the suite, its baseline, and whether two runs differ."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.answer import QUOTE
from rag.cache import AnswerCache
from rag.errors import UsageError
from rag.types import Answer
from rag.wiring import Library
from ui.session import open_library, progress_bar, settings
from ui.text import safe

RunFile = Annotated[Path, typer.Argument(help="A file written by `tutor eval run`.")]


def add_runs(evals: typer.Typer) -> None:
    """Adds the commands to `tutor eval`."""
    evals.command()(run)
    evals.command()(accept)
    evals.command()(compare)


def run(
    split: Annotated[str, typer.Option(help="test, all, or tune, which has no gates.")] = "test",
    model: Annotated[str, typer.Option(help="Who writes the answers: quote, local, or a model's name.")] = QUOTE,
    dataset: Annotated[Path | None, typer.Option(help="Your own questions, one JSON object a line; no gates.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions of each kind at the most; no gates.")] = None,
    out: Annotated[Path | None, typer.Option(help="Result file; eval/results/run-DATE.json by default.")] = None,
) -> None:
    """Answers every question of the suite, measures the answers, and exits with 1 when a gate is missed."""
    from eval import cases, gates, gold, headline, history, record

    split = cases.checked_split(split)
    own = gold.questions(dataset) if dataset else []
    put = cases.answerable(own) if dataset else cases.project_cases(split)
    put = cases.sampled(put, limit) if limit else put
    # The wordings of `consistency.jsonl` are of the test half, so the other half cannot reach every gate.
    gated = not dataset and not limit and split != "tune"
    # Read before the minutes that follow: a broken one is better known now.
    bounds, base = gates.read_gates(), history.baseline()
    chosen = settings()
    found, notices = _asked(chosen, put, model)
    result: dict[str, Any] = {
        **record.circumstances(chosen, [model]),
        "split": "own" if dataset else split,
        "limit": limit,
    }
    result |= found
    if gated:
        result["metrics"] = gates.judged(result["metrics"], bounds)
    target = out or history.run_path(result)
    record.write_result(target, result)
    notices = (*notices, *(gold.review_notices(own, dataset) if dataset else ()))
    told = [*notices, *_table(result, base), *_confusion(result), headline.attack_kinds(result)]
    told += [headline.comparable(result, base), headline.verdict(result)]
    for line in [*filter(None, told), f"{len(result['rows'])} questions, {result['seconds']} s. Written to {target}."]:
        typer.echo(safe(line))
    if headline.missed(result):
        raise typer.Exit(1)


def _asked(chosen: Any, put: Any, model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The run, and what is announced about the index."""
    from eval import suite
    from eval.cases import check_entries
    from eval.marking import Marking

    with progress_bar() as report:
        opened, notices = open_library(chosen, report)
        opened.close()
        library = FreshLibrary(chosen, opened.folder)
        try:
            check_entries((one for case in put for one in case.relevant), (e.id for e in library.store.entries()))
            return suite.run(library.tutor(), Marking.of(library), put, model, report), notices
        finally:
            library.close()


class FreshLibrary(Library):
    """A library that neither reads nor keeps written answers: a run measures answers while they are written."""

    @cached_property
    def kept(self) -> AnswerCache:
        return _Forgetful(self.settings.home)


class _Forgetful(AnswerCache):
    def get(self, key: str) -> Answer | None:
        return None

    def put(self, key: str, answer: Answer) -> None:
        return


def _table(result: dict[str, Any], base: dict[str, Any] | None) -> list[str]:
    from eval.headline import interval, lines, shown

    rows = [f"{'':<36}{'value':>9}  {'95% interval':<20}{'n':>4}  {'baseline':>9}{'change':>10}  gate"]
    for line in lines(result, base):
        gate = f"{line.gate} {'met' if line.passed else 'MISSED'}" if line.passed is not None else ""
        told = f"{line.title:<36}{shown(line.name, line.value):>9}  {interval(line):<20}{line.n:>4}  "
        told += f"{shown(line.name, line.base):>9}{shown(line.name, line.difference, '+'):>10}  {gate}"
        rows.append(told.rstrip())
    return rows


def _confusion(result: dict[str, Any]) -> list[str]:
    """The confusion matrix, in columns."""
    from eval.headline import confusion_rows

    return [f"{row[0]:<20}" + "".join(f"{cell:>14}" for cell in row[1:]) for row in confusion_rows(result)]


def accept(file: RunFile) -> None:
    """Makes a run the baseline that later runs are shown beside."""
    from eval import headline, history

    doubts = headline.doubts(history.read_run(file))
    target = history.accept(file)
    for line in doubts:
        typer.echo(safe(f"Warning: {line}"), err=True)
    typer.echo(safe(f"{file} is the baseline now, {target}."))


def compare(first: RunFile, second: RunFile) -> None:
    """Tests for each measure whether the second run differs from the first, question by question."""
    from eval import compare as comparison
    from eval import history
    from eval.suite import LATENCY, PERCENTILES, TITLES

    before, after = history.read_run(first), history.read_run(second)
    measures = [*(name for name in TITLES if name not in PERCENTILES), LATENCY]
    found = comparison.compare(before, after, measures)
    both = len(comparison.matched(before, after))
    if not found:
        raise UsageError("The two runs have no question in common.", "Compare runs over the same questions.")
    typer.echo(f"{'':<36}{'n':>4}{'first':>11}{'second':>11}{'change':>11}  {'95% interval':<24}p")
    for row in found:
        title = TITLES.get(row.measure, "milliseconds an answer, mean")
        told = f"{row.n:>4}{row.first:>11.4f}{row.second:>11.4f}{row.change:>+11.4f}"
        verdict = "" if row.shown else "  no difference shown"
        typer.echo(f"{title:<36}{told}  {f'[{row.low:+.4f}, {row.high:+.4f}]':<24}{row.p:.4f}{verdict}")
    alone = [len(run["rows"]) - both for run in (before, after)]
    typer.echo(f"{both} questions in both runs; {alone[0]} only in the first, {alone[1]} only in the second.")
    typer.echo(f"Of {len(found)} measures about one in twenty differs by chance alone.")
