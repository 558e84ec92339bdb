"""Search, filters, neighbours and counts of the library, by hand-made entries and the real index."""

from collections import Counter
from pathlib import Path

import numpy
import pytest

from rag.wiring import Library
from tests.shelves import TOPICS, entry, shelf
from ui import browse
from ui.browse import DOCUMENTS, NO_TOPIC, Filters, Shelf, neighbours, topic_label, topics_of


def ids(filters: Filters) -> list[str]:
    return [found.id for found in shelf().found(filters)]


def test_without_filters_everything_is_found_in_corpus_order() -> None:
    assert ids(Filters()) == ["SCN-01", "SCN-02", "SCN-14", "QNA-01", "BEES-01"]
    assert ids(Filters(words="  ?! ")) == ids(Filters())


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(guide="Second guide"), ["QNA-01"]),
        (Filters(guide=DOCUMENTS), ["BEES-01"]),
        (Filters(guide="Bees (your document)"), ["BEES-01"]),
        (Filters(topic="metrics"), ["SCN-01", "SCN-02", "QNA-01"]),
        (Filters(topic=NO_TOPIC), ["BEES-01"]),
        (Filters(level="senior"), ["SCN-14"]),
        (Filters(guide="First guide", topic="metrics", level="foundation"), ["SCN-01"]),
        (Filters(guide="Second guide", level="senior"), []),
    ],
)
def test_each_filter_narrows(filters: Filters, found: list[str]) -> None:
    assert ids(filters) == found


def test_nobody_gave_a_level_to_a_document() -> None:
    assert "BEES-01" not in ids(Filters(level="practitioner"))
    assert browse.byline(shelf().entries[-1]) == "Bees (your document)"
    assert browse.byline(shelf().entries[1]) == "First guide · Drift, Metrics · Practitioner"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("threshold", ["QNA-01", "SCN-02", "SCN-01"]),
        ("THRESH", ["QNA-01", "SCN-02", "SCN-01"]),
        ("threshold recall", ["SCN-01"]),
        ("hallucination", ["SCN-14"]),
        ("SCN-14", ["SCN-14"]),
        ("scn 14", ["SCN-14"]),
        ("ecision", []),
        ("costs", ["QNA-01"]),
        ("threshold nonsense", []),
    ],
)
def test_words_are_found_where_a_word_begins_and_titles_come_first(words: str, found: list[str]) -> None:
    assert ids(Filters(words=words)) == found


def test_words_and_filters_go_together() -> None:
    assert ids(Filters(words="threshold", guide="First guide")) == ["SCN-02", "SCN-01"]


def test_an_id_comes_before_entries_that_mention_it() -> None:
    found = Shelf([entry("AAA-01", "About SCN-14 and SCN-14"), entry("SCN-14", "Itself")], {})
    assert [item.id for item in found.found(Filters(words="scn-14"))] == ["SCN-14", "AAA-01"]


def test_an_entry_is_found_however_its_id_is_spelt() -> None:
    found = shelf().entry(" scn-02 ")
    assert found is not None
    assert found.title == "Data drift"
    assert shelf().entry("<b>") is None


def test_around_an_entry_are_those_of_its_own_guide() -> None:
    before, after = shelf().around("SCN-02")
    assert (before and before.id, after and after.id) == ("SCN-01", "SCN-14")
    assert shelf().around("QNA-01") == (None, None)


def test_topics_keep_the_order_of_the_list_and_unlisted_ones_follow() -> None:
    made = Shelf([entry("A-1", "a", topics=("zebra", "llm")), entry("A-2", "b", topics=("drift",))], TOPICS)
    assert made.topics == ("drift", "llm", "zebra")
    assert made.topic_choices == made.topics
    assert made.guide_choices == ("First guide",)
    assert shelf().topic_choices == ("metrics", "drift", "llm", NO_TOPIC)
    assert shelf().guide_choices == ("First guide", "Second guide", DOCUMENTS, "Bees (your document)")


def test_cells_count_each_topic_of_an_entry_once_and_hold_no_zeros() -> None:
    found = {(cell.topic, cell.guide): cell.count for cell in shelf().cells()}
    assert found == {
        ("metrics", "First guide"): 2,
        ("metrics", "Second guide"): 1,
        ("drift", "First guide"): 1,
        ("llm", "First guide"): 1,
        (NO_TOPIC, DOCUMENTS): 1,
    }


def test_a_cell_holds_as_many_entries_as_its_filters_find() -> None:
    for cell in shelf().cells():
        assert len(ids(Filters(guide=cell.guide, topic=cell.topic))) == cell.count


def test_neighbours_come_by_cosine_without_the_entry_itself() -> None:
    angles = numpy.radians([0, 80, 10, 200])
    vectors = numpy.stack([numpy.cos(angles), numpy.sin(angles)], axis=1).astype(numpy.float32)
    found = neighbours(["a", "b", "c", "d"], vectors, "a", 2)
    assert [name for name, _ in found] == ["c", "b"]
    assert found[0][1] == pytest.approx(numpy.cos(angles[2]), abs=1e-6)


@pytest.mark.parametrize(
    ("topic", "label"),
    [
        ("data-quality", "Data quality"), ("llm", "LLM"), ("nlp", "NLP"), ("drift", "Drift"),
        ("privacy-security", "Privacy and security"),
    ],
)  # fmt: skip
def test_topics_are_shown_as_people_write_them(topic: str, label: str) -> None:
    assert topic_label(topic) == label


def test_an_unreadable_list_of_topics_is_no_list(tmp_path: Path) -> None:
    assert topics_of(tmp_path) == {}
    for text in ("- a\n- b\n", "a: [", ""):
        (tmp_path / browse.TOPICS_FILE).write_text(text, "utf-8")
        assert topics_of(tmp_path) == {}
    (tmp_path / browse.TOPICS_FILE).write_text("b: Second\na: First\n", "utf-8")
    assert list(topics_of(tmp_path).items()) == [("b", "Second"), ("a", "First")]


@pytest.mark.real
def test_every_real_entry_is_counted_and_found(library: Library) -> None:
    real = browse.shelf_of(library)
    assert real is browse.shelf_of(library)
    assert len(real.guides) == 5
    assert set(real.topics) <= set(topics_of(library.settings.corpus))
    by_guide = Counter(item.guide for item in real.entries)
    for guide, count in by_guide.items():
        assert len(real.found(Filters(guide=guide))) == count
    assert sum(cell.count for cell in real.cells()) == sum(len(item.topics) for item in real.entries)
    assert real.found(Filters(words="hallucination"))[0].id in {"SCN-14", "LLM-02", "QNA-20"}


@pytest.mark.real
def test_the_entries_near_a_real_one_are_about_the_same(library: Library) -> None:
    near = browse.nearest(library, "SCN-14", 5)
    assert "SCN-14" not in {item.id for item in near}
    assert sum("llm" in item.topics for item in near) >= 3
    fewer = browse.nearest(library, "SCN-14", 5, without=[near[0].id])
    assert [item.id for item in fewer[:4]] == [item.id for item in near[1:]]


@pytest.mark.real
def test_the_search_by_meaning_keeps_to_the_filters(library: Library) -> None:
    filters = Filters(words="my bot invents facts although it has the documents", topic="llm")
    found = browse.near_in_meaning(library, filters, {"SCN-17"}, 5)
    assert found[0].id == "SCN-14"
    assert all("llm" in item.topics and item.id != "SCN-17" for item in found)
