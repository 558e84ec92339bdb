"""One question followed through every stage of the tutor: what each part was given and what it gave back.

The tutor of `rag.wiring` answers as it always does. Only its parts are wrapped, so that they note what passes
through them; nothing is searched, ranked or checked in a way of its own here.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from rag.abstain import logistic
from rag.answer import QUOTE
from rag.catalog import TABLE, Calibration
from rag.pace import Pace
from rag.rerank import nearness
from rag.spelling import WORD
from rag.tutor import COVERED
from rag.types import Answer, Hit, Turn, Vector
from rag.wiring import Library
from ui.watched import FUSED, MEANING, WORDS, Notes, Passing, Stage, Watched

SPENT = ("spelling", "embedding", MEANING, WORDS, FUSED, "reranking", "judging", "writing", "checking", "the rest")
"""What time is spent on, in order."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One term of the log-odds of being covered: `value` times `weight`."""

    name: str
    value: float
    weight: float

    @property
    def product(self) -> float:
        return self.value * self.weight


Weigh = Callable[[Vector, Sequence[Hit], float], tuple[Weighed, ...]]
"""A question's vector, its last list and its probability to the terms of that."""


@dataclass(frozen=True, slots=True)
class Search:
    """One question, or one part of it, through the search.

    Args:
        meanings: the texts whose vectors were added up, as typed.
        words: what the lexical index was asked, its spelling put right.
        asked: the texts that were searched with, as typed and with their spelling put right.
        stages: the lists of the stages that ran.
        covered: the probability that the guides answer.
        odds: the terms that make it up, of the side (guides or documents) that decided.
    """

    meanings: tuple[str, ...]
    words: str
    asked: tuple[tuple[str, str], ...]
    stages: tuple[Stage, ...]
    covered: float
    odds: tuple[Weighed, ...]

    def stage(self, name: str) -> Stage:
        """The list of a stage; an empty one for a stage that did not run."""
        return next((stage for stage in self.stages if stage.name == name), Stage(name, ()))


@dataclass(frozen=True, slots=True)
class Trace:
    """One question through every stage.

    Args:
        answer: what the tutor answered.
        searches: the whole question first, then its parts, where it has several.
        titles: the title of every entry that was found.
        timings_ms: milliseconds by the names of `SPENT`; they add up to the whole.
        before: the question asked before it, for a follow-up.
    """

    answer: Answer
    searches: tuple[Search, ...]
    titles: Mapping[str, str]
    timings_ms: Mapping[str, float]
    before: str = ""

    @property
    def typed(self) -> list[tuple[str, str]]:
        """The question in pieces of (as typed, as meant), see `corrections`."""
        question = self.answer.question
        return corrections(question, dict(self.searches[0].asked).get(question, question))

    @property
    def sent(self) -> tuple[str, ...]:
        """The entries that the answer could draw on; none when the guides were judged not to cover the question."""
        return self.answer.retrieved if self.answer.covered >= COVERED else ()

    @property
    def unsent(self) -> tuple[Hit, ...]:
        """What the search of the whole question found but did not make it into the sources."""
        last = self.searches[0].stages[-1].hits
        return tuple(hit for hit in last if hit.entry_id not in self.sent)


def trace(
    library: Library, question: str, before: str = "", model: str | None = QUOTE, pace: Pace | None = None
) -> Trace:
    """Asks a question and keeps what every stage made of it.

    Args:
        before: a question to be asked first, whose answer becomes the history of this one.
        model: who writes the answer; None for whoever the settings name.

    Raises:
        QuestionError: one of the questions cannot be used, or nobody answers under the name of `model`.
    """
    history: list[Turn] = []
    if before.strip():
        first = library.tutor().ask(before, model=QUOTE)
        history = [Turn("user", first.question), Turn("assistant", first.text)]
    weigh = _weigher(library)  # which opens what would otherwise count as time of the first question
    notes = Notes()
    watched = Watched(library.settings, library.folder, library, notes)
    answer = watched.tutor().ask(question, history, model, pace)
    searches = tuple(_closed(item, weigh) for item in notes.searches)
    found = {hit.entry_id for search in searches for stage in search.stages for hit in stage.hits}
    titles = {entry_id: library.store.entry(entry_id).title for entry_id in sorted(found)}
    return Trace(answer, searches, titles, _timings(notes.spent, answer.timings_ms), before.strip())


