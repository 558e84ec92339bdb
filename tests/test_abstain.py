"""Whether the entries found answer a question: nearness, and what the coverage model knows of guide questions."""

import math

import numpy
import pytest

from rag.abstain import Abstention, logistic
from rag.catalog import TABLE
from rag.coverage import CoverageModel
from rag.types import Hit, Matrix, Origin
from tests.fakes import CALIBRATION, a_hit, unit

VECTOR = unit(1, 0)
OTHER = unit(0, 1)
ORIGINS: dict[str, Origin] = {"FND-01": "guide", "SCN-02": "guide", "MY-1": "document", "MY-2": "document"}
GUIDE, DOCUMENT = a_hit("FND-01", score=0.5, dense=0.9), a_hit("MY-1", score=0.5, dense=0.9)


def knowing(score: float) -> CoverageModel:
    """A coverage model that gives `VECTOR` this score."""
    known: Matrix = VECTOR[None]
    return CoverageModel(known, numpy.array([[score]], dtype=numpy.float32), [], "")


def probability(model: CoverageModel | None, *hits: Hit) -> float:
    return Abstention(model, CALIBRATION, ORIGINS.__getitem__).probability(VECTOR, hits)


def odds(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_without_hits_nothing_answers_the_question() -> None:
    assert probability(None) == probability(knowing(1.0)) == 0.0


def test_a_guide_entry_is_judged_by_its_score_and_the_coverage_model() -> None:
    assert probability(knowing(0.6), GUIDE) == pytest.approx(odds(10 * 0.5 + 4 * 0.6 - 5))
    assert probability(knowing(-0.6), GUIDE) == pytest.approx(odds(10 * 0.5 - 4 * 0.6 - 5))


def test_what_the_classifier_takes_off_an_entry_does_not_make_it_less_near() -> None:
    behind = a_hit("FND-01", score=0.4, classified=-0.1, dense=0.9)
    assert probability(knowing(0.6), behind) == pytest.approx(probability(knowing(0.6), GUIDE))


def test_a_near_entry_is_refused_for_a_question_known_to_be_open_and_taken_for_an_answered_one() -> None:
    model = CoverageModel.fit(answered=VECTOR[None], left_open=OTHER[None], owners=["FND-01"], key="")
    judge = Abstention(model, CALIBRATION, ORIGINS.__getitem__)
    assert judge.probability(OTHER, [GUIDE]) < 0.5 < judge.probability(VECTOR, [GUIDE])


def test_without_a_coverage_model_a_guide_entry_is_judged_by_its_score_alone() -> None:
    assert probability(None, GUIDE) == pytest.approx(odds(20 * (0.5 - 0.4)))


def test_a_document_is_judged_by_its_score_alone_whatever_the_model_knows_of_the_guides() -> None:
    expected = pytest.approx(odds(20 * (0.5 - 0.4)))
    assert probability(knowing(-1.0), DOCUMENT) == expected
    assert probability(knowing(1.0), DOCUMENT) == expected


@pytest.mark.parametrize("name", ["FND-01", "MY-1"])
def test_without_a_model_a_score_at_the_threshold_is_as_likely_covered_as_not(name: str) -> None:
    assert probability(None, a_hit(name, score=0.4)) == pytest.approx(0.5)
    assert probability(None, a_hit(name, score=0.39)) < 0.5 < probability(None, a_hit(name, score=0.41))


@pytest.mark.parametrize("name", ["FND-01", "MY-1"])
def test_the_best_score_of_all_hits_counts_wherever_it_stands(name: str) -> None:
    best, worse = a_hit(name, score=0.7), a_hit({"FND-01": "SCN-02", "MY-1": "MY-2"}[name], score=0.2)
    model = knowing(0.1)
    assert probability(model, worse, best) == probability(model, best, worse) == probability(model, best)
    assert probability(model, best) > probability(model, worse)


def test_either_the_guides_or_the_documents_may_answer_and_neither_lends_the_other_its_score() -> None:
    model = knowing(-0.9)
    near_guide, far_document = a_hit("FND-01", score=0.7), a_hit("MY-1", score=0.3)
    refused = probability(model, near_guide, far_document)
    assert refused == max(probability(model, near_guide), probability(model, far_document)) < 0.5
    far_guide, near_document = a_hit("FND-01", score=0.3), a_hit("MY-1", score=0.7)
    assert probability(model, far_guide, near_document) == probability(model, near_document) > 0.5


@pytest.mark.parametrize("name", sorted(TABLE))
def test_of_each_embedder_a_near_entry_to_an_answered_question_is_covered_and_a_far_one_is_not(name: str) -> None:
    for model in (None, knowing(0.5)):
        judge = Abstention(model, TABLE[name].calibration, ORIGINS.__getitem__)
        assert judge.probability(VECTOR, [a_hit("FND-01", score=0.7)]) > 0.9
        assert judge.probability(VECTOR, [a_hit("FND-01", score=0.0)]) < 0.1


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, 0.5), (math.log(3), 0.75), (-math.log(3), 0.25), (40.0, 1.0), (-40.0, 0.0)]
)
def test_the_logistic_turns_log_odds_into_a_probability(value: float, expected: float) -> None:
    assert logistic(value) == pytest.approx(expected, abs=1e-12)
