"""Does an entry say what a claim says? Rules first, then many weak signals weighed together.

The claim is laid beside the sentences nearest to it. A rule that it breaks (`rag.rules.broken`) ends the
matter, and so does being a part of one sentence. What is left is decided by small decision trees over
nearness of meaning, words the source lacks, and the signals of `rag.rules`; see `rag.trees`. Where a model
of entailment is configured, it judges as well: the lower of both counts, so that both must agree. The trees
stay because they know of units, negation and names what such a model may miss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy
from numpy.typing import NDArray

from rag.rules import Compared, Signals, broken, rising, signals, unsaid_signals
from rag.trees import learnt
from rag.types import Embedder, Entry, EntrySource, Matrix, Sentence, Vector
from rag.wording import Text, Word, opposites, restates

SUPPORTED = 0.5
"""The least support of a claim that may be shown."""
RESTATED = 0.95
"""The support of a claim that only leaves something out of one sentence."""
KEPT_ENTRIES = 128
KEPT_CLAIMS = 32
"""Claims whose signals are remembered: one that fails is asked about twice."""
KEPT_WORDS = 8192
"""Words whose vectors are remembered; all are forgotten when there are more."""
RECALL_BONUS = 0.5
"""The carrying sentence has the best cosine plus this much of the claim's weight in it."""
MORE_SENTENCES = 2
LEAST_GAIN = 0.08
"""A further sentence belongs to the source when it says this share of the claim that the others lack."""
NEIGHBOUR = 1.3
"""How much more a sentence counts that stands beside one already chosen."""
NEAREST = 3
"""Sentences whose words the claim's words are compared with."""
COVERED = 0.6
"""The cosine from which two single words count as meaning the same."""

Entails = Callable[[str, str], float]
"""The probability that the second text, a sentence, follows from the first, a passage."""


@dataclass(frozen=True)
class Source:
    """An entry as claims are held against it: sentences, their vectors, and all its texts read."""

    sentences: Sequence[Sentence]
    vectors: Matrix
    texts: Sequence[Text]
    whole: Text


