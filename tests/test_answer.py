"""Drafts of the guides' own sentences: which are quoted for a question, how many, and in which order."""

import pytest

from rag.answer import FEWEST, LEAD_BONUS, NEAR_TIE, OTHER_ORIGIN_TIE, WINDOW, QuoteWriter
from rag.types import Retrieval, Vector
from tests.fakes import FakeEntries, a_hit, a_retrieval, an_entry, unit

QUESTION = unit(1, *11 * [0])
CAVEAT = "Often said: LoRA trains 5% of the parameters. In fact 0.1% to 1% is typical."


def near(cosine: float, axis: int) -> Vector:
    """A vector with this cosine to the question, and the smallest possible one to those of other axes."""
    values = [cosine, *11 * [0.0]]
    values[axis] = (1 - cosine**2) ** 0.5
    return unit(*values)


def quoted(claims: int, *sentences: tuple[str, str, str, Vector], **scores: float) -> list[str]:
    """What is quoted for a question whose hits have these scores; `DOC_1` is the user's own, the others are guides."""
    names = [name.replace("_", "-") for name in scores]
    origins = ["document" if name.startswith("DOC") else "guide" for name in names]
    found = [an_entry(name, origin=origin) for name, origin in zip(names, origins, strict=True)]
    entries = FakeEntries(found, *sentences)
    drafts = QuoteWriter(entries, claims).write(a_retrieval("Q?", QUESTION, **scores))
    assert [draft.quote for draft in drafts] == [f"*{draft.text}*" for draft in drafts]
    assert all(draft.sources for draft in drafts)
    return [f"{draft.sources[0]} {draft.text}" for draft in drafts]


def in_entry(
    entry_id: str, *cosines: float, section: str = "Why", sign: str = "s"
) -> list[tuple[str, str, str, Vector]]:
    """Sentences s1, s2, … of an entry with these cosines to the question."""
    return [(entry_id, section, f"{sign}{n}", near(cosine, n)) for n, cosine in enumerate(cosines, 1)]


def test_nothing_found_is_nothing_quoted() -> None:
    assert quoted(6) == []


def test_the_nearest_sentences_are_quoted_in_reading_order() -> None:
    assert quoted(2, *in_entry("A-1", 0.6, 0.2, 0.8), A_1=0.9) == ["A-1 s1", "A-1 s3"]


def test_a_sentence_far_behind_the_nearest_is_not_quoted_once_there_are_enough() -> None:
    cosines = [*FEWEST * [0.9], 0.9 - WINDOW + 0.02, 0.9 - WINDOW - 0.02]
    assert quoted(12, *in_entry("A-1", *cosines), A_1=0.9) == [f"A-1 s{n}" for n in range(1, FEWEST + 2)]


def test_a_few_sentences_are_quoted_even_when_only_one_is_near() -> None:
    cosines = [0.9, 0.0, *(FEWEST - 1) * [0.1]]
    assert quoted(12, *in_entry("A-1", *cosines), A_1=0.9) == ["A-1 s1", *(f"A-1 s{n}" for n in range(3, FEWEST + 2))]


def test_the_first_sentences_of_the_answer_are_preferred() -> None:
    sentences = [
        *in_entry("A-1", 0.5, 0.5, section="Answer"),
        *in_entry("A-1", 0.0, 0.0, 0.48 + LEAD_BONUS, sign="late"),
    ]
    assert quoted(2, *sentences, A_1=0.9) == ["A-1 s1", "A-1 s2"]


def test_the_rest_of_the_first_section_is_preferred_a_little() -> None:
    sentences = [*in_entry("A-1", 0.1, 0.1, 0.6, section="Answer"), ("A-1", "Why", "why", near(0.64, 4))]
    assert quoted(1, *sentences, A_1=0.9) == ["A-1 s3"]


def test_of_two_sentences_that_say_the_same_one_is_quoted() -> None:
    again = ("A-1", "Why", "again", near(0.88, 1))
    assert quoted(6, *in_entry("A-1", 0.9, 0.8), again, A_1=0.9) == ["A-1 s1", "A-1 s2"]


def test_a_caveat_is_quoted_whole_with_its_correction() -> None:
    sentences = [*in_entry("LLM-03", 0.4), ("LLM-03", "Caveat", CAVEAT, near(0.9, 2))]
    assert quoted(1, *sentences, LLM_03=0.9) == [f"LLM-03 {CAVEAT}"]


