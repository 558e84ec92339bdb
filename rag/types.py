"""The vocabulary: the values that travel between the rooms, and the parts that handle them.

Values are frozen; whoever changes one makes a new one. This module knows no library but NumPy's
array type, and no other module of the project.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy
from numpy.typing import NDArray

Vector = NDArray[numpy.float32]
"""One embedding, shape (dimension,), unit length."""
Matrix = NDArray[numpy.float32]
"""Embeddings one a row, shape (count, dimension), each row of unit length."""

Level = Literal["foundation", "practitioner", "senior"]
ChunkKind = Literal["title", "question", "also_asked", "asked", "key_points", "answer", "follow_up"]
AnswerStatus = Literal["answered", "partial", "not_covered", "unverified"]
Role = Literal["user", "assistant"]
Origin = Literal["guide", "document"]
"""Built in, or brought by the user."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A further question an interviewer asks, with its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One teachable unit of a guide or of a user's document. `answer` is Markdown.

    `asked` are further ways people put the question: searched, never shown. `path` is relative to
    the corpus, or the name of the user's file.
    """

    id: str
    guide: str
    title: str
    question: str
    answer: str
    key_points: tuple[str, ...] = ()
    also_asked: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    level: Level = "practitioner"
    related: tuple[str, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    caveat: str | None = None
    path: str = ""
    origin: Origin = "guide"
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an entry with a vector of its own. `id` is the entry's id, `#`, and a number."""

    id: str
    entry_id: str
    title: str
    kind: ChunkKind
    text: str
    context: str = ""

    @property
    def embedding_text(self) -> str:
        """What the embedder reads: the text, preceded by what gives it a subject."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True)
class Sentence:
    """A quotable sentence of an entry, in reading order.

    `section` is the heading it stands under, `text` the sentence as shown, `quote` the passage as it
    stands in the entry's Markdown.
    """

    entry_id: str
    position: int
    section: str
    text: str
    quote: str


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry found for a question. `rank` starts at 1; `scores` holds each part by its name."""

    entry_id: str
    chunk_id: str
    rank: int
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Understood:
    """A question as it is searched.

    `text` stands alone and is what people are shown; `meanings` are the texts whose vectors are
    added up, with their weights; `words` is what the lexical index is asked.
    """

    text: str
    meanings: tuple[tuple[str, float], ...]
    words: str

    @classmethod
    def alone(cls, question: str) -> "Understood":
        """A question without a conversation around it."""
        return cls(question, ((question, 1.0),), question)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The entries found for one question, best first, and the question's vector.

    `covered` is the probability that these entries answer the question.
    """

    question: str
    vector: Vector
    hits: tuple[Hit, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    covered: float = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer, the entries that say so, and the passage that carries it.

    `support` is between 0 and 1; a sentence quoted from its source has 1.
    """

    text: str
    sources: tuple[str, ...]
    support: float
    quote: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A claim that has passed its check, as soon as it has, and who wrote it."""

    claim: Claim
    model: str


@dataclass(frozen=True, slots=True)
class Source:
    """An entry as an answer names it."""

    id: str
    title: str
    guide: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the user gets. A refusal has neither claims nor sources.

    `quoted` is the guides' own wording where a language model wrote the claims, or failed to;
    `related` are entries near a question that is not covered, `choices` the readings of a question
    that has several, `uncovered` the parts of it that the guides leave open.
    """

    question: str
    standalone_question: str
    status: AnswerStatus
    claims: tuple[Claim, ...]
    sources: tuple[Source, ...]
    retrieved: tuple[str, ...]
    model: str
    notices: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    dropped_claims: tuple[Claim, ...] = ()
    message: str = ""
    quoted: tuple[Claim, ...] = ()
    related: tuple[Source, ...] = ()
    choices: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    covered: float = 0.0

    @property
    def text(self) -> str:
        """The claims with their ids in square brackets and what is said about them, or the refusal."""
        said = " ".join(f"{claim.text} {bracketed(claim.sources)}" for claim in self.claims)
        return " ".join(part for part in (said, self.message) if part)


def bracketed(ids: Sequence[str]) -> str:
    """`["SCN-14", "LLM-02"]` as `[SCN-14] [LLM-02]`."""
    return " ".join(f"[{id}]" for id in ids)


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str: ...

    @property
    def token_limit(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Matrix: ...

    def count_tokens(self, text: str) -> int: ...


class Searcher(Protocol):
    """Anything that ranks entries for a question: best first, rank from 1."""

    def search(self, question: str, *, limit: int) -> list[Hit]: ...


class VectorIndex(Protocol):
    """Finds the stored vectors nearest to one, as (chunk id, cosine), best first."""

    def nearest(self, vector: Vector, *, limit: int) -> list[tuple[str, float]]: ...


class Reranker(Protocol):
    """Orders hits anew for a question and its vector."""

    def rerank(self, question: str, vector: Vector, hits: Sequence[Hit]) -> list[Hit]: ...


class EntrySource(Protocol):
    """Where entries and their sentences are looked up by id."""

    def entry(self, entry_id: str) -> Entry: ...

    def sentences(self, entry_id: str) -> tuple[list[Sentence], Matrix]: ...


class ChatModel(Protocol):
    """A language model that answers messages with JSON of a given schema, whole or piece by piece."""

    @property
    def name(self) -> str: ...

    def complete_json(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> str: ...

    def stream_json(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> Iterator[str]: ...


class GrammarModel(Protocol):
    """A language model that can be held to a GBNF grammar; its reply comes piece by piece."""

    @property
    def name(self) -> str: ...

    def stream_grammar(self, messages: Sequence[Mapping[str, str]], grammar: str, max_tokens: int) -> Iterator[str]: ...


class AnswerKeeper(Protocol):
    """Where written answers are kept, by a key of everything they depend on."""

    def get(self, key: str) -> Answer | None: ...

    def put(self, key: str, answer: Answer) -> None: ...


class SupportChecker(Protocol):
    """Decides how far an entry's sentences support a claim: (support in 0..1, the passage).

    `nearest` are the entry's own sentences that a claim draws on, best first, with the cosine of the best.
    """

    def support(self, claim: str, entry_id: str) -> tuple[float, str]: ...

    def nearest(self, claim: str, entry_id: str) -> tuple[float, Sequence[Sentence]]: ...
