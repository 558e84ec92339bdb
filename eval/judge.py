"""RAGAS, and the one file that knows it: scores a sample by one of its metrics, with a judge or without any.

ragas 0.4.3 (Es et al., "RAGAS: Automated Evaluation of Retrieval Augmented Generation", EACL 2024), its collections
API for everything that needs a judge; the metrics over ids and strings exist in its older tree only. Nothing is
reported to its makers: usage tracking is off before it is imported, and no id of this machine is made up for it.
"""

import asyncio
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, cast

from eval.judging import NO_JUDGE
from eval.samples import JUDGED, KEYLESS, Endpoint, Outcome, Sample, added, outcome_of
from rag.errors import ResourceError
from rag.request import on_this_machine
from rag.types import Embedder

COSINES = {"semantic_similarity", "response_relevancy"}
"""Their scores are cosines, so the lowest is -1."""
REPLY_TOKENS = 2048
"""A reply lists every statement with a reason; ragas' own 1,024 cut it."""
REASKED = 2
"""How often a reply that breaks its schema is sent back."""
PACKAGES = ("ragas", "instructor", "openai", "rapidfuzz")
REFUSES_SCHEMA = {400, 415, 422}


@dataclass
class Tally:
    """What a judge was asked for one metric of one sample."""

    calls: int = 0
    answered: int = 0
    empty: int = 0
    tokens_in: int | None = 0
    tokens_out: int | None = 0
    judge: str = ""
    error: Exception | None = None

    def take(self, reply: Any) -> None:
        """Counts a reply of the judge, and whether it left out what was asked for."""
        self.answered += 1
        values = reply.model_dump()
        self.empty += any(value == [] or (name == "question" and not value) for name, value in values.items())
        raw = getattr(reply, "_raw_response", None)
        usage = getattr(raw, "usage", None)
        self.tokens_in = added(self.tokens_in, getattr(usage, "prompt_tokens", None))
        self.tokens_out = added(self.tokens_out, getattr(usage, "completion_tokens", None))
        self.judge = str(getattr(raw, "model", "") or self.judge)[:100]


class Ragas:
    """A `Scorer`: ragas with one judge, or with none for the metrics that need none.

    Args:
        embedder: the tutor's own, for what compares meanings.
        endpoint: the judge; None when there is none.
    """

    def __init__(self, embedder: Embedder, endpoint: Endpoint | None = None) -> None:
        load()
        self._embedder = embedder
        self._endpoint = endpoint
        self._schema = True
        self._client: Any = None

    @property
    def identity(self) -> Mapping[str, str]:
        used = {"embedder": self._embedder.name, "reply_tokens": str(REPLY_TOKENS), **versions()}
        if self._endpoint is None:
            return {"judge": NO_JUDGE, **used}
        return {**self._endpoint.identity, **used}

    async def score(self, metric: str, sample: Sample) -> Outcome:
        """One metric of one sample; never raises what ragas, its judge or the network does."""
        fields = sample.fields(metric)
        if "response" in fields and not fields["response"]:
            return Outcome("refused", why="the tutor gave no answer")
        if "response" in fields and sample.fell_back:
            return Outcome("fallback", why="quoted because the model failed")
        seconds = self._endpoint.seconds if self._endpoint and metric in JUDGED else None
        tally = Tally()
        try:
            async with asyncio.timeout(seconds):
                value = await self._value(metric, fields, tally)
        except TimeoutError:
            found = Outcome("timeout", why=f"no score within {seconds} s")
        except Exception as error:  # noqa: BLE001  # ragas, instructor, openai and pydantic: each raises its own
            found = _failure(error)
        else:
            found = _judged(metric, value, tally)
        return replace(
            found, calls=tally.calls, tokens_in=tally.tokens_in, tokens_out=tally.tokens_out, judge=tally.judge
        )

    async def close(self) -> None:
        """Closes the connections to the judge."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _value(self, metric: str, fields: dict[str, Any], tally: Tally) -> float:
        if metric in KEYLESS and metric != "semantic_similarity":
            from ragas.dataset_schema import SingleTurnSample

            return float(await _older(metric).single_turn_ascore(SingleTurnSample(**fields)))
        result = await self._metric(metric, tally).ascore(**fields)
        return float(result.value)

    def _metric(self, metric: str, tally: Tally) -> Any:
        """The metric as ragas has it, over a judge that counts; it is cheap to make."""
        from ragas.metrics import collections

        if metric == "semantic_similarity":
            return collections.SemanticSimilarity(embeddings=_embeddings(self._embedder))
        judge = _counted(self._ask, tally)
        if metric == "response_relevancy":
            return collections.AnswerRelevancy(llm=judge, embeddings=_embeddings(self._embedder))
        if metric == "response_groundedness":
            return collections.ResponseGroundedness(llm=judge, max_retries=2)
        made = {
            "faithfulness": collections.Faithfulness,
            "context_precision": collections.ContextPrecisionWithReference,
            "context_recall": collections.ContextRecall,
            "factual_correctness": collections.FactualCorrectness,
        }
        return made[metric](llm=judge)

    async def _ask(self, prompt: str, form: type) -> Any:
        """A judge's reply in a given form: by JSON schema, by JSON mode from where that is refused."""
        import openai

        schema = self._schema
        try:
            return await self._judge(schema).agenerate(prompt, form)
        except Exception as error:
            statuses = {link.status_code for link in _chain(error) if isinstance(link, openai.APIStatusError)}
            if not schema or not statuses & REFUSES_SCHEMA:
                raise
        reply = await self._judge(schema=False).agenerate(prompt, form)
        self._schema = False
        return reply

    def _judge(self, schema: bool) -> Any:
        import instructor
        from ragas.llms import llm_factory

        if self._endpoint is None:
            raise ValueError("this metric needs a judge")
        self._client = self._client or _client(self._endpoint)
        judge: Any = llm_factory(self._endpoint.name, client=self._client, max_tokens=REPLY_TOKENS, max_retries=REASKED)
        if schema:
            # Its own choice is JSON mode, which tells the judge the schema and holds it to nothing.
            judge.client = instructor.from_openai(self._client, mode=instructor.Mode.JSON_SCHEMA)
        return judge


