"""`tutor eval ragas` and `tutor eval judge`: RAGAS over gold questions, and how far each judge can be trusted."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.answer import QUOTE
from rag.catalog import LOCAL, LOCAL_MODEL
from rag.errors import UsageError, WeightsError
from rag.settings import Settings
from rag.wiring import Library
from ui.judge_text import judge_lines, plan_lines, ragas_lines
from ui.session import open_library, progress_bar, settings
from ui.text import safe

if TYPE_CHECKING:
    from eval.judging import Scorer
    from eval.samples import Endpoint, Sample

GATE = "gate"
LOCAL_CONTEXT = 16384
"""Tokens: five whole entries, ragas' examples and a reply."""
LOCAL_SECONDS = 3600.0

Limit = Annotated[int, typer.Option(min=0, help="Samples at the most; 0 for all.")]
Seconds = Annotated[float, typer.Option(min=1, help="How long one score may take, retries included.")]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="Requests at a time; the local judge takes one.")]
InputPrice = Annotated[float, typer.Option(min=0, help="Price of a million tokens the judge reads.")]
OutputPrice = Annotated[float, typer.Option(min=0, help="Price of a million tokens the judge writes.")]
Yes = Annotated[bool, typer.Option("--yes", help="Start without asking.")]
Out = Annotated[Path | None, typer.Option(help="Result file; in eval/results by default.")]


def add_judging(evals: typer.Typer) -> None:
    """Adds the commands of this module to `tutor eval`."""
    evals.command()(ragas)
    evals.command()(judge)


def ragas(
    judge: Annotated[str | None, typer.Option(help="A model of your endpoint, or local; none: no-key metrics.")] = None,
    model: Annotated[str, typer.Option(help="Who answers: quote, local, or a model of your endpoint.")] = QUOTE,
    split: Annotated[str, typer.Option(help="tune, test or all.")] = "test",
    dataset: Annotated[Path | None, typer.Option(help="Your own questions, one JSON object a line.")] = None,
    limit: Limit = 0,
    metrics: Annotated[str, typer.Option(help="Names with commas between; all by default.")] = "",
    parallel: Parallel = 4,
    seconds: Seconds = 120,
    input_price: InputPrice = 0,
    output_price: OutputPrice = 0,
    yes: Yes = False,
    out: Out = None,
) -> None:
    """RAGAS over gold questions: with --judge by that model, without by ids, strings and the embedder."""
    from eval import gold, judging, record, samples, scoring
    from eval.judge import load, versions

    load()
    chosen = settings()
    wanted = _metrics(metrics, judge)
    asked = _questions(dataset, split)[: limit or None]
    _check_model(chosen, judge, "judge")
    _check_model(chosen, model, "model")
    with progress_bar() as report:
        library, notices = open_library(chosen, report)
        _check_relevant(library, asked)
        tutor = library.tutor(notices)
        answered = samples.make_samples(tutor, asked, QUOTE, report)
    unread = gold.review_notices(asked, dataset) if dataset else []
    plan = _plan(answered, wanted, judge, model, (input_price, output_price))
    _agree([*unread, *plan] if plan else [], yes)
    with progress_bar() as report, _endpoint(chosen, judge, seconds) as endpoint:
        if model != QUOTE:
            answered = samples.make_samples(tutor, asked, model, report)
        many = 1 if judge == LOCAL else parallel
        scores = scoring.ragas_scores(library.embedder, answered, wanted, endpoint, _work(chosen), many, report)
    library.close()
    results = {
        **record.circumstances(chosen, {judge or "", model}),
        "kind": "ragas",
        "split": "own" if dataset else split,
        "model": model,
        "fell_back": sum(sample.fell_back for sample in answered),
        "judge": {"name": judge, "versions": versions(), **judging.spent(scores)},
        "metrics": judging.summary(scores, wanted),
        "rows": judging.rows(answered, scores),
    }
    _finish(out, "ragas.json", results, [*notices, *unread, *ragas_lines(results)])


def judge(
    judge: Annotated[
        list[str] | None, typer.Option(help="gate, local, or a model of your endpoint; may be given several times.")
    ] = None,
    ragas: Annotated[bool, typer.Option("--ragas", help="Also RAGAS Faithfulness by each model.")] = False,
    dataset: Annotated[Path | None, typer.Option(help="Your own labelled answers, one JSON object a line.")] = None,
    limit: Limit = 0,
    parallel: Parallel = 4,
    seconds: Seconds = 120,
    input_price: InputPrice = 0,
    output_price: OutputPrice = 0,
    yes: Yes = False,
    out: Out = None,
) -> None:
    """How far each judge agrees with the labels of labelled answers, and how much it wrongly passes."""
    from eval import judging, record, verdicts
    from eval.estimate import estimate

    chosen = settings()
    names = list(dict.fromkeys(judge or [GATE]))
    models = [name for name in names if name != GATE]
    for name in models:
        _check_model(chosen, name, "judge")
    items = verdicts.labelled(dataset)[: limit or None]
    rows: list[dict[str, Any]] = []
    with progress_bar() as report:
        library, notices = open_library(chosen, report)
        samples = verdicts.as_samples(items, library.store)
    metrics = [verdicts.VERDICT, *([verdicts.FAITHFUL] if ragas else [])]
    about = {name: estimate(samples, metrics) for name in models}
    what = f"{len(items)} labelled answers"
    _agree(plan_lines(about, what, 0, QUOTE, (input_price, output_price)), yes)
    with progress_bar() as report:
        for name in names:
            with _judges(library, name, ragas, seconds) as scorers:
                for metric, scorer in scorers:
                    work = None if name == GATE else judging.WorkFile(_work(chosen), scorer.identity)
                    many = 1 if name in {GATE, LOCAL} else parallel
                    scores = judging.score_all(scorer, samples, [metric], work, many, report)
                    label = name if metric == verdicts.VERDICT else f"{name}, RAGAS {metric}"
                    found = verdicts.compared(items, samples, scores, metric)
                    rows.append({"judge": label, "identity": dict(scorer.identity), **found})
    library.close()
    results = {**record.circumstances(chosen, names), "kind": "judges", "judges": rows}
    _finish(out, "judges.json", results, [*notices, *judge_lines(rows)])


