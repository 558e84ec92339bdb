"""What several pages of the web app draw alike."""

import streamlit as st

from rag.errors import TutorError
from rag.types import Entry
from rag.wiring import Library
from ui import escape
from ui.state import library, streamlit_report


def open_books() -> tuple[Library, tuple[str, ...]] | None:
    """The library and what is announced with every answer; None, with the error on the page, when there is none."""
    bar = st.empty()
    try:
        opened = library(streamlit_report(bar.progress))
    except TutorError as error:
        st.error(escape.plain(str(error)))
        return None
    bar.empty()
    return opened


def show_entry(entry: Entry, quote: str = "") -> None:
    """An entry as its guide has it, the passage that carries a sentence first."""
    st.header(f"{entry.id} {escape.plain(entry.title)}")
    st.caption(f"{escape.plain(entry.guide)} · {entry.level}")
    if quote:
        st.info(escape.markdown(quote))
    st.markdown(f"**{escape.plain(entry.question)}**")
    st.markdown(escape.markdown(entry.answer))
    for follow_up in entry.follow_ups:
        st.markdown(f"### {escape.plain(follow_up.question)}\n\n{escape.markdown(follow_up.answer)}")
    if entry.caveat:
        st.warning(escape.plain(entry.caveat))
