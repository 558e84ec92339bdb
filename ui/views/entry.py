"""One entry of the library with what lies around it; the Library page draws it where its address names an entry."""

import zlib

import streamlit as st

from rag.types import Entry
from rag.wiring import Library
from ui import browse, escape
from ui.browse import NEAR, Shelf, topic_label
from ui.panels import scroll_to, show_entry
from ui.state import conversation

HEADING = ".st-key-library-entry h2"
LEFT = """<style>
[class*="st-key-open-"] button { justify-content: flex-start; text-align: left; min-height: 1.75rem; }
</style>"""
"""Names of entries are buttons that read like a list."""


def open_button(entry: Entry, where: str) -> None:
    """A button that opens an entry; `where` tells apart two buttons of one entry."""
    label = f":primary[**{entry.id} {escape.plain(entry.title)}**]"
    st.button(label, key=f"open-{where}-{entry.id}", type="tertiary", wrap=True, on_click=open_entry, args=(entry.id,))


def open_entry(entry_id: str) -> None:
    """Makes the next run of the page show an entry, and its address name it."""
    st.query_params["entry"] = entry_id


def _close() -> None:
    st.query_params.pop("entry", None)


def entry_page(books: Library, shelf: Shelf, entry: Entry) -> None:
    """One entry; its address can be passed on."""
    st.html(LEFT)
    before, after = shelf.around(entry.id)
    with st.container(horizontal=True, gap="small"):
        st.button("← All entries", key="library-back", on_click=_close)
        for other, arrow in ((before, "Previous: {}"), (after, "Next: {}")):
            if other is not None:
                st.button(
                    arrow.format(other.id), key=f"step-{other.id}", on_click=open_entry, args=(other.id,),
                    help=escape.plain(other.title),
                )  # fmt: skip
    text, beside = st.columns([3, 2], gap="large")
    with text, st.container(key="library-entry"):
        show_entry(entry)
    with beside:
        _beside(books, shelf, entry)
    # The list was perhaps left far down. The page's own heading comes to the top once the entry's is there.
    scroll_to(f"[data-testid=stMain]:has({HEADING}) h1", zlib.crc32(entry.id.encode()), focus=HEADING)


def _beside(books: Library, shelf: Shelf, entry: Entry) -> None:
    if st.button("Ask the tutor this question", key="library-ask"):
        conversation().asked = entry.question
        st.switch_page("views/ask.py")
    if entry.key_points:
        st.subheader("Key points", anchor=False)
        st.markdown("\n".join(f"- {escape.plain(point)}" for point in entry.key_points))
    related = [found for found in map(shelf.entry, entry.related) if found is not None]
    near = browse.nearest(books, entry.id, NEAR, without=entry.related)
    for title, where, others in (("Related entries", "related", related), ("Near in meaning", "nearby", near)):
        if others:
            st.subheader(title, anchor=False)
            with st.container(gap="xxsmall"):
                for other in others:
                    open_button(other, where)
    if entry.topics:
        st.caption(f"Topics: {', '.join(escape.plain(topic_label(topic)) for topic in entry.topics)}")
