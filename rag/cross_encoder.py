"""Cross-encoders of sentence-transformers, for those who name one in the settings.

One reads two texts together: a question and an entry, to rerank, or a passage and a sentence, to say
whether the one follows from the other. That costs a forward pass a pair and the seconds torch takes
to start, so none is used unless asked for.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from rag.errors import WeightsError
from rag.types import Hit, Vector

CURE = (
    "Set {setting} to a folder with a cross-encoder or a name on the hub, or unset it. "
    "Right after an index was built, start again: the build had switched the hub off."
)
CANDIDATES = 10
"""Entries the model reads for a question; the others keep their places behind them."""
ENTAILMENT = "entailment"


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
        self._model = _loaded("reranker", name, "TUTOR_RERANKER", threads)
        if self._model.num_labels != 1:
            cure = CURE.format(setting="TUTOR_RERANKER")
            raise WeightsError(f"{name!r} has {self._model.num_labels} labels; a reranker has one.", cure)
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


class EntailmentModel:
    """Says whether a sentence follows from a passage: natural-language inference (Bowman et al. 2015).

    The model is loaded when it is first asked, so who only quotes never waits for it or hears that it is missing.

    Args:
        name: a folder or a name on the model hub, such as cross-encoder/nli-deberta-v3-base.
        threads: CPU threads.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._lock = Lock()
        self._ready: tuple[Any, int] | None = None
        self._failed: tuple[str, str] | None = None

    def entails(self, passage: str, sentence: str) -> float:
        """The probability that the sentence follows from the passage, in 0..1.

        Raises:
            WeightsError: there is no such model here and the hub does not give it, or it has no label "entailment".
        """
        model, column = self._load()
        found = model.predict([(passage, sentence)], apply_softmax=True)
        return float(found[0][column])

    def _load(self) -> tuple[Any, int]:
        """The model and the column of its label; one that failed is not tried again, which would take seconds."""
        with self._lock:
            if self._failed:
                raise WeightsError(*self._failed)
            if self._ready is None:
                try:
                    self._ready = self._read()
                except WeightsError as error:
                    self._failed = error.message, error.cure
                    raise
            return self._ready

    def _read(self) -> tuple[Any, int]:
        model = _loaded("entailment model", self._name, "TUTOR_ENTAILMENT_MODEL", self._threads)
        labels = {str(label).lower(): number for number, label in model.config.id2label.items()}
        if ENTAILMENT not in labels:
            known = ", ".join(sorted(labels))[:100]
            cure = CURE.format(setting="TUTOR_ENTAILMENT_MODEL")
            raise WeightsError(f"{self._name!r} has no label {ENTAILMENT!r}, only {known}.", cure)
        return model, int(labels[ENTAILMENT])


def _loaded(what: str, name: str, setting: str, threads: int) -> Any:
    """The cross-encoder of that name; `what` it is for and its `setting` are named in the error."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    torch.set_num_threads(threads)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return CrossEncoder(name, device="cpu")
    except Exception as error:  # transformers raises many kinds for a model it cannot find or read
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        cure = CURE.format(setting=setting)
        raise WeightsError(f"The {what} {name!r} cannot be loaded: {reason}.", cure) from error
