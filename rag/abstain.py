"""Whether the entries found can answer the question at all, as a probability."""

import math
from collections.abc import Callable, Sequence

from rag.catalog import Calibration
from rag.coverage import CoverageModel
from rag.rerank import nearness
from rag.types import Hit, Origin, Vector


class Abstention:
    """Judges the hits of a question.

    Guide entries are judged by how near they are and by the coverage model, which knows what sort of
    question the guides leave open. It knows nothing of a user's documents, so those are judged by
    nearness alone.

    Args:
        model: the coverage model of the index; None when it was built without open questions.
        calibration: the weights for this embedder.
        origin_of: where an entry comes from, by its id.
    """

    def __init__(
        self, model: CoverageModel | None, calibration: Calibration, origin_of: Callable[[str], Origin]
    ) -> None:
        self._model = model
        self._calibration = calibration
        self._origin_of = origin_of

    def probability(self, vector: Vector, hits: Sequence[Hit]) -> float:
        """The probability that the best of these hits answers the question; 0 without hits."""
        best: dict[Origin, float] = {}
        for hit in hits:
            origin = self._origin_of(hit.entry_id)
            best[origin] = max(best.get(origin, -1.0), nearness(hit))
        return max((self._of(origin, score, vector) for origin, score in best.items()), default=0.0)

    def _of(self, origin: Origin, score: float, vector: Vector) -> float:
        weights = self._calibration
        if origin == "document" or self._model is None:
            return logistic(weights.alone_slope * (score - weights.alone_threshold))
        return logistic(weights.score * score + weights.model * self._model.score(vector) + weights.bias)


def logistic(value: float) -> float:
    """1 / (1 + e^-value)."""
    return 1 / (1 + math.exp(-value))
