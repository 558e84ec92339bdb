"""Library: every entry, by words, guide, topic and level; the map of all of them, and topics by guides."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from rag.errors import TutorError
from rag.types import Entry
from rag.wiring import Library
from ui import browse, drawings, escape
from ui.atlas import labels_of, main_topic, places_of
from ui.browse import NEAR, Filters, Shelf, topic_label
from ui.panels import open_books
from ui.state import GUIDE, LEVEL, MAP, MATRIX, PAGE, TOPIC, VIEW, VIEWS, WORDS, Shown, kept
from ui.views.entry import LEFT, entry_page, open_button, open_entry

NOTHING = "No entry matches. Try other words, or set a filter back to All."
INK = {"light": ("#1b2130", "#ffffff"), "dark": ("#e8ebf2", "#12151d")}
"""Colours of text and page, as in ui/.streamlit/config.toml."""


def main() -> None:
    """Draws the page."""
    st.title("Library", anchor=False)
    opened = open_books()
    if opened is None:
        return
    books, _ = opened
    shelf = browse.shelf_of(books)
    wanted = st.query_params.get("entry", "")
    entry = shelf.entry(wanted) if wanted else None
    if entry is not None:
        entry_page(books, shelf, entry)
        return
    if wanted:
        st.info(f"There is no entry {escape.plain(wanted[:40])}. Search for it below.")
    own = f" and {len(shelf.documents)} of your documents" if shelf.documents else ""
    guides = "1 guide" if len(shelf.guides) == 1 else f"{len(shelf.guides)} guides"
    st.write(f"{len(shelf.entries)} entries from {guides}{own}. Choose one to read it.")
    filters = _filters(shelf)
    view = st.segmented_control("View", VIEWS, default=VIEWS[0], required=True, key=VIEW, persist_state="session")
    if view == VIEWS[1]:
        _map(books, shelf, filters)
    elif view == VIEWS[2]:
        _matrix(shelf, filters)
    else:
        _list(books, shelf, filters)


def _filters(shelf: Shelf) -> Filters:
    """The search box and three choices, kept while the session lasts."""
    words = st.text_input(
        "Search the entries", key=WORDS, type="search", placeholder="For example: leakage, SCN-14, loss becomes NaN",
        max_chars=300, persist_state="session",
    )  # fmt: skip
    choices = {GUIDE: shelf.guide_choices, TOPIC: shelf.topic_choices, LEVEL: browse.LEVELS}
    labels = {GUIDE: "Guide", TOPIC: "Topic", LEVEL: "Level"}
    chosen = []
    for column, (key, options) in zip(st.columns(3), choices.items(), strict=True):
        # What another page or an earlier index left chosen may be gone.
        if st.session_state.get(key) not in {None, "", *options}:
            del st.session_state[key]
        say: Callable[[str], str] = topic_label if key == TOPIC else str.capitalize if key == LEVEL else str
        with column:
            value = st.selectbox(
                labels[key], ["", *options], key=key, persist_state="session",
                format_func=partial(_option, say),
            )  # fmt: skip
        chosen.append(value or "")
    return Filters(words or "", *chosen)


def _option(say: Callable[[str], str], option: str) -> str:
    return say(option) if option else "All"


def _list(books: Library, shelf: Shelf, filters: Filters) -> None:
    st.html(LEFT)
    shown = kept("library-shown", Shown)
    if shown.filters != filters:
        shown.count, shown.filters = PAGE, filters
    found = shelf.found(filters)
    many = f"{len(found)} {'entry' if len(found) == 1 else 'entries'}"
    st.header(f"{many} with these words" if filters.words.strip() else many, anchor=False)
    if not found:
        st.write(NOTHING)
    for entry in found[: shown.count]:
        _card(entry, "found")
    if len(found) > shown.count and st.button(f"Show {min(PAGE, len(found) - shown.count)} more", key="library-more"):
        shown.count += PAGE
        st.rerun()
    if filters.words.strip():
        _near_in_meaning(books, filters, {entry.id for entry in found})


def _near_in_meaning(books: Library, filters: Filters, listed: set[str]) -> None:
    """What the tutor's own search finds beside the entries with the words."""
    try:
        with st.spinner("Searching by meaning …"):
            near = browse.near_in_meaning(books, filters, listed, NEAR)
    except TutorError as error:
        st.caption(escape.plain(str(error)))
        return
    if near:
        st.header("Near in meaning", anchor=False)
        for entry in near:
            _card(entry, "near")


def _card(entry: Entry, where: str) -> None:
    with st.container(border=True, gap="xxsmall"):
        open_button(entry, where)
        st.markdown(f":small[{escape.plain(entry.question)}]")
        st.caption(escape.plain(browse.byline(entry)))


def _map(books: Library, shelf: Shelf, filters: Filters) -> None:
    st.header("Entries of like meaning lie near each other", anchor=False)
    with st.spinner("Drawing the map; this is done once for each version of the index …"):
        places = places_of(books)
    shown = {entry.id for entry in shelf.found(filters)}
    labels = labels_of(places, {entry.id: main_topic(entry) for entry in shelf.entries})
    faint = (
        f" {len(shown)} of {len(places)} pass the filters; the others are faint." if len(shown) < len(places) else ""
    )
    st.caption(f"Choose a point to read its entry. Colour and shape show its main topic.{faint}")
    spec = drawings.map_spec(shelf, places, labels, shown, *_colours())
    alt = f"Map of {len(places)} entries, one point each. The table below says the same in words."
    st.vega_lite_chart(spec=spec, key=MAP, on_select=_point_chosen, alt=alt, width="stretch")
    st.html(drawings.legend_html(shelf))
    with st.expander("The map as a table: each entry and the three nearest to it"):
        st.table(drawings.map_rows(books, shown), hide_index=True)


def _point_chosen() -> None:
    chosen = st.session_state[MAP].selection.get("entry", [])
    if chosen:
        open_entry(str(chosen[0]["id"]))


def _matrix(shelf: Shelf, filters: Filters) -> None:
    st.header("How many entries of each guide have a topic", anchor=False)
    found = shelf.found(filters)
    if not found:
        st.write(NOTHING)
        return
    few = f" {len(found)} of {len(shelf.entries)} entries pass the filters." if len(found) < len(shelf.entries) else ""
    st.caption(f"Choose a cell to list its entries. An entry counts under each of its topics.{few}")
    # Of a chosen topic only its own row, so that every cell says how many entries it lists.
    cells = [cell for cell in shelf.cells(found) if filters.topic in {"", cell.topic}]
    ink, _ = _colours()
    alt = "Numbers of entries by topic and guide. The table below says the same in words."
    st.vega_lite_chart(spec=drawings.matrix_spec(shelf, cells, ink), key=MATRIX, on_select=_cell_chosen, alt=alt)
    with st.expander("The numbers as a table"):
        st.table(drawings.matrix_rows(shelf, cells), hide_index=True)


def _cell_chosen() -> None:
    chosen = st.session_state[MATRIX].selection.get("cell", [])
    if chosen:
        # The other filters stay, because the cell counted what passes them; so does one document among all of them.
        guide = st.session_state.get(GUIDE) or chosen[0]["guide"]
        st.session_state.update({TOPIC: chosen[0]["topic"], GUIDE: guide, VIEW: VIEWS[0]})


def _colours() -> tuple[str, str]:
    """Text and page as the reader's browser shows them."""
    return INK["dark" if st.context.theme.type == "dark" else "light"]


main()
