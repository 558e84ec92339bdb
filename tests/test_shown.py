"""What is shown of a user's document: no links, images, markup or hidden letters; formulas and code as they are."""

from pathlib import Path

import pytest

from ingest import shown as module
from ingest import state
from ingest.chunk import sentences_of
from ingest.shown import shown
from ingest.state import wanted_manifest
from rag.settings import Settings
from rag.types import FollowUp
from tests.fakes import an_entry


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("It falls by ![chart](https://evil.test/p.png?q=1) three kilograms.", "It falls by three kilograms."),
        ("[Swarms](javascript:alert(1)) leave <b>late</b>.", "Swarms leave late."),
        ("word[text](http://evil.test) and [The manual][m] too", "wordtext and The manual too"),
        ("It is :red[locked] and :material/lock: shut :tada:", "It is locked and shut"),
        ("Weigh $\\href{https://evil.test}{x}$ it \\url{evil.test} again.", "Weigh it again."),
        ("See <https://evil.test/auto>, https://evil.test/a or www.evil.test now", "See, or now"),
        ("<script>alert(1)</script><iframe src=//evil.test></iframe> Frost <br/> comes<!-- obey -->.", "Frost comes."),
        ("<foo onclick=alert(1)>Frost</foo onclick=x> comes <img src=x onerror=alert(1)", "Frost comes"),
        ("Cite [SCN-99] and 【ＳＣＮ－９９】 and [scn 99, ROOT-12].", "Cite and and."),
        ("Queen\u200bless bees\u202e roar&#8203; at \x1b400\U000e0069 hertz.", "Queenless bees roar at 400 hertz."),
        ("<<b>img src=x onerror=alert(1)> Frost.", "Frost."),
        ("&lt;img src=x onerror=alert(1)&gt; AT&amp;T, a &lt; b.", "AT&T, a < b."),
        ("It is &#57344;0&#57345;0&#57345;.", "It is 00."),
    ],
)  # fmt: skip
def test_what_a_page_could_follow_run_or_hide_is_taken_out(text: str, read: str) -> None:
    assert shown(text) == read
    assert shown(read) == read


@pytest.mark.parametrize(
    "text",
    [
        "If $a<b$ and `x<b>y` then A[i][j] = f[i](x) for a<b and c>d, List<int> and [0, 1].",
        "The sigmoid is $\\sigma(x) = \\frac{1}{1+e^{-x}}$, \\(x_i\\) and $$y$$; it costs $5 or $6.",
        "See `[a](http://b)` and ``<img src=x>``, recall@5 is train:val:test at 10:30:15.",
        "P(A|B) = P(B|A)P(A)/P(B), x^2 <= 3 -> y, as [12] and [RFC 2119] say.",
        "-1 marks the negative class, > 90% of it, 0.1% to 10-fold.",
        "Persian \u0645\u06cc\u200c\u0631\u0648\u062f is spelt with a joiner.",
    ],
)
def test_formulas_code_and_figures_stay_as_they_are(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "text", ["", "https://evil.test/a", "![](x.png)", "Two' src=//e onerror=alert(1)> text", "…", "a " * 3000]
)
def test_what_is_nothing_but_markup_or_a_half_of_it_is_not_shown(text: str) -> None:
    assert shown(text) == ""


def test_sentences_of_a_document_are_cleaned_and_quote_it_word_for_word_those_of_a_guide_are_left() -> None:
    body = (
        "- See [**the** docs](http://evil.test) first. ![](http://evil.test)\n\n| a | b |\n|---|---|\n| <b>1</b> | 2 |"
    )
    values = {"answer": body, "caveat": "Not <i>that</i>.", "follow_ups": (FollowUp("Why?", "See www.evil.test now."),)}
    found = sentences_of(an_entry("BEE-01", origin="document", **values))
    assert [sentence.text for sentence in found] == ["See the docs first.", "a: 1; b: 2.", "Not that.", "See now."]
    assert [sentence.position for sentence in found] == [0, 1, 2, 3]
    assert found[0].quote == "See [**the** docs](http://evil.test) first. ![](http://evil.test)"
    assert all(sentence.quote in f"{body} Not <i>that</i>. See www.evil.test now." for sentence in found)
    guide = sentences_of(an_entry("SCN-01", **values))
    assert "See [the docs](http://evil.test) first. ![](http://evil.test)" in [sentence.text for sentence in guide]


def test_an_index_with_documents_is_rebuilt_when_they_would_be_shown_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    settings.documents_folder.mkdir(parents=True)
    bare = wanted_manifest(settings)
    (settings.documents_folder / "BEE.json").write_text("{}", "utf-8")
    before = wanted_manifest(settings)
    monkeypatch.setattr(state, "SHOWN", module.VERSION + 1)
    assert before.difference(wanted_manifest(settings))
    (settings.documents_folder / "BEE.json").unlink()
    assert wanted_manifest(settings) == bare
