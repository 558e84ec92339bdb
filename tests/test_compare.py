"""Two runs are compared question by question, and nothing is called a difference that may be chance."""

from typing import Any

import numpy
import pytest

from eval.compare import compare, matched, paired_bootstrap

COIN = [0.0, 1.0] * 50


def a_row(id: str, group: str = "answerable", **measures: float) -> dict[str, Any]:
    return {"id": id, "group": group, "measures": measures}


def a_run(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"rows": list(rows)}


def test_no_change_at_all_has_no_interval_and_is_certain() -> None:
    assert paired_bootstrap(COIN, COIN) == (0.0, 0.0, 1.0)


def test_a_change_of_every_question_by_the_same_is_not_chance() -> None:
    low, high, p = paired_bootstrap(COIN, [value + 0.1 for value in COIN])
    assert [low, high] == pytest.approx([0.1, 0.1])
    assert p < 0.001


def test_the_interval_is_that_of_the_paired_difference() -> None:
    rng = numpy.random.default_rng(1)
    first = rng.normal(0, 10, 400)
    # Hard and easy questions differ far more than the runs: unpaired, this difference would drown.
    second = first + rng.normal(0.3, 1, 400)
    low, high, p = paired_bootstrap(list(first), list(second))
    middle = float((second - first).mean())
    assert low == pytest.approx(middle - 1.96 / 20, abs=0.02)
    assert high == pytest.approx(middle + 1.96 / 20, abs=0.02)
    assert p < 0.001


def test_p_is_about_that_of_the_normal_distribution() -> None:
    # A mean of 0.2 with a standard error of 0.1: z = 2, p = 0.0455.
    differences = numpy.random.default_rng(2).normal(0, 1, 100)
    differences = (differences - differences.mean()) / differences.std() + 0.2
    low, high, p = paired_bootstrap([0.0] * 100, list(differences))
    assert p == pytest.approx(0.0455, abs=0.01)
    assert [low, high] == pytest.approx([0.2 - 0.196, 0.2 + 0.196], abs=0.02)
    assert paired_bootstrap(list(differences), [0.0] * 100)[2] == pytest.approx(p, abs=0.01)


def test_equal_runs_are_told_apart_about_one_time_in_twenty() -> None:
    rng = numpy.random.default_rng(3)
    shown = 0
    for _ in range(200):
        differences = rng.normal(0, 1, 60)
        shown += paired_bootstrap([0.0] * 60, list(differences), rounds=400)[2] < 0.05
    assert 2 <= shown <= 22


def test_each_measure_is_compared_over_the_rows_that_have_it_in_both() -> None:
    first = a_run(a_row("1", hit=0.0, cited=1.0), a_row("2", hit=1.0), a_row("3", hit=1.0), a_row("lost", hit=0.0))
    second = a_run(a_row("3", hit=1.0), a_row("2", hit=1.0, cited=0.0), a_row("1", hit=1.0), a_row("new", hit=0.0))
    (found,) = compare(first, second, ["cited", "hit", "absent"])
    assert (found.measure, found.n) == ("hit", 3)
    assert [found.first, found.second] == pytest.approx([2 / 3, 1])
    assert found.change == pytest.approx(1 / 3)
    assert found.low == 0
    assert not found.shown


def test_the_same_id_in_another_group_is_another_question() -> None:
    first, second = a_run(a_row("1"), a_row("1", "attack")), a_run(a_row("1", "attack"), a_row("1", "partial"))
    assert [(before["group"], after["group"]) for before, after in matched(first, second)] == [("attack", "attack")]


@pytest.mark.parametrize(("moved", "shown"), [(0, False), (1, False), (12, True)])
def test_a_difference_is_shown_when_its_interval_leaves_out_nothing(moved: int, shown: bool) -> None:
    first = a_run(*(a_row(str(number), hit=0.0) for number in range(40)))
    second = a_run(*(a_row(str(number), hit=float(number < moved)) for number in range(40)))
    (found,) = compare(first, second, ["hit"])
    assert found.shown is shown
    assert (found.p < 0.05) is shown
