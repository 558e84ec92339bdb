"""The gate: the only place where a draft becomes a claim.

A claim exists only if every id it names was retrieved and at least one of those entries supports
it. A sentence that goes further than its entry gives way to the entry's own sentence when one says
nearly the same; otherwise it is left out. Both are counted, never repaired silently.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rag.answer import Draft
from rag.clean import clean_sentence, foreign_ids, suspicious
from rag.support import SUPPORTED
from rag.types import Claim, EntrySource, SupportChecker

NEARNESS = 0.4
"""The least cosine between a sentence that fails and the entry's own sentence that takes its place."""
ABBREVIATIONS = "e.g. i.e. vs. cf. etc. al. approx. resp. Sec. Fig. Eq. No. Dr.".split()
SENTENCES = re.compile(
    "(?<=[.!?])" + "".join(f"(?<!{re.escape(a)})" for a in ABBREVIATIONS) + r"[\"')\]]*\s+(?=[^a-z])"
)
OWN_SENTENCES = 3
"""Sentences of an entry that take the place of one at the most."""
UNSHOWABLE = "(a sentence of nothing but markup)"


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one sentence.

    Args:
        claims: what may be shown: the sentence, the guides' own sentences in its place, or nothing.
        failed: what the writer wrote, where that may not be shown; its `quote` is a passage that stands in its
            place, if one does.
    """

    claims: tuple[Claim, ...]
    failed: Claim | None = None


class Gate:
    """Checks one draft after the other.

    Args:
        entries: where the cited entries are looked up.
        checker: decides how far an entry supports a sentence.
    """

    def __init__(self, entries: EntrySource, checker: SupportChecker) -> None:
        self._entries = entries
        self._checker = checker

    def check(self, draft: Draft, retrieved: Collection[str]) -> list[Checked]:
        """What becomes of each sentence of a draft. A shown claim cites only entries that support it."""
        if draft.quote:
            return [self._quoted(draft, retrieved)]
        # What rides on a true sentence is not true for that: each sentence is judged by itself.
        sentences = [text for part in SENTENCES.split(clean_sentence(draft.text)) if (text := part.strip())]
        return [self._written(replace(draft, text=text), retrieved) for text in sentences or [""]]

    def _written(self, draft: Draft, retrieved: Collection[str]) -> Checked:
        text = draft.text
        failed = Claim(text or UNSHOWABLE, (), 0.0, "")
        if not text or not draft.sources or not set(draft.sources) <= set(retrieved):
            return Checked((), failed)
        said = " ".join(self._said(source) for source in draft.sources)
        if suspicious(text) or foreign_ids(text, set(retrieved), said):
            return Checked((), failed)
        judged = [(*self._checker.support(text, source), source) for source in draft.sources]
        support, quote, _ = max(judged)
        if carrying := tuple(source for value, _, source in judged if value >= SUPPORTED):
            return Checked((Claim(text, carrying, support, quote),))
        return self._own_words(text, draft.sources, failed)

    def _own_words(self, text: str, sources: Sequence[str], failed: Claim) -> Checked:
        """The guides' own sentences in place of one that says nearly, but not surely, the same."""
        nearest = [(*self._checker.nearest(text, source), source) for source in sources]
        nearness, sentences, source = max(nearest, key=lambda found: found[0])
        if nearness < NEARNESS:
            return Checked((), failed)
        chosen = sorted(sentences[:OWN_SENTENCES], key=lambda sentence: sentence.position)
        return Checked(
            tuple(Claim(said.text, (source,), 1.0, said.quote) for said in chosen),
            replace(failed, quote=chosen[0].quote),
        )

    def _quoted(self, draft: Draft, retrieved: Collection[str]) -> Checked:
        """A quotation is believed only when it stands in the entry, word for word."""
        failed = Claim(draft.text, (), 0.0, "")
        if not draft.sources or not set(draft.sources) <= set(retrieved):
            return Checked((), failed)
        for source in draft.sources:
            sentences, _ = self._entries.sentences(source)
            if any(sentence.text == draft.text and sentence.quote == draft.quote for sentence in sentences):
                return Checked((Claim(draft.text, (source,), 1.0, draft.quote),))
        return Checked((), failed)

    def _said(self, entry_id: str) -> str:
        entry = self._entries.entry(entry_id)
        follow_ups = [f"{item.question} {item.answer}" for item in entry.follow_ups]
        return " ".join([entry.title, entry.answer, *entry.key_points, *follow_ups, entry.caveat or ""])
