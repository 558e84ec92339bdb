"""What a claim changes in its source's words: each rule on claims a person would write."""

import pytest

from rag.rules import Compared, Signals, broken, calculated, related, rising, same, signals
from rag.wording import Figure, Text, opposites, restates, stem_of


def values(text: str) -> list[float]:
    return [figure.value for figure in Text(text).figures]


def compared(claim: str, source: str, entry: str = "") -> Signals:
    """The signals of a claim whose source is one sentence, every word weighing the same."""
    own, theirs = Text(claim), Text(source)
    found = signals(
        Compared(own, theirs, [theirs], [theirs], Text(f"{source} {entry}")), {w.stem: 1.0 for w in own.content}
    )
    return {**found, "recall": 1.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no figure", []),
        ("half of them, 50%, 0.5 and fifty percent", [0.5, 0.5, 0.5, 0.5]),
        ("2,000 rows, 2 thousand rows, 2k rows, two thousand rows", [2000, 2000, 2000, 2000]),
        ("7B weights, 1.5 million users, $50M", [7e9, 1.5e6, 5e7]),
        ("a rate of 1e-3 or 0.001", [0.001, 0.001]),
        ("one in twenty, 3 of 10, four fifths, three quarters", [0.05, 0.3, 0.8, 0.75]),
        ("twice as often, a tenfold gain", [2, 10]),
        ("twenty-five layers and seventy two heads", [25, 72]),
        ("one of them in one way", []),
        ("the third stage takes a third of the time", [1 / 3]),
        ("L2 and F1 are names, and so is version 2 of GPT-4", [2, 4]),
        ("4 bits, ten", [4, 10]),
    ],
)
def test_figures_are_read_however_they_are_written(text: str, expected: list[float]) -> None:
    assert values(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("claim", "source", "expected"),
    [
        ("half", "50%", True),
        ("1 in 20", "5 percent", True),
        ("27 of 30", "90%", True),
        ("0.27", "27%", True),
        ("10 percent", "20 percent", False),
        ("30", "0.3 percent", False),
        ("5 points", "50 points", False),
    ],
)
def test_figures_are_the_same_by_value_and_not_by_spelling(claim: str, source: str, expected: bool) -> None:
    assert same(Text(claim).figures[0], Text(source).figures[0]) is expected


@pytest.mark.parametrize(
    ("claim", "source", "expected"),
    [(0.065, 65, True), (0.02, 50, True), (0.9, 0.1, True), (90, 10, True), (16, 17, False), (3, 5, False)],
)
def test_a_figure_may_be_another_in_other_units_its_inverse_or_its_rest(
    claim: float, source: float, expected: bool
) -> None:
    assert related(Figure(claim, "count"), Figure(source, "count")) is expected


def test_a_figure_may_be_calculated_from_two_of_the_source() -> None:
    said = Text("from 512 to 128 tokens").figures
    assert calculated(Figure(4, "count"), said)
    assert calculated(Figure(384, "count"), said)
    assert not calculated(Figure(5, "count"), said)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The clip threshold is commonly 10.", "The clip threshold is commonly 1.3 in practice."),
        ("It runs 5x faster.", "It runs faster."),
        ("About 7 layers are enough.", "About 13 layers are enough."),
    ],
)
def test_a_figure_that_is_nowhere_in_the_source_breaks_a_rule(claim: str, source: str) -> None:
    assert broken(compared(claim, source)) == "a figure that is not in the source"


def test_a_figure_of_a_distant_sentence_is_missing_but_founded() -> None:
    found = compared("The rank is 16.", "The rank is small.", entry="Common ranks are 8 and 16.")
    assert (found["figures_missing"], found["figures_nowhere"], broken(found)) == (1, 0, "")


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("A low threshold raises recall.", "A low threshold lowers recall."),
        ("Clip the gradients before scaling.", "Clip the gradients after scaling."),
        ("Expensive homes are overvalued.", "Expensive homes are undervalued."),
    ],
)
def test_a_word_turned_into_its_opposite_breaks_a_rule(claim: str, source: str) -> None:
    assert broken(compared(claim, source)) == "a word turned into its opposite"


def test_an_opposite_with_a_negation_may_say_the_same() -> None:
    found = compared("The effect is not large.", "The effect is small.")
    assert found["opposite"] == 1
    assert found["turned_once"] == 0
    assert broken(found) == ""


def test_an_opposite_in_a_claim_that_shares_little_else_decides_nothing() -> None:
    assert broken({**compared("Large gains follow.", "The effect is small."), "recall": 0.2}) == ""


