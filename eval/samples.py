"""What is scored, and what comes out: questions with the tutor's answers, the metrics, and where a judge is."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from eval.gold import GoldQuestion
from rag.answer import QUOTE
from rag.tutor import Tutor
from rag.types import Answer, Entry
from rag.weights import Report

JUDGED: dict[str, tuple[str, ...]] = {
    "faithfulness": ("user_input", "response", "retrieved_contexts"),
    "response_relevancy": ("user_input", "response"),
    "context_precision": ("user_input", "reference", "retrieved_contexts"),
    "context_recall": ("user_input", "retrieved_contexts", "reference"),
    "factual_correctness": ("response", "reference"),
    "response_groundedness": ("response", "retrieved_contexts"),
}
"""The metrics that need a judge, with the fields they look at."""
KEYLESS: dict[str, tuple[str, ...]] = {
    "id_context_precision": ("retrieved_context_ids", "reference_context_ids"),
    "id_context_recall": ("retrieved_context_ids", "reference_context_ids"),
    "non_llm_context_recall": ("retrieved_contexts", "reference_contexts"),
    "semantic_similarity": ("response", "reference"),
}
"""The metrics that need none."""
FIELDS = JUDGED | KEYLESS

State = Literal["scored", "nan", "failed", "timeout", "refused", "fallback"]
"""How scoring ended. `nan`: no score follows from what the judge said; `refused`: there is no answer to score;
`fallback`: the answer is quoted because the model that was to write it failed, so it says nothing about that model."""
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Sample:
    """A question, what the tutor made of it, and what was wanted.

    `answer` is empty when the tutor refused. `contexts` are the texts of the retrieved entries, best first,
    `reference_contexts` those of the entries that hold the answer; the ids go with them. `reference` is the
    wanted answer. `writer` is the model that wrote the answer; `fell_back` says that another was to and failed.
    """

    id: str
    question: str
    answer: str
    contexts: tuple[str, ...]
    context_ids: tuple[str, ...] = ()
    reference: str = ""
    reference_contexts: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()
    writer: str = ""
    fell_back: bool = False

    @property
    def key(self) -> str:
        """A hash of everything a score depends on: texts and ids, whoever wrote them."""
        seen = {name: value for name, value in asdict(self).items() if name not in {"writer", "fell_back"}}
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32]

    def fields(self, metric: str) -> dict[str, Any]:
        """What a metric looks at, under the names ragas gives it."""
        values: dict[str, Any] = {
            "user_input": self.question,
            "response": self.answer,
            "retrieved_contexts": list(self.contexts),
            "retrieved_context_ids": list(self.context_ids),
            "reference": self.reference,
            "reference_contexts": list(self.reference_contexts),
            "reference_context_ids": list(self.reference_ids),
        }
        return {name: values[name] for name in FIELDS[metric]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one metric says about one sample: a value only when `state` is scored, else why there is none.

    `calls` were put to the judge, with the tokens it reported, None when it reports none; `judge` is the model's
    name as the endpoint gives it.
    """

    state: State
    value: float | None = None
    why: str = ""
    calls: int = 0
    tokens_in: int | None = 0
    tokens_out: int | None = 0
    judge: str = ""


@dataclass(frozen=True)
class Endpoint:
    """Where a judge is: its model's name, an OpenAI-compatible address (None for OpenAI's own) and its key.

    `seconds` is how long one metric of one sample may take, retries included; `retries` how often a request is
    sent again after a 429, a 5xx or a cut connection. `weights` is the sha256 of the model's file where that is known:
    a name does not say which file it is.
    """

    name: str
    base_url: str | None
    api_key: str | None = field(repr=False)
    seconds: float = 120.0
    retries: int = 3
    weights: str = ""

    @property
    def identity(self) -> dict[str, str]:
        """What a verdict depends on besides what is asked."""
        return {"judge": self.name, "host": self.host} | ({"weights": self.weights} if self.weights else {})

    @property
    def host(self) -> str:
        """The endpoint's host: an address can carry a password."""
        return (urlsplit(self.base_url).hostname or "") if self.base_url else "api.openai.com"


def outcome_of(value: float, low: float, high: float) -> Outcome:
    """The outcome for a value: NaN has none, and one out of range comes from a judge that breaks the rules."""
    if math.isnan(value):
        return Outcome("nan", why="no score follows from what the judge said")
    if not low - 1e-6 <= value <= high + 1e-6:
        return Outcome("failed", why=f"the score {value:g} is not between {low:g} and {high:g}")
    return Outcome("scored", min(max(value, low), high))


def added(*counts: int | None) -> int | None:
    """The sum of counts; None when one is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def make_samples(tutor: Tutor, asked: Sequence[GoldQuestion], model: str, report: Report) -> list[Sample]:
    """The tutor's answers to gold questions, ready to be scored.

    The reference is what the key points of the best relevant entry say; a question that needs several entries is
    measured by the ids of all of them.

    Args:
        model: who answers, as for `tutor ask --model`.
        report: told how far it is.

    Raises:
        QuestionError: a question cannot be used, or there is no such model.
    """
    found = []
    for done, item in enumerate(asked):
        report(f"answering with {model}", done, len(asked))
        found.append(make_sample(tutor, item, tutor.ask(item.question, (), model), model))
    report(f"answering with {model}", len(asked), len(asked))
    return found


def make_sample(tutor: Tutor, item: GoldQuestion, answer: Answer, model: str) -> Sample:
    """One answer with what was retrieved for it and what was wanted; ids in brackets are no part of its text."""
    relevant = [tutor.entries.entry(entry_id) for entry_id in item.relevant]
    return Sample(
        id=item.id,
        question=item.question,
        answer=" ".join(claim.text for claim in answer.claims),
        contexts=tuple(entry_text(tutor.entries.entry(entry_id)) for entry_id in answer.retrieved),
        context_ids=answer.retrieved,
        reference=" ".join(relevant[0].key_points),
        reference_contexts=tuple(map(entry_text, relevant)),
        reference_ids=item.relevant,
        writer=answer.model,
        fell_back=answer.model == QUOTE != model,
    )


def entry_text(entry: Entry) -> str:
    """All that an entry says, for a judge to read."""
    follow_ups = [f"{item.question}\n{item.answer}" for item in entry.follow_ups]
    parts = [entry.title, entry.question, entry.answer, *entry.key_points, *follow_ups, entry.caveat or ""]
    return "\n\n".join(part for part in parts if part)
