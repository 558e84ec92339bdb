"""What `tutor eval ragas` and `tutor eval judge` print: tables in which a missing score shows."""

from collections.abc import Sequence
from typing import Any

STATES = ("scored", "nan", "failed", "timeout", "refused")


def ragas_lines(results: dict[str, Any]) -> list[str]:
    """The table of a run: every metric with how many samples its mean rests on, and why the others have none."""
    lines = [f"{'':<24}{'mean':<21}{'n':>5}" + "".join(f"{name:>9}" for name in STATES)]
    for name, row in results["metrics"].items():
        mean = "none" if row["value"] is None else f"{row['value']:.3f} [{row['low']:.2f}, {row['high']:.2f}]"
        lines.append(f"{name:<24}{mean:<21}{row['n']:>5}" + "".join(f"{row[state]:>9}" for state in STATES))
    for name, row in results["metrics"].items():
        lines += [f"{name}: {many} without a score: {why}." for why, many in row["reasons"].items()]
    used = results["judge"]
    if used["name"]:
        named = ", ".join(used["answered_as"]) or "a name it does not tell"
        lines.append(
            f"Judge {used['name']}, answering as {named}: {used['calls']:,} requests, {used['tokens_in']:,} tokens "
            f"read, {used['tokens_out']:,} written."
        )
    return lines


def judge_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table of judges, and for each how many items of a kind it gets right."""
    names = {"accuracy": "accuracy", "kappa": "kappa", "false_pass": "wrongly passed", "false_fail": "wrongly failed"}
    lines = [f"{'':<28}{'n':>4}{'failed':>8}  " + "".join(f"{name:<21}" for name in names.values())]
    for row in rows:
        cells = "".join(f"{_cell(row[name]):<21}" for name in names)
        lines.append(f"{row['judge'][:28]:<28}{row['n']:>4}{row['failed']:>8}  {cells}")
    for row in rows:
        kinds = ", ".join(f"{kind} {each['right']}/{each['n']}" for kind, each in row["kinds"].items())
        lines.append(f"{row['judge']} gets right: {kinds or 'nothing'}.")
        lines += [f"{row['judge']}: {many} without a verdict: {why}." for why, many in row["reasons"].items()]
    return lines


def _cell(measure: dict[str, float | None]) -> str:
    if measure["value"] is None:
        return "none"
    return f"{measure['value']:.3f} [{measure['low']:.2f}, {measure['high']:.2f}]"
