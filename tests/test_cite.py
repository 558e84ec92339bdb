"""The gate: what becomes a claim, what is left out, which ids a claim keeps, and what is left of its text."""

from collections.abc import Mapping, Sequence

import pytest

from rag.answer import Draft
from rag.cite import Gate
from rag.support import SUPPORTED
from rag.types import Claim, FollowUp
from tests.fakes import FakeChecker, FakeEntries, an_entry, unit

RETRIEVED = ("LLM-03", "FND-03", "SCN-09")
SAID = "Clip the gradient at 1.0."
ENTRIES = FakeEntries(
    [
        an_entry("LLM-03", title="The GPT-99 family", answer="Hash with SHA-256.", key_points=("Use FP-16.",)),
        an_entry("FND-03", follow_ups=(FollowUp("Which of AB-77?", "Take AB-78."),), caveat="Not AB-79."),
        an_entry("SCN-09"),
    ],
    ("LLM-03", "Answer", SAID, unit(1, 0)),
    ("LLM-03", "Answer", "![a picture](x.png)", unit(1, 0)),
    ("FND-03", "Answer", "Another.", unit(1, 0)),
)  # fmt: skip
WEAK = SUPPORTED - 0.001
TABLE = {("good", "LLM-03"): 0.9, ("good", "FND-03"): 0.7, ("good", "SCN-09"): 0.2, ("weak", "LLM-03"): WEAK}


def checked(
    text: str,
    *sources: str,
    table: Mapping[tuple[str, str], float] = TABLE,
    quote: str = "",
    retrieved: Sequence[str] = RETRIEVED,
) -> tuple[Claim, bool]:
    return Gate(ENTRIES, FakeChecker(table)).check(Draft(text, sources, quote), retrieved)


def supported(text: str) -> dict[tuple[str, str], float]:
    """A checker's table by which every entry says this."""
    return {(text, entry_id): 1.0 for entry_id in RETRIEVED}


def test_a_supported_sentence_becomes_a_claim_with_its_support_and_passage() -> None:
    assert checked("good", "LLM-03") == (Claim("good", ("LLM-03",), 0.9, "passage of LLM-03"), True)


def test_a_claim_keeps_only_the_ids_that_support_it_and_the_passage_that_does_so_best() -> None:
    assert checked("good", "SCN-09", "FND-03", "LLM-03") == (
        Claim("good", ("FND-03", "LLM-03"), 0.9, "passage of LLM-03"),
        True,
    )


@pytest.mark.parametrize("sources", [("SCN-99",), ("LLM-03", "SCN-99"), ("SCN-99", "LLM-03"), ("llm-03",), ("None",)])
def test_a_sentence_that_names_an_id_that_was_not_retrieved_is_left_out(sources: tuple[str, ...]) -> None:
    assert checked("good", *sources) == (Claim("good", (), 0.0, ""), False)


def test_an_entry_of_the_guides_that_was_not_retrieved_does_not_count_either() -> None:
    assert checked("good", "LLM-03", retrieved=["SCN-09"]) == (Claim("good", (), 0.0, ""), False)


def test_a_sentence_without_ids_is_left_out() -> None:
    assert checked("good") == (Claim("good", (), 0.0, ""), False)


def test_a_sentence_its_source_does_not_support_is_left_out_and_cites_nothing() -> None:
    assert checked("good", "SCN-09") == (Claim("good", (), 0.2, "passage of SCN-09"), False)
    assert checked("weak", "LLM-03") == (Claim("weak", (), WEAK, "passage of LLM-03"), False)
    assert checked("unheard of", "LLM-03") == (Claim("unheard of", (), 0.0, ""), False)


