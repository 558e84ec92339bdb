"""The map: points of like entries together, the same every time, kept on disk."""

import json
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from rag.types import Matrix
from rag.wiring import Library
from tests.shelves import entry
from ui import atlas
from ui.atlas import Place, labels_of, main_topic, places_of, project
from ui.browse import DOCUMENTS, NO_TOPIC, entry_vectors, shelf_of


def clusters(each: int, dimension: int = 32) -> Matrix:
    """Three tight groups of unit vectors."""
    random = numpy.random.default_rng(3)
    centres = random.normal(size=(3, dimension))
    rows = numpy.repeat(centres, each, axis=0) + 0.2 * random.normal(size=(3 * each, dimension))
    found: Matrix = (rows / numpy.linalg.norm(rows, axis=1, keepdims=True)).astype(numpy.float32)
    return found


def alike(points: Matrix, groups: list[str], count: int = 5) -> float:
    """The part of each point's nearest neighbours that are of its own group, on average."""
    distances = numpy.linalg.norm(points[:, None] - points[None], axis=2)
    numpy.fill_diagonal(distances, numpy.inf)
    near = numpy.argsort(distances, axis=1)[:, :count]
    return float(numpy.mean([groups[one] == groups[row] for row in range(len(groups)) for one in near[row]]))


@pytest.mark.parametrize("each", [2, 15])
def test_groups_stay_together_inside_the_frame(each: int) -> None:
    points = project(clusters(each))
    assert points.shape == (3 * each, 2)
    assert points.min() >= 0
    assert points.max() <= 1
    assert alike(points, [str(row // each) for row in range(3 * each)], each - 1) > 0.95


def test_the_same_vectors_give_the_same_map() -> None:
    vectors = clusters(10)
    assert numpy.array_equal(project(vectors), project(vectors.copy()))


def test_many_entries_are_mapped_by_principal_components(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = clusters(20)
    by_neighbours = project(vectors)
    monkeypatch.setattr(atlas, "TSNE_LIMIT", 59)
    by_components = project(vectors)
    assert not numpy.allclose(by_neighbours, by_components)
    assert alike(by_components, [str(row // 20) for row in range(60)]) > 0.95


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_few_entries_have_places_too(rows: int) -> None:
    points = project(clusters(1)[:rows])
    assert points.shape == (rows, 2)
    assert numpy.isfinite(points).all()
    assert project(numpy.full((9, 4), 0.5, dtype=numpy.float32)).shape == (9, 2)


def test_documents_and_entries_without_a_topic_are_classes_of_their_own() -> None:
    one = entry("A-1", "a", topics=("llm", "drift"))
    assert main_topic(one) == "llm"
    assert main_topic(replace(one, topics=())) == NO_TOPIC
    assert main_topic(replace(one, origin="document")) == DOCUMENTS


def test_names_are_written_among_their_points_and_never_over_another() -> None:
    rows = {"drift": [(0.2, 0.2), (0.22, 0.2), (0.21, 0.22), (0.9, 0.9)], "llm": [(0.21, 0.21)] * 3,
            "metrics": [(0.7, 0.5)] * 3, "rare": [(0.5, 0.9)] * 2, NO_TOPIC: [(0.1, 0.9)] * 5}  # fmt: skip
    places = [Place(f"{topic}{row}", *point) for topic, points in rows.items() for row, point in enumerate(points)]
    labels = {item.topic: item for item in labels_of(places, {p.id: p.id.rstrip("0123456789") for p in places})}
    assert set(labels) == {"drift", "metrics"}
    assert labels["drift"].x < 0.3


@pytest.fixture
def own(library: Library, tmp_path: Path) -> Library:
    """The real library with a home folder of its own for what is kept."""
    return Library(library.settings.model_copy(update={"home": tmp_path}), library.folder)


@pytest.mark.real
def test_the_real_map_keeps_topics_together_better_than_components(own: Library) -> None:
    places = places_of(own)
    shelf = shelf_of(own)
    groups = [main_topic(item) for item in shelf.entries]
    points = numpy.array([(place.x, place.y) for place in places], dtype=numpy.float32)
    assert alike(points, groups) > alike(atlas._principal(entry_vectors(own)), groups) + 0.1
    assert len(labels_of(places, dict(zip([place.id for place in places], groups, strict=True)))) >= 12


@pytest.mark.real
def test_the_map_is_kept_for_its_version_only(own: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own.settings.home / "cache" / "map"
    folder.mkdir(parents=True)
    (folder / "older.json").write_text("[]", "utf-8")
    first = places_of(own)
    (kept,) = folder.iterdir()
    assert kept.name == f"{own.folder.name}.json"

    computed: list[int] = []

    def counted(vectors: Matrix) -> Matrix:
        computed.append(len(vectors))
        return project(vectors)

    monkeypatch.setattr(atlas, "project", counted)
    assert places_of(own) == first
    assert not computed
    for damaged in ("", "[[1]]", json.dumps([("SCN-01", 0.1, 0.2)]), '{"a": 1}', "[1, 2]"):
        kept.write_text(damaged, "utf-8")
        assert places_of(own) == first
    assert len(computed) == 5


@pytest.mark.real
def test_where_nothing_can_be_kept_the_map_is_drawn_all_the_same(own: Library) -> None:
    (own.settings.home / "cache").write_text("a file where a folder should be", "utf-8")
    assert len(places_of(own)) == len(shelf_of(own).entries)
