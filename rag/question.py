"""What a user types, checked before anything is done with it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from rag.errors import QuestionError
from rag.types import Turn

BROKEN = {"Cc", "Cs"}
"""Control characters and halves of characters."""


def clean_question(question: str, limit: int) -> str:
    """The question with white space folded.

    Raises:
        QuestionError: it is empty, too long, or not text.
    """
    folded = _text(question, limit, "The question")
    if not any(letter.isalnum() for letter in folded):
        raise QuestionError("The question is empty.", 'Ask something, for example: tutor ask "What is data drift?"')
    return folded


def clean_turns(history: Sequence[Turn], limit: int, turns: int) -> list[Turn]:
    """The last `turns` turns, the user's own checked like a question, replies cut and without what is no text.

    Raises:
        QuestionError: an earlier question is too long or not text.
    """
    recent = history[-turns:] if turns else ()
    return [replace(turn, text=_said(turn, limit)) for turn in recent]


def _said(turn: Turn, limit: int) -> str:
    if turn.role == "user":
        return _text(turn.text, limit, "An earlier turn")
    # A reply is not the user's doing: what cannot be used of it is left out instead of refused.
    letters = turn.text[: 4 * limit]
    return " ".join("".join(x for x in letters if x.isspace() or unicodedata.category(x) not in BROKEN).split())


def _text(text: str, limit: int, what: str) -> str:
    """A user's text with white space folded; refused when it is too long or not text."""
    if any(unicodedata.category(letter) in BROKEN and letter not in "\n\r\t" for letter in text):
        raise QuestionError(
            f"{what} contains control characters or bytes that are not text.", "Type it as plain text (UTF-8)."
        )
    folded = " ".join(text.split())
    if len(folded) > limit:
        raise QuestionError(
            f"{what} has {len(folded):,} characters; at most {limit:,} are read.",
            "Shorten it, or raise TUTOR_QUESTION_LIMIT.",
        )
    return folded
