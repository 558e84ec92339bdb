"""One question from start to finish, over fakes: every status, the fallback, the notices, the history, the question."""

import json

import pytest

from rag.answer import QUOTE, AnswerWriter, LanguageModelWriter, QuoteWriter
from rag.errors import IndexUnavailable, ModelError, QuestionError, TutorError
from rag.keyword import KeywordIndex
from rag.retrieve import DenseSearcher, Retriever
from rag.support import SentenceSupport
from rag.tutor import NOT_COVERED, UNVERIFIED, Limits, Tutor, clean_question
from rag.types import Answer, Chunk, Source, Turn
from tests.fakes import FakeChat, FakeEntries, ListIndex, WordEmbedder, an_entry

EMBEDDER = WordEmbedder()
DRIFT = "What is data drift in production?"
COLLAPSE = "How does mode collapse show in a generator?"
BARE = "Which optimiser suits a transformer?"
SAID = {
    "FND-03": ["Data drift is a change of the inputs.", "Compare two windows with the PSI."],
    "SCN-20": ["The generator draws the same 3 faces."],
    "LLM-01": [],
}
QUESTIONS = dict(zip(SAID, [DRIFT, COLLAPSE, BARE], strict=True))
LIMITS = Limits(question=300, history=20, sources=2, covered=0.5)


def a_tutor(chat: FakeChat | None = None, limits: Limits = LIMITS, default: str = "", *notices: str) -> Tutor:
    """A tutor over three entries, one of them without a quotable sentence."""
    entries = FakeEntries(
        [an_entry(name, question=text, answer=" ".join(SAID[name])) for name, text in QUESTIONS.items()],
        *[(name, "Answer", text, EMBEDDER.embed([text])[0]) for name, texts in SAID.items() for text in texts],
    )
    chunks = [Chunk(f"{name}#0", name, "T", "question", text) for name, text in QUESTIONS.items()]
    dense = DenseSearcher(EMBEDDER, ListIndex(chunks, EMBEDDER), {chunk.id: chunk.entry_id for chunk in chunks})
    retriever = Retriever(dense, KeywordIndex.build(list(QUESTIONS.items())))
    writers: dict[str, AnswerWriter] = {QUOTE: QuoteWriter(entries, 6)}
    writers["fake-chat"] = LanguageModelWriter(chat or FakeChat(), entries, 6)
    default = default or ("fake-chat" if chat else QUOTE)
    return Tutor(entries, retriever, SentenceSupport(EMBEDDER, entries), writers.get, default, limits, notices)


def claims(*pairs: tuple[str, str]) -> str:
    """A model's reply: sentences, each with one id."""
    return json.dumps({"claims": [{"text": text, "sources": [source]} for text, source in pairs]})


def assert_refused(answer: Answer, message: str) -> None:
    assert (answer.claims, answer.sources, answer.text) == ((), (), message)


def test_a_covered_question_is_answered_with_quotations_and_their_source() -> None:
    answer = a_tutor().ask(DRIFT)
    assert answer.status == "answered"
    assert [(claim.text, claim.sources, claim.support) for claim in answer.claims] == [
        (text, ("FND-03",), 1.0) for text in SAID["FND-03"]
    ]
    assert answer.sources == (Source("FND-03", "Title of FND-03", "scenarios"),)
    assert answer.retrieved[0] == "FND-03"
    assert len(answer.retrieved) == 2
    assert (answer.model, answer.message, answer.dropped_claims) == (QUOTE, "", ())


@pytest.mark.parametrize("question", [DRIFT, "capital France"])
def test_every_answer_carries_its_timings(question: str) -> None:
    times = a_tutor().ask(question).timings_ms
    assert list(times) == ["retrieve", "generate", "verify", "total"]
    assert min(times.values()) >= 0
    assert times["total"] > 0


def test_what_the_guides_do_not_cover_is_refused_without_sources_or_asking_the_model() -> None:
    chat = FakeChat()
    answer = a_tutor(chat).ask("capital France")
    assert answer.status == "not_covered"
    assert_refused(answer, NOT_COVERED)
    assert chat.calls == []
    assert answer.model == "fake-chat"
    assert answer.timings_ms["generate"] == 0


def test_a_score_at_the_threshold_is_covered_and_one_below_is_not() -> None:
    score = a_tutor().search("data drift", limit=1)[0].scores["score"]
    at, above = (Limits(300, 20, 2, covered) for covered in (score, score + 1e-6))
    assert a_tutor(limits=at).ask("data drift").status == "answered"
    assert a_tutor(limits=above).ask("data drift").status == "not_covered"


