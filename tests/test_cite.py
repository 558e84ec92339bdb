"""The gate: what becomes a claim, what is left out, which ids a claim keeps, and what is left of its text."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from rag.answer import Draft
from rag.cite import NEARNESS, UNSHOWABLE, Checked, Gate
from rag.support import SUPPORTED
from rag.types import Claim, FollowUp, Sentence
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
OWN = Sentence("LLM-03", 0, "Answer", SAID, f"*{SAID}*")
LATER = Sentence("LLM-03", 4, "Answer", "Later.", "*Later.*")
LATEST = Sentence("LLM-03", 5, "Answer", "Latest.", "*Latest.*")
FARTHEST = Sentence("LLM-03", 2, "Answer", "Far.", "*Far.*")
OTHER = Sentence("FND-03", 0, "Answer", "Another.", "*Another.*")
WEAK = SUPPORTED - 0.001
TABLE = {("good", "LLM-03"): 0.9, ("good", "FND-03"): 0.7, ("good", "SCN-09"): 0.2, ("weak", "LLM-03"): WEAK}


def checked(
    text: str,
    *sources: str,
    table: Mapping[tuple[str, str], float] = TABLE,
    quote: str = "",
    retrieved: Sequence[str] = RETRIEVED,
) -> tuple[Claim, bool]:
    """The one sentence of a draft: what is shown, or what failed, and whether it is shown."""
    (found,) = every(text, *sources, table=table, quote=quote, retrieved=retrieved)
    assert bool(found.claims) != bool(found.failed)
    return (found.claims[0], True) if found.claims else (cast(Claim, found.failed), False)


def every(
    text: str,
    *sources: str,
    table: Mapping[tuple[str, str], float] = TABLE,
    quote: str = "",
    retrieved: Sequence[str] = RETRIEVED,
    near: Mapping[tuple[str, str], tuple[float, Sequence[Sentence]]] | None = None,
) -> list[Checked]:
    return Gate(ENTRIES, FakeChecker(table, near or {})).check(Draft(text, sources, quote), retrieved)


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
    assert checked("good", "SCN-09") == (Claim("good", (), 0.0, ""), False)
    assert checked("weak", "LLM-03") == (Claim("weak", (), 0.0, ""), False)
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
    assert checked(text, "LLM-03", table=supported("")) == (Claim(UNSHOWABLE, (), 0.0, ""), False)


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


def test_the_guides_own_sentences_take_the_place_of_one_that_says_nearly_the_same() -> None:
    near = {("weak", "LLM-03"): (0.7, [LATER, LATEST, OWN, FARTHEST]), ("weak", "FND-03"): (0.9, [OTHER])}
    # The three nearest, in reading order.
    shown = tuple(Claim(own.text, ("LLM-03",), 1.0, own.quote) for own in (OWN, LATER, LATEST))
    assert every("weak", "LLM-03", near=near) == [Checked(shown, Claim("weak", (), 0.0, OWN.quote))]
    assert every("weak", "LLM-03", "FND-03", near=near) == [
        Checked((Claim("Another.", ("FND-03",), 1.0, OTHER.quote),), Claim("weak", (), 0.0, OTHER.quote))
    ]


@pytest.mark.parametrize(("cosine", "shown"), [(NEARNESS, True), (NEARNESS - 0.001, False)])
def test_a_sentence_far_from_its_source_is_left_out_and_nothing_takes_its_place(cosine: float, shown: bool) -> None:
    (found,) = every("weak", "LLM-03", near={("weak", "LLM-03"): (cosine, [OWN])})
    assert bool(found.claims) is shown


@pytest.mark.parametrize("text", ["weak onload=alert(1)", "weak SCN-48", "weak"])
def test_nothing_takes_the_place_of_what_is_left_out_for_its_ids_or_its_looks(text: str) -> None:
    sources = ("LLM-03",) if text != "weak" else ("SCN-99", "LLM-03")
    near = {(text, source): (0.9, [OWN]) for source in RETRIEVED}
    assert every(text, *sources, near=near) == [Checked((), Claim(text, (), 0.0, ""))]


def test_each_sentence_of_a_draft_is_judged_by_itself() -> None:
    table = {("One is true.", "LLM-03"): 0.9, ("Three is true.", "FND-03"): 0.8}
    text = "One is true. Two is not! Three is true."
    assert every(text, "LLM-03", "FND-03", table={**table, (text, "LLM-03"): 1.0}) == [
        Checked((Claim("One is true.", ("LLM-03",), 0.9, "passage of LLM-03"),)),
        Checked((), Claim("Two is not!", (), 0.0, "")),
        Checked((Claim("Three is true.", ("FND-03",), 0.8, "passage of FND-03"),)),
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Use clipping, e.g. at 1.0, i.e. the norm vs. the value.", 1),
        ("Adam at 1e-3. Then decay.", 2),
        ('He said "stop." Then it ended.', 2),
        ("Is it drift? Yes. 5% is enough.", 3),
        ("See Sec. 3.2 of He et al. 2016", 1),
        ("Loss of 0.5 and 0.7 at v1.2 stays one", 1),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, count: int) -> None:
    assert len(every(text, "LLM-03")) == count


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
