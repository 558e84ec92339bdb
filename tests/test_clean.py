"""What a hostile model writes becomes a plain sentence: nothing to follow, fetch, run or be misled by."""

import json
import re
import unicodedata
from pathlib import Path

import pytest

from ingest.numbering import BUILT_IN
from rag.clean import GUIDES, clean_sentence, foreign_ids, only_ids, suspicious
from tests.hostile_model import SPELLINGS

PAYLOADS = [
    json.loads(line)
    for line in (Path(__file__).with_name("hostile") / "payloads.jsonl").read_text("utf-8").splitlines()
]
# Written apart from the code's own list, so that a hole in that one shows.
FETCHES = re.compile(
    r"\w+://|\bwww\.|javascript:|data:|vbscript:|mailto:|!\[|\]\(|\]\[|\\(href|url|includegraphics)|:material/|"
    r"<\s*/?(img|script|iframe|svg|a|form|meta|base|link)\b|\[[A-Z]{2,}-?\d",
    re.IGNORECASE,
)


def test_there_are_enough_payloads_of_every_kind() -> None:
    kinds = [payload["kind"] for payload in PAYLOADS]
    assert len(PAYLOADS) >= 150
    assert min(kinds.count(kind) for kind in set(kinds)) >= 10


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload["kind"])
def test_nothing_of_a_payload_stays_active(payload: dict[str, str]) -> None:
    cleaned = clean_sentence(payload["text"])
    assert suspicious(cleaned) or not FETCHES.search(cleaned), cleaned
    assert [letter for letter in cleaned if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn"}] == []
    assert clean_sentence(cleaned) == cleaned


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Clip the gradient ![x](http://evil.test/a.png) at 1.0. [SCN-09]", "Clip the gradient at 1.0."),
        ("See [the docs](https://evil.test) on PSI.", "See the docs on PSI."),
        ("Use <b>SMOTE</b> &lt;img src=x onerror=alert(1)&gt; inside the folds.", "Use SMOTE inside the folds."),
        ("- **Log** the\nnorm.", "Log the norm."),
        ("# Cause and effect", "Cause and effect"),
        ("> A quotation.", "A quotation."),
        ("Drift\u200b is a \u202echange\u202c of inputs.", "Drift is a change of inputs."),
        ("Cite it 【SCN-14】 now.", "Cite it now."),
        ("<!-- hidden --> Seen.", "Seen."),
        ("", ""),
        ("a." * 2001, ""),
    ],
)  # fmt: skip
def test_the_sentence_itself_stays(written: str, read: str) -> None:
    assert clean_sentence(written) == read


@pytest.mark.parametrize(
    "text",
    [
        "The ratio 3 < 5 and R² > 0.9 hold for x_train[0] and f(x).",
        "Compare P(y|X) with P(X): the first is concept drift.",
        "Cost $5 a day, at 10:30, for a 3:1 ratio and/or `class_weight='balanced'`.",
        "-1 marks the negative class, +1 the other one.",
        "> 90% of the labels agree.",
        ">= 3 raters and > 0.8 agreement.",
        "#1 cause is drift, 10-fold and [0, 1] stay.",
        "**kwargs and **args, 2**3 and a ** b.",
    ],
)
def test_harmless_text_stays_as_it_is_and_is_not_suspicious(text: str) -> None:
    assert clean_sentence(text) == text
    assert not suspicious(text)


def test_an_id_that_nobody_retrieved_is_foreign_unless_the_source_says_it() -> None:
    known = {"SCN-14"}
    assert foreign_ids("SCN-99 says so, and so does ADMIN-01.", known, "text") == {"SCN-99", "ADMIN-01"}
    assert foreign_ids("scn 99 and BEE07", {"BEE-01"}, "text") == {"SCN-99", "BEE-07"}
    assert foreign_ids("scn 99 and BEE07", known, "as SCN-99 says", ["BEE"]) == {"BEE-07"}
    assert foreign_ids("scn 14 and SCN-014", known, "text") == set()
    assert foreign_ids("SCN‑99 with another dash", known, "text") == {"SCN-99"}
    assert foreign_ids("SCN-14 and SHA-256", known, "a SHA-256 of the file") == set()


def test_the_guides_ids_begin_as_the_guides_say() -> None:
    assert GUIDES == BUILT_IN


@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
def test_an_id_is_seen_however_it_is_spelt(spelling: str) -> None:
    cleaned = clean_sentence(f"The cost is high, says {spelling}.")
    assert foreign_ids(cleaned, {"REF-02"}, "a cost of 14") == {"SCN-14"} or cleaned == "The cost is high, says."


@pytest.mark.parametrize(
    "text",
    [
        "ResNet-50 and MobileNet-3 are smaller.",
        "The top-10 of 100, k=5 and 10-fold.",
        "GPT-4, GPT4 and BM25 know it.",
        "LLM2Vec and a LLM (70B) of an LLM. 30 of them, an LLM: 3 steps.",
        "VGG-16 has 16 layers.",
        "An LLM, 20 layers deep, and the LLM 70% of users like.",
    ],
)
def test_names_of_models_and_figures_are_no_ids(text: str) -> None:
    assert foreign_ids(text, {"SCN-14"}, "A VGG16 has 16 layers.") == set()


@pytest.mark.parametrize("text", ["SCN-99", "scn 99, ROOT-12", "ＳＣＮ－９９", " LLM-02;QNA-07 "])
def test_ids_alone_are_told_from_other_things_between_brackets(text: str) -> None:
    assert only_ids(text)
    assert not any(map(only_ids, ("", "0, 1", "see SCN-99", "i", "RFC 2119", "12")))