def test_a_models_supported_sentences_are_the_answer() -> None:
    chat = FakeChat().enqueue(claims((SAID["FND-03"][1], "FND-03")))
    answer = a_tutor(chat).ask(DRIFT)
    assert (answer.status, answer.model, answer.notices) == ("answered", "fake-chat", ())
    assert answer.text == f"{SAID['FND-03'][1]} [FND-03]"
    assert f"<question>\n{DRIFT}\n</question>" in chat.calls[0][0][1]["content"]


def test_one_unsupported_sentence_is_dropped_and_announced() -> None:
    chat = FakeChat().enqueue(claims((SAID["FND-03"][0], "FND-03"), ("Use the KS test.", "FND-03")))
    answer = a_tutor(chat).ask(DRIFT)
    assert answer.status == "answered"
    assert [claim.text for claim in answer.claims] == [SAID["FND-03"][0]]
    assert [claim.text for claim in answer.dropped_claims] == ["Use the KS test."]
    assert answer.notices == ("1 sentence was left out because the guides don't support it.",)


def test_unknown_ids_and_flipped_numbers_are_dropped_and_counted() -> None:
    flipped = SAID["SCN-20"][0].replace("3", "4")
    replies = [(SAID["SCN-20"][0], "SCN-20"), (flipped, "SCN-20"), (SAID["SCN-20"][0], "SCN-99")]
    answer = a_tutor(FakeChat().enqueue(claims(*replies))).ask(COLLAPSE)
    assert [claim.text for claim in answer.claims] == [SAID["SCN-20"][0]]
    assert answer.to_dict()["dropped_claims"] == 2
    assert answer.notices == ("2 sentences were left out because the guides don't support them.",)


def test_when_nothing_can_be_checked_the_answer_is_unverified_and_cites_nothing() -> None:
    answer = a_tutor(FakeChat().enqueue(claims(("Use the KS test.", "FND-03")))).ask(DRIFT)
    assert answer.status == "unverified"
    assert_refused(answer, UNVERIFIED)
    assert len(answer.dropped_claims) == 1
    assert "1 sentence was left out" in answer.notices[0]


def test_a_model_that_finds_no_answer_in_the_sources_says_not_covered() -> None:
    answer = a_tutor(FakeChat().enqueue(claims())).ask(DRIFT)
    assert (answer.status, answer.model) == ("not_covered", "fake-chat")
    assert_refused(answer, NOT_COVERED)


def test_an_entry_with_nothing_to_quote_is_unverified() -> None:
    answer = a_tutor().ask(BARE)
    assert answer.status == "unverified"
    assert_refused(answer, UNVERIFIED)


@pytest.mark.parametrize("reply", [ModelError("http://x cannot be reached.", "Check OPENAI_BASE_URL."), "no JSON"])
def test_when_the_model_fails_the_quoted_answer_steps_in_with_a_notice(reply: str | Exception) -> None:
    answer = a_tutor(FakeChat().enqueue(reply)).ask(DRIFT)
    quoted = a_tutor().ask(DRIFT)
    assert (answer.status, answer.model, answer.claims) == ("answered", QUOTE, quoted.claims)
    assert answer.sources == quoted.sources
    [notice] = answer.notices
    expected = str(reply) if isinstance(reply, ModelError) else "The language model's reply was not the JSON"
    assert notice.startswith(expected)
    assert notice.endswith("This is the quoted answer instead.")


def test_a_failed_model_over_an_entry_with_nothing_to_quote_is_unverified() -> None:
    answer = a_tutor(FakeChat().enqueue(ModelError("It failed."))).ask(BARE)
    assert answer.status == "unverified"
    assert_refused(answer, UNVERIFIED)
    assert answer.notices == ("It failed. This is the quoted answer instead.",)


def test_faults_other_than_the_models_are_not_covered_up() -> None:
    with pytest.raises(IndexUnavailable, match="gone"):
        a_tutor(FakeChat().enqueue(IndexUnavailable("The index is gone."))).ask(DRIFT)


@pytest.mark.parametrize("question", [DRIFT, "capital France"])
def test_standing_notices_come_first_with_every_answer(question: str) -> None:
    chat = FakeChat().enqueue(ModelError("It failed."))
    answer = a_tutor(chat, LIMITS, "", "The index is old.").ask(question)
    assert answer.notices[0] == "The index is old."


def test_the_writer_is_the_default_unless_another_is_named() -> None:
    chat = FakeChat().enqueue(claims((SAID["FND-03"][0], "FND-03")))
    assert a_tutor(chat, default=QUOTE).ask(DRIFT).model == QUOTE
    assert a_tutor(chat, default=QUOTE).ask(DRIFT, model="fake-chat").model == "fake-chat"


def test_a_model_nobody_knows_is_named_with_the_cure() -> None:
    with pytest.raises(QuestionError, match="There is no model called 'nosuch") as caught:
        a_tutor().ask(DRIFT, model="nosuch" + "h" * 500)
    assert "--model quote" in caught.value.cure
    assert "OPENAI_API_KEY" in caught.value.cure
    assert len(caught.value.message) < 200


