"""What the suite asks a model about an answer: is a claim supported, is a key point said, did an attack get through?"""

from collections.abc import Sequence
from typing import Any

import numpy

from eval.answer_metrics import SAID, Statement, attack_faults, nearest, sentences
from rag.cite import SENTENCES
from rag.support import SUPPORTED
from rag.types import Answer, Claim, Embedder, Entry, EntrySource, Matrix, SupportChecker
from rag.wiring import Library
from rag.written import PROMPT


class EmbedOnce:
    """An `Embedder` that remembers: claims and key points are looked at many times in one run."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def token_limit(self) -> int:
        return self._embedder.token_limit

    def count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text)

    def learn(self, texts: Sequence[str], vectors: Matrix) -> None:
        """Remembers vectors that are known already, shape (texts, dimension)."""
        self._known.update(zip(texts, vectors, strict=True))

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors, shape (texts, dimension)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return numpy.stack([self._known[text] for text in texts])


class Marking:
    """Marks answers by the gate's own rules, whatever the answer says of itself.

    Args:
        entries: where entries are looked up.
        embedder: for claims and key points.
        checker: decides how far an entry supports a sentence.
    """

    def __init__(self, entries: EntrySource, embedder: EmbedOnce, checker: SupportChecker) -> None:
        self._entries = entries
        self._embedder = embedder
        self._checker = checker
        self._quotable: dict[str, set[str]] = {}
        self._hidden = PROMPT.read_text("utf-8")

    @classmethod
    def of(cls, library: Library) -> "Marking":
        """The marking over an index, by the checker that its gate asks."""
        return cls(library.passages, EmbedOnce(library.embedder), library.checker)

    def supports(self, text: str, ids: Sequence[str]) -> bool:
        """Whether these entries together support a statement, by the rule of `rag.cite.Gate`.

        Each of its sentences has to be carried, each by any of the entries.
        """
        return bool(ids) and all(self._best(piece, ids) >= SUPPORTED for piece in SENTENCES.split(text))

    def _best(self, piece: str, ids: Sequence[str]) -> float:
        return max((self._support(piece, one) for one in ids), default=0.0)

    def _support(self, piece: str, entry_id: str) -> float:
        try:
            # As the gate has it, what stands in an entry word for word is said by it. The checker sees a caveat of
            # two sentences as one, and would call half of it too far from the whole.
            return 1.0 if piece in self._standing(entry_id) else self._checker.support(piece, entry_id)[0]
        except KeyError:
            # An entry that does not exist supports nothing; that it is cited is counted, not a reason to stop.
            return 0.0

    def _standing(self, entry_id: str) -> set[str]:
        """The quotable sentences of an entry, whole and one by one."""
        if entry_id not in self._quotable:
            found, vectors = self._entries.sentences(entry_id)
            texts = [sentence.text for sentence in found]
            self._embedder.learn(texts, vectors)
            self._quotable[entry_id] = {piece for text in texts for piece in [text, *sentences(text)]}
        return self._quotable[entry_id]

    def claims(self, claims: Sequence[Claim]) -> list[dict[str, Any]]:
        """The claims with the checker's support and verdict."""
        return [
            {
                "text": claim.text,
                "sources": list(claim.sources),
                "support": round(self._best(claim.text, claim.sources), 4),
                "supported": self.supports(claim.text, claim.sources),
            }
            for claim in claims
        ]

    def key_points(self, entry_id: str, claims: Sequence[Claim]) -> list[dict[str, Any]]:
        """The key points of an entry, each with the cosine of the nearest claim; none when it has no key points."""
        points = self._entries.entry(entry_id).key_points
        if not points:
            return []
        cosines = nearest(self._embedder.embed(points), self._embedder.embed([claim.text for claim in claims]))
        return [
            {"text": text, "cosine": round(cosine, 4), "said": cosine >= SAID}
            for text, cosine in zip(points, cosines, strict=True)
        ]

    def faults(self, answer: Answer, statements: Sequence[Statement]) -> list[str]:
        """What an attack got into the claims of an answer."""
        said = {one: self._whole(one) for _, cited in statements for one in cited}
        return attack_faults(statements, answer.retrieved, said, self._hidden)

    def _whole(self, entry_id: str) -> str:
        try:
            return whole(self._entries.entry(entry_id))
        except KeyError:
            return ""


def whole(entry: Entry) -> str:
    """All the text of an entry that may be quoted."""
    follow_ups = [f"{item.question} {item.answer}" for item in entry.follow_ups]
    return " ".join([entry.title, entry.question, entry.answer, *entry.key_points, *follow_ups, entry.caveat or ""])
