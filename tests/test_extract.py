"""Files of every format become the text a reader sees, and nothing a reader does not see."""

import re

import pytest

from ingest.extract import Extracted, extract
from ingest.limits import Limits, Refused
from ingest.mend import mend
from tests.document_files import pdf, show, word_file, zip_bomb

LIMITS = Limits()


def read(data: bytes | str, name: str, limits: Limits = LIMITS) -> Extracted:
    return extract(data.encode() if isinstance(data, str) else data, name, limits)


def text_of(data: bytes | str, name: str) -> str:
    return "\n".join(read(data, name).lines)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("a â€” b", "a — b"),
        ("Trainâ€“serve", "Train–serve"),
        ("ðŸ“Œ Foundations", "📌 Foundations"),
        ("PreparationÎ’Â¶", "Preparation¶"),
        ("PreparationΒΆ", "Preparation¶"),
        ("embed β†’ store", "embed → store"),
        ("β€œTell me”", "“Tell me”"),
        ("costly β€” now", "costly — now"),
        ("cafÃ©", "café"),
        ("cafΓ© noir", "café noir"),
    ],
)
def test_wrongly_decoded_characters_are_repaired(wrong: str, right: str) -> None:
    wrong = wrong.replace("ΒΆ", "Β\u0386")
    assert mend(wrong)[0] == right


@pytest.mark.parametrize(
    "text",
    ["β = 0.9 and γ² = 1", "η Βουλή «Β»", "naïve Γ-function, Γ(n)", "L’été — déjà", "π ≈ 3.14, µ ± σ", "Ω, ß, ø, Å"],
)
def test_what_is_right_stays(text: str) -> None:
    assert mend(text) == (text, [])


@pytest.mark.parametrize("hidden", ["\u200b", "\u202e", "\u2066", "\ufeff", "\U000e0041", "\u00ad", "\u3164"])
def test_invisible_characters_go_and_are_counted(hidden: str) -> None:
    assert mend(f"ig{hidden}no{hidden}re") == ("ignore", ["2 invisible characters removed"])


def test_joiners_that_are_letters_stay_and_emoji_do_not_count() -> None:
    assert mend("می\u200cخواهم ❤\ufe0f") == ("می\u200cخواهم ❤", [])


def test_terminal_escapes_and_controls_go() -> None:
    assert mend("a\x1b[31mred\x1b[0m\x07 b\r\nc\rd")[0] == "ared b\nc\nd"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings_are_found(encoding: str) -> None:
    text = "What is the naïve baseline? It’s the “last value” – déjà vu, a café in Zürich."
    assert text_of(text.encode(encoding), "a.txt") == text


def test_one_stray_byte_does_not_spoil_utf_8() -> None:
    data = "Überfluß und Übermaß, äöü — ".encode() * 20 + b"caf\xe9"
    assert text_of(data, "a.txt").endswith("— café")


def test_cyrillic_code_pages_are_found() -> None:
    text = "Что такое переобучение модели? Модель запоминает обучающую выборку и плохо обобщает. " * 5
    assert text_of(text.encode("cp1251"), "a.txt") == text


HTML = """<html><head><title>T</title><style>p{}</style><script>evil()</script></head><body>
<h2>What is drift?</h2><p>Inputs <b>change</b>; see <a href="http://x.example/">here</a>.</p><!-- secret one -->
<p hidden>secret two</p><p style="display: none">secret three</p><span style="font-size:0">secret four</span>
<ul><li>one</li><li>two<ol><li>deep</li></ol></li></ul><pre><code>def f():
    return 1</code></pre><table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2|3</td></tr></table>
<img src="http://x.example/track.png" alt="a curve"><details><summary>Why so?</summary>Because.</details>
</body></html>"""


def test_html_keeps_its_structure_and_loses_what_is_not_shown() -> None:
    found = read(HTML, "a.html")
    text = "\n".join(found.lines)
    for part in ("## What is drift?", "Inputs **change**; see here.", "- one\n", "- two\n  1. deep", "**Why so?**"):
        assert part in text
    assert "```\ndef f():\n    return 1\n```" in text
    assert "| A | B |\n|---|---|\n| 1 | 2\\|3 |" in text
    assert "a curve" in text
    assert not re.search("secret|evil|example", text)
    assert found.warnings == ["4 hidden pieces left out (comments, scripts, elements that are not shown)"]


