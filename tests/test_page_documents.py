"""The Documents page in each of its states, run by Streamlit's own test runner over a home folder of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ingest import library as ingest_library
from ingest.build import build_index
from ingest.lock import writer_lock
from rag.settings import Settings
from tests.browser_fixtures import in_order
from tests.conftest import silent
from tests.document_files import GUIDE
from tests.paging import forget, levels, the_page
from ui.state import PAGE
from ui.uploads import kept_documents

pytestmark = pytest.mark.real
TEXT = "text/markdown"


@pytest.fixture
def page(spare_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The page over three entries and no documents."""
    build_index(spare_home, silent)
    values = {
        "TUTOR_CORPUS": str(spare_home.corpus),
        "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model,
        "TUTOR_DOCUMENT_MEGABYTES": "7",
    }
    with the_page("../app", spare_home.home, monkeypatch, **values) as app:
        run(app)
        app.switch_page("views/documents.py")
        yield run(app)


def run(changed: Any) -> AppTest:
    """Runs the page, or the page of an element that was changed."""
    app: AppTest = changed.run()
    assert [item.value for item in app.exception] == []
    return app


def add(app: AppTest, *files: tuple[str, str | bytes]) -> AppTest:
    """Uploads files and waits until they are read."""
    sent = [(name, content if isinstance(content, bytes) else content.encode(), TEXT) for name, content in files]
    app.file_uploader[0].set_value(sent)
    app.button(key="documents-add").click()
    return run(app)


def plain(app: AppTest, kind: str) -> list[str]:
    """Texts of one kind of element, without the marks that keep them plain."""
    return [str(getattr(item, "value", "")).replace("\\", "") for item in app.get(kind)]


def test_an_empty_page_says_who_shares_documents_and_what_is_taken(page: AppTest) -> None:
    (shared,) = plain(page, "info")
    assert "Everybody who opens this app on this machine" in shared
    assert "never leave this machine" in shared
    (uploader,) = page.file_uploader
    assert "up to 7 MB and 2,000 pages" in uploader.label
    assert uploader.accept_multiple_files
    assert uploader.proto.max_upload_size_mb == 7
    assert "There are none yet." in [item.value for item in page.markdown]


def test_with_a_language_model_the_page_says_what_is_sent(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    forget()
    run(page)
    assert "sent to the language model you configured" in page.info[0].value
    assert "never leave" not in page.info[0].value


def test_nothing_chosen_is_said(page: AppTest) -> None:
    run(page.button(key="documents-add").click())
    assert "No file is chosen." in page.error[0].value.replace("\\", "")


def test_files_are_added_summed_up_listed_read_and_removed(page: AppTest, spare_home: Settings) -> None:
    add(page, ("drift.md", GUIDE), ("broken.pdf", b"%PDF-1.4 garbage"), ("empty.txt", b""))
    assert "Result: 1 added, 2 not taken" in [item.value for item in page.subheader]
    (fine,) = page.success
    (document,) = kept_documents(spare_home)
    assert f"drift.md** added as {document.id_prefix}: 4 entries" in fine.value.replace("\\", "")
    refused = [item.value.replace("\\", "") for item in page.error]
    assert len(refused) == 2
    assert in_order(levels(page)), levels(page)
    assert refused[0].startswith("**broken.pdf** was not taken: ")
    assert refused[1] == "**empty.txt** was not taken: it is empty."
    assert "Your documents (1)" in [item.value for item in page.header]

    add(page, ("drift.md", GUIDE.replace("Fresh", "New")))
    assert "Result: 1 updated" in [item.value for item in page.subheader]
    assert len(kept_documents(spare_home)) == 1

    run(page.button(key=f"remove-{document.id_prefix}").click())
    assert kept_documents(spare_home), "nothing goes before it is confirmed"
    run(page.button(key="confirm-remove").click())
    assert page.success[0].value.startswith("Removed ")
    assert kept_documents(spare_home) == ()
    assert "There are none yet." in [item.value for item in page.markdown]


def test_a_document_can_be_kept_after_all(page: AppTest, spare_home: Settings) -> None:
    add(page, ("drift.md", GUIDE))
    (document,) = kept_documents(spare_home)
    run(page.button(key=f"remove-{document.id_prefix}").click())
    run(page.button(key="confirm-keep").click())
    assert kept_documents(spare_home) == (document,)
    assert "confirm-remove" not in {button.key for button in page.button}


def test_the_entries_of_a_document_are_opened_in_the_library(page: AppTest, spare_home: Settings) -> None:
    add(page, ("drift.md", GUIDE))
    (document,) = kept_documents(spare_home)
    run(page.button(key=f"read-{document.id_prefix}").click())
    assert page.title[0].value == "Library"
    assert page.selectbox(key="library-guide").value == "Data Drift Questions (your document)"
    assert page.header[0].value == "4 entries"


def test_names_and_titles_are_shown_as_text(page: AppTest) -> None:
    hostile = "![x](http:evil.example) :red[no] <b> $x$.md"
    add(page, (hostile, GUIDE.replace("Data Drift Questions", "Mine [a](http://evil.example) <script>")))
    shown = "\n".join(item.value for item in (*page.success, *page.markdown, *page.caption, *page.warning))
    assert "evil" in shown
    for live in ("](http", "<b>", "<script", " :red[", " $x$"):
        assert live not in shown, live


def test_while_another_process_writes_the_page_says_so(
    page: AppTest, spare_home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_library, "WAIT_SECONDS", 0.5)
    with writer_lock(spare_home.home, 0, silent):
        add(page, ("drift.md", GUIDE))
    assert "The index is still being written by process" in page.error[0].value.replace("\\", "")
    add(page, ("drift.md", GUIDE))
    assert not page.error
    assert len(kept_documents(spare_home)) == 1


def test_a_damaged_document_is_named_and_the_rest_of_the_page_stays(page: AppTest, spare_home: Settings) -> None:
    spare_home.documents_folder.mkdir(exist_ok=True)
    (spare_home.documents_folder / "ABC.json").write_text("{", "utf-8")
    run(page)
    assert "ABC.json is damaged" in page.error[0].value.replace("\\", "")
    assert page.file_uploader


def test_a_broken_corpus_without_an_index_is_one_clear_line(
    spare_home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    next(spare_home.corpus.rglob("SCN-08*.md")).write_text("not an entry", "utf-8")
    values = {"TUTOR_CORPUS": str(spare_home.corpus), "TUTOR_EMBEDDING_MODEL": spare_home.embedding_model}
    with the_page("documents", spare_home.home, monkeypatch, **values) as app:
        run(app)
        assert len(app.error) == 1
        assert "tutor corpus check" in app.error[0].value
        assert not app.file_uploader
        assert in_order(levels(app)), levels(app)


def test_more_documents_than_a_page_are_unfolded(page: AppTest) -> None:
    add(page, *((f"note{number}.md", GUIDE.replace("Data Drift", f"Note {number}")) for number in range(PAGE + 1)))
    assert len(listed(page)) == PAGE
    run(page.button(key="documents-more").click())
    assert len(listed(page)) == PAGE + 1
    assert "documents-more" not in {button.key for button in page.button}


def listed(app: AppTest) -> list[str]:
    """The documents of the list, by the buttons that remove them."""
    return [str(button.key) for button in app.button if str(button.key).startswith("remove-")]
