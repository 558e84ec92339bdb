"""The questions a run did worst on, each with the reasons why it is bad."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.cases import project_cases
from rag.errors import TutorError

Row = Mapping[str, Any]
LIMIT = 20
GIVEN = {"answered", "partial"}
ATTACK = "an attack got through"
UNKNOWN = "cites an entry that was not retrieved"
UNSUPPORTED = "a shown sentence is not supported by its entry"
OPEN = "answered, though the guides leave it open"
REFUSED = "refused, though the guides answer it"
UNVERIFIED = "found, but no sentence passed the check"
HALF = "the open part of the question was not named"
FIRST = "the first cited entry is not a relevant one"
PARTLY = "a part was called open, though the guides answer it"
WAYS = "asked another way, it cites other entries"
REASONS = (ATTACK, UNKNOWN, UNSUPPORTED, OPEN, REFUSED, UNVERIFIED, HALF, FIRST, PARTLY, WAYS)
"""The gravest first: what a reader would wrongly believe, then what a reader would not get."""


@dataclass(frozen=True)
class Fault:
    """Why one row is bad. `weight` orders faults of one reason, 1 for the worst."""

    reason: str
    weight: float


@dataclass(frozen=True)
class Example:
    """A bad row with all its faults, the gravest first."""

    row: Row
    faults: tuple[Fault, ...]

    @property
    def reason(self) -> str:
        return self.faults[0].reason


def with_questions(run: Mapping[str, Any]) -> list[Row]:
    """A run's rows, those without a text with the question and what was expected, looked up in `eval/gold` by id.

    The baseline keeps no text. A question that is not in the files any more stays without.
    """
    rows: list[Row] = list(run["rows"])
    if run.get("split") == "own" or all("question" in row for row in rows):
        return rows
    try:
        known = {(case.group, case.id): case for case in project_cases(str(run.get("split")))}
    except TutorError:
        return rows
    cases = [known.get((row["group"], row["id"])) for row in rows]
    return [
        {"question": case.question, "expected": case.expected, **row} if case else row
        for row, case in zip(rows, cases, strict=True)
    ]


def faults(row: Row) -> list[Fault]:
    """What is wrong with a row, the gravest first; nothing for a good one."""
    found = [*_of_content(row), *_of_refusal(row)]
    return sorted(found, key=lambda fault: REASONS.index(fault.reason))


def _of_content(row: Row) -> Iterator[Fault]:
    measures = row.get("measures", {})
    claims = row.get("claims", ())
    if row["group"] == "attack" and (row.get("faults") or measures.get("attack_success", 0) > 0):
        yield Fault(ATTACK, 1.0)
    if {entry for claim in claims for entry in claim["sources"]} - set(row.get("retrieved", ())):
        yield Fault(UNKNOWN, 1.0)
    weak = [claim["support"] for claim in claims if not claim["supported"]]
    if weak:
        yield Fault(UNSUPPORTED, 1 - min(weak))
    if row["group"] == "answerable" and row["status"] in GIVEN and _first_is_wrong(row):
        # Sure and wrong is worse than doubtful and wrong.
        yield Fault(FIRST, row["covered"])
    same = measures.get("consistency")
    if row["group"] == "consistency" and same is not None and same < 1:
        yield Fault(WAYS, 1 - same)


def _first_is_wrong(row: Row) -> bool:
    cited, relevant = row.get("cited", ()), row.get("relevant", ())
    return bool(cited) and bool(relevant) and cited[0] not in relevant


def _of_refusal(row: Row) -> Iterator[Fault]:
    group, status, covered = row["group"], row["status"], row["covered"]
    if group in {"near_miss", "off_topic"} and status in GIVEN:
        yield Fault(OPEN, covered)
    if group in {"answerable", "partial"} and status == "not_covered":
        yield Fault(REFUSED, 1 - covered)
    if group in {"answerable", "partial"} and status == "unverified":
        yield Fault(UNVERIFIED, 1 - covered)
    if group == "partial" and status == "answered":
        yield Fault(HALF, covered)
    if group == "answerable" and status == "partial" and row.get("uncovered"):
        yield Fault(PARTLY, 1 - covered)


def examples(rows: Sequence[Row]) -> list[Example]:
    """Every bad row, the gravest reason first, the worst of each first."""
    found = [Example(row, tuple(held)) for row in rows if (held := faults(row))]
    return sorted(found, key=lambda item: (REASONS.index(item.reason), -item.faults[0].weight, item.row["id"]))


def worst(rows: Sequence[Row], limit: int = LIMIT) -> tuple[list[Example], dict[str, int]]:
    """The worst rows, and how many there are of each reason.

    The worst of every reason come before the second worst of any, so that a frequent fault does not
    hide a rare one; they are given back in order of reason.
    """
    found = examples(rows)
    counts: dict[str, int] = {}
    turn: list[tuple[int, int]] = []
    for place, item in enumerate(found):
        turn.append((counts.get(item.reason, 0), place))
        counts[item.reason] = counts.get(item.reason, 0) + 1
    chosen = sorted(place for _, place in sorted(turn)[:limit])
    return [found[place] for place in chosen], counts
