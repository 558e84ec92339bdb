"""The coverage model: what it learns from answered and open questions, and how it is kept in the index."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from eval.calibrate import _left_out
from rag.coverage import FILE, RIDGE, SHARPNESS, CoverageModel, kernel
from rag.errors import IndexUnavailable
from rag.types import Matrix
from tests.fakes import unit

X, Y, Z = unit(1, 0, 0), unit(0, 1, 0), unit(0, 0, 1)


def rows(*vectors: Any) -> Matrix:
    return numpy.array(vectors, dtype=numpy.float32)


def questions(count: int, around: float, seed: int) -> Matrix:
    """Unit vectors in 16 dimensions, around the first axis (1) or against it (-1)."""
    found = numpy.random.default_rng(seed).normal(size=(count, 16))
    found[:, 0] += around
    vectors: Matrix = (found / numpy.linalg.norm(found, axis=1, keepdims=True)).astype(numpy.float32)
    return vectors


def fitted(answered: Matrix, left_open: Matrix, key: str = "") -> CoverageModel:
    """A model in which entry A answers every other question and entry B the rest."""
    return CoverageModel.fit(answered, left_open, ["AB"[row % 2] for row in range(len(answered))], key)


def a_model() -> CoverageModel:
    return fitted(questions(12, 1, seed=1), questions(5, -1, seed=2), "key of ä model")


def test_a_question_is_scored_by_the_side_it_is_near() -> None:
    answered, left_open = questions(60, 4, seed=3), questions(60, -4, seed=4)
    model = fitted(answered[:50], left_open[:50])
    assert min(model.score(vector) for vector in answered) > 0.5
    assert max(model.score(vector) for vector in left_open) < -0.5


def test_one_question_a_side_is_scored_as_worked_out_by_hand() -> None:
    model = fitted(rows(X), rows(Y))
    far = numpy.exp(-SHARPNESS)
    assert model.score(X) == pytest.approx((1 - far) / (1 + RIDGE - far))
    assert model.score(Y) == pytest.approx(-model.score(X))
    assert model.score(Z) == pytest.approx(0.0, abs=1e-6)


def test_a_question_unlike_any_other_is_scored_near_the_middle() -> None:
    model = fitted(rows(X, unit(1, 0.1, 0)), rows(unit(1, -0.1, 0)))
    assert abs(model.score(-X)) < 0.1 * model.score(X)


def test_a_question_is_most_like_those_of_the_entry_that_answers_its_neighbours() -> None:
    answered = rows(X, unit(1, 0.3, 0), Y, unit(0.2, 1, 0))
    model = CoverageModel.fit(answered, rows(Z), ["SCN-01", "SCN-01", "FND-02", "FND-02"], "")
    found = model.entry_scores(unit(1, 0.2, 0))
    assert list(found) == ["FND-02", "SCN-01"]
    assert found["SCN-01"] > 0.5 > found["FND-02"]
    assert max(model.entry_scores(Z).values()) < 0.2


def test_one_question_an_entry_is_told_apart_as_worked_out_by_hand() -> None:
    model = CoverageModel.fit(rows(X, Y), rows(Z), ["A", "B"], "")
    # Each side has the same say: the two answered questions are smoothed by 3/2 / 2, the open one by 3/2.
    ridge = numpy.diag(RIDGE / numpy.array([0.75, 0.75, 1.5]))
    similar = kernel(rows(X, Y, Z), rows(X, Y, Z)) + ridge
    weights = numpy.linalg.solve(similar, numpy.array([1.0, 0.0, 0.0]))
    assert model.entry_scores(X)["A"] == pytest.approx(kernel(rows(X), rows(X, Y, Z))[0] @ weights, abs=1e-5)


@pytest.mark.parametrize("times", [1, 40])
def test_both_sides_have_the_same_say_however_many_questions_each_has(times: int) -> None:
    for answered, left_open in ([X] * times, [Y]), ([X], [Y] * times):
        model = fitted(rows(*answered), rows(*left_open))
        assert model.score(X) == pytest.approx(-model.score(Y), abs=1e-4)
        assert model.score(unit(1, 1, 0)) == pytest.approx(0.0, abs=1e-4)


def test_the_kernel_is_one_for_a_question_and_itself_and_falls_with_the_cosine() -> None:
    found = kernel(rows(X, unit(1, 1, 0)), rows(X, Y, -X))
    assert found.shape == (2, 3)
    half = numpy.sqrt(0.5)
    assert found == pytest.approx(numpy.exp(SHARPNESS * numpy.array([[0, -1, -2], [half - 1, half - 1, -half - 1]])))


@pytest.mark.parametrize(("answered", "left_open"), [(1, 1), (7, 4), (60, 20)])
def test_leaving_a_question_out_scores_it_as_a_model_fitted_without_it_does(answered: int, left_open: int) -> None:
    first, second = questions(answered, 0.5, seed=5), questions(left_open, -0.5, seed=6)
    vectors, sides = numpy.concatenate([first, second]), [answered, left_open]
    target = numpy.repeat([1.0, -1.0], sides)
    ridge = RIDGE / (len(vectors) / 2 / numpy.repeat(sides, sides))
    expected = []
    for row in range(len(vectors)):
        others = numpy.delete(vectors, row, axis=0)
        similar = kernel(others, others) + numpy.diag(numpy.delete(ridge, row))
        weights = numpy.linalg.solve(similar, numpy.delete(target, row))
        expected.append(CoverageModel(others, weights.astype(numpy.float32)[:, None], [], "").score(vectors[row]))
    found = _left_out(first, second)
    assert [len(scores) for scores in found] == sides
    assert numpy.concatenate(found) == pytest.approx(numpy.array(expected), abs=1e-4)


def test_a_question_left_out_is_scored_almost_as_by_a_model_learnt_from_the_others() -> None:
    first, second = questions(300, 0.5, seed=7), questions(150, -0.5, seed=8)
    (left_out, _), row = _left_out(first, second), 17
    whole = fitted(first, second).score(first[row])
    without = fitted(numpy.delete(first, row, axis=0), second).score(first[row])
    assert left_out[row] == pytest.approx(without, abs=0.01)
    assert abs(whole - without) > 0.1


def test_a_saved_model_is_loaded_with_its_key_and_scores_the_same(tmp_path: Path) -> None:
    model = a_model()
    model.save(tmp_path)
    loaded = CoverageModel.load(tmp_path)
    assert loaded is not None
    assert loaded.key == "key of ä model"
    for vector in questions(5, 0, seed=9):
        assert loaded.score(vector) == model.score(vector)
        assert loaded.entry_scores(vector) == model.entry_scores(vector)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_folder_without_a_saved_model_has_none(tmp_path: Path) -> None:
    assert CoverageModel.load(tmp_path) is None
    assert CoverageModel.load(tmp_path / "nowhere") is None


def assert_unavailable(folder: Path) -> None:
    with pytest.raises(IndexUnavailable, match="The coverage model in .* cannot be read") as caught:
        CoverageModel.load(folder)
    assert str(folder) in caught.value.message
    assert caught.value.cure == "Run `tutor index --rebuild`."


@pytest.mark.parametrize("body", [b"", b"PK", b"\x93NUMPY", b"not an archive", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_model_is_named_with_its_cure(tmp_path: Path, body: bytes) -> None:
    (tmp_path / FILE).write_bytes(body)
    assert_unavailable(tmp_path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_damaged(tmp_path: Path, share: float) -> None:
    a_model().save(tmp_path)
    body = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(body[: int(len(body) * share)])
    assert_unavailable(tmp_path)


@pytest.mark.parametrize("name", ["vectors", "weights", "entries", "key"])
def test_a_flipped_byte_in_an_array_is_seen(tmp_path: Path, name: str) -> None:
    a_model().save(tmp_path)
    body = bytearray((tmp_path / FILE).read_bytes())
    # The array's first byte stands some 128 bytes of npy header behind its name.
    body[body.index(f"{name}.npy".encode()) + 160] ^= 0xFF
    (tmp_path / FILE).write_bytes(body)
    assert_unavailable(tmp_path)


@pytest.mark.parametrize("missing", ["vectors", "weights", "entries", "key"])
def test_a_model_with_a_missing_part_is_damaged(tmp_path: Path, missing: str) -> None:
    parts: dict[str, Any] = {
        "vectors": rows(X), "weights": numpy.ones((1, 1)), "entries": numpy.array("[]"), "key": numpy.array("")
    }  # fmt: skip
    del parts[missing]
    numpy.savez(tmp_path / FILE, **parts)
    assert_unavailable(tmp_path)


def test_nothing_that_could_run_code_is_read_from_a_model(tmp_path: Path) -> None:
    entries = numpy.array("[]")
    unsafe = numpy.array([{}], dtype=object)
    numpy.savez(tmp_path / FILE, vectors=rows(X), weights=numpy.ones((1, 1)), entries=entries, key=unsafe)
    assert_unavailable(tmp_path)
