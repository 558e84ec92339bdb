"""One question through every stage: what the trace holds is what the tutor's own parts did."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from rag.abstain import logistic
from rag.answer import QUOTE
from rag.catalog import TABLE, Calibration
from rag.errors import QuestionError
from rag.parts import parts_of
from rag.rerank import nearness
from rag.retrieve import FIRST, fuse
from rag.spelling import Speller
from rag.tutor import COVERED
from rag.types import Understood
from rag.wiring import Library
from tests.fakes import a_hit
from tests.servers import CHAT, MODELS, chat_reply, models_reply, serving
from ui.trace import SPENT, corrections, moved, odds, trace
from ui.watched import AGAIN, FUSED, MEANING, RERANKED, WORDS, Stage

TYPOS = "why does my lstm los becom nan durng trainig?"
TWO_PARTS = "What is dropout, and who won the world cup in 1998?"
OFF_TOPIC = "what is the capital of France"


def test_corrections_keep_every_letter_of_both_texts() -> None:
    typed, meant = "My lstm, los = NaN (durng trainig)?", "My lstm, loss = NaN (during training)?"
    pieces = corrections(typed, meant)
    assert "".join(old for old, _ in pieces) == typed
    assert "".join(new for _, new in pieces) == meant
    assert [pair for pair in pieces if pair[0] != pair[1]] == [
        ("los", "loss"), ("durng", "during"), ("trainig", "training"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x", "?!", "what is data drift", "naïve Bayes, überfit’d"])
def test_a_text_without_corrections_stays_whole(text: str) -> None:
    pieces = corrections(text, text)
    assert "".join(old for old, _ in pieces) == text
    assert all(old == new for old, new in pieces)


def test_a_move_is_counted_in_places_won() -> None:
    before = Stage(MEANING, (a_hit("A", 1), a_hit("B", 2), a_hit("C", 3)))
    after = Stage(FUSED, (a_hit("C", 1), a_hit("A", 2), a_hit("D", 3)))
    assert [moved(before, after, name) for name in ("C", "A", "D", "B")] == [2, -1, None, None]


WEIGHTS = Calibration(score=10.0, model=2.0, bias=-6.0, alone_slope=8.0, alone_threshold=0.5)


def test_the_terms_add_up_to_the_probability_of_the_side_that_decided() -> None:
    hits = [a_hit("SCN-09", score=0.7), a_hit("DOC-01", score=0.9), a_hit("SCN-08", score=0.6)]
    own = odds(hits, {"DOC-01"}, 0.5, WEIGHTS, logistic(8 * (0.9 - 0.5)))
    assert [(term.name, term.value, term.weight) for term in own] == [
        ("Nearness of the best document", 0.9, 8.0), ("Constant", -0.5, 8.0),
    ]  # fmt: skip
    guide = odds(hits, {"DOC-01"}, 0.5, WEIGHTS, logistic(7 + 1 - 6))
    assert [term.product for term in guide] == [7.0, 1.0, -6.0]
    unlearnt = odds(hits[:1], set(), None, WEIGHTS, logistic(8 * (0.7 - 0.5)))
    assert [term.value for term in unlearnt] == [0.7, -0.5]


def test_terms_that_do_not_add_up_are_not_shown() -> None:
    assert odds([a_hit("SCN-09", score=0.7)], set(), 0.5, WEIGHTS, 0.123) == ()
    assert odds([], set(), 0.5, WEIGHTS, 0.0) == ()


@pytest.mark.real
def test_every_list_is_the_one_that_the_tutor_worked_with(library: Library) -> None:
    done = trace(library, TYPOS)
    (search,) = done.searches
    meant = Speller.load(library.folder).correct(TYPOS)
    assert meant != TYPOS
    assert search.words == meant
    assert search.meanings == (TYPOS,)
    assert "".join(new for _, new in done.typed) == meant
    # As the retriever does, the sum of the weighted vectors is brought to unit length once more.
    vector = library.retriever.retrieve(Understood.alone(TYPOS), limit=1).vector
    dense = library.dense.search_vector(vector, limit=FIRST)
    words = library.keyword.search(meant, limit=FIRST)
    whole = library.retriever.retrieve(Understood.alone(TYPOS), limit=FIRST)
    assert [stage.name for stage in search.stages] == [MEANING, WORDS, FUSED, RERANKED]
    assert search.stage(MEANING).hits == tuple(dense)
    assert search.stage(WORDS).hits == tuple(words)
    assert search.stage(FUSED).hits == tuple(fuse(dense, words))
    assert search.stage(RERANKED).hits == whole.hits
    assert search.stage(AGAIN).hits == ()
    assert search.covered == whole.covered


@pytest.mark.real
@pytest.mark.parametrize("question", [TYPOS, TWO_PARTS, OFF_TOPIC, "when is PR-AUC better than ROC-AUC?"])
def test_the_answer_is_the_tutor_s_own(library: Library, question: str) -> None:
    done, asked = trace(library, question), library.tutor().ask(question)
    for field in ("question", "standalone_question", "status", "claims", "sources", "retrieved", "model", "notices",
                  "dropped_claims", "message", "related", "choices", "uncovered", "covered"):  # fmt: skip
        assert getattr(done.answer, field) == getattr(asked, field), field


@pytest.mark.real
def test_the_probability_is_taken_apart_for_every_kind_of_question(library: Library) -> None:
    for question in (TYPOS, OFF_TOPIC, TWO_PARTS):
        for search in trace(library, question).searches:
            assert len(search.odds) == 3
            assert logistic(sum(term.product for term in search.odds)) == pytest.approx(search.covered, abs=1e-6)
            assert search.odds[0].value == max(map(nearness, search.stages[-1].hits))
            assert search.odds[0].weight == TABLE[library.settings.embedding_model].calibration.score


@pytest.mark.real
def test_the_parts_of_a_question_are_searches_of_their_own(library: Library) -> None:
    done = trace(library, TWO_PARTS)
    parts = parts_of(TWO_PARTS)
    assert len(parts) == 2
    # The second part is short enough to be searched as a follow-up as well.
    assert len(done.searches) >= 3
    assert done.searches[0].meanings == (TWO_PARTS,)
    assert {search.meanings[0] for search in done.searches[1:]} == set(parts)
    for search in done.searches:
        assert [stage.name for stage in search.stages] == [MEANING, WORDS, FUSED, RERANKED]
    assert done.answer.status == "partial"
    assert done.sent == done.answer.retrieved


@pytest.mark.real
def test_what_is_refused_sent_nothing(library: Library) -> None:
    done = trace(library, OFF_TOPIC)
    assert done.answer.status == "not_covered"
    assert done.searches[0].covered < COVERED
    assert done.sent == ()
    assert done.unsent == done.searches[0].stage(RERANKED).hits


@pytest.mark.real
def test_what_was_sent_and_what_came_next_are_the_last_list(library: Library) -> None:
    done = trace(library, TYPOS)
    last = done.searches[0].stage(RERANKED).hits
    assert done.sent == tuple(hit.entry_id for hit in last[: library.settings.sources])
    assert done.unsent == last[library.settings.sources :]
    assert {hit.entry_id for stage in done.searches[0].stages for hit in stage.hits} == set(done.titles)
    assert done.titles["SCN-09"] == library.store.entry("SCN-09").title


@pytest.mark.real
def test_a_follow_up_is_searched_with_what_was_asked_before(library: Library) -> None:
    before, question = "what is concept drift?", "and how is it different from data drift?"
    done = trace(library, question, before)
    assert done.before == before
    assert done.answer.standalone_question.startswith("what is concept drift: and how")
    (search,) = done.searches
    assert len(search.meanings) == 3
    assert search.meanings[0] == question
    assert search.words == f"what is concept drift. {question}"
    assert trace(library, question, "  ").before == ""


@pytest.mark.real
def test_timings_have_every_name_and_add_up(library: Library) -> None:
    done = trace(library, TYPOS)
    assert tuple(done.timings_ms) == SPENT
    assert all(value >= 0 for value in done.timings_ms.values())
    assert sum(done.timings_ms.values()) == pytest.approx(done.answer.timings_ms["total"], abs=1e-6)
    for name in ("embedding", MEANING, WORDS, "reranking", "writing"):
        assert done.timings_ms[name] > 0, name


@pytest.mark.real
def test_traces_at_the_same_time_do_not_mix(library: Library) -> None:
    asked = [TYPOS, TWO_PARTS, OFF_TOPIC, "what is data drift?"] * 3
    alone = {question: trace(library, question).searches for question in set(asked)}
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda question: trace(library, question).searches, asked))
    assert together == [alone[question] for question in asked]


@pytest.mark.real
@pytest.mark.parametrize(
    ("question", "before", "model"),
    [("", "", QUOTE), ("x" * 5000, "", QUOTE), ("why?", "\x00", QUOTE), ("why?", "", "no")],
)
def test_what_cannot_be_asked_is_the_same_error(library: Library, question: str, before: str, model: str) -> None:
    with pytest.raises(QuestionError):
        trace(library, question, before, model)


@pytest.fixture
def written(library: Library) -> Iterator[Any]:
    """The real library with a language model behind a real server, told what to say."""
    good = {"text": "The standard cure is gradient clipping.", "sources": ["SCN-09"]}
    bad = {"text": "Paris is the capital of France.", "sources": ["SCN-09"]}
    replies = [chat_reply(json.dumps({"claims": [good, bad]}))]
    with serving({CHAT: replies, MODELS: [models_reply("tiny")]}) as server:
        chosen = {"base_url": server.url, "api_key": SecretStr("sk-x"), "model": "tiny", "first_byte_seconds": 5.0}
        settings = library.settings.model_copy(update=chosen)
        yield lambda home: _over(library, settings.model_copy(update={"home": home}))


def _over(library: Library, settings: Any) -> Library:
    opened = Library(settings, library.folder)
    vars(opened)["embedder"] = library.embedder
    return opened


@pytest.mark.real
def test_a_written_answer_keeps_what_was_left_out(written: Any, tmp_path: Any) -> None:
    library = written(tmp_path)
    try:
        done = trace(library, "my lstm loss becomes NaN, what can I do?", model="tiny")
        assert done.answer.model == "tiny"
        assert [claim.text for claim in done.answer.dropped_claims] == ["Paris is the capital of France."]
        assert done.answer.dropped_claims[0].support < 0.6
        assert [claim.sources for claim in done.answer.claims] == [("SCN-09",)]
        assert done.timings_ms["checking"] > 0
        # Kept on disk, it is not written again.
        again = trace(library, "my lstm loss becomes NaN, what can I do?", model="tiny")
        assert [claim.text for claim in again.answer.claims] == [claim.text for claim in done.answer.claims]
        assert again.timings_ms["writing"] == 0
    finally:
        library.close()
