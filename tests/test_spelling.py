"""Mistyped words become words of the guides; everything that English or the guides know stays."""

import pytest

from rag.spelling import Speller, count_words, known

GUIDE = (
    "Overfitting shrinks with regularization. SMOTE makes synthetic samples. The gradient vanishes, "
    "which stops learning. Precision and recall, xgboost, wasserstein distance, model leakage, GDPR."
)


@pytest.fixture(scope="module")
def speller() -> Speller:
    return Speller(count_words([GUIDE]))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("regularzation", "regularization"),
        ("wich one", "which one"),
        ("the modle", "the model"),
        ("gpdr", "gdpr"),
        ("xgbost?", "xgboost?"),
        ("wasertein", "wasserstein"),
        ("leekage, precison", "leakage, precision"),
        ("Gradeint", "gradient"),
    ],
)
def test_a_mistyped_word_of_the_guides_is_put_right(speller: Speller, typed: str, meant: str) -> None:
    assert speller.correct(typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        "what is the capital of France",  # English words the guides do not have
        "nvme yolo pacf",  # short names near to nothing that was meant
        "ControlNet PSI MEA",  # names and abbreviations
        "we weren't sure, the model's gradient",
        "smote recall xgboost",
        "2024-05-01 x_train f(x)",
        "",
    ],
)
def test_what_is_no_slip_stays_as_it_is(speller: Speller, text: str) -> None:
    assert speller.correct(text) == text


def test_a_speller_without_texts_changes_nothing() -> None:
    assert Speller({}).correct("wich modle") == "wich modle"


def test_english_knows_common_endings() -> None:
    assert known("model")
    assert known("hiccups")
    assert not known("modle")
