"""`python -m eval.retrieval`: how often the right entry comes first, by style and split."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from eval.gold import GoldQuestion, questions, split_of
from eval.metrics import Rank, bootstrap_interval, first_relevant, hit_rate, mean_reciprocal_rank
from rag.errors import TutorError
from rag.types import Searcher
from rag.wiring import Library
from ui.session import open_library, progress_bar, settings

LIMIT = 10


def ranks_of(searcher: Searcher, asked: Sequence[GoldQuestion]) -> dict[str, Rank]:
    """The rank of the first relevant entry for each question, by its id."""
    found = {}
    for item in asked:
        hits = searcher.search(item.question, limit=LIMIT)
        found[item.id] = first_relevant([hit.entry_id for hit in hits], item.relevant)
    return found


def table(title: str, asked: Sequence[GoldQuestion], ranks: dict[str, Rank]) -> list[str]:
    """One line a style, the whole set first."""
    lines = []
    for style in ["all", *sorted({item.style for item in asked})]:
        chosen = [ranks[item.id] for item in asked if style in {"all", item.style}]
        low, high = bootstrap_interval(chosen, partial(hit_rate, k=1))
        lines.append(
            f"{title:<8} {style:<11} n={len(chosen):<4} hit@1 {hit_rate(chosen, 1):.3f} [{low:.2f}, {high:.2f}]  "
            f"hit@3 {hit_rate(chosen, 3):.3f}  MRR@10 {mean_reciprocal_rank(chosen):.3f}"
        )
    return lines


def stages(library: Library) -> dict[str, Searcher]:
    """The searchers to compare."""
    return {"dense": library.dense, "bm25": library.keyword, "fused": library.retriever}


def run(arguments: argparse.Namespace) -> list[str]:
    """The report, line by line."""
    asked = questions(arguments.dataset) if arguments.dataset else questions()
    if arguments.split != "all":
        asked = [item for item in asked if split_of(item.id) == arguments.split]
    with progress_bar() as report:
        library, _ = open_library(settings(), report)
    lines = []
    for name, searcher in stages(library).items():
        ranks = ranks_of(searcher, asked)
        lines += table(name, asked, ranks)
        if arguments.misses and name == "fused":
            lines += [
                json.dumps({"id": item.id, "rank": ranks[item.id], "question": item.question})
                for item in asked
                if ranks[item.id] != 1
            ]
    return lines


def main() -> None:
    """Reads the options and prints the report."""
    parser = argparse.ArgumentParser(prog="python -m eval.retrieval", description=__doc__)
    parser.add_argument("--dataset", type=Path, help="questions of the form of eval/gold/questions.jsonl")
    parser.add_argument("--split", choices=["tune", "test", "all"], default="test")
    parser.add_argument("--misses", action="store_true", help="also list what is not first")
    try:
        sys.stdout.write("\n".join(run(parser.parse_args())) + "\n")
    except TutorError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
