"""Ids that stay: a prefix for each document, a number for each question that no other question gets."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

BUILT_IN = frozenset({
    "SCN", "FND", "BEH", "CON", "COD", "DSN", "LLM", "STR", "PLN", "QNA", "SNP", "REF",
})  # fmt: skip
"""Prefixes of the guides that come with the project."""
SMALL = frozenset({"a", "an", "and", "the", "of", "for", "in", "on", "to", "with", "by", "or", "your", "my"})
LARGEST = 9999
"""A guide's own number beyond this is not a number of a question."""


_Key = tuple[str, list[str]]
"""The key of a question's words, and those of its place, the most exact first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What identifies a question in its document: its own number within its section, and its words."""

    label: str
    number: int | None
    section: str
    question: str


def new_prefix(title: str, file_name: str, taken: Collection[str]) -> str:
    """Three to six capitals from the title, or from the file's name, with a digit when they are taken."""
    stem = file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    wish = _capitals(title) or _capitals(stem) or "DOC"
    used = BUILT_IN | set(taken)
    if wish not in used:
        return wish
    number = 2
    while f"{wish}{number}" in used:
        number += 1
    return f"{wish}{number}"


def _capitals(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = [word for word in re.findall(r"[A-Za-z]+", re.sub(r"'s\b", "", plain)) if word.lower() not in SMALL]
    short = [word for word in words if 3 <= len(word) <= 6 and word.isupper()]
    if short and not all(word.isupper() for word in words):
        return str(short[0])
    if len(words) >= 3:
        return "".join(word[0] for word in words[:6]).upper()
    joined = "".join(word[: 3 if len(words) > 1 else 6] for word in words)[:6].upper()
    return joined if len(joined) >= 3 else ""


def assign(
    asked: Sequence[Asked], numbers: Mapping[str, int], live: Collection[int]
) -> tuple[list[int], dict[str, int]]:
    """The number of each question, and the history to keep for the next version.

    A question whose words are known keeps its number, wherever it stands now. One with new words keeps
    the number of the same place (the guide's own number) if the last version had it there: it was
    edited. Everything else gets a number nobody ever had: its own if that is free, else the next.

    Args:
        numbers: the history: every key a question of this document was ever known by.
        live: the numbers in the last version.
    """
    keys = _keys(asked)
    given: list[int | None] = [None] * len(asked)
    claimed: set[int] = set()

    def claim(index: int, number: int | None) -> None:
        if number is not None and number not in claimed and given[index] is None:
            given[index] = number
            claimed.add(number)

    for index, number in _candidates(asked, keys, numbers, live):
        claim(index, number)
    following = max([0, *numbers.values(), *claimed]) + 1
    result = []
    for number in given:
        if number is None:
            number, following = following, following + 1
        result.append(number)
    history = dict(numbers)
    for number, (words, places) in zip(result, keys, strict=True):
        history |= {words: number, **dict.fromkeys(places, number), f"number {number}": number}
    return result, history


def _candidates(
    asked: Sequence[Asked], keys: Sequence[_Key], numbers: Mapping[str, int], live: Collection[int]
) -> Iterator[tuple[int, int | None]]:
    """Which question may have which number, the best grounds first."""
    for index, (words, places) in enumerate(keys):
        if any(numbers.get(place) == numbers.get(words) for place in places):
            yield index, numbers.get(words)
    yield from ((index, numbers.get(words)) for index, (words, _) in enumerate(keys))
    for index, (_, places) in enumerate(keys):
        yield from ((index, numbers[place]) for place in places if numbers.get(place) in live)
    used = set(numbers.values())
    for index, item in enumerate(asked):
        if item.number is not None and 0 < item.number <= LARGEST and item.number not in used:
            yield index, item.number


def _keys(asked: Sequence[Asked]) -> list[_Key]:
    """For each question the key of its words and those of its place, the most exact first."""
    seen: Counter[str] = Counter()
    result = []
    for item in asked:
        words = f"words {_folded(item.question)}"
        seen[words] += 1
        places = []
        if item.number is not None:
            place = f"{item.label} {item.number}".lower()
            within = f"place {place} in {_folded(item.section)}"
            seen[within] += 1
            seen[place] += 1
            if seen[within] == 1:
                places.append(within)
            if seen[place] == 1:
                places.append(f"place {place}")
        result.append((words if seen[words] == 1 else f"{words} #{seen[words]}", places))
    return result


def _folded(text: str) -> str:
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(words)[:300]
