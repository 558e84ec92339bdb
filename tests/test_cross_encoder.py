"""The cross-encoder as reranker: real sentence-transformers and torch, a tiny random model, no network."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest

from rag.cross_encoder import CANDIDATES, CrossEncoderReranker, EntailmentModel
from rag.errors import WeightsError
from rag.rerank import PooledReranker
from rag.settings import Settings
from rag.store import write_store
from rag.types import Chunk, Hit
from rag.wiring import Library
from tests.fakes import WordEmbedder, a_hit, an_entry, unit

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "data drift loss nan mode collapse gradient clip window label the a of what is why".split()
PASSAGES = {f"A-{row:02}#0": " ".join(WORDS[row % 11 : row % 11 + 3 + row // 11]) for row in range(CANDIDATES + 4)}
QUESTION = "what is data drift"
VECTOR = unit(1, 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a BERT with random weights that reads at most 32 tokens."""
    return written(tmp_path_factory.mktemp("cross-encoder"), num_labels=1)


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with the three labels of natural-language inference."""
    labels = dict(enumerate(["contradiction", "Entailment", "neutral"]))
    return written(tmp_path_factory.mktemp("inference"), id2label=labels, label2id={v: k for k, v in labels.items()})


def written(folder: Path, **values: Any) -> str:
    """Writes a BERT with random weights into the folder."""
    import torch

    transformers: Any = import_module("transformers")
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]), "utf-8")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=1.0,
        **values,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is asked of the hub, and torch keeps the threads it had."""
    import torch

    threads = torch.get_num_threads()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # The hub's client reads the variable only once, when it is imported.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    yield
    torch.set_num_threads(threads)


def reranker(model: str) -> CrossEncoderReranker:
    return CrossEncoderReranker(model, PASSAGES.__getitem__, 1)


def hits(count: int) -> list[Hit]:
    """The entries of the first passages, in order."""
    return [a_hit(name.split("#")[0], rank, score=1 / rank) for rank, name in enumerate(list(PASSAGES)[:count], 1)]


def relevance(model: str, question: str) -> dict[str, float]:
    """What the model itself says of each passage, asked one by one without sentence-transformers."""
    import torch

    transformers: Any = import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    network = transformers.AutoModelForSequenceClassification.from_pretrained(model).eval()
    found = {}
    for name, passage in PASSAGES.items():
        read = tokenizer(question, passage, return_tensors="pt")
        assert tokenizer.unk_token_id not in read["input_ids"]
        with torch.no_grad():
            found[name.split("#")[0]] = float(torch.sigmoid(network(**read).logits))
    return found


def test_the_first_hits_are_ordered_by_what_the_model_makes_of_question_and_passage(model: str) -> None:
    for question in (QUESTION, "why is the loss nan"):
        expected = relevance(model, question)
        given = hits(CANDIDATES)
        found = reranker(model).rerank(question, VECTOR, given)
        names = [hit.entry_id for hit in given]
        assert {hit.entry_id: hit.scores["cross"] for hit in found} == pytest.approx(
            {name: expected[name] for name in names}, abs=1e-5
        )
        assert [hit.entry_id for hit in found] == sorted(names, key=lambda name: -expected[name]) != names
        assert [hit.rank for hit in found] == list(range(1, CANDIDATES + 1))


def test_a_hit_keeps_its_chunk_and_the_parts_of_its_score(model: str) -> None:
    [given] = hits(1)
    [hit] = reranker(model).rerank(QUESTION, VECTOR, [given])
    assert (hit.chunk_id, hit.scores["score"], set(hit.scores)) == ("A-00#0", 1.0, {"score", "cross"})
    assert set(given.scores) == {"score"}


def test_the_rest_keep_their_places_behind_the_candidates_unread(model: str) -> None:
    asked: list[str] = []

    def passage(chunk_id: str) -> str:
        asked.append(chunk_id)
        return PASSAGES[chunk_id]

    given = hits(CANDIDATES + 4)
    found = CrossEncoderReranker(model, passage, 1).rerank(QUESTION, VECTOR, given)
    assert asked == [hit.chunk_id for hit in given[:CANDIDATES]]
    assert {hit.entry_id for hit in found[:CANDIDATES]} == {hit.entry_id for hit in given[:CANDIDATES]}
    assert found[CANDIDATES:] == given[CANDIDATES:]
    assert [hit.rank for hit in found] == list(range(1, CANDIDATES + 5))


def test_passages_the_model_cannot_tell_apart_stay_in_order(model: str) -> None:
    same = CrossEncoderReranker(model, lambda _: "data drift", 1)
    assert [hit.entry_id for hit in same.rerank(QUESTION, VECTOR, hits(5))] == [hit.entry_id for hit in hits(5)]


def test_without_hits_there_is_nothing_to_rerank(model: str) -> None:
    assert reranker(model).rerank(QUESTION, VECTOR, []) == []


def test_a_passage_or_question_longer_than_the_model_reads_is_cut(model: str) -> None:
    long = CrossEncoderReranker(model, lambda _: "the loss is nan " * 200, 1)
    assert len(long.rerank("why is the loss nan " * 50, VECTOR, hits(2))) == 2


