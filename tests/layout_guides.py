"""Small guides in the layouts that people use, for the tests that split them."""

SCENARIOS = """\
siteEdit

Practical Scenarios (Master)

This guide has two scenarios.


1. Classical Learning & Basics

Scenario 1: High Training Accuracy Question: "It has 95% in tests, why 60% live?" Answer: Train-serve skew.

  - Check the features.

  - Check the data.

Scenario 2: The "Broken" Baseline Question: "A rule wins (e.g., 'no login'). What is wrong?" Answer:

  - The model is poorly tuned.


2. Deep Learning

Scenario 3: Dead Units
Question: Half the units output zero. What now?
Answer: Use a leaky activation.


Master these and you are prepared.
"""

HEADINGS = """\
# Guide

## Contents
- [Models](#models)

## Models

### Q: When is a forest better than boosting?

**Key Points:**
- Little time to tune

**Decision:**
```python
# Q: is this a question?
## Answer
pick()
```

---

### Recommenders

#### Q: Why does precision matter?

**Difficulty**: Medium

**Answer:**
Users see few items.

**Follow-up**: What about a cold start?

**Answer**:
1. Ask for interests.

**Follow-up**: And an empty shop?

Show what sells.

## Q7. What is drift?

**Answer:**
Change.

### Details

Slow or sudden.

### Does it always hurt?

No.

## Snippets

### Recall

```python
print(1)
```
"""

STORIES = """\
Problem Solving Stories
Engineers face problems that nobody has seen before, and these two questions ask how they solved them in the end.
Q1: Tell me about a time you debugged a system.
Situation: Conversions fell on Mondays, and Week 1: was the worst.
Task: I had to find out why.
Action: I compared feature windows.
Result: They recovered.
Q2: Describe a failure. What did you learn?
Situation: A simulator was wrong.
Result: I check simulators first.
Key Themes Across All Stories
- Be systematic: start with the likely causes.
- Fail early.
"""

PARTS = """\
Preparation Notes¶

Two questions, one problem.

Part 1: Concepts (2 Questions)¶

Q1: Bias and variance?¶

Bias is underfitting.

Q2: Cross-validation?¶

Split into folds.

Part 2: Coding¶

Problem 1: Data Cleaning¶

Given a table: remove duplicates. (20 min)

Part 3: Systems¶

Design 1: Search (10M users)¶

Query → retrieve → rank.

Part 4: Models¶

Q1: What is LoRA? Freeze the weights. Train adapters.

Q2: Agents — what makes them reliable? Tests.

Part 5: Behaviour¶

“Tell me about a hard project.” Use a story.

“How do you stay current?” Read “good” papers.

Study Plan¶

  - Week 1: Review concepts + solve problems

  - Week 2: Mock interviews
"""
