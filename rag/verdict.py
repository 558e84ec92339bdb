"""What an answer comes to once its sentences are checked: its status, and what there is to say about it."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil

from rag.answer import Draft
from rag.cite import Gate
from rag.rerank import nearness
from rag.types import Answer, AnswerStatus, Claim, EntrySource, Retrieval, Source

NEAR = 0.4
"""The least score of an entry that is offered beside a refusal."""
NOT_COVERED = "The guides don't cover this."
UNVERIFIED = "Something was found, but no sentence of the answer could be checked against the guides."
WROTE_NOTHING = "The language model wrote nothing; the guides are quoted instead."


def verdict(answer: Answer, claims: Sequence[Claim], dropped: Sequence[Claim], entries: EntrySource) -> Answer:
    """The answer with its claims, and what there is to say about them."""
    said = [f"The guides don't cover this part: “{part}”." for part in answer.uncovered]
    if answer.choices:
        said.append(f"This can be read in two ways. Did you mean “{answer.choices[0]}” or “{answer.choices[1]}”?")
    ids = dict.fromkeys(source for claim in claims for source in claim.sources)
    # A question that can be read in two ways is answered in both; only an open part makes an answer partial.
    complete: AnswerStatus = "partial" if answer.uncovered else "answered"
    return replace(
        answer,
        status=complete if claims else "unverified",
        message=" ".join(said) if claims else UNVERIFIED,
        claims=tuple(claims),
        sources=tuple(source_of(entries, entry_id) for entry_id in ids),
        notices=(*answer.notices, *left_out(dropped)),
        dropped_claims=tuple(dropped),
    )


def refusal(answer: Answer, retrieval: Retrieval, entries: EntrySource) -> Answer:
    """The answer as a refusal of the whole question: what is near is named, its parts and readings are not."""
    near = [hit.entry_id for hit in retrieval.hits[:3] if nearness(hit) >= NEAR]
    related = tuple(source_of(entries, entry_id) for entry_id in near)
    return replace(answer, status="not_covered", message=NOT_COVERED, related=related, choices=(), uncovered=())


def checked_anew(gate: Gate, known: Answer, retrieved: Collection[str]) -> Answer | None:
    """A kept answer with its claims as the gate finds them now; None when it has none or one of them fails.

    What lies on a disk may have been changed, so a kept claim is believed no more than a new one.

    Raises:
        TutorError: the gate cannot check.
    """
    claims, quoted = (
        [found for claim in kept for found in _anew(gate, claim, retrieved)] for kept in (known.claims, known.quoted)
    )
    if not claims or len(claims) != len(known.claims) or len(quoted) != len(known.quoted):
        return None
    return replace(known, claims=tuple(claims), quoted=tuple(quoted))


def _anew(gate: Gate, claim: Claim, retrieved: Collection[str]) -> Sequence[Claim]:
    """The claim checked again: as a quotation, or else as a written sentence; nothing when it is neither."""
    for quote in dict.fromkeys((claim.quote, "")):
        checked = gate.check(Draft(claim.text, claim.sources, quote), retrieved)
        found = [one for sentence in checked for one in sentence.claims]
        if [(one.text, one.sources) for one in found] == [(claim.text, claim.sources)]:
            return found
    return ()


def left_out(dropped: Sequence[Claim]) -> tuple[str, ...]:
    """The notices of sentences that are not shown as they were written; none when there are none."""
    notices = []
    if gone := sum(not claim.quote for claim in dropped):
        notices.append(f"{_sentences(gone)} left out because the guides don't support {_them(gone)}.")
    if reworded := len(dropped) - gone:
        notices.append(
            f"{_sentences(reworded)} not surely what the guides say, so the guides' own words stand in "
            f"{'its' if reworded == 1 else 'their'} place."
        )
    return tuple(notices)


def _sentences(count: int) -> str:
    return "1 sentence was" if count == 1 else f"{count} sentences were"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def too_often(seconds: float) -> str:
    """The notice of a session that has to wait before a language model is asked again."""
    return (
        f"This session may ask the language model again in {ceil(seconds)} s, so the guides are quoted; "
        "TUTOR_REQUESTS_PER_MINUTE sets how often."
    )


def source_of(entries: EntrySource, entry_id: str) -> Source:
    """An entry as an answer names it."""
    entry = entries.entry(entry_id)
    return Source(entry.id, entry.title, entry.guide)


def same_words(text: str) -> str:
    """What two sentences in the same words have in common."""
    return " ".join(text.casefold().split()).rstrip(".!")


@dataclass(slots=True)
class Watch:
    """Where the time of an answer goes, in milliseconds; what its reader does in between is not counted."""

    spent: dict[str, float] = field(default_factory=lambda: {"generate": 0.0, "verify": 0.0})

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Adds the time of a block to one of the sums."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] += (time.perf_counter() - started) * 1000
