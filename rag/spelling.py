"""Mistyped words of a question put right with the vocabulary of what is indexed (symspellpy).

A word that English, the guides or the user's documents know is never touched, and a correction is
always a word of the guides or documents: any other would not help to find anything in them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from rag.errors import IndexUnavailable

FILE = "words.json"
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
SHORTEST = 4
"""Shorter words are too often abbreviations, and too near to one another."""
ONE_EDIT_UP_TO = 8
"""Longer words may be two edits away from a word of the guides, others one."""
PREFIX = 7


class Speller:
    """Corrects spelling towards the words of a set of texts. Safe to share between threads.

    Args:
        counts: how often each lower-case word occurs in the texts.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        from symspellpy import SymSpell

        self._counts = counts
        self._speller = SymSpell(max_dictionary_edit_distance=2, prefix_length=PREFIX)
        for word, count in self._counts.items():
            if len(word) >= SHORTEST:
                self._speller.create_dictionary_entry(word, count)

    @classmethod
    def load(cls, folder: Path) -> "Speller":
        """Reads what `save_words` wrote.

        Raises:
            IndexUnavailable: the file is missing or damaged.
        """
        try:
            return cls(json.loads((folder / FILE).read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise IndexUnavailable(
                f"The word list in {folder} cannot be read ({error}).", "Run `tutor index --rebuild`."
            ) from error

    def correct(self, question: str) -> str:
        """The question with its mistyped words replaced; everything else stays as it is."""
        return WORD.sub(lambda match: self._word(match.group()), question)

    def _word(self, word: str) -> str:
        lower = word.lower()
        if len(lower) < SHORTEST or "'" in word or not (word.islower() or word.istitle()):
            return word
        return word if lower in self._counts or known(lower) else self._nearest(lower) or word

    def _nearest(self, word: str) -> str:
        """The word of the guides that was most likely meant, or an empty string."""
        from symspellpy import Verbosity

        edits = 1 if len(word) <= ONE_EDIT_UP_TO else 2
        found = self._speller.lookup(word, Verbosity.ALL, max_edit_distance=edits)
        if len(word) == SHORTEST:
            # So short a word has neighbours everywhere; only lost or swapped letters are believed.
            found = [item for item in found if _dropped_letters(word, item.term) or sorted(word) == sorted(item.term)]
        # A dropped letter is the commonest slip, and the first letter is seldom wrong.
        found.sort(
            key=lambda item: (
                item.distance,
                item.term[0] != word[0],
                not _dropped_letters(word, item.term),
                -item.count,
                item.term,
            )
        )
        return str(found[0].term) if found else ""


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often each lower-case word occurs."""
    return Counter(word for text in texts for word in re.findall(r"[a-z]+", text.lower()))


def save_words(folder: Path, counts: Mapping[str, int]) -> None:
    """Writes the words into a folder, for `Speller.load`."""
    (folder / FILE).write_text(json.dumps(counts), "utf-8")


def _dropped_letters(typed: str, meant: str) -> bool:
    """Whether `typed` is `meant` with letters left out."""
    letters = iter(meant)
    return all(letter in letters for letter in typed)


def known(word: str) -> bool:
    """Whether English knows the word, or its stem without a common ending."""
    words = _english()
    return word in words or any(word.endswith(end) and word[: -len(end)] in words for end in ("s", "es", "ed", "er"))


@lru_cache(maxsize=1)
def _english() -> frozenset[str]:
    path = files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    return frozenset(line.split(" ", 1)[0] for line in path.read_text("utf-8-sig").splitlines())
