"""One question from start to finish: understood, searched, drafted, checked, answered."""

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace

from rag.answer import QUOTE, AnswerWriter, Draft
from rag.cite import Gate
from rag.converse import understand, understand_with
from rag.errors import ModelError, QuestionError
from rag.pace import Pace
from rag.parts import judge_parts, readings
from rag.question import clean_question, clean_turns
from rag.reply import Reply
from rag.retrieve import Retriever
from rag.types import (
    Answer,
    AnswerKeeper,
    AnswerStatus,
    ChatModel,
    Claim,
    EntrySource,
    Hit,
    Retrieval,
    Shown,
    Source,
    Turn,
    Understood,
)

COVERED = 0.5
"""The least probability at which the guides count as covering a question."""
PART_OPEN = 0.4
"""A part of a covered question counts as left open below this: the whole speaks for it."""
NEAR = 0.4
"""The least score of an entry that is offered beside a refusal."""
NOT_COVERED = "The guides don't cover this."
UNVERIFIED = "Something was found, but no sentence of the answer could be checked against the guides."
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
        rewriter: puts a follow-up as a question that stands alone; without it, the vectors of the
            conversation are added up.
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
        notices = list(self._notices)
        if pace and writer.name != QUOTE and (seconds := pace.wait()):
            notices.append(
                f"This session may ask the language model again in {seconds:.0f} s; until then it is quoted."
            )
            writer = self._writer(QUOTE)
        return Reply(self._run(question, turns, writer, notices))

    def _run(
        self, question: str, turns: Sequence[Turn], writer: AnswerWriter, notices: list[str]
    ) -> Generator[Shown, None, Answer]:
        started = time.perf_counter()
        understood = self._understood(question, turns, writer, notices)
        retrieval = self._retriever.retrieve(understood, limit=self._limits.sources)
        retrieval, uncovered = self._parts(retrieval, bool(turns))
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
            timings_ms={"retrieve": (retrieved - started) * 1000, "generate": 0.0, "verify": 0.0},
        )
        if not retrieval.hits or retrieval.covered < COVERED:
            answer = replace(answer, related=self._related(retrieval), uncovered=())
        else:
            choices = () if turns else readings(question, retrieval.hits, self.entries)
            answer = yield from self._answered(replace(answer, choices=choices), retrieval, writer)
        total = (time.perf_counter() - started) * 1000
        return replace(answer, timings_ms={**answer.timings_ms, "total": total})

    def _understood(self, question: str, turns: Sequence[Turn], writer: AnswerWriter, notices: list[str]) -> Understood:
        """The question as it is searched; a language model that writes the answer also reads the conversation."""
        rewriter = self._writers.rewriter
        if turns and rewriter is not None and writer.name != QUOTE:
            try:
                return understand_with(rewriter, question, turns)
            except ModelError as error:
                notices.append(f"{error} The conversation was understood without it.")
        return understand(question, turns)

    def _parts(self, retrieval: Retrieval, follows: bool) -> tuple[Retrieval, tuple[str, ...]]:
        """What to answer from, and the parts of the question that the guides leave open."""
        judged = [] if follows else judge_parts(self._retriever, retrieval.question, self._limits.sources)
        if not judged:
            return retrieval, ()
        if retrieval.covered >= COVERED:
            return retrieval, tuple(part.text for part in judged if part.covered < PART_OPEN)
        best = max(judged, key=lambda part: part.covered)
        if best.covered < COVERED:
            return retrieval, ()
        uncovered = tuple(part.text for part in judged if part.covered < COVERED)
        return replace(best.retrieval, question=retrieval.question), uncovered

    def _answered(self, answer: Answer, retrieval: Retrieval, writer: AnswerWriter) -> Generator[Shown, None, Answer]:
        """Quotes, writes, checks; when the language model fails, the quoted answer stands."""
        kept = self._writers.kept if writer.name != QUOTE else None
        key = self._key(answer, writer) if kept else ""
        if kept and (known := kept.get(key)):
            yield from (Shown(claim, known.model) for claim in known.claims)
            return replace(known, notices=answer.notices, timings_ms=answer.timings_ms)
        clock = time.perf_counter()
        quoted, _ = yield from self._checked(self._writer(QUOTE).write(retrieval), answer.retrieved, QUOTE)
        if writer.name == QUOTE:
            answer = replace(answer, notices=(*answer.notices, *filter(None, [self._writers.quoting])))
            spent = {**answer.timings_ms, "generate": (time.perf_counter() - clock) * 1000}
            return self._with(replace(answer, timings_ms=spent), quoted, [])
        try:
            claims, dropped = yield from self._checked(writer.write(retrieval), answer.retrieved, writer.name)
        except ModelError as error:
            notice = f"{error} This is the quoted answer instead."
            return self._with(replace(answer, model=QUOTE, notices=(*answer.notices, notice)), quoted, [])
        spent = {**answer.timings_ms, "generate": (time.perf_counter() - clock) * 1000}
        answer = replace(answer, timings_ms=spent)
        if not claims and not dropped:
            return replace(answer, related=self._related(retrieval))
        written = replace(self._with(answer, claims, dropped), quoted=tuple(quoted))
        if kept and claims:
            kept.put(key, written)
        return written

    def _checked(
        self, drafts: Iterable[Draft], retrieved: Sequence[str], model: str
    ) -> Generator[Shown, None, tuple[list[Claim], list[Claim]]]:
        """Yields the claims that may be shown, each as soon as it is checked; returns them and the others."""
        claims: list[Claim] = []
        dropped: list[Claim] = []
        steps = iter(drafts)
        try:
            for draft in steps:
                claim, fine = self._gate.check(draft, retrieved)
                if not fine:
                    dropped.append(claim)
                elif claim not in claims:
                    claims.append(claim)
                    yield Shown(claim, model)
                # A model that does not keep to the number asked for is stopped, not waited for.
                if len(claims) == self._limits.claims or len(dropped) > 2 * self._limits.claims:
                    break
        finally:
            if close := getattr(steps, "close", None):
                close()
        return claims, dropped

    def _with(self, answer: Answer, claims: Sequence[Claim], dropped: Sequence[Claim]) -> Answer:
        """The answer with its claims, and what there is to say about them."""
        notices = list(answer.notices)
        if dropped:
            many = f"{len(dropped)} sentences were" if len(dropped) > 1 else "1 sentence was"
            notices.append(f"{many} left out because the guides don't support {'them' if len(dropped) > 1 else 'it'}.")
        said = [f"The guides don't cover this part: “{part}”." for part in answer.uncovered]
        if answer.choices:
            said.append(f"This can be read in two ways. Did you mean “{answer.choices[0]}” or “{answer.choices[1]}”?")
        ids = dict.fromkeys(source for claim in claims for source in claim.sources)
        complete: AnswerStatus = "partial" if said else "answered"
        return replace(
            answer,
            status=complete if claims else "unverified",
            message=" ".join(said) if claims else UNVERIFIED,
            claims=tuple(claims),
            sources=tuple(self._source(entry_id) for entry_id in ids),
            notices=tuple(notices),
            dropped_claims=tuple(dropped),
        )

    def _related(self, retrieval: Retrieval) -> tuple[Source, ...]:
        return tuple(self._source(hit.entry_id) for hit in retrieval.hits[:3] if hit.scores["score"] >= NEAR)

    def _source(self, entry_id: str) -> Source:
        entry = self.entries.entry(entry_id)
        return Source(entry.id, entry.title, entry.guide)

    def _key(self, answer: Answer, writer: AnswerWriter) -> str:
        parts = [self._writers.fingerprint, writer.name, answer.question, answer.standalone_question, answer.retrieved]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _writer(self, name: str) -> AnswerWriter:
        writer = self._writers.of(name)
        if writer is None:
            raise QuestionError(
                f"There is no model called {name[:80]!r}: no language model is configured.",
                "Use --model quote or --model local, or set OPENAI_API_KEY or OPENAI_BASE_URL.",
            )
        return writer
