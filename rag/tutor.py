"""One question from start to finish: understood, searched, drafted, checked, answered."""

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from rag.answer import QUOTE, AnswerWriter, Draft, QuoteWriter
from rag.catalog import LOCAL
from rag.cite import Gate
from rag.converse import understand, understand_with
from rag.errors import ModelError, QuestionError, WeightsError
from rag.pace import Pace, Turnstile
from rag.parts import Joined, join, judge_parts, readings, shares
from rag.question import clean_question, clean_turns
from rag.reply import Reply
from rag.retrieve import Retriever
from rag.types import (
    Answer,
    AnswerKeeper,
    ChatModel,
    Claim,
    EntrySource,
    Hit,
    Retrieval,
    Shown,
    Turn,
    Understood,
)
from rag.verdict import NOT_COVERED, WROTE_NOTHING, Watch, checked_anew, refusal, same_words, too_often, verdict

COVERED = 0.5
"""The least probability at which the guides count as covering a question."""
PART_OPEN = 0.4
"""A part of a covered question counts as left open below this: the whole speaks for it."""
KEPT = 3
"""Raised whenever an answer kept earlier is not to be shown any more."""
NO_LLM = (
    "No language model is configured, so this answer quotes the guides word for word. Set OPENAI_API_KEY, or "
    "OPENAI_BASE_URL and TUTOR_MODEL, for written answers; `tutor models fetch local` and --model local need no key."
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one question: its characters, the turns before it, the entries and sentences of an answer."""

    question: int
    history: int
    sources: int
    claims: int


@dataclass(frozen=True, slots=True)
class Writers:
    """Who can write answers.

    Args:
        of: the writer of a name the user chooses; knows at least `quote`; None for an unknown name.
        default: the writer used when the user names none.
        rewriter: puts a follow-up as a question that stands alone, for writers of its kind, which are told of
            the conversation anyway; without it, the vectors of the conversation are added up.
        fingerprint: what else a written answer depends on, such as the index and the settings.
        kept: answers written earlier.
        quoting: announced with answers that quote, where nothing else was configured.
    """

    of: Callable[[str], AnswerWriter | None]
    default: str = QUOTE
    rewriter: ChatModel | None = None
    fingerprint: str = ""
    kept: AnswerKeeper | None = None
    quoting: str = ""


class Tutor:
    """Answers questions from the guides. Safe to share between threads.

    Args:
        entries: where entries are looked up.
        retriever: finds them.
        gate: decides which sentences may be shown.
        writers: who can write answers.
        limits: bounds of one question.
        notices: what is announced with every answer, such as a part that is missing.
    """

    def __init__(
        self,
        entries: EntrySource,
        retriever: Retriever,
        gate: Gate,
        writers: Writers,
        limits: Limits,
        notices: Sequence[str] = (),
    ) -> None:
        self.entries = entries
        self._retriever = retriever
        self._gate = gate
        self._writers = writers
        self._limits = limits
        self._notices = tuple(notices)

    def search(self, question: str, *, limit: int, history: Sequence[Turn] = ()) -> list[Hit]:
        """Ranked entries with the parts of their scores.

        Raises:
            QuestionError: the question cannot be used.
        """
        turns = clean_turns(history, self._limits.question, self._limits.history)
        understood = understand(clean_question(question, self._limits.question), turns)
        return list(self._retriever.retrieve(understood, limit=limit).hits)

    def ask(
        self, question: str, history: Sequence[Turn] = (), model: str | None = None, pace: Pace | None = None
    ) -> Answer:
        """The checked answer to a question; see `reply`."""
        return self.reply(question, history, model, pace).finish()

    def reply(
        self, question: str, history: Sequence[Turn] = (), model: str | None = None, pace: Pace | None = None
    ) -> Reply:
        """The answer while it is being made, claim by claim.

        With a language model, the guides' own sentences come first and the written ones follow.

        Raises:
            QuestionError: the question cannot be used, or names no known model.
        """
        question = clean_question(question, self._limits.question)
        turns = clean_turns(history, self._limits.question, self._limits.history)
        writer = self._writer(model or self._writers.default)
        return Reply(self._run(question, turns, writer, Turnstile(pace)))

    def _run(
        self, question: str, turns: Sequence[Turn], writer: AnswerWriter, turnstile: Turnstile
    ) -> Generator[Shown, None, Answer]:
        started = time.perf_counter()
        watch = Watch()
        notices = list(self._notices)
        understood = self._understood(question, turns, writer, turnstile, notices)
        retrieval = self._retriever.retrieve(understood, limit=self._limits.sources)
        # A turn that hangs on earlier ones is not taken apart: its parts by themselves would lose what they are about.
        alone = understood.text == question
        retrieval, uncovered = self._parts(retrieval) if alone else (retrieval, ())
        retrieved = time.perf_counter()
        answer = Answer(
            question=question,
            standalone_question=retrieval.question,
            status="not_covered",
            claims=(),
            sources=(),
            retrieved=tuple(hit.entry_id for hit in retrieval.hits),
            model=writer.name,
            notices=tuple(notices),
            message=NOT_COVERED,
            covered=retrieval.covered,
            uncovered=uncovered,
        )
        if not retrieval.hits or retrieval.covered < COVERED:
            answer = refusal(answer, retrieval, self.entries)
        else:
            single = alone and not isinstance(retrieval, Joined)
            choices = readings(question, retrieval.hits, self.entries) if single else ()
            answer = yield from self._answered(replace(answer, choices=choices), retrieval, writer, turnstile, watch)
        ended = time.perf_counter()
        spans = {"retrieve": (retrieved - started) * 1000, **watch.spent, "total": (ended - started) * 1000}
        return replace(answer, timings_ms=spans)

    def _understood(
        self, question: str, turns: Sequence[Turn], writer: AnswerWriter, turnstile: Turnstile, notices: list[str]
    ) -> Understood:
        """The question as it is searched; an endpoint that writes the answer also reads the conversation."""
        rewriter = self._writers.rewriter
        # Whoever chose to quote or the model on this machine sends nothing away.
        if turns and rewriter is not None and writer.name not in {QUOTE, LOCAL} and not turnstile.wait():
            try:
                return understand_with(rewriter, question, turns)
            except ModelError as error:
                notices.append(f"{error} The conversation was understood without it.")
        return understand(question, turns)

    def _parts(self, retrieval: Retrieval) -> tuple[Retrieval, tuple[str, ...]]:
        """What to answer from, and the parts of the question that the guides leave open."""
        judged = judge_parts(self._retriever, retrieval.question, self._limits.sources)
        if not judged:
            return retrieval, ()
        if retrieval.covered >= COVERED:
            return retrieval, tuple(part.text for part in judged if part.covered < PART_OPEN)
        covered = [part for part in judged if part.covered >= COVERED]
        if not covered:
            return retrieval, ()
        uncovered = tuple(part.text for part in judged if part.covered < COVERED)
        return join(retrieval.question, covered, self._limits.sources), uncovered

    def _answered(
        self, answer: Answer, retrieval: Retrieval, writer: AnswerWriter, turnstile: Turnstile, watch: Watch
    ) -> Generator[Shown, None, Answer]:
        """Quotes, writes, checks; when the model fails, may not be asked or says nothing, the quoted answer stands."""
        quoter = self._writer(QUOTE)
        kept = self._writers.kept if writer.name != QUOTE else None
        if kept and (known := self._known(kept, answer, writer, watch)):
            yield from (Shown(claim, writer.name) for claim in known.claims)
            found = verdict(answer, known.claims, known.dropped_claims, self.entries)
            return replace(found, quoted=known.quoted)
        quoted, _ = yield from self._checked(self._quotations(retrieval), answer.retrieved, quoter, watch)
        instead = ""
        if writer.name == QUOTE:
            instead = self._writers.quoting
        elif seconds := turnstile.wait():
            writer, instead = quoter, too_often(seconds)
        else:
            try:
                claims, dropped = yield from self._checked(writer.write(retrieval), answer.retrieved, writer, watch)
            except (ModelError, WeightsError) as error:  # of the one who writes, or of the one who judges
                writer, instead = quoter, f"{error} This is the quoted answer instead."
            else:
                if not claims and not dropped:
                    writer, instead = quoter, WROTE_NOTHING
        answer = replace(answer, model=writer.name)
        if writer.name == QUOTE:
            answer = replace(answer, notices=(*answer.notices, *filter(None, [instead])))
            return verdict(answer, quoted, [], self.entries)
        written = replace(verdict(answer, claims, dropped, self.entries), quoted=tuple(quoted))
        if kept and claims:
            # A model that had no name before it was asked has one now.
            kept.put(self._key(answer, writer), written)
        return written

    def _known(self, kept: AnswerKeeper, answer: Answer, writer: AnswerWriter, watch: Watch) -> Answer | None:
        """An answer that was kept, its claims checked again; None when it has to be written."""
        known = kept.get(self._key(answer, writer))
        if known is None:
            return None
        with watch.on("verify"), suppress(WeightsError):
            return checked_anew(self._gate, known, answer.retrieved)
        return None

    def _quotations(self, retrieval: Retrieval) -> Iterator[Draft]:
        """The guides' own sentences; parts of a question that are answered from different places share the room."""
        for part, claims in shares(retrieval, self._limits.claims):
            yield from QuoteWriter(self.entries, claims).write(part)

    def _checked(
        self, drafts: Iterable[Draft], retrieved: Sequence[str], writer: AnswerWriter, watch: Watch
    ) -> Generator[Shown, None, tuple[list[Claim], list[Claim]]]:
        """Yields the claims that may be shown, each as soon as it is checked; returns them and the others."""
        claims: list[Claim] = []
        dropped: list[Claim] = []
        said: set[str] = set()
        steps = iter(drafts)
        useless = 0
        try:
            # A model that does not keep to the number asked for is stopped, not waited for.
            while len(claims) < self._limits.claims and useless <= 2 * self._limits.claims:
                with watch.on("generate"):
                    draft = next(steps, None)
                if draft is None:
                    break
                with watch.on("verify"):
                    found = self._gate.check(draft, retrieved)
                dropped += [sentence.failed for sentence in found if sentence.failed]
                fresh = [
                    claim
                    for claim in (claim for sentence in found for claim in sentence.claims)
                    if same_words(claim.text) not in said
                ][: self._limits.claims - len(claims)]
                useless += not fresh
                for claim in fresh:
                    said.add(same_words(claim.text))
                    claims.append(claim)
                    yield Shown(claim, writer.name)
        finally:
            if close := getattr(steps, "close", None):
                close()
        return claims, dropped

    def _key(self, answer: Answer, writer: AnswerWriter) -> str:
        asked = [answer.question, answer.standalone_question, answer.retrieved, answer.choices, answer.uncovered]
        parts = [KEPT, self._writers.fingerprint, writer.name, *asked]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _writer(self, name: str) -> AnswerWriter:
        writer = self._writers.of(name)
        if writer is None:
            raise QuestionError(
                f"There is no model called {name[:80]!r}: no language model is configured.",
                "Use --model quote or --model local, or set OPENAI_API_KEY or OPENAI_BASE_URL.",
            )
        return writer
