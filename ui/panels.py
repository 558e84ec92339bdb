"""What several pages of the web app draw alike."""

import json
from collections.abc import Sequence

import streamlit as st

from rag.errors import TutorError
from rag.types import Entry
from rag.wiring import Library
from ui import escape
from ui.browse import byline
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
    st.caption(escape.plain(byline(entry)))
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
            // The style sheet says how much stands over the frame's upper end.
            const over = parseFloat(getComputedStyle(found).scrollMarginTop) || 96;
            frame?.scrollBy({{top: top - Math.min(frame.clientHeight / 3, over), behavior: 'instant'}});
            const held = focus && last(focus);
            if (held) {{ held.tabIndex = -1; held.focus({{preventScroll: true}}); }}
        }};
        setTimeout(go, 50);
    """
    _run(script, number)


def focus_on_the_question() -> None:
    """Puts the keyboard into the question box when the page opens; not on a phone, where a keyboard would pop up."""
    script = f"""
        let tries = 0;
        const go = () => {{
            // Whatever the reader has gone to meanwhile keeps the focus.
            if (document.activeElement === document.body) {FOCUS}?.focus({{preventScroll: true}});
            if (document.activeElement === document.body && ++tries < 60) setTimeout(go, 100);
        }};
        if (matchMedia('(pointer: fine)').matches) setTimeout(go, 200);
    """
    _run(script)


def focus_on(selector: str, number: int) -> None:
    """Gives the keyboard's focus to an element, which brings it into view, once a number.

    Args:
        selector: CSS written by us.
        number: a change of it does it again.
    """
    # What had the focus goes away some time after this script has come, and takes the focus with it.
    script = f"""
        const held = document.activeElement;
        let tries = 0;
        const go = () => {{
            // Of a button with a hint there are two, one for phones; only one of them is drawn.
            const drawn = [...document.querySelectorAll({selector!r})].find((it) => it.offsetParent);
            if ([held, document.body].includes(document.activeElement)) drawn?.focus();
            if (++tries < 20) setTimeout(go, 50);
        }};
        setTimeout(go, 50);
    """
    _run(script, number)


def copy_when_pressed(texts: Sequence[str]) -> None:
    """Has each button with the key `copy-0`, `copy-1` and so on put its text on the clipboard.

    Only the browser can do that, and only while the button is being pressed; the button then says so.
    """
    # As JSON whose "<" is written as a number, no text can end the script.
    literal = json.dumps(list(texts)).replace("<", "\\u003c")
    script = f"""
        const first = !window.tutorTexts;
        window.tutorTexts = {literal};
        // Pages over plain HTTP have no clipboard of their own, but the older command.
        const byCommand = (text) => {{
            const area = document.createElement('textarea');
            area.value = text;
            document.body.append(area);
            area.select();
            const done = document.execCommand('copy');
            area.remove();
            return done ? Promise.resolve() : Promise.reject();
        }};
        if (first) document.addEventListener('click', (event) => {{
            const button = event.target.closest?.('[class*=st-key-copy-] button');
            const key = button?.closest('[class*=st-key-copy-]').className.match(/st-key-copy-(\\d+)/);
            if (!key) return;
            const text = window.tutorTexts[key[1]], label = button.querySelector('p')?.firstChild;
            const says = (word) => {{
                if (!label) return;
                label.nodeValue = word;
                setTimeout(() => {{ label.nodeValue = 'Copy'; }}, 2000);
            }};
            const asked = navigator.clipboard?.writeText(text).catch(() => byCommand(text)) ?? byCommand(text);
            asked.then(() => says('Copied'), () => says('Not copied'));
        }}, true);
    """
    _run(script)


def _run(script: str, number: int = 0) -> None:
    """Runs a script of ours in the page, again whenever the number changes."""
    # The page's scripts share their names, so each one keeps its own in a function.
    st.html(f"<script data-number='{number:d}'>(() => {{{script}}})()</script>", unsafe_allow_javascript=True)
