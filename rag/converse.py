"""From the last turn and its history to a question that stands alone, without a language model."""

import re
from collections.abc import Sequence

from rag.types import Turn

REFERS_BACK = re.compile(
    r"\b(it|its|this|that|these|those|they|them|their|one|ones|same|such|former|latter|both|either|neither|"
    r"else|instead|another|other|others|there|then|more|again)\b",
    re.IGNORECASE,
)
OPENS_LIKE_A_FOLLOW_UP = re.compile(
    r"^(and|but|so|or|why|how so|how come|ok|okay|also|what about|how about|what if|which|then|really|yes|no|"
    r"for example|example|e\.g\.|can you|could you|tell me more|go on|explain)\b",
    re.IGNORECASE,
)
SHORT = 7
"""Up to this many words a question may hang on the one before it."""


def standalone_question(question: str, history: Sequence[Turn]) -> str:
    """The question as it is to be understood.

    A turn that refers back, or is too short to stand alone and opens like a follow-up, is joined to
    the last question that did stand alone.
    """
    asked = [turn.text for turn in history if turn.role == "user"]
    if not asked or not hangs(question):
        return question
    subject = next((text for text in reversed(asked) if not hangs(text)), asked[0])
    return f"{subject.rstrip(' ?.!')}: {question}"


def hangs(question: str) -> bool:
    """Whether a question needs an earlier one to be understood."""
    words = question.split()
    opens = bool(OPENS_LIKE_A_FOLLOW_UP.match(question.strip()))
    refers = bool(REFERS_BACK.search(question))
    return len(words) <= 3 or (opens and (refers or len(words) <= SHORT)) or (refers and len(words) <= 2 * SHORT)
