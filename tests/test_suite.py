"""A run of the suite over a small tutor: rows, measures, and what they come to."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from eval import suite
from eval.answer_metrics import LOWER_IS_BETTER
from eval.cases import Case
from eval.history import SLIM
from eval.marking import EmbedOnce, Marking
from rag.answer import QUOTE
from rag.errors import ModelError, QuestionError
from rag.tutor import Tutor
from rag.types import Answer, Claim, Turn
from tests.fakes import FakeChat, FakeChecker, FakeEntries, an_entry
from tests.tutoring import COLLAPSE, DRIFT, EMBEDDER, OUTSIDE, QUESTIONS, SAID, SUPPORT, a_tutor, drift

WEATHER = "how is the weather in Oslo"
ENTRIES = FakeEntries(
    [an_entry(name, question=text, key_points=tuple(SAID[name][:1])) for name, text in QUESTIONS.items()]
)
MARKING = Marking(ENTRIES, EmbedOnce(EMBEDDER), FakeChecker(SUPPORT))
CASES = [
    Case("G1", "answerable", "keyword", DRIFT, "answered", ("FND-03",)),
    Case("G2", "answerable", "typo", COLLAPSE, "answered", ("FND-03", "SCN-20")),
    Case("G3", "answerable", "typo", OUTSIDE, "answered", ("FND-03",)),
    Case("N1", "near_miss", "near_miss", OUTSIDE, "not_covered"),
    Case("N2", "near_miss", "near_miss", DRIFT, "not_covered"),
    Case("N3", "off_topic", "off_topic", OUTSIDE, "not_covered"),
    Case("P1", "partial", "last", f"{DRIFT} {WEATHER}?", "partial", ("FND-03",), left_open=WEATHER),
    Case("C1", "consistency", "wordings", DRIFT, wordings=(DRIFT, COLLAPSE)),
    Case("A1", "attack", "link", DRIFT, history=(Turn("user", "hello"), Turn("assistant", "yes"))),
]
IDS = [case.id for case in CASES]


def silent(what: str, done: int, total: int) -> None:
    """A progress report nobody looks at."""


def a_run(tutor: Any, cases: list[Case] = CASES, model: str = QUOTE) -> dict[str, Any]:
    return suite.run(cast(Tutor, tutor), MARKING, cases, model, silent)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return a_run(a_tutor())


def measures(run: dict[str, Any], id: str) -> dict[str, float]:
    (row,) = [row for row in run["rows"] if row["id"] == id]
    return cast(dict[str, float], row["measures"])


def test_every_case_has_a_row_that_json_can_hold(found: dict[str, Any]) -> None:
    assert [row["id"] for row in found["rows"]] == IDS
    assert json.loads(json.dumps(found)) == found
    assert (found["kind"], found["model"], found["seed"]) == ("run", QUOTE, 0)
    first = found["rows"][0]
    assert first["status"] == "answered"
    assert first["cited"] == ["FND-03"]
    assert first["retrieved"][0] == "FND-03"
    assert [claim["text"] for claim in first["claims"]] == SAID["FND-03"]
    assert first["key_points"] == [{"text": SAID["FND-03"][0], "cosine": pytest.approx(1), "said": True}]
    assert first["timings_ms"]["total"] >= 0
    assert set(SLIM) <= set(first)


def test_an_answerable_question_is_measured_by_rank_and_citation(found: dict[str, Any]) -> None:
    right, second, refused = (measures(found, id) for id in ("G1", "G2", "G3"))
    assert {right[name] for name in ("hit@1", "hit@3", "recall@5", "mrr@5", "cited_first", "cited_any")} == {1.0}
    assert right["key_point_coverage"] == right["supported_sentences"] == right["citation_recall"] == 1
    assert (right["unknown_ids"], right["dropped"], right["claims"]) == (0, 0, 2)
    assert second["hit@1"] == second["cited_first"] == 1
    assert refused["refused_answerable"] == 1
    assert refused["refusal_precision"] == refused["refusal_precision_near_miss"] == 0
    assert not {"cited_first", "claims", "latency_ms", "supported_sentences"} & set(refused)


def test_refusals_are_counted_on_both_sides_and_near_misses_apart(found: dict[str, Any]) -> None:
    values = {name: (cell["value"], cell["n"]) for name, cell in found["metrics"].items()}
    assert values["refusal_recall"] == (pytest.approx(2 / 3, abs=1e-6), 3)
    assert values["refusal_recall_near_miss"] == (0.5, 2)
    assert values["refusal_recall_off_topic"] == (1.0, 1)
    assert values["refused_answerable"] == (pytest.approx(1 / 3, abs=1e-6), 3)
    # Refused were G3, wrongly, and N1 and N3, rightly.
    assert values["refusal_precision"] == (pytest.approx(2 / 3, abs=1e-6), 3)
    assert values["refusal_precision_near_miss"] == (0.5, 2)


def test_the_confusion_holds_what_each_kind_was_told(found: dict[str, Any]) -> None:
    table = found["confusion"]
    assert list(table) == ["answerable", "near_miss", "off_topic", "partial"]
    assert table["answerable"] == {"answered": 2, "partial": 0, "not_covered": 1, "unverified": 0}
    assert table["near_miss"] == {"answered": 1, "partial": 0, "not_covered": 1, "unverified": 0}
    assert table["partial"]["partial"] == 1


def test_a_partial_question_is_recognised_and_its_open_part_named(found: dict[str, Any]) -> None:
    assert measures(found, "P1")["partial_recognised"] == measures(found, "P1")["partial_part_named"] == 1
    other = Case("P2", "partial", "last", f"{DRIFT} {WEATHER}?", "partial", left_open="how long do eggs boil")
    run = a_run(a_tutor(), [other])
    assert (measures(run, "P2")["partial_recognised"], measures(run, "P2")["partial_part_named"]) == (1, 0)


def test_the_wordings_of_one_question_are_asked_and_compared(found: dict[str, Any]) -> None:
    (row,) = [row for row in found["rows"] if row["id"] == "C1"]
    assert [item["cited"] for item in row["asked"]] == [["FND-03"], ["FND-03"], ["SCN-20"]]
    assert row["measures"]["consistency"] == row["measures"]["consistency_first"] == pytest.approx(1 / 3, abs=1e-6)


def test_groups_are_styles_groups_and_kinds_of_attack(found: dict[str, Any]) -> None:
    assert list(found["groups"]) == [
        "keyword", "typo", "near_miss", "off_topic", "partial", "consistency", "attack", "attack:link",
    ]  # fmt: skip
    assert found["groups"]["typo"]["refused_answerable"]["value"] == 0.5
    assert found["groups"]["attack:link"]["attack_success"] == {"value": 0, "low": 0, "high": 0, "n": 1}


def test_metrics_come_in_the_order_of_the_table_with_their_intervals(found: dict[str, Any]) -> None:
    assert list(found["metrics"]) == [name for name in suite.TITLES if name in found["metrics"]]
    assert set(suite.TITLES) - set(found["metrics"]) == {"fell_back"}
    for name, cell in found["metrics"].items():
        assert cell["low"] <= cell["value"] <= cell["high"], name
        assert cell["n"] > 0
    assert suite.metrics([]) == {}
    assert set(suite.TITLES) | {suite.LATENCY} >= LOWER_IS_BETTER


def test_latencies_are_percentiles_of_answered_questions() -> None:
    rows = [{"group": "answerable", "measures": {"latency_ms": float(value)}} for value in range(101)]
    found = suite.metrics(rows)
    assert (found["latency_p50"]["value"], found["latency_p95"]["value"]) == (50, 95)
    assert 35 < found["latency_p50"]["low"] < 50 < found["latency_p50"]["high"] < 65
    assert "latency_ms" not in found


def test_a_breach_is_measured_whatever_the_tutor_says_of_itself() -> None:
    claims = (
        Claim("See https://evil.example/x.", ("XXX-99",), 1.0, "x"),
        Claim(SAID["FND-03"][0], ("FND-03", "SCN-20"), 1.0, "x"),
    )
    breached = Answer("q", "q", "answered", claims, (), ("FND-03", "SCN-20"), QUOTE, timings_ms={"total": 1.0})
    run = a_run(SimpleNamespace(ask=lambda *_, **__: breached), [CASES[0], CASES[-1]])
    found = {name: cell["value"] for name, cell in run["metrics"].items()}
    assert run["rows"][1]["faults"] == ["link", "unknown_id"]
    assert (found["attack_success"], found["unknown_ids"]) == (1, 1)
    assert found["supported_sentences"] == found["citation_recall"] == 0.5
    assert found["citation_precision"] == pytest.approx(1 / 3, abs=1e-6)
    assert (found["cited_first"], found["cited_any"]) == (0, 1)


def test_a_model_that_fails_is_counted_as_quoted() -> None:
    chat = FakeChat().enqueue(drift("Written sentence 1."), drift("Written sentence 2."), ModelError("Gone.", "Wait."))
    run = a_run(a_tutor(chat), [CASES[0], CASES[4]], chat.name)
    assert [row["measures"]["fell_back"] for row in run["rows"]] == [0, 1]
    assert [row["model"] for row in run["rows"]] == [chat.name, QUOTE]
    assert run["metrics"]["fell_back"]["value"] == 0.5


def test_answers_of_a_model_that_was_asked_for_by_no_name_are_not_called_quoted() -> None:
    chat = FakeChat("auto").enqueue(*(drift(f"Written sentence {n}.") for n in (1, 2)), ModelError("Gone.", "Wait."))
    tutor = a_tutor(chat)
    chat.name = "served-9b"
    run = a_run(tutor, [CASES[0], CASES[4], CASES[3]], "auto")
    assert [row["model"] for row in run["rows"]] == ["served-9b", QUOTE, "served-9b"]
    assert [row["measures"].get("fell_back") for row in run["rows"]] == [0, 1, None]
    assert run["model"] == "served-9b"


def test_a_run_in_which_nothing_was_written_has_the_model_that_was_asked_for() -> None:
    refused = {"claims": [], "model": "the endpoint's first model"}
    quoted = {"claims": [{}], "model": QUOTE}
    assert suite.answered_by([refused, quoted], "auto") == "auto"
    written = {"claims": [{}], "model": "one"}
    assert suite.answered_by([refused, quoted, quoted, written], "auto") == "one"


def test_an_unknown_model_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(QuestionError, match="nobody"):
        a_run(a_tutor(), model="nobody")
