"""What the terminal shows: whole answers, entries and rankings, and never a character that drives it."""

import json
import unicodedata

import pytest

from rag.shape import answer_to_dict
from rag.types import Answer, Claim, FollowUp, Hit, Shown, Source
from tests.fakes import an_entry
from ui.text import (
    BROKE_OFF,
    WIDTH,
    answer_text,
    claim_text,
    entry_text,
    hits_text,
    rest_text,
    safe,
    safe_json,
    writer_text,
)

HOSTILE = "\x1b[2J\x1b]0;title\x07 \x9b31m \u202eevil\u202c \u2066x\u2069 \u200b\ufeff\x00\r\x7f\U000e0041"
"""Escape sequences of both kinds, bidirectional overrides and isolates, and letters nobody sees."""
HARMLESS = "[2J]0;title 31m evil x "


def an_answer(**values: object) -> Answer:
    filled: dict[str, object] = {
        "question": "What is L1?",
        "standalone_question": "What is L1?",
        "status": "answered",
        "claims": (Claim("L1 sets weights to zero.", ("CON-02", "QNA-05"), 1.0, "L1 sets weights to zero."),),
        "sources": (Source("CON-02", "L1 and L2", "Preparation"), Source("QNA-05", "MAE or MSE", "Guide")),
        "retrieved": ("CON-02", "QNA-05"),
        "model": "quote",
    }
    return Answer(**{**filled, **values})  # type: ignore[arg-type]


def drives_the_terminal(text: str) -> list[str]:
    return [letter for letter in text if unicodedata.category(letter) in {"Cc", "Cf"} and letter not in "\n\t"]


def test_control_characters_are_taken_out_and_the_text_stays() -> None:
    assert safe(HOSTILE) == HARMLESS
    assert safe("Zeile\n\tzwei: Größe ≥ 3 → gut 🎓") == "Zeile\n\tzwei: Größe ≥ 3 → gut 🎓"


def test_an_answer_shows_each_claim_with_its_ids_and_lists_the_sources() -> None:
    assert answer_text(an_answer()) == (
        "- L1 sets weights to zero. [CON-02] [QNA-05]\n\n"
        "Sources\n  CON-02  L1 and L2 (Preparation)\n  QNA-05  MAE or MSE (Guide)"
    )


def test_a_question_that_was_understood_differently_is_said_first() -> None:
    lines = answer_text(an_answer(standalone_question="L1 or L2: which one?")).splitlines()
    assert lines[:2] == ["Understood as: L1 or L2: which one?", ""]


def test_a_refusal_shows_its_message_and_no_sources() -> None:
    refused = an_answer(status="not_covered", claims=(), sources=(), message="The guides don't cover this.")
    assert answer_text(refused) == "The guides don't cover this."


def test_what_is_left_open_is_said_between_the_claims_and_the_sources() -> None:
    shown = answer_text(an_answer(status="partial", message="The guides don't cover this part: “why”."))
    assert "[QNA-05]\n\nThe guides don't cover this part: “why”.\n\nSources\n" in shown


def test_what_is_near_a_refusal_is_called_related_and_not_a_source() -> None:
    near = (Source("CON-02", "L1 and L2", "Preparation"),)
    refused = an_answer(status="not_covered", claims=(), sources=(), message="Not covered.", related=near)
    assert answer_text(refused) == "Not covered.\n\nRelated, not an answer\n  CON-02  L1 and L2 (Preparation)"


def test_an_unverified_answer_shows_the_guides_own_words_and_what_was_left_out() -> None:
    unverified = an_answer(
        status="unverified",
        claims=(),
        sources=(),
        message="Nothing could be checked.",
        quoted=(Claim("L1 sets weights to zero.", ("CON-02",), 1.0, ""),),
        dropped_claims=(Claim("L1 is a lap time.", (), 0.1, ""),),
        notices=("1 sentence was left out.",),
    )
    assert answer_text(unverified) == (
        "Nothing could be checked.\n\n"
        "Quoted from the guides instead\n- L1 sets weights to zero. [CON-02]\n\n"
        "Left out, not supported by the guides\nx L1 is a lap time.\n\n"
        "Note: 1 sentence was left out."
    )


