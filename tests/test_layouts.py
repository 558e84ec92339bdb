"""Guides of every layout fall into one entry a question, and nothing is lost on the way."""

import re
from collections import Counter

import pytest

from ingest.layouts import Piece, split, title_of
from tests.layout_guides import HEADINGS, PARTS, SCENARIOS, STORIES

WORD = re.compile(r"\w+")


def pieces_of(text: str, pages: list[int] | None = None) -> list[Piece]:
    """The pieces of a guide, after checking that they hold all of its words."""
    lines = text.split("\n")
    pieces = split(lines, pages or [], title_of(lines))
    kept: Counter[str] = Counter()
    for piece in pieces:
        follow_ups = " ".join(f"{question} {answer}" for question, answer in piece.follow_ups)
        kept.update(WORD.findall(f"{piece.title} {piece.question} {piece.answer} {follow_ups}"))
    lost = Counter(WORD.findall(text)) - kept
    marks = ("Q", "Follow", "up", "Answer", "A")
    assert {word: times for word, times in lost.items() if word not in marks} == {}
    return pieces


def questions(pieces: list[Piece]) -> list[tuple[str, int | None, str]]:
    return [(piece.label, piece.number, piece.question) for piece in pieces if piece.label]


def test_numbered_scenarios() -> None:
    pieces = pieces_of(SCENARIOS)
    assert questions(pieces) == [
        ("Scenario", 1, "It has 95% in tests, why 60% live?"),
        ("Scenario", 2, "A rule wins (e.g., 'no login'). What is wrong?"),
        ("Scenario", 3, "Half the units output zero. What now?"),
    ]
    assert [piece.title for piece in pieces][1:4] == [
        "Scenario 1: High Training Accuracy",
        'Scenario 2: The "Broken" Baseline',
        "Scenario 3: Dead Units",
    ]
    assert pieces[0].title == "Practical Scenarios (Master)"
    assert pieces[1].answer.startswith(
        "## 1. Classical Learning & Basics\n\n## Answer to the Question\n\nTrain-serve skew."
    )
    assert pieces[-1].answer == "Master these and you are prepared."


def test_headings_that_ask() -> None:
    pieces = pieces_of(HEADINGS)
    assert questions(pieces) == [
        ("Q", None, "When is a forest better than boosting?"),
        ("Q", None, "Why does precision matter?"),
        ("Q", 7, "What is drift?"),
    ]
    titles = [piece.title for piece in pieces]
    assert titles[0] == "Contents"
    assert titles[-1] == "Recall"
    forest, precision, drift = (piece for piece in pieces if piece.label)
    assert "# Q: is this a question?\n## Answer\npick()\n```" in forest.answer
    assert forest.answer.startswith("## Models\n\n## Key Points\n")
    assert precision.follow_ups == (
        ("What about a cold start?", "## Answer\n\n1. Ask for interests."),
        ("And an empty shop?", "Show what sells."),
    )
    assert precision.section == "Guide › Models › Recommenders"
    assert "### Details\n\nSlow or sudden." in drift.answer
    assert drift.follow_ups == (("Does it always hurt?", "No."),)


def test_stories_with_situation_task_action_result() -> None:
    pieces = pieces_of(STORIES)
    assert [piece.title for piece in pieces] == [
        "Problem Solving Stories",
        "Q1: Tell me about a time you debugged a system.",
        "Q2: Describe a failure. What did you learn?",
        "Key Themes Across All Stories",
    ]
    for name in ("Situation", "Task", "Action", "Result"):
        assert f"## {name}\n\n" in pieces[1].answer


def test_short_lists_under_parts() -> None:
    pieces = pieces_of(PARTS)
    assert questions(pieces) == [
        ("Q", 1, "Bias and variance?"),
        ("Q", 2, "Cross-validation?"),
        ("Problem", 1, "Data Cleaning"),
        ("Design", 1, "Search (10M users)"),
        ("Q", 1, "What is LoRA?"),
        ("Q", 2, "Agents — what makes them reliable?"),
        ("Q", None, "Tell me about a hard project."),
        ("Q", None, "How do you stay current?"),
        ("Week", 1, "Study Plan: Week 1"),
        ("Week", 2, "Study Plan: Week 2"),
    ]
    assert pieces[5].answer == "## Part 4: Models\n\nFreeze the weights. Train adapters."
    assert pieces[8].answer == "## Part 5: Behaviour\n\nRead “good” papers."


