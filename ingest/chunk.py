"""An entry to chunks (each with a vector of its own) and to quotable sentences.

Chunks follow the structure: a paragraph, list, table or code block stays whole as long as the
embedder can read it. One that is longer is cut between list items, table rows (the header goes with
each part), code lines or sentences, never inside one. Every part of an answer is embedded behind
its entry's title and question: a part without its subject is hard to find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

from ingest.sentences import plain, split_sentences
from ingest.shown import shown
from rag.types import Chunk, ChunkKind, Entry, Sentence

VERSION = 3
"""Raised whenever the same entry would give other chunks or sentences; old indexes are then rebuilt."""

CAVEAT = "Caveat"
MARKER = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of Markdown that belongs together. `parts` are the places where it may be cut."""

    kind: str
    section: str
    text: str
    parts: tuple[str, ...]
    header: str = ""


def blocks(markdown: str, section: str = "") -> list[Block]:
    """The top-level blocks of a text, each with the heading it stands under."""
    from markdown_it import MarkdownIt

    rows = markdown.splitlines()
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    found = []
    for index, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        text = "\n".join(rows[token.map[0] : token.map[1]]).rstrip()
        if token.type == "heading_open":
            section = tokens[index + 1].content.strip()
        elif token.type in {"bullet_list_open", "ordered_list_open"}:
            items = tuple(_item_texts(tokens, index, rows))
            found.append(Block("list", section, text, items))
        elif token.type == "table_open":
            lines = text.splitlines()
            found.append(Block("table", section, text, tuple(lines[2:]), "\n".join(lines[:2])))
        elif token.type in {"fence", "code_block"}:
            found.append(Block("code", section, text, tuple(text.splitlines())))
        elif token.type != "hr":
            found.append(Block("paragraph", section, text, tuple(split_sentences(text))))
    return found


def _item_texts(tokens: list[Token], start: int, rows: list[str]) -> Iterator[str]:
    for token in tokens[start + 1 :]:
        if token.level == 0:
            return
        if token.type == "list_item_open" and token.level == 1 and token.map:
            yield "\n".join(rows[token.map[0] : token.map[1]]).rstrip()


def chunk_entry(entry: Entry, count_tokens: CountTokens, limit: int) -> list[Chunk]:
    """All chunks of an entry; none is longer than `limit` tokens with its context."""
    # A document's sections often leave out what the whole document is about.
    title = f"{entry.guide}: {entry.title}" if entry.origin == "document" else entry.title
    subject = f"{title}. {entry.question}" if entry.question != entry.title else title
    pieces: list[tuple[ChunkKind, str, str]] = [
        ("title", title, ""),
        ("question", entry.question, ""),
        *(("also_asked", asked, "") for asked in entry.also_asked),
        *(("asked", asked, "") for asked in entry.asked),
    ]
    points = Block("paragraph", "", "\n".join(entry.key_points), entry.key_points)
    pieces += [("key_points", text, entry.title) for text in _pack([points], entry.title, count_tokens, limit)]
    body = blocks(entry.answer)
    if entry.caveat:
        body.append(Block("paragraph", CAVEAT, entry.caveat, tuple(split_sentences(entry.caveat))))
    pieces += [("answer", text, subject) for text in _pack(body, subject, count_tokens, limit)]
    for follow_up in entry.follow_ups:
        context = f"{entry.title}. {follow_up.question}"
        packed = _pack(blocks(follow_up.answer), context, count_tokens, limit)
        pieces += [("follow_up", text, context) for text in packed]
    return [
        Chunk(f"{entry.id}#{number}", entry.id, entry.title, kind, text, context)
        for number, (kind, text, context) in enumerate(pieces)
    ]


def _pack(found: Iterable[Block], context: str, count_tokens: CountTokens, limit: int) -> Iterator[str]:
    """Neighbouring blocks of one section together, as many as fit; a long block cut at its parts."""
    held: list[str] = []
    section = None

    def fits(texts: list[str]) -> bool:
        return count_tokens(context + "\n" + "\n\n".join(texts)) <= limit

    for block in found:
        if held and (block.section != section or not fits([*held, block.text])):
            yield "\n\n".join(held)
            held = []
        section = block.section
        if fits([*held, block.text]):
            held.append(block.text)
        else:
            yield from _cut(block, fits)
    if held:
        yield "\n\n".join(held)


def _cut(block: Block, fits: Callable[[list[str]], bool]) -> Iterator[str]:
    joint = " " if block.kind == "paragraph" else "\n"
    held: list[str] = [block.header] if block.header else []
    floor = len(held)
    for part in block.parts:
        if len(held) > floor and not fits([joint.join([*held, part])]):
            yield joint.join(held)
            held = held[:floor]
        if fits([joint.join([*held, part])]):
            held.append(part)
        else:
            yield from _cut_words(part, fits)
    if len(held) > floor:
        yield joint.join(held)


def _cut_words(text: str, fits: Callable[[list[str]], bool]) -> Iterator[str]:
    """The last resort, for a single sentence or line the embedder cannot read whole."""
    held: list[str] = []
    for word in text.split():
        if held and not fits([" ".join([*held, word])]):
            yield " ".join(held)
            held = []
        held.append(word)
    if held:
        yield " ".join(held)


def sentences_of(entry: Entry) -> list[Sentence]:
    """Everything of an entry that can be quoted alone: sentences, list items, table rows."""
    found: list[tuple[str, str, str]] = []
    for block in blocks(entry.answer):
        found += [(block.section, text, quote) for text, quote in _quotable(block)]
    if entry.caveat:
        # Whole: its first sentence states the mistake and must never be quoted without the second.
        found.append((CAVEAT, entry.caveat, entry.caveat))
    for follow_up in entry.follow_ups:
        for block in blocks(follow_up.answer, follow_up.question):
            found += [(follow_up.question, text, quote) for text, quote in _quotable(block)]
    if entry.origin == "document":
        found = [(section, clean, quote) for section, text, quote in found if (clean := shown(text))]
    return [Sentence(entry.id, position, section, text, quote) for position, (section, text, quote) in enumerate(found)]


def searchable_text(entry: Entry) -> str:
    """Everything of an entry that a keyword may be found in."""
    follow_ups = [f"{item.question}\n{item.answer}" for item in entry.follow_ups]
    parts = [entry.title, entry.question, *entry.also_asked, *entry.key_points, entry.answer, *follow_ups]
    return "\n".join([*parts, entry.caveat or ""])


def _quotable(block: Block) -> Iterator[tuple[str, str]]:
    """(text as shown, passage as it stands) of a block; lead-ins that end in a colon say nothing alone."""
    if block.kind == "table":
        names = _cells(block.header.splitlines()[0])
        for row in block.parts:
            cells = [f"{name}: {cell}" if name else cell for name, cell in zip(names, _cells(row), strict=False)]
            yield "; ".join(cells) + ".", row
    elif block.kind == "list":
        for item in block.parts:
            for sentence in split_sentences(MARKER.sub("", item)):
                if not sentence.endswith(":"):
                    yield plain(sentence), sentence
    elif block.kind == "paragraph":
        for sentence in block.parts:
            if not sentence.endswith(":"):
                yield plain(sentence), sentence


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
