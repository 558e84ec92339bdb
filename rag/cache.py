"""Written answers kept on disk (diskcache), so that the same question is not paid for twice."""

import json
import sqlite3
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rag.shape import answer_from_dict, answer_to_dict
from rag.types import Answer, Claim

MEGABYTES = 64
FAULTS = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, zlib.error, sqlite3.Error)
"""What a damaged or changed file can lead to."""
LOCKED_SECONDS = 1.0
"""How long another process may hold the database before the answer is made without it."""


class AnswerCache:
    """Answers by key, as JSON: a pickle in the file is not opened.

    An answer that was changed on the disk and still has its shape is given back as it stands there, so
    whoever shows one checks its claims again (`rag.verdict.checked_anew`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: Any = None

    def get(self, key: str) -> Answer | None:
        """The answer kept under a key; None when there is none or it cannot be read."""
        try:
            found = self._open().get(key)
            if found is None:
                return None
            values = json.loads(found)
            dropped = tuple(Claim(**{**claim, "sources": tuple(claim["sources"])}) for claim in values["dropped"])
            answer = answer_from_dict(values["answer"], dropped)
            return answer if _is_text(answer) else None
        except _faults():
            return None

    def put(self, key: str, answer: Answer) -> None:
        """Keeps an answer; a full or broken disk is no reason to fail."""
        dropped = [asdict(claim) for claim in answer.dropped_claims]
        try:
            self._open().set(key, json.dumps({"answer": answer_to_dict(answer), "dropped": dropped}))
        except _faults():
            return

    def close(self) -> None:
        """Closes the files."""
        if self._cache is not None:
            self._cache.close()

    def _open(self) -> Any:
        if self._cache is None:
            from diskcache import Cache, JSONDisk, core

            class Plain(JSONDisk):  # type: ignore[misc]
                """Reads only what it writes: bytes. The library would load a row that says it is a pickle."""

                def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
                    if mode not in {core.MODE_RAW, core.MODE_BINARY}:
                        raise ValueError(f"A row of the kind {mode} is not a kept answer.")
                    return super().fetch(mode, filename, value, read)

            limit = MEGABYTES * 1_000_000
            self._cache = Cache(str(self._folder), timeout=LOCKED_SECONDS, disk=Plain, size_limit=limit)
        return self._cache


def _faults() -> tuple[type[Exception], ...]:
    """Whatever is wrong with a cache, the answer can be made again."""
    from diskcache import Timeout

    return (*FAULTS, Timeout)


def _is_text(answer: Answer) -> bool:
    claims = (*answer.claims, *answer.quoted, *answer.dropped_claims)
    return all(isinstance(part, str) for claim in claims for part in (claim.text, claim.quote, *claim.sources))