def test_a_follow_up_is_answered_as_the_question_it_stands_for() -> None:
    history = [Turn("user", COLLAPSE), Turn("assistant", "It draws the same faces.")]
    answer = a_tutor().ask("why\nthat?", history)
    assert answer.question == "why that?"
    assert answer.standalone_question == f"{COLLAPSE[:-1]}: why that?"
    assert answer.retrieved[0] == "SCN-20"


@pytest.mark.parametrize(("kept", "subject"), [(0, ""), (1, "How is it done: "), (20, f"{COLLAPSE[:-1]}: ")])
def test_only_the_latest_turns_count(kept: int, subject: str) -> None:
    history = [Turn("user", COLLAPSE), Turn("user", "How is it done?")]
    tutor = a_tutor(limits=Limits(300, kept, 2, 0.0))
    assert tutor.ask("why?", history).standalone_question == f"{subject}why?"


@pytest.mark.parametrize("earlier", ["half \ud83d of a character", "\x1b[2J", "long " * 100])
def test_an_earlier_turn_that_is_not_usable_is_refused(earlier: str) -> None:
    for call in (a_tutor().ask, lambda text, turns: a_tutor().search(text, limit=1, history=turns)):
        with pytest.raises(QuestionError, match="An earlier turn"):
            call("and why is that?", [Turn("user", earlier)])


def test_what_an_assistant_said_earlier_is_not_judged() -> None:
    assert a_tutor().ask(DRIFT, [Turn("assistant", "\x1b" * 1000), Turn("user", "")]).status == "answered"


def test_search_gives_ranked_hits_with_the_parts_of_their_scores() -> None:
    hits = a_tutor().search(f"  {COLLAPSE}\n", limit=2)
    assert hits[0].entry_id == "SCN-20"
    assert [hit.rank for hit in hits] == [1, 2]
    assert set(hits[0].scores) == {"score", "dense", "cosine", "keyword", "coverage"}


def test_search_and_ask_refuse_the_same_questions() -> None:
    errors: list[TutorError] = []
    for call in (a_tutor().ask, lambda text: a_tutor().search(text, limit=1)):
        with pytest.raises(QuestionError, match="The question is empty") as caught:
            call(" ")
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])


@pytest.mark.parametrize(
    ("question", "cleaned"),
    [
        ("What is drift?", "What is drift?"),
        ("  What\n\n is\tdrift?\r\n", "What is drift?"),
        ("\u00a0PSI\u2003?", "PSI ?"),
        ("7", "7"),
        ("什么是数据漂移？", "什么是数据漂移？"),
        ("why 🤔 does it drift?", "why 🤔 does it drift?"),
        ("<b>a && b</b>; DROP TABLE", "<b>a && b</b>; DROP TABLE"),
        ("zero\u200bwidth", "zero\u200bwidth"),
    ],
)
def test_text_is_taken_with_its_white_space_folded(question: str, cleaned: str) -> None:
    assert clean_question(question, 100) == cleaned


@pytest.mark.parametrize("question", ["", " ", "\n\t \u3000", "?", "?!… —", "🤔", "\u200b\u200b", " " * 20_000])
def test_a_question_without_a_letter_or_digit_is_empty(question: str) -> None:
    with pytest.raises(QuestionError, match="The question is empty") as caught:
        clean_question(question, 100)
    assert 'tutor ask "What is data drift?"' in caught.value.cure


@pytest.mark.parametrize(
    "question",
    ["drift \x00", "\x1b[31mdrift", "drift\x7f", "dr\x08ift", "drift\x85", "drift \ud800", "\udce9t\udce9", "\x07"],
)
def test_control_characters_and_lone_surrogates_are_not_text(question: str) -> None:
    with pytest.raises(QuestionError, match="The question contains control characters or bytes that") as caught:
        clean_question(question, 100)
    assert caught.value.cure == "Type it as plain text (UTF-8)."
    caught.value.message.encode()


def test_a_question_too_long_names_its_length_the_limit_and_the_setting() -> None:
    with pytest.raises(QuestionError, match="has 20,000 characters; at most 2,000 are read") as caught:
        clean_question("a" * 20_000, 2000)
    assert "TUTOR_QUESTION_LIMIT" in caught.value.cure


def test_a_question_as_long_as_the_limit_is_taken_and_white_space_does_not_count() -> None:
    assert clean_question("a" * 50 + " " * 900 + "b" * 49, 100) == "a" * 50 + " " + "b" * 49
    with pytest.raises(QuestionError, match="has 101 characters"):
        clean_question("a" * 101, 100)
