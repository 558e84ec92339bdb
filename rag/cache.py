"""Written answers kept on disk (diskcache), so that the same question is not paid for twice."""

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rag.shape import answer_from_dict, answer_to_dict
from rag.types import Answer, Claim

MEGABYTES = 64
FAULTS = (OSError, ValueError, KeyError, TypeError, sqlite3.Error)
"""Whatever is wrong with a cache, the answer can be made again."""


class AnswerCache:
    """Answers by key. Values are JSON, never pickles: a file that somebody changed can at worst be unreadable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: Any = None

    def get(self, key: str) -> Answer | None:
        """The answer kept under a key, or None."""
        try:
            found = self._open().get(key)
            if found is None:
                return None
            values = json.loads(found)
            dropped = tuple(Claim(**{**claim, "sources": tuple(claim["sources"])}) for claim in values["dropped"])
            return answer_from_dict(values["answer"], dropped)
        except FAULTS:
            return None

    def put(self, key: str, answer: Answer) -> None:
        """Keeps an answer; a full or broken disk is no reason to fail."""
        dropped = [asdict(claim) for claim in answer.dropped_claims]
        try:
            self._open().set(key, json.dumps({"answer": answer_to_dict(answer), "dropped": dropped}))
        except FAULTS:
            return

    def close(self) -> None:
        """Closes the files."""
        if self._cache is not None:
            self._cache.close()

    def _open(self) -> Any:
        if self._cache is None:
            from diskcache import Cache, JSONDisk

            self._cache = Cache(str(self._folder), disk=JSONDisk, size_limit=MEGABYTES * 1_000_000)
        return self._cache
