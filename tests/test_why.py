"""Why an entry stands behind an answer, in words and figures."""

from rag.types import Claim
from tests.fakes import a_hit
from ui.why import why_rows, why_sentence, why_summary

SCORES = {
    "dense": 0.9,
    "cosine": 0.82,
    "keyword": 7.0,
    "coverage": 0.671,
    "lexical": 0.104,
    "pooled": 0.7,
    "score": 0.804,
}
HITS = [a_hit("SCN-09", 1, **SCORES), a_hit("FND-02", 2, **{**SCORES, "pooled": 0.5, "score": 0.6, "cross": 2.5})]


def test_the_summary_has_the_rank_and_both_parts() -> None:
    assert why_summary(HITS, "SCN-09") == "Rank 1: meaning 0.70, words 0.10"


def test_each_part_of_the_score_has_its_row() -> None:
    rows = {name: (value, said) for name, value, said in why_rows(HITS, "SCN-09")}
    assert {name: value for name, (value, _) in rows.items()} == {
        "Rank": "1 of 2", "Meaning": "0.70", "Nearest passage": "0.82", "Words": "0.10", "Score": "0.80",
    }  # fmt: skip
    assert "67%" in rows["Words"][1]


def test_a_cross_encoder_has_a_row_when_there_is_one() -> None:
    assert ("Cross-encoder", "2.50", "question and entry read together") in why_rows(HITS, "FND-02")


def test_what_the_classifier_takes_off_has_a_row_when_it_is_something() -> None:
    behind = a_hit("LLM-01", 3, **{**SCORES, "classified": -0.052})
    assert ("Classifier", "-0.05", "its way of asking is more like another entry's") in why_rows([behind], "LLM-01")
    first = a_hit("LLM-01", 3, **{**SCORES, "classified": 0.0})
    assert "Classifier" not in [name for name, *_ in why_rows([first], "LLM-01")]


def test_hits_that_were_never_reranked_go_by_their_dense_score() -> None:
    plain = {name: value for name, value in SCORES.items() if name != "pooled"}
    assert why_summary([a_hit("SCN-09", 3, **plain)], "SCN-09") == "Rank 3: meaning 0.90, words 0.10"


def test_an_entry_found_for_a_part_of_the_question_says_so() -> None:
    assert why_summary(HITS, "LLM-01") == "Found for a part of the question"
    assert why_rows(HITS, "LLM-01") == []


def test_a_sentence_is_quoted_or_supported_so_far() -> None:
    assert why_sentence(None) == ""
    assert "word for word" in why_sentence(Claim("A.", ("SCN-09",), 1.0, "A."))
    assert "0.87 of 1" in why_sentence(Claim("A.", ("SCN-09",), 0.871, "B."))
