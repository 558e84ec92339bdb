"""What a judge will be asked, before it is: calls and tokens, and what they cost."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from eval.samples import Sample
from eval.verdicts import INSTRUCTION, SCHEMA, VERDICT

CHARACTERS = 4
"""Of English text in a token, about."""
SPLIT = 1.4
"""Statements are this much longer than the text they were split from, with the JSON around them."""
VERDICTS = 3.0
"""A verdict repeats its statement and gives a reason."""
QUESTION, USEFUL, RATING = 30.0, 70.0, 10.0
"""Tokens of a question made up by the judge, of one verdict with its reason, and of a rating."""
AROUND = 36.0
"""Tokens around the source, the question, the answer and the schema when our own verdict is asked for."""
STATEMENTS, NLI, ASKING, PRECISION, RECALL, CLAIMS, CLAIMS_NLI, FIRST, SECOND = (
    520.0, 1000.0, 566.0, 1122.0, 1690.0, 479.0, 970.0, 574.0, 551.0
)  # fmt: skip
"""Tokens of ragas' own instructions, examples and schemas; tests/test_judge_estimate.py weighs them."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Requests to a judge, the tokens it reads and those it writes."""

    calls: int
    tokens_in: int
    tokens_out: int

    def cost(self, price_in: float, price_out: float) -> float:
        """What it costs, at prices for a million tokens."""
        return (self.tokens_in * price_in + self.tokens_out * price_out) / 1e6

    def seconds(self, read: float, written: float) -> float:
        """How long one judge takes, at tokens read and written a second."""
        return self.tokens_in / read + self.tokens_out / written


def estimate(samples: Sequence[Sample], metrics: Sequence[str]) -> Estimate:
    """About what these metrics of these samples take; an answer that is a refusal takes nothing where it is judged.

    Args:
        metrics: names of RAGAS metrics, or `eval.verdicts.VERDICT` for a judge's own verdict.
    """
    calls = [call for sample in samples for metric in metrics for call in _calls(metric, sample)]
    return Estimate(len(calls), round(sum(call[0] for call in calls)), round(sum(call[1] for call in calls)))


def tokens(text: str) -> float:
    """About how many tokens a text has."""
    return len(text) / CHARACTERS


def _calls(metric: str, sample: Sample) -> list[tuple[float, float]]:
    """(tokens in, tokens out) of each request of one metric, in the order in which ragas makes them."""
    question, answer, wanted = tokens(sample.question), tokens(sample.answer), tokens(sample.reference)
    context = sum(map(tokens, sample.contexts))
    if metric == "context_precision":
        return [(PRECISION + question + tokens(each) + wanted, USEFUL) for each in sample.contexts]
    if metric == "context_recall":
        return [(RECALL + question + context + wanted, VERDICTS * wanted)]
    if not sample.answer or sample.fell_back:
        return []
    if metric == VERDICT:
        asked = tokens(INSTRUCTION) + tokens(json.dumps(SCHEMA)) + AROUND
        return [(asked + context + question + answer, USEFUL)]
    if metric == "faithfulness":
        return [
            (STATEMENTS + question + answer, SPLIT * answer),
            (NLI + context + SPLIT * answer, VERDICTS * answer),
        ]
    if metric == "response_relevancy":
        return 3 * [(ASKING + answer, QUESTION)]
    if metric == "factual_correctness":
        return [
            (CLAIMS + answer, SPLIT * answer),
            (CLAIMS_NLI + wanted + SPLIT * answer, VERDICTS * answer),
            (CLAIMS + wanted, SPLIT * wanted),
            (CLAIMS_NLI + answer + SPLIT * wanted, VERDICTS * wanted),
        ]
    if metric == "response_groundedness":
        return [(FIRST + answer + context, RATING), (SECOND + answer + context, RATING)]
    return []
