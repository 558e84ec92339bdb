"""Looking through the entries: search by words, filters, neighbours, and how many there are of what."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy
import yaml

from rag.types import Entry, Matrix
from rag.wiring import Library

TOPICS_FILE = "topics.yaml"
DOCUMENTS = "Your documents"
"""Stands for all user documents where guides are listed."""
NO_TOPIC = "no topic"
LEVELS = ("foundation", "practitioner", "senior")
SHORT = {"llm", "nlp"}
PAIRS = {"privacy-security": "Privacy and security"}
"""Topics whose names are abbreviations."""
NEAR = 6
"""Entries offered as near in meaning."""
SEARCHED = 50
"""Entries asked of the tutor's search before the filters."""
WORD = re.compile(r"\w+")
WEIGHTS = (8, 5, 2, 1)
"""How much a word counts in the title, in the question, in ways of asking and key points, and in the rest."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; an empty field lets everything pass."""

    words: str = ""
    guide: str = ""
    topic: str = ""
    level: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """How many entries of a guide have a topic."""

    topic: str
    guide: str
    count: int


class Shelf:
    """All entries of one index version, in corpus order, made ready for looking through.

    Args:
        entries: in corpus order.
        topics: all topics with what they hold, in the order in which they are listed.
    """

    def __init__(self, entries: Sequence[Entry], topics: dict[str, str]) -> None:
        self.entries = tuple(entries)
        self._by_id = {entry.id: entry for entry in entries}
        self._words = {entry.id: _searched(entry) for entry in entries}
        self.about = topics
        used = {topic for entry in entries for topic in entry.topics}
        # A topic that the list does not name is shown all the same.
        self.topics = (*(topic for topic in topics if topic in used), *sorted(used - set(topics)))
        self.guides = tuple(dict.fromkeys(shelf_mark(entry) for entry in entries if entry.origin == "guide"))
        self.documents = tuple(dict.fromkeys(entry.guide for entry in entries if entry.origin == "document"))
        self.guide_choices = (*self.guides, *([DOCUMENTS, *self.documents] if self.documents else []))
        self.topic_choices = (*self.topics, *([NO_TOPIC] if any(not entry.topics for entry in entries) else []))

    def entry(self, entry_id: str) -> Entry | None:
        """The entry with this id, however it is spelt; None when there is none."""
        return self._by_id.get(entry_id.strip().upper())

    def sieved(self, filters: Filters) -> list[Entry]:
        """The entries that pass guide, topic and level, in corpus order; words are not looked at."""
        return [entry for entry in self.entries if passes(entry, filters)]

    def found(self, filters: Filters) -> list[Entry]:
        """The entries that pass every filter and hold every word, those with the words in their titles first.

        A word is found where one of the entry begins with it.
        """
        wanted = _folded(filters.words).split()
        passed = self.sieved(filters)
        if not wanted:
            return passed
        scored = [(self._score(entry, wanted), entry) for entry in passed]
        return [entry for score, entry in sorted(scored, key=lambda item: -item[0]) if score]

    def around(self, entry_id: str) -> tuple[Entry | None, Entry | None]:
        """The entries before and after one in its own guide or document."""
        own = self._by_id[entry_id].guide
        ids = [entry.id for entry in self.entries if entry.guide == own]
        place = ids.index(entry_id)
        before = ids[place - 1] if place else ""
        after = ids[place + 1] if place + 1 < len(ids) else ""
        return self._by_id.get(before), self._by_id.get(after)

    def cells(self, counted: Sequence[Entry] | None = None) -> list[Cell]:
        """Topics by guides: how many entries have the topic, whether first or not; only what is not zero.

        All documents are one column. Entries without a topic are counted under `NO_TOPIC`.

        Args:
            counted: the entries that count; all of the shelf when it is None.
        """
        entries = self.entries if counted is None else counted
        counts = Counter((topic, shelf_mark(entry)) for entry in entries for topic in (entry.topics or (NO_TOPIC,)))
        columns = (*self.guides, DOCUMENTS)
        return [
            Cell(topic, guide, counts[topic, guide])
            for topic in (*self.topics, NO_TOPIC)
            for guide in columns
            if counts[topic, guide]
        ]

    def _score(self, entry: Entry, wanted: Sequence[str]) -> int:
        """0 unless every word is found; an id as it stands comes before everything else."""
        fields = self._words[entry.id]
        best = [max((weight for weight, text in zip(WEIGHTS, fields, strict=True) if f" {word}" in text), default=0)
                for word in wanted]  # fmt: skip
        if " ".join(wanted) == _folded(entry.id).strip():
            return 1000
        return sum(best) if all(best) else 0