def test_a_written_answer_is_not_followed_by_the_same_in_the_guides_words() -> None:
    written = an_answer(model="small", quoted=(Claim("In the guides' words.", ("CON-02",), 1.0, ""),))
    assert "In the guides' words." not in answer_text(written)


def test_sentences_that_gave_way_to_the_guides_words_are_not_listed_as_unsupported() -> None:
    dropped = (Claim("L1 is a lap time.", (), 0.1, ""), Claim("L1 zeroes all.", (), 0.4, "L1 sets weights to zero."))
    assert answer_text(an_answer(model="small", dropped_claims=dropped)).endswith(
        "\n\nLeft out, not supported by the guides\nx L1 is a lap time."
        "\n\nReplaced by the guides' own words\nx L1 zeroes all."
    )
    assert "Left out" not in answer_text(an_answer(model="small", dropped_claims=dropped[1:]))


def test_the_readings_of_an_ambiguous_question_are_shown_once_also_when_it_is_answered() -> None:
    choices = ("Which L1 is meant?", "Which cache?")
    assert "[QNA-05]\n\nWhich of these do you mean?\n  Which L1 is meant?\n  Which cache?\n\nSources" in answer_text(
        an_answer(choices=choices)
    )
    named = answer_text(an_answer(choices=choices, message="Did you mean “Which L1 is meant?” or “Which cache?”?"))
    assert named.count("Which cache?") == 1
    assert "Which of these" not in named


def test_each_writer_is_named_above_what_it_says() -> None:
    assert writer_text("quote") == "From the guides:"
    assert writer_text("local") == "Picked by the small model on this machine:"
    assert writer_text("a\nb\x1b[2J") == "Written by a b[2J:"
    assert claim_text(an_answer().claims[0]) == "- L1 sets weights to zero. [CON-02] [QNA-05]"


def named(entry_id: str) -> Source:
    return Source(entry_id, f"Title of {entry_id}", "Guide")


QUOTED = Shown(Claim("L1 sets weights to zero.", ("CON-02",), 1.0, ""), "quote")
WRITTEN = Shown(Claim("L1 is sparse.", ("QNA-05",), 0.9, ""), "small")


def test_after_the_sentences_come_the_message_every_id_that_was_printed_and_the_notices() -> None:
    answer = an_answer(model="small", message="A part is open.", standalone_question="What is L1 here?", quoted=(
        QUOTED.claim,), notices=("First.",))  # fmt: skip
    assert rest_text(answer, (QUOTED, WRITTEN), named) == (
        "Understood as: What is L1 here?\n\nA part is open.\n\n"
        "Sources\n  CON-02  Title of CON-02 (Guide)\n  QNA-05  Title of QNA-05 (Guide)\n\nNote: First."
    )


def test_written_sentences_that_broke_off_are_said_not_to_be_the_answer() -> None:
    assert rest_text(an_answer(), (QUOTED, WRITTEN), named).startswith(f"{BROKE_OFF}\n\nSources")
    assert BROKE_OFF not in rest_text(an_answer(), (QUOTED,), named)
    assert BROKE_OFF not in rest_text(an_answer(model="small"), (QUOTED, WRITTEN), named)


def test_notices_follow_the_answer() -> None:
    assert answer_text(an_answer(notices=("First.", "Second."))).endswith("\n\nNote: First.\nNote: Second.")


def test_long_claims_are_wrapped_under_their_mark() -> None:
    claim = Claim("word " * 60, ("CON-02",), 1.0, "")
    lines = answer_text(an_answer(claims=(claim,))).split("\n\n")[0].splitlines()
    assert lines[0].startswith("- word")
    assert len(lines) > 1
    assert all(line.startswith("  word") for line in lines[1:])
    assert max(map(len, lines)) <= WIDTH


