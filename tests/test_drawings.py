"""The specifications of map, matrix and chart of ranks, and their words for those who cannot see them."""

import json
import re

import pytest

from rag.types import Answer, Hit
from rag.wiring import Library
from tests.shelves import entry, shelf
from ui import drawings, lab_view
from ui.atlas import Label, Place, labels_of, main_topic, project
from ui.browse import DOCUMENTS, NO_TOPIC, Filters, Shelf, entry_vectors, shelf_of
from ui.drawings import COLOURS, OTHER, legend_html, looks_of, main_topics, map_spec, matrix_rows, matrix_spec
from ui.trace import Search, Trace
from ui.watched import FUSED, MEANING, WORDS, Stage

PAGES = ("#ffffff", "#12151d")
"""Backgrounds of ui/.streamlit/config.toml."""
PLACES = [Place(item.id, number / 10, 0.5) for number, item in enumerate(shelf().entries)]


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def blended(colour: str, page: str, opacity: float) -> str:
    mixed = [
        round(opacity * int(colour[place : place + 2], 16) + (1 - opacity) * int(page[place : place + 2], 16))
        for place in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in mixed)


@pytest.mark.parametrize("page", PAGES)
def test_every_colour_stands_out_on_light_and_dark_pages(page: str) -> None:
    assert {colour: contrast(colour, page) for colour in (*COLOURS, OTHER[0]) if contrast(colour, page) < 3} == {}


@pytest.mark.parametrize(("page", "ink"), [("#ffffff", "#1b2130"), ("#12151d", "#e8ebf2")])
def test_numbers_can_be_read_on_every_cell(page: str, ink: str) -> None:
    spec = matrix_spec(shelf(), shelf().cells(), ink)
    low, high = spec["layer"][0]["encoding"]["opacity"]["scale"]["range"]
    for opacity in (low, high):
        assert contrast(ink, blended(drawings.CELL, page, opacity)) >= 4.5


def test_no_two_topics_look_alike() -> None:
    looks = looks_of([f"topic {number}" for number in range(28)])
    assert len(set(looks.values())) == 28
    assert looks_of([NO_TOPIC, DOCUMENTS]) == {NO_TOPIC: OTHER, DOCUMENTS: OTHER}


def test_every_shape_has_its_sign_in_the_legend() -> None:
    assert set(drawings.SIGNS) == {*drawings.SHAPES, OTHER[1]}


def test_the_map_holds_every_entry_once_and_the_filtered_ones_on_top() -> None:
    labels = [Label("metrics", 0.1, 0.5)]
    spec = map_spec(shelf(), PLACES, labels, {"SCN-01"}, "#000000", "#ffffff")
    points, *texts = spec["layer"]
    rows = points["data"]["values"]
    assert [row["id"] for row in rows] == ["SCN-02", "SCN-14", "QNA-01", "BEES-01", "SCN-01"]
    assert [row["id"] for row in rows if row["shown"]] == ["SCN-01"]
    assert rows[3]["topic"] == DOCUMENTS
    assert points["params"] == [{"name": "entry", "select": {"type": "point", "fields": ["id"], "toggle": False}}]
    assert points["encoding"]["color"]["scale"]["domain"] == ["Metrics", "Drift", "LLM", DOCUMENTS]
    assert [row["name"] for row in texts[-1]["data"]["values"]] == ["Metrics"]


def covered(label: Label, places: list[Place], width: int = drawings.WIDE) -> list[str]:
    """The points under the name of a topic on a map of that width."""
    half = len(label.topic) * drawings.LETTER / 2
    return [
        place.id
        for place in places
        if abs(place.x - label.x) * width < half and abs(place.y - label.y) * drawings.MAP_HEIGHT < drawings.LINE / 2
    ]


@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0.03, 0.03), (0.97, 0.97), (0.5, 0.03), (0.03, 0.97)])
def test_a_name_stands_beside_its_points_and_inside_the_map(x: float, y: float) -> None:
    places = [Place(f"P-{number}", x + number / 200, y) for number in (-2, -1, 0, 1, 2)]
    (found,) = drawings.off_points([Label("reinforcement-learning", x, y)], places)
    for width in (drawings.PHONE, drawings.WIDE):
        assert covered(found, places, width) == []
        assert abs(found.x - 0.5) * width + len(found.topic) * drawings.LETTER / 2 <= width / 2 + 1
    assert abs(found.y - y) * drawings.MAP_HEIGHT < 30
    assert drawings.off_points([Label("reinforcement-learning", x, y)], places) == [found]


