"""The table of models: every figure a download is checked against is there and well-formed."""

import re

import pytest

from rag.catalog import LOCAL, LOCAL_MODEL, MODELS, TABLE, RegistryCopy, WeightFile, Weights
from tests.fakes import CALIBRATION

NAMES = sorted(TABLE)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_file_has_a_name_a_size_and_a_sha256(name: str) -> None:
    for file in MODELS[name].files:
        assert file.name
        assert file.size > 0
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_those_the_embedder_reads_the_model_first(name: str) -> None:
    files = [file.name for file in TABLE[name].files]
    assert files == ["model.safetensors", "tokenizer.json", "config.json"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_source_is_pinned(name: str) -> None:
    weights = MODELS[name]
    assert re.fullmatch("[0-9a-f]{40}", weights.revision)
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", package) for package in weights.copy.packages)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_found_under_its_own_name_and_licensed(name: str) -> None:
    weights = TABLE[name]
    assert weights.name == name
    assert weights.licence == "Apache-2.0"
    assert weights.repository.endswith(f"/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_many_packages_are_pieces_of_one_archive_and_one_package_holds_the_files(name: str) -> None:
    copy = TABLE[name].copy
    assert len(copy.packages) >= 1
    assert len(set(copy.packages)) == len(copy.packages)
    assert (len(copy.packages) > 1) == bool(copy.piece)
    assert copy.prefix.endswith("/")
    assert copy.piece.format(1) != copy.piece.format(2) or not copy.piece


@pytest.mark.parametrize("name", NAMES)
def test_a_nearer_entry_and_a_question_like_the_answered_ones_are_likelier_covered(name: str) -> None:
    learnt = TABLE[name].calibration
    assert min(learnt.score, learnt.model, learnt.alone_slope) > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_best_score_there_is_counts_as_covered_and_none_at_all_does_not(name: str) -> None:
    learnt = TABLE[name].calibration
    assert learnt.score + learnt.model + learnt.bias > 0 > learnt.bias
    assert 0 < learnt.alone_threshold < 1


def test_no_two_files_of_the_table_share_a_hash() -> None:
    hashes = [file.sha256 for weights in MODELS.values() for file in weights.files]
    assert len(set(hashes)) == len(hashes)


def test_the_size_is_the_sum_and_the_hash_that_of_the_first_file() -> None:
    files = (WeightFile("a", 5, "aa"), WeightFile("b", 7, "bb"))
    weights = Weights("m", "MIT", "o/m", "r", files, RegistryCopy(("m==1",), "m/"), 16, 4, CALIBRATION)
    assert (weights.size, weights.hash) == (12, "aa")


def test_the_local_model_is_one_file_in_pieces_and_no_embedder() -> None:
    assert MODELS == {**TABLE, LOCAL: LOCAL_MODEL}
    assert LOCAL not in TABLE
    (file,) = LOCAL_MODEL.files
    assert file.name.endswith(".gguf")
    copy = LOCAL_MODEL.copy
    assert (copy.archive, copy.piece.format(1), copy.piece.format(22)) == (
        False,
        "/data/part01.bin",
        "/data/part22.bin",
    )
    assert copy.packages[0].endswith("part1==0.2.0")
    assert len(set(copy.packages)) == len(copy.packages) == 22
    assert LOCAL_MODEL.licence == "Apache-2.0"
