"""Written answers are kept on disk as JSON and come back as they were."""

import json
import pickle
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from rag.cache import AnswerCache
from rag.shape import answer_from_dict, answer_to_dict
from rag.types import Answer, Claim, Source

ANSWER = Answer(
    question="what is drift",
    standalone_question="what is drift",
    status="partial",
    claims=(Claim("Inputs change.", ("FND-03",), 0.9, "The inputs change."),),
    sources=(Source("FND-03", "Drift", "Foundations"),),
    retrieved=("FND-03", "FND-04"),
    model="m",
    notices=("a",),
    timings_ms={"total": 2.0},
    dropped_claims=(Claim("Pigs fly.", (), 0.1, ""),),
    message="One part is missing.",
    quoted=(Claim("The inputs change.", ("FND-03",), 1.0, "The inputs change."),),
    related=(Source("FND-04", "Concept drift", "Foundations"),),
    choices=("a?", "b?"),
    uncovered=("the weather",),
    covered=0.75,
)


def test_an_answer_comes_back_as_it_was_even_in_another_process_of_the_cache(tmp_path: Path) -> None:
    first = AnswerCache(tmp_path)
    first.put("k", ANSWER)
    first.close()
    second = AnswerCache(tmp_path)
    assert second.get("k") == ANSWER
    assert second.get("other") is None
    second.close()


def test_the_shape_of_an_answer_goes_both_ways() -> None:
    values = json.loads(json.dumps(answer_to_dict(ANSWER)))
    assert answer_from_dict(values, ANSWER.dropped_claims) == ANSWER


@pytest.mark.parametrize("junk", ["", "null", "[]", '{"answer": {}}', "\x80"])
def test_an_unreadable_value_is_no_answer(tmp_path: Path, junk: str) -> None:
    cache = AnswerCache(tmp_path)
    cache.put("k", ANSWER)
    cache._open().set("k", junk)
    assert cache.get("k") is None
    cache.close()


def changed(folder: Path, column: str, value: object) -> AnswerCache:
    """A cache in whose one row somebody changed a column."""
    first = AnswerCache(folder)
    first.put("k", ANSWER)
    first.close()
    with closing(sqlite3.connect(folder / "cache.db")) as rows:
        rows.execute(f"UPDATE Cache SET {column} = ?", (value,))
        rows.commit()
    return AnswerCache(folder)


def test_a_flipped_byte_is_no_answer(tmp_path: Path) -> None:
    held = zlib.compress(json.dumps("whatever is kept").encode())
    for place in range(len(held)):
        flipped = bytes([*held[:place], held[place] ^ 0x41, *held[place + 1 :]])
        cache = changed(tmp_path, "value", flipped)
        assert cache.get("k") is None, place
        cache.close()


def test_a_row_that_says_it_is_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "opened",)

    changed(tmp_path, "mode", 4).close()
    cache = changed(tmp_path, "value", pickle.dumps(Bad()))
    with closing(sqlite3.connect(tmp_path / "cache.db")) as rows:
        rows.execute("UPDATE Cache SET mode = 4")
        rows.commit()
    assert cache.get("k") is None
    assert not (tmp_path / "opened").exists()
    cache.close()


def test_a_database_that_somebody_else_holds_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.cache.LOCKED_SECONDS", 0.01)
    cache = AnswerCache(tmp_path)
    cache.put("k", ANSWER)
    with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        cache.put("k", replace(ANSWER, message="Another."))
        assert cache.get("k") in (None, ANSWER)
        other.execute("ROLLBACK")
    assert cache.get("k") == ANSWER
    cache.close()


@pytest.mark.parametrize(("old", "new"), [('"Inputs change."', "5"), ('["FND-03"]', "[5]"), ('"Pigs fly."', "null")])
def test_a_claim_that_is_not_text_is_no_answer(tmp_path: Path, old: str, new: str) -> None:
    cache = AnswerCache(tmp_path)
    cache.put("k", ANSWER)
    kept = cache._open()["k"]
    assert old in kept
    cache._open()["k"] = kept.replace(old, new)
    assert cache.get("k") is None
    cache.close()


def test_a_cache_that_cannot_be_opened_keeps_nothing_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = AnswerCache(tmp_path / "file" / "cache")
    cache.put("k", ANSWER)
    assert cache.get("k") is None
    cache.close()
