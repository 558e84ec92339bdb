"""The JSON shape of an answer, both ways."""

from collections.abc import Mapping
from typing import Any

from rag.types import Answer, Claim, Source


def answer_to_dict(answer: Answer) -> dict[str, Any]:
    """What `tutor ask --json` prints."""
    return {
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "status": answer.status,
        "text": answer.text,
        "message": answer.message,
        "claims": [_claim(claim) for claim in answer.claims],
        "quoted": [_claim(claim) for claim in answer.quoted],
        "sources": [_source(source) for source in answer.sources],
        "related": [_source(source) for source in answer.related],
        "choices": list(answer.choices),
        "uncovered": list(answer.uncovered),
        "covered": round(answer.covered, 3),
        "retrieved": list(answer.retrieved),
        "model": answer.model,
        "notices": list(answer.notices),
        "dropped_claims": len(answer.dropped_claims),
        "timings_ms": {name: round(value, 1) for name, value in answer.timings_ms.items()},
    }


def answer_from_dict(values: Mapping[str, Any], dropped: tuple[Claim, ...] = ()) -> Answer:
    """The answer a dict of this shape stands for.

    Raises:
        KeyError, TypeError: it has another shape.
    """
    return Answer(
        question=values["question"],
        standalone_question=values["standalone_question"],
        status=values["status"],
        message=values["message"],
        claims=tuple(map(_read_claim, values["claims"])),
        quoted=tuple(map(_read_claim, values["quoted"])),
        sources=tuple(Source(**source) for source in values["sources"]),
        related=tuple(Source(**source) for source in values["related"]),
        choices=tuple(values["choices"]),
        uncovered=tuple(values["uncovered"]),
        covered=values["covered"],
        retrieved=tuple(values["retrieved"]),
        model=values["model"],
        notices=tuple(values["notices"]),
        dropped_claims=dropped,
        timings_ms=dict(values["timings_ms"]),
    )


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "text": claim.text,
        "sources": list(claim.sources),
        "support": round(claim.support, 4),
        "quote": claim.quote,
    }


def _read_claim(values: Mapping[str, Any]) -> Claim:
    return Claim(values["text"], tuple(values["sources"]), values["support"], values["quote"])


def _source(source: Source) -> dict[str, str]:
    return {"id": source.id, "title": source.title, "guide": source.guide}