class SentenceSupport:
    """A `SupportChecker` over the sentences of the cited entry. Safe to share between threads.

    Args:
        entails: the probability that a sentence follows from a passage, from a model made for that; it can only
            lower what the trees say.
    """

    def __init__(self, embedder: Embedder, entries: EntrySource, entails: Entails | None = None) -> None:
        self._entails = entails
        self._embedder = embedder
        self._entries = entries
        self._source = lru_cache(maxsize=KEPT_ENTRIES)(self._read)
        self._signals = lru_cache(maxsize=KEPT_CLAIMS)(self._compare)
        self._words: dict[str, Vector] = {}

    def support(self, claim: str, entry_id: str) -> tuple[float, str]:
        """(support in 0..1, the sentence that carries the claim); 0 when a rule is broken.

        Raises:
            WeightsError: the model of entailment cannot be loaded.
        """
        source = self._source(entry_id)
        if not source.sentences:
            return 0.0, ""
        for sentence in source.sentences:
            if _bare(sentence.text) == _bare(claim):
                return 1.0, sentence.quote
        values, chosen = self.signals(claim, entry_id)
        support = decided(values)
        if support is None:
            support = learnt().trees.support(values)
            if self._entails:
                # In this order: of a model that says "not a number" nothing is supported.
                support = min(self._entailed(self._entails, claim, source, chosen), support)
        return support, source.sentences[chosen[0]].quote

    def nearest(self, claim: str, entry_id: str) -> tuple[float, Sequence[Sentence]]:
        """The sentences that a claim draws on, best first, and the cosine of the best with the claim."""
        source = self._source(entry_id)
        if not source.sentences:
            return 0.0, ()
        values, chosen = self.signals(claim, entry_id)
        return values["cosine_best"], [source.sentences[row] for row in chosen]

    def signals(self, claim: str, entry_id: str) -> tuple[Signals, list[int]]:
        """Every signal about a claim, and the rows of the entry's sentences that it draws on, best first."""
        return self._signals(claim, entry_id)

    def _entailed(self, entails: Entails, claim: str, source: Source, chosen: Sequence[int]) -> float:
        """What the model makes of the sentences a claim draws on, in reading order."""
        return entails(" ".join(source.sentences[row].text for row in sorted(chosen)), claim)

    def _compare(self, claim: str, entry_id: str) -> tuple[Signals, list[int]]:
        source = self._source(entry_id)
        text = Text(" ".join(claim.split()))
        weigh = learnt().weigh
        weight = {word.stem: weigh(word.stem) for word in text.content}
        vector = self._embedder.embed([claim])[0]
        cosines = source.vectors @ vector
        chosen = _carrying(weight, source, cosines)
        best = chosen[0]
        near = sorted({*chosen, *(i for i in (best - 1, best + 1) if 0 <= i < len(source.texts))})
        context, around = ([source.texts[i] for i in rows] for rows in (sorted(chosen), near))
        compared = Compared(text, source.texts[best], context, around, source.whole)
        values = {
            **_nearness(source, vector, cosines, chosen),
            **unsaid_signals(compared, weigh),
            **self._meanings(compared, [source.texts[i] for i in numpy.argsort(-cosines)[:NEAREST]]),
            **signals(compared, weight),
            "restated": float(restates(text, compared.best)),
        }
        return values, chosen

    def _read(self, entry_id: str) -> Source:
        sentences, vectors = self._entries.sentences(entry_id)
        texts = [Text(sentence.text) for sentence in sentences]
        return Source(sentences, vectors, texts, Text(said(self._entries.entry(entry_id))))

    def _meanings(self, found: Compared, nearest: Sequence[Text]) -> Signals:
        """How near each word of the claim is to a word of the source by itself, and the other way round."""
        own = _telling(found.claim)
        theirs = [word for text in nearest for word in _telling(text)]
        if not own or not theirs:
            return dict.fromkeys(WORD_SIGNALS, 0.0)
        weigh = learnt().weigh
        cosines = self._vectors(own) @ self._vectors(theirs).T
        cosines[numpy.array([[one.stem == two.stem for two in theirs] for one in own])] = 1.0
        return _word_signals(
            cosines.astype(numpy.float64),
            numpy.array([weigh(word.stem) for word in own]),
            numpy.array([weigh(word.stem) for word in theirs]),
            len(_telling(nearest[0])),
        )

    def _vectors(self, words: Sequence[Word]) -> Matrix:
        wanted = [word.text for word in words]
        missing = sorted(set(wanted) - self._words.keys())
        found = dict(zip(missing, self._embedder.embed(missing), strict=True)) if missing else {}
        have = {**self._words, **found}
        self._words = found if len(have) > KEPT_WORDS else have
        return numpy.stack([have[word] for word in wanted])


def decided(values: Signals) -> float | None:
    """The support that the rules give a claim; None when they leave it to the trees."""
    if broken(values):
        return 0.0
    return RESTATED if values["restated"] else None


def said(entry: Entry) -> str:
    """Everything an entry says, its title and questions included."""
    follow_ups = [part for item in entry.follow_ups for part in (item.question, item.answer)]
    return " \n ".join([entry.title, entry.question, entry.answer, *entry.key_points, *follow_ups, entry.caveat or ""])


def _bare(text: str) -> str:
    return " ".join(text.replace("`", "").replace("*", "").casefold().split()).rstrip(".:;")


def _telling(text: Text) -> list[Word]:
    return [word for word in text.words if word.content or word.stem in opposites()]