def test_support_at_the_threshold_is_enough() -> None:
    claim, fine = checked("edge", "LLM-03", table={("edge", "LLM-03"): SUPPORTED})
    assert (claim.sources, fine) == (("LLM-03",), True)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("good [LLM-03] [SCN-99]", "good"),
        ("- good", "good"),
        ("[good](http://evil.test/x)", "good"),
        ("<b>good</b>", "good"),
        ("go\u200bod \u202e", "good"),
        ("good ![x](http://evil.test/a.png)", "good"),
    ],
)
def test_a_sentence_is_made_plain_before_it_is_checked_and_shown(written: str, read: str) -> None:
    assert checked(written, "LLM-03") == (Claim(read, ("LLM-03",), 0.9, "passage of LLM-03"), True)


@pytest.mark.parametrize(
    "text", ["", "  ", "[SCN-14]", "<script>alert(1)</script>", "![x](http://evil.test)", "\u200b"]
)
def test_a_sentence_of_which_nothing_is_left_is_left_out(text: str) -> None:
    claim, fine = checked(text, "LLM-03", table=supported(""))
    assert (claim.sources, claim.support, fine) == ((), 0.0, False)


@pytest.mark.parametrize("text", ["good onload=alert(1)", "good @import it", "good \\ ]( x", "good $$x$$"])
def test_what_stays_suspicious_after_cleaning_is_left_out_however_well_it_is_supported(text: str) -> None:
    assert checked(text, "LLM-03", table=supported(text)) == (Claim(text, (), 0.0, ""), False)


@pytest.mark.parametrize("text", ["As SCN-48 says, clip it.", "As SCN‑48 says, clip it.", "Read ADMIN-01 first."])
def test_a_sentence_that_speaks_of_an_entry_nobody_found_is_left_out(text: str) -> None:
    assert checked(text, "LLM-03", table=supported(text)) == (Claim(text, (), 0.0, ""), False)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("SHA-256 is a hash.", "LLM-03"),
        ("The GPT-99 are large.", "LLM-03"),
        ("FP-16 halves it.", "LLM-03"),
        ("Of AB-77 take AB-78, never AB-79.", "FND-03"),
    ],
)
def test_a_name_like_an_id_may_stand_in_a_sentence_when_the_cited_entry_says_it(text: str, source: str) -> None:
    assert checked(text, source, table=supported(text))[1]
    assert not checked(text, "SCN-09", table=supported(text))[1]


def test_the_id_of_a_retrieved_entry_may_stand_in_a_sentence() -> None:
    text = "SCN-09 says the same."
    assert checked(text, "LLM-03", table=supported(text))[1]


def test_a_quotation_that_stands_in_the_entry_needs_no_further_check() -> None:
    assert checked(SAID, "LLM-03", quote=f"*{SAID}*", table={}) == (Claim(SAID, ("LLM-03",), 1.0, f"*{SAID}*"), True)


def test_a_quotation_is_shown_letter_for_letter() -> None:
    text = "![a picture](x.png)"
    assert checked(text, "LLM-03", quote=f"*{text}*") == (Claim(text, ("LLM-03",), 1.0, f"*{text}*"), True)


def test_a_quotation_cites_the_entry_it_stands_in_and_no_other() -> None:
    claim, fine = checked(SAID, "SCN-09", "LLM-03", quote=f"*{SAID}*")
    assert (claim.sources, fine) == (("LLM-03",), True)


@pytest.mark.parametrize(
    ("text", "sources", "quote"),
    [
        (SAID, (), f"*{SAID}*"),
        (SAID, ("SCN-99",), f"*{SAID}*"),
        (SAID, ("LLM-03", "SCN-99"), f"*{SAID}*"),
        (SAID, ("FND-03",), f"*{SAID}*"),
        (SAID, ("SCN-09",), f"*{SAID}*"),
        (SAID, ("LLM-03",), SAID),
        (SAID.replace("1.0", "7.5"), ("LLM-03",), f"*{SAID}*"),
        ("good", ("LLM-03",), "anything"),
    ],
)
def test_what_calls_itself_a_quotation_and_is_none_is_left_out_even_if_supported(
    text: str, sources: tuple[str, ...], quote: str
) -> None:
    assert checked(text, *sources, quote=quote, table=supported(text)) == (Claim(text, (), 0.0, ""), False)