def load() -> None:
    """Imports ragas: quietly, without usage tracking, and without the id it would keep in the user's folder.

    Raises:
        ResourceError: it is not installed.
    """
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    for name in ("ragas", "instructor"):
        # They print what failed, with what the endpoint said; it is counted and told here.
        logger = logging.getLogger(name)
        logger.propagate, logger.handlers = False, [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            # Their warnings are about each other's releases. The pinned versions are tested together.
            warnings.simplefilter("ignore")
            import instructor
            import ragas._analytics
            import ragas.metrics.collections
        versions()
    except ImportError as error:
        cure = "Install the extra: pip install -c constraints.txt -e '.[eval]'."
        raise ResourceError(f"The evaluation packages cannot be loaded ({error}).", cure) from None
    del instructor
    cast(Any, ragas._analytics).user_data_dir = lambda appname: os.devnull


def versions() -> dict[str, str]:
    """The versions of the packages that a score depends on."""
    return {name: version(name) for name in PACKAGES}


def _judged(metric: str, value: float, tally: Tally) -> Outcome:
    """The outcome for what a metric returned.

    ResponseGroundedness hides failures in NaN or in the half of its two verdicts; FactualCorrectness and
    AnswerRelevancy make 0 of a judge that named nothing.
    """
    if metric == "response_groundedness" and tally.answered < 2 and tally.error:
        return _failure(tally.error)
    silent = tally.empty == tally.answered if metric == "response_relevancy" else tally.empty
    if tally.answered and silent:
        return Outcome("nan", why="the judge named no statement")
    return outcome_of(value, -1.0 if metric in COSINES else 0.0, 1.0)


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what it came from, down to the first."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    return chain


def _failure(error: Exception) -> Outcome:
    """What went wrong, in words of ours: what an endpoint says may repeat the key."""
    import openai
    from instructor.core import IncompleteOutputException
    from pydantic import ValidationError

    chain = _chain(error)
    for link in chain:  # from above: the client knows more than the connection
        if isinstance(link, openai.APITimeoutError):
            return Outcome("timeout", why="the judge did not answer in time")
        if isinstance(link, openai.APIStatusError):
            return Outcome("failed", why=f"the endpoint answered with status {link.status_code}")
        if isinstance(link, openai.APIConnectionError):
            return Outcome("failed", why="the endpoint cannot be reached or cut the connection")
        if isinstance(link, IncompleteOutputException):
            return Outcome("failed", why=f"the reply was cut off at {REPLY_TOKENS} tokens")
        if isinstance(link, ValidationError):
            return Outcome("failed", why="the reply did not keep to its schema")
    return Outcome("failed", why=type(chain[-1]).__name__)


def _client(endpoint: Endpoint) -> Any:
    import openai

    # A redirected question could end up anywhere, so none is followed.
    address = endpoint.base_url or "https://api.openai.com/v1"
    # No proxy can reach a judge on this machine.
    proxied = not on_this_machine(address)
    http = openai.DefaultAsyncHttpxClient(timeout=endpoint.seconds, follow_redirects=False, trust_env=proxied)
    return openai.AsyncOpenAI(
        api_key=endpoint.api_key or "none",
        base_url=address,
        max_retries=endpoint.retries,
        http_client=http,
    )


def _older(metric: str) -> Any:
    """A metric of the older tree, which warns of its age when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from ragas.metrics import IDBasedContextPrecision, IDBasedContextRecall, NonLLMContextRecall
    made: dict[str, Callable[[], Any]] = {
        "id_context_precision": IDBasedContextPrecision,
        "id_context_recall": IDBasedContextRecall,
        "non_llm_context_recall": NonLLMContextRecall,
    }
    return made[metric]()


def _counted(ask: Callable[[str, type], Any], tally: Tally) -> Any:
    """A judge in the form ragas takes, whose calls are counted."""
    from ragas.llms import InstructorBaseRagasLLM

    class Counted(InstructorBaseRagasLLM):
        def generate(self, prompt: str, response_model: Any) -> Any:
            raise TypeError("only asked asynchronously")

        async def agenerate(self, prompt: str, response_model: Any) -> Any:
            tally.calls += 1
            try:
                reply = await ask(prompt, response_model)
            except Exception as error:
                tally.error = error
                raise
            tally.take(reply)
            return reply

    return Counted()


def _embeddings(embedder: Embedder) -> Any:
    """The tutor's embedder in the form ragas takes."""
    from ragas.embeddings import BaseRagasEmbedding

    class Embeddings(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return [float(value) for value in embedder.embed([text])[0]]

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

    return Embeddings()
