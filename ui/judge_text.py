"""What `tutor eval ragas` and `tutor eval judge` print: what they are about to ask, and tables of what came out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.answer import QUOTE
from rag.catalog import LOCAL

if TYPE_CHECKING:
    from eval.estimate import Estimate

STATES = ("scored", "nan", "failed", "timeout", "refused", "fallback")
WITHOUT = ("nan", "failed", "timeout")
"""How a judge can come to no verdict."""
LOCAL_SPEED = (60.0, 10.0)
"""Tokens read and written a second on two cores."""
WEAK = (
    "The local model is a slow and weak judge: it takes minutes a sample, and its verdicts are often wrong "
    "(`tutor eval judge --judge local` shows how often). Use it to try things out, not to report numbers."
)


def plan_lines(
    judges: Mapping[str, "Estimate"], what: str, answers: int, model: str, prices: tuple[float, float]
) -> list[str]:
    """What is going to be asked, for a yes; nothing when it takes neither money nor a judge.

    Args:
        judges: what each judge that is a model will be asked.
        what: the samples and metrics, in words.
        answers: questions that `model` answers before.
        prices: of a million tokens a judge reads and writes.
    """
    lines = []
    for name, about in judges.items():
        asked = f"about {about.calls:,} requests to {name}, {about.tokens_in:,} tokens read and {about.tokens_out:,}"
        lines.append(f"{what}: {asked} written, less what earlier runs have kept.")
        if name == LOCAL:
            lines += [WEAK, f"About {about.seconds(*LOCAL_SPEED) / 3600:.1f} hours on two cores."]
        elif any(prices):
            lines.append(f"About {about.cost(*prices):.2f} at your prices.")
        else:
            lines.append("Give --input-price and --output-price, for a million tokens, to see what that costs.")
    if model not in {QUOTE, LOCAL} or (lines and model == LOCAL):
        lines.append(f"Before that, {model} answers {answers} questions." if lines else
                     f"{model} answers {answers} questions.")  # fmt: skip
    if model in judges:
        lines.append("The judge also writes the answers; models judge themselves kindly.")
    return lines


def ragas_lines(results: dict[str, Any]) -> list[str]:
    """The table of a run: every metric with how many samples its mean rests on, and why the others have none."""
    lines = [f"{'':<24}{'mean':<21}{'n':>5}" + "".join(f"{name:>9}" for name in STATES)]
    for name, row in results["metrics"].items():
        mean = "none" if row["value"] is None else f"{row['value']:.3f} [{row['low']:.2f}, {row['high']:.2f}]"
        lines.append(f"{name:<24}{mean:<21}{row['n']:>5}" + "".join(f"{row[state]:>9}" for state in STATES))
    for name, row in results["metrics"].items():
        lines += [f"{name}: {many} without a score: {why}." for why, many in row["reasons"].items()]
    if results["fell_back"]:
        many = f"{results['fell_back']} of {len(results['rows'])} answers quoted because the model failed"
        lines.append(f"{many}; they are in no mean over answers.")
    used = results["judge"]
    if used["name"]:
        named = ", ".join(used["answered_as"]) or "a name it does not tell"
        lines.append(f"Judge {used['name']}, answering as {named}: {_spent(used)}.")
    return lines


def _spent(used: Mapping[str, Any]) -> str:
    if used["tokens_in"] is None or used["tokens_out"] is None:
        return f"{used['calls']:,} requests, their tokens not reported"
    return f"{used['calls']:,} requests, {used['tokens_in']:,} tokens read, {used['tokens_out']:,} written"


def judge_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table of judges, and for each how many items of a kind it gets right."""
    names = {"accuracy": "accuracy", "kappa": "kappa", "false_pass": "wrongly passed", "false_fail": "wrongly failed"}
    head = "".join(f"{state:>9}" for state in WITHOUT)
    lines = [f"{'':<28}{'n':>4}{head}  " + "".join(f"{name:<21}" for name in names.values())]
    for row in rows:
        cells = "".join(f"{_cell(row[name]):<21}" for name in names)
        without = "".join(f"{row[state]:>9}" for state in WITHOUT)
        lines.append(f"{row['judge'][:28]:<28}{row['n']:>4}{without}  {cells}")
    for row in rows:
        kinds = ", ".join(f"{kind} {each['right']}/{each['n']}" for kind, each in row["kinds"].items())
        lines.append(f"{row['judge']} gets right: {kinds or 'nothing'}.")
        lines += [f"{row['judge']}: {many} without a verdict: {why}." for why, many in row["reasons"].items()]
        lines += [f"{row['judge']}: {_spent(row)}."] if row["calls"] else []
    return lines


def _cell(measure: dict[str, float | None]) -> str:
    if measure["value"] is None:
        return "none"
    return f"{measure['value']:.3f} [{measure['low']:.2f}, {measure['high']:.2f}]"