def test_a_negation_added_dropped_or_moved_is_counted() -> None:
    plain, denied = "Retraining removes skew.", "Retraining never removes skew."
    assert compared(denied, plain)["negation_added"] == 1
    assert compared(plain, denied)["negation_dropped"] == 1
    assert compared(plain, denied)["negation_moved"] >= 1
    assert compared(plain, plain)["negation_differs"] == 0
    assert compared("It isn't stable.", "It is stable.")["negation_added"] == 1


def test_certainty_beyond_a_hedged_source_is_an_overclaim() -> None:
    hedged = "Reranking often helps."
    assert compared("Reranking always helps.", hedged)["overclaim"] == 1
    assert compared("Reranking always helps.", "Reranking always helps.")["overclaim"] == 0
    assert compared("Reranking usually helps.", hedged)["overclaim"] == 0
    assert compared("Reranking helps.", hedged)["hedges_dropped"] == 1


def test_an_exchanged_unit_is_seen() -> None:
    assert compared("It takes 3 weeks.", "It takes 3 days.")["units_changed"] == 1
    assert compared("It takes 3 days.", "It takes 3 days.")["units_changed"] == 0
    assert compared("It takes 3 days and 2 GB.", "It takes 3 days.")["units_changed"] == 0


def test_two_words_exchanged_fall_in_order_and_a_moved_clause_does_not() -> None:
    source = "Use bagging when a flexible model overfits because averaging reduces variance."
    exchanged = "Use variance when a flexible model overfits because averaging reduces bagging."
    moved = "Because averaging reduces variance, use bagging when a flexible model overfits."
    assert compared(source, source)["falls"] == 0
    assert compared(moved, source)["falls"] == 0
    assert compared(exchanged, source)["falls"] > 0
    assert compared(exchanged, source)["fall"] >= 3


def test_words_torn_from_their_clause_are_counted() -> None:
    source = "Ridge shrinks weights, whereas Lasso removes features."
    assert compared("Ridge removes features, whereas Lasso shrinks weights.", source)["parted"] > 0
    assert compared("Lasso removes features, whereas Ridge shrinks weights.", source)["parted"] == 0


def test_a_name_and_a_formula_that_the_entry_lacks_are_counted() -> None:
    source = "The search finds candidates with `p > C_FP / (C_FP + C_FN)`."
    found = compared("The search uses FAISS and `p > C_FN / (C_FP + C_FN)`.", source)
    assert (found["names_nowhere"], found["formulas_missing"]) == (1, 1)
    assert compared("The search tests p > C_FP / (C_FP + C_FN).", source)["formulas_missing"] == 0
    known = compared("The search uses FAISS.", source, entry="FAISS is a library.")
    assert (known["names_nowhere"], known["names_missing"]) == (0, 1)


def test_a_claim_laid_beside_its_source_shows_what_was_put_in_and_left_out() -> None:
    found = compared("Freeze the backbone with PyTorch.", "First freeze the backbone.")
    assert found["left_out"] == 1
    assert found["put_in"] == 2
    assert compared("Freeze it.", "Freeze it.")["kept"] == 1


@pytest.mark.parametrize(("values", "length"), [([], 0), ([3, 1, 2, 5, 4], 3), ([5, 4, 3], 1), ([1, 1, 1], 1)])
def test_the_longest_rising_part_is_strict(values: list[int], length: int) -> None:
    assert rising(values) == length


def test_opposites_go_both_ways_and_none_is_its_own() -> None:
    table = opposites()
    assert stem_of("lower") in table[stem_of("raise")]
    assert all(word in table[other] for word, others in table.items() for other in others)
    assert all(word not in others for word, others in table.items())


SAID = "If labels are late, sample a few, because a small random sample usually tells within days that quality fell."


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (SAID, True),
        ("A random sample usually tells within days that quality fell.", True),
        ("Since a small random sample usually tells within days that quality fell, sample a few.", False),
        ("A small random sample tells within days that quality fell.", False),
        ("A small random sample usually tells that quality fell.", True),
        ("A small random sample usually tells within weeks that quality fell.", False),
        ("A small random sample never usually tells within days that quality fell.", False),
        ("If labels are late, that quality fell.", False),
        ("A small random sample usually tells within 3 days that quality fell.", False),
    ],
)
def test_a_claim_may_leave_something_out_and_nothing_else(claim: str, expected: bool) -> None:
    assert restates(Text(claim), Text(SAID)) is expected


def test_neither_a_negation_nor_the_condition_of_what_is_kept_may_be_left_out() -> None:
    assert not restates(Text("Retraining removes skew."), Text("Retraining never removes skew."))
    assert not restates(Text("Retraining helps."), Text("Retraining helps only if labels exist."))
    assert restates(Text("Retraining helps."), Text("Retraining helps, says the guide."))
