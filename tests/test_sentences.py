"""Prose to sentences: where a sentence ends, where it does not, and how it is shown."""

import pytest

from ingest.sentences import plain, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Use PSI. It is cheap.", ["Use PSI.", "It is cheap."]),
        ("Is it drift? Yes! Retrain.", ["Is it drift?", "Yes!", "Retrain."]),
        ("Ask for more data. 10 rows are few.", ["Ask for more data.", "10 rows are few."]),
        ("Call `fit`. `predict` comes later.", ["Call `fit`.", "`predict` comes later."]),
        ('He says "stop." The run ends. (Then rest.) Go on.',
         ['He says "stop."', "The run ends.", "(Then rest.)", "Go on."]),
        ("No full stop at the end", ["No full stop at the end"]),
        ("", []),
        (" \n ", []),
    ],
)  # fmt: skip
def test_text_is_cut_after_each_sentence(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@pytest.mark.parametrize(
    "text",
    [
        "A rate of 0.05 is common, and 3.5 times as much is rare.",
        "Use a tree model, e.g. XGBoost, on tables.",
        "Compare precision vs. Recall at one threshold.",
        "Shrinkage (cf. Ridge) lowers variance by approx. 10 percent.",
        "Write `a. B` in the cell and it stays whole.",
        "The file model.py holds it.",
        "It grows ... and then stops.",
    ],
)
def test_abbreviations_decimals_and_code_do_not_end_a_sentence(text: str) -> None:
    assert split_sentences(text) == [text]


def test_line_breaks_inside_a_sentence_are_folded() -> None:
    assert split_sentences("Drift is\n  a change\tof inputs.\nIt hurts.") == [
        "Drift is a change of inputs.",
        "It hurts.",
    ]


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("**Target encoding** replaces a city.", "Target encoding replaces a city."),
        ("It is *not* the **same**.", "It is not the same."),
        ("Call `fit` on **`train`** only.", "Call `fit` on `train` only."),
        ("The product 2 * 3 * 4 is 24.", "The product 2 * 3 * 4 is 24."),
        ("No marks here.", "No marks here."),
    ],
)
def test_marks_of_emphasis_are_not_shown(markdown: str, shown: str) -> None:
    assert plain(markdown) == shown


@pytest.mark.parametrize(
    "formula", ["F1 is `2*p*r / (p+r)`.", "A bootstrap leaves out `(1 - 1/n)**n`, near `e**-1`.", "It is `*args`."]
)
def test_asterisks_inside_code_stay_because_they_multiply(formula: str) -> None:
    assert plain(formula) == formula


def test_emphasis_around_code_goes_and_the_code_stays() -> None:
    assert plain("**The cost `a*b*c`** is *high*.") == "The cost `a*b*c` is high."
