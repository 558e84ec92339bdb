"""Ask: a conversation with the guides, each sentence beside the entry it comes from."""

from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rag.reply import Reply
from rag.tutor import NO_LLM
from rag.types import Source
from rag.wiring import Library
from ui import escape
from ui.answering import Answering
from ui.browse import topic_label
from ui.choices import default_model, model_notice, models_on_offer, scopes_of, starters_of, topics_of
from ui.panels import copy_when_pressed, open_books
from ui.share import answer_text, conversation_markdown
from ui.state import Conversation, conversation, entries_of, is_warm, warm
from ui.views.source import beside_of, entry_beside, move
from ui.views.turns import draw_answer, draw_claim, question_bubble, written_by

ASK = "Ask about machine-learning interviews"
TICK = 0.4
"""Seconds between two looks at an answer that is being made; a click waits that long at the most."""


def main() -> None:
    """Draws the page."""
    st.title("ML interview tutor", anchor=False)
    talk = conversation()
    opened = open_books()
    if opened is None:
        return
    books, notices = opened
    save = _sidebar(talk, books)
    # Both places are always there, so that opening an entry does not draw the conversation anew.
    with st.container(key="ask"):
        chat, beside = st.columns([11, 9], gap="large")
    # In a container of its own it is an ordinary element: pinned by Streamlit it would pull the page down to its end.
    with st.container(key="bar"):
        typed = st.chat_input(ASK, key="question", max_chars=books.settings.question_limit)
    scripts = st.container(key="scripts")
    if question := typed or talk.take_asked():
        _begin(talk, books, notices, question)
    if talk.opened:
        with beside:
            entry_beside(talk, books)
    with scripts:
        move(talk)
    with chat:
        welcome = st.empty()
        if not talk.turns and talk.job is None:
            with welcome.container():
                _welcome(talk, books, notices)
        for number, exchange in enumerate(talk.turns):
            question_bubble(number, exchange.question)
            st.empty()
            with st.container():
                _answer(talk, number, notices)
        if talk.job is not None:
            question_bubble(len(talk.turns), talk.job.question)
            # Two places, because Streamlit keeps in a place what a shorter content of the same run does not cover.
            growing = st.empty()
            with growing.container():
                _being_made(talk, books, talk.job)
            growing.empty()
            with st.container():
                _answer(talk, len(talk.turns) - 1, notices)
    with scripts:
        copy_when_pressed([answer_text(turn.answer) if turn.answer else "" for turn in talk.turns])
    with save:
        _save(talk)


def _answer(talk: Conversation, number: int, notices: tuple[str, ...]) -> None:
    # What holds for every answer is said under the last one only.
    last = number == len(talk.turns) - 1 and talk.job is None
    draw_answer(talk, number, talk.turns[number], () if last else (*notices, NO_LLM))


def _begin(talk: Conversation, books: Library, notices: tuple[str, ...], question: str) -> None:
    """Has the question answered on a thread of its own."""
    history, pace = talk.history(), talk.pace_of(books.settings)
    model, scope = talk.model or default_model(books.settings), talk.scope
    beside_of().closed = 0

    def make() -> Reply:
        warm(books)
        return books.tutor(notices, scope).reply(question, history, model, pace)

    talk.start(question, make, lambda entry_id: _source(books, entry_id))


def _sidebar(talk: Conversation, books: Library) -> DeltaGenerator:
    """What is chosen beside the conversation; returns the place for saving it, which is filled last."""
    offered = models_on_offer(books.settings)
    chosen = talk.model if talk.model in offered else default_model(books.settings)
    with st.sidebar:
        st.button("New conversation", key="restart", on_click=talk.restart, width="stretch")
        names = list(offered)
        talk.model = st.selectbox(
            "Answers are written by",
            names,
            index=names.index(chosen),
            format_func=offered.__getitem__,
            key="model",
            help="Whoever writes, only sentences that an entry supports are shown.",
        )
        choices = list(scopes := scopes_of(entries_of(books)))
        talk.scope = talk.scope if talk.scope in choices else None
        if len(choices) > 1:
            talk.scope = st.selectbox(
                "Answers are drawn from",
                choices,
                index=choices.index(talk.scope),
                format_func=scopes.__getitem__,
                key="scope",
                help="Documents are shared by everybody who opens this app.",
            )
        if notice := model_notice(books.settings):
            st.warning(escape.plain(notice))
        return st.empty()


def _save(talk: Conversation) -> None:
    """The conversation as a file."""
    if not talk.answers:
        return
    now = datetime.now().astimezone()
    st.download_button(
        "Save conversation",
        conversation_markdown(talk.answers, now),
        f"ml-interview-tutor-{now:%Y-%m-%d-%H%M}.md",
        "text/markdown",
        help="As a Markdown file",
        on_click="ignore",
        width="stretch",
    )


def _welcome(talk: Conversation, books: Library, notices: tuple[str, ...]) -> None:
    """The empty page: what this is, and something to begin with."""
    st.markdown("Ask an interview question. Every sentence of the answer names the guide entry it comes from.")
    entries = entries_of(books)
    with st.container(key="welcome"):
        st.header("Start with one of these", anchor=False)
        starters = st.container(horizontal=True, gap="small")
        talk.topic = st.pills(
            "Or choose a topic", topics_of(entries), default=talk.topic, format_func=topic_label, key="topic"
        )
    with starters:
        for number, starter in enumerate(starters_of(entries, talk.topic)):
            st.button(escape.plain(starter), key=f"starter-{number}", wrap=True, on_click=talk.ask, args=(starter,))
    for notice in notices:
        st.caption(f"Note: {escape.plain(notice)}")


def _being_made(talk: Conversation, books: Library, job: Answering) -> None:
    """Draws each sentence as it passes its check, and keeps the turn when it is whole."""
    with st.chat_message("assistant"):
        with st.container(horizontal=True, vertical_alignment="center"):
            state = st.empty()
            state.caption(_progress(talk, books, job))
            st.button("Stop", key="stop", on_click=job.stop, shortcut="Esc")
        drawn, writer = 0, ""
        # What comes with the end of the answer is drawn with the whole of it.
        while not job.wait(TICK):
            for shown in job.shown[drawn:]:
                if shown.model != writer:
                    writer = shown.model
                    st.caption(written_by(writer))
                draw_claim(shown.claim.text, shown.claim.sources)
                drawn += 1
            # Drawing is also when Streamlit looks whether something was pressed.
            state.caption(_progress(talk, books, job))
    talk.settle(lambda entry_id: _source(books, entry_id))


def _progress(talk: Conversation, books: Library, job: Answering) -> str:
    """What the reader is waiting for."""
    if not is_warm(books):
        return "Opening the search, a few seconds …"
    if not job.shown:
        return "Reading the guides …"
    return f"Waiting for {escape.plain(models_on_offer(books.settings).get(talk.model, talk.model))} …"


def _source(books: Library, entry_id: str) -> Source:
    entry = books.store.entry(entry_id)
    return Source(entry.id, entry.title, entry.guide)


main()