def _carrying(weight: Mapping[str, float], source: Source, cosines: Vector) -> list[int]:
    """The sentences a claim draws on, the one that carries it best first."""
    total = sum(weight.values()) + 1e-9
    recall = [sum(weight[stem] for stem in weight if stem in text.stems) / total for text in source.texts]
    chosen = [int(numpy.argmax(cosines + RECALL_BONUS * numpy.array(recall)))]
    have = source.texts[chosen[0]].stems
    for _ in range(MORE_SENTENCES):
        gains = [
            sum(weight[stem] for stem in weight if stem in text.stems and stem not in have) / total
            for text in source.texts
        ]
        worth = [
            -1.0
            if i in chosen
            else gain * (NEIGHBOUR if any(abs(i - k) == 1 for k in chosen) else 1) + 0.15 * cosines[i]
            for i, gain in enumerate(gains)
        ]
        further = int(numpy.argmax(worth))
        if gains[further] < LEAST_GAIN:
            break
        chosen.append(further)
        have = have | source.texts[further].stems
    return chosen


def _nearness(source: Source, vector: Vector, cosines: Vector, chosen: Sequence[int]) -> Signals:
    """Cosines of the claim with single sentences, with runs of two or three, and with its source."""

    def joint(rows: Matrix) -> float:
        together = rows.sum(axis=0)
        return float(together @ vector / numpy.linalg.norm(together))

    count = len(source.vectors)
    runs = [joint(source.vectors[i : i + size]) for size in (2, 3) for i in range(count - size + 1)]
    return {
        "cosine": float(cosines.max()),
        "cosine_best": float(cosines[chosen[0]]),
        "cosine_source": joint(source.vectors[list(chosen)]),
        "cosine_run": max([float(cosines[chosen[0]]), *runs]),
        "cosine_five": float(numpy.sort(cosines)[-5:].mean()),
    }


WORD_SIGNALS = (
    "word", "word_missing", "word_1", "word_2", "word_3", "word_5", "word_gap", "word_gap_share", "word_best",
    "word_row", "word_back", "word_back_2", "word_swapped", "word_swapped_mean", "word_disorder", "word_covered",
)  # fmt: skip


def _word_signals(
    cosines: NDArray[numpy.float64], own: NDArray[numpy.float64], theirs: NDArray[numpy.float64], in_best: int
) -> Signals:
    """The signals of word against word.

    Args:
        cosines: of the claim's words (rows) with the source's, 1 for one stem; the first `in_best` columns
            are those of the nearest sentence.
        own: the weight of each row.
        theirs: the weight of each column.
    """
    nearest, in_nearest, back = cosines.max(1), cosines[:, :in_best].max(1), cosines[:, :in_best].max(0)
    missing, gaps, lowest = nearest < 1.0, (1 - nearest) * own, numpy.sort(nearest)
    rows = [0.0]
    for gap, is_missing in zip(gaps.tolist(), missing.tolist(), strict=True):
        rows.append(rows[-1] + gap if is_missing else 0.0)
    changed = cosines[numpy.ix_(in_nearest < 1.0, numpy.flatnonzero(back < 1.0))]
    alone = float((in_nearest == 1.0).all())
    places = cosines.argmax(1)[nearest > 0.5].tolist()
    found = (
        float((nearest * own).sum() / own.sum()),
        float((nearest * own)[missing].sum() / own[missing].sum()) if missing.any() else 1.0,
        *(float(lowest[:count].mean()) for count in (1, 2, 3, 5)),
        float(gaps.sum()),
        float(gaps.sum() / own.sum()),
        float((in_nearest * own).sum() / own.sum()),
        max(rows),
        float((back * theirs[:in_best]).sum() / theirs[:in_best].sum()),
        float(numpy.sort(back)[:2].mean()),
        float(changed.max()) if changed.size else alone,
        float(changed.max(1).mean()) if changed.size else alone,
        1 - rising(places) / max(1, len(places)),
        float((own * (nearest > COVERED)).sum() / own.sum()),
    )
    return dict(zip(WORD_SIGNALS, found, strict=True))
