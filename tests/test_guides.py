"""Guide entries are read whole, and every fault is named with its file and its line."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from ingest.guides import Fault, check_corpus, content_hashes, entry_files, read_corpus
from rag.errors import CorpusError
from rag.settings import PROJECT
from rag.types import Entry, FollowUp
from tests.guide_files import FIRST, OTHER, SECOND, TEXT, changed, small_corpus


def faults_of(tmp_path: Path, first: str | bytes) -> list[str]:
    """The faults that name the first entry's file; the second one only loses its relative."""
    _, faults = check_corpus(small_corpus(tmp_path / "corpus", first))
    assert {fault.path for fault in faults} <= {FIRST, SECOND}
    assert all("\n" not in str(fault) for fault in faults)
    return [str(fault) for fault in faults if fault.path == FIRST]


def test_an_entry_is_read_with_all_its_parts(tmp_path: Path) -> None:
    caveat = "Often said: drift always hurts. In fact it may not."
    text = changed("related:", f'caveat: "{caveat}"\nrelated:')
    assert read_corpus(small_corpus(tmp_path, text))[0] == Entry(
        id="FND-01",
        guide="Foundations: Real-World Scenarios",
        title="A short title",
        question="What is drift?",
        answer="## Answer\n\nDrift is a **change** of the inputs.",
        key_points=(
            "Drift is a change of the inputs after training.",
            "Monitoring compares a window with a reference.",
            "Retraining helps when labels are fresh enough.",
        ),
        also_asked=(
            "why is my model worse this month", "inputs moved", "numbers drift apart", "what changed", "psi",
        ),
        topics=("drift",),
        level="foundation",
        related=("FND-02",),
        follow_ups=(FollowUp("And then?", "Retrain."),),
        caveat=caveat,
        path=FIRST,
    )  # fmt: skip


def test_a_valid_corpus_has_no_fault(tmp_path: Path) -> None:
    entries, faults = check_corpus(small_corpus(tmp_path))
    assert ([entry.id for entry in entries], faults) == (["FND-01", "FND-02"], [])


def test_windows_line_ends_and_further_headings_are_no_fault(tmp_path: Path) -> None:
    text = changed("## Follow-ups", "## Why it happens\n\nUsers change.\n\n## Follow-ups").replace("\n", "\r\n")
    entry = read_corpus(small_corpus(tmp_path, text))[0]
    assert entry.answer.endswith("## Why it happens\n\nUsers change.")


