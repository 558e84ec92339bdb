"""Retrieval lab: one question through every stage of the tutor, side by side."""

import streamlit as st

from rag.answer import QUOTE
from rag.errors import TutorError
from rag.support import SUPPORTED
from rag.tutor import COVERED
from rag.wiring import Library
from ui import escape, lab_view
from ui.choices import models_on_offer
from ui.panels import open_books
from ui.state import BEFORE, PART, QUESTION, SCORED, WRITER, Lab, conversation, kept
from ui.tables import changed
from ui.trace import Search, Trace, trace

EXAMPLES = {
    "Typing mistakes": ("why does the loss of my lstm becom nan durng trainig?", ""),
    "Other words": ("it is great on my laptop's data and useless with customers", ""),
    "A follow-up": ("and how is it different from data drift?", "what is concept drift?"),
    "Two parts": ("What is dropout, and who won the world cup in 1998?", ""),
    "Not covered": ("How much does a GPU cost per hour?", ""),
}


def main() -> None:
    """Draws the page."""
    lab = kept("lab", Lab)
    st.title("Retrieval lab", anchor=False)
    st.write("Follow one question through the tutor and see what each stage makes of it.")
    opened = open_books()
    if opened is None:
        return
    books, _ = opened
    if _asked(lab, books):
        _follow(lab, books)
    if lab.error:
        st.error(escape.plain(lab.error))
    elif lab.trace is None:
        st.info("Type a question or choose an example. Nothing is kept, and the same parts run as for any question.")
    else:
        _drawn(lab.trace)


def _asked(lab: Lab, books: Library) -> bool:
    """The form and the examples; whether there is something to follow."""
    with st.container(horizontal=True, gap="small"):
        for name, (question, before) in EXAMPLES.items():
            st.button(name, key=f"lab-{name}", on_click=_choose, args=(lab, question, before))
    with st.form("lab-form", border=False):
        wide, narrow = st.columns([3, 2])
        wide.text_input("Question", key=QUESTION, placeholder="for example: my loss becomes NaN, why?")
        narrow.text_input("Question before it (optional)", key=BEFORE, help="Makes the question a follow-up.")
        offered = models_on_offer(books.settings)
        if len(offered) > 1:
            st.selectbox("Who answers", list(offered), format_func=offered.__getitem__, key=WRITER)
        sent = st.form_submit_button("Follow it")
    run, lab.run = lab.run or sent, False
    return run


def _choose(lab: Lab, question: str, before: str) -> None:
    """Fills in an example and starts it; a widget's value can only be set before it is drawn."""
    st.session_state[QUESTION], st.session_state[BEFORE] = question, before
    lab.run = True


def _follow(lab: Lab, books: Library) -> None:
    lab.trace, lab.error = None, ""
    for chosen in (PART, SCORED):
        st.session_state.pop(chosen, None)
    try:
        with st.spinner("Following the question …"):
            model = st.session_state.get(WRITER, QUOTE)
            pace = conversation().pace_of(books.settings)
            lab.trace = trace(books, st.session_state[QUESTION], st.session_state[BEFORE], model, pace)
    except TutorError as error:
        lab.error = str(error)


def _drawn(done: Trace) -> None:
    search = done.searches[0]
    _understood(done, search)
    if len(done.searches) > 1:
        names = ["The whole question", *(f"Part: {item.words}" for item in done.searches[1:])]
        number = st.selectbox("Show the search of", range(len(names)), format_func=names.__getitem__, key=PART)
        search = done.searches[number]
    _lists(done, search)
    _covered(done, search)
    _sent(done)
    _answer(done)
    _left_out(done)
    st.header("7. Time", anchor=False)
    st.write("Where the time of this one answer went, in the order of the stages.")
    st.html(lab_view.times(done))


