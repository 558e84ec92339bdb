"""What is measured of retrieval: stages, ablations, refusals and follow-ups, over fakes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy
import pytest

from eval.gold import Dialogue, GoldQuestion, OpenQuestion
from eval.retrieval import Found, WithoutAsked, ablations, by_style, follow_ups, measures, refusals, stages
from rag.keyword import KeywordIndex
from rag.rerank import PooledReranker
from rag.retrieve import DenseSearcher, Retriever
from rag.spelling import Speller, count_words, save_words
from rag.tutor import COVERED
from rag.types import Chunk, ChunkKind, Hit, Matrix, Retrieval, Turn, Understood, Vector
from rag.wiring import Library
from tests.fakes import ListIndex, WordEmbedder, a_hit

FAR = "bread cheese onions"
NEAR = [f"violet walrus sings {word}" for word in ("loudly", "often", "badly", "again", "alone", "late")]
CHUNKS: dict[str, list[tuple[ChunkKind, str]]] = {
    # One lucky chunk among many that are far away.
    "AAA-01": [("answer", "violet walrus sings"), *[("answer", f"{FAR} {number}") for number in range(8)]],
    # Many near chunks, none of them perfect.
    "BBB-01": [("answer", text) for text in NEAR],
    # Found by the way it is asked only.
    "CCC-01": [("answer", "green tiles"), ("asked", "amber otter paints")],
    "DDD-01": [("answer", "amber curtains")],
    # Equal in meaning; only the words tell them apart.
    "EEE-01": [("answer", "copper kettle")],
    "FFF-01": [("answer", "copper kettle")],
    # Equal in meaning and words; only the classifier tells them apart.
    "GGG-01": [("answer", "silver spoon")],
    "HHH-01": [("answer", "silver spoon")],
}
LIKENESS = {"GGG-01": 0.0, "HHH-01": 1.0}
WORDS = {entry: " ".join(text for _, text in texts) for entry, texts in CHUNKS.items()} | {
    "BBB-01": "opera", "CCC-01": "green tiles", "EEE-01": "nothing", "FFF-01": "copper kettle whistles",
    "GGG-01": "silver spoon", "HHH-01": "silver spoon",
}  # fmt: skip


class FakeStore:
    """The chunks of an index version and their vectors, in memory."""

    def __init__(self, embedder: WordEmbedder) -> None:
        self._chunks = [
            Chunk(f"{entry}#{number}", entry, entry, kind, text)
            for entry, texts in CHUNKS.items()
            for number, (kind, text) in enumerate(texts)
        ]
        self._vectors = embedder.embed([chunk.text for chunk in self._chunks])

    def chunks(self) -> Iterator[tuple[Chunk, Vector]]:
        yield from zip(self._chunks, self._vectors, strict=True)

    def chunk_entries(self) -> dict[str, str]:
        return {chunk.id: chunk.entry_id for chunk in self._chunks}

    def chunk_vectors(self, entry_id: str) -> Matrix:
        return numpy.stack([vector for chunk, vector in self.chunks() if chunk.entry_id == entry_id])


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """What is read of a library, over the chunks above."""
    save_words(tmp_path, count_words(WORDS.values()))
    embedder = WordEmbedder(4096)
    store = FakeStore(embedder)
    vectors = ListIndex([chunk for chunk, _ in store.chunks()], embedder)
    dense = DenseSearcher(embedder, vectors, store.chunk_entries())
    keyword = KeywordIndex.build(list(WORDS.items()))
    speller = Speller.load(tmp_path)
    rerankers = (PooledReranker(store.chunk_vectors, lambda _: LIKENESS),)
    retriever = Retriever(dense, keyword, rerankers, speller.correct)
    parts = {"embedder": embedder, "store": store, "vectors": vectors, "dense": dense, "keyword": keyword}
    return cast("Library", SimpleNamespace(retriever=retriever, rerankers=rerankers, speller=speller, **parts))


@pytest.mark.parametrize(
    ("question", "first"),
    [
        # Meaning cannot tell E from F and takes what comes first; words can, and carry over.
        ("copper kettle", {"dense": "EEE-01", "bm25": "FFF-01", "fused": "FFF-01", "reranked": "FFF-01"}),
        # One lucky chunk is enough for all but the reranker.
        ("violet walrus sings", {"dense": "AAA-01", "bm25": "AAA-01", "fused": "AAA-01", "reranked": "BBB-01"}),
        # A slip of the pen is put right for every stage.
        ("coper ketle", {"dense": "EEE-01", "bm25": "FFF-01", "fused": "FFF-01", "reranked": "FFF-01"}),
    ],
)
def test_every_stage_is_the_search_up_to_it(library: Library, question: str, first: Mapping[str, str]) -> None:
    found = {name: search(question) for name, search in stages(library).items()}
    assert list(found) == ["dense", "bm25", "fused", "reranked"]
    assert {name: ranked[0] for name, ranked in found.items()} == first
    assert all(len(set(ranked)) == len(ranked) for ranked in found.values())


@pytest.mark.parametrize(
    ("question", "whole", "without"),
    [
        ("violet walrus sings", "BBB-01", {"without pooled reranking": "AAA-01", "meaning only, best chunk": "AAA-01"}),
        ("copper kettle", "FFF-01", {"without words (BM25)": "EEE-01", "meaning only, best chunk": "EEE-01"}),
        ("amber otter paints", "CCC-01", {"without asked.jsonl": "DDD-01", "meaning only, best chunk": "DDD-01"}),
        (
            "silver spoon", "HHH-01",
            {
                "without the classifier": "GGG-01", "without pooled reranking": "GGG-01",
                "without asked.jsonl": "GGG-01", "meaning only, best chunk": "GGG-01",
            },
        ),
        (
            "coper ketle", "FFF-01",  # nothing is like an unknown word, so the first entry is as good as any
            {"without spelling": "AAA-01", "without words (BM25)": "EEE-01", "meaning only, best chunk": "AAA-01"},
        ),
    ],
)  # fmt: skip
def test_an_ablation_lacks_its_part_and_no_other(
    library: Library, question: str, whole: str, without: Mapping[str, str]
) -> None:
    found = {name: (search(question) or [""])[0] for name, search in ablations(library).items()}
    assert list(found) == [
        "whole", "without spelling", "without words (BM25)", "without pooled reranking",
        "without the classifier", "without asked.jsonl", "meaning only, best chunk",
    ]  # fmt: skip
    assert found == {**dict.fromkeys(found, whole), **without}


def test_hidden_chunks_are_not_found_and_others_take_their_place() -> None:
    embedder = WordEmbedder()
    texts = ["red", "red blue", "red blue green", "red blue green grey", "red blue green grey white"]
    index = ListIndex([Chunk(f"A#{n}", "A", "A", "answer", text) for n, text in enumerate(texts)], embedder)
    nearest = WithoutAsked(index, {"A#0", "A#2"}).nearest(embedder.embed(["red"])[0], limit=2)
    assert [chunk for chunk, _ in nearest] == ["A#1", "A#3"]
    assert nearest[0][1] == pytest.approx(0.5**0.5)
    fewer = WithoutAsked(index, {"A#0"}).nearest(embedder.embed(["red"])[0], limit=2)
    assert [chunk for chunk, _ in fewer] == ["A#1", "A#2"]


def found(relevant: str, retrieved: str, style: str = "keyword") -> Found:
    return Found(GoldQuestion("Q", "?", tuple(relevant), style), tuple(retrieved))


def test_every_measure_is_a_mean_over_the_questions_with_its_interval() -> None:
    ranked = [("A", "ABC"), ("BX", "ABC"), ("D", "ABC"), ("D", "ABCD"), ("Z", "ABCDEFZ")]
    row = measures([found(relevant, retrieved) for relevant, retrieved in ranked])
    values = {name: cell["value"] for name, cell in row.items() if name != "n"}
    assert row["n"] == 5
    assert values == {
        "hit@1": 0.2,
        "hit@3": 0.4,
        "recall@5": 0.5,  # (1 + 1/2 + 0 + 1 + 0) / 5
        "mrr@10": 0.3786,  # (1 + 1/2 + 0 + 1/4 + 1/7) / 5
        "ndcg@10": 0.4302,  # (1 + 0.6309 / 1.6309 + 0 + 0.4307 + 1/3) / 5
    }
    for name, value in values.items():
        assert 0 <= row[name]["low"] < value < row[name]["high"] <= 1


def test_styles_have_rows_of_their_own_beside_the_row_of_all() -> None:
    rows = by_style([found("A", "A", "typo"), found("A", "B", "multi"), found("A", "A", "typo")])
    assert {style: (row["n"], row["hit@1"]["value"]) for style, row in rows.items()} == {
        "all": (3, 0.6667), "multi": (1, 0.0), "typo": (2, 1.0),
    }  # fmt: skip


def test_a_single_style_has_no_row_beside_the_row_of_all() -> None:
    assert list(by_style([found("A", "A"), found("A", "B")])) == ["all"]


class TableRetriever:
    """Judges a question by a table, and finds the entry that a word of the question names."""

    def __init__(self, covered: Mapping[str, float], entries: Mapping[str, str] | None = None) -> None:
        self._covered = covered
        self._entries = entries or {}

    def retrieve(self, question: Understood, *, limit: int) -> Retrieval:
        names = [entry for word, entry in self._entries.items() if word in question.words]
        hits: list[Hit] = [a_hit(entry, rank) for rank, entry in enumerate(names, 1)][:limit]
        return Retrieval(
            question.text, numpy.zeros(2, dtype=numpy.float32), tuple(hits), {}, self._covered.get(question.words, 1.0)
        )


def judged_by(retriever: TableRetriever) -> Library:
    return cast("Library", SimpleNamespace(retriever=retriever))


def test_refusals_are_counted_on_both_sides() -> None:
    table = {"a": 0.9, "b": COVERED, "c": COVERED - 0.01, "d": 0.7, "near": 0.8, "miss": 0.1, "off": 0.0, "egg": 0.2}
    asked = [GoldQuestion(f"Q-{text}", text, ("SCN-09",), "keyword") for text in "abcd"]
    left_open = [OpenQuestion(f"N-{text}", text, "near_miss") for text in ("near", "miss")]
    left_open += [OpenQuestion(f"N-{text}", text, "off_topic") for text in ("off", "egg")]
    shares, judged = refusals(judged_by(TableRetriever(table)), asked, left_open)
    assert {group: (row["n"], row["refused"]) for group, row in shares.items()} == {
        "answerable": (4, 0.25), "near_miss": (2, 0.5), "off_topic": (2, 1.0), "not covered": (4, 0.75),
    }  # fmt: skip
    assert all(row["low"] <= row["refused"] <= row["high"] for row in shares.values())
    assert {row["question"]: row["covered"] for row in judged} == table
    assert judged[2] == {"id": "Q-c", "group": "answerable", "question": "c", "covered": COVERED - 0.01}
    assert judged[5] == {"id": "N-miss", "group": "near_miss", "question": "miss", "covered": 0.1}


def test_a_side_without_questions_has_no_share() -> None:
    shares, judged = refusals(judged_by(TableRetriever({})), [], [OpenQuestion("N1", "egg", "off_topic")])
    assert list(shares) == ["off_topic", "not covered"]
    assert [row["id"] for row in judged] == ["N1"]


def test_follow_ups_are_searched_alone_and_as_understood() -> None:
    question = "and its threshold?"
    history = (Turn("user", "what is psi"), Turn("assistant", "A distance of two samples."))
    talks = [Dialogue("D1", history, question, ("FND-05",)), Dialogue("D2", history, "what is drift", ("FND-03",))]
    retriever = TableRetriever({question: 0.1}, {"drift": "FND-03", "psi": "FND-05"})
    rows: dict[str, Any] = follow_ups(judged_by(retriever), talks)
    assert {name: (row["n"], row["hit@1"]["value"], row["refused"]) for name, row in rows.items()} == {
        "alone": (2, 0.5, 0.5), "understood": (2, 1.0, 0.0),
    }  # fmt: skip
