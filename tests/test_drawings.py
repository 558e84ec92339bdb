"""The specifications of map and matrix, and their words for those who cannot see them."""

import json
import re

import pytest

from rag.wiring import Library
from tests.shelves import entry, shelf
from ui import drawings
from ui.atlas import Label, Place
from ui.browse import DOCUMENTS, NO_TOPIC, Shelf, shelf_of
from ui.drawings import COLOURS, OTHER, legend_html, looks_of, main_topics, map_spec, matrix_rows, matrix_spec

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


@pytest.mark.real
def test_the_real_map_in_words_names_three_other_entries_each(library: Library) -> None:
    shown = {item.id for item in shelf_of(library).entries[:10]}
    rows = drawings.map_rows(library, shown)
    assert len(rows) == 10
    assert all(len(set(row["Nearest"].split(", ")) - {row["Entry"].split()[0]}) == 3 for row in rows)
    assert len(looks_of(list(main_topics(shelf_of(library))))) == len(main_topics(shelf_of(library)))
