"""Answers a language model writes over the retrieved entries, read claim by claim while they arrive.

The best an endpoint can do is used: claims as JSON of a schema that only knows the retrieved ids, plain
JSON, or lines that end with ids in brackets. Whatever arrives are drafts; `rag.cite` decides.
"""

import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from rag.answer import Draft
from rag.errors import ModelError
from rag.request import REPAIR_FORM, sent_back
from rag.types import ChatModel, EntrySource, Retrieval

PROMPT = Path(__file__).with_name("prompts") / "answer.md"
MARK = re.compile(r"<(?=\s*/?\s*(?:source|question)\b)", re.IGNORECASE)
FENCE = re.compile(r"^\s*```[a-z]*\s*|\s*```\s*$")
BRACKETED = re.compile(r"\[([^\[\]]+)\]")
LISTED = re.compile(r"^\s*(?:[-*•]\s+|\d{1,2}[.)]\s+)?")
ID = re.compile(r"[A-Z]{2,}-\d+")
STRUCTURE = frozenset('{}[]",\n')
MOST_LETTERS = 200_000
MOST_DRAFTS = 200
"""More of a reply than this is not read: a model that writes so much has lost the thread, or never stops."""
NOT_JSON = "The language model's reply was not the JSON that was asked for."
ENDLESS = "The language model's reply had no end."
NO_JSON_CURE = "Ask again, or choose a model that follows a JSON schema with TUTOR_MODEL."


class WrongForm(ModelError):
    """A reply that is whole but not of the asked form; `reply` is what came."""

    def __init__(self, reply: str) -> None:
        super().__init__(NOT_JSON, NO_JSON_CURE)
        self.reply = reply


class LanguageModelWriter:
    """Answers with sentences a language model writes, each naming retrieved ids only."""

    def __init__(self, model: ChatModel, entries: EntrySource, claims: int) -> None:
        self._model = model
        self._entries = entries
        self._claims = claims

    @property
    def name(self) -> str:
        return self._model.name

    def write(self, retrieval: Retrieval) -> Iterator[Draft]:
        """The drafts, each as soon as it is whole; closing the iterator ends the model's reply.

        A reply of another form is sent back once to be mended, unless a draft of it has been handed out.

        Raises:
            ModelError: the reply failed, was cut, or is not of the asked form.
        """
        ids = [hit.entry_id for hit in retrieval.hits]
        messages = self._messages(retrieval, ids)
        written = 0
        try:
            with closing(self._asked(messages, ids)) as drafts:
                for draft in drafts:
                    written += 1
                    yield draft
            return
        except WrongForm as wrong:
            if written:
                raise
            mended = sent_back(messages, wrong.reply, REPAIR_FORM)
        yield from self._asked(mended, ids)

    def _asked(self, messages: Sequence[Mapping[str, str]], ids: Sequence[str]) -> Generator[Draft, None, None]:
        deltas = self._model.stream_json(messages, claim_schema(ids))
        try:
            yield from read_drafts(deltas, ids)
        finally:
            if close := getattr(deltas, "close", None):
                close()

    def _messages(self, retrieval: Retrieval, ids: Sequence[str]) -> list[dict[str, str]]:
        sources = []
        for rank, entry_id in enumerate(ids, 1):
            entry = self._entries.entry(entry_id)
            follow_ups = "\n\n".join(f"{item.question}\n{item.answer}" for item in entry.follow_ups)
            body = "\n\n".join(part for part in (entry.question, entry.answer, follow_ups, entry.caveat) if part)
            title = _inert(entry.title).replace('"', "'")
            sources.append(f'<source id="{entry_id}" rank="{rank}" title="{title}">\n{_inert(body)}\n</source>')
        system = PROMPT.read_text("utf-8").format(claims=self._claims)
        user = "\n\n".join([*sources, f"<question>\n{_inert(retrieval.question)}\n</question>"])
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _inert(text: str) -> str:
    """A text that spells our marks would end its own quotation, or open one that is not a source."""
    return MARK.sub("‹", text)


def claim_schema(ids: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of a reply: `sources` can only name ids that were retrieved."""
    claim = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "sources": {"type": "array", "items": {"type": "string", "enum": list(ids)}, "minItems": 1},
        },
        "required": ["text", "sources"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"claims": {"type": "array", "items": claim}},
        "required": ["claims"],
        "additionalProperties": False,
    }


def read_drafts(deltas: Iterator[str], ids: Sequence[str]) -> Iterator[Draft]:
    """The drafts of a reply that arrives in pieces, JSON or lines.

    Raises:
        ModelError: the whole reply is neither, or it does not end.
    """
    reply, done = "", 0
    for delta in deltas:
        reply += delta
        if len(reply) > MOST_LETTERS:
            raise ModelError(ENDLESS, NO_JSON_CURE)
        if STRUCTURE.isdisjoint(delta):
            continue  # letters alone complete no claim, and reading everything again costs
        for draft in _drafts_so_far(reply, ids)[done:]:
            done += 1
            if draft.text:
                yield draft
        if done > MOST_DRAFTS:
            raise ModelError(ENDLESS, NO_JSON_CURE)
    rest = parse_reply(reply, ids)
    yield from (draft for draft in rest[done:] if draft.text)


def _drafts_so_far(reply: str, ids: Sequence[str]) -> list[Draft]:
    """What is whole: the last claim, or line, may still be growing."""
    text = FENCE.sub("", reply).lstrip()
    try:
        if text.startswith("{"):
            return _drafts(from_json(text, allow_partial=True))[:-1]
        return _lines(text.rpartition("\n")[0], ids)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def parse_reply(reply: str, ids: Sequence[str]) -> list[Draft]:
    """The drafts of a whole reply.

    Raises:
        WrongForm: it is neither JSON of the asked form nor lines with ids.
    """
    text = FENCE.sub("", reply).strip()
    try:
        if text.startswith("{"):
            return _drafts(json.loads(text))
        lines = _lines(text, ids)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WrongForm(reply) from error
    if not lines:
        raise WrongForm(reply)
    return lines


def _drafts(values: Any) -> list[Draft]:
    claims = values["claims"]
    if not isinstance(claims, list):
        raise TypeError  # an empty text or object has no items either, but says nothing of the sources
    return [Draft(_folded(item["text"]), tuple(dict.fromkeys(map(str, item["sources"])))) for item in claims]


def _lines(text: str, ids: Sequence[str]) -> list[Draft]:
    return [draft for line in text.splitlines() if (draft := _line(line, ids))]


def _line(line: str, ids: Sequence[str]) -> Draft | None:
    """A sentence that ends with ids in brackets; a line without any cites nothing and is no draft."""
    found: dict[str, None] = {}

    def cited(group: re.Match[str]) -> str:
        named = [name for part in group[1].split(",") if (name := part.strip()) in ids or ID.fullmatch(name)]
        found.update(dict.fromkeys(named))
        return " " if named else group[0]

    text = _folded(LISTED.sub("", BRACKETED.sub(cited, line)))
    return Draft(text, tuple(found)) if text and found else None


def _folded(text: str) -> str:
    text.encode()  # JSON can spell half a character, which nothing after this could handle
    return " ".join(text.split())
