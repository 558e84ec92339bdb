"""Chunks follow the structure of an entry and fit the embedder; quotes stand in the entry word for word.

Tokens are counted as words here, so that a test can see where a limit falls.
"""

import re

import pytest

from ingest.chunk import CAVEAT, blocks, chunk_entry, sentences_of
from rag.types import Chunk, Entry, FollowUp
from tests.fakes import an_entry

FIVE_ITEMS = """\
- Alpha one two three four five six.
- Beta one two three four five six.
  Beta goes on here.
- Gamma one two three four five six.
- Delta one two three four five six.
- Epsilon one two three four five six."""

TABLE = """\
| Case | Metric |
|---|---|
| fraud loss | recall at a fixed precision |
| spam mail | precision at a fixed recall |
| churn risk | lift of the top tenth |
| search page | NDCG of ten results |"""

CODE = """\
```python
first = one + two + three

def second(value):
    return value * first + four
third = second(five) - six
assert third == seven
```"""

LONG_TEXT = (
    "Drift moves the inputs away from training. Monitoring compares windows of one feature. "
    "Retraining costs money every time. Alerts need an owner on call."
)


def count_words(text: str) -> int:
    return len(text.split())


def chunks_of(answer: str, limit: int, **values: object) -> list[Chunk]:
    return chunk_entry(an_entry("SCN-01", answer=answer, **values), count_words, limit)


def answer_texts(answer: str, limit: int) -> list[str]:
    return [chunk.text for chunk in chunks_of(answer, limit) if chunk.kind == "answer"]


CONTEXT_WORDS = count_words("Title of SCN-01. What is SCN-01?")


def full_entry() -> Entry:
    parts = ["## Answer", LONG_TEXT, FIVE_ITEMS, "## Trade-offs", TABLE, "The code says it:", CODE]
    return an_entry(
        "SCN-01",
        answer="\n\n".join(parts),
        key_points=("The first point is one statement.", "The second point is another statement."),
        also_asked=("why is it slow", "drift"),
        caveat="Often said: drift always hurts. In fact some drift is harmless.",
        follow_ups=(FollowUp("And then?", f"{LONG_TEXT}\n\n- An item closes it."), FollowUp("Why so?", "Because.")),
    )


def test_each_way_of_asking_is_a_chunk_of_its_own_without_context() -> None:
    chunks = chunk_entry(full_entry(), count_words, 60)
    alone = [(chunk.kind, chunk.text) for chunk in chunks if not chunk.context]
    assert alone == [
        ("title", "Title of SCN-01"),
        ("question", "What is SCN-01?"),
        ("also_asked", "why is it slow"),
        ("also_asked", "drift"),
    ]


def test_chunk_ids_are_numbered_and_name_the_entry() -> None:
    chunks = chunk_entry(full_entry(), count_words, 25)
    assert [chunk.id for chunk in chunks] == [f"SCN-01#{number}" for number in range(len(chunks))]
    assert {chunk.entry_id for chunk in chunks} == {"SCN-01"}


def test_every_part_of_an_answer_is_embedded_behind_its_subject() -> None:
    chunks = chunk_entry(full_entry(), count_words, 25)
    starts = {(chunk.kind, chunk.embedding_text.splitlines()[0]) for chunk in chunks if chunk.context}
    assert starts == {
        ("key_points", "Title of SCN-01"),
        ("answer", "Title of SCN-01. What is SCN-01?"),
        ("follow_up", "Title of SCN-01. And then?"),
        ("follow_up", "Title of SCN-01. Why so?"),
    }


@pytest.mark.parametrize("limit", range(CONTEXT_WORDS + 1, 80))
def test_no_chunk_is_longer_than_the_limit_with_its_context(limit: int) -> None:
    for chunk in chunk_entry(full_entry(), count_words, limit):
        assert count_words(chunk.embedding_text) <= limit


@pytest.mark.parametrize("limit", [CONTEXT_WORDS + 1, 15, 25, 40, 1000])
def test_no_word_of_an_entry_is_lost_or_repeated_or_moved(limit: int) -> None:
    entry = full_entry()
    header = " ".join(TABLE.splitlines()[:2])
    expected = " ".join(re.sub(r"^## .*$", "", entry.answer, flags=re.MULTILINE).split()) + f" {entry.caveat}"
    found = " ".join(" ".join(c.text for c in chunk_entry(entry, count_words, limit) if c.kind == "answer").split())
    assert found.replace(header, "").split() == expected.replace(header, "").split()


def test_the_context_counts_towards_the_limit() -> None:
    words = count_words(LONG_TEXT)
    assert answer_texts(LONG_TEXT, words + CONTEXT_WORDS) == [LONG_TEXT]
    assert len(answer_texts(LONG_TEXT, words + CONTEXT_WORDS - 1)) == 2


def test_neighbouring_blocks_of_one_section_share_a_chunk_when_they_fit() -> None:
    assert answer_texts("First block.\n\nSecond block.", 50) == ["First block.\n\nSecond block."]
    assert answer_texts("First block.\n\nSecond block.", CONTEXT_WORDS + 3) == ["First block.", "Second block."]


