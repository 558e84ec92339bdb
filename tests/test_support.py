"""Whether an entry says what a claim says: every figure is there, and a sentence is near."""

import numpy
import pytest

from rag.support import SentenceSupport, numbers
from rag.types import FollowUp
from tests.fakes import FakeEntries, WordEmbedder, an_entry

EMBEDDER = WordEmbedder()
FIRST = "LoRA trains about 0.1% to 1% of the parameters."
SECOND = "The adapters are small files."
ENTRY = an_entry(
    "LLM-03",
    answer=f"{FIRST} {SECOND}",
    caveat="Often said: 5%. In fact 0.1% to 1%.",
    follow_ups=(FollowUp("Which rank?", "Common values of r are 8 to 16."),),
)


def checker(*texts: str) -> SentenceSupport:
    """Over LLM-03, quotable in these sentences, and EMPTY-1, quotable in none."""
    sentences = [("LLM-03", "Answer", text, EMBEDDER.embed([text])[0]) for text in texts]
    return SentenceSupport(EMBEDDER, FakeEntries([ENTRY, an_entry("EMPTY-1")], *sentences))


def test_a_claim_in_the_entrys_own_words_is_supported_whole() -> None:
    support, quote = checker(FIRST, SECOND).support(SECOND, "LLM-03")
    assert support == pytest.approx(1.0)
    assert quote == f"*{SECOND}*"


def test_the_support_is_the_cosine_of_the_nearest_sentence() -> None:
    claim = "Adapters are tiny files."
    expected = float(EMBEDDER.embed([claim])[0] @ EMBEDDER.embed([SECOND])[0])
    support, quote = checker(FIRST, SECOND).support(claim, "LLM-03")
    assert 0.5 < support < 1
    assert support == pytest.approx(expected)
    assert quote == f"*{SECOND}*"


def test_a_changed_figure_is_not_supported_however_near_the_words_are() -> None:
    near = "LoRA trains about 0.1% to 3% of the parameters."
    assert float(EMBEDDER.embed([near])[0] @ EMBEDDER.embed([FIRST])[0]) > 0.8
    support, quote = checker(FIRST, SECOND).support(near, "LLM-03")
    assert support == 0
    assert quote == f"*{FIRST}*"


@pytest.mark.parametrize("figure", ["5", "16"])
def test_a_figure_of_the_caveat_or_a_follow_up_counts_as_said(figure: str) -> None:
    assert checker(FIRST, SECOND).support(f"LoRA trains about {figure}% of the parameters.", "LLM-03")[0] > 0


def test_an_entry_without_sentences_supports_nothing() -> None:
    assert checker(FIRST).support("Anything.", "EMPTY-1") == (0.0, "")


def test_support_is_never_below_zero() -> None:
    away = numpy.negative(EMBEDDER.embed(["Adapters are files."])[0])
    entries = FakeEntries([ENTRY], ("LLM-03", "Answer", "Something else.", away))
    assert SentenceSupport(EMBEDDER, entries).support("Adapters are files.", "LLM-03")[0] == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        ("no figure", set()),
        ("0.1% to 1%.", {"0.1", "1"}),
        ("4,096 wide, 1,234,567 rows", {"4096", "1234567"}),
        ("4096 wide", {"4096"}),
        ("In 2024, 7B, L2 and F1.", {"2024", "7", "2", "1"}),
        ("version 1.2.3.", {"1.2.3"}),
        ("1, 2, and 3", {"1", "2", "3"}),
    ],
)
def test_numbers_are_read_as_figures_with_thousands_separators_removed(text: str, expected: set[str]) -> None:
    assert numbers(text) == expected
