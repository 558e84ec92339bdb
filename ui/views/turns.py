"""The turns of a conversation as the Ask page draws them: what was asked, what is said, what belongs to it."""

from collections.abc import Sequence

import streamlit as st

from rag.answer import QUOTE
from rag.errors import ResourceError
from rag.types import Answer, Claim, Source
from ui import escape
from ui.feedback import Verdict, feedback_on, keep_feedback
from ui.state import Conversation, Exchange, home
from ui.views.source import open_beside

Colour = str
STATUS = {
    "answered": ("Answered", "green", "Each sentence was checked against the entry it names."),
    "partial": ("Covered in part", "orange", ""),
    "not_covered": ("Not covered", "gray", "Ask in other words, or add a document of your own that covers it."),
    "unverified": ("Not verified", "red", "Ask in other words, or let the guides' own words answer."),
}
"""Of each status its name, its colour, and what a reader can do with it."""
WHOLE = "The whole answer"
SHORT = 90
"""Letters of a sentence in a list to choose from."""


def question_bubble(number: int, question: str) -> None:
    """What the reader asked."""
    with st.container(key=f"asked-{number}"), st.chat_message("user"):
        st.markdown(escape.plain(question))


def written_by(model: str) -> str:
    """Who wrote the sentences that follow."""
    return "Quoted from the guides" if model == QUOTE else f"Written by {escape.plain(model)}, each sentence checked"


def draw_answer(talk: Conversation, number: int, exchange: Exchange, announced: Sequence[str]) -> None:
    """What became of a question, with everything to press.

    Args:
        announced: notices shown elsewhere.
    """
    with st.chat_message("assistant"):
        answer = exchange.answer
        if answer is None:
            st.error(escape.plain(exchange.problem))
            return
        if answer.standalone_question != answer.question:
            st.caption(f"Understood as: {escape.plain(answer.standalone_question)}")
        _status(answer)
        if answer.claims:
            st.caption(written_by(answer.model))
        _claims(talk, number, "said", answer.claims, answer.sources)
        if answer.sources:
            listed = " · ".join(f"{source.id} {escape.plain(source.title)}" for source in answer.sources)
            st.caption(f"Sources: {listed}")
        _beside(talk, number, answer)
        for notice in answer.notices:
            if notice not in announced:
                st.caption(f"Note: {escape.plain(notice)}")
        _actions(talk, number, exchange, answer)


def _status(answer: Answer) -> None:
    name, colour, advice = STATUS[answer.status]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(name, color=colour)  # type: ignore[arg-type]
        st.caption(escape.plain(f"{answer.message} {advice}"))


def draw_claim(text: str, sources: Sequence[str]) -> None:
    """A sentence while the answer is being made, its ids not yet to be pressed."""
    st.markdown(f"{escape.plain(text)} {' '.join(f'`{source}`' for source in sources)}")


def _claims(talk: Conversation, number: int, kind: str, claims: Sequence[Claim], sources: Sequence[Source]) -> None:
    titles = {source.id: source.title for source in sources}
    for index, claim in enumerate(claims):
        with st.container(horizontal=True, gap="small", key=f"claim-{number}-{kind}-{index}"):
            st.markdown(escape.plain(claim.text), width="stretch")
            for source in claim.sources:
                _chip(talk, f"source-{number}-{kind}-{index}-{source}", source, titles.get(source, ""), number, claim)


def _chip(talk: Conversation, key: str, entry_id: str, title: str, number: int, claim: Claim) -> None:
    hint = f"Open {escape.plain(title)}" if title else "Open this entry"
    st.button(entry_id, key=key, help=hint, on_click=open_beside, args=(talk, key, entry_id, number, claim))


def _beside(talk: Conversation, number: int, answer: Answer) -> None:
    """What belongs to an answer without being part of it."""
    if answer.choices:
        st.caption("Which of these do you mean?")
        for index, choice in enumerate(answer.choices):
            st.button(escape.plain(choice), key=f"choice-{number}-{index}", on_click=talk.ask, args=(choice,))
    if answer.related:
        st.caption("Related, not an answer:")
        for source in answer.related:
            label, key = f"{source.id} {escape.plain(source.title)}", f"related-{number}-{source.id}"
            st.button(label, key=key, on_click=open_beside, args=(talk, key, source.id, number))
    if answer.quoted:
        with st.expander("The guides' own words", expanded=answer.status == "unverified"):
            _claims(talk, number, "quoted", answer.quoted, answer.sources)
    # A sentence in whose place the guides' own words stand carries those words.
    replaced = [claim for claim in answer.dropped_claims if claim.quote]
    gone = [claim for claim in answer.dropped_claims if not claim.quote]
    _not_said("Replaced by the guides' own words", "The answer quotes the guides in place of these.", replaced)
    _not_said("Sentences left out", "Somebody wrote these, and the guides don't support them.", gone)


def _not_said(title: str, about: str, claims: Sequence[Claim]) -> None:
    """Sentences that a language model wrote and that are not part of the answer; nothing when there are none."""
    if claims:
        with st.expander(f"{title} ({len(claims)})"):
            st.caption(about)
            for claim in claims:
                st.markdown(f"✗ {escape.plain(claim.text)}")


def _actions(talk: Conversation, number: int, exchange: Exchange, answer: Answer) -> None:
    """Copying an answer and saying what one thinks of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"actions-{number}"):
        st.button("Copy", key=f"copy-{number}", help="The answer with its citations, to paste anywhere")
        if exchange.verdict:
            st.caption(f"Marked as {exchange.verdict}. Thank you; it stays on this machine.")
            return
        st.button("Helpful", key=f"helpful-{number}", on_click=_judge, args=(talk, number, "helpful"))
        with st.popover("Something is wrong"):
            sentences = [WHOLE, *(claim.text for claim in answer.claims)]
            key = f"wrong-{number}"
            st.radio(
                "Which part is wrong?", range(len(sentences)), key=key, format_func=lambda row: _short(sentences[row])
            )
            st.button("Save feedback", key=f"keep-{number}", on_click=_judge, args=(talk, number, "wrong"))
            st.caption("Stays on this machine, with the question, for testing the tutor.")


def _short(sentence: str) -> str:
    return escape.plain(sentence if len(sentence) <= SHORT else f"{sentence[:SHORT].rsplit(' ', 1)[0]} …")


def _judge(talk: Conversation, number: int, verdict: Verdict) -> None:
    exchange = talk.turns[number]
    answer = exchange.answer
    if answer is None:
        return
    row = int(st.session_state.get(f"wrong-{number}") or 0) if verdict == "wrong" else 0
    sentence = answer.claims[row - 1].text if row else ""
    try:
        keep_feedback(home(), feedback_on(answer, talk.history(number), verdict, sentence))
    except ResourceError as error:
        st.error(escape.plain(str(error)))
        return
    exchange.verdict = verdict
