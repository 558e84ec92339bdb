"""What a judge is said to cost, against what it is really asked by ragas."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from eval.estimate import Estimate, estimate, tokens
from eval.judge import Ragas
from eval.judging import score_all
from eval.samples import JUDGED, KEYLESS, Endpoint, Sample
from eval.verdicts import VERDICT, ModelJudge
from rag.llm import OpenAIModel
from tests.conftest import silent
from tests.fakes import WordEmbedder
from tests.judge_server import NAME, JudgeServer, judging

SENTENCE = "Compare the distribution of each feature in two windows with the population stability index."
CONTEXT = " ".join([SENTENCE] * 40)
SAMPLE = Sample(
    "1", "How do I detect drift?", " ".join([SENTENCE] * 3), (CONTEXT,) * 5, reference=" ".join([SENTENCE] * 4)
)


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judging() as judge:
        yield judge


@pytest.mark.parametrize("metric", JUDGED)
def test_the_estimate_is_near_what_is_sent(server: JudgeServer, metric: str) -> None:
    scorer = Ragas(WordEmbedder(), Endpoint(NAME, server.url, "k"))
    score_all(scorer, [SAMPLE], [metric], None, 1, silent)
    sent = sum(tokens(message["content"]) for request in server.asked for message in request.body["messages"])
    sent += sum(tokens(json.dumps(request.body["response_format"])) for request in server.asked)
    about = estimate([SAMPLE], [metric])
    assert about.calls == len(server.asked)
    assert about.tokens_in == pytest.approx(sent, rel=0.05)
    assert 0 < about.tokens_out < about.tokens_in


def test_the_estimate_of_a_verdict_is_near_what_is_sent(server: JudgeServer) -> None:
    model = OpenAIModel(NAME, "k", server.url, 400, 60)
    score_all(ModelJudge(model, Endpoint(NAME, server.url, "k")), [SAMPLE], [VERDICT], None, 1, silent)
    (request,) = server.asked
    sent = sum(tokens(message["content"]) for message in request.body["messages"])
    sent += tokens(json.dumps(request.body["response_format"]))
    about = estimate([SAMPLE], [VERDICT])
    assert about.calls == 1
    assert about.tokens_in == pytest.approx(sent, abs=12)


def test_samples_and_metrics_add_up() -> None:
    one, two = estimate([SAMPLE], ["faithfulness"]), estimate([SAMPLE], ["context_recall"])
    both = estimate([SAMPLE, SAMPLE], ["faithfulness", "context_recall"])
    assert both.calls == 2 * (one.calls + two.calls)
    assert both.tokens_in == pytest.approx(2 * (one.tokens_in + two.tokens_in), abs=4)


def test_what_needs_no_judge_and_what_is_not_judged_costs_nothing() -> None:
    refused = Sample("1", SAMPLE.question, "", SAMPLE.contexts, reference=SAMPLE.reference)
    assert estimate([SAMPLE], list(KEYLESS)) == Estimate(0, 0, 0)
    assert estimate([refused], ["faithfulness", "response_groundedness"]) == Estimate(0, 0, 0)
    assert estimate([refused], ["context_precision"]).calls == 5
    quoted = replace(SAMPLE, fell_back=True)
    assert [estimate([quoted], [metric]).calls for metric in ("faithfulness", "context_recall")] == [0, 1]


def test_prices_are_for_a_million_tokens_and_speeds_for_a_second() -> None:
    about = Estimate(10, 2_000_000, 500_000)
    assert about.cost(0.4, 1.6) == pytest.approx(0.8 + 0.8)
    assert about.seconds(1000, 100) == pytest.approx(2000 + 5000)
