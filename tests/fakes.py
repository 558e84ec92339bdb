"""Deterministic stand-ins for the parts that need weights, Chroma or a language model."""

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any

import numpy

from rag.catalog import Calibration, RegistryCopy, WeightFile, Weights
from rag.types import Chunk, Embedder, Entry, Hit, Matrix, Retrieval, Sentence, Vector


def unit(*values: float) -> Vector:
    """A unit vector with these proportions."""
    vector = numpy.array(values, dtype=numpy.float32)
    return vector / numpy.linalg.norm(vector)


def an_entry(entry_id: str, **values: Any) -> Entry:
    """An entry with something in every field that must not be empty."""
    filled = {"guide": "scenarios", "title": f"Title of {entry_id}", "question": f"What is {entry_id}?"}
    return Entry(entry_id, **{**filled, "answer": f"Answer of {entry_id}.", **values})


def a_hit(entry_id: str, rank: int = 1, **scores: float) -> Hit:
    """A hit on the entry's first chunk."""
    return Hit(entry_id, f"{entry_id}#0", rank, scores)


def a_retrieval(question: str, vector: Vector, **scores: float) -> Retrieval:
    """Hits on the named entries in the order given, `QNA_03=0.8` standing for QNA-03 with that score."""
    hits = [
        a_hit(name.replace("_", "-"), rank, score=score, cosine=score)
        for rank, (name, score) in enumerate(scores.items(), 1)
    ]
    return Retrieval(question, vector, tuple(hits))