def passes(entry: Entry, filters: Filters) -> bool:
    """Whether an entry is of the guide, the topic and the level that are looked for."""
    return (
        (not filters.guide or filters.guide in {entry.guide, shelf_mark(entry)})
        and (not filters.topic or filters.topic in (entry.topics or (NO_TOPIC,)))
        and (not filters.level or (filters.level == entry.level and entry.origin == "guide"))
    )


def shelf_mark(entry: Entry) -> str:
    """The guide of an entry, all documents being one."""
    return DOCUMENTS if entry.origin == "document" else entry.guide


def byline(entry: Entry) -> str:
    """What an entry is, in one line: guide, topics, level. Nobody gave a level to a user's document."""
    topics = ", ".join(map(topic_label, entry.topics))
    level = entry.level.capitalize() if entry.origin == "guide" else ""
    return " · ".join(part for part in (entry.guide, topics, level) if part)


def topic_label(topic: str) -> str:
    """A topic as people read it: `data-quality` as "Data quality", `llm` as "LLM"."""
    return topic.upper() if topic in SHORT else PAIRS.get(topic, topic.replace("-", " ").capitalize())


def topics_of(corpus: Path) -> dict[str, str]:
    """The topics of a corpus with what they hold, in their order; empty when the list cannot be read."""
    try:
        found = yaml.safe_load((corpus / TOPICS_FILE).read_text("utf-8"))
        return {str(topic): str(about) for topic, about in found.items()}
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return {}


@lru_cache(maxsize=1)
def shelf_of(library: Library) -> Shelf:
    """The entries of an open library; made once an index version."""
    return Shelf(library.store.entries(), topics_of(library.settings.corpus))


@lru_cache(maxsize=1)
def entry_vectors(library: Library) -> Matrix:
    """One vector an entry, shape (entries, dimension), in corpus order.

    Each is the mean of the vectors of the entry's chunks, unit length. Made once an index version.
    """
    means = numpy.stack([library.store.chunk_vectors(entry.id).mean(axis=0) for entry in shelf_of(library).entries])
    unit: Matrix = means / numpy.maximum(numpy.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    return unit


def nearest(library: Library, entry_id: str, count: int, without: Collection[str] = ()) -> list[Entry]:
    """The entries nearest to one in meaning, nearest first."""
    shelf = shelf_of(library)
    ids = [entry.id for entry in shelf.entries]
    ranked = neighbours(ids, entry_vectors(library), entry_id, count + len(without))
    return [entry for near, _ in ranked if near not in without and (entry := shelf.entry(near))][:count]


def near_in_meaning(library: Library, filters: Filters, without: Collection[str], count: int) -> list[Entry]:
    """What the tutor's own search finds for the words among the entries that pass the other filters, best first.

    Raises:
        QuestionError: the words cannot be searched.
    """
    passed = {entry.id: entry for entry in shelf_of(library).sieved(filters) if entry.id not in without}
    hits = library.tutor().search(filters.words, limit=SEARCHED)
    return [passed[hit.entry_id] for hit in hits if hit.entry_id in passed][:count]


def neighbours(ids: Sequence[str], vectors: Matrix, entry_id: str, count: int) -> list[tuple[str, float]]:
    """The entries nearest to one, as (id, cosine), nearest first, without itself.

    Args:
        ids: the entry of each row of `vectors`.
        vectors: unit vectors, shape (entries, dimension).
    """
    own = ids.index(entry_id)
    cosines = vectors @ vectors[own]
    order = [row for row in numpy.argsort(-cosines, kind="stable") if row != own]
    return [(ids[row], float(cosines[row])) for row in order[:count]]


def _folded(text: str) -> str:
    """The words of a text in small letters, each with a blank before it."""
    return "".join(f" {word}" for word in WORD.findall(text.casefold()))


def _searched(entry: Entry) -> tuple[str, ...]:
    """What is searched, by weight."""
    asides = [*entry.also_asked, *entry.key_points, *(follow_up.question for follow_up in entry.follow_ups)]
    rest = [entry.answer, *(follow_up.answer for follow_up in entry.follow_ups), entry.caveat or "", *entry.topics]
    return tuple(map(_folded, (f"{entry.id} {entry.title}", entry.question, " ".join(asides), " ".join(rest))))
