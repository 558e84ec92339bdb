"""Whether an entry says what a claim says: rules, then the trees; and both on the real guides."""

import json
from collections.abc import Sequence
from random import Random

import numpy
import pytest

from eval.support_trees import EXTRA, pairs, part_of
from rag.support import RESTATED, SUPPORTED, SentenceSupport
from rag.trees import FILE, Trees, learnt, rarity_weight
from rag.types import FollowUp, Matrix
from rag.wiring import Library
from tests.fakes import FakeEntries, WordEmbedder, an_entry

EMBEDDER = WordEmbedder()
FIRST = "LoRA trains about 0.1% to 1% of the parameters."
SECOND = "The adapters are small files."
ENTRY = an_entry(
    "LLM-03",
    answer=f"{FIRST} {SECOND}",
    caveat="Often said: 5%. In fact 0.1% to 1%.",
    follow_ups=(FollowUp("Which rank?", "Common values of r are 8 to 16."),),
)


def checker(*texts: str) -> SentenceSupport:
    """Over LLM-03, quotable in these sentences, and EMPTY-1, quotable in none."""
    sentences = [("LLM-03", "Answer", text, EMBEDDER.embed([text])[0]) for text in texts]
    return SentenceSupport(EMBEDDER, FakeEntries([ENTRY, an_entry("EMPTY-1")], *sentences))


@pytest.mark.parametrize("claim", [SECOND, "the adapters  are small files", "The **adapters** are `small` files."])
def test_a_sentence_of_the_entry_is_supported_whole(claim: str) -> None:
    assert checker(FIRST, SECOND).support(claim, "LLM-03") == (1.0, f"*{SECOND}*")


def test_a_part_of_a_sentence_is_supported_without_asking_the_trees() -> None:
    assert checker(FIRST, SECOND).support("The adapters are files.", "LLM-03") == (RESTATED, f"*{SECOND}*")


def test_a_changed_figure_is_not_supported_however_near_the_words_are() -> None:
    near = "LoRA trains about 0.1% to 3.7% of the parameters."
    assert float(EMBEDDER.embed([near])[0] @ EMBEDDER.embed([FIRST])[0]) > 0.8
    assert checker(FIRST, SECOND).support(near, "LLM-03") == (0.0, f"*{FIRST}*")


def test_a_word_turned_into_its_opposite_is_not_supported() -> None:
    assert checker(FIRST, SECOND).support("The adapters are large files.", "LLM-03") == (0.0, f"*{SECOND}*")


@pytest.mark.parametrize("figure", ["5", "16"])
def test_a_figure_of_the_caveat_or_a_follow_up_is_founded(figure: str) -> None:
    values, _ = checker(FIRST, SECOND).signals(f"LoRA trains about {figure}% of the parameters.", "LLM-03")
    assert values["figures_missing"] == 1
    assert values["figures_nowhere"] == (0 if figure == "5" else 1) or values["figures_unfounded"] == 0


@pytest.mark.parametrize("said", [0.0, 0.001, 1.0, float("nan")])
def test_an_entailment_model_and_the_trees_must_agree_and_rules_ask_neither(said: float) -> None:
    asked: list[tuple[str, str]] = []

    def entails(passage: str, sentence: str) -> float:
        asked.append((passage, sentence))
        return said

    sentences = [("LLM-03", "Answer", text, EMBEDDER.embed([text])[0]) for text in (FIRST, SECOND)]
    judged = SentenceSupport(EMBEDDER, FakeEntries([ENTRY], *sentences), entails)
    claim = "The adapters are files that LoRA trains cheaply."
    by_trees, quote = checker(FIRST, SECOND).support(claim, "LLM-03")
    assert 0.001 < by_trees < 1
    support, carrying = judged.support(claim, "LLM-03")
    assert support == pytest.approx(min(said, by_trees), nan_ok=True)
    assert carrying == quote
    assert asked == [(f"{FIRST} {SECOND}", claim)]
    assert judged.support("The adapters are large files.", "LLM-03")[0] == 0.0
    assert judged.support("LoRA trains about 0.1% to 3.7% of the parameters.", "LLM-03")[0] == 0.0
    assert judged.support("The adapters are files.", "LLM-03")[0] == RESTATED
    assert len(asked) == 1


def test_an_entry_without_sentences_supports_nothing() -> None:
    assert checker(FIRST).support("Anything.", "EMPTY-1") == (0.0, "")