def corrections(typed: str, meant: str) -> list[tuple[str, str]]:
    """The text in pieces of (as typed, as meant), which differ where the spelling was put right.

    Only single words are ever put right, so both texts have the same words in the same places.
    """
    words = zip(WORD.findall(typed), WORD.findall(meant), strict=True)
    between = WORD.split(typed)
    pieces = [(between[0], between[0])]
    for word, gap in zip(words, between[1:], strict=True):
        pieces += [word, (gap, gap)]
    return [piece for piece in pieces if piece[0]]


def moved(before: Stage, after: Stage, entry_id: str) -> int | None:
    """Places won (above 0) or lost between two lists; None when the earlier one does not hold the entry."""
    old, new = before.rank(entry_id), after.rank(entry_id)
    return None if old is None or new is None else old - new


def odds(
    hits: Sequence[Hit], documents: Collection[str], learnt: float | None, weights: Calibration, covered: float
) -> tuple[Weighed, ...]:
    """The terms whose sum is the log-odds of `covered`, see `rag.abstain`.

    Args:
        documents: which of the entries come from the user.
        learnt: what the coverage model says of the question; None without a model.

    Returns:
        Nothing when the terms do not add up to the probability that was used.
    """
    sides: dict[bool, float] = {}
    for hit in hits:
        own = hit.entry_id in documents
        sides[own] = max(sides.get(own, -1.0), nearness(hit))
    for own, score in sides.items():
        whose = "document" if own else "guide entry"
        if own or learnt is None:
            terms = [
                Weighed(f"Nearness of the best {whose}", score, weights.alone_slope),
                Weighed("Constant", -weights.alone_threshold, weights.alone_slope),
            ]
        else:
            terms = [
                Weighed(f"Nearness of the best {whose}", score, weights.score),
                Weighed("Likeness to questions the guides answer", learnt, weights.model),
                Weighed("Constant", 1.0, weights.bias),
            ]
        if abs(logistic(sum(term.product for term in terms)) - covered) < 1e-6:
            return tuple(terms)
    return ()


def _weigher(library: Library) -> Weigh:
    """Takes the probability of this library's judge apart."""
    model = library.coverage
    weights = TABLE[library.settings.embedding_model].calibration

    def weigh(vector: Vector, hits: Sequence[Hit], covered: float) -> tuple[Weighed, ...]:
        ids = [hit.entry_id for hit in hits]
        documents = {entry_id for entry_id in ids if library.store.entry(entry_id).origin == "document"}
        return odds(hits, documents, model.score(vector) if model else None, weights, covered)

    return weigh


def _closed(passing: Passing, weigh: Weigh) -> Search:
    """A search that is over, as a value."""
    typed = {meant: asked for asked, meant in passing.asked.items()}
    meanings = tuple(typed.get(text, text) for text in passing.meanings)
    covered = passing.covered or 0.0
    terms = weigh(passing.vector, passing.stages[-1].hits, covered) if passing.vector is not None else ()
    return Search(meanings, passing.words, tuple(sorted(passing.asked.items())), tuple(passing.stages), covered, terms)


def _timings(spent: Mapping[str, float], told: Mapping[str, float]) -> dict[str, float]:
    """Milliseconds by the names of `SPENT`."""
    known = {name: spent.get(name, 0.0) * 1000 for name in SPENT}
    known |= {"writing": told["generate"], "checking": told["verify"]}
    known["the rest"] = max(0.0, told["total"] - sum(known.values()))
    return known
