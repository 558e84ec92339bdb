"""What a user's file may cost, and how a file is refused."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one call: how many files, how large, and what parsing one of them may take."""

    files: int = 1000
    file_bytes: int = 50_000_000
    pages: int = 2000
    seconds: float = 60.0
    memory_bytes: int = 1_000_000_000
    inflated_bytes: int = 200_000_000
    depth: int = 50


class Refused(Exception):
    """A file that cannot be taken; the text is the reason, one line."""


def size(count: int) -> str:
    """A number of bytes as people write it."""
    return f"{count / 1_000_000:.0f} MB" if count >= 1_000_000 else f"{max(1, count // 1000)} kB"
