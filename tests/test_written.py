"""What a language model writes, read while it arrives: JSON or lines, whole drafts only, each as soon as it is."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from rag.answer import Draft
from rag.errors import ModelError
from rag.written import MOST_DRAFTS, MOST_LETTERS, LanguageModelWriter, parse_reply, read_drafts
from tests.fakes import FakeChat, FakeEntries, a_retrieval, an_entry, unit

IDS = ["A-1", "SCN-14", "LLM-02"]
NOT_JSON = "The language model's reply was not the JSON that was asked for"


def reply(*claims: Any) -> str:
    return json.dumps({"claims": claims})


def claim(text: str, *sources: str) -> dict[str, Any]:
    return {"text": text, "sources": sources}


WHOLE = json.dumps(
    {
        "claims": [
            {"text": 'Say "drift" {or} [not] \\ 🎓 ünd.', "sources": ["SCN-14", "LLM-02"]},
            {"sources": ["LLM-02"], "text": "Ids may come first.\n"},
            {"text": "The last.", "sources": ["A-1"]},
        ]
    }
)
DRAFTS = [
    Draft('Say "drift" {or} [not] \\ 🎓 ünd.', ("SCN-14", "LLM-02")),
    Draft("Ids may come first.", ("LLM-02",)),
    Draft("The last.", ("A-1",)),
]
RAW = json.dumps(json.loads(WHOLE), ensure_ascii=False, indent=2)


def arriving(text: str, size: int = 1) -> Iterator[str]:
    yield from (text[start : start + size] for start in range(0, len(text), size))


def read(pieces: Iterable[str]) -> tuple[list[Draft], ModelError | None]:
    """The drafts that came out, and the error that ended them."""
    drafts: list[Draft] = []
    try:
        for draft in read_drafts(iter(pieces), IDS):
            drafts.append(draft)
    except ModelError as error:
        return drafts, error
    return drafts, None


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize("text", [WHOLE, RAW, f"```json\n{RAW}\n```", f"\n ```\n{WHOLE}```\n", f"\n\n{WHOLE}\n"])
def test_a_whole_reply_gives_its_drafts_in_order_however_it_is_cut_into_pieces(text: str, size: int) -> None:
    assert read(arriving(text, size)) == (DRAFTS, None)


@pytest.mark.parametrize("before", ["", "```json\n"])
@pytest.mark.parametrize("text", [WHOLE, RAW])
def test_a_reply_that_breaks_off_anywhere_has_given_whole_drafts_only_and_is_an_error(text: str, before: str) -> None:
    counts = []
    for end in range(len(text)):
        drafts, error = read(arriving(before + text[:end]))
        assert drafts == DRAFTS[: len(drafts)], text[:end]
        assert error is not None
        counts.append(len(drafts))
    assert counts == sorted(counts)
    assert counts[-1] == len(DRAFTS) - 1


@pytest.mark.parametrize("text", [WHOLE, f"```json\n{RAW}\n```"])
def test_a_draft_comes_out_before_the_one_after_the_next_is_begun(text: str) -> None:
    taken = ""

    def watched() -> Iterator[str]:
        nonlocal taken
        for letter in text:
            taken += letter
            yield letter

    drafts = read_drafts(watched(), IDS)
    assert taken == ""
    assert next(drafts) == DRAFTS[0]
    assert '"The last.' not in taken
    assert next(drafts) == DRAFTS[1]
    assert taken != text
    assert list(drafts) == DRAFTS[2:]


def test_claims_that_say_nothing_are_passed_over_wherever_they_stand() -> None:
    text = reply(claim(" ", "A-1"), claim("One.", "A-1"), claim("", "A-1"), claim("Two.", "A-1"), claim("\n", "A-1"))
    assert read(arriving(text)) == ([Draft("One.", ("A-1",)), Draft("Two.", ("A-1",))], None)


def test_a_reply_without_claims_has_no_drafts_and_is_no_error() -> None:
    assert read(arriving('{"claims": []}')) == ([], None)


def test_claims_are_read_with_their_white_space_folded_and_without_doubled_ids() -> None:
    text = reply(claim(" One\n  and\ttwo. ", "A-1", "B-2", "A-1"), claim("Three."))
    assert parse_reply(text, IDS) == [Draft("One and two.", ("A-1", "B-2")), Draft("Three.", ())]


def test_an_id_that_was_never_retrieved_is_left_for_the_gate_to_drop() -> None:
    assert parse_reply(reply(claim("One.", "ZZ-99"), claim("Two.", "a-1")), IDS) == [
        Draft("One.", ("ZZ-99",)),
        Draft("Two.", ("a-1",)),
    ]


@pytest.mark.parametrize(
    ("line", "draft"),
    [
        ("Drift is a change. [SCN-14]", Draft("Drift is a change.", ("SCN-14",))),
        ("- Clip it. [SCN-14][LLM-02]", Draft("Clip it.", ("SCN-14", "LLM-02"))),
        ("* Clip it. [SCN-14, LLM-02, SCN-14]", Draft("Clip it.", ("SCN-14", "LLM-02"))),
        ("  2. Clip\tit. [ SCN-14 ]", Draft("Clip it.", ("SCN-14",))),
        ("Short ids count when retrieved. [A-1]", Draft("Short ids count when retrieved.", ("A-1",))),
        ("Forged. [SCN-99] [ADMIN-1]", Draft("Forged.", ("SCN-99", "ADMIN-1"))),
        ("Half forged. [SCN-14, SCN-99]", Draft("Half forged.", ("SCN-14", "SCN-99"))),
        ("0.1% to 1% are fraud. [A-1]", Draft("0.1% to 1% are fraud.", ("A-1",))),
        ("10-fold is common. [A-1]", Draft("10-fold is common.", ("A-1",))),
        ("[0, 1] is the range of x[i]. [A-1]", Draft("[0, 1] is the range of x[i].", ("A-1",))),
        ("- -1 marks a fraud. [A-1]", Draft("-1 marks a fraud.", ("A-1",))),
        ("3) 2 raters are few. [A-1]", Draft("2 raters are few.", ("A-1",))),
    ],
)  # fmt: skip
def test_a_line_that_names_ids_in_brackets_is_a_draft_forged_ids_and_all(line: str, draft: Draft) -> None:
    assert read(arriving(line)) == ([draft], None)


def test_of_several_lines_those_without_ids_are_no_drafts() -> None:
    text = "Here is the answer:\n\n- One. [A-1]\nNobody says this.\n- Two [see note].\r\n- Three. [SCN-14]\n[LLM-02]\n"
    assert read(arriving(text)) == ([Draft("One.", ("A-1",)), Draft("Three.", ("SCN-14",))], None)
    assert read(arriving(f"```text\n{text}```"))[0] == [Draft("One.", ("A-1",)), Draft("Three.", ("SCN-14",))]


def test_a_line_comes_out_before_the_next_is_whole() -> None:
    letters = arriving("- One. [A-1]\n- Two. [A-1]\n- Three. [A-1]")
    drafts = read_drafts(letters, IDS)
    assert [next(drafts).text, next(drafts).text] == ["One.", "Two."]
    assert "".join(letters) == "- Three. [A-1]"


def endless(beginning: str, again: str) -> Iterator[str]:
    """A reply that goes on; who reads on fails the test."""
    yield beginning
    for _ in range(2 * MOST_LETTERS // len(again)):
        yield again
    raise AssertionError("nobody stopped the model")


@pytest.mark.parametrize(
    "reply",
    [
        endless('{"claims": [', '{"text": "", "sources": ["A-1"]}, '),
        endless("Here it is:\n", "Nobody says this, nobody at all, and it goes on and on.\n" * 40),
        endless("", "words "),
        endless('{"claims": [{"text": "', "words "),
    ],
    ids=["blank claims", "lines without ids", "a line", "a claim"],
)
def test_a_reply_without_an_end_is_a_model_error(reply: Iterator[str]) -> None:
    with pytest.raises(ModelError, match="had no end") as caught:
        list(read_drafts(reply, IDS))
    assert "TUTOR_MODEL" in caught.value.cure


def test_claims_beyond_any_number_asked_for_are_not_read() -> None:
    assert len(read(endless('{"claims": [', json.dumps(claim("One.", "A-1")) + ", "))[0]) <= MOST_DRAFTS + 1


FAULTS = {
    "empty": "",
    "blank": " \n\t",
    "prose": "The guides say that drift is a change.",
    "ids alone": "[SCN-14] [LLM-02]",
    "other brackets": "x[0] lies in [0, 1], see [the guide].",
    "markup": "<html><body>502</body></html>",
    "an empty fence": "```json\n```",
    "cut off": '{"claims": [{"text": "One.", "sou',
    "fenced and cut off": '```json\n{"claims": [',
    "a list": "[]",
    "null": "null",
    "a number": "7",
    "no claims": "{}",
    "claims null": '{"claims": null}',
    "claims a word": '{"claims": "none"}',
    "claims an empty text": '{"claims": ""}',
    "claims an object": '{"claims": {}}',
    "half a character in lines": "One \ud83d. [A-1]",
    "claim a word": reply("One."),
    "claim a list": reply(["One.", "SCN-14"]),
    "claim without text": reply({"sources": ["A-1"]}),
    "claim without sources": reply({"text": "One."}),
    "text a number": reply({"text": 1, "sources": ["A-1"]}),
    "text null": reply({"text": None, "sources": ["A-1"]}),
    "sources null": reply({"text": "One.", "sources": None}),
    "sources a number": reply({"text": "One.", "sources": 14}),
    "half a character": reply({"text": "One \ud83d.", "sources": ["A-1"]}),
    "talk after it": reply(claim("One.", "A-1")) + " I hope this helps.",
    "endless brackets": '{"claims": ' + "[" * 20_000,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_reply_of_another_form_is_a_model_error_with_its_cure(fault: str) -> None:
    with pytest.raises(ModelError, match=NOT_JSON) as caught:
        parse_reply(fault, IDS)
    assert "TUTOR_MODEL" in caught.value.cure
    drafts, error = read([fault])
    assert (drafts, str(error)) == ([], str(caught.value))


def test_what_was_whole_before_a_fault_has_come_out() -> None:
    text = reply(claim("One.", "A-1"), claim("Two.", "A-1"), {"text": "Three."})
    drafts, error = read(arriving(text))
    assert drafts == [Draft("One.", ("A-1",))]
    assert error is not None


def writing(*parts: str | Exception) -> tuple[FakeChat, Iterator[Draft]]:
    """A model that sends these parts, and the drafts of its reply."""
    chat = FakeChat().enqueue(parts)
    writer = LanguageModelWriter(chat, FakeEntries([an_entry("A-1")]), 4)
    return chat, writer.write(a_retrieval("why?", unit(1, 0), A_1=0.9))


def test_the_model_is_asked_when_the_first_draft_is_wanted() -> None:
    chat, drafts = writing(reply(claim("One.", "A-1")))
    assert chat.calls == []
    assert list(drafts) == [Draft("One.", ("A-1",))]
    assert (len(chat.calls), chat.streams) == (1, ["done"])


def test_a_failure_in_mid_stream_comes_after_the_whole_drafts_before_it() -> None:
    chat, drafts = writing(reply(*[claim("One.", "A-1")] * 2)[:-2] + ", {", ModelError("The line was cut."))
    assert next(drafts) == Draft("One.", ("A-1",))
    with pytest.raises(ModelError, match="The line was cut"):
        list(drafts)
    assert chat.streams == ["failed"]


def close(drafts: Iterator[Draft]) -> None:
    drafts.close()  # type: ignore[attr-defined]


def fail(drafts: Iterator[Draft]) -> None:
    with pytest.raises(KeyboardInterrupt):
        drafts.throw(KeyboardInterrupt())  # type: ignore[attr-defined]


@pytest.mark.parametrize("leave", [close, fail])
def test_whoever_stops_reading_ends_the_models_reply(leave: Callable[[Iterator[Draft]], None]) -> None:
    chat, drafts = writing(reply(*[claim("One.", "A-1")] * 100))
    next(drafts)
    assert chat.streams == ["open"]
    assert chat.letters < 100
    leave(drafts)
    assert chat.streams == ["closed"]
    assert list(drafts) == []


class Handed(FakeChat):
    """A model whose pieces come in something that cannot be closed."""

    def stream_json(self, *_: Any) -> Iterator[str]:
        return iter([reply(claim("One.", "A-1"))])


def test_pieces_that_cannot_be_closed_are_read_as_well() -> None:
    writer = LanguageModelWriter(Handed(), FakeEntries([an_entry("A-1")]), 4)
    assert list(writer.write(a_retrieval("why?", unit(1, 0), A_1=0.9))) == [Draft("One.", ("A-1",))]
