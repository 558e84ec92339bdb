"""How often the right entry comes first, by stage and style; when the tutor refuses; how follow-ups fare.

Behind `tutor eval retrieval`. Everything here is a function from a library and questions to numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy

from eval.gold import Dialogue, GoldQuestion, OpenQuestion
from eval.metrics import (
    discounted_gain,
    first_relevant,
    hit_rate,
    mean,
    mean_interval,
    mean_reciprocal_rank,
    recall,
)
from rag.converse import understand
from rag.rerank import PooledReranker
from rag.retrieve import DenseSearcher, Retriever
from rag.tutor import COVERED
from rag.types import Understood, Vector, VectorIndex
from rag.wiring import Library

LIMIT = 10
Search = Callable[[str], list[str]]
"""A question to entry ids, best first."""


@dataclass(frozen=True)
class Found:
    """What one question found, and what it should have."""

    question: GoldQuestion
    retrieved: tuple[str, ...]

    @property
    def rank(self) -> int | None:
        return first_relevant(self.retrieved, self.question.relevant)


class WithoutAsked:
    """A `VectorIndex` that does not know the ways of asking in `asked.jsonl`: for the ablation."""

    def __init__(self, index: VectorIndex, hidden: set[str]) -> None:
        self._index = index
        self._hidden = hidden

    def nearest(self, vector: Any, *, limit: int) -> list[tuple[str, float]]:
        found = self._index.nearest(vector, limit=limit + len(self._hidden))
        return [(chunk, cosine) for chunk, cosine in found if chunk not in self._hidden][:limit]


def stages(library: Library) -> dict[str, Search]:
    """The stages of a search, each with all before it; spelling is put right in all of them."""
    correct = library.speller.correct
    fused = Retriever(library.dense, library.keyword, (), correct)
    found: dict[str, Search] = {
        "dense": lambda question: ids(library.dense.search(correct(question), limit=LIMIT)),
        "bm25": lambda question: ids(library.keyword.search(correct(question), limit=LIMIT)),
        "fused": lambda question: ids(fused.search(question, limit=LIMIT)),
        "reranked": lambda question: ids(library.retriever.search(question, limit=LIMIT)),
    }
    return found


def ablations(library: Library) -> dict[str, Search]:
    """The whole, and the whole without one of its parts."""
    correct = library.speller.correct
    hidden: set[str] = set()
    kept: dict[str, list[Vector]] = {}
    for chunk, vector in library.store.chunks():
        if chunk.kind == "asked":
            hidden.add(chunk.id)
        else:
            kept.setdefault(chunk.entry_id, []).append(vector)
    few = {entry_id: numpy.stack(vectors) for entry_id, vectors in kept.items()}
    fewer = (PooledReranker(few.__getitem__),)
    plain = (PooledReranker(library.store.chunk_vectors),)
    whole = library.rerankers[:1]
    dense = DenseSearcher(library.embedder, WithoutAsked(library.vectors, hidden), library.store.chunk_entries())
    nothing = _Nothing()
    parts = {
        "whole": Retriever(library.dense, library.keyword, whole, correct),
        "without spelling": Retriever(library.dense, library.keyword, whole),
        "without words (BM25)": Retriever(library.dense, nothing, whole, correct),
        "without pooled reranking": Retriever(library.dense, library.keyword, (), correct),
        "without the classifier": Retriever(library.dense, library.keyword, plain, correct),
        "without asked.jsonl": Retriever(dense, library.keyword, fewer, correct),
        "meaning only, best chunk": Retriever(dense, nothing),
    }
    return {name: partial(_search, retriever) for name, retriever in parts.items()}


class _Nothing:
    """A `Searcher` that finds nothing."""

    def search(self, question: str, *, limit: int) -> list[Any]:
        return []


def _search(retriever: Retriever, question: str) -> list[str]:
    return ids(retriever.search(question, limit=LIMIT))


def ids(hits: Sequence[Any]) -> list[str]:
    """The entry ids of hits."""
    return [hit.entry_id for hit in hits]


def ask_all(search: Search, asked: Sequence[GoldQuestion]) -> list[Found]:
    """Every question put to one search."""
    return [Found(item, tuple(search(item.question))) for item in asked]


def measures(found: Sequence[Found]) -> dict[str, Any]:
    """hit@1, hit@3, recall@5, MRR@10 and nDCG@10, each a mean over questions with its bootstrap interval."""
    ranks = [item.rank for item in found]
    values = {
        "hit@1": [hit_rate([rank], 1) for rank in ranks],
        "hit@3": [hit_rate([rank], 3) for rank in ranks],
        "recall@5": [recall(item.retrieved, item.question.relevant, 5) for item in found],
        "mrr@10": [mean_reciprocal_rank([rank]) for rank in ranks],
        "ndcg@10": [discounted_gain(item.retrieved, item.question.relevant) for item in found],
    }
    row: dict[str, Any] = {"n": len(found)}
    for name, each in values.items():
        low, high = mean_interval(each)
        row[name] = {"value": round(mean(each), 4), "low": round(low, 4), "high": round(high, 4)}
    return row


def by_style(found: Sequence[Found]) -> dict[str, Any]:
    """The measures of all questions, and of each style."""
    styles = sorted({item.question.style for item in found})
    rows = {"all": measures(found)}
    if len(styles) > 1:
        rows |= {style: measures([item for item in found if item.question.style == style]) for style in styles}
    return rows


def refusals(
    library: Library, asked: Sequence[GoldQuestion], left_open: Sequence[OpenQuestion]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Both sides of refusing: the share refused of what is covered and of what is not; and each judgement."""

    def covered(question: str) -> float:
        return library.retriever.retrieve(Understood.alone(question), limit=1).covered

    groups = {"answerable": [(item.id, item.question) for item in asked]}
    for kind in sorted({item.kind for item in left_open}):
        groups[kind] = [(item.id, item.question) for item in left_open if item.kind == kind]
    judged: list[dict[str, Any]] = [
        {"id": id, "group": group, "question": question, "covered": covered(question)}
        for group, rows in groups.items()
        for id, question in rows
    ]
    shares: dict[str, Any] = {}
    for group in [*groups, "not covered"]:
        chosen = [row["covered"] < COVERED for row in judged if _belongs(row["group"], group)]
        if chosen:
            low, high = mean_interval(chosen)
            shares[group] = {"n": len(chosen), "refused": mean(chosen), "low": low, "high": high}
    return shares, judged


def _belongs(group: str, wanted: str) -> bool:
    return group == wanted or (wanted == "not covered" and group != "answerable")


def follow_ups(library: Library, conversations: Sequence[Dialogue]) -> dict[str, Any]:
    """Last turns of conversations: searched alone, and as they are understood."""
    rows: dict[str, Any] = {}
    for name in ("alone", "understood"):
        found, refused = [], []
        for item in conversations:
            history = item.history if name == "understood" else ()
            retrieval = library.retriever.retrieve(understand(item.question, history), limit=LIMIT)
            question = GoldQuestion(item.id, item.question, item.relevant, "dialogue")
            found.append(Found(question, tuple(ids(retrieval.hits))))
            refused.append(retrieval.covered < COVERED)
        rows[name] = {**measures(found), "refused": round(mean(refused), 4)}
    return rows
