"""The real ragas against a judge on a loopback port: its scores by hand, and every way a judge can fail."""

import asyncio
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.judge import REASKED, REPLY_TOKENS, Ragas, load
from eval.samples import FIELDS, JUDGED, KEYLESS, Endpoint, Outcome, Sample
from tests.fakes import WordEmbedder
from tests.judge_server import DATED, HANGS, NAME, JudgeServer, completion, judging
from tests.servers import Reply, failure, refused_url

KEY = "sk-never-shown-4711"
SAMPLE = Sample(
    id="G1",
    question="What is drift?",
    answer="Drift is a change. Cats bark.",
    contexts=("Nothing of use.", "Drift is a change. Compare two windows."),
    context_ids=("SCN-01", "FND-03", "FND-04"),
    reference="Drift is a change. Compare two windows.",
    reference_contexts=("Drift is a change. Compare two windows!", "Something else that nobody has retrieved."),
    reference_ids=("FND-03", "FND-09"),
)
BY_HAND = {
    "faithfulness": (1 / 2, 2),
    "context_precision": (1 / 2, 2),
    "context_recall": (1.0, 1),
    "factual_correctness": (1 / 2, 4),
    "response_groundedness": (1 / 2, 2),
}
"""Score and requests. One statement of two is supported; the useful context comes second; each of the reference's
statements is retrieved; one claim is true, one false, one missing: F1 = 1 / (1 + (1 + 1) / 2)."""


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judging() as judge:
        yield judge


def score(metric: str, endpoint: Endpoint | None, sample: Sample = SAMPLE) -> Outcome:
    """One metric of one sample, with the connections closed afterwards."""

    async def run() -> Outcome:
        scorer = Ragas(WordEmbedder(), endpoint)
        try:
            return await scorer.score(metric, sample)
        finally:
            await scorer.close()

    return asyncio.run(run())


def at(server: JudgeServer, **values: Any) -> Endpoint:
    return Endpoint(NAME, server.url, KEY, **values)


@pytest.mark.parametrize("metric", BY_HAND)
def test_a_metric_is_what_the_judges_verdicts_make_it(server: JudgeServer, metric: str) -> None:
    outcome = score(metric, at(server))
    value, calls = BY_HAND[metric]
    assert outcome.value == pytest.approx(value, abs=1e-6)
    assert (outcome.state, outcome.calls, outcome.tokens_in, outcome.tokens_out, outcome.judge) == (
        "scored", calls, 100 * calls, 10 * calls, DATED,
    )  # fmt: skip
    assert len(server.asked) == calls


def test_relevancy_compares_the_question_with_those_the_answer_answers_by_our_embedder(server: JudgeServer) -> None:
    embedder = WordEmbedder()
    asked, made_up = embedder.embed([SAMPLE.question, "Drift is a change."])
    assert score("response_relevancy", at(server)).value == pytest.approx(float(asked @ made_up), abs=1e-6)
    assert server.forms() == ["AnswerRelevanceOutput"] * 3


def test_a_request_has_a_schema_room_for_a_long_reply_and_the_key(server: JudgeServer) -> None:
    score("faithfulness", at(server))
    for request in server.asked:
        assert request.body["model"] == NAME
        assert request.body["max_tokens"] == REPLY_TOKENS >= 2048
        assert request.body["response_format"]["type"] == "json_schema"
        assert request.body["response_format"]["json_schema"]["schema"]["required"] == ["statements"]
        assert request.headers["authorization"] == f"Bearer {KEY}"
    assert server.asked[1].given["context"] == "\n".join(SAMPLE.contexts)


def test_busy_and_broken_endpoints_are_asked_again(server: JudgeServer) -> None:
    server.replies = [failure(429, retry=True), failure(500, retry=True), None, failure(503, retry=True)]
    assert score("faithfulness", at(server)).value == 0.5
    assert len(server.asked) == 2 + 3


@pytest.mark.parametrize(
    "content", ["I cannot say.", '{"statements": "none"}', '{"verdict": 1}', "", '{"statements": [']
)
def test_a_malformed_reply_is_sent_back_and_the_next_one_counts(server: JudgeServer, content: str) -> None:
    server.replies = [completion(content)]
    assert score("faithfulness", at(server)).value == 0.5
    assert len(server.asked) == 3


def test_a_judge_that_never_keeps_to_the_schema_has_failed(server: JudgeServer) -> None:
    server.always = completion("No JSON from me.")
    outcome = score("context_recall", at(server))
    assert (outcome.state, outcome.value) == ("failed", None)
    assert outcome.why == "the reply did not keep to its schema"
    assert len(server.asked) == 1 + REASKED


def test_a_reply_cut_off_by_its_limit_has_failed(server: JudgeServer) -> None:
    server.always = completion('{"classifications": [', "length")
    outcome = score("context_recall", at(server))
    assert (outcome.state, outcome.why) == ("failed", f"the reply was cut off at {REPLY_TOKENS} tokens")


