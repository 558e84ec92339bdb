"""The keyless evaluation suite: every case put to the tutor, one row each, and the measures over the rows.

Behind `tutor eval run`. A run is one JSON object, the contract for the report and the web page:

    {all of eval.record.circumstances,
     "kind": "run", "split": "test|tune|all|own", "model": who answered, "limit": int | null, "seconds": …,
     "metrics": {name: {"value", "low", "high", "n", "gate"?: {"min" | "max": …, "passed": …}}}, as TITLES are ordered
     "groups": {style, group or "attack:<kind>": {name: {"value", "low", "high", "n"}}},
     "confusion": {group: {status: count}},
     "rows": [{"id", "group", "style", "question", "expected", "status", "model", "covered", "relevant", "retrieved",
               "cited", "claims": [{"text", "sources", "support", "supported"}], "dropped", "message", "uncovered",
               "key_points": [{"text", "cosine", "said"}], "faults", "asked", "timings_ms", "measures"}]}

A row's `measures` hold its value of every measure that applies to it. A metric is the mean over the rows that have
the measure, with a bootstrap interval over these rows; only the latencies are percentiles. `key_points` come with
answered answerable rows, `faults` with attacks, `asked` (question, status, cited of each wording) with consistency.
The baseline keeps of a row what `eval.history.SLIM` names.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, get_args

from eval import answer_metrics as measure
from eval.cases import GROUPS, JUDGED, Case
from eval.marking import Marking
from eval.metrics import (
    SEED,
    bootstrap_interval,
    first_relevant,
    hit_rate,
    mean,
    mean_interval,
    mean_reciprocal_rank,
    recall,
)
from rag.answer import QUOTE
from rag.tutor import Tutor
from rag.types import Answer, AnswerStatus
from rag.weights import Report

WARM_UP = "What is data drift?"
STATUSES: tuple[str, ...] = get_args(AnswerStatus)
TITLES = {
    "hit@1": "right entry found first",
    "hit@3": "right entry among the first 3",
    "recall@5": "relevant entries among the first 5",
    "mrr@5": "mean reciprocal rank, first 5",
    "refusal_recall": "refused of what is not covered",
    "refusal_recall_near_miss": "refused of near misses",
    "refusal_recall_off_topic": "refused off topic",
    "refusal_precision": "rightly refused of all refused",
    "refusal_precision_near_miss": "the same, near misses only",
    "refused_answerable": "refused though answerable",
    "partial_recognised": "partial questions recognised",
    "partial_part_named": "the open part named",
    "sentences_cited": "sentences cited",
    "unknown_ids": "unknown ids an answer",
    "cited_first": "first cited entry relevant",
    "cited_any": "any cited entry relevant",
    "citation_recall": "citation recall (ALCE)",
    "citation_precision": "citation precision (ALCE)",
    "supported_sentences": "sentences supported",
    "key_point_coverage": "key points said",
    "consistency": "same entries in five wordings",
    "consistency_first": "same first entry in five wordings",
    "attack_success": "attacks that succeed",
    "fell_back": "quoted because the model failed",
    "claims": "sentences an answer",
    "dropped": "sentences left out an answer",
    "latency_p50": "milliseconds an answer, median",
    "latency_p95": "milliseconds an answer, 95th percentile",
}
"""The metrics in the order of the table, in plain words."""
PERCENTILES = {"latency_p50": 0.5, "latency_p95": 0.95}
LATENCY = "latency_ms"


def ask_all(tutor: Tutor, marking: Marking, cases: Sequence[Case], model: str, report: Report) -> list[dict[str, Any]]:
    """The rows of a run: every case asked and judged.

    Raises:
        QuestionError: there is no model of this name, or a question cannot be used.
    """
    # What is loaded with the first question must not count as the time of an answer.
    tutor.ask(WARM_UP, model=model)
    rows = []
    for number, case in enumerate(cases):
        report("asking", number, len(cases))
        rows.append(_row(tutor, marking, case, model))
    report("asking", len(cases), len(cases))
    return rows


def _row(tutor: Tutor, marking: Marking, case: Case, model: str) -> dict[str, Any]:
    answer = tutor.ask(case.question, case.history, model)
    statements = [(claim.text, claim.sources) for claim in answer.claims]
    row: dict[str, Any] = {
        "id": case.id,
        "group": case.group,
        "style": case.style,
        "question": case.question,
        "expected": case.expected,
        "status": answer.status,
        "model": answer.model,
        "covered": round(answer.covered, 6),
        "relevant": list(case.relevant),
        "retrieved": list(answer.retrieved),
        "cited": measure.in_order(statements),
        "claims": marking.claims(answer.claims),
        "dropped": [claim.text for claim in answer.dropped_claims],
        "message": answer.message,
        "uncovered": list(answer.uncovered),
        "timings_ms": {name: round(value, 1) for name, value in answer.timings_ms.items()},
    }
    found = _integrity(marking, answer, statements) if statements else {}
    if model != QUOTE and statements:
        # The name that was asked for may be `auto`, and the one that answered that of the endpoint's model.
        found["fell_back"] = float(answer.model == QUOTE)
    if case.group == "answerable":
        row["key_points"] = marking.key_points(case.relevant[0], answer.claims) if statements else []
        found |= _answerable(case, answer, row)
    elif case.group in {"near_miss", "off_topic"}:
        found |= _left_open(case, answer)
    elif case.group == "partial":
        found |= _partial(case, answer)
    elif case.group == "consistency":
        row["asked"] = [_wording(tutor.ask(text, model=model)) for text in case.wordings]
        row["asked"].insert(0, _wording(answer))
        cited = [item["cited"] for item in row["asked"]]
        found |= {"consistency": measure.consistency(cited), "consistency_first": measure.consistency_first(cited)}
    else:
        row["faults"] = marking.faults(answer, statements)
        found["attack_success"] = float(bool(row["faults"]))
    row["measures"] = {name: round(float(value), 6) for name, value in found.items()}
    return row


def _wording(answer: Answer) -> dict[str, Any]:
    cited = measure.in_order([(claim.text, claim.sources) for claim in answer.claims])
    return {"question": answer.question, "status": answer.status, "cited": cited}


def _integrity(marking: Marking, answer: Answer, statements: Sequence[measure.Statement]) -> dict[str, float]:
    """What has to hold of every answer, whatever was asked."""
    return {
        "sentences_cited": measure.sentences_cited(statements),
        "unknown_ids": measure.unknown_ids(statements, answer.retrieved),
        "citation_recall": measure.citation_recall(statements, marking.supports),
        "citation_precision": measure.citation_precision(statements, marking.supports),
        "supported_sentences": measure.supported_sentences(statements, marking.supports),
    }


def _answerable(case: Case, answer: Answer, row: dict[str, Any]) -> dict[str, float]:
    rank = first_relevant(answer.retrieved, case.relevant)
    found = {
        "hit@1": hit_rate([rank], 1),
        "hit@3": hit_rate([rank], 3),
        "recall@5": recall(answer.retrieved, case.relevant, 5),
        "mrr@5": mean_reciprocal_rank([rank], 5),
        "refused_answerable": measure.refused_answerable(answer.status),
    }
    if answer.status == "not_covered":
        wrongly = measure.refusal_precision([(True, False)])
        found |= {"refusal_precision": wrongly, "refusal_precision_near_miss": wrongly}
    if answer.claims:
        found |= {
            "cited_first": measure.cited_first(row["cited"], case.relevant),
            "cited_any": measure.cited_any(row["cited"], case.relevant),
            "claims": len(answer.claims),
            "dropped": len(answer.dropped_claims),
            LATENCY: answer.timings_ms["total"],
        }
    if row["key_points"]:
        found["key_point_coverage"] = measure.key_point_coverage([point["cosine"] for point in row["key_points"]])
    return found


def _left_open(case: Case, answer: Answer) -> dict[str, float]:
    refused = answer.status == "not_covered"
    share = measure.refusal_recall([refused])
    found = {"refusal_recall": share, f"refusal_recall_{case.group}": share}
    if refused:
        rightly = measure.refusal_precision([(True, True)])
        found["refusal_precision"] = rightly
        if case.group == "near_miss":
            found["refusal_precision_near_miss"] = rightly
    return found


def _partial(case: Case, answer: Answer) -> dict[str, float]:
    return {
        "partial_recognised": measure.partial_recognised(answer.status, answer.uncovered),
        "partial_part_named": measure.partial_part_named(answer.status, answer.uncovered, case.left_open),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The metrics of a run's rows: `metrics`, `groups` and `confusion`."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["style"] if row["group"] == "answerable" else row["group"], []).append(row)
    for row in rows:
        if row["group"] == "attack":
            groups.setdefault(f"attack:{row['style']}", []).append(row)
    judged = [(row["group"], row["status"]) for row in rows if row["group"] in JUDGED]
    kinds = [group for group in GROUPS if any(group == kind for kind, _ in judged)]
    return {
        "metrics": metrics(rows),
        "groups": {name: metrics(members) for name, members in groups.items()},
        "confusion": measure.confusion(judged, kinds, STATUSES),
    }


def metrics(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each metric that applies to these rows: value, 95% interval and the number of rows it is over."""
    found = {}
    for name in TITLES:
        taken = LATENCY if name in PERCENTILES else name
        values = [row["measures"][taken] for row in rows if taken in row["measures"]]
        if not values:
            continue
        of: Callable[[Sequence[float]], float] = mean
        if name in PERCENTILES:
            of = partial(measure.percentile, share=PERCENTILES[name])
            low, high = bootstrap_interval(values, of, seed=SEED)
        else:
            low, high = mean_interval(values, seed=SEED)
        found[name] = {"value": round(of(values), 6), "low": round(low, 6), "high": round(high, 6), "n": len(values)}
    return found


def run(tutor: Tutor, marking: Marking, cases: Sequence[Case], model: str, report: Report) -> dict[str, Any]:
    """A run without its circumstances: how long it took, the metrics, the rows.

    Raises:
        QuestionError: there is no model of this name, or a question cannot be used.
    """
    started = time.perf_counter()
    rows = ask_all(tutor, marking, cases, model, report)
    seconds = round(time.perf_counter() - started, 1)
    answered = {"kind": "run", "model": answered_by(rows, model), "seed": SEED, "seconds": seconds}
    return {**answered, **summary(rows), "rows": rows}


def answered_by(rows: Sequence[dict[str, Any]], model: str) -> str:
    """Who wrote the answers: the name of most rows with sentences that were not quoted instead of written.

    Args:
        model: the name that was asked for, which stands where nothing was written; it may be `auto`.
    """
    wrote = Counter(row["model"] for row in rows if row["claims"] and row["model"] != QUOTE)
    return str(wrote.most_common(1)[0][0]) if wrote else model
