"""A library whose parts note what passes through them: what `ui.trace` lets the tutor run on."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from rag.cache import AnswerCache
from rag.cite import Gate
from rag.llm import OpenAIModel
from rag.local_llm import LocalServer
from rag.passages import EmbeddedSentences
from rag.rerank import PooledReranker
from rag.retrieve import DenseSearcher, Retriever
from rag.store import EntryStore
from rag.types import Hit, Reranker, Searcher, Vector
from rag.wiring import Library

MEANING, WORDS, FUSED, RERANKED, AGAIN = "meaning", "words", "fused", "reranked", "reranked again"
"""Names of the stages, in the order in which they run."""
Wanted = Callable[[str], bool]
"""Which entries are searched, by their ids."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A ranked list as one stage left it, best first."""

    name: str
    hits: tuple[Hit, ...]

    def rank(self, entry_id: str) -> int | None:
        """The entry's place in this list; None when it is not in it."""
        return next((hit.rank for hit in self.hits if hit.entry_id == entry_id), None)


@dataclass
class Passing:
    """A search while it runs."""

    asked: dict[str, str] = field(default_factory=dict)
    meanings: list[str] = field(default_factory=list)
    words: str = ""
    stages: list[Stage] = field(default_factory=list)
    vector: Vector | None = None
    covered: float | None = None
    marked: float = 0.0


@dataclass
class Notes:
    """What the wrapped parts note down."""

    searches: list[Passing] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def now(self) -> Passing:
        """The search that runs; a judged one is over, so what comes after it begins the next."""
        if not self.searches or self.searches[-1].covered is not None:
            self.searches.append(Passing())
        return self.searches[-1]

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - started)

    def add(self, name: str, seconds: float) -> None:
        self.spent[name] = self.spent.get(name, 0.0) + seconds

    def keep(self, name: str, hits: Sequence[Hit]) -> None:
        self.now.stages.append(Stage(name, tuple(hits)))
        self.now.marked = time.perf_counter()


class _Dense(DenseSearcher):
    """Search by meaning, noted."""

    def __init__(self, inner: DenseSearcher, notes: Notes) -> None:
        self._inner = inner
        self._notes = notes

    def embed(self, question: str) -> Vector:
        self._notes.now.meanings.append(question)
        with self._notes.timed("embedding"):
            return self._inner.embed(question)

    def search_vector(self, vector: Vector, *, limit: int, wanted: Wanted | None = None) -> list[Hit]:
        with self._notes.timed(MEANING):
            hits = self._inner.search_vector(vector, limit=limit, wanted=wanted)
        self._notes.keep(MEANING, hits)
        return hits


class _Words:
    """Search by words, noted. A `Searcher`."""

    def __init__(self, inner: Searcher, notes: Notes) -> None:
        self._inner = inner
        self._notes = notes

    def search(self, question: str, *, limit: int) -> list[Hit]:
        self._notes.now.words = question
        with self._notes.timed(WORDS):
            hits = self._inner.search(question, limit=limit)
        self._notes.keep(WORDS, hits)
        return hits


class _Rerank:
    """A reranker, noted; what the first one is given is the fused list. A `Reranker`."""

    def __init__(self, inner: Reranker, notes: Notes, name: str) -> None:
        self._inner = inner
        self._notes = notes
        self._name = name

    def rerank(self, question: str, vector: Vector, hits: Sequence[Hit]) -> list[Hit]:
        if self._name == RERANKED:
            self._notes.add(FUSED, time.perf_counter() - self._notes.now.marked)
            self._notes.keep(FUSED, hits)
        with self._notes.timed("reranking"):
            found = self._inner.rerank(question, vector, hits)
        self._notes.keep(self._name, found)
        return found


@dataclass(frozen=True, eq=False)
class Watched(Library):
    """A library whose parts are another's, wrapped where something is to be noted. It closes nothing."""

    books: Library
    notes: Notes

    @cached_property
    def store(self) -> EntryStore:
        return self.books.store

    @cached_property
    def passages(self) -> EmbeddedSentences:
        return self.books.passages

    @cached_property
    def gate(self) -> Gate:
        return self.books.gate

    @cached_property
    def kept(self) -> AnswerCache:
        return self.books.kept

    @cached_property
    def local_server(self) -> LocalServer:
        return self.books.local_server

    @cached_property
    def _models(self) -> dict[str, OpenAIModel]:
        return self.books._models

    @cached_property
    def retriever(self) -> Retriever:
        names = [RERANKED if isinstance(item, PooledReranker) else AGAIN for item in self.books.rerankers]
        wrapped = [_Rerank(item, self.notes, name) for item, name in zip(self.books.rerankers, names, strict=True)]
        dense, words = _Dense(self.books.dense, self.notes), _Words(self.books.keyword, self.notes)
        return Retriever(dense, words, wrapped, self._correct, self._judge)

    def _correct(self, text: str) -> str:
        with self.notes.timed("spelling"):
            meant = self.books.speller.correct(text)
        self.notes.now.asked[text] = meant
        return meant

    def _judge(self, vector: Vector, hits: Sequence[Hit]) -> float:
        running = self.notes.now
        with self.notes.timed("judging"):
            running.vector, running.covered = vector, self.books.abstention.probability(vector, hits)
        return running.covered