def test_blocks_under_different_headings_never_share_a_chunk() -> None:
    assert answer_texts("## Answer\n\nFirst.\n\n## Trade-offs\n\nSecond.", 50) == ["First.", "Second."]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    texts = answer_texts(LONG_TEXT, CONTEXT_WORDS + 13)
    assert texts == [
        "Drift moves the inputs away from training. Monitoring compares windows of one feature.",
        "Retraining costs money every time. Alerts need an owner on call.",
    ]


@pytest.mark.parametrize("limit", range(CONTEXT_WORDS + 12, CONTEXT_WORDS + 45))
def test_a_list_is_never_cut_inside_an_item(limit: int) -> None:
    items = ["- " + item for item in FIVE_ITEMS.removeprefix("- ").split("\n- ")]
    texts = answer_texts(FIVE_ITEMS, limit)
    assert "\n".join(texts) == FIVE_ITEMS
    for text in texts:
        assert {"- " + item for item in text.removeprefix("- ").split("\n- ")} <= set(items)


@pytest.mark.parametrize("limit", range(CONTEXT_WORDS + 16, CONTEXT_WORDS + 40))
def test_a_table_is_cut_between_rows_and_every_part_has_the_header(limit: int) -> None:
    header, rows = TABLE.splitlines()[:2], TABLE.splitlines()[2:]
    parts = [text.splitlines() for text in answer_texts(TABLE, limit)]
    assert [part[:2] for part in parts] == [header] * len(parts)
    assert [row for part in parts for row in part[2:]] == rows
    assert all(len(part) > 2 for part in parts)


@pytest.mark.parametrize("limit", range(CONTEXT_WORDS + 7, CONTEXT_WORDS + 30))
def test_code_is_cut_between_lines_and_keeps_its_indentation(limit: int) -> None:
    assert "\n".join(answer_texts(CODE, limit)).splitlines() == CODE.splitlines()


def test_small_limits_really_cut_lists_tables_and_code() -> None:
    assert [len(answer_texts(block, CONTEXT_WORDS + 16)) for block in (FIVE_ITEMS, TABLE, CODE)] == [4, 4, 2]


def test_a_single_sentence_longer_than_the_limit_is_cut_between_words() -> None:
    sentence = " ".join(f"word{number}" for number in range(30)) + "."
    texts = answer_texts(sentence, CONTEXT_WORDS + 10)
    assert [count_words(text) for text in texts] == [10, 10, 10]
    assert " ".join(texts) == sentence


def test_key_points_are_cut_between_points() -> None:
    points = ("One point has five words.", "Two points have ten words.", "Three points have fifteen words.")
    chunks = chunks_of("Answer.", count_words("Title of SCN-01") + 10, key_points=points)
    assert [c.text for c in chunks if c.kind == "key_points"] == [" ".join(points[:2]), points[2]]


def test_a_heading_gives_its_blocks_a_section_and_is_no_block() -> None:
    found = blocks("Before.\n\n## Trade-offs\n\nText.\n\n---\n\n- Item.", "Start")
    assert [(block.kind, block.section, block.text) for block in found] == [
        ("paragraph", "Start", "Before."),
        ("paragraph", "Trade-offs", "Text."),
        ("list", "Trade-offs", "- Item."),
    ]


def test_every_quote_occurs_in_the_entry_word_for_word() -> None:
    entry = full_entry()
    parts = [entry.answer, entry.caveat or "", *(item.answer for item in entry.follow_ups)]
    folded = [" ".join(part.split()) for part in parts]
    sentences = sentences_of(entry)
    assert len(sentences) == 21
    for sentence in sentences:
        assert any(sentence.quote in part for part in folded), sentence


def test_sentences_are_numbered_in_reading_order_with_their_sections() -> None:
    sentences = sentences_of(full_entry())
    assert [sentence.position for sentence in sentences] == list(range(len(sentences)))
    assert list(dict.fromkeys(sentence.section for sentence in sentences)) == [
        "Answer", "Trade-offs", CAVEAT, "And then?", "Why so?",
    ]  # fmt: skip


def test_a_caveat_is_one_sentence_because_its_first_half_is_the_mistake() -> None:
    caveat = "Often said: drift always hurts. In fact some drift is harmless."
    found = [sentence for sentence in sentences_of(full_entry()) if sentence.section == CAVEAT]
    assert [(sentence.text, sentence.quote) for sentence in found] == [(caveat, caveat)]


def test_a_row_of_a_table_is_shown_with_the_names_of_its_columns() -> None:
    found = sentences_of(an_entry("SCN-01", answer=TABLE))
    assert found[0].text == "Case: fraud loss; Metric: recall at a fixed precision."
    assert found[0].quote == "| fraud loss | recall at a fixed precision |"
    assert len(found) == 4


def test_list_items_are_quoted_without_their_marks_and_shown_without_emphasis() -> None:
    found = sentences_of(an_entry("SCN-01", answer="1. **Batching** helps. It costs time.\n2) Caching helps."))
    assert [sentence.text for sentence in found] == ["Batching helps.", "It costs time.", "Caching helps."]
    assert found[0].quote == "**Batching** helps."


def test_code_and_lead_ins_that_end_in_a_colon_are_not_quoted() -> None:
    answer = f"A plan in two steps:\n\n- Do these:\n- Measure first.\n\n{CODE}\n\nThen stop."
    assert [s.text for s in sentences_of(an_entry("SCN-01", answer=answer))] == ["Measure first.", "Then stop."]
