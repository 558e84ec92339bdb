"""The gate: the only place where a draft becomes a claim.

A claim exists only if every id it names was retrieved and at least one of those entries supports
it. What fails is kept apart and counted, never repaired silently.
"""

import re
from collections.abc import Collection

from rag.answer import Draft
from rag.clean import clean_sentence, foreign_ids, suspicious
from rag.support import SUPPORTED
from rag.types import Claim, EntrySource, SupportChecker

SENTENCES = re.compile(r"(?<=[.!?])\s+")


class Gate:
    """Checks one draft after the other.

    Args:
        entries: where the cited entries are looked up.
        checker: decides how far an entry supports a sentence.
    """

    def __init__(self, entries: EntrySource, checker: SupportChecker) -> None:
        self._entries = entries
        self._checker = checker

    def check(self, draft: Draft, retrieved: Collection[str]) -> tuple[Claim, bool]:
        """The claim, and whether it may be shown. A shown claim cites only entries that support it."""
        text = draft.text if draft.quote else clean_sentence(draft.text)
        if not text or not draft.sources or not set(draft.sources) <= set(retrieved):
            return Claim(text or draft.text, (), 0.0, ""), False
        if draft.quote:
            return self._quoted(draft)
        sources = " ".join(self._said(source) for source in draft.sources)
        if suspicious(text) or foreign_ids(text, set(retrieved), sources):
            return Claim(text, (), 0.0, ""), False
        # What rides on a true sentence is not true for that: each sentence has to be supported by itself.
        if any(self._best(piece, draft) < SUPPORTED for piece in SENTENCES.split(text)[1:]):
            return Claim(text, (), 0.0, ""), False
        checked = [(*self._checker.support(text, source), source) for source in draft.sources]
        carrying = tuple(source for support, _, source in checked if support >= SUPPORTED)
        support, quote, _ = max(checked)
        return Claim(text, carrying, support, quote), bool(carrying)

    def _quoted(self, draft: Draft) -> tuple[Claim, bool]:
        """A quotation is believed only when it stands in the entry, word for word."""
        for source in draft.sources:
            sentences, _ = self._entries.sentences(source)
            if any(sentence.text == draft.text and sentence.quote == draft.quote for sentence in sentences):
                return Claim(draft.text, (source,), 1.0, draft.quote), True
        return Claim(draft.text, (), 0.0, ""), False

    def _best(self, piece: str, draft: Draft) -> float:
        return max(self._checker.support(piece, source)[0] for source in draft.sources)

    def _said(self, entry_id: str) -> str:
        entry = self._entries.entry(entry_id)
        follow_ups = [f"{item.question} {item.answer}" for item in entry.follow_ups]
        return " ".join([entry.title, entry.answer, *entry.key_points, *follow_ups, entry.caveat or ""])
