"""What a run of the suite puts to the tutor: the gold questions and four sets made for it.

Partial questions are an answerable and an open question of the gold set joined; `gold/consistency.jsonl` holds
questions of the guides in five wordings none of which the index knows; `gold/attacks.jsonl` what an attacker types.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from eval import gold
from eval.gold import GoldQuestion, OpenQuestion, of_split, read_rows, split_of
from rag.errors import UsageError
from rag.types import Turn

Group = Literal["answerable", "near_miss", "off_topic", "partial", "consistency", "attack"]
GROUPS: tuple[Group, ...] = ("answerable", "near_miss", "off_topic", "partial", "consistency", "attack")
JUDGED = GROUPS[:4]
"""The groups whose status can be right or wrong."""
CONSISTENCY = "consistency.jsonl"
ATTACKS = "attacks.jsonl"
ATTACK_FIELDS = ("id", "kind", "question")


@dataclass(frozen=True, slots=True)
class Case:
    """One question of a run and what is known about it.

    `expected` is the status an answer should have, empty where none is right or wrong; `wordings` are further ways
    of putting the same question; `left_open` is the part of a partial question that the guides do not answer.
    """

    id: str
    group: Group
    style: str
    question: str
    expected: str = ""
    relevant: tuple[str, ...] = ()
    history: tuple[Turn, ...] = ()
    wordings: tuple[str, ...] = ()
    left_open: str = ""


def checked_split(split: str) -> str:
    """The name of a half of the gold questions, or `all`.

    Raises:
        UsageError: there is no such half.
    """
    if split not in {"tune", "test", "all"}:
        raise UsageError(f"There is no split {split!r}.", "Use tune, test or all.")
    return split


def check_entries(named: Iterable[str], known: Iterable[str]) -> None:
    """Makes sure that every entry the questions name is in the index.

    Raises:
        UsageError: one is not.
    """
    if unknown := sorted(set(named) - set(known)):
        raise UsageError(f"There is no entry {unknown[0]}.", "Name entries of the index in `relevant`.")


def project_cases(split: str) -> list[Case]:
    """Everything the project's own files hold for one half of the gold questions, or for `all`."""
    asked = of_split(gold.questions(), split)
    left_open = of_split(gold.open_questions(), split)
    return [
        *answerable(asked),
        *(_open(item) for item in left_open),
        *partial(asked, left_open),
        *consistency(gold.FOLDER / CONSISTENCY, split),
        *attacks(gold.FOLDER / ATTACKS),
    ]


def answerable(asked: Sequence[GoldQuestion]) -> list[Case]:
    """Questions the guides answer."""
    return [Case(item.id, "answerable", item.style, item.question, "answered", item.relevant) for item in asked]


def _open(item: OpenQuestion) -> Case:
    group: Group = "near_miss" if item.kind == "near_miss" else "off_topic"
    return Case(item.id, group, item.kind, item.question, "not_covered")


def partial(asked: Sequence[GoldQuestion], left_open: Sequence[OpenQuestion]) -> list[Case]:
    """One question for each open one: an answerable one joined to it, in turn before and after it."""
    found = []
    for number, item in enumerate(left_open[: len(asked)]):
        other = asked[number * len(asked) // len(left_open)] if len(left_open) <= len(asked) else asked[number]
        parts = [other.question, item.question] if number % 2 == 0 else [item.question, other.question]
        text = " ".join(part.strip().rstrip(" ?!.") + "?" for part in parts)
        style = f"{item.kind} last" if number % 2 == 0 else f"{item.kind} first"
        found.append(
            Case(f"{other.id}+{item.id}", "partial", style, text, "partial", other.relevant, left_open=item.question)
        )
    return found


def consistency(path: Path, split: str) -> list[Case]:
    """Questions of the guides in several wordings, those whose entry belongs to the half.

    Raises:
        UsageError: a row lacks a field.
    """
    found = []
    for number, row in enumerate(read_rows(path), 1):
        wordings = row.get("questions")
        if not isinstance(wordings, list) or len(wordings) < 2 or not _texts(row, "id", "entry", wordings=wordings):
            raise _fault(path, number, '{"id": "C01", "entry": "SCN-14", "questions": ["…", "…"]}')
        if split in {"all", split_of(row["entry"])}:
            case = Case(row["id"], "consistency", "wordings", wordings[0], relevant=(row["entry"],))
            found.append(replace(case, wordings=tuple(wordings[1:])))
    return found


def attacks(path: Path) -> list[Case]:
    """What an attacker types, with the conversation before it.

    Raises:
        UsageError: a row lacks a field.
    """
    found = []
    for number, row in enumerate(read_rows(path), 1):
        turns = row.get("turns", [])
        fine = isinstance(turns, list) and all(
            isinstance(turn, dict) and _texts(turn, "role", "text") for turn in turns
        )
        if not fine or not _texts(row, "id", "kind", "question"):
            raise _fault(path, number, '{"id": "A001", "kind": "link", "question": "…"}')
        history = tuple(Turn(turn["role"], turn["text"]) for turn in turns)
        found.append(Case(row["id"], "attack", row["kind"], row["question"], history=history))
    return found


def _texts(row: dict[str, Any], *names: str, wordings: Sequence[Any] = ()) -> bool:
    return all(isinstance(row.get(name), str) for name in names) and all(isinstance(text, str) for text in wordings)


def _fault(path: Path, number: int, form: str) -> UsageError:
    return UsageError(f"Row {number} of {path} lacks a field.", f"The form is {form}.")


def sampled(cases: Sequence[Case], limit: int) -> list[Case]:
    """At most `limit` cases of each group, spread evenly over it."""
    found: list[Case] = []
    for group in GROUPS:
        members = [case for case in cases if case.group == group]
        step = max(1, -(-len(members) // limit))
        found += members[::step]
    return found
