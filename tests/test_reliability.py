"""Calibration and precision against recall, by hand and against scikit-learn."""

import numpy
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve

from eval.reliability import (
    at_border,
    average_precision,
    bins,
    brier_score,
    calibration_error,
    precision_recall,
    wilson_interval,
)

PROBABILITIES = [0.0, 0.05, 0.31, 0.39, 0.9, 0.95, 1.0]
TRUTH = [False, True, False, True, True, True, True]


def many(seed: int) -> tuple[list[float], list[bool]]:
    generator = numpy.random.default_rng(seed)
    scores = numpy.round(generator.random(200), 2)
    return scores.tolist(), (generator.random(200) < scores).tolist()


def test_bins_hold_what_falls_into_them_and_the_last_one_holds_certainty() -> None:
    found = bins(PROBABILITIES, TRUTH)
    assert [(item.low, item.high, item.n) for item in found] == [(0.0, 0.1, 2), (0.3, 0.4, 2), (0.9, 1.0, 3)]
    assert [item.observed for item in found] == [0.5, 0.5, 1.0]
    assert [item.predicted for item in found] == pytest.approx([0.025, 0.35, 0.95])


def test_the_calibration_error_weighs_each_bin_by_its_questions() -> None:
    expected = (2 * (0.5 - 0.025) + 2 * (0.5 - 0.35) + 3 * (1 - 0.95)) / 7
    assert calibration_error(bins(PROBABILITIES, TRUTH)) == pytest.approx(expected)


def test_a_score_that_says_the_base_rate_is_calibrated_and_worth_nothing() -> None:
    truth = [True, False, False, False]
    assert calibration_error(bins([0.25] * 4, truth)) == 0
    assert brier_score([0.25] * 4, truth) == pytest.approx(0.1875)


@pytest.mark.parametrize("seed", range(3))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    scores, truth = many(seed)
    assert brier_score(scores, truth) == pytest.approx(brier_score_loss(truth, scores))
    points = precision_recall(scores, truth)
    assert average_precision(points) == pytest.approx(average_precision_score(truth, scores))
    precision, recall, _ = precision_recall_curve(truth, scores)
    assert [point.precision for point in points] == pytest.approx(precision[:-1][::-1])
    assert [point.recall for point in points] == pytest.approx(recall[:-1][::-1])


def test_equal_scores_are_flagged_together() -> None:
    points = precision_recall([0.9, 0.5, 0.5, 0.1], [True, True, False, False])
    assert [(point.border, point.precision, point.recall) for point in points] == [
        (0.9, 1.0, 0.5), (0.5, pytest.approx(2 / 3), 1.0), (0.1, 0.5, 1.0),
    ]  # fmt: skip


def test_a_border_flags_what_is_above_it_and_may_flag_nothing() -> None:
    scores, truth = [0.9, 0.5, 0.4], [True, False, True]
    found = at_border(scores, truth, 0.5)
    assert found is not None
    assert (found.precision, found.recall) == (1.0, 0.5)
    assert at_border(scores, truth, 0.95) is None


@pytest.mark.parametrize(("share", "n", "low", "high"), [(0.0, 10, 0.0, 0.278), (1.0, 10, 0.722, 1.0),
                                                         (0.5, 100, 0.404, 0.596)])  # fmt: skip
def test_wilsons_interval_stays_inside_0_and_1_and_is_never_empty(
    share: float, n: int, low: float, high: float
) -> None:
    assert wilson_interval(share, n) == pytest.approx((low, high), abs=1e-3)
