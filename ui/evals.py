"""`tutor eval`: the evaluation suite in the terminal."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ui.eval_judge import add_judging
from ui.eval_report import add_report
from ui.eval_run import add_runs
from ui.session import open_library, progress_bar, settings
from ui.text import safe

evals = typer.Typer(no_args_is_help=True, help="Measures how good the tutor is.")
add_runs(evals)
add_report(evals)
add_judging(evals)
MEASURES = ("hit@1", "hit@3", "recall@5", "mrr@10", "ndcg@10")


@evals.command()
def retrieval(
    split: Annotated[str, typer.Option(help="tune, test or all; nothing is tuned on test.")] = "test",
    dataset: Annotated[Path | None, typer.Option(help="Your own questions, one JSON object a line.")] = None,
    ablation: Annotated[bool, typer.Option(help="Also leave out one part at a time.")] = False,
    misses: Annotated[bool, typer.Option(help="Also list what does not come first.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file; eval/results/retrieval.json by default.")] = None,
) -> None:
    """How often the right entry comes first, by stage and style, with refusals and follow-ups."""
    from eval import gold, record
    from eval import retrieval as run
    from eval.cases import check_entries, checked_split

    split = checked_split(split)
    asked = gold.questions(dataset) if dataset else gold.of_split(gold.questions(), split)
    chosen = settings()
    with progress_bar() as report:
        library, notices = open_library(chosen, report)
        check_entries((one for item in asked for one in item.relevant), (e.id for e in library.store.entries()))
        results: dict[str, Any] = {**record.circumstances(chosen), "split": "own" if dataset else split}
        found = {}
        searches = run.stages(library)
        for number, (name, search) in enumerate(searches.items()):
            report("asking", number, len(searches))
            found[name] = run.ask_all(search, asked)
        report("asking", len(searches), len(searches))
        results["stages"] = {name: run.by_style(rows) for name, rows in found.items()}
        if ablation:
            parts = run.ablations(library)
            results["ablation"] = {name: run.measures(run.ask_all(search, asked)) for name, search in parts.items()}
        if not dataset:
            results["refused"], judged = run.refusals(library, asked, gold.of_split(gold.open_questions(), split))
            results["judged"] = judged
            results["follow_ups"] = run.follow_ups(library, gold.of_split(gold.dialogues(), split))
    results["misses"] = [
        {"id": item.question.id, "question": item.question.question, "rank": item.rank,
         "relevant": item.question.relevant, "retrieved": item.retrieved[:3]}
        for item in found["reranked"] if item.rank != 1
    ]  # fmt: skip
    target = out or record.FOLDER / "retrieval.json"
    record.write_result(target, results)
    unread = gold.review_notices(asked, dataset) if dataset else []
    for line in [*notices, *unread, *_lines(results, misses), f"Written to {target}."]:
        typer.echo(safe(line))


def _lines(results: dict[str, Any], misses: bool) -> list[str]:
    lines = [f"{'':<26}{'n':>4}  " + "".join(f"{name:<21}" for name in MEASURES)]
    for stage, rows in results["stages"].items():
        lines += [_row(f"{stage:<9} {style}", row) for style, row in rows.items()]
    lines += [_row(name, row) for name, row in results.get("ablation", {}).items()]
    lines += [_row(f"follow-up {name}", row) for name, row in results.get("follow_ups", {}).items()]
    for group, row in results.get("refused", {}).items():
        share = f"{row['refused']:.3f} [{row['low']:.2f}, {row['high']:.2f}]"
        lines.append(f"refused   {group:<16}{row['n']:>4}  {share}")
    if misses:
        for row in results["misses"]:
            lines.append(f"{row['id']} rank {row['rank']}: {row['question']} (found {', '.join(row['retrieved'])})")
    return lines


def _row(name: str, row: dict[str, Any]) -> str:
    cells = [f"{row[m]['value']:.3f} [{row[m]['low']:.2f}, {row[m]['high']:.2f}]" for m in MEASURES]
    return f"{name:<26}{row['n']:>4}  " + "".join(f"{cell:<21}" for cell in cells)