def _understood(done: Trace, search: Search) -> None:
    st.header("1. What was understood", anchor=False)
    st.write("Mistyped words are put right with the guides' own words, and a follow-up gets its subject back.")
    with st.container(border=True):
        st.html(changed(done.typed))
        if done.before:
            st.markdown(f"Asked before it: {escape.plain(done.before)}")
            st.markdown(f"Understood as: **{escape.plain(done.answer.standalone_question)}**")
            st.markdown("Searched by meaning, their vectors added up:")
            st.markdown("\n".join(f"- {escape.plain(text)}" for text in search.meanings))
        if all(old == new for old, new in done.typed):
            st.caption("Every word is known, so nothing was put right.")
        st.caption(f"Searched by words: {escape.plain(search.words)}")


def _lists(done: Trace, search: Search) -> None:
    st.header("2. What was found", anchor=False)
    st.write(
        "Two searches, made one, then looked at again. Bold entries became sources; arrows show places won or lost."
    )
    st.html(lab_view.lists(done, search))
    st.subheader("How the ranks moved", anchor=False)
    st.caption(
        "A line an entry, the first rank on top; blue ones became sources. A gap means that this stage did not find "
        f"the entry, and below rank {lab_view.SHOWN} only the order counts."
    )
    st.vega_lite_chart(
        lab_view.flow(done, search),
        alt=lab_view.flow_told(done, search),
        key="lab-flow",
    )
    ids = [hit.entry_id for hit in search.stages[-1].hits] if search.stages else []
    if ids:
        named = {entry_id: f"{entry_id} {done.titles[entry_id]}" for entry_id in ids}
        chosen = st.selectbox("Parts of one entry's score", ids, format_func=named.__getitem__, key=SCORED)
        st.html(lab_view.scores(search, chosen))


def _covered(done: Trace, search: Search) -> None:
    st.header("3. Do the guides cover it?", anchor=False)
    st.write(
        f"A probability decides whether to answer at all; below {COVERED} the question is refused. It is learnt from "
        "questions that the guides answer and questions that they leave open."
    )
    verdict = "answered" if search.covered >= COVERED else "refused"
    st.markdown(f"Probability **{search.covered:.3f}**: searched like this, the question is **{verdict}**.")
    st.html(lab_view.judged(search))
    if done.answer.uncovered:
        st.markdown("Left open: " + "; ".join(escape.plain(part) for part in done.answer.uncovered))


def _sent(done: Trace) -> None:
    st.header("4. Sources sent", anchor=False)
    st.write("The best entries, and the only ones the answer may draw on and cite.")
    if done.sent:
        st.html(lab_view.sources(done))
    else:
        st.info("Nothing was sent, because the guides were judged not to cover the question.")


def _answer(done: Trace) -> None:
    st.header("5. The answer, checked", anchor=False)
    st.write(
        "Each sentence is compared with the entries it cites: 1.00 stands there word for word, and below "
        f"{SUPPORTED:.2f} it is left out."
    )
    if done.answer.message:
        st.warning(escape.plain(done.answer.message))
    if done.answer.claims:
        st.html(lab_view.claims(done.answer.claims, "Sentences of the answer"))
    for notice in done.answer.notices:
        st.caption(f"Note: {escape.plain(notice)}")


def _left_out(done: Trace) -> None:
    st.header("6. Left out", anchor=False)
    st.write("What was found or written and still did not reach you.")
    # What the guides' own words have replaced carries the passage that stands in its place.
    replaced = [claim for claim in done.answer.dropped_claims if claim.quote]
    unsupported = [claim for claim in done.answer.dropped_claims if not claim.quote]
    for claims, title, name in (
        (unsupported, "Sentences that no source supports", "Sentences left out"),
        (replaced, "Sentences replaced by the guides' own words", "Sentences replaced"),
    ):
        if claims:
            st.subheader(title, anchor=False)
            st.html(lab_view.claims(claims, name))
    if done.unsent:
        st.subheader("Entries that came next", anchor=False)
        st.html(lab_view.unsent(done))


main()