@contextmanager
def _judges(library: Library, name: str, ragas: bool, seconds: float) -> "Iterator[list[tuple[str, Scorer]]]":
    """The scorers of one judge with the metric each gives."""
    from eval import verdicts

    if name == GATE:
        yield [(verdicts.VERDICT, verdicts.GateJudge(library.gate, library.folder.name))]
        return
    with _endpoint(library.settings, name, seconds) as endpoint:
        assert endpoint is not None
        from rag.llm import OpenAIModel

        model = OpenAIModel(
            endpoint.name, endpoint.api_key, endpoint.base_url, verdicts.REPLY_TOKENS, endpoint.seconds,
            retries=endpoint.retries, total_seconds=endpoint.seconds,
        )  # fmt: skip
        scorers: list[tuple[str, Scorer]] = [(verdicts.VERDICT, verdicts.ModelJudge(model, endpoint))]
        if ragas:
            from eval.judge import Ragas

            scorers.append((verdicts.FAITHFUL, Ragas(library.embedder, endpoint)))
        yield scorers


@contextmanager
def _endpoint(chosen: Settings, judge: str | None, seconds: float) -> "Iterator[Endpoint | None]":
    """Where the judge of this name answers; the local one runs as long as the block lasts."""
    from eval.samples import Endpoint

    if judge is None:
        yield None
    elif judge == LOCAL:
        from rag.local_llm import LocalServer

        server = LocalServer(_local_file(chosen), chosen.threads, context=LOCAL_CONTEXT)
        try:
            address, key, _ = server.start()
            # Its address changes with every start, its name does not.
            yield Endpoint(LOCAL, address, key, max(seconds, LOCAL_SECONDS), weights=LOCAL_MODEL.hash)
        finally:
            server.close()
    else:
        secret = chosen.api_key.get_secret_value() if chosen.api_key else None
        yield Endpoint(judge, chosen.base_url, secret, seconds)


def _metrics(metrics: str, judge: str | None) -> list[str]:
    """The metrics that were asked for, by default all that can be had."""
    from eval import samples

    known = samples.KEYLESS | (samples.JUDGED if judge else {})
    wanted = [name.strip() for name in metrics.split(",") if name.strip()] or list(known)
    for name in wanted:
        if name in samples.JUDGED and not judge:
            raise UsageError(f"The metric {name} needs a judge.", "Name one with --judge.")
        if name not in known:
            raise UsageError(f"There is no metric {safe(name)[:40]!r}.", f"Use some of: {', '.join(known)}.")
    return list(dict.fromkeys(wanted))


def _check_model(chosen: Settings, name: str | None, role: str) -> None:
    """Raises before any work when a judge or a writer cannot be had."""
    if name == LOCAL:
        if not (file := _local_file(chosen)).is_file():
            raise WeightsError(f"The local model {file} is not there.", f"Run `tutor models fetch {LOCAL}`.")
    elif name not in ({None} if role == "judge" else {QUOTE}) and not chosen.llm_configured:
        raise UsageError(
            f"There is no endpoint for the {role} {safe(str(name))[:80]!r}.",
            f"Set OPENAI_API_KEY or OPENAI_BASE_URL, use --{role} local, or leave --{role} out.",
        )


def _local_file(chosen: Settings) -> Path:
    return chosen.models_folder / LOCAL_MODEL.name / LOCAL_MODEL.files[0].name


def _work(chosen: Settings) -> Path:
    return chosen.home / "cache" / "judgements"


def _questions(dataset: Path | None, split: str) -> list[Any]:
    from eval import gold
    from eval.cases import checked_split

    half = checked_split(split)
    return gold.questions(dataset) if dataset else gold.of_split(gold.questions(), half)


def _check_relevant(library: Library, asked: Sequence[Any]) -> None:
    from eval.cases import check_entries

    named = (entry_id for item in asked for entry_id in item.relevant)
    check_entries(named, (entry.id for entry in library.store.entries()))


def _plan(
    answered: Sequence["Sample"], wanted: Sequence[str], judge: str | None, model: str, prices: tuple[float, float]
) -> list[str]:
    """What a run of ragas is going to ask of models."""
    from eval.estimate import estimate
    from eval.samples import JUDGED

    judged = [name for name in wanted if name in JUDGED]
    about = {judge: estimate(answered, judged)} if judge and judged else {}
    return plan_lines(about, f"{len(answered)} samples, {len(judged)} metrics", len(answered), model, prices)


def _agree(lines: Sequence[str], yes: bool) -> None:
    """Says what will be asked of models, and waits for a yes; where there is nothing to say, none is needed.

    Raises:
        UsageError: there is nobody to ask.
        Abort: the answer is no.
    """
    for line in lines:
        typer.echo(safe(line), err=True)
    if yes or not lines:
        return
    if not sys.stdin.isatty():
        raise UsageError("Nothing was asked: there is no terminal to say yes at.", "Start it with --yes.")
    typer.confirm("Start?", abort=True, err=True)


def _finish(out: Path | None, name: str, results: dict[str, Any], lines: Sequence[str]) -> None:
    """Writes the result file, and prints what is in it."""
    from eval import record

    target = out or record.FOLDER / name
    record.write_result(target, results)
    for line in [*lines, f"Written to {target}."]:
        typer.echo(safe(line))