def test_headings_inside_code_are_code(tmp_path: Path) -> None:
    code = "```python\n## Answer\n### no question\nassert True\n```"
    text = changed("of the inputs.", f"of the inputs.\n\n{code}") + f"\n{code}\n"
    entry = read_corpus(small_corpus(tmp_path, text))[0]
    assert entry.answer.endswith(code)
    assert entry.follow_ups == (FollowUp("And then?", f"Retrain.\n\n{code}"),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (TEXT.removeprefix("---\n"), "1: no front matter between two lines of ---"),
        ("", "1: no front matter between two lines of ---"),
        (changed("title: A", "title: A: b"), "3: front matter is not YAML: mapping values are not allowed here"),
        (changed("A short", "A \x07 short"), "3: front matter is not YAML: special characters are not allowed"),
        (changed("A short title", "2026-13-45"), "1: front matter is not YAML: month must be in 1..12"),
        (changed("level:", "colour: red\nlevel:"), "12: colour: Extra inputs are not permitted"),
        (changed("level: foundation\n", ""), "1: level: Field required"),
        (changed("level: foundation", "level: easy"),
         "12: level: Input should be 'foundation', 'practitioner' or 'senior'"),
        (changed("level:", "title: Another\nlevel:"), "3: the key title is there twice"),
        (changed("  - psi\n", ""), "5: also_asked: List should have at least 5 items after validation, not 4"),
        (changed("what changed", "ok"), "9: also_asked.3: String should have at least 3 characters"),
        (changed("- psi", "- Inputs MOVED"), "5: two ways of asking are the same"),
        (changed("- psi", "- What is DRIFT?"), "5: two ways of asking are the same"),
        (changed("  - Retraining helps when labels are fresh enough.", "  - Too short."),
         "16: key_points.2: String should have at least 20 characters"),
        (changed("[drift]", "[drift, weather]"), "11: the topic weather is not in topics.yaml"),
        (changed("[drift]", "[drift, 7]"), "11: topics.1: Input should be a valid string"),
        (changed("[FND-02]", "[FND-02, SCN-77]"), "17: related: SCN-77 is not an entry"),
        (changed("[FND-02]", "[FND-01]"), "17: related: FND-01 is the entry itself"),
        (changed("[FND-02]", "[FND-02, drift]"),
         r"17: related.1: String should match pattern '^[A-Z]{3}-\d{2,}$'"),
        (changed("id: FND-01", "id: FND-07"), "2: the id FND-07 is not the start of the file name"),
        (changed("id: FND-01", "id: FND-0"), r"2: id: String should match pattern '^[A-Z]{3}-\d{2,}$'"),
        (changed("## Answer", "## Summary"), "19: the first heading of the body must be `## Answer`"),
        (changed("## Follow-ups", "## Further"), "23: the last second-level heading must be `## Follow-ups`"),
        (changed("### And then?\n\nRetrain.\n", ""), "23: there must be one to three follow-ups"),
        (TEXT + "\n### B?\n\nB.\n\n### C?\n\nC.\n\n### D?\n\nD.\n", "23: there must be one to three follow-ups"),
        (changed("And then?", "And then"), "25: a follow-up needs a heading that ends in ? and an answer"),
        (changed("Retrain.\n", ""), "25: a follow-up needs a heading that ends in ? and an answer"),
        (changed("### And then?", "Lost text.\n\n### And then?"),
         "23: text before the first follow-up would be lost"),
        (b"---\nid: \xff\n", "2: not UTF-8 text (byte 8)"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "1: not UTF-8 text (byte 0)"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_file_and_line(tmp_path: Path, text: str | bytes, fault: str) -> None:
    assert faults_of(tmp_path, text) == [f"{FIRST}:{fault}"]


def test_a_body_without_headings_lacks_both(tmp_path: Path) -> None:
    assert faults_of(tmp_path, TEXT.split("## Answer")[0] + "Only text.\n") == [
        f"{FIRST}:19: the first heading of the body must be `## Answer`",
        f"{FIRST}:19: the last second-level heading must be `## Follow-ups`",
    ]


def test_front_matter_whose_keys_are_quoted_is_read_all_the_same(tmp_path: Path) -> None:
    assert faults_of(tmp_path, changed("id: FND-01", '"id": FND-07')) == [
        f"{FIRST}:1: the id FND-07 is not the start of the file name"
    ]


def test_an_id_that_is_taken_is_named_with_the_file_that_has_it(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path)
    (corpus / "foundations" / "FND-02-third.md").write_text(OTHER, "utf-8")
    _, faults = check_corpus(corpus)
    assert faults == [Fault("foundations/FND-02-third.md", 2, f"the id FND-02 is taken by {SECOND}")]


def test_a_folder_in_the_place_of_an_entry_is_a_fault(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path)
    (corpus / "foundations" / "FND-03-folder.md").mkdir()
    _, faults = check_corpus(corpus)
    assert faults == [Fault("foundations/FND-03-folder.md", 1, "cannot be read: Is a directory")]


def test_a_broken_entry_does_not_hide_the_others_or_their_faults(tmp_path: Path) -> None:
    entries, faults = check_corpus(small_corpus(tmp_path, "no entry at all"))
    assert [entry.id for entry in entries] == ["FND-02"]
    assert [(fault.path, fault.line) for fault in faults] == [(FIRST, 1), (SECOND, 17)]


@pytest.mark.parametrize("topics", [None, "", "drift: [", "a: \x07"])
def test_a_list_of_topics_that_cannot_be_read_is_a_fault_of_its_file(tmp_path: Path, topics: str | None) -> None:
    corpus = small_corpus(tmp_path)
    (corpus / "topics.yaml").unlink()
    if topics is not None:
        (corpus / "topics.yaml").write_text(topics, "utf-8")
    _, faults = check_corpus(corpus)
    assert (faults[0].path, faults[0].line) == ("topics.yaml", 1)
    assert faults[0].what.startswith("the list of topics cannot be read: ")
    assert "\n" not in faults[0].what


def test_a_folder_without_entries_is_a_fault(tmp_path: Path) -> None:
    assert check_corpus(tmp_path) == ([], [Fault(str(tmp_path), 1, "no entries found")])


def test_reading_a_faulty_corpus_raises_every_fault_and_the_command_that_shows_them(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        read_corpus(small_corpus(tmp_path, "no entry at all"))
    first = f"{FIRST}:1: no front matter between two lines of ---"
    assert caught.value.message == f"2 faults in the guides, the first at {first}."
    assert "`tutor corpus check`" in caught.value.cure
    assert caught.value.faults == (first, f"{SECOND}:17: related: FND-01 is not an entry")


def test_one_fault_is_counted_in_the_singular(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"^1 fault in the guides"):
        read_corpus(small_corpus(tmp_path, changed("[drift]", "[weather]")))


def test_content_hashes_follow_the_bytes_of_each_file(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path)
    (corpus / "README.md").write_text("not an entry", "utf-8")
    (corpus / "foundations" / "notes.txt").write_text("not an entry", "utf-8")
    expected = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in ((FIRST, TEXT), (SECOND, OTHER))}
    assert content_hashes(corpus) == expected


def test_entry_files_come_in_the_order_of_the_guides_and_ids(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path)
    for folder in ("guide", "scenarios"):
        (corpus / folder).mkdir()
        (corpus / folder / "X.md").touch()
    assert [path.parent.name for path in entry_files(corpus)] == ["scenarios", "foundations", "foundations", "guide"]


def test_the_built_in_corpus_has_no_fault_and_all_its_entries() -> None:
    entries, faults = check_corpus(PROJECT / "corpus")
    assert list(map(str, faults)) == []
    assert len(entries) == 157
    assert Counter(entry.id[:3] for entry in entries) == {
        "SCN": 60, "FND": 25, "BEH": 11, "CON": 15, "COD": 4, "DSN": 3,
        "LLM": 5, "STR": 4, "PLN": 3, "QNA": 20, "SNP": 4, "REF": 3,
    }  # fmt: skip
