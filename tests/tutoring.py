"""A whole tutor over fakes: three entries, one without a quotable sentence, and models told what to say."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from rag.answer import QUOTE, AnswerWriter, Draft, QuoteWriter
from rag.cite import Gate
from rag.keyword import KeywordIndex
from rag.retrieve import DenseSearcher, Retriever
from rag.tutor import Limits, Tutor, Writers
from rag.types import Answer, AnswerKeeper, Chunk, Claim, Hit, Retrieval, SupportChecker, Vector
from rag.written import LanguageModelWriter
from tests.fakes import FakeChat, FakeChecker, FakeEntries, ListIndex, WordEmbedder, an_entry

EMBEDDER = WordEmbedder()
DRIFT = "What is data drift in production?"
COLLAPSE = "How does mode collapse show in a generator?"
BARE = "Which optimiser suits a transformer?"
OUTSIDE = "capital France"
QUESTIONS = {"FND-03": DRIFT, "SCN-20": COLLAPSE, "LLM-01": BARE}
SAID = {
    "FND-03": ["Data drift is a change of the inputs.", "Compare two windows with the PSI."],
    "SCN-20": ["The generator draws the same 3 faces."],
    "LLM-01": [],
}
FIRST, SECOND = SAID["FND-03"]
WRITTEN = [f"Written sentence {number}." for number in range(30)]
"""Sentences nobody quotes, which every entry supports."""
FALSE = [f"Unsupported sentence {number}." for number in range(30)]
"""Sentences that no entry supports."""
SUPPORT = {
    **{(text, name): 1.0 for name, texts in SAID.items() for text in texts},
    **{(text, name): 0.9 for text in WRITTEN for name in SAID},
}
CHECKER = FakeChecker(SUPPORT)
LIMITS = Limits(question=300, history=20, sources=2, claims=6)
Judge = Callable[[Vector, Sequence[Hit]], float]


class Held(LanguageModelWriter):
    """Keeps its drafts: an iterator that nobody holds is closed by Python itself, whether or not the tutor does it."""

    def write(self, retrieval: Retrieval) -> Iterator[Draft]:
        self.held = super().write(retrieval)
        return self.held


def by_score(vector: Vector, hits: Sequence[Hit]) -> float:
    """As likely covered as the best entry is near."""
    return hits[0].scores["score"]


def always(odds: float) -> Judge:
    """A judge that says the same of every question."""
    return lambda vector, hits: odds


def a_tutor(
    *chats: FakeChat,
    limits: Limits = LIMITS,
    default: str = "",
    notices: Sequence[str] = (),
    judge: Judge = by_score,
    rewriter: FakeChat | None = None,
    kept: AnswerKeeper | None = None,
    fingerprint: str = "",
    quoting: str = "",
    questions: Mapping[str, str] = QUESTIONS,
    checker: SupportChecker = CHECKER,
) -> Tutor:
    """A tutor whose language models are these; the first of them writes unless `default` says otherwise.

    No two of its entries, which are asked with these `questions`, have a topic in common.
    """
    entries = FakeEntries(
        [an_entry(name, question=text, topics=(name,)) for name, text in questions.items()],
        *[(name, "Answer", text, EMBEDDER.embed([text])[0]) for name, texts in SAID.items() for text in texts],
    )
    chunks = [Chunk(f"{name}#0", name, "T", "question", text) for name, text in questions.items()]
    dense = DenseSearcher(EMBEDDER, ListIndex(chunks, EMBEDDER), {chunk.id: chunk.entry_id for chunk in chunks})
    retriever = Retriever(dense, KeywordIndex.build(list(questions.items())), judge=judge)
    known: dict[str, AnswerWriter] = {QUOTE: QuoteWriter(entries, limits.claims)}
    known.update({chat.name: Held(chat, entries, limits.claims) for chat in chats})
    writers = Writers(known.get, default or (chats[0].name if chats else QUOTE), rewriter, fingerprint, kept, quoting)
    return Tutor(entries, retriever, Gate(entries, checker), writers, limits, notices)


def claims(*pairs: tuple[str, str]) -> str:
    """A model's reply: sentences, each with one id."""
    return json.dumps({"claims": [{"text": text, "sources": [source]} for text, source in pairs]})


def drift(*texts: str) -> str:
    """A model's reply whose sentences all cite the entry on drift."""
    return claims(*((text, "FND-03") for text in texts))


def written(*texts: str) -> tuple[Claim, ...]:
    """The claims these sentences on drift become."""
    return tuple(Claim(text, ("FND-03",), SUPPORT[text, "FND-03"], "passage of FND-03") for text in texts)


def quoted(entry_id: str = "FND-03") -> tuple[Claim, ...]:
    """An entry's own sentences as claims."""
    return tuple(Claim(text, (entry_id,), 1.0, f"*{text}*") for text in SAID[entry_id])


def assert_refused(answer: Answer, message: str) -> None:
    """It says this, claims nothing and cites nothing."""
    assert (answer.claims, answer.sources, answer.text) == ((), (), message)
