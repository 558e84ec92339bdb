"""What several pages of the web app draw alike."""

import streamlit as st

from rag.errors import TutorError
from rag.types import Entry
from rag.wiring import Library
from ui import escape
from ui.highlight import marked_entry
from ui.state import library, streamlit_report

FOCUS = "document.querySelector('[data-testid=stChatInputTextArea]')"


def open_books() -> tuple[Library, tuple[str, ...]] | None:
    """The library and what is announced with every answer; None, with the error on the page, when there is none."""
    bar = st.empty()
    try:
        opened = library(streamlit_report(bar.progress))
    except TutorError as error:
        bar.empty()
        st.error(escape.plain(str(error)))
        return None
    bar.empty()
    return opened


def show_entry(entry: Entry, quote: str = "") -> None:
    """An entry as its guide has it; the passage that carries a sentence is marked where it stands.

    A passage that cannot be marked, such as one with half a pair of bold signs, is shown above the entry.
    """
    marked = marked_entry(entry, quote)
    st.header(f"{entry.id} {escape.plain(entry.title)}", anchor=False)
    st.caption(f"{escape.plain(entry.guide)} · {entry.level}")
    if quote and not marked.found:
        st.info(escape.markdown(quote))
    st.markdown(f"**{escape.plain(entry.question)}**")
    st.markdown(marked.answer)
    for question, answer in marked.follow_ups:
        st.markdown(f"### {question}\n\n{answer}")
    if entry.caveat:
        st.warning(marked.caveat)


def scroll_to(selectors: str, number: int, focus: str = "") -> None:
    """Scrolls the nearest frame around an element until it stands in its upper third, once a number.

    Args:
        selectors: CSS selectors written by us, separated by `|`; the first is waited for, the others stand in.
            Of several matches the last one counts.
        number: a change of it scrolls again.
        focus: a selector of what gets the keyboard's focus.
    """
    script = f"""
        const wanted = {selectors.split("|")!r}, focus = {focus!r};
        const last = (it) => [...document.querySelectorAll(it)].pop();
        const scrolls = (it) => /auto|scroll/.test(getComputedStyle(it).overflowY)
            && it.scrollHeight > it.clientHeight + 8;
        let tries = 0;
        const go = () => {{
            if (!last(wanted[0]) && ++tries < 20) return setTimeout(go, 50);
            const found = wanted.map(last).find(Boolean);
            if (!found) return;
            let frame = found.parentElement;
            while (frame && !scrolls(frame)) frame = frame.parentElement;
            const top = found.getBoundingClientRect().top - (frame?.getBoundingClientRect().top ?? 0);
            frame?.scrollBy({{top: top - Math.min(frame.clientHeight / 3, 96), behavior: 'instant'}});
            const held = focus && last(focus);
            if (held) {{ held.tabIndex = -1; held.focus({{preventScroll: true}}); }}
        }};
        setTimeout(go, 50);
    """
    _run(script, number)


def focus_on_the_question() -> None:
    """Puts the keyboard into the question box when the page opens; not on a phone, where a keyboard would pop up."""
    script = f"""
        if (matchMedia('(pointer: fine)').matches && document.activeElement === document.body)
            setTimeout(() => {FOCUS}?.focus({{preventScroll: true}}), 200);
    """
    _run(script)


def _run(script: str, number: int = 0) -> None:
    """Runs a script of ours in the page, again whenever the number changes."""
    # The page's scripts share their names, so each one keeps its own in a function.
    st.html(f"<script data-number='{number:d}'>(() => {{{script}}})()</script>", unsafe_allow_javascript=True)