@pytest.mark.parametrize(
    "text",
    [
        "**1. What is drift?**\n\nChange.\n\n**2. What is bias?**\n\nUnderfitting.\n",
        "1. What is drift?\n\nChange.\n\n2. What is bias?\n\nUnderfitting.\n",
        "Q: What is drift?\nA: Change.\n\nQ: What is bias?\nA: Underfitting.\n",
        "**Q1: What is drift?**\nChange.\n\n**Q2: What is bias?**\nUnderfitting.\n",
        "Question 1: What is drift?\nAnswer: Change.\nQuestion 2: What is bias?\nAnswer: Underfitting.\n",
        "## 1. What is drift?\nChange.\n## 2. What is bias?\nUnderfitting.\n",
        "Terms\n=====\n\nWhat is drift?\n--------------\nChange.\n\nWhat is bias?\n-------------\nUnderfitting.\n",
    ],
)
def test_other_ways_to_ask(text: str) -> None:
    found = [piece for piece in pieces_of(text) if piece.label]
    assert [piece.question for piece in found] == ["What is drift?", "What is bias?"]
    assert [piece.answer.removeprefix("## Terms\n\n").removeprefix("## Answer\n\n") for piece in found] == [
        "Change.",
        "Underfitting.",
    ]


def test_a_list_of_questions_inside_an_answer_stays_there() -> None:
    pieces = pieces_of("## Q1. What to ask?\n\n1. Is it drift?\n2. Is it skew?\n\n- Day 1: Look.\n- Day 2: Fix.\n")
    assert len(pieces) == 1


def test_a_question_broken_over_lines_is_one() -> None:
    text = "Q1: How would you explain the difference between\nprecision and recall to a manager?\nWith an example.\n"
    assert pieces_of(text)[0].question == (
        "How would you explain the difference between precision and recall to a manager?"
    )


def test_prose_falls_into_sections_and_long_sections_into_windows() -> None:
    sentences = " ".join(f"Sentence number {number} says something about data drift." for number in range(100))
    text = f"# Notes\n\nShort beginning.\n\n## Drift\n\n{sentences}\n\n## Table\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    pages = [1] * 4 + [12] * 20
    pieces = pieces_of(text, pages[: len(text.split(chr(10)))])
    assert [piece.title for piece in pieces] == [
        "Notes (p. 1)",
        "Drift (1 of 4) (p. 12)",
        "Drift (2 of 4) (p. 12)",
        "Drift (3 of 4) (p. 12)",
        "Drift (4 of 4) (p. 12)",
        "Table (p. 12)",
    ]
    assert all(len(piece.answer.split()) <= 260 for piece in pieces)
    last = pieces[1].answer.rsplit(".", 2)[-2].strip()
    assert f"{last}." in pieces[2].answer
    assert pieces[-1].answer.endswith("| 1 | 2 |")


def test_text_without_any_heading_is_called_by_its_first_sentence() -> None:
    (piece,) = pieces_of("drift is a change of inputs. it hurts.\n")
    assert piece.title == "drift is a change of inputs. it hurts."
    (only,) = pieces_of("One " + "very " * 60 + "long sentence without an end\n")
    assert len(only.title) <= 80
    assert only.title.endswith("…")


def test_headings_without_text_are_not_lost() -> None:
    pieces = pieces_of("# Title\n\n## Empty\n\n## Full\n\nText.\n\n## Last\n\n### Least\n")
    assert [piece.title for piece in pieces] == ["Full"]


@pytest.mark.parametrize(
    "text", ["[" * 50_000 + "x", "**" * 50_000 + "x", "Q1: " + "x" * 100_000, "#" * 50_000 + " x", "x ¶\n" * 5000]
)
def test_odd_text_gives_pieces_quickly(text: str) -> None:
    lines = text.split("\n")
    assert split(lines, [], "odd")
