"""The lexical index: BM25 (rank-bm25) over whole entries, lower-cased, stemmed, stop words out."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from rag.types import Hit

WORD = re.compile(r"[a-z0-9]+(?:[-.'][a-z0-9]+)*")
STOP_WORDS = frozenset(
    """a about after again all also am an and any are as at be because been before being between both but by can
    could did do does doing don down during each few for from further get got had has have having he her here him
    his how i if in into is it its itself just know like make me more most my need no nor not now of off on once
    one only or other our out over own same should so some still such tell than that the their them then there
    these they this those through to too under until up use used using very want was way we were what when where
    which while who why will with would you your""".split()
)


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    from Stemmer import Stemmer

    return Stemmer("english")


def terms(text: str) -> list[str]:
    """The stemmed content words of a text, in order; a compound counts as itself and as its parts."""
    found = []
    for word in WORD.findall(text.lower()):
        parts = re.split(r"[-.']", word)
        candidates = [word, *parts] if len(parts) > 1 else parts
        found += [_stem(part) for part in candidates if part not in STOP_WORDS and (len(part) > 1 or part.isdigit())]
    return found


class KeywordIndex:
    """BM25 scores of entries. A `Searcher`.

    Args:
        documents: (entry id, text) of every entry.
    """

    def __init__(self, documents: Sequence[tuple[str, str]]) -> None:
        from rank_bm25 import BM25Okapi

        self._ids = [entry_id for entry_id, _ in documents]
        tokens = [terms(text) for _, text in documents]
        self._vocabulary = set().union(*tokens) if tokens else set()
        # rank-bm25 divides by the number of documents and by their mean length.
        self._ranker = BM25Okapi(tokens) if self._vocabulary else None

    def search(self, question: str, *, limit: int) -> list[Hit]:
        """Entries that share a content word with the question, best first.

        The scores are `keyword` (BM25, at least 0) and `coverage`, the share of the question's
        inverse-document-frequency mass that the best entry's words cover, in 0..1.
        """
        query = terms(question)
        if self._ranker is None or not query:
            return []
        scores = self._ranker.get_scores(query)
        order = scores.argsort(kind="stable")[::-1][:limit]
        unique = dict.fromkeys(query)
        # A word no entry has weighs as much as the rarest: a question full of them is not covered.
        rarest = max(self._ranker.idf.values())
        mass = {word: max(0.0, self._ranker.idf.get(word, rarest)) for word in unique}
        total = sum(mass.values()) or 1.0
        hits: list[Hit] = []
        for row in order:
            if scores[row] <= 0:
                break
            frequencies = self._ranker.doc_freqs[row]
            covered = sum(weight for word, weight in mass.items() if word in frequencies) / total
            hits.append(
                Hit(
                    self._ids[row],
                    f"{self._ids[row]}#0",
                    len(hits) + 1,
                    {"keyword": float(scores[row]), "coverage": covered},
                )
            )
        return hits
