"""The JSON of an answer: its documented shape, what is rounded and counted, and the way back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from rag.shape import answer_from_dict, answer_to_dict
from rag.types import Answer, Claim, Source

CLAIM = Claim("Drift is a change of the inputs.", ("FND-03", "QNA-09"), 0.97126, "**Drift** is a change of the inputs.")
QUOTED = Claim("Inputs change.", ("FND-03",), 1.0, "Inputs change.")
ANSWER = Answer(
    question="and then?",
    standalone_question="What is drift: and then?",
    status="partial",
    claims=(CLAIM,),
    sources=(Source("FND-03", "Data drift", "foundations"),),
    retrieved=("FND-03", "FND-07"),
    model="small",
    notices=("A notice.",),
    timings_ms={"retrieve": 12.3456, "total": 20.0},
    dropped_claims=(QUOTED, QUOTED),
    message="A part is open.",
    quoted=(QUOTED,),
    related=(Source("FND-07", "Retraining", "foundations"),),
    choices=("Which drift?", "Which inputs?"),
    uncovered=("the weather",),
    covered=0.81249,
)
SHAPE = {
    "question": "and then?",
    "standalone_question": "What is drift: and then?",
    "status": "partial",
    "text": "Drift is a change of the inputs. [FND-03] [QNA-09] A part is open.",
    "message": "A part is open.",
    "claims": [
        {
            "text": "Drift is a change of the inputs.",
            "sources": ["FND-03", "QNA-09"],
            "support": 0.9713,
            "quote": "**Drift** is a change of the inputs.",
        }
    ],
    "quoted": [{"text": "Inputs change.", "sources": ["FND-03"], "support": 1.0, "quote": "Inputs change."}],
    "sources": [{"id": "FND-03", "title": "Data drift", "guide": "foundations"}],
    "related": [{"id": "FND-07", "title": "Retraining", "guide": "foundations"}],
    "choices": ["Which drift?", "Which inputs?"],
    "uncovered": ["the weather"],
    "covered": 0.812,
    "retrieved": ["FND-03", "FND-07"],
    "model": "small",
    "notices": ["A notice."],
    "dropped_claims": 2,
    "timings_ms": {"retrieve": 12.3, "total": 20.0},
}


def test_the_json_of_an_answer_has_the_documented_shape_in_order() -> None:
    values = answer_to_dict(ANSWER)
    assert values == SHAPE
    assert list(values) == list(SHAPE)


def test_the_json_of_an_answer_survives_a_round_trip() -> None:
    assert json.loads(json.dumps(answer_to_dict(ANSWER))) == SHAPE


def test_the_json_of_a_refusal_shows_no_source() -> None:
    values = answer_to_dict(Answer("q", "q", "not_covered", (), (), ("FND-03",), "quote", message="No."))
    assert (values["claims"], values["sources"], values["text"], values["message"]) == ([], [], "No.", "No.")
    assert (values["quoted"], values["related"], values["choices"], values["uncovered"]) == ([], [], [], [])


def test_an_answer_is_read_back_as_it_was_but_for_what_is_rounded_and_counted() -> None:
    found = answer_from_dict(SHAPE)
    rounded = replace(
        ANSWER, claims=(replace(CLAIM, support=0.9713),), covered=0.812, timings_ms={"retrieve": 12.3, "total": 20.0}
    )
    assert found == replace(rounded, dropped_claims=())
    assert answer_from_dict(SHAPE, ANSWER.dropped_claims) == rounded
    assert {type(value) for value in (found.claims, found.claims[0].sources, found.retrieved, found.choices)} == {tuple}


@pytest.mark.parametrize("key", sorted(set(SHAPE) - {"text", "dropped_claims"}))
def test_nothing_that_an_answer_needs_may_be_missing(key: str) -> None:
    with pytest.raises(KeyError, match=key):
        answer_from_dict({name: value for name, value in SHAPE.items() if name != key})


@pytest.mark.parametrize(
    "change",
    [{"claims": None}, {"claims": [1]}, {"sources": [{"id": "A-1"}]}, {"related": [{"id": "A", "more": 1}]}],
)
def test_another_shape_is_no_answer(change: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        answer_from_dict({**SHAPE, **change})