@pytest.mark.parametrize("metric", ["faithfulness", "context_recall", "factual_correctness", "response_relevancy"])
def test_a_judge_that_names_nothing_gives_nan_and_never_zero(server: JudgeServer, metric: str) -> None:
    server.said = lambda form, verdict: {name: type(value)() for name, value in verdict.items()}
    outcome = score(metric, at(server))
    assert (outcome.state, outcome.value) == ("nan", None)


def test_ratings_out_of_range_give_nan(server: JudgeServer) -> None:
    server.said = lambda form, verdict: {"rating": 7}
    assert score("response_groundedness", at(server)).state == "nan"


def test_a_score_out_of_range_has_failed(server: JudgeServer) -> None:
    server.said = lambda form, verdict: {"classifications": [{"statement": "s", "reason": "r", "attributed": 5}]}
    outcome = score("context_recall", at(server))
    assert (outcome.state, outcome.why) == ("failed", "the score 5 is not between 0 and 1")


@pytest.mark.parametrize("metric", JUDGED)
def test_a_judge_that_hangs_is_left_after_the_time_given(server: JudgeServer, metric: str) -> None:
    server.always = HANGS
    outcome = score(metric, at(server, seconds=0.5, retries=50))
    assert (outcome.state, outcome.value) == ("timeout", None)
    assert 1 <= len(server.asked) <= 2


@pytest.mark.parametrize("metric", JUDGED)
def test_a_refusal_is_told_without_what_the_endpoint_said(
    server: JudgeServer, metric: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.always = failure(401, said=f"{KEY} is wrong")
    outcome = score(metric, at(server))
    assert (outcome.state, outcome.value) == ("failed", None)
    assert outcome.why == "the endpoint answered with status 401"
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err + caplog.text + repr(at(server)) + str(Ragas(WordEmbedder()).identity)


def test_an_endpoint_that_is_not_there_has_failed() -> None:
    outcome = score("faithfulness", Endpoint(NAME, refused_url(), KEY, retries=0))
    assert (outcome.state, outcome.why) == ("failed", "the endpoint cannot be reached or cut the connection")


def test_an_endpoint_that_refuses_schemas_is_asked_in_json_mode_from_then_on(server: JudgeServer) -> None:
    server.replies = [failure(400, said="response_format json_schema is not supported")]
    assert score("faithfulness", at(server)).value == 0.5
    kinds = [request.body["response_format"]["type"] for request in server.asked]
    assert kinds == ["json_schema", "json_object", "json_object"]


def test_an_answer_that_was_refused_is_not_judged_where_it_counts(server: JudgeServer) -> None:
    silent = replace(SAMPLE, answer="")
    for metric in FIELDS:
        outcome = score(metric, at(server), silent)
        assert (outcome.state == "refused") == ("response" in FIELDS[metric]), metric
    assert set(server.forms()) == {"ContextPrecisionOutput", "ContextRecallOutput"}


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("id_context_precision", 1 / 3),  # FND-03 of three retrieved
        ("id_context_recall", 1 / 2),  # FND-03 of two wanted
        ("non_llm_context_recall", 1 / 2),  # one text of two is nearly among the retrieved
    ],
)
def test_metrics_over_ids_and_strings_need_no_judge(metric: str, value: float) -> None:
    outcome = score(metric, None)
    assert (outcome.state, outcome.value, outcome.calls) == ("scored", value, 0)


def test_similarity_is_the_cosine_of_our_embedder() -> None:
    first, second = WordEmbedder().embed([SAMPLE.answer, SAMPLE.reference])
    assert score("semantic_similarity", None).value == pytest.approx(float(first @ second), abs=1e-6)


def test_nothing_retrieved_gives_nan() -> None:
    outcome = score("id_context_precision", None, replace(SAMPLE, context_ids=()))
    assert (outcome.state, outcome.value) == ("nan", None)


def test_a_metric_that_needs_a_judge_fails_without_one() -> None:
    assert score("faithfulness", None).state == "failed"


def test_every_metric_is_known_to_ragas_under_the_fields_we_give_it(server: JudgeServer) -> None:
    for metric in JUDGED | KEYLESS:
        outcome = score(metric, at(server))
        assert outcome.state == "scored", (metric, outcome.why)
        assert outcome.value is not None
        assert math.isfinite(outcome.value)


def test_nothing_is_reported_and_no_id_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    load()
    from ragas import _analytics

    _analytics.get_userid.cache_clear()
    _analytics.do_not_track.cache_clear()
    assert _analytics.get_userid().startswith("anonymous-")
    assert _analytics.do_not_track()
    assert os.environ["RAGAS_DO_NOT_TRACK"] == "true"
    assert list(tmp_path.iterdir()) == []


def test_their_logs_stay_silent(server: JudgeServer, capfd: pytest.CaptureFixture[str]) -> None:
    server.always = Reply({"error": "secret words"}, 500, headers={"retry-after-ms": "1"})
    score("faithfulness", at(server))
    logging.getLogger("ragas.metrics").warning("secret words")
    assert "secret words" not in "".join(capfd.readouterr())
