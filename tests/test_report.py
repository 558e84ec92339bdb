"""The page of a run: whole, escaped, readable by everybody, and written by `tutor eval report`."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from eval import gold, record
from eval.markup import VOID
from eval.report import STYLE, page
from rag.errors import UsageError
from tests.run_files import HOSTILE, a_row, a_run, keep, rows, wrong
from ui.eval_report import add_report

EARLIER = a_run("2026-11-20T08:00:00Z", miss=4)
SECTIONS = ["metrics", "styles", "confusion", "reliability", "refusing", "latency", "judges", "history", "worst",
            "circumstances"]  # fmt: skip


class Seen(HTMLParser):
    """What a page holds: tags that match, headings, text, attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if self.open and re.fullmatch(r"h\d", self.open[-1]):
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def seen(run: dict[str, Any], base: dict[str, Any] | None = EARLIER, title: str = "") -> Seen:
    return Seen(page(run, base, [EARLIER] if base else [], {"SCN-08": title} if title else {}, []))


def hostile_run() -> dict[str, Any]:
    """Every text of the run is an attack."""
    claim = {"text": HOSTILE, "sources": [HOSTILE], "support": 0.1, "supported": False}
    bad = wrong("Q1", question=HOSTILE, claims=[claim], message=HOSTILE, uncovered=[HOSTILE], style=HOSTILE)
    asked = [{"question": HOSTILE, "status": "answered", "cited": [HOSTILE]}]
    way = a_row("C1", "consistency", HOSTILE, asked=asked, measures={"consistency": 0.1}, retrieved=[HOSTILE])
    attack = a_row("A1", "attack", HOSTILE, faults=[HOSTILE], measures={"attack_success": 1.0})
    run = a_run(rows=[*rows(), bad, way, attack], gates={"hit@1": False}, commit=HOSTILE, model=HOSTILE)
    return {**run, "packages": {HOSTILE: HOSTILE}}


