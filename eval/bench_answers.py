"""`python -m eval.bench answers`: how good and how fast answers are, by who writes them.

60 questions of the gold test half, put to each model in turn: seconds to the first claim that is shown and to the end,
claims an answer, whether the first cited entry is a relevant one, whether every sentence is cited, what was left out.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy

from eval.gold import GoldQuestion, of_split, questions
from rag.answer import QUOTE
from rag.settings import Settings
from rag.tutor import Tutor
from rag.types import Answer
from ui.session import open_library, progress_bar

QUESTIONS = 60
WARM_UP = "What is data drift?"


def measure(settings: Settings, models: Sequence[str]) -> dict[str, Any]:
    """One row a model."""
    asked = of_split(questions(), "test")
    step = max(1, len(asked) // QUESTIONS)
    chosen = asked[::step][:QUESTIONS]
    rows: dict[str, Any] = {}
    with progress_bar() as report:
        library, _ = open_library(settings, report)
        tutor = library.tutor()
        for model in models:
            tutor.ask(WARM_UP, model=model)
            answers = []
            for number, item in enumerate(chosen):
                report(f"asking {model}", number, len(chosen))
                answers.append((item, *ask(tutor, item.question, model)))
            rows[model] = row(model, answers)
        library.close()
    return rows


def ask(tutor: Tutor, question: str, model: str) -> tuple[Answer, float, list[float], float]:
    """The answer, and the seconds to the first claim, to each claim of the model, and to the end."""
    started = time.perf_counter()
    first, own = 0.0, []
    reply = tutor.reply(question, model=model)
    for shown in reply:
        now = time.perf_counter() - started
        first = first or now
        if shown.model != QUOTE or model == QUOTE:
            own.append(now)
    return reply.answer, first, own, time.perf_counter() - started


def row(model: str, answers: Sequence[tuple[GoldQuestion, Answer, float, list[float], float]]) -> dict[str, Any]:
    """The measures of one model's answers; shares are over what was answered."""
    given = [answer for _, answer, *_ in answers if answer.claims]
    claims = [claim for answer in given for claim in answer.claims]
    right = [
        bool(set(answer.claims[0].sources[:1]) & set(item.relevant)) for item, answer, *_ in answers if answer.claims
    ]
    return {
        "questions": len(answers),
        "answered": len(given),
        "written by the model": sum(answer.model == model or model == QUOTE for answer in given),
        "first claim s": spread([first for *_, first, _, _ in answers if first]),
        # The local model's answers begin with the best entry's first sentence; its own choice is the second.
        "first own claim s": spread([own[0] for *_, own, _ in answers if own]),
        "second own claim s": spread([own[1] for *_, own, _ in answers if len(own) > 1]),
        "total s": spread([total for *_, total in answers]),
        "claims an answer": round(len(claims) / len(given), 2) if given else 0.0,
        "first cited entry relevant": round(sum(right) / len(right), 4) if right else 0.0,
        "sentences cited": sum(bool(claim.sources) for claim in claims) / len(claims) if claims else 0.0,
        "left out": sum(len(answer.dropped_claims) for _, answer, *_ in answers),
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p95."""
    if not seconds:
        return {}
    low, high = numpy.percentile(seconds, [50, 95])
    return {"p50": round(float(low), 3), "p95": round(float(high), 3)}