def test_an_entry_is_shown_with_all_its_parts() -> None:
    entry = an_entry(
        "SCN-01",
        title="NaN loss",
        key_points=("Clip it.",),
        topics=("drift", "metrics"),
        related=("SCN-02",),
        follow_ups=(FollowUp("And then?", "Retrain."),),
        caveat="Often said: wait.",
    )
    shown = entry_text(entry)
    for part in (
        "SCN-01  NaN loss\n",
        "scenarios · practitioner · drift, metrics\n",
        "Q: What is SCN-01?\n",
        "\nAnswer of SCN-01.\n",
        "## Key points\n\n- Clip it.\n",
        "### And then?\n\nRetrain.\n",
        "Caveat: Often said: wait.\n",
    ):
        assert part in shown
    assert shown.endswith("\nRelated: SCN-02")


def test_a_ranking_shows_rank_title_and_the_parts_of_the_score() -> None:
    hits = [Hit("SCN-01", "SCN-01#0", 1, {"score": 0.8125, "dense": 0.75}), Hit("SCN-02", "SCN-02#3", 2, {"score": 0})]
    assert hits_text(hits, {"SCN-01": "First", "SCN-02": "Second"}) == (
        " 1  SCN-01  First\n    score 0.812  dense 0.750\n 2  SCN-02  Second\n    score 0.000"
    )


@pytest.mark.parametrize(
    "answer",
    [
        an_answer(
            standalone_question=HOSTILE,
            claims=(Claim(HOSTILE, (HOSTILE,), 1.0, HOSTILE),),
            sources=(Source(HOSTILE, HOSTILE, HOSTILE),),
            notices=(HOSTILE,),
        ),
        an_answer(
            status="unverified",
            claims=(),
            message=HOSTILE,
            quoted=(Claim(HOSTILE, (HOSTILE,), 1.0, HOSTILE),),
            related=(Source(HOSTILE, HOSTILE, HOSTILE),),
            dropped_claims=(Claim(HOSTILE, (), 0.0, HOSTILE),),
            choices=(HOSTILE, HOSTILE),
            uncovered=(HOSTILE,),
        ),
    ],
)
def test_no_part_of_an_answer_drives_the_terminal(answer: Answer) -> None:
    assert drives_the_terminal(answer_text(answer)) == []
    shown = Shown(Claim(HOSTILE, (HOSTILE,), 1.0, HOSTILE), HOSTILE)
    assert drives_the_terminal(writer_text(HOSTILE) + claim_text(shown.claim)) == []
    assert drives_the_terminal(rest_text(answer, (shown,), lambda _: Source(HOSTILE, HOSTILE, HOSTILE))) == []
    assert drives_the_terminal(safe_json(answer_to_dict(answer))) == []


def test_no_part_of_an_entry_or_a_ranking_drives_the_terminal() -> None:
    parts = dict.fromkeys(("key_points", "topics", "related"), (HOSTILE,))
    entry = an_entry("SCN-01", guide=HOSTILE, title=HOSTILE, question=HOSTILE, answer=HOSTILE, caveat=HOSTILE,
                     follow_ups=(FollowUp(HOSTILE, HOSTILE),), **parts)  # fmt: skip
    assert drives_the_terminal(entry_text(entry)) == []
    hits = [Hit("SCN-01", "SCN-01#0", 1, {HOSTILE: 1.0})]
    assert drives_the_terminal(hits_text(hits, {"SCN-01": HOSTILE})) == []


def test_json_escapes_what_drives_the_terminal_and_means_the_same() -> None:
    values = {"text": HOSTILE, "title": "Größe 🎓", "ids": ["SCN-01"]}
    shown = safe_json(values)
    assert json.loads(shown) == values
    assert '"Größe 🎓"' in shown
    assert r"\u202eevil\u202c" in shown
    assert r"\udb40\udc41" in shown
