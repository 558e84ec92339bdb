"""RAGAS over samples: the metrics that need no judge, those that do, or both."""

from collections.abc import Sequence
from pathlib import Path

from eval.judge import Ragas
from eval.judging import Scores, WorkFile, score_all
from eval.samples import JUDGED, KEYLESS, Endpoint, Sample
from rag.types import Embedder
from rag.weights import Report


def keyless_scores(
    embedder: Embedder, samples: Sequence[Sample], report: Report, metrics: Sequence[str] = tuple(KEYLESS)
) -> list[Scores]:
    """The metrics that need no judge, of every sample: over ids, strings, and the tutor's own embedder.

    Raises:
        ResourceError: the evaluation packages are not installed.
    """
    return score_all(Ragas(embedder), samples, metrics, None, 1, report)


def ragas_scores(
    embedder: Embedder,
    samples: Sequence[Sample],
    metrics: Sequence[str],
    endpoint: Endpoint | None,
    folder: Path,
    parallel: int,
    report: Report,
) -> list[Scores]:
    """All of these metrics of every sample.

    Args:
        endpoint: the judge, for the metrics that need one.
        folder: where finished scores of judges are kept, so that a run that stopped goes on.
        parallel: requests to the judge at a time.

    Raises:
        ModelError: the judge has failed from the first sample on.
        ResourceError: the evaluation packages are not installed, or the folder cannot be written.
    """
    found = keyless_scores(embedder, samples, report, [name for name in metrics if name in KEYLESS])
    judged = [name for name in metrics if name in JUDGED]
    if endpoint and judged:
        scorer = Ragas(embedder, endpoint)
        more = score_all(scorer, samples, judged, WorkFile(folder, scorer.identity), parallel, report)
        found = [{**one, **other} for one, other in zip(found, more, strict=True)]
    return found
