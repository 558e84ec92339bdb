"""BM25 over entries: the scores are rank-bm25's, the coverage is ours."""

import math
from pathlib import Path

import pytest
from rank_bm25 import BM25Okapi

from rag.errors import IndexUnavailable
from rag.keyword import FILE, KeywordIndex, terms

DOCUMENTS = [
    ("FND-03", "Data drift means that the distribution of the inputs changes."),
    ("FND-04", "Concept drift means that the relation of inputs and label changes."),
    ("QNA-07", "The PR-AUC is preferred over the ROC-AUC under class imbalance."),
    ("SCN-09", "The loss becomes NaN: clip the gradients and lower the learning rate."),
    ("SCN-20", "Mode collapse: the generator always draws the same face."),
    ("CON-02", "L1 makes weights sparse, L2 makes weights small."),
]
QUESTIONS = [
    "What is data drift?",
    "drift of the inputs, drift of the label",
    "pr-auc or roc-auc",
    "my loss is NaN",
    "changes",
]


def reference(question: str) -> dict[str, float]:
    """rank-bm25's own scores above zero."""
    ranker = BM25Okapi([terms(text) for _, text in DOCUMENTS])
    scores = ranker.get_scores(terms(question))
    return {entry_id: float(score) for (entry_id, _), score in zip(DOCUMENTS, scores, strict=True) if score > 0}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_scores_are_those_of_rank_bm25(question: str) -> None:
    expected = reference(question)
    found = {hit.entry_id: hit.scores["keyword"] for hit in KeywordIndex.build(DOCUMENTS).search(question, limit=99)}
    assert expected
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("question", QUESTIONS)
def test_hits_come_best_first_and_are_ranked_from_one(question: str) -> None:
    hits = KeywordIndex.build(DOCUMENTS).search(question, limit=99)
    scores = [hit.scores["keyword"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.chunk_id for hit in hits] == [f"{hit.entry_id}#0" for hit in hits]


def test_the_limit_keeps_the_best() -> None:
    index = KeywordIndex.build(DOCUMENTS)
    everything = index.search("drift of the inputs and the loss", limit=99)
    assert len(everything) == 3
    assert index.search("drift of the inputs and the loss", limit=2) == everything[:2]


def test_an_empty_corpus_finds_nothing() -> None:
    assert KeywordIndex.build([]).search("drift", limit=5) == []


@pytest.mark.parametrize("text", ["", "the and of", "…"])
def test_documents_without_content_words_find_nothing(text: str) -> None:
    assert KeywordIndex.build([("A-1", text), ("A-2", text)]).search("drift", limit=5) == []


def test_a_document_without_words_does_not_disturb_the_others() -> None:
    hits = KeywordIndex.build([("A-1", ""), *DOCUMENTS]).search("mode collapse", limit=5)
    assert [hit.entry_id for hit in hits] == ["SCN-20"]


def test_one_document_alone_has_no_lexical_score() -> None:
    assert KeywordIndex.build(DOCUMENTS[:1]).search("data drift", limit=5) == []


@pytest.mark.parametrize("question", ["zebra", "what is the", "?!", "", "日本語"])
def test_a_question_of_unknown_or_stop_words_finds_nothing(question: str) -> None:
    assert KeywordIndex.build(DOCUMENTS).search(question, limit=5) == []


def test_an_entry_with_all_words_of_the_question_covers_it_whole() -> None:
    best = KeywordIndex.build(DOCUMENTS).search("mode collapse of the generator", limit=1)[0]
    assert best.entry_id == "SCN-20"
    assert best.scores["coverage"] == pytest.approx(1.0)


def test_coverage_is_the_share_of_the_inverse_document_frequency() -> None:
    hits = KeywordIndex.build(DOCUMENTS).search("data drift drift", limit=9)
    idf = {count: math.log(6 - count + 0.5) - math.log(count + 0.5) for count in (1, 2)}
    assert {hit.entry_id: hit.scores["coverage"] for hit in hits} == {
        "FND-03": pytest.approx(1.0),
        "FND-04": pytest.approx(idf[2] / (idf[1] + idf[2])),
    }


def test_an_unknown_word_weighs_as_much_as_the_rarest_known_one() -> None:
    hit = KeywordIndex.build(DOCUMENTS).search("collapse zebra", limit=1)[0]
    assert hit.scores["coverage"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Overfitting overfits", ["overfit", "overfit"]),
        ("What is the use of it?", []),
        ("PR-AUC", ["pr-auc", "pr", "auc"]),
        ("GPT-4.1", ["gpt-4.1", "gpt", "4", "1"]),
        ("a b c 7", ["7"]),
        ("", []),
    ],
)
def test_terms_are_stemmed_content_words_and_the_parts_of_compounds(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_a_saved_index_scores_as_rank_bm25_to_the_ninth_digit(tmp_path: Path) -> None:
    KeywordIndex.build(DOCUMENTS).save(tmp_path)
    loaded = KeywordIndex.load(tmp_path)
    ranker = BM25Okapi([terms(text) for _, text in DOCUMENTS])
    for question in [*QUESTIONS, "drift drift drift", "the loss of an unknown zebra"]:
        expected = ranker.get_scores(terms(question))
        assert loaded.scores(terms(question))[0] == pytest.approx(expected, rel=0, abs=1e-9)
        assert loaded.search(question, limit=9) == KeywordIndex.build(DOCUMENTS).search(question, limit=9)


def test_entries_of_equal_score_come_in_corpus_order_whatever_the_limit() -> None:
    same = [(f"A-{number}", "drift") for number in range(9)] + [(f"B-{number}", "loss") for number in range(20)]
    index = KeywordIndex.build(same)
    everything = [hit.entry_id for hit in index.search("drift", limit=99)]
    assert everything == [f"A-{number}" for number in range(9)]
    assert [hit.entry_id for hit in index.search("drift", limit=4)] == everything[:4]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not an archive"])
def test_a_damaged_index_is_reported(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(IndexUnavailable, match="keyword index"):
        KeywordIndex.load(tmp_path)