def test_two_names_of_one_place_stand_apart() -> None:
    one, other = drawings.off_points([Label("metrics", 0.5, 0.5), Label("drift", 0.5, 0.5)], PLACES)
    assert abs(one.y - other.y) * drawings.MAP_HEIGHT >= drawings.LINE - 1 or abs(one.x - other.x) > 0.1


@pytest.mark.real
def test_no_name_of_the_real_map_covers_a_point_on_a_wide_page(library: Library) -> None:
    entries = shelf_of(library).entries
    points = project(entry_vectors(library))
    places = [Place(entry.id, float(x), float(y)) for entry, (x, y) in zip(entries, points, strict=True)]
    labels = labels_of(places, {entry.id: main_topic(entry) for entry in entries})
    found = drawings.off_points(labels, places)
    assert [label.topic for label in found] == [label.topic for label in labels]
    assert {label.topic: covered(label, places) for label in found if covered(label, places)} == {}


def test_charts_load_nothing() -> None:
    both = [
        map_spec(shelf(), PLACES, [], set(), "#000000", "#ffffff"),
        matrix_spec(shelf(), shelf().cells(), "#000000"),
    ]
    assert re.findall(r'"(?:url|href)"|https?:', json.dumps(both)) == []


def test_the_legend_counts_main_topics_and_escapes_their_names() -> None:
    made = Shelf([entry("A-1", "a", topics=("<b>x",)), entry("A-2", "b", topics=("<b>x", "llm"))], {})
    assert main_topics(made) == {"<b>x": 2}
    found = legend_html(made)
    assert "&lt;b&gt;x (2)" in found
    assert "<b>" not in found
    assert found.count("<li") == 1


def test_the_matrix_in_words_says_what_the_cells_say() -> None:
    rows = matrix_rows(shelf(), shelf().cells())
    assert [row["Topic"] for row in rows] == ["Metrics", "Drift", "LLM", "No topic"]
    assert rows[0] == {"Topic": "Metrics", "First guide": "2", "Second guide": "1", DOCUMENTS: "0"}
    assert matrix_spec(shelf(), shelf().cells(), "#000000")["encoding"]["x"]["sort"] == list(rows[0])[1:]


def test_the_matrix_of_some_entries_has_their_rows_and_columns_and_room_for_its_heads() -> None:
    cells = shelf().cells(shelf().found(Filters(level="senior")))
    assert matrix_rows(shelf(), cells) == [{"Topic": "LLM", "First guide": "1"}]
    spec = matrix_spec(shelf(), cells, "#000000")
    assert spec["encoding"]["x"]["sort"] == ["First guide"]
    assert spec["height"] == drawings.HEADS + drawings.ROW_HEIGHT


@pytest.mark.real
def test_the_real_map_in_words_names_three_other_entries_each(library: Library) -> None:
    shown = {item.id for item in shelf_of(library).entries[:10]}
    rows = drawings.map_rows(library, shown)
    assert len(rows) == 10
    assert all(len(set(row["Nearest"].split(", ")) - {row["Entry"].split()[0]}) == 3 for row in rows)
    assert len(looks_of(list(main_topics(shelf_of(library))))) == len(main_topics(shelf_of(library)))


def stage(name: str, *ids: str) -> Stage:
    return Stage(
        name, tuple(Hit(entry_id, f"{entry_id}#0", rank, {"score": 1 / rank}) for rank, entry_id in enumerate(ids, 1))
    )


def test_the_chart_of_ranks_leaves_a_gap_for_what_was_not_found_and_keeps_lower_ranks_apart() -> None:
    others = [f"X-{number}" for number in range(12)]
    search = Search(
        ("why?",),
        "why?",
        (),
        (stage(MEANING, "A-1", "A-2", "A-3"), stage(WORDS, *others, "A-3", "A-1"), stage(FUSED, "A-1", "A-2", "A-3")),
        0.9,
        (),
    )
    answer = Answer("why?", "why?", "answered", (), (), ("A-1",), "quote")
    titles = {entry_id: entry_id for entry_id in ("A-1", "A-2", "A-3")}
    trace = Trace(answer, (search,), titles, {})
    spec = lab_view.flow(trace, search)
    drawn = {point["entry"]: (point["rank"], point["at"]) for point in spec["data"]["values"]
             if point["stage"] == "By words"}  # fmt: skip
    first = lab_view.SHOWN + 1
    assert drawn == {"A-1": (first + 1, "14"), "A-2": (None, "not found"), "A-3": (first, "13")}
    line = spec["layer"][0]["encoding"]["y"]
    assert line["scale"]["domain"] == [1, first + 1]
    assert line["axis"]["values"] == list(range(1, first + 1))
    assert "by words not found" in lab_view.flow_told(trace, search)
