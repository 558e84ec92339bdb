"""The map of the corpus: each entry a point, so that entries of like meaning lie near each other.

t-SNE (van der Maaten and Hinton, 2008) keeps neighbours together and says nothing about distances
between far points. It grows slow with many entries; from `TSNE_LIMIT` on, the first two principal
components take its place. The map of an index version is computed once and kept on disk.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy

from rag.types import Entry, Matrix
from rag.wiring import Library
from ui.browse import DOCUMENTS, NO_TOPIC, entry_vectors, shelf_of

TSNE_LIMIT = 1500
PERPLEXITY = 12
"""About how many neighbours of a point count; from 8 to 30 the guides' map keeps topics together equally well."""
FEWEST = 8
"""Entries below which t-SNE has nothing to do."""
MARGIN = 0.03
"""Room left on each side, as a part of the whole."""
LABEL_WIDTH, LABEL_HEIGHT = 0.26, 0.04
"""The room that a topic's name takes on a phone, as parts of the map's sides."""
LABEL_FROM = 3
"""Points from which a topic's name is written into the map."""


@dataclass(frozen=True, slots=True)
class Place:
    """An entry's place on the map: both coordinates between 0 and 1, `y` upwards."""

    id: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Label:
    """A topic's name and where on the map it is written, both coordinates between 0 and 1."""

    topic: str
    x: float
    y: float


def places_of(library: Library) -> list[Place]:
    """The map of an open library, from the disk when it was computed before."""
    file = library.settings.home / "cache" / "map" / f"{library.folder.name}.json"
    ids = [entry.id for entry in shelf_of(library).entries]
    found = _load(file, ids)
    if found is None:
        points = project(entry_vectors(library))
        found = [
            Place(entry_id, round(float(x), 4), round(float(y), 4))
            for entry_id, (x, y) in zip(ids, points, strict=True)
        ]
        _save(file, found)
    return found


def project(vectors: Matrix) -> Matrix:
    """Unit vectors, shape (entries, dimension), to points, shape (entries, 2), each coordinate between 0 and 1.

    The same vectors give the same points.
    """
    rows = len(vectors)
    start = _principal(vectors)
    spread = float(start[:, 0].std())
    if rows < FEWEST or rows > TSNE_LIMIT or not spread:
        return _framed(start)
    # Importing scikit-learn takes a second, which only the first look at a new map pays.
    from sklearn.manifold import TSNE

    # Small steps away from the components, as scikit-learn's own start makes them.
    tsne = TSNE(n_components=2, perplexity=min(PERPLEXITY, (rows - 1) / 3), init=start / spread * 1e-4)
    return _framed(numpy.asarray(tsne.fit_transform(vectors), dtype=numpy.float32))


def main_topic(entry: Entry) -> str:
    """The class of an entry on the map: its first topic, or that it is a user's document."""
    if entry.origin == "document":
        return DOCUMENTS
    return entry.topics[0] if entry.topics else NO_TOPIC


def labels_of(places: Sequence[Place], topic_of: dict[str, str]) -> list[Label]:
    """The names of topics at the midst of their points, the largest first; one that would cover another is left out."""
    counts = Counter(topic_of.values())
    chosen: list[Label] = []
    for topic, count in counts.most_common():
        if count < LABEL_FROM or topic in {NO_TOPIC, DOCUMENTS}:
            continue
        own = numpy.array([(place.x, place.y) for place in places if topic_of[place.id] == topic])
        label = Label(topic, *_densest(own))
        if not any(_cover(label, other) for other in chosen):
            chosen.append(label)
    return chosen


def _densest(points: Matrix) -> tuple[float, float]:
    """The point that is nearest to the others by the median distance: stragglers don't count."""
    distances = numpy.linalg.norm(points[:, None] - points[None], axis=2)
    x, y = points[int(numpy.argmin(numpy.median(distances, axis=1)))]
    return float(x), float(y)


def _cover(one: Label, other: Label) -> bool:
    return abs(one.x - other.x) < LABEL_WIDTH and abs(one.y - other.y) < LABEL_HEIGHT


def _principal(vectors: Matrix) -> Matrix:
    """The first two principal components, shape (entries, 2)."""
    points = numpy.zeros((len(vectors), 2), dtype=numpy.float32)
    if len(vectors) > 1:
        left, sizes, _ = numpy.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
        count = min(2, len(sizes))
        points[:, :count] = left[:, :count] * sizes[:count]
    return points


def _framed(points: Matrix) -> Matrix:
    """Points moved and stretched into the unit square, with a margin; what is all one value lies in the middle."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = high - low
    unit = numpy.where(span > 0, (points - low) / numpy.where(span > 0, span, 1), 0.5)
    framed: Matrix = (MARGIN + unit * (1 - 2 * MARGIN)).astype(numpy.float32)
    return framed


def _load(file: Path, ids: Sequence[str]) -> list[Place] | None:
    """The kept map; None when there is none, or it is not one of these entries."""
    try:
        rows = json.loads(file.read_text("utf-8"))
        places = [Place(str(entry_id), float(x), float(y)) for entry_id, x, y in rows]
    except (OSError, ValueError, TypeError):
        return None
    return places if [place.id for place in places] == list(ids) else None


def _save(file: Path, places: Sequence[Place]) -> None:
    """Keeps the map in one step, and this one only; where it cannot be written it is computed again."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump([(place.id, place.x, place.y) for place in places], stream)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        for other in file.parent.glob("*.json"):
            if other.name != file.name:
                other.unlink(missing_ok=True)