class WordEmbedder:
    """An `Embedder` whose texts are near when they share words: a bag of words, each on an axis of its own choosing."""

    name = "words"
    token_limit = 100

    def __init__(self, dimension: int = 256) -> None:
        self._dimension = dimension

    def embed(self, texts: Sequence[str]) -> Matrix:
        rows = numpy.zeros((len(texts), self._dimension), dtype=numpy.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                row[zlib.crc32(word.encode()) % self._dimension] += 1
            row /= numpy.linalg.norm(row)
        return rows

    def count_tokens(self, text: str) -> int:
        return len(text.split())


class ListIndex:
    """A `VectorIndex` that scans a list of chunks."""

    def __init__(self, chunks: Sequence[Chunk], embedder: Embedder) -> None:
        self._ids = [chunk.id for chunk in chunks]
        self._vectors = embedder.embed([chunk.embedding_text for chunk in chunks])

    def nearest(self, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        found = [(chunk_id, float(row @ vector)) for chunk_id, row in zip(self._ids, self._vectors, strict=True)]
        return sorted(found, key=lambda item: -item[1])[:limit]


class ScriptedSearcher:
    """A `Searcher` that always finds the same hits, and remembers what it was asked."""

    def __init__(self, *hits: Hit) -> None:
        self._hits = hits
        self.asked: list[tuple[str, int]] = []

    def search(self, question: str, *, limit: int) -> list[Hit]:
        self.asked.append((question, limit))
        return list(self._hits[:limit])


class FakeEntries:
    """An `EntrySource` in memory. Sentences are given as (entry id, section, text, vector), in reading order."""

    def __init__(self, entries: Sequence[Entry], *sentences: tuple[str, str, str, Vector]) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._sentences = sentences

    def entry(self, entry_id: str) -> Entry:
        return self._entries[entry_id]

    def sentences(self, entry_id: str) -> tuple[list[Sentence], Matrix]:
        own = [item for item in self._sentences if item[0] == entry_id]
        found = [Sentence(entry_id, row, item[1], item[2], f"*{item[2]}*") for row, item in enumerate(own)]
        return found, numpy.stack([item[3] for item in own]) if own else numpy.zeros((0, 0), dtype=numpy.float32)


PIECE = 3
"""Letters of a streamed piece: no word, claim or escape comes whole."""
Scripted = str | Exception | Iterable[str | Exception]
"""A reply: a text, a failure, or a text in parts that may end in a failure or never end."""


class FakeChat:
    """A `ChatModel` that sends what was enqueued, in order, and keeps what it was sent.

    Of each streamed reply it keeps how it went: `open`, `done`, `failed`, or `closed` by whoever read it; and in
    `letters` how much of all of them was taken.
    """

    def __init__(self, name: str = "fake-chat") -> None:
        self.name = name
        self._replies: list[Scripted] = []
        self._kept: list[Iterator[str]] = []
        self.calls: list[tuple[list[Mapping[str, str]], Mapping[str, Any]]] = []
        self.streams: list[str] = []
        self.letters = 0

    def enqueue(self, *replies: Scripted) -> "FakeChat":
        self._replies += replies
        return self

    def complete_json(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> str:
        self.calls.append((list(messages), schema))
        return "".join(_parts(self._replies.pop(0)))

    def stream_json(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> Iterator[str]:
        self.calls.append((list(messages), schema))
        stream = self._stream(self._replies.pop(0))
        # A stream that nobody holds is closed by Python itself, and a forgotten close would not be seen.
        self._kept.append(stream)
        return stream

    def _stream(self, reply: Scripted) -> Iterator[str]:
        number = len(self.streams)
        self.streams.append("open")
        try:
            for part in _parts(reply):
                for start in range(0, len(part), PIECE):
                    self.letters += len(part[start : start + PIECE])
                    yield part[start : start + PIECE]
            self.streams[number] = "done"
        except GeneratorExit:
            self.streams[number] = "closed"
            raise
        except Exception:
            self.streams[number] = "failed"
            raise


def _parts(reply: Scripted) -> Iterator[str]:
    for part in [reply] if isinstance(reply, str | Exception) else reply:
        if isinstance(part, Exception):
            raise part
        yield part


class FakeChecker:
    """A `SupportChecker` from a table of (claim, entry id); what is not in it has no support and nothing near."""

    def __init__(
        self,
        table: Mapping[tuple[str, str], float],
        near: Mapping[tuple[str, str], tuple[float, Sequence[Sentence]]] = MappingProxyType({}),
    ) -> None:
        self._table = table
        self._near = near

    def support(self, claim: str, entry_id: str) -> tuple[float, str]:
        support = self._table.get((claim, entry_id), 0.0)
        return support, f"passage of {entry_id}" if support else ""

    def nearest(self, claim: str, entry_id: str) -> tuple[float, Sequence[Sentence]]:
        return self._near.get((claim, entry_id), (0.0, ()))


FILES = {"model.safetensors": b"weights " * 3000, "tokenizer.json": b'{"version": "1.0"}', "config.json": b"{}"}
"""The files of the tiny model, with their right bytes."""


CALIBRATION = Calibration(score=10.0, model=4.0, bias=-5.0, alone_slope=20.0, alone_threshold=0.4)
"""A calibration with round figures."""


def tiny_weights(*packages: str, piece: str = "") -> Weights:
    """A catalog row for `FILES`, carried by these packages."""
    files = tuple(WeightFile(name, len(body), hashlib.sha256(body).hexdigest()) for name, body in FILES.items())
    copy = RegistryCopy(packages, "tiny/", piece)
    return Weights("tiny", "MIT", "maker/tiny", "r1", files, copy, 16, 4, CALIBRATION)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip archive of these members."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return held.getvalue()


def write_wheel(folder: Path, package: str, members: Mapping[str, bytes]) -> Path:
    """A wheel, named and described as pip wants it, that carries these members."""
    name, version = package.replace("-", "_").split("==")
    about = {
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{name}-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}-{version}.dist-info/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    path.write_bytes(zipped({**members, **about}))
    return path


class FakeHub:
    """A real HTTP server on loopback in the hub's place. It has only what `files` gets; the rest is 404.

    `cut` ends the reply for a file after so many bytes, as a lost connection does; `ranges` can be
    switched off; `babble` makes it speak something else than HTTP.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.ranges = True
        self.babble = False
        self.asked: list[tuple[str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub._serve(self)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005})
        self._thread.start()

    def url(self, repository: str, name: str, *, revision: str) -> str:
        """What stands in for `huggingface_hub.hf_hub_url`."""
        return f"http://127.0.0.1:{self._server.server_port}/{repository}/{revision}/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.asked.append((request.path, wanted))
        name = request.path.rsplit("/", 1)[-1]
        if self.babble:
            request.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
        elif name not in self.files:
            request.send_error(404)
        else:
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
            body = self.files[name][start:]
            request.send_response(206 if start else 200)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body[: self.cut.get(name, len(body))])
