"""One question from start to finish: understood, searched, drafted, checked, answered."""

import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.answer import QUOTE, AnswerWriter
from rag.cite import resolve
from rag.converse import understand, understand_with
from rag.errors import ModelError, QuestionError
from rag.retrieve import Retriever
from rag.types import (
    Answer,
    AnswerStatus,
    ChatModel,
    Claim,
    EntrySource,
    Hit,
    Retrieval,
    Source,
    SupportChecker,
    Turn,
    Understood,
)

COVERED = 0.5
"""The least probability at which the guides count as covering a question."""
NOT_COVERED = "The guides don't cover this."
UNVERIFIED = "Something was found, but no sentence of the answer could be checked against the guides."
NO_LLM = (
    "No language model is configured, so this answer quotes the guides word for word. "
    "Set OPENAI_API_KEY, or OPENAI_BASE_URL and TUTOR_MODEL, to get a written one."
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one question: its characters, the turns before it, the entries an answer may draw on."""

    question: int
    history: int
    sources: int


class Tutor:
    """Answers questions from the guides. Safe to share between threads.

    Args:
        entries: where entries are looked up.
        retriever: finds them.
        checker: decides whether an entry supports a sentence.
        writer_of: who writes answers, by the name the user chooses; knows at least `quote`.
        default: the writer used when the user names none.
        limits: bounds of one question.
        notices: what is announced with every answer, such as a part that is missing.
        rewriter: puts a follow-up as a question that stands alone; without it, the vectors of the
            conversation are added up.
    """

    def __init__(
        self,
        entries: EntrySource,
        retriever: Retriever,
        checker: SupportChecker,
        writer_of: Callable[[str], AnswerWriter | None],
        default: str,
        limits: Limits,
        notices: Sequence[str] = (),
        rewriter: ChatModel | None = None,
    ) -> None:
        self.entries = entries
        self._retriever = retriever
        self._checker = checker
        self._writer_of = writer_of
        self._default = default
        self._limits = limits
        self._notices = tuple(notices)
        self._rewriter = rewriter

    def search(self, question: str, *, limit: int, history: Sequence[Turn] = ()) -> list[Hit]:
        """Ranked entries with the parts of their scores.

        Raises:
            QuestionError: the question cannot be used.
        """
        understood = understand(clean_question(question, self._limits.question), self._turns(history))
        return list(self._retriever.retrieve(understood, limit=limit).hits)

    def ask(self, question: str, history: Sequence[Turn] = (), model: str | None = None) -> Answer:
        """The checked answer to a question.

        Raises:
            QuestionError: the question cannot be used, or names no known model.
        """
        started = time.perf_counter()
        question = clean_question(question, self._limits.question)
        writer = self._writer(model or self._default)
        understood, notices = self._understood(question, self._turns(history), writer)
        retrieval = self._retriever.retrieve(understood, limit=self._limits.sources)
        retrieved = time.perf_counter()
        answer = Answer(
            question=question,
            standalone_question=retrieval.question,
            status="not_covered",
            claims=(),
            sources=(),
            retrieved=tuple(hit.entry_id for hit in retrieval.hits),
            model=writer.name,
            notices=(*self._notices, *notices),
            message=NOT_COVERED,
        )
        times = {"retrieve": (retrieved - started) * 1000, "generate": 0.0, "verify": 0.0}
        if retrieval.hits and retrieval.covered >= COVERED:
            answer, spent = self._written(answer, retrieval, writer)
            times.update(spent)
        times["total"] = (time.perf_counter() - started) * 1000
        return replace(answer, timings_ms=times)

    def _turns(self, history: Sequence[Turn]) -> list[Turn]:
        recent = history[-self._limits.history :] if self._limits.history else ()
        limit = self._limits.question
        return [
            replace(turn, text=_text(turn.text, limit, "An earlier turn") if turn.role == "user" else turn.text)
            for turn in recent
        ]

    def _understood(
        self, question: str, turns: Sequence[Turn], writer: AnswerWriter
    ) -> tuple[Understood, tuple[str, ...]]:
        """The question as it is searched; a language model that writes the answer also reads the conversation."""
        if not turns or self._rewriter is None or writer.name == QUOTE:
            return understand(question, turns), ()
        try:
            return understand_with(self._rewriter, question, turns), ()
        except ModelError as error:
            return understand(question, turns), (f"{error} The conversation was understood without it.",)

    def _written(self, answer: Answer, retrieval: Retrieval, writer: AnswerWriter) -> tuple[Answer, dict[str, float]]:
        """Drafts and checks; when the model fails, the quoted answer steps in."""
        generating = time.perf_counter()
        notices = list(answer.notices)
        dropped: list[Claim] = []
        try:
            drafts = writer.write(retrieval)
            checking = time.perf_counter()
            claims, dropped = resolve(drafts, answer.retrieved, self._checker)
        except ModelError as error:
            checking = time.perf_counter()
            claims = []
            notices.append(f"{error} This is the quoted answer instead.")
            writer = self._writer(QUOTE)
            claims, _ = resolve(writer.write(retrieval), answer.retrieved, self._checker)
        status: AnswerStatus = "answered" if claims else "unverified"
        message = "" if claims else UNVERIFIED
        if len(dropped) == 1:
            notices.append("1 sentence was left out because the guides don't support it.")
        elif dropped:
            notices.append(f"{len(dropped)} sentences were left out because the guides don't support them.")
        if not claims and not dropped and writer.name != QUOTE:
            status, message = "not_covered", NOT_COVERED
        done = time.perf_counter()
        spent = {"generate": (checking - generating) * 1000, "verify": (done - checking) * 1000}
        written = replace(
            answer,
            status=status,
            message=message,
            claims=tuple(claims),
            sources=self._sources(claims),
            model=writer.name,
            notices=tuple(notices),
            dropped_claims=tuple(dropped),
        )
        return written, spent

    def _sources(self, claims: Sequence[Claim]) -> tuple[Source, ...]:
        ids = dict.fromkeys(source for claim in claims for source in claim.sources)
        entries = [self.entries.entry(entry_id) for entry_id in ids]
        return tuple(Source(entry.id, entry.title, entry.guide) for entry in entries)

    def _writer(self, name: str) -> AnswerWriter:
        writer = self._writer_of(name)
        if writer is None:
            raise QuestionError(
                f"There is no model called {name[:80]!r}: no language model is configured.",
                "Use --model quote, or set OPENAI_API_KEY or OPENAI_BASE_URL.",
            )
        return writer


def clean_question(question: str, limit: int) -> str:
    """The question with white space folded.

    Raises:
        QuestionError: it is empty, too long, or not text.
    """
    folded = _text(question, limit, "The question")
    if not any(letter.isalnum() for letter in folded):
        raise QuestionError("The question is empty.", 'Ask something, for example: tutor ask "What is data drift?"')
    return folded


def _text(text: str, limit: int, what: str) -> str:
    """A user's text with white space folded; refused when it is too long or not text."""
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter not in "\n\r\t" for letter in text):
        raise QuestionError(
            f"{what} contains control characters or bytes that are not text.", "Type it as plain text (UTF-8)."
        )
    folded = " ".join(text.split())
    if len(folded) > limit:
        raise QuestionError(
            f"{what} has {len(folded):,} characters; at most {limit:,} are read.",
            "Shorten it, or raise TUTOR_QUESTION_LIMIT.",
        )
    return folded
