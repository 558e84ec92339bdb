"""`python -m eval.calibrate`: learns how retrieval scores become the probability that a question is covered.

The weights are learnt from the questions beside the corpus (`asked.jsonl` answered, `outside.jsonl`
open), each judged by everything but itself; where the border lies is chosen on the tune half of the
gold questions, so that a set share of the answerable ones is refused. Prints a `Calibration` for
`rag/catalog.py`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

from eval.gold import of_split, questions
from ingest.build import ASKED
from ingest.questions import open_questions
from rag.catalog import Calibration
from rag.coverage import CoverageModel, ridge_system
from rag.errors import TutorError
from rag.rerank import CANDIDATES, nearness, pooled
from rag.retrieve import lexical_score
from rag.types import Matrix, Understood, Vector
from rag.wiring import Library
from ui.session import open_library, progress_bar, settings

ALONE_SLOPE = 20.0
Scores = NDArray[numpy.float64]


def learn(library: Library, refused: float) -> Calibration:
    """The calibration of a library's embedder; `refused` is the share of answerable tune questions to give up."""
    chunks = [(chunk, vector) for chunk, vector in library.store.chunks()]
    owners = numpy.array([chunk.entry_id for chunk, _ in chunks])
    matrix = numpy.stack([vector for _, vector in chunks])
    rows = [row for row, (chunk, _) in enumerate(chunks) if chunk.kind in ASKED]
    asked = [row for row in rows if chunks[row][0].kind == "asked"]
    left_open = open_questions(library.settings.corpus)
    outside = numpy.concatenate([library.embedder.embed([text]) for text in left_open])
    answered, opened = _left_out(matrix[rows], outside)
    place = {row: number for number, row in enumerate(rows)}
    models = numpy.concatenate([answered[[place[row] for row in asked]], opened])
    texts = [chunks[row][0].text for row in asked] + left_open
    vectors = numpy.concatenate([matrix[asked], outside])
    own = [*asked, *([-1] * len(left_open))]
    scores = numpy.array(
        [
            best_score(library, text, vector, matrix, owners, row)
            for text, vector, row in zip(texts, vectors, own, strict=True)
        ]
    )
    truth = numpy.repeat([1, 0], [len(asked), len(left_open)])
    score, model, _ = _logistic(numpy.stack([scores, models], axis=1), truth)
    alone = [_alone(library, item.question) for item in of_split(questions(), "tune")]
    known = CoverageModel.fit(matrix[rows], outside, owners[rows].tolist(), "")
    together = [score * best + model * known.score(vector) for best, vector in alone]
    return Calibration(
        score=round(score, 2),
        model=round(model, 2),
        bias=round(-float(numpy.quantile(together, refused)), 2),
        alone_slope=ALONE_SLOPE,
        alone_threshold=round(float(numpy.quantile([best for best, _ in alone], refused)), 3),
    )


def best_score(library: Library, text: str, vector: Vector, matrix: Matrix, owners: NDArray[Any], own: int) -> float:
    """The score of the best entry for a question whose own chunk (a row of `matrix`, or -1) is hidden."""
    cosines = matrix @ vector
    if own >= 0:
        cosines[own] = -1.0
    hits = library.keyword.search(text, limit=len(matrix))
    top = max((hit.scores["keyword"] for hit in hits), default=1.0)
    lexical = {hit.entry_id: lexical_score(hit.scores, top) for hit in hits}
    nearest = dict.fromkeys(owners[numpy.argsort(-cosines)[:300]])
    return max(pooled(cosines[owners == entry]) + lexical.get(entry, 0.0) for entry in nearest)


def _left_out(answered: Matrix, left_open: Matrix) -> tuple[Scores, Scores]:
    """The coverage model's score of each of its own questions, had it not known that one.

    For kernel ridge regression: y_i - a_i / ((K + RIDGE / w)^-1)_ii (Cook 1977).
    """
    similar, target = ridge_system(answered, left_open)
    inverse = numpy.linalg.inv(similar)
    scores: Scores = target - (inverse @ target) / numpy.diag(inverse)
    return scores[: len(answered)], scores[len(answered) :]


def _logistic(signals: Scores, truth: NDArray[Any]) -> tuple[float, float, float]:
    from sklearn.linear_model import LogisticRegression

    spread = signals.std(axis=0)
    fitted = LogisticRegression(class_weight="balanced").fit(signals / spread, truth)
    first, second = fitted.coef_[0] / spread
    return float(first), float(second), float(fitted.intercept_[0])


def _alone(library: Library, question: str) -> tuple[float, Vector]:
    retrieval = library.retriever.retrieve(Understood.alone(question), limit=CANDIDATES)
    return max(map(nearness, retrieval.hits)), retrieval.vector


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the option and prints the calibration."""
    parser = argparse.ArgumentParser(prog="python -m eval.calibrate", description=__doc__)
    parser.add_argument("--refused", type=float, default=0.04, help="share of answerable tune questions to give up")
    chosen = parser.parse_args(arguments)
    try:
        with progress_bar() as report:
            library, _ = open_library(settings(), report)
        sys.stdout.write(f"{settings().embedding_model}: {learn(library, chosen.refused)}\n")
    except TutorError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
