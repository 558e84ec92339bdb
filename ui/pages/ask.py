"""Ask: a conversation with the guides, each sentence beside the entry it comes from."""

import streamlit as st

from rag.answer import QUOTE
from rag.errors import TutorError
from rag.types import Answer, Claim, Entry
from rag.wiring import Library
from ui import escape
from ui.panels import open_books, show_entry
from ui.state import Conversation, conversation

STARTERS = (
    "My model has 95% accuracy offline but fails in production. Why?",
    "When is PR-AUC a better choice than ROC-AUC?",
    "How do I stop a chatbot from making things up when it has the documents?",
)
# Pixels; the entry scrolls in a frame of its own, so the answer stays in view beside it.
ENTRY_HEIGHT = 640
STATUS = {"partial": "Covered in part", "not_covered": "Not covered", "unverified": "Not verified"}


def main() -> None:
    """Draws the page."""
    talk = conversation()
    opened = open_books()
    if opened is None:
        return
    books, notices = opened
    chat, beside = st.columns([3, 2], gap="large") if talk.open_entry else (st.container(), None)
    question = st.chat_input("Ask about machine-learning interviews", key="question")
    with chat:
        st.title("ML interview tutor")
        st.caption("Every sentence of an answer comes from the guides and names the entry it comes from.")
        question = question or talk.take_choice() or _starters(talk)
        for number, answer in enumerate(talk.answers):
            _turn(talk, number, answer)
        if question:
            _answer(talk, books, notices, question)
    if beside is not None and talk.open_entry:
        with beside, st.container(height=ENTRY_HEIGHT, border=True, key="entry"):
            _entry(talk, books.store.entry(talk.open_entry))


def _starters(talk: Conversation) -> str | None:
    """The starter questions of an empty page; the one that was chosen."""
    if talk.answers:
        return None
    for number, starter in enumerate(STARTERS):
        if st.button(starter, key=f"starter-{number}"):
            return starter
    return None


def _answer(talk: Conversation, books: Library, notices: tuple[str, ...], question: str) -> None:
    """Draws each claim as it passes its check, then the whole turn with its buttons."""
    with st.chat_message("user"):
        st.markdown(escape.plain(question))
    try:
        with st.chat_message("assistant"), st.spinner("Reading the guides …"):
            reply = books.tutor(notices).reply(question, talk.history(), pace=talk.pace_of(books.settings))
            writer = ""
            for shown in reply:
                if shown.model != writer:
                    writer = shown.model
                    st.caption(_written_by(writer))
                st.markdown(f"{escape.plain(shown.claim.text)} {' '.join(shown.claim.sources)}")
    except TutorError as error:
        st.error(escape.plain(str(error)))
        return
    talk.answers.append(reply.answer)
    # A rerun draws the answer with its buttons in the order in which a click will find them.
    st.rerun()


def _written_by(model: str) -> str:
    return "Quoted from the guides" if model == QUOTE else f"Written by {escape.plain(model)}, each sentence checked"


def _turn(talk: Conversation, number: int, answer: Answer) -> None:
    with st.chat_message("user"):
        st.markdown(escape.plain(answer.question))
    with st.chat_message("assistant"):
        if answer.standalone_question != answer.question:
            st.caption(f"Understood as: {escape.plain(answer.standalone_question)}")
        if answer.status in STATUS:
            st.warning(f"{STATUS[answer.status]}: {escape.plain(answer.message)}")
        if answer.claims:
            st.caption(_written_by(answer.model))
        for index, claim in enumerate(answer.claims):
            _claim(talk, f"{number}-{index}", claim)
        if answer.sources:
            listed = " · ".join(f"{source.id} {escape.plain(source.title)}" for source in answer.sources)
            st.caption(f"Sources: {listed}")
        _beside(talk, number, answer)
        for notice in answer.notices:
            st.caption(f"ℹ️ {escape.plain(notice)}")


def _beside(talk: Conversation, number: int, answer: Answer) -> None:
    """What belongs to an answer without being part of it."""
    for index, choice in enumerate(answer.choices):
        if st.button(escape.plain(choice), key=f"choice-{number}-{index}"):
            talk.chosen = choice
            st.rerun()
    if answer.related:
        st.caption("Related, not an answer:")
        for source in answer.related:
            if st.button(f"{source.id} {escape.plain(source.title)}", key=f"related-{number}-{source.id}"):
                talk.open_entry, talk.open_quote = source.id, ""
                st.rerun()
    if answer.quoted:
        with st.expander("The guides' own words"):
            for index, claim in enumerate(answer.quoted):
                _claim(talk, f"{number}-quoted-{index}", claim)
    if answer.dropped_claims:
        with st.expander("Sentences left out: the guides don't support them"):
            for claim in answer.dropped_claims:
                st.markdown(f"✗ {escape.plain(claim.text)}")


def _claim(talk: Conversation, key: str, claim: Claim) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(escape.plain(claim.text), width="stretch")
        for source in claim.sources:
            if st.button(source, key=f"source-{key}-{source}", help="Open this entry", type="secondary"):
                talk.open_entry, talk.open_quote = source, claim.quote
                st.rerun()


def _entry(talk: Conversation, entry: Entry) -> None:
    """The entry beside the answer."""
    if st.button("Close", key="close-entry"):
        talk.open_entry = None
        st.rerun()
    show_entry(entry, talk.open_quote)


main()
