"""The lexical index: BM25 (rank-bm25) over whole entries, lower-cased, stemmed, stop words out."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy
from numpy.typing import NDArray

from rag.errors import IndexUnavailable
from rag.types import Hit

FILE = "keyword.npz"

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

    rank-bm25 weighs the words once, when the index is built; the weights are kept as a sparse matrix
    by columns, one slice a word, so that a question adds up a few slices instead of visiting every
    document. The scores are rank-bm25's (Robertson and Zaragoza 2009).

    Args:
        ids: entry ids, by row.
        columns: the column of each word.
        starts: where each column starts, shape (words + 1,).
        rows: the entry of each weight, by column.
        weights: the BM25 weight of the column's word in that entry, its idf included.
        idf: rank-bm25's inverse document frequency of each word.
    """

    def __init__(
        self,
        ids: Sequence[str],
        columns: Mapping[str, int],
        starts: NDArray[numpy.int64],
        rows: NDArray[numpy.int32],
        weights: NDArray[numpy.float64],
        idf: NDArray[numpy.float64],
    ) -> None:
        self._ids = ids
        self._columns = columns
        self._starts = starts
        self._rows = rows
        self._weights = weights
        self._idf = idf
        # A word no entry has weighs as much as the rarest: a question full of them is not covered.
        self._rarest = float(idf.max(initial=0.0))

    @classmethod
    def build(cls, documents: Sequence[tuple[str, str]]) -> "KeywordIndex":
        """Weighs the words of (entry id, text) pairs."""
        from rank_bm25 import BM25Okapi

        tokens = [terms(text) for _, text in documents]
        ids = [entry_id for entry_id, _ in documents]
        postings: dict[str, list[tuple[int, float]]] = {}
        idf: dict[str, float] = {}
        # rank-bm25 divides by the number of documents and by their mean length.
        if any(tokens):
            ranker = BM25Okapi(tokens)
            idf = ranker.idf
            for row, frequencies in enumerate(ranker.doc_freqs):
                norm = ranker.k1 * (1 - ranker.b + ranker.b * ranker.doc_len[row] / ranker.avgdl)
                for word, count in frequencies.items():
                    weight = idf[word] * (count * (ranker.k1 + 1) / (count + norm))
                    postings.setdefault(word, []).append((row, weight))
        columns = {word: column for column, word in enumerate(postings)}
        starts = numpy.cumsum([0, *map(len, postings.values())], dtype=numpy.int64)
        pairs = [pair for column in postings.values() for pair in column]
        rows = numpy.array([row for row, _ in pairs], dtype=numpy.int32)
        weights = numpy.array([weight for _, weight in pairs], dtype=numpy.float64)
        return cls(ids, columns, starts, rows, weights, numpy.array([idf[word] for word in columns]))

    def save(self, folder: Path) -> None:
        """Writes the index into a folder, for `load`."""
        names = json.dumps({"ids": list(self._ids), "words": list(self._columns)}).encode()
        numpy.savez(
            folder / FILE,
            names=numpy.frombuffer(names, dtype=numpy.uint8),
            starts=self._starts,
            rows=self._rows,
            weights=self._weights,
            idf=self._idf,
        )

    @classmethod
    def load(cls, folder: Path) -> "KeywordIndex":
        """Reads what `save` wrote.

        Raises:
            IndexUnavailable: the file is missing or damaged.
        """
        try:
            # NumPy leaves a file open that it cannot make sense of.
            with (folder / FILE).open("rb") as file, numpy.load(file, allow_pickle=False) as saved:
                names = json.loads(saved["names"].tobytes())
                columns = {word: column for column, word in enumerate(names["words"])}
                return cls(names["ids"], columns, saved["starts"], saved["rows"], saved["weights"], saved["idf"])
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, RuntimeError) as error:
            raise IndexUnavailable(
                f"The keyword index in {folder} cannot be read ({error}).", "Run `tutor index --rebuild`."
            ) from error

    def search(self, question: str, *, limit: int) -> list[Hit]:
        """Entries that share a content word with the question, best first.

        The scores are `keyword` (BM25, above 0) and `coverage`, the share of the question's
        inverse-document-frequency mass that the entry's words cover, in 0..1.
        """
        query = terms(question)
        scores, coverage = self.scores(query)
        found = numpy.flatnonzero(scores > 0)
        if found.size > limit:
            least = numpy.partition(scores[found], -limit)[-limit]
            found = found[scores[found] >= least]
        order = found[numpy.argsort(-scores[found], kind="stable")][:limit].tolist()
        parts = [{"keyword": float(scores[row]), "coverage": float(coverage[row])} for row in order]
        return [
            Hit(self._ids[row], f"{self._ids[row]}#0", rank, part)
            for rank, (row, part) in enumerate(zip(order, parts, strict=True), 1)
        ]

    def scores(self, query: Sequence[str]) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
        """BM25 and coverage of every entry for stemmed words, each of shape (entries,)."""
        scores = numpy.zeros(len(self._ids))
        coverage = numpy.zeros(len(self._ids))
        total = 0.0
        for word, times in Counter(query).items():
            column = self._columns.get(word)
            mass = self._rarest if column is None else max(0.0, float(self._idf[column]))
            total += mass
            if column is not None:
                part = slice(self._starts[column], self._starts[column + 1])
                scores[self._rows[part]] += times * self._weights[part]
                coverage[self._rows[part]] += mass
        return scores, coverage / total if total else coverage
