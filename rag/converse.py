"""From the last turn and its history to a question that can be searched, without a language model.

The vector of a turn is added to those of the conversation. A turn that hangs on the turns before it
gets its subject from them; one that does not counts for far more than they do, so that a change of
subject is followed, and what remains of them helps where it hangs unseen. Measured on dialogues and
on questions put into conversations about something else (see eval/LOG.md).
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from rag.clean import clean_sentence, suspicious
from rag.errors import ModelError
from rag.types import ChatModel, Turn, Understood
from rag.written import NO_JSON_CURE, NOT_JSON

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
ASKS_WHAT_SOMETHING_IS = re.compile(
    r"^(what is|what's|whats|what are|define)\s+(?!the\b|a\b|an\b|next\b|wrong\b|better\b)", re.IGNORECASE
)
SHORT = 7
"""Up to this many words a question may hang on the one before it."""
RECENT = 7
"""Turns that say what a conversation is about, the last one included."""
REPLY_WORDS = 30
"""Words taken of each reply: its beginning answers the question, the rest wanders."""
LAST, ASKED, EVERYTHING = 1.5, 1.0, 1.0
"""Weights of the last turn, of all questions together, and of questions and replies together."""
LAST_ALONE = 5.0
"""Weight of a last turn that does not hang on the others."""
ENTRY_ID = re.compile(r"\s*\[[^\]\s]*\]")
PROMPT = Path(__file__).with_name("prompts") / "standalone.md"
SCHEMA = {
    "type": "object",
    "properties": {"question": {"type": "string"}},
    "required": ["question"],
    "additionalProperties": False,
}


def understand(question: str, history: Sequence[Turn]) -> Understood:
    """The question as it is searched, given the turns before it."""
    recent = [*history[-(RECENT - 1) :], Turn("user", question)] if history else []
    asked = [turn.text for turn in recent if turn.role == "user"]
    if len(asked) < 2:
        return Understood.alone(question)
    said = " ".join(turn.text if turn.role == "user" else _beginning(turn.text) for turn in recent)
    follows = hangs(question)
    own = LAST if follows else LAST_ALONE
    meanings = ((question, own), (" ".join(_ended(text) for text in asked), ASKED), (said, EVERYTHING))
    words = f"{_ended(asked[-2])} {question}" if follows else question
    return Understood(standalone_question(question, history), meanings, words)


def understand_with(model: ChatModel, question: str, history: Sequence[Turn]) -> Understood:
    """The same with a language model that writes the standalone question.

    Raises:
        ModelError: the model failed or its reply is not usable.
    """
    told = "\n".join(f"{turn.role}: {_beginning(turn.text)}" for turn in history[-(RECENT - 1) :])
    content = json.dumps({"conversation": told, "last_turn": question}, ensure_ascii=False)
    messages = [{"role": "system", "content": PROMPT.read_text("utf-8")}, {"role": "user", "content": content}]
    reply = model.complete_json(messages, SCHEMA)
    try:
        written = clean_sentence(json.loads(reply)["question"])
        written.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(NOT_JSON, NO_JSON_CURE) from error
    if (
        suspicious(written)
        or not any(letter.isalnum() for letter in written)
        or len(written) > 2 * len(told) + len(question)
    ):
        raise ModelError("The language model did not write a question.", "Ask again with the subject named.")
    # The last turn keeps a share: a model that loses its point must not take the search elsewhere.
    return Understood(written, ((written, LAST), (question, 0.5)), written)


def standalone_question(question: str, history: Sequence[Turn]) -> str:
    """The question as people are shown it was understood.

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
    if ASKS_WHAT_SOMETHING_IS.match(question.strip()) and not refers and len(words) > 1:
        return False
    return len(words) <= 3 or (opens and (refers or len(words) <= SHORT)) or (refers and len(words) <= 2 * SHORT)


def _ended(text: str) -> str:
    return text.rstrip(" ?.!") + "."


def _beginning(text: str) -> str:
    return " ".join(ENTRY_ID.sub("", text).split()[:REPLY_WORDS])