@pytest.mark.parametrize("claim", ["", "…", "the", "of", "12", "é" * 300, "a " * 400, "`"])
def test_any_text_gets_a_support_from_0_to_1_and_the_trees_know_all_they_ask(claim: str) -> None:
    support, quote = checker(FIRST, SECOND).support(claim or "?", "LLM-03")
    assert 0 <= support <= 1
    assert quote in {f"*{FIRST}*", f"*{SECOND}*"}
    values, _ = checker(FIRST, SECOND).signals(claim or "?", "LLM-03")
    assert set(learnt().trees.names) <= set(values)
    assert all(numpy.isfinite(value) for value in values.values())


def test_words_are_embedded_once() -> None:
    asked: list[str] = []

    class Counting(WordEmbedder):
        def embed(self, texts: Sequence[str]) -> Matrix:
            asked.extend(texts)
            return super().embed(texts)

    embedder = Counting()
    sentences = [("LLM-03", "Answer", text, EMBEDDER.embed([text])[0]) for text in (FIRST, SECOND)]
    gate = SentenceSupport(embedder, FakeEntries([ENTRY], *sentences))
    gate.support("Adapters are tiny files.", "LLM-03")
    asked.clear()
    gate.support("Tiny files are adapters.", "LLM-03")
    assert asked == ["Tiny files are adapters."]


def test_a_tree_asks_four_questions_in_a_row_and_goes_right_above_the_limit() -> None:
    limits = numpy.array([[8.0, 4, 12, 2, 6, 10, 14, 1, 3, 5, 7, 9, 11, 13, 15]])
    tree = Trees(("x",), numpy.zeros((1, 15), dtype=int), limits, numpy.arange(16.0)[None], 7.0)
    assert [tree.score({"x": value + 0.5}) for value in range(16)] == list(range(16))
    assert tree.score({"x": 8.0}) == 7
    assert tree.support({"x": 8.0}) == SUPPORTED
    assert tree.support({"x": 6.5}) < SUPPORTED < tree.support({"x": 8.5})


def test_a_rare_word_weighs_more_and_an_unknown_one_most() -> None:
    assert rarity_weight(0, 157) > rarity_weight(1, 157) > rarity_weight(150, 157) > 0
    kept = learnt()
    assert kept.weigh("zzyzx") == kept.unknown > max(kept.weights.values())
    assert kept.weigh("model") < kept.weigh("lipschitz")
    assert kept.trees.asked.max() < len(kept.trees.names)


def test_the_pairs_are_fit_to_judge_by() -> None:
    labelled = pairs()
    assert len({pair.id for pair in labelled}) == len(labelled)
    held = [pair for pair in labelled if part_of(pair.id) == "held"]
    assert len(held) > 200
    assert {pair.kind for pair in held} == {pair.kind for pair in labelled}
    assert all(int(pair.id[1:]) <= EXTRA for pair in held)
    true = {"paraphrase", "condense", "plain"}
    assert all(pair.supported == (pair.kind in true) for pair in labelled)
    claims = {pair.claim for pair in held}
    assert not claims & {pair.claim for pair in labelled if part_of(pair.id) == "calibrate"}


def test_what_was_learnt_is_small_and_complete() -> None:
    assert FILE.stat().st_size < 300_000
    kept = json.loads(FILE.read_text("utf-8"))
    assert all(len(tree["asked"]) == len(tree["limits"]) == 15 and len(tree["leaves"]) == 16 for tree in kept["trees"])


@pytest.mark.real
def test_unsupported_claims_of_the_part_held_back_are_mostly_stopped(library: Library) -> None:
    gate = SentenceSupport(library.embedder, library.passages)
    held = [pair for pair in pairs() if part_of(pair.id) == "held"]
    bad = Random(0).sample([pair for pair in held if not pair.supported], 40)
    good = Random(0).sample([pair for pair in held if pair.supported], 40)
    assert sum(gate.support(pair.claim, pair.entry)[0] >= SUPPORTED for pair in bad) <= 6
    assert sum(gate.support(pair.claim, pair.entry)[0] >= SUPPORTED for pair in good) >= 14


@pytest.mark.real
def test_a_sentence_of_the_guides_is_supported_by_its_own_entry_and_not_by_another(library: Library) -> None:
    gate = SentenceSupport(library.embedder, library.passages)
    ids = [entry.id for entry in library.store.entries()]
    for entry_id, other in zip(ids[::12], ids[5::12], strict=False):
        sentence = library.passages.sentences(entry_id)[0][1]
        assert gate.support(sentence.text, entry_id) == (1.0, sentence.quote)
        assert gate.support(sentence.text, other)[0] < SUPPORTED, (sentence.text, other)