def test_torch_gets_the_threads_that_were_set(model: str) -> None:
    import torch

    for threads in (2, 1):
        CrossEncoderReranker(model, PASSAGES.__getitem__, threads)
        assert torch.get_num_threads() == threads


@pytest.mark.parametrize("name", ["nobody/no-such-model", "/no/such/folder", "no name at all!"])
def test_a_model_that_is_nowhere_is_one_line_with_its_cure(name: str) -> None:
    with pytest.raises(WeightsError, match="cannot be loaded") as caught:
        reranker(name)
    assert repr(name) in caught.value.message
    assert len(str(caught.value).splitlines()) == 1
    assert len(caught.value.message) < 300
    assert caught.value.cure.startswith("Set TUTOR_RERANKER to a folder")


def test_a_folder_without_a_model_and_one_with_a_damaged_model_are_one_line_too(model: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    for path in Path(model).iterdir():
        (tmp_path / "damaged" / path.name).write_bytes(path.read_bytes()[:100])
    for name in ("empty", "damaged"):
        with pytest.raises(WeightsError, match="cannot be loaded") as caught:
            reranker(str(tmp_path / name))
        assert len(str(caught.value).splitlines()) == 1


def test_a_named_cross_encoder_works_after_the_built_in_reranker_on_the_texts_of_the_index(
    model: str, tmp_path: Path
) -> None:
    entries = [an_entry("A-00"), an_entry("A-01")]
    chunks = [Chunk(f"{entry.id}#0", entry.id, "T", "title", PASSAGES[f"{entry.id}#0"]) for entry in entries]
    texts = [chunk.embedding_text for chunk in chunks]
    write_store(tmp_path, entries, chunks, [], dict(zip(texts, WordEmbedder().embed(texts), strict=True)), {})
    library = Library(Settings(home=tmp_path, reranker=model, threads=1), tmp_path)
    first, second = library.rerankers
    found = second.rerank(QUESTION, VECTOR, first.rerank(QUESTION, WordEmbedder().embed([QUESTION])[0], hits(2)))
    library.close()
    assert isinstance(first, PooledReranker)
    expected = relevance(model, QUESTION)
    assert {hit.entry_id: hit.scores["cross"] for hit in found} == pytest.approx(
        {name: expected[name] for name in ("A-00", "A-01")}, abs=1e-5
    )
    assert all("pooled" in hit.scores for hit in found)


def test_nobody_pays_for_a_cross_encoder_who_did_not_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rag.cross_encoder")
    write_store(tmp_path, [], [], [], {}, {})
    library = Library(Settings(home=tmp_path), tmp_path)
    [only] = library.rerankers
    library.close()
    assert isinstance(only, PooledReranker)
    assert "rag.cross_encoder" not in sys.modules


def followed(model: str, passage: str, sentence: str) -> float:
    """What the network itself makes of a pair, without sentence-transformers."""
    import torch

    transformers: Any = import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    network = transformers.AutoModelForSequenceClassification.from_pretrained(model).eval()
    with torch.no_grad():
        logits = network(**tokenizer(passage, sentence, return_tensors="pt")).logits[0]
    return float(torch.softmax(logits, dim=0)[1])


def test_a_sentence_follows_as_far_as_the_column_of_entailment_says(inference: str) -> None:
    model = EntailmentModel(inference, 1)
    pairs = [("the loss is nan", "what is data drift"), ("data drift", "the gradient"), ("collapse", "the loss is nan")]
    found = [model.entails(*pair) for pair in pairs]
    assert found == pytest.approx([followed(inference, *pair) for pair in pairs], abs=1e-5)
    assert len({round(value, 4) for value in found}) == 3
    assert all(0 < value < 1 for value in found)


def test_a_model_without_the_label_is_one_line_with_its_cure(model: str) -> None:
    with pytest.raises(WeightsError, match="has no label 'entailment', only label_0") as caught:
        EntailmentModel(model, 1).entails("a", "b")
    assert caught.value.cure.startswith("Set TUTOR_ENTAILMENT_MODEL to a folder")


def test_an_entailment_model_that_is_nowhere_names_its_setting() -> None:
    model = EntailmentModel("nobody/no-such-model", 1)
    with pytest.raises(WeightsError, match="The entailment model 'nobody/no-such-model' cannot be loaded") as caught:
        model.entails("a", "b")
    assert caught.value.cure.startswith("Set TUTOR_ENTAILMENT_MODEL to a folder")


def test_an_entailment_model_that_failed_is_not_loaded_again(inference: str, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    model = EntailmentModel(str(folder), 1)
    with pytest.raises(WeightsError) as first:
        model.entails("a", "b")
    folder.symlink_to(inference)
    with pytest.raises(WeightsError) as second:
        model.entails("a", "b")
    assert str(second.value) == str(first.value)
    assert 0 < EntailmentModel(str(folder), 1).entails("a", "b") < 1
