"""One question from start to finish, over fakes: every status, the fallback, the notices, the history."""

import json
from collections.abc import Callable, Sequence

import pytest

from rag.answer import QUOTE, AnswerWriter, LanguageModelWriter, QuoteWriter
from rag.errors import IndexUnavailable, ModelError, QuestionError, TutorError
from rag.keyword import KeywordIndex
from rag.retrieve import DenseSearcher, Retriever
from rag.support import SentenceSupport
from rag.tutor import NOT_COVERED, UNVERIFIED, Limits, Tutor
from rag.types import Answer, Chunk, Hit, Source, Turn, Vector
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
LIMITS = Limits(question=300, history=20, sources=2)
Judge = Callable[[Vector, Sequence[Hit]], float]


def by_score(vector: Vector, hits: Sequence[Hit]) -> float:
    """As likely covered as the best entry is near."""
    return hits[0].scores["score"]


def always(odds: float) -> Judge:
    """A judge that says the same of every question."""
    return lambda vector, hits: odds


def a_tutor(
    chat: FakeChat | None = None,
    limits: Limits = LIMITS,
    default: str = "",
    *notices: str,
    judge: Judge = by_score,
    rewriter: FakeChat | None = None,
) -> Tutor:
    """A tutor over three entries, one of them without a quotable sentence."""
    entries = FakeEntries(
        [an_entry(name, question=text, answer=" ".join(SAID[name])) for name, text in QUESTIONS.items()],
        *[(name, "Answer", text, EMBEDDER.embed([text])[0]) for name, texts in SAID.items() for text in texts],
    )
    chunks = [Chunk(f"{name}#0", name, "T", "question", text) for name, text in QUESTIONS.items()]
    dense = DenseSearcher(EMBEDDER, ListIndex(chunks, EMBEDDER), {chunk.id: chunk.entry_id for chunk in chunks})
    retriever = Retriever(dense, KeywordIndex.build(list(QUESTIONS.items())), judge=judge)
    writers: dict[str, AnswerWriter] = {QUOTE: QuoteWriter(entries, 6)}
    writers["fake-chat"] = LanguageModelWriter(chat or FakeChat(), entries, 6)
    default = default or ("fake-chat" if chat else QUOTE)
    checker = SentenceSupport(EMBEDDER, entries)
    return Tutor(entries, retriever, checker, writers.get, default, limits, notices, rewriter)


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


def test_a_question_is_answered_from_even_odds_on() -> None:
    assert a_tutor(judge=always(0.5)).ask(DRIFT).status == "answered"
    answer = a_tutor(judge=always(0.5 - 1e-6)).ask(DRIFT)
    assert answer.status == "not_covered"
    assert_refused(answer, NOT_COVERED)
    assert answer.retrieved[0] == "FND-03"


def test_when_nothing_is_found_nothing_is_answered_whatever_the_odds() -> None:
    answer = a_tutor(limits=Limits(question=300, history=20, sources=0), judge=always(1.0)).ask(DRIFT)
    assert (answer.status, answer.retrieved) == ("not_covered", ())
    assert_refused(answer, NOT_COVERED)


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


def test_a_language_model_that_answers_also_puts_a_follow_up_as_a_question_of_its_own() -> None:
    rewriter = FakeChat().enqueue(json.dumps({"question": COLLAPSE}))
    chat = FakeChat().enqueue(claims((SAID["SCN-20"][0], "SCN-20")))
    history = [Turn("user", "Tell me  about\nGANs."), Turn("assistant", "They draw faces. [GEN-01]")]
    answer = a_tutor(chat, rewriter=rewriter).ask("how does it  show?", history)
    assert (answer.question, answer.standalone_question) == ("how does it show?", COLLAPSE)
    assert (answer.retrieved[0], answer.status, answer.notices) == ("SCN-20", "answered", ())
    told = json.loads(rewriter.calls[0][0][1]["content"])
    assert told["last_turn"] == "how does it show?"
    assert "user: Tell me about GANs." in told["conversation"]


def test_when_the_model_cannot_put_the_follow_up_the_conversation_is_understood_without_it() -> None:
    chat = FakeChat().enqueue(claims((SAID["SCN-20"][0], "SCN-20")))
    history = [Turn("user", COLLAPSE), Turn("assistant", "It draws the same faces.")]
    rewriter = FakeChat().enqueue(ModelError("http://x cannot be reached."))
    answer = a_tutor(chat, LIMITS, "", "The index is old.", rewriter=rewriter).ask("why that?", history)
    assert answer.standalone_question == f"{COLLAPSE[:-1]}: why that?"
    assert (answer.status, answer.model, answer.retrieved[0]) == ("answered", "fake-chat", "SCN-20")
    assert answer.notices == (
        "The index is old.",
        "http://x cannot be reached. The conversation was understood without it.",
    )


def test_a_language_model_reads_no_first_question_and_nothing_of_those_who_chose_quotations() -> None:
    rewriter = FakeChat()
    chat = FakeChat().enqueue(claims((SAID["FND-03"][0], "FND-03")))
    assert a_tutor(chat, rewriter=rewriter).ask(DRIFT).status == "answered"
    assert a_tutor(rewriter=rewriter).ask("why that?", [Turn("user", COLLAPSE)]).retrieved[0] == "SCN-20"
    a_tutor(chat, rewriter=rewriter).ask("why that?", [Turn("user", COLLAPSE)], model=QUOTE)
    assert rewriter.calls == []


@pytest.mark.parametrize(("kept", "subject"), [(0, ""), (1, "How is it done: "), (20, f"{COLLAPSE[:-1]}: ")])
def test_only_the_latest_turns_count(kept: int, subject: str) -> None:
    history = [Turn("user", COLLAPSE), Turn("user", "How is it done?")]
    tutor = a_tutor(limits=Limits(300, kept, 2), judge=always(1.0))
    assert tutor.ask("why?", history).standalone_question == f"{subject}why?"


def test_what_was_replied_earlier_helps_to_find_what_a_follow_up_is_about() -> None:
    asked, replied = Turn("user", "Tell me about pictures."), Turn("assistant", "Mode collapse may show. [SCN-20]")
    assert a_tutor().ask("why that?", [asked, replied]).retrieved[0] == "SCN-20"
    assert a_tutor().ask("why that?", [asked]).retrieved[0] != "SCN-20"


def test_search_understands_a_follow_up_as_ask_does() -> None:
    history = [Turn("user", COLLAPSE), Turn("assistant", "It draws the same faces.")]
    found = [hit.entry_id for hit in a_tutor().search("why\nthat?", limit=2, history=history)]
    assert tuple(found) == a_tutor().ask("why\nthat?", history).retrieved
    assert found[0] == "SCN-20"


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
    assert set(hits[0].scores) == {"score", "dense", "cosine", "lexical", "keyword", "coverage"}


def test_search_and_ask_refuse_the_same_questions() -> None:
    errors: list[TutorError] = []
    for call in (a_tutor().ask, lambda text: a_tutor().search(text, limit=1)):
        with pytest.raises(QuestionError, match="The question is empty") as caught:
            call(" ")
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