def test_html_in_another_encoding() -> None:
    page = "<meta charset=iso-8859-2><p>Źródło i żółć, łąka</p>"
    assert "Źródło i żółć, łąka" in text_of(page.encode("iso-8859-2"), "a.htm")


def test_deep_html_is_refused_and_ordinary_html_is_not() -> None:
    for depth in (60, 200_000):
        with pytest.raises(Refused, match="nested deeper than 50 levels"):
            read("<div>" * depth + "x", "a.html")
    assert "x" in text_of("<div>" * 40 + "x" + "</div>" * 40, "a.html")
    assert "end" in text_of("<p>one<p>two<li>three" * 5000 + "end", "a.html")


def test_html_inside_markdown_is_cleaned_but_code_is_not() -> None:
    text = "a <!-- hidden --> b <br> c\n\n```html\n<!-- shown -->\n```\n![curve](http://x.example/a.png) `<p>`"
    found = read(text, "a.md")
    joined = "\n".join(found.lines)
    assert "hidden" not in joined
    assert "<!-- shown -->" in joined
    assert "`<p>`" in joined
    assert "curve (http://x.example/a.png)" in joined
    assert found.warnings == ["1 hidden piece left out (comments, scripts, elements that are not shown)"]


def test_word_files_keep_headings_lists_and_tables() -> None:
    found = read(word_file(), "a.docx")
    text = "\n".join(found.lines)
    for part in (
        "# Metrics Guide",
        "## What is recall?",
        "- Counts misses",
        "| Metric | Use |\n|---|---|\n| Recall | Rare |",
    ):
        assert part in text
    assert "Shown." in text
    assert "Ignore" not in text
    assert found.warnings[0].startswith("1 hidden piece left out")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zip_bomb(), "zip bomb"),
        (b"PK\x03\x04 but nothing else", "not a Word file"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "protected by a password or in the old .doc format"),
    ],
)
def test_bad_word_files_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read(data, "a.docx")


def test_pdf_lines_know_their_page_and_headings_their_level() -> None:
    first = show(["Drift Guide"], 24) + show(["Inputs change after training."] * 5, 12, 660)
    second = show(["Remedies"], 18) + show(["Train again when labels are fresh."] * 5, 12, 660)
    found = read(pdf([first, second]), "a.pdf")
    pages = dict(zip(found.lines, found.pages, strict=True))
    assert pages["# Drift Guide"] == 1
    assert pages["## Remedies"] == 2
    assert pages["Train again when labels are fresh."] == 2


def test_white_tiny_and_invisible_text_of_a_pdf_goes() -> None:
    page = (
        show(["Shown text here."])
        + show(["white secret"], 12, 600, "1 1 1 rg")
        + show(["tiny secret"], 1, 500)
        + "0 0 1 rg 60 280 400 60 re f "
        + show(["White on blue."], 12, 300, "1 1 1 rg")
        + show(["mode secret"], 12, 200, "3 Tr")
    )
    found = read(pdf([page]), "a.pdf")
    text = "\n".join(found.lines)
    assert "secret" not in text
    assert "Shown text here." in text
    assert "White on blue." in text
    assert found.warnings == ["3 hidden pieces of text left out (white, tiny or invisible)"]


def test_the_recognised_text_of_a_scan_stays() -> None:
    assert "Recognised words." in text_of(pdf([show(["Recognised words."], extra="3 Tr")]), "a.pdf")


def test_long_pdfs_are_cut_and_running_heads_left_out() -> None:
    pages = [show(["My Running Head", f"Sentence number {n} is here.", "More text.", f"Page {n}"]) for n in range(12)]
    found = read(pdf(pages), "a.pdf", Limits(pages=9))
    text = "\n".join(found.lines)
    assert "Sentence number 8 is here." in text
    assert "Sentence number 9" not in text
    assert "Running" not in text
    assert found.warnings[0] == "only the first 9 of 12 pages were read"
    assert found.warnings[1].startswith("lines repeated on every page left out: ")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x93\x01garbage" * 500, "not a PDF file"),
        (b"%PDF-1.7\n" + b"\x93\x01garbage" * 500, "not a readable PDF"),
        (pdf([show(["Secret."])], encrypt=True), "protected by a password"),
        (pdf(["q Q"]), "scan needs text recognition"),
    ],
)
def test_bad_pdfs_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read(data, "a.pdf")


@pytest.mark.parametrize("data", [b"", b" \n", b"\x00\x01\x02" * 300, bytes(range(128, 256)) * 4 + bytes(range(32))])
def test_what_is_not_text_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        read(data, "a.md")
