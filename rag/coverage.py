"""Which questions the guides answer, learnt from questions they answer and questions they do not.

A near miss shares its subject with an entry and asks for a fact that is not there, so its distance
to the entry says nothing. What tells it apart is that it lies nearer to the questions known to be
open than to those known to be answered. Kernel ridge regression (Saunders et al. 1998) over the
question vectors learns that border:

    f(q) = sum_i a_i exp(SHARPNESS (x_i . q - 1)),   a = (K + RIDGE / w)^-1 y

with y = 1 for an answered question, -1 for an open one, and weights w that give both sides the same say.
"""

from pathlib import Path
from zipfile import BadZipFile

import numpy
from numpy.typing import NDArray

from rag.errors import IndexUnavailable
from rag.types import Matrix, Vector

FILE = "coverage.npz"
SHARPNESS = 2.0
RIDGE = 0.3


class CoverageModel:
    """How much a question looks like one that is answered (1) or left open (-1).

    Args:
        vectors: the questions it was learnt from, shape (questions, dimension).
        weights: one a question, shape (questions,).
        key: what it was learnt from, so that a later build can take it over.
    """

    def __init__(self, vectors: Matrix, weights: NDArray[numpy.float32], key: str) -> None:
        self._vectors = vectors
        self._weights = weights
        self.key = key

    @classmethod
    def fit(cls, answered: Matrix, left_open: Matrix, key: str) -> "CoverageModel":
        """Learns from vectors of answered and of open questions, each of shape (count, dimension)."""
        vectors = numpy.concatenate([answered, left_open])
        similar, target = ridge_system(answered, left_open)
        weights: NDArray[numpy.float32] = numpy.linalg.solve(similar, target).astype(numpy.float32)
        return cls(vectors, weights, key)

    def score(self, vector: Vector) -> float:
        """About 1 for a question like the answered ones, -1 like the open ones, 0 for one unlike any."""
        return float(kernel(self._vectors, vector[None])[:, 0] @ self._weights)

    def save(self, folder: Path) -> None:
        """Writes the model into a folder, for `load`."""
        numpy.savez(folder / FILE, vectors=self._vectors, weights=self._weights, key=numpy.array(self.key))

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
                return cls(saved["vectors"], saved["weights"], str(saved["key"]))
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
