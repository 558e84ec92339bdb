"""The entry beside an answer, and why it is there; the Ask page draws it."""

import re
from dataclasses import dataclass

import streamlit as st

from rag.types import Claim, Hit
from rag.wiring import Library
from ui.panels import focus_on, focus_on_the_question, scroll_to, show_entry
from ui.state import Conversation, kept
from ui.why import why_rows, why_sentence, why_summary

NO_ROWS = "It was found for one part of the question; the whole question finds others first."
QUESTION_BUBBLE, ENTRY = ".st-key-ask [class*=st-key-asked-]", ".st-key-entry"
ENTRY_HEIGHT = 640
"""Pixels; the entry scrolls in a frame of its own, so the answer stays in view beside it."""


@dataclass
class Beside:
    """The way back from the entry beside an answer.

    `button` is the CSS selector of what was pressed to open it; `closed` is the number of the entry that was
    closed last, 0 once the reader has gone on.
    """

    button: str = ""
    closed: int = 0


def beside_of() -> Beside:
    """This session's way back."""
    return kept("beside", Beside)


def open_beside(talk: Conversation, key: str, entry_id: str, turn: int, claim: Claim | None = None) -> None:
    """Opens an entry beside the answer.

    Args:
        key: of the button that was pressed; closing the entry puts the focus there again.
    """
    place = beside_of()
    # Streamlit makes a class of a key in the same way.
    place.button, place.closed = f".st-key-{re.sub('[^a-zA-Z0-9_-]', '-', key)}", 0
    talk.open(entry_id, turn, claim)


def entry_beside(talk: Conversation, books: Library) -> None:
    """The entry beside the answer, and why it is there; what to press stays in view above the text."""
    opened = talk.opened
    if opened is None:
        return
    with st.container(key="opened"):
        head = st.container(key="opened-head", gap="small")
        with head.container(horizontal=True, vertical_alignment="center", gap="small", key="opened-row"):
            st.button("Close", key="close-entry", on_click=_close, args=(talk,))
            if sentence := why_sentence(opened.claim):
                st.caption(sentence, width="stretch")
        try:
            entry = books.store.entry(opened.entry_id)
        except KeyError:
            st.warning("This entry is no longer in the library: its document was removed.")
            return
        if opened.turn < len(talk.turns):
            hits = _hits(talk, books, opened.turn)
            with head.expander(f"Why this source? {why_summary(hits, entry.id)}"):
                rows = [f"- **{name} {value}**: {said}" for name, value, said in why_rows(hits, entry.id)]
                st.markdown("\n".join(rows) or NO_ROWS)
        with st.container(height=ENTRY_HEIGHT, border=True, key="entry"):
            show_entry(entry, opened.claim.quote if opened.claim else "")


def _close(talk: Conversation) -> None:
    if talk.opened is not None:
        beside_of().closed = talk.opened.number
    talk.close()


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


def move(talk: Conversation) -> None:
    """Brings into view what was asked last, or the entry that was opened last; closing it leads back to its id."""
    asked, place = len(talk.turns) + (talk.job is not None), beside_of()
    if not asked:
        focus_on_the_question()
    elif place.closed:
        focus_on(f"{place.button} button", place.closed)
    elif talk.opened is None or talk.job is not None:
        scroll_to(QUESTION_BUBBLE, asked)
    else:
        scroll_to(f"{ENTRY} .stMarkdownColoredBackground|{ENTRY} h2", talk.opened.number, focus=f"{ENTRY} h2")
