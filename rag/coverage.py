"""Which questions the guides answer, and with which entry, learnt from questions they answer and questions they do not.

A near miss shares its subject with an entry and asks for a fact that is not there, so its distance
to the entry says nothing. What tells it apart is that it lies nearer to the questions known to be
open than to those known to be answered. Kernel ridge regression (Saunders et al. 1998) over the
question vectors learns that border:

    f(q) = sum_i a_i exp(SHARPNESS (x_i . q - 1)),   a = (K + RIDGE / w)^-1 y

with y = 1 for an answered question, -1 for an open one, and weights w that give both sides the same say.

The same system learns what tells neighbouring entries apart: for each entry, y = 1 for the questions
it answers and 0 for all others. Cosines treat every direction of the embedding alike; the ways of
asking two entries show in which ones they differ.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy
from numpy.typing import NDArray

from rag.errors import IndexUnavailable
from rag.types import Matrix, Vector

FILE = "coverage.npz"
SHARPNESS = 2.0
RIDGE = 0.3
KEPT = 64
"""Questions whose values are remembered."""


class CoverageModel:
    """How much a question looks like one that is answered (1) or left open (-1), and like those of each entry.

    Args:
        vectors: the questions it was learnt from, shape (questions, dimension).
        weights: the first column for answered or open, then one an entry, shape (questions, 1 + entries).
        entries: the ids of the entries, in the order of the columns.
        key: what it was learnt from, so that a later build can take it over.
    """

    def __init__(self, vectors: Matrix, weights: Matrix, entries: Sequence[str], key: str) -> None:
        self._vectors = vectors
        self._weights = weights
        self._entries = entries
        self.key = key
        # A question is judged twice, by the reranker and after it.
        self._values = lru_cache(maxsize=KEPT)(self._evaluate)

    @classmethod
    def fit(cls, answered: Matrix, left_open: Matrix, owners: Sequence[str], key: str) -> "CoverageModel":
        """Learns from vectors of answered and of open questions, each of shape (count, dimension).

        Args:
            owners: the entry that answers each of the answered ones.
        """
        similar, target = ridge_system(answered, left_open)
        entries = sorted(set(owners))
        place = {entry_id: column for column, entry_id in enumerate(entries, 1)}
        targets = numpy.zeros((len(target), 1 + len(entries)))
        targets[:, 0] = target
        targets[numpy.arange(len(owners)), [place[owner] for owner in owners]] = 1.0
        weights = numpy.linalg.solve(similar, targets).astype(numpy.float32)
        return cls(numpy.concatenate([answered, left_open]), weights, entries, key)

    def score(self, vector: Vector) -> float:
        """About 1 for a question like the answered ones, -1 like the open ones, 0 for one unlike any."""
        return self._values(vector.tobytes())[0]

    def entry_scores(self, vector: Vector) -> dict[str, float]:
        """About 1 for the entry whose questions this one is like, 0 for the others."""
        return dict(zip(self._entries, self._values(vector.tobytes())[1:], strict=True))

    def _evaluate(self, vector: bytes) -> list[float]:
        """All columns for the bytes of a vector."""
        question = numpy.frombuffer(vector, self._vectors.dtype)
        values: list[float] = (kernel(self._vectors, question[None])[:, 0] @ self._weights).tolist()
        return values

    def save(self, folder: Path) -> None:
        """Writes the model into a folder, for `load`."""
        entries, key = numpy.array(json.dumps(list(self._entries))), numpy.array(self.key)
        numpy.savez(folder / FILE, vectors=self._vectors, weights=self._weights, entries=entries, key=key)

    @classmethod
    def load(cls, folder: Path) -> "CoverageModel | None":
        """Reads what `save` wrote; None when nothing was saved.

        Raises:
            IndexUnavailable: the file is damaged.
        """
        if not (folder / FILE).is_file():
            return None
        try:
            with (folder / FILE).open("rb") as file, numpy.load(file, allow_pickle=False) as saved:
                entries = json.loads(str(saved["entries"]))
                return cls(saved["vectors"], saved["weights"], entries, str(saved["key"]))
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, RuntimeError) as error:
            raise IndexUnavailable(
                f"The coverage model in {folder} cannot be read ({error}).", "Run `tutor index --rebuild`."
            ) from error


def ridge_system(answered: Matrix, left_open: Matrix) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
    """K + RIDGE / w, shape (questions, questions), and y, shape (questions,), of the module's formula."""
    vectors = numpy.concatenate([answered, left_open])
    sides = [len(answered), len(left_open)]
    share = len(vectors) / 2 / numpy.repeat(sides, sides)
    similar = kernel(vectors, vectors).astype(numpy.float64)
    similar[numpy.diag_indices(len(vectors))] += RIDGE / share
    return similar, numpy.repeat([1.0, -1.0], sides)


def kernel(left: Matrix, right: Matrix) -> Matrix:
    """exp(SHARPNESS (cosine - 1)) of every pair of unit vectors, shape (left, right)."""
    similar: Matrix = numpy.exp(SHARPNESS * (left @ right.T - 1.0))
    return similar
