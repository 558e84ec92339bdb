"""The entry beside an answer, and why it is there; the Ask page draws it."""

import streamlit as st

from rag.types import Hit
from rag.wiring import Library
from ui.panels import show_entry
from ui.state import Conversation
from ui.why import why_rows, why_sentence, why_summary

NO_ROWS = "It was found for one part of the question; the whole question finds others first."


def entry_beside(talk: Conversation, books: Library) -> None:
    """The entry beside the answer, and why it is there."""
    opened = talk.opened
    if opened is None:
        return
    st.button("Close", key="close-entry", on_click=talk.close)
    try:
        entry = books.store.entry(opened.entry_id)
    except KeyError:
        st.warning("This entry is no longer in the library: its document was removed.")
        return
    if opened.turn < len(talk.turns):
        hits = _hits(talk, books, opened.turn)
        if sentence := why_sentence(opened.claim):
            st.caption(sentence)
        with st.expander(f"Why this source? {why_summary(hits, entry.id)}"):
            rows = [f"- **{name} {value}**: {said}" for name, value, said in why_rows(hits, entry.id)]
            st.markdown("\n".join(rows) or NO_ROWS)
    show_entry(entry, opened.claim.quote if opened.claim else "")


def _hits(talk: Conversation, books: Library, turn: int) -> tuple[Hit, ...]:
    """The entries found for a turn's question, looked up once and kept with its answer."""
    exchange = talk.turns[turn]
    if exchange.hits is None:
        tutor, answer = books.tutor(origin=exchange.scope), exchange.answer
        # A language model may have put a follow-up as a question of its own; the ids tell which way it was searched.
        for asked, history in ((exchange.question, talk.history(turn)), (answer and answer.standalone_question, [])):
            found = tutor.search(asked or exchange.question, limit=books.settings.sources, history=history)
            exchange.hits = tuple(found)
            if answer and tuple(hit.entry_id for hit in found) == answer.retrieved:
                break
    return exchange.hits or ()
