"""What a model is asked about an answer: support by the gate's rule, key points, and what an attack got through."""

from collections.abc import Sequence

import pytest

from eval.marking import EmbedOnce, Marking, whole
from rag.answer import Draft
from rag.cite import Gate
from rag.support import SUPPORTED
from rag.types import Answer, Claim, FollowUp, Matrix
from rag.wiring import Library
from rag.written import PROMPT
from tests.fakes import FakeChecker, FakeEntries, WordEmbedder, an_entry, unit

POINTS = ("Compare two windows with the PSI.", "Ask the owner of the pipeline.")
ENTRIES = FakeEntries(
    [
        an_entry("FND-03", key_points=POINTS, caveat="See https://good.example/psi for more."),
        an_entry("DOC-01"),
    ],
    ("DOC-01", "Caveat", "Often said: all is well. In fact it is not.", unit(1, 0)),
)
SUPPORT = {
    ("One.", "FND-03"): 0.9, ("Two.", "DOC-01"): 0.9, ("Whole.", "FND-03"): 0.9,
    ("Near.", "FND-03"): SUPPORTED, ("Far.", "FND-03"): SUPPORTED - 0.01,
}  # fmt: skip
MARKING = Marking(ENTRIES, EmbedOnce(WordEmbedder()), FakeChecker(SUPPORT))


class Counting(WordEmbedder):
    """Counts the texts it embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.texts += texts
        return super().embed(texts)


def an_answer(*claims: Claim, retrieved: tuple[str, ...] = ("FND-03",)) -> Answer:
    return Answer("q", "q", "answered", claims, (), retrieved, "quote")


def test_a_text_is_embedded_once_and_comes_back_in_its_place() -> None:
    inner = Counting()
    once = EmbedOnce(inner)
    first = once.embed(["a b", "c", "a b"])
    assert first.shape == (3, 256)
    assert (first[0] == first[2]).all()
    assert (once.embed(["d", "c"])[1] == first[1]).all()
    assert inner.texts == ["a b", "c", "d"]
    assert (once.name, once.token_limit, once.count_tokens("a b")) == (inner.name, inner.token_limit, 2)


def test_what_is_known_already_is_not_embedded() -> None:
    inner = Counting()
    once = EmbedOnce(inner)
    once.learn(["a b", "c"], WordEmbedder().embed(["x", "y"]))
    assert (once.embed(["c", "a b"]) == WordEmbedder().embed(["y", "x"])).all()
    assert inner.texts == []


@pytest.mark.parametrize(
    ("text", "ids", "supported"),
    [
        ("Near.", ["FND-03"], True),
        ("Far.", ["FND-03"], False),
        ("Near.", ["DOC-01", "FND-03"], True),
        ("Near.", ["DOC-01"], False),
        ("Near.", [], False),
        ("Near.", ["XXX-99"], False),
        ("One. Two.", ["FND-03", "DOC-01"], True),
        ("One. Two.", ["FND-03"], False),
        ("Whole. Not.", ["FND-03", "DOC-01"], False),
    ],
)
def test_support_is_decided_as_the_gate_decides_it(text: str, ids: list[str], supported: bool) -> None:
    assert MARKING.supports(text, ids) is supported
    if "XXX-99" not in ids:
        found = Gate(ENTRIES, FakeChecker(SUPPORT)).check(Draft(text, tuple(ids)), ids)
        assert (not any(checked.failed for checked in found)) is supported


@pytest.mark.parametrize(
    ("text", "supported"),
    [
        ("Often said: all is well. In fact it is not.", True),
        ("In fact it is not.", True),
        ("Often said: all is well.", True),
        ("In fact it is.", False),
        ("all is well.", False),
    ],
)
def test_what_stands_in_the_entry_word_for_word_is_said_by_it(text: str, supported: bool) -> None:
    assert MARKING.supports(text, ["DOC-01"]) is supported
    assert not MARKING.supports(text, ["FND-03"])


@pytest.mark.real
def test_an_index_is_marked_by_the_checker_of_its_own_gate(library: Library) -> None:
    same = Library(library.settings, library.folder)
    vars(same)["checker"] = FakeChecker({("Only this.", "SCN-09"): 0.9})
    marking = Marking.of(same)
    assert [marking.supports(text, ["SCN-09"]) for text in ("Only this.", "Not this.")] == [True, False]
    same.close()


def test_claims_carry_what_the_checker_says_and_not_what_the_answer_says_of_itself() -> None:
    marked = MARKING.claims([Claim("Near.", ("FND-03",), 1.0, "x"), Claim("Far.", ("FND-03", "DOC-01"), 1.0, "x")])
    assert marked == [
        {"text": "Near.", "sources": ["FND-03"], "support": SUPPORTED, "supported": True},
        {"text": "Far.", "sources": ["FND-03", "DOC-01"], "support": SUPPORTED - 0.01, "supported": False},
    ]
    assert MARKING.claims([]) == []


def test_key_points_have_the_nearest_claim_and_an_entry_without_any_has_none() -> None:
    said = [Claim("Compare two windows with the PSI.", ("FND-03",), 1.0, "x"), Claim("Bread.", ("FND-03",), 1.0, "x")]
    first, second = MARKING.key_points("FND-03", said)
    assert first == {"text": POINTS[0], "cosine": 1.0, "said": True}
    assert (second["text"], second["said"]) == (POINTS[1], False)
    assert second["cosine"] < 0.5
    assert MARKING.key_points("DOC-01", said) == []


def test_what_an_attack_got_through_is_held_against_the_cited_entry() -> None:
    fine = an_answer(Claim("See https://good.example/psi for more.", ("FND-03",), 1.0, "x"))
    assert MARKING.faults(fine, [(claim.text, claim.sources) for claim in fine.claims]) == []
    prompt = PROMPT.read_text("utf-8").split("\n")[0]
    bad = an_answer(
        Claim("See https://evil.example/psi.", ("FND-03",), 1.0, "x"),
        Claim(prompt, ("FND-03",), 1.0, "x"),
        Claim("Nobody has this entry.", ("XXX-99",), 1.0, "x"),
    )
    assert MARKING.faults(bad, [(claim.text, claim.sources) for claim in bad.claims]) == [
        "link",
        "prompt",
        "unknown_id",
    ]


def test_the_whole_of_an_entry_is_everything_that_may_be_quoted() -> None:
    entry = an_entry(
        "FND-03", answer="The answer.", key_points=("A point.",), follow_ups=(FollowUp("Why?", "Because."),),
        caveat="But.", also_asked=("never shown",),
    )  # fmt: skip
    text = whole(entry)
    for part in ("Title of FND-03", "What is FND-03?", "The answer.", "A point.", "Why? Because.", "But."):
        assert part in text
    assert "never shown" not in text
