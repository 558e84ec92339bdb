"""A real RAGAS run with a real judge: the local model, two samples. It is weak: only the protocol is asserted."""

from pathlib import Path

import pytest

from eval.judge import Ragas
from eval.judging import WorkFile, score_all, spent, summary
from eval.samples import Endpoint, Sample
from eval.verdicts import VERDICT, ModelJudge
from ingest.prepare import prepare_local_model
from rag.catalog import LOCAL, LOCAL_MODEL
from rag.llm import OpenAIModel
from rag.local_llm import LocalServer
from rag.settings import Settings
from tests.conftest import HOME, silent
from tests.fakes import WordEmbedder

pytestmark = pytest.mark.slow

CONTEXT = (
    "Gradient clipping compares the norm of the whole gradient with a threshold, commonly 1.0, and scales the "
    "gradient down to that length whenever it is longer."
)
SAMPLES = [
    Sample("right", "What does gradient clipping do?", "It scales a gradient down that is too long.", (CONTEXT,),
           reference="Gradient clipping rescales the gradient when its norm is above a threshold."),
    Sample("wrong", "What does gradient clipping do?", "It doubles the learning rate on Mondays.", (CONTEXT,),
           reference="Gradient clipping rescales the gradient when its norm is above a threshold."),
]  # fmt: skip
METRICS = ("faithfulness", "response_groundedness")


def test_the_local_model_judges_two_samples_through_ragas(tmp_path: Path) -> None:
    prepare_local_model(Settings(home=HOME), silent)
    file = HOME / "models" / LOCAL_MODEL.name / LOCAL_MODEL.files[0].name
    server = LocalServer(file, 2, context=8192)
    try:
        address, key, _ = server.start()
        endpoint = Endpoint(LOCAL, address, key, seconds=900, weights=LOCAL_MODEL.hash)
        scorer = Ragas(WordEmbedder(), endpoint)
        work = WorkFile(tmp_path, scorer.identity)
        found = score_all(scorer, SAMPLES, METRICS, work, 1, silent)
        model = OpenAIModel(LOCAL, key, address, 400, 300)
        verdicts = score_all(ModelJudge(model, endpoint), SAMPLES, [VERDICT], None, 1, silent)
    finally:
        server.close()
    for metric, row in summary(found, METRICS).items():
        assert row["n"] == row["scored"] + row["nan"] + row["failed"] + row["timeout"] == 2, metric
        assert row["scored"] >= 1, row["reasons"]
        assert 0 <= row["value"] <= 1
    used = spent(found)
    assert used["calls"] >= 8
    assert used["tokens_in"] > 1000
    assert used["tokens_out"] > 0
    assert used["answered_as"] == [LOCAL]
    assert len(work.read()) == sum(row["scored"] + row["nan"] for row in summary(found, METRICS).values())
    assert all(each[VERDICT].state == "scored" for each in verdicts), verdicts
