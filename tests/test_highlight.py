"""The passage behind a sentence, marked where it stands in its entry."""

import re
from pathlib import Path

from ingest.chunk import sentences_of
from ingest.guides import check_corpus
from rag.settings import Settings
from rag.types import FollowUp
from tests.fakes import an_entry
from ui import escape
from ui.highlight import MARK, MarkedEntry, marked_entry

SHOWN = re.compile(re.escape(MARK) + r"((?:\\.|[^\]\\])*)\]")


def of_answer(answer: str, quote: str) -> MarkedEntry:
    return marked_entry(an_entry("SCN-09", answer=answer), quote)


def test_the_passage_is_marked_once_and_the_rest_stays() -> None:
    marked = of_answer("Before it. Clip the gradient. After it. Clip the gradient.", "Clip the gradient.")
    assert marked.found
    assert marked.answer == "Before it. :yellow-background[Clip the gradient.] After it. Clip the gradient."


def test_a_passage_over_two_lines_is_found_in_its_folded_form() -> None:
    marked = of_answer("- One, two\n  three. Four.\n- Five.", "One, two three.")
    assert marked.answer == "- :yellow-background[One, two three.] Four.\n- Five."


def test_a_passage_keeps_its_bold_and_its_code() -> None:
    marked = of_answer("So **use** `x[0]` now. Then rest.", "So **use** `x[0]` now.")
    assert marked.answer == ":yellow-background[So **use** `x[0]` now.] Then rest."


def test_of_a_table_row_each_cell_is_marked() -> None:
    table = "| Loss | Use |\n|---|---|\n| MAE | outliers |\n| MSE | noise |"
    marked = of_answer(table, "| MAE | outliers |")
    assert "| :yellow-background[MAE] | :yellow-background[outliers] |\n| MSE | noise |" in marked.answer


def test_a_passage_that_opens_what_it_does_not_close_is_not_marked() -> None:
    for answer, quote in (
        ("**Bold. More.** Rest.", "**Bold."),
        ("The range `[0, 1)` is open. Rest.", "The range `[0, 1)` is open."),
    ):
        marked = of_answer(answer, quote)
        assert not marked.found
        assert marked.answer == escape.markdown(answer)


def test_a_passage_of_a_follow_up_or_of_the_caveat_is_marked_there() -> None:
    entry = an_entry("SCN-09", follow_ups=(FollowUp("And *then*?", "First. Second."),), caveat="Said: a. In fact: b.")
    follow_up = marked_entry(entry, "Second.")
    assert follow_up.follow_ups == (("And \\*then\\*\\?", "First. :yellow-background[Second.]"),)
    caveat = marked_entry(entry, "Said: a. In fact: b.")
    assert (caveat.found, caveat.caveat.startswith(MARK), caveat.caveat.endswith("]")) == (True, True, True)


def test_without_a_passage_or_with_a_foreign_one_the_entry_stays_as_it_is() -> None:
    for quote in ("", "Something else."):
        marked = of_answer("Clip the gradient.", quote)
        assert (marked.found, marked.answer) == (False, "Clip the gradient.")


def test_an_entry_cannot_mark_or_colour_itself() -> None:
    hostile = "A \ue000fake\ue001 mark. :red[no] ![x](http://evil.test) Clip it."
    marked = of_answer(hostile, "Clip it.")
    assert SHOWN.findall(marked.answer) == ["Clip it."]
    assert "\ue000" not in marked.answer
    assert ":red[" not in marked.answer
    assert "![x](" not in marked.answer


def test_a_passage_with_brackets_cannot_end_its_mark_early() -> None:
    marked = of_answer("Use a list] of [items] here. Rest.", "Use a list] of [items] here.")
    assert SHOWN.findall(marked.answer) == [r"Use a list\] of \[items\] here."]


def test_nearly_every_sentence_of_the_guides_can_be_marked() -> None:
    entries, faults = check_corpus(Settings(home=Path()).corpus)
    assert faults == []
    missed = [
        (sentence.entry_id, sentence.quote)
        for entry in entries
        for sentence in sentences_of(entry)
        if not marked_entry(entry, sentence.quote).found
    ]
    total = sum(len(sentences_of(entry)) for entry in entries)
    assert total > 2000
    assert len(missed) <= total / 100, missed[:20]
