"""The values that travel: an answer's text, a chunk's embedded text, frozenness."""

import dataclasses

import pytest

from rag.types import Answer, Chunk, Claim, Shown, Source, Turn, Understood, bracketed

CLAIM = Claim("Drift is a change of the inputs.", ("FND-03", "QNA-09"), 0.97126, "**Drift** is a change of the inputs.")
SECOND = Claim("Retrain on recent data.", ("FND-07",), 1.0, "Retrain on recent data.")


def an_answer(*claims: Claim, message: str = "") -> Answer:
    return Answer(
        question="and then?",
        standalone_question="What is drift: and then?",
        status="answered" if claims else "not_covered",
        claims=claims,
        sources=(Source("FND-03", "Data drift", "foundations"),) if claims else (),
        retrieved=("FND-03", "FND-07"),
        model="quote",
        notices=("A notice.",),
        timings_ms={"retrieve": 12.3456, "total": 20.0},
        dropped_claims=(SECOND, SECOND),
        message=message,
    )


def test_the_text_is_the_claims_each_followed_by_its_ids() -> None:
    assert an_answer(CLAIM, SECOND).text == (
        "Drift is a change of the inputs. [FND-03] [QNA-09] Retrain on recent data. [FND-07]"
    )


def test_the_text_of_a_refusal_is_its_message() -> None:
    assert an_answer(message="The guides don't cover this.").text == "The guides don't cover this."


def test_what_is_left_open_is_said_after_the_claims() -> None:
    assert an_answer(CLAIM, message="One part is open.").text == (
        "Drift is a change of the inputs. [FND-03] [QNA-09] One part is open."
    )


def test_what_is_beside_an_answer_is_no_part_of_its_text() -> None:
    beside = dataclasses.replace(an_answer(message="Nothing could be checked."), quoted=(CLAIM,), choices=("a?", "b?"))
    assert beside.text == "Nothing could be checked."


def test_ids_are_bracketed_one_by_one() -> None:
    assert bracketed(["SCN-14", "LLM-02"]) == "[SCN-14] [LLM-02]"
    assert bracketed([]) == ""


def test_a_chunk_is_embedded_with_its_context_before_it() -> None:
    assert Chunk("A-1#2", "A-1", "T", "answer", "the text", "T. Q?").embedding_text == "T. Q?\nthe text"


def test_a_chunk_without_context_is_embedded_as_it_is() -> None:
    assert Chunk("A-1#0", "A-1", "T", "title", "T").embedding_text == "T"


def test_a_question_on_its_own_means_shows_and_searches_itself() -> None:
    assert Understood.alone("What is drift?") == Understood(
        text="What is drift?", meanings=(("What is drift?", 1.0),), words="What is drift?"
    )


@pytest.mark.parametrize(
    "value", [CLAIM, Shown(CLAIM, "quote"), Turn("user", "hi"), Understood.alone("hi"), an_answer(CLAIM)]
)
def test_values_cannot_be_changed(value: object) -> None:
    name = dataclasses.fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, "other")
