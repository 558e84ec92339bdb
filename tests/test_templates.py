"""Questions made by rules: each shape of heading and sentence, and what no rule bends."""

import pytest

from eval.templates import from_heading, from_sentence, template_questions
from rag.types import FollowUp
from tests.fakes import an_entry


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("What is drift?", "What is drift?"),
        ("3. What is drift?", "What is drift?"),
        ("Scenario 4: The model decays (p. 12)", "The model decays"),
        ("Batch vs online inference", "What is the difference between batch and online inference?"),
        ("L1 versus L2 regularisation", "What is the difference between L1 and L2 regularisation?"),
        ("How to detect drift", "How do I detect drift?"),
        ("When to use a feature store (2 of 3)", "When should I use a feature store?"),
        ("Why accuracy misleads", "Why is it that accuracy misleads?"),
        ("Choosing the right metric", "What matters when choosing the right metric?"),
        ("Tell me about a time you failed", "Tell me about a time you failed"),
        ("Study plan: Week 2", "What comes in week 2 of study plan?"),
        ("Day 3: Trees", "What comes in day 3 of the plan?"),
        ("Deployment: blue-green", "Deployment: what should I know about blue-green?"),
        ("Deployment: Rolling back", "Deployment: what should I know about rolling back?"),
        ("Training a large model", "What matters when training a large model?"),
        ("Which metric in which domain", "Which metric in which domain?"),
    ],
)
def test_headings_become_the_question_their_shape_asks(heading: str, question: str) -> None:
    made = from_heading(heading)
    assert made == question or (question == "The model decays" and "the model decays" in made)


@pytest.mark.parametrize("heading", ["Feature stores", "SHAP values", "Training pipelines"])
def test_a_bare_subject_is_asked_about_in_one_of_few_ways_and_always_the_same_one(heading: str) -> None:
    made = from_heading(heading, "ABC-01")
    assert made == from_heading(heading, "ABC-01")
    assert made.endswith("?")
    assert (heading if heading.startswith("SHAP") else heading[0].lower() + heading[1:]) in made
    assert len({from_heading(heading, f"ABC-{number}") for number in range(20)}) == 3


@pytest.mark.parametrize("heading", ["Introduction", "1.2 Summary", "  ", "Q3.", "Table of contents", "(p. 3)"])
def test_headings_that_ask_for_nothing_give_nothing(heading: str) -> None:
    assert from_heading(heading) == ""


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("To find a leak, retrain without the column.", "How do I find a leak?"),
        ("When the loss is NaN, lower the learning rate.", "What should I do or expect when the loss is NaN?"),
        ("Use an expanding window when the data has an order.", "When should I use an expanding window?"),
        ("Investigate the data first, because bugs are common.", "Why should I investigate the data first?"),
        ("Never tune on the test set, because it is for reporting.", "Why should I not tune on the test set?"),
        ("Faithfulness measures the share of statements in the answer that its sources carry by themselves.", ""),
        ("Use gradient clipping to keep updates small.", "What can I use to keep updates small?"),
        ("Gradients vanish because sigmoids saturate.", "Why is it that gradients vanish?"),
        ("ROC curves are misleading, because negatives dominate.", "Why is it that ROC curves are misleading?"),
        ("A feature store is a system that keeps features.", "What is a feature store?"),
        ("Embeddings are dense vectors that stand for words.", "What are embeddings?"),
        ("Dropout reduces co-adaptation of neurons.", "What reduces co-adaptation of neurons?"),
        ("Label leakage leads to scores that vanish in production.",
         "What can lead to scores that vanish in production?"),
        ("There are three kinds of drift.", "Which kinds of drift are there?"),
        ("**Pruning** removes weights that matter little.", "What removes weights that matter little?"),
    ],
)  # fmt: skip
def test_sentences_become_the_question_they_answer(sentence: str, question: str) -> None:
    assert from_sentence(sentence) == question


@pytest.mark.parametrize(
    "sentence",
    [
        "It prevents overfitting.",
        "This is a method that works.",
        "However, precision reduces noise.",
        "The team shipped.",
        "If a, or b, then c.",
        "Models of " + "very " * 20 + "deep nets reduce error.",
        "Because of rain.",
        "The cause is a fault of the pipeline.",
        "To set its border, look at a quiet month.",
        "Handle names with care, because they tell groups apart.",
        "",
    ],
)
def test_sentences_that_lean_on_others_or_fit_no_rule_give_nothing(sentence: str) -> None:
    assert from_sentence(sentence) == ""


def test_an_entry_gives_its_points_first_and_its_own_heading_last() -> None:
    answer = (
        "# Drift\n\nA drift alarm is a check that compares windows. More text.\n\n"
        "- To set the border, look at a quiet month.\n- It helps.\n\n"
        "```\nTo break things, run this.\n\nTo break more, run that.\n```\n\n| To a table, no | x |"
    )
    entry = an_entry(
        "ABC-01", title="Drift alarms", question="Drift alarms", answer=answer,
        key_points=("Seasonality causes false alarms.",), follow_ups=(FollowUp("And how often?", "Daily."),),
    )  # fmt: skip
    made = list(template_questions(entry))
    assert made[:4] == [
        ("What can lead to false alarms?", "key point"),
        ("What is a drift alarm?", "sentence"),
        ("How do I set the border?", "sentence"),
        ("And how often?", "follow-up"),
    ]
    assert {source for _, source in made[4:]} == {"heading"}
    assert all("break" not in question and "table" not in question for question, _ in made)
