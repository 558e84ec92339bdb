"""A cross-encoder of sentence-transformers as reranker, for those who name one in the settings.

It reads question and entry together, which costs a forward pass an entry and the seconds torch takes
to start, so it is not used unless asked for.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.errors import WeightsError
from rag.types import Hit, Vector

CURE = (
    "Set TUTOR_RERANKER to a folder with a cross-encoder or a name on the hub, or unset it. "
    "Right after an index was built, start again: the build had switched the hub off."
)
CANDIDATES = 10
"""Entries the model reads for a question; the others keep their places behind them."""


class CrossEncoderReranker:
    """Orders the first hits by a cross-encoder's relevance. A `Reranker`.

    Args:
        name: a folder or a name on the model hub, such as cross-encoder/ms-marco-MiniLM-L6-v2.
        passage: the text of the chunk that was found, by its id.
        threads: CPU threads.

    Raises:
        WeightsError: there is no such model here and the hub does not give it.
    """

    def __init__(self, name: str, passage: Callable[[str], str], threads: int) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch
        from sentence_transformers import CrossEncoder
        from transformers.utils import logging

        torch.set_num_threads(threads)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model = CrossEncoder(name, device="cpu")
        except Exception as error:  # transformers raises many kinds for a model it cannot find or read
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
            raise WeightsError(f"The reranker {name!r} cannot be loaded: {reason}.", CURE) from error
        if self._model.num_labels != 1:
            raise WeightsError(f"{name!r} has {self._model.num_labels} labels; a reranker has one.", CURE)
        self._passage = passage

    def rerank(self, question: str, vector: Vector, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with the score `cross`, the first `CANDIDATES` in its order."""
        first, rest = list(hits[:CANDIDATES]), hits[CANDIDATES:]
        if not first:
            return []
        relevance = self._model.predict([(question, self._passage(hit.chunk_id)) for hit in first])
        scored = [
            replace(hit, scores={**hit.scores, "cross": float(value)})
            for hit, value in zip(first, relevance, strict=True)
        ]
        scored.sort(key=lambda hit: -hit.scores["cross"])
        return [replace(hit, rank=rank) for rank, hit in enumerate([*scored, *rest], 1)]
