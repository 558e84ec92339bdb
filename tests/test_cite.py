"""The gate: what becomes a claim, what is left out, and which ids a claim keeps."""

import pytest

from rag.answer import Draft
from rag.cite import resolve
from rag.support import SUPPORTED, SentenceSupport
from rag.types import Claim
from tests.fakes import FakeChecker, FakeEntries, WordEmbedder, an_entry

RETRIEVED = ["LLM-03", "FND-03", "SCN-09"]
CHECKER = FakeChecker(
    {("good", "LLM-03"): 0.9, ("good", "FND-03"): 0.7, ("good", "SCN-09"): 0.2, ("weak", "LLM-03"): SUPPORTED - 0.001}
)


def test_a_supported_sentence_becomes_a_claim_with_its_support_and_passage() -> None:
    shown, left_out = resolve([Draft("good", ("LLM-03",))], RETRIEVED, CHECKER)
    assert shown == [Claim("good", ("LLM-03",), 0.9, "passage of LLM-03")]
    assert left_out == []


def test_a_claim_keeps_only_the_ids_that_support_it() -> None:
    shown, _ = resolve([Draft("good", ("SCN-09", "FND-03", "LLM-03"))], RETRIEVED, CHECKER)
    assert shown == [Claim("good", ("FND-03", "LLM-03"), 0.9, "passage of LLM-03")]


@pytest.mark.parametrize("sources", [("SCN-99",), ("LLM-03", "SCN-99"), ("llm-03",), ("None",)])
def test_a_sentence_that_names_an_id_that_was_not_retrieved_is_left_out(sources: tuple[str, ...]) -> None:
    shown, left_out = resolve([Draft("good", sources)], RETRIEVED, CHECKER)
    assert shown == []
    assert left_out == [Claim("good", (), 0.0, "")]


def test_a_sentence_without_ids_is_left_out() -> None:
    assert resolve([Draft("good", ())], RETRIEVED, CHECKER) == ([], [Claim("good", (), 0.0, "")])


def test_a_sentence_its_source_does_not_support_is_left_out_without_a_citation() -> None:
    shown, left_out = resolve([Draft("good", ("SCN-09",)), Draft("weak", ("LLM-03",))], RETRIEVED, CHECKER)
    assert shown == []
    assert [(claim.text, claim.sources) for claim in left_out] == [("good", ()), ("weak", ())]


def test_support_at_the_threshold_is_enough() -> None:
    shown, _ = resolve([Draft("edge", ("LLM-03",))], RETRIEVED, FakeChecker({("edge", "LLM-03"): SUPPORTED}))
    assert [claim.sources for claim in shown] == [("LLM-03",)]


def test_a_quotation_of_a_retrieved_entry_needs_no_further_check() -> None:
    shown, _ = resolve([Draft("text", ("LLM-03",), "**text**")], RETRIEVED, FakeChecker({}))
    assert shown == [Claim("text", ("LLM-03",), 1.0, "**text**")]


@pytest.mark.parametrize("sources", [(), ("SCN-99",)])
def test_a_quotation_without_a_retrieved_id_is_left_out(sources: tuple[str, ...]) -> None:
    shown, left_out = resolve([Draft("text", sources, "**text**")], RETRIEVED, FakeChecker({}))
    assert (shown, len(left_out)) == ([], 1)


def test_the_order_of_the_drafts_is_kept_on_both_sides() -> None:
    drafts = [Draft(text, ("LLM-03",)) for text in ("bad 1", "good", "bad 2")] + [Draft("q", ("FND-03",), "q")]
    shown, left_out = resolve(drafts, RETRIEVED, CHECKER)
    assert [claim.text for claim in shown] == ["good", "q"]
    assert [claim.text for claim in left_out] == ["bad 1", "bad 2"]


def test_nothing_in_nothing_out() -> None:
    assert resolve([], RETRIEVED, CHECKER) == ([], [])


def test_a_flipped_number_is_left_out_and_the_right_one_shown() -> None:
    embedder = WordEmbedder()
    said = "LoRA trains about 0.1% to 1% of the parameters."
    entries = FakeEntries([an_entry("LLM-03", answer=said)], ("LLM-03", "Answer", said, embedder.embed([said])[0]))
    drafts = [Draft("LoRA trains about 0.1% to 3% of the parameters.", ("LLM-03",)), Draft(said, ("LLM-03",))]
    shown, left_out = resolve(drafts, RETRIEVED, SentenceSupport(embedder, entries))
    assert [claim.text for claim in shown] == [said]
    assert [(claim.text, claim.support) for claim in left_out] == [(drafts[0].text, 0.0)]