def test_a_page_has_every_section_under_headings_in_order() -> None:
    found = seen(a_run(gates={"hit@1": True}))
    levels = [level for level, _ in found.headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len([level for level in levels if level == 2]) == len(SECTIONS)
    for section in SECTIONS:
        assert section in found.values("id")
        assert f"#{section}" in found.values("href")


def test_every_drawing_tells_what_it_shows_and_no_name_is_used_twice() -> None:
    found = seen(a_run(gates={"hit@1": True}))
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    drawings = found.values("aria-labelledby")
    named = [name for value in drawings for name in value.split()]
    assert len([tag for tag, name, value in found.attributes if (tag, name, value) == ("svg", "role", "img")]) >= 5
    assert set(named) <= set(ids)


def test_the_numbers_of_the_run_and_of_the_baseline_stand_on_the_page() -> None:
    text = " ".join(seen(a_run(miss=1, gates={"hit@1": True})).text.split())
    for part in ("All 1 gates are met.", "0.950", "0.800", "+0.150", "≥ 0.9 met", "19 (95%)", "Brier score"):
        assert part in text or part.replace("19 (95%)", "20 (100%)") in text, part


def test_the_calibration_and_the_refusals_are_those_of_the_rows() -> None:
    text = " ".join(seen(a_run()).text.split())
    # 20 answerable at 0.95 or 0.9, 18 open at 0.1, and 2 at 0.7.
    brier = (19 * 0.05**2 + 0.1**2 + 18 * 0.1**2 + 2 * 0.7**2) / 40
    assert f"Brier score {brier:.3f}" in text
    assert "all open questions1.0000.900" in text.replace(" ", "").replace("allopenquestions", "all open questions")


@pytest.mark.parametrize("base", [EARLIER, None])
def test_nothing_of_a_hostile_run_becomes_markup_or_a_link(base: dict[str, Any] | None) -> None:
    found = seen(hostile_run(), base, HOSTILE)
    assert {"img", "script", "iframe", "object", "form"} & {tag for tag, _, _ in found.attributes} == set()
    assert not [name for _, name, _ in found.attributes if name.startswith("on") or name in {"src", "srcset"}]
    assert {value[:1] for value in found.values("href")} == {"#"}
    assert found.text.count(HOSTILE) > 8
    assert "url(" not in STYLE.read_text("utf-8")


def test_the_page_forbids_itself_every_request() -> None:
    policy = [value for value in seen(a_run()).values("content") if value.startswith("default-src")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_bad_rows_are_shown_with_their_answer_their_sources_and_the_reason() -> None:
    run = a_run(rows=[wrong("Q1"), *rows(0)])
    text = " ".join(seen(run, title="Vanishing gradients").text.split())
    assert "Question Q1?" in text
    assert "Sentence Q1. [SCN-09]" in text
    assert "The first cited entry is not a relevant one" in text
    assert "SCN-08 Vanishing gradients" in text
    assert "Answered, though the guides leave it open" in text
    assert "3 of 41 questions went wrong" in text


def test_a_run_without_faults_says_so() -> None:
    assert "none of the 2 questions went wrong" in seen(a_run(rows=[a_row("Q1"), a_row("Q2")])).text


def test_a_run_of_questions_of_ones_own_has_a_page_too() -> None:
    run = a_run(rows=[a_row("Q1", style="draft")], split="own", confusion={"answerable": {"answered": 1}})
    text = seen(run, None).text
    assert "no questions that the guides leave open" in text
    assert "nothing to draw" in text
    assert "No baseline was accepted yet" in text


def test_the_slim_rows_of_a_baseline_have_a_page_too(tmp_path: Path) -> None:
    from eval.history import slim

    run = a_run()
    text = seen({**run, "rows": [slim(row) for row in run["rows"]]}).text
    assert "keeps no text of this question" in text


def test_the_median_of_the_drawing_is_that_of_the_table() -> None:
    times = [10.0, 20.0, 40.0]
    found = [a_row(f"Q{n}", measures={"latency_ms": ms}, timings_ms={"total": 900.0}) for n, ms in enumerate(times)]
    partial = a_row("P1", "partial", "last", status="partial", measures={}, timings_ms={"total": 5000.0})
    run = a_run(rows=[*found[:2], partial, a_row("N1", "near_miss")])
    assert run["metrics"]["latency_p50"]["value"] == 15
    text = seen(run, None).text
    assert "answered (2): half in 15 ms, 95% in 20 ms" in text
    assert "refused (1): half in 90 ms" in text


def test_the_answer_that_was_expected_is_framed() -> None:
    run = a_run(rows=[a_row("Q1", expected="answered"), a_row("N1", "near_miss", expected="not_covered")])
    framed = [value for value in seen(run).values("class") if value.startswith("share") and value.endswith("right")]
    assert framed == ["share s9 right"] * 2


def test_a_question_the_baseline_keeps_no_text_of_is_looked_up() -> None:
    from eval.history import slim

    asked = next(item for item in gold.of_split(gold.open_questions(), "test") if item.kind == "near_miss")
    bad = a_row(asked.id, "near_miss", "near_miss", status="answered", covered=0.9)
    text = seen(a_run(rows=[slim(bad)])).text
    assert asked.question in text
    assert "keeps no text" not in text
    assert "keeps no text" in seen(a_run(rows=[slim(bad)], split="own")).text


def test_scores_and_judges_stand_on_the_page_and_stay_text(results: Path) -> None:
    assert "tutor eval ragas" in seen(a_run()).text
    cell = {"value": 0.75, "low": 0.5, "high": 1.0, "n": 4, "scored": 3, "timeout": 1}
    ragas = {"kind": "ragas", "metrics": {"faithfulness": cell, HOSTILE: {"value": HOSTILE}}, "split": HOSTILE,
             "judge": {"name": HOSTILE}, "model": HOSTILE, "date": HOSTILE}  # fmt: skip
    rows_ = [{"judge": HOSTILE, "n": 100, "failed": 2, "kappa": {"value": 0.125, "low": 0.1, "high": 0.2}}]
    keep(results, ragas, "ragas.json")
    keep(results, {"kind": "judges", "judges": rows_, "date": HOSTILE}, "judges.json")
    found = seen(a_run())
    assert "faithfulness0.750[0.500, 1.000]3––1–" in found.text
    assert "1002–" in found.text
    assert "0.125 [0.100, 0.200]" in found.text
    assert found.text.count(HOSTILE) >= 7
    assert "img" not in {tag for tag, _, _ in found.attributes}
    (results / "ragas.json").write_text("{", "utf-8")
    assert "ragas.json cannot be read" in seen(a_run()).text


def luminance(colour: str) -> float:
    """WCAG 2.2: relative luminance of a colour such as #0b5cb8."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_can_be_told_apart_in_light_and_in_dark(scheme: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text("utf-8"), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme]))
    for ground in ("page", "panel"):
        for ink in ("text", "muted", "first", "good", "bad"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for ink in ("first", "second", "frame"):
        assert contrast(colours[ink], colours["page"]) >= 3, ink


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    monkeypatch.setattr(record, "FOLDER", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def command(*words: str) -> str:
    app = typer.Typer()
    app.callback()(lambda: None)
    add_report(app)
    result = CliRunner().invoke(app, ["report", *words])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def test_the_command_writes_the_newest_run_beside_the_baseline(results: Path, tmp_path: Path) -> None:
    keep(results, EARLIER)
    keep(results, a_run(EARLIER["date"], miss=9), "baseline.json")
    keep(results, a_run(gates={"hit@1": False}))
    said = command("--out", "new/page.html", "--markdown", "summary.md").splitlines()
    assert said == ["1 of 1 gates missed: right entry found first.", "Written to new/page.html.",
                    "Written to summary.md."]  # fmt: skip
    text = (tmp_path / "new" / "page.html").read_text("utf-8")
    assert "2026-11-22T08:15:00Z" in text
    assert "right entry found first over runs" in text
    assert "SCN-08 Vanishing gradients" in text
    assert "| 0.550 | +0.400 better | ≥ 0.9 **missed** |" in (tmp_path / "summary.md").read_text("utf-8")


def test_a_file_can_be_named_and_the_summary_printed(results: Path) -> None:
    keep(results, a_run())
    path = keep(results, EARLIER, "other.json")
    said = command(str(path), "--markdown", "-")
    assert EARLIER["date"] in said
    assert "| right entry found first | 0.800 |" in said


def test_an_earlier_run_that_cannot_be_read_is_named_on_the_page_and_stops_nothing(results: Path) -> None:
    keep(results, a_run())
    (results / "run-2026-11-01T000000Z.json").write_text("{", "utf-8")
    command()
    assert "run-2026-11-01T000000Z.json cannot be read" in Path("eval-report.html").read_text("utf-8")


@pytest.mark.usefixtures("results")
def test_without_a_run_the_command_says_how_to_make_one() -> None:
    with pytest.raises(UsageError) as caught:
        command()
    assert "tutor eval run" in caught.value.cure


def test_a_page_that_cannot_be_written_is_one_clear_line(results: Path, tmp_path: Path) -> None:
    keep(results, a_run())
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(Exception, match="cannot be written"):
        command("--out", "file/page.html")
