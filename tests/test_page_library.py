"""The Library page in each of its states, run by Streamlit's own test runner over the real index."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ingest.build import build_index
from ingest.library import add_documents, drop_document
from rag.settings import Settings
from tests.browser_fixtures import in_order
from tests.browsing import borrowed_home
from tests.conftest import HOME, silent
from tests.paging import levels, texts, the_page
from ui import state
from ui.browse import shelf_of
from ui.state import VIEWS

pytestmark = pytest.mark.real
Open = Callable[..., AppTest]


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Open]:
    """Opens the page over the given settings, with query parameters; the shared home folder is not written to."""
    with ExitStack() as stack:

        def opened(settings: Settings, **parameters: str) -> AppTest:
            home = settings.home
            if home == HOME:
                home = borrowed_home(settings, Path(tempfile.mkdtemp(dir=tmp_path)))
            values = {"TUTOR_CORPUS": str(settings.corpus), "TUTOR_EMBEDDING_MODEL": settings.embedding_model}
            app = stack.enter_context(the_page("library", home, monkeypatch, **values))
            app.query_params.update(parameters)
            return run(app)

        yield opened


def run(changed: Any) -> AppTest:
    """Runs the page, or the page of an element that was changed."""
    app: AppTest = changed.run()
    assert [item.value for item in app.exception] == []
    return app


def cards(app: AppTest, where: str = "found") -> list[str]:
    """Ids of the entries listed."""
    mark = f"open-{where}-"
    return [str(button.key).removeprefix(mark) for button in app.button if str(button.key).startswith(mark)]


def headings(app: AppTest) -> list[str]:
    return [item.value for item in (*app.title, *app.header, *app.subheader)]


def test_all_entries_are_listed_page_by_page(opens: Open, real: Settings) -> None:
    app = opens(real)
    assert headings(app) == ["Library", "157 entries"]
    assert len(cards(app)) == 20
    run(app.button(key="library-more").click())
    assert len(cards(app)) == 40
    run(app.selectbox(key="library-topic").select("llm"))
    assert len(cards(app)) == 18
    assert headings(app)[1] == "18 entries"
    assert "library-more" not in {button.key for button in app.button}


def test_filters_go_together_and_an_empty_list_says_what_to_do(opens: Open, real: Settings) -> None:
    app = opens(real)
    app.selectbox(key="library-guide").select("Practical ML Scenarios")
    app.selectbox(key="library-level").select("senior")
    run(app.selectbox(key="library-topic").select("serving"))
    listed = cards(app)
    assert listed
    assert all(name.startswith("SCN-") for name in listed)
    run(app.text_input(key="library-words").set_value("xylophone"))
    assert cards(app) == []
    assert "No entry matches" in texts(app)


def test_words_are_searched_as_they_stand_and_by_meaning(opens: Open, real: Settings) -> None:
    app = opens(real)
    run(app.text_input(key="library-words").set_value("my chatbot invents facts although it has the documents"))
    assert cards(app, "near")[0] == "SCN-14"
    run(app.text_input(key="library-words").set_value("scn-14"))
    assert cards(app)[0] == "SCN-14"
    assert "SCN-14" not in cards(app, "near")
    run(app.text_input(key="library-words").set_value("hallucinations"))
    run(app.selectbox(key="library-guide").select("Foundations: Real-World Scenarios"))
    assert all(name.startswith("FND-") for name in cards(app) + cards(app, "near"))


def test_an_entry_opens_from_the_list_and_leads_on(opens: Open, real: Settings) -> None:
    app = opens(real)
    run(app.text_input(key="library-words").set_value("SCN-14"))
    run(app.button(key="open-found-SCN-14").click())
    assert app.query_params["entry"] == "SCN-14"
    assert "SCN-14 Hallucinations" in app.header[0].value.replace("\\", "")
    assert {"Key points", "Related entries", "Near in meaning"} <= {item.value for item in app.subheader}
    assert "- The prompt should restrict the model" in " ".join(item.value for item in app.markdown).replace("\\", "")
    assert {"open-related-SCN-17", "open-related-LLM-02"} <= {button.key for button in app.button}
    run(app.button(key="open-related-LLM-02").click())
    assert app.header[0].value.replace("\\", "").startswith("LLM-02 ")
    run(app.button(key="library-back").click())
    assert "entry" not in app.query_params
    assert app.text_input(key="library-words").value == "SCN-14"


def test_an_address_names_an_entry_and_one_steps_through_its_guide(opens: Open, real: Settings) -> None:
    app = opens(real, entry="scn-14")
    assert app.header[0].value.replace("\\", "").startswith("SCN-14 ")
    run(app.button(key="step-SCN-15").click())
    assert app.query_params["entry"] == "SCN-15"
    first = opens(real, entry="SCN-01")
    assert [button.key for button in first.button if str(button.key).startswith("step-")] == ["step-SCN-02"]


def test_an_entry_can_be_asked_about(monkeypatch: pytest.MonkeyPatch, real: Settings, tmp_path: Path) -> None:
    with the_page("../app", borrowed_home(real, tmp_path), monkeypatch) as app:
        run(app)
        app.switch_page("views/library.py")
        app.query_params["entry"] = "SCN-14"
        run(app)
        app.button(key="library-ask").click()
        run(app)
        assert app.title[0].value != "Library"
        assert "replies still contain invented statements" in texts(app)


@pytest.mark.parametrize("wanted", ["SCN-99", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))"])
def test_an_unknown_entry_is_said_and_shown_as_text(opens: Open, real: Settings, wanted: str) -> None:
    app = opens(real, entry=wanted)
    (said,) = app.info
    assert said.value.startswith("There is no entry ")
    assert wanted not in said.value
    assert headings(app) == ["Library", "157 entries"]


def test_no_level_of_headings_is_left_out(opens: Open, real: Settings) -> None:
    app = opens(real)
    for words in ("", "hallucinations", "xylophone"):
        run(app.text_input(key="library-words").set_value(words))
        for view in VIEWS:
            run(app.segmented_control(key="library-view").set_value(view))
            assert in_order(levels(app)), (words, view, levels(app))
    entry = opens(real, entry="SCN-14")
    assert in_order(levels(entry)), levels(entry)


def test_words_that_cannot_be_searched_by_meaning_are_said_and_the_list_stays(opens: Open, real: Settings) -> None:
    app = opens(real)
    run(app.text_input(key="library-words").set_value("drift\x07"))
    assert cards(app)
    assert cards(app, "near") == []
    assert any("characters" in item.value for item in app.caption), [item.value for item in app.caption]


def test_a_document_that_somebody_removed_is_no_filter_any_more(
    opens: Open, spare_home: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "bees.md"
    path.write_text("# Bees\n\n## Q1. Which sensor finds a lost queen?\n\n**Answer:** A microphone does.\n", "utf-8")
    build_index(spare_home, silent)
    (report,) = add_documents(spare_home, [path], silent)
    app = opens(spare_home)
    run(app.selectbox(key="library-guide").select("Bees (your document)"))
    assert cards(app) == [f"{report.prefix}-01"]
    drop_document(spare_home, report.prefix, silent)
    run(app)
    assert app.selectbox(key="library-guide").value == ""
    assert cards(app) == ["SCN-08", "SCN-09", "SCN-13"]
    assert "Bees" not in texts(app)


def test_the_matrix_counts_what_passes_the_filters_above_it(opens: Open, real: Settings) -> None:
    app = opens(real)
    run(app.selectbox(key="library-level").select("senior"))
    many = int(headings(app)[1].split()[0])
    run(app.segmented_control(key="library-view").set_value("Topics by guides"))
    assert any(f"{many} of 157 entries pass the filters" in item.value for item in app.caption)
    opened, _ = state.library(silent)
    senior = [entry for entry in shelf_of(opened).entries if entry.level == "senior"]
    assert counted(app) == sum(len(entry.topics) for entry in senior)
    # A chosen topic is one row, whose sum is the number of entries listed.
    run(app.selectbox(key="library-topic").select("drift"))
    assert len(app.table[0].value) == 1
    assert counted(app) == sum("drift" in entry.topics for entry in senior)
    run(app.text_input(key="library-words").set_value("xylophone"))
    assert not app.table
    assert "No entry matches" in texts(app)


def counted(app: AppTest) -> int:
    """The sum of all numbers in the matrix."""
    rows = app.table[0].value
    return int(rows.drop(columns="Topic").astype(int).to_numpy().sum())


def test_the_map_and_the_matrix_say_the_same_in_words(opens: Open, real: Settings) -> None:
    app = opens(real)
    run(app.segmented_control(key="library-view").set_value("Map"))
    (table,) = app.table
    assert len(table.value) == 157
    assert len(app.get("arrow_vega_lite_chart")) + len(app.get("vega_lite_chart")) == 1
    run(app.selectbox(key="library-topic").select("llm"))
    assert len(app.table[0].value) == 18
    assert any("18 of 157 pass the filters" in item.value for item in app.caption)
    run(app.segmented_control(key="library-view").set_value("Topics by guides"))
    run(app.selectbox(key="library-topic").select(""))
    opened, _ = state.library(silent)
    assert counted(app) == sum(len(entry.topics) for entry in shelf_of(opened).entries)


def test_a_document_is_shown_as_text_whatever_it_holds(opens: Open, spare_home: Settings, tmp_path: Path) -> None:
    build_index(spare_home, silent)
    path = tmp_path / "hostile.md"
    path.write_text(
        "# Mine ![x](http://evil.example/a.png)\n\n## Q1. What is <script>alert(1)</script> $x^2$ :red[this]?\n\n"
        "**Answer:** An image ![x](http://evil.example/b.png) and [a link](javascript:alert(1)).\n",
        "utf-8",
    )
    (report,) = add_documents(spare_home, [path], silent)
    app = opens(spare_home)
    own = f"{report.prefix}-01"
    run(app.selectbox(key="library-guide").select("Your documents"))
    assert cards(app) == [own]
    listed = texts(app)
    run(app.button(key=f"open-found-{own}").click())
    shown = listed + texts(app)
    assert "evil.example/a.png" in shown.replace("\\", "")
    for live in ("<script", "![x]", " [a link", " :red[", " $x"):
        assert live not in shown, live


def test_a_broken_corpus_without_an_index_is_one_clear_line(opens: Open, spare_home: Settings) -> None:
    entry = next(spare_home.corpus.rglob("SCN-08*.md"))
    entry.write_text(entry.read_text("utf-8").replace("level:", "lvl:"), "utf-8")
    app = opens(spare_home)
    assert [item.value for item in app.title] == ["Library"]
    assert "tutor corpus check" in app.error[0].value.replace("\\", "")
    assert not app.selectbox
