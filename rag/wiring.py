"""The only place where concrete parts are made and put together."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rag.abstain import Abstention
from rag.answer import QUOTE, AnswerWriter, QuoteWriter
from rag.cache import AnswerCache
from rag.catalog import LOCAL, LOCAL_MODEL, TABLE
from rag.cite import Gate
from rag.coverage import CoverageModel
from rag.errors import IndexUnavailable
from rag.keyword import KeywordIndex
from rag.llm import OpenAIModel
from rag.local_llm import ANSWER_CURE, LocalServer
from rag.manifest import CHROMA
from rag.passages import EmbeddedSentences
from rag.pick import PROMPT as PICKING
from rag.pick import PickingWriter, prefix
from rag.query_embed import QueryEmbedder
from rag.rerank import PooledReranker
from rag.retrieve import DenseSearcher, Retriever
from rag.settings import Settings
from rag.spelling import Speller
from rag.store import EntryStore
from rag.support import SentenceSupport
from rag.trees import FILE as TREES
from rag.tutor import NO_LLM, Limits, Tutor, Writers
from rag.types import Origin, Reranker
from rag.vectors import ChromaIndex
from rag.written import PROMPT, LanguageModelWriter

AUTO = "auto"
NAMELESS = {AUTO, QUOTE, LOCAL}
"""Values of TUTOR_MODEL that name no model of the endpoint."""


@dataclass(frozen=True)
class Library:
    """One open index version and the parts that read it. Close it when another takes its place."""

    settings: Settings
    folder: Path

    @cached_property
    def store(self) -> EntryStore:
        return EntryStore(self.folder)

    @cached_property
    def embedder(self) -> QueryEmbedder:
        weights = TABLE[self.settings.embedding_model]
        folder = self.settings.models_folder / weights.name
        return QueryEmbedder(folder, weights.name, weights.token_limit, self.settings.threads)

    @cached_property
    def passages(self) -> EmbeddedSentences:
        """The entries, their sentences always with vectors."""
        return EmbeddedSentences(self.store, self.embedder)

    @cached_property
    def vectors(self) -> ChromaIndex:
        return ChromaIndex(self.folder / CHROMA)

    @cached_property
    def dense(self) -> DenseSearcher:
        entry_of = self.store.chunk_entries()
        if self.vectors.ids() != set(entry_of):
            raise IndexUnavailable(
                f"The Chroma index in {self.folder} does not hold the chunks of its store.",
                "Run `tutor index --rebuild`.",
            )
        return DenseSearcher(self.embedder, self.vectors, entry_of)

    @cached_property
    def keyword(self) -> KeywordIndex:
        return KeywordIndex.load(self.folder)

    @cached_property
    def retriever(self) -> Retriever:
        return Retriever(self.dense, self.keyword, self.rerankers, self.speller.correct, self.abstention.probability)

    @cached_property
    def speller(self) -> Speller:
        # A word of the user's own documents is as good as one of the guides: it must not be corrected away.
        return Speller.load(self.folder)

    @cached_property
    def rerankers(self) -> tuple[Reranker, ...]:
        pooled = PooledReranker(self.store.chunk_vectors, self.coverage.entry_scores if self.coverage else None)
        if not self.settings.reranker:
            return (pooled,)
        # Importing torch takes seconds, so only those who ask for a cross-encoder pay for it.
        from rag.cross_encoder import CrossEncoderReranker

        chosen = CrossEncoderReranker(self.settings.reranker, self.store.chunk_text, self.settings.threads)
        return (pooled, chosen)

    @cached_property
    def coverage(self) -> CoverageModel | None:
        return CoverageModel.load(self.folder)

    @cached_property
    def abstention(self) -> Abstention:
        calibration = TABLE[self.settings.embedding_model].calibration
        return Abstention(self.coverage, calibration, lambda id: self.store.entry(id).origin)

    @cached_property
    def checker(self) -> SentenceSupport:
        """What the gate judges written sentences by; a model of entailment is loaded when it is first asked."""
        if not self.settings.entailment_model:
            return SentenceSupport(self.embedder, self.passages)
        from rag.cross_encoder import EntailmentModel

        model = EntailmentModel(self.settings.entailment_model, self.settings.threads)
        return SentenceSupport(self.embedder, self.passages, model.entails)

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.passages, self.checker)

    @cached_property
    def kept(self) -> AnswerCache:
        return AnswerCache(self.settings.home / "cache" / "answers")

    def tutor(self, notices: tuple[str, ...] = (), origin: Origin | None = None) -> Tutor:
        """The tutor over this index, or over its entries of one origin; `notices` go with every answer."""
        settings = self.settings
        default = QUOTE if settings.model == AUTO else settings.model
        rewriter = None
        quoting = "" if settings.llm_configured else NO_LLM
        if settings.llm_configured:
            default = settings.model
            rewriter = None if default in {QUOTE, LOCAL} else self._model(default)
        limits = Limits(settings.question_limit, settings.history_limit, settings.sources, settings.claims)
        writers = Writers(self._writer, default, rewriter, self.fingerprint, self.kept, quoting)
        retriever = self.retriever
        if origin is not None:
            retriever = retriever.within(lambda entry_id: self.store.entry(entry_id).origin == origin)
        return Tutor(self.passages, retriever, self.gate, writers, limits, notices)

    @cached_property
    def fingerprint(self) -> str:
        """What a written answer depends on besides the question: index, endpoint, settings, prompts, models, trees."""
        settings = self.settings
        chosen = [settings.base_url, settings.sources, settings.claims, settings.answer_tokens]
        chosen += [settings.entailment_model, LOCAL_MODEL.hash]
        files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (PROMPT, PICKING, TREES)]
        return f"{self.folder.name} {chosen} {files}"

    def _writer(self, name: str) -> AnswerWriter | None:
        """Whoever writes answers under this name; None when nobody can."""
        claims = self.settings.claims
        if name == QUOTE:
            return QuoteWriter(self.passages, claims)
        if name == LOCAL:
            return PickingWriter(LocalModel(self.local_server, self.settings), self.passages, claims)
        if not self.settings.llm_configured:
            return None
        return LanguageModelWriter(self._model(name), self.passages, claims)

    def _model(self, name: str) -> OpenAIModel:
        """One adapter a name, so that what it learns about the endpoint is learnt once."""
        if name not in self._models:
            settings = self.settings
            key = settings.api_key.get_secret_value() if settings.api_key else None
            # Any other name is asked of the endpoint, which knows best what it serves.
            wanted = "" if name in NAMELESS else name
            waits = settings.first_byte_seconds, settings.silence_seconds
            self._models[name] = OpenAIModel(wanted, key, settings.base_url, settings.answer_tokens, *waits)
        return self._models[name]

    @cached_property
    def _models(self) -> dict[str, OpenAIModel]:
        return {}

    @cached_property
    def local_server(self) -> LocalServer:
        file = self.settings.models_folder / LOCAL_MODEL.name / LOCAL_MODEL.files[0].name
        return LocalServer(file, self.settings.threads, prefix())

    def close(self) -> None:
        """Closes what was opened; parts never used were never made."""
        for name in ("store", "vectors", "kept", "local_server"):
            if name in self.__dict__:
                self.__dict__[name].close()


class LocalModel:
    """The local language model, whose server starts with the first question. A `GrammarModel`."""

    name = LOCAL

    def __init__(self, server: LocalServer, settings: Settings) -> None:
        self._server = server
        self._settings = settings

    def stream_grammar(self, messages: Sequence[Mapping[str, str]], grammar: str, max_tokens: int) -> Iterator[str]:
        """The reply's pieces, held to the grammar."""
        address, key, name = self._server.start()
        waits = self._settings.first_byte_seconds, self._settings.silence_seconds
        model = OpenAIModel(name, key, address, max_tokens, *waits, cure=ANSWER_CURE)
        return model.stream_grammar(messages, grammar, max_tokens)
