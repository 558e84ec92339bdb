"""Documents: the reader's own files beside the guides, added, listed and removed."""

import time
from typing import Any

import streamlit as st

from ingest.documents import Document
from rag.errors import TutorError
from rag.settings import Settings
from ui import escape, uploads
from ui.panels import open_books
from ui.state import PAGE, Desk, kept, show_guide
from ui.uploads import Work

SUFFIXES = ["md", "markdown", "txt", "rst", "html", "htm", "docx", "pdf"]
SECONDS = 0.3
"""Between two looks at the work."""


def main() -> None:
    """Draws the page."""
    desk = kept("documents", Desk)
    st.title("Documents", anchor=False)
    opened = open_books()
    if opened is None:
        return
    settings = opened[0].settings
    _notice(settings)
    _add(desk, settings)
    progress = st.container()
    _outcome(desk)
    _list(desk, settings)
    # Last, so that the page around the bar is whole while the work goes on.
    if desk.work is not None:
        with progress:
            _watch(desk, desk.work)


def _notice(settings: Settings) -> None:
    st.write("Add your own notes, and answers quote them beside the guides, named as yours.")
    sent = (
        " The sentences an answer needs are sent to the language model you configured; nothing else is."
        if settings.llm_configured
        else " They never leave this machine."
    )
    st.info(
        "**Documents are shared.** Everybody who opens this app on this machine can read, ask and remove them."
        f"{sent} `tutor ingest` shows the same documents."
    )


def _watch(desk: Desk, work: Work[Any]) -> None:
    """The progress of the work, until it ends or the reader leaves; it goes on without being watched."""
    bar = st.progress(0.0)
    wait = st.empty()
    while work.running:
        bar.progress(work.part, text=escape.plain(work.step))
        if work.waiting:
            wait.info("Somebody else is changing the documents right now. Yours are next; you may leave this page.")
        else:
            wait.empty()
        time.sleep(SECONDS)
    result, desk.error = uploads.outcome(work)
    desk.work = None
    if isinstance(result, Document):
        desk.said = f"Removed {result.id_prefix} {result.title}."
    elif result is not None:
        desk.reports = result
    st.rerun()


def _add(desk: Desk, settings: Settings) -> None:
    st.header("Add files", anchor=False)
    with st.form("add", clear_on_submit=True, border=False):
        files = st.file_uploader(
            f"Markdown, text, HTML, Word or PDF, up to {settings.document_megabytes} MB and "
            f"{settings.document_pages:,} pages a file; several at once",
            type=SUFFIXES,
            accept_multiple_files=True,
            max_upload_size=settings.document_megabytes,
            key="documents-files",
        )
        sent = st.form_submit_button("Add to the library", key="documents-add", disabled=desk.work is not None)
    if not sent:
        return
    desk.reports, desk.said, desk.error = (), "", ""
    if not files:
        desk.error = "No file is chosen. Drop files into the box above, or choose them with its button."
        return
    try:
        desk.work = uploads.start_adding(settings, files)
    except TutorError as error:
        desk.error = str(error)
    st.rerun()


def _outcome(desk: Desk) -> None:
    """What the last call came to."""
    if desk.error:
        st.error(escape.plain(desk.error))
    if desk.said:
        st.success(escape.plain(desk.said))
    if not desk.reports:
        return
    st.subheader(f"Result: {uploads.summary(desk.reports)}", anchor=False)
    for report in desk.reports:
        name = f"**{escape.plain(report.file)}**"
        if report.status == "skipped":
            st.error(f"{name} was not taken: {escape.plain(report.reason)}.")
            continue
        entries = "1 entry" if report.entries == 1 else f"{report.entries} entries"
        st.success(f"{name} {report.status} as {escape.plain(report.prefix)}: {entries}")
        for warning in report.warnings:
            st.warning(f"{name}: {escape.plain(warning)}")


def _list(desk: Desk, settings: Settings) -> None:
    try:
        documents = uploads.kept_documents(settings)
    except TutorError as error:
        st.error(escape.plain(str(error)))
        return
    st.header("Your documents" + (f" ({len(documents)})" if documents else ""), anchor=False)
    if not documents:
        st.write("There are none yet.")
    for document in documents[: desk.count]:
        _card(desk, settings, document)
    if len(documents) > desk.count and st.button("Show more", key="documents-more"):
        desk.count += PAGE
        st.rerun()


def _card(desk: Desk, settings: Settings, document: Document) -> None:
    many = "1 entry" if len(document.entries) == 1 else f"{len(document.entries)} entries"
    with st.container(border=True, gap="small"):
        st.markdown(f"**{escape.plain(document.title)}**")
        st.caption(f"{escape.plain(document.id_prefix)} · {many} · {escape.plain(document.file_name)}")
        if document.warnings:
            with st.expander(f"{len(document.warnings)} notes about reading it"):
                for warning in document.warnings:
                    st.write(escape.plain(warning))
        with st.container(horizontal=True, gap="small"):
            name = escape.plain(document.title)
            if st.button("Read its entries", key=f"read-{document.id_prefix}", help=f"Read the entries of {name}"):
                _read(document)
            busy = desk.work is not None
            if st.button("Remove …", key=f"remove-{document.id_prefix}", help=f"Remove {name}", disabled=busy):
                _confirm(desk, settings, document)


def _read(document: Document) -> None:
    """Opens the library at the entries of this document."""
    show_guide(document.entries[0].guide if document.entries else "")
    st.switch_page("views/library.py")


@st.dialog("Remove this document?")
def _confirm(desk: Desk, settings: Settings, document: Document) -> None:
    many = "its 1 entry" if len(document.entries) == 1 else f"its {len(document.entries)} entries"
    st.markdown(f"**{escape.plain(document.title)}** and {many} go for everybody who uses this app here. "
                "Your own file stays where it is.")  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        if st.button("Remove", key="confirm-remove", on_click=_remove, args=(desk, settings, document)):
            st.rerun()
        if st.button("Keep it", key="confirm-keep"):
            st.rerun()


def _remove(desk: Desk, settings: Settings, document: Document) -> None:
    desk.reports, desk.said, desk.error = (), "", ""
    desk.work = uploads.start_removing(settings, document.id_prefix)


main()