def test_a_near_tie_is_quoted_after_the_best_entry_when_it_has_something_nearer() -> None:
    sentences = [*in_entry("A-1", 0.6, 0.5), *in_entry("B-2", 0.9, 0.8, 0.7, sign="t")]
    assert quoted(6, *sentences, A_1=0.9, B_2=0.91 - NEAR_TIE) == ["A-1 s1", "A-1 s2", "B-2 t1", "B-2 t2"]


def test_a_near_tie_without_anything_nearer_is_not_quoted() -> None:
    sentences = [*in_entry("A-1", 0.6, 0.5), *in_entry("B-2", 0.59, 0.5, sign="t")]
    assert quoted(6, *sentences, A_1=0.9, B_2=0.9) == ["A-1 s1", "A-1 s2"]


def test_an_entry_that_is_no_near_tie_is_not_quoted() -> None:
    sentences = [*in_entry("A-1", 0.6), *in_entry("B-2", 0.9, sign="t")]
    assert quoted(6, *sentences, A_1=0.9, B_2=0.89 - NEAR_TIE) == ["A-1 s1"]


@pytest.mark.parametrize("claims", [1, 2, 3, 4])
def test_there_are_never_more_sentences_than_asked_for_nor_none(claims: int) -> None:
    sentences = [*in_entry("A-1", 0.6, 0.5, 0.5, 0.5), *in_entry("B-2", 0.9, 0.8, sign="t")]
    sentences += in_entry("C-3", 0.9, 0.8, sign="u")
    found = quoted(claims, *sentences, A_1=0.9, B_2=0.9, C_3=0.9)
    assert len(found) == claims
    assert found[0].startswith("A-1")


def test_one_sentence_is_quoted_from_the_best_entry_when_one_is_asked_for_beside_a_near_tie() -> None:
    assert quoted(1, *in_entry("A-1", 0.6), *in_entry("B-2", 0.5), A_1=0.9, B_2=0.9) == ["A-1 s1"]


def test_a_near_tie_steps_in_for_an_entry_without_sentences() -> None:
    assert quoted(6, *in_entry("B-2", 0.5, 0.4), A_1=0.9, B_2=0.9) == ["B-2 s1", "B-2 s2"]


def test_a_document_may_be_a_little_further_behind_a_guide_and_say_it_in_other_words() -> None:
    sentences = [*in_entry("A-1", 0.6, 0.5), *in_entry("DOC-1", 0.55, sign="d"), *in_entry("B-2", 0.55, sign="t")]
    assert quoted(6, *sentences, A_1=0.9, DOC_1=0.91 - OTHER_ORIGIN_TIE) == ["A-1 s1", "A-1 s2", "DOC-1 d1"]
    assert quoted(6, *sentences, A_1=0.9, DOC_1=0.89 - OTHER_ORIGIN_TIE) == ["A-1 s1", "A-1 s2"]
    assert quoted(6, *sentences, A_1=0.9, B_2=0.91 - OTHER_ORIGIN_TIE) == ["A-1 s1", "A-1 s2"]


def test_a_guide_is_quoted_beside_a_document_too_unless_its_words_are_too_far_away() -> None:
    near_enough, too_far = 0.61 - WINDOW, 0.59 - WINDOW
    document = in_entry("DOC-1", 0.6)
    for cosine, shown in ((near_enough, ["DOC-1 s1", "A-1 t1"]), (too_far, ["DOC-1 s1"])):
        assert quoted(6, *document, *in_entry("A-1", cosine, sign="t"), DOC_1=0.9, A_1=0.85) == shown


def test_the_first_sentences_of_a_document_without_headings_are_preferred() -> None:
    sentences = in_entry("DOC-1", 0.5, 0.5, 0.58, section="")
    assert quoted(2, *sentences, DOC_1=0.9) == ["DOC-1 s1", "DOC-1 s2"]


@pytest.mark.parametrize(("cosine", "shown"), [(0.65, ["A-1", "DOC-1"]), (0.5, ["A-1"]), (0.95, ["A-1"])])
def test_guides_and_documents_are_compared_by_their_best_chunks_alone(cosine: float, shown: list[str]) -> None:
    entries = [an_entry("A-1"), an_entry("DOC-1", origin="document")]
    source = FakeEntries(entries, *in_entry("A-1", 0.6), *in_entry("DOC-1", 0.6))
    hits = (a_hit("A-1", score=1.2, cosine=0.7), a_hit("DOC-1", 2, score=0.2, cosine=cosine))
    drafts = QuoteWriter(source, 6).write(Retrieval("Q?", QUESTION, hits))
    assert [draft.sources[0] for draft in drafts] == shown
