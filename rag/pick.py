"""Answers for which a small language model picks sentences: it can neither misquote nor miscite.

The model is offered the sentences nearest to the question. A grammar lets it write nothing but their
first words, one sentence a line; what is shown is the whole sentence and its entry's id, as they stand
in the source. The nearest sentence always comes first, so the model decides what follows it.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rag.answer import Draft, QuoteWriter
from rag.parts import shares
from rag.types import EntrySource, GrammarModel, Retrieval

PROMPT = Path(__file__).with_name("prompts") / "pick.md"
TURN = re.compile(r"^## (user|assistant)\n", re.MULTILINE)
OFFERED = 10
"""Sentences the model chooses from. More take longer to read and are further from the question."""
FIRST_WORDS = 3
PIECE = re.compile(r"\S{1,20}\s*")
"""A word, or a part of one that is very long."""
LINE_TOKENS = 40
"""Tokens the first words of a sentence take at the most, by far."""


class PickingWriter:
    """Answers with the sources' own sentences, picked and put in order by a language model."""

    def __init__(self, model: GrammarModel, entries: EntrySource, claims: int) -> None:
        self._model = model
        self._entries = entries
        self._claims = claims
        self._nearest = QuoteWriter(entries, 1)
        self._near = QuoteWriter(entries, OFFERED)

    @property
    def name(self) -> str:
        return self._model.name

    def write(self, retrieval: Retrieval) -> Iterator[Draft]:
        """The drafts, each as soon as its line is whole; the first one does not wait for the model.

        Parts of a question that are answered from different places are asked about one after the other.

        Raises:
            ModelError: the model failed.
        """
        for part, claims in shares(retrieval, self._claims):
            yield from self._picked(part, claims)

    def _picked(self, retrieval: Retrieval, claims: int) -> Iterator[Draft]:
        offered = self._offered(retrieval)
        yield from offered[-1:]
        more = min(claims, len(offered)) - 1
        if more < 1:
            return
        starts = beginnings([_inert(draft.text) for draft in offered])
        draft_of = dict(zip(starts, offered, strict=True))
        messages = [*prefix(), {"role": "user", "content": _request(retrieval.question, offered)}]
        deltas = self._model.stream_grammar(messages, pick_grammar(starts, more), LINE_TOKENS * (more + 1))
        written = {starts[-1]}
        try:
            for number, line in enumerate(_lines(deltas)):
                if number == 0 or line not in draft_of:
                    continue  # the nearest one, shown already; or the end of a reply that was cut
                if line in written:
                    return  # a small model that begins to repeat itself does not stop
                written.add(line)
                yield draft_of[line]
        finally:
            if close := getattr(deltas, "close", None):
                close()

    def _offered(self, retrieval: Retrieval) -> list[Draft]:
        """The sentences to choose from, the nearest last: a small model heeds most what it read last."""
        first = self._nearest.write(retrieval)
        said = {draft.text for draft in first}
        rest = {draft.text: draft for draft in self._near.write(retrieval) if draft.text not in said}
        return [*sorted(rest.values(), key=lambda draft: self._cosine(draft, retrieval)), *first]

    def _cosine(self, draft: Draft, retrieval: Retrieval) -> float:
        sentences, vectors = self._entries.sentences(draft.sources[0])
        row = next(row for row, sentence in enumerate(sentences) if sentence.text == draft.text)
        return float(vectors[row] @ retrieval.vector)


def prefix() -> list[dict[str, str]]:
    """The messages before every request: what to do, and examples. They never change, so a server can keep them."""
    system, *rest = TURN.split(PROMPT.read_text("utf-8"))
    turns = [{"role": role, "content": text.strip()} for role, text in zip(rest[::2], rest[1::2], strict=True)]
    return [{"role": "system", "content": system.strip()}, *turns]


def beginnings(texts: Sequence[str]) -> list[str]:
    """The first words of each text, as many as tell it from the others, which must differ."""
    pieces = [PIECE.findall(text) for text in texts]

    def start(row: int, length: int) -> str:
        return "".join(pieces[row][:length]).rstrip()

    found = []
    for row, own in enumerate(pieces):
        length = FIRST_WORDS
        while length < len(own) and sum(start(other, length) == start(row, length) for other in range(len(texts))) > 1:
            length += 1
        found.append(start(row, length))
    return found


def pick_grammar(starts: Sequence[str], more: int) -> str:
    """GBNF for a reply: the last of `starts`, then at the most `more` of the others, a line each.

    The first two of the others differ; a later one that repeats an earlier one ends the answer.
    """
    *others, first = map(_literal, starts)
    rules = [f"other ::= {' | '.join(others)}"]
    if more == 1:
        rest = '"\\n- " other'
    else:
        pairs = [f'{other} "\\n- " but{row}' for row, other in enumerate(others)]
        rules += [f"but{row} ::= {' | '.join(others[:row] + others[row + 1 :])}" for row in range(len(others))]
        rest = f'"\\n- " ({" | ".join(pairs)}) ("\\n- " other){{0,{more - 2}}}'
    return "\n".join([f'root ::= "- " {first} {rest}', *rules])


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _request(question: str, offered: Sequence[Draft]) -> str:
    asked = f"Question: {_inert(question)}"
    return "\n".join([asked, "", "Sentences:", *(f"- {_inert(draft.text)}" for draft in offered), "", asked])


def _inert(text: str) -> str:
    """One line that cannot spell the marks between messages, which the server would take for its own."""
    return " ".join(text.split()).replace("<|", "‹|").replace("|>", "|›")


def _lines(deltas: Iterator[str]) -> Iterator[str]:
    """The lines of a reply without their dashes, each when the next one begins or the reply ends."""
    reply = ""
    for delta in deltas:
        reply += delta
        *whole, reply = reply.split("\n")
        yield from (line.removeprefix("- ") for line in whole)
    yield reply.removeprefix("- ")
