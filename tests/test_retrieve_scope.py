"""Searching some of the entries only."""

from collections.abc import Callable

import numpy
import pytest

from rag.keyword import KeywordIndex
from rag.retrieve import CHUNKS_PER_SEARCH, ENOUGH, DenseSearcher, Retriever
from rag.types import Understood, Vector
from rag.wiring import Library
from tests.fakes import WordEmbedder

GUIDES = [f"G-{number:04}" for number in range(900)]
MINE = [f"MINE-{number:02}" for number in range(30)]


class Ranked:
    """A `VectorIndex` in which every guide's chunk is nearer than the first of one's own; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def nearest(self, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        self.asked.append(limit)
        every = [f"{entry}#{chunk}" for entry in GUIDES for chunk in range(2)] + [f"{entry}#0" for entry in MINE]
        cosines = numpy.linspace(0.9, 0.1, len(every)).tolist()
        return list(zip(every, cosines, strict=True))[:limit]


def mine(entry_id: str) -> bool:
    return entry_id.startswith("MINE")


def retriever(index: Ranked) -> Retriever:
    entry_of = {f"{entry}#{chunk}": entry for entry in [*GUIDES, *MINE] for chunk in range(2)}
    words = KeywordIndex.build([(name, "drift" if mine(name) else "loss") for name in [*GUIDES, *MINE]])
    return Retriever(DenseSearcher(WordEmbedder(), index, entry_of), words)


def test_only_wanted_entries_are_found_however_far_down_they_are() -> None:
    index = Ranked()
    found = retriever(index).within(mine).retrieve(Understood.alone("drift"), limit=40)
    assert [hit.entry_id for hit in found.hits] == MINE
    assert all(hit.scores["cosine"] > 0 and hit.scores["keyword"] > 0 for hit in found.hits)
    assert index.asked == [CHUNKS_PER_SEARCH, CHUNKS_PER_SEARCH * 8]


@pytest.mark.parametrize(
    ("wanted", "times"), [(lambda entry: entry.startswith("G-"), 1), (lambda entry: False, 2)], ids=["most", "none"]
)
def test_more_chunks_are_asked_for_until_there_are_enough_entries_or_no_more(
    wanted: Callable[[str], bool], times: int
) -> None:
    index = Ranked()
    found = retriever(index).within(wanted).retrieve(Understood.alone("drift"), limit=ENOUGH)
    assert len(index.asked) == times
    assert all(wanted(hit.entry_id) for hit in found.hits)


def test_without_a_choice_the_index_is_asked_once() -> None:
    index = Ranked()
    retriever(index).retrieve(Understood.alone("drift"), limit=5)
    assert index.asked == [CHUNKS_PER_SEARCH]


@pytest.mark.real
def test_the_real_index_is_searched_in_one_guide_alone(library: Library) -> None:
    within = library.retriever.within(lambda entry: entry.startswith("BEH-"))
    found = within.retrieve(Understood.alone("What is data drift?"), limit=5)
    assert len(found.hits) == 5
    assert all(hit.entry_id.startswith("BEH-") for hit in found.hits)
    assert found.covered < library.retriever.retrieve(Understood.alone("What is data drift?"), limit=5).covered
