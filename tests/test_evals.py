"""`tutor eval retrieval` over an index of three entries: what it prints, what it writes, what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eval import gold, record
from rag.catalog import TABLE
from rag.errors import UsageError
from rag.settings import Settings
from tests.canary import CANARY
from ui.cli import app, main

KEY = CANARY
STAGES = ("dense", "bm25", "fused", "reranked")
QUESTIONS: list[tuple[str, str, str, str]] = [
    ("G001", "why do the early layers of a deep network not learn", "SCN-08", "paraphrase"),
    ("G002", "loss turns to NaN in an LSTM", "SCN-09", "paraphrase"),
    ("G004", "exploding gradients", "SCN-09", "keyword"),
    ("G005", "exploding gradients", "SCN-13", "keyword"),  # a wrong label, so that something is missed
]
"""The first two are in the test half, the others in the tune half."""


@pytest.fixture
def home(spare_home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The spare home, with a few questions beside its entries, as the one the command works on."""
    asked = {"entry": "SCN-08", "question": "twenty sigmoid layers and the first ones never learn"}
    rows = [{"question": "how long do tomatoes keep", "near": []}, {"question": "nvidia-smi flags", "near": ["SCN-09"]}]
    (spare_home.corpus / "asked.jsonl").write_text(json.dumps(asked) + "\n", "utf-8")
    (spare_home.corpus / "outside.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    monkeypatch.setenv("TUTOR_HOME", str(spare_home.home))
    monkeypatch.setenv("TUTOR_CORPUS", str(spare_home.corpus))
    monkeypatch.setenv("TUTOR_EMBEDDING_MODEL", spare_home.embedding_model)
    monkeypatch.chdir(tmp_path)
    return spare_home


def write_rows(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def dataset(folder: Path) -> str:
    """The questions as a file of one's own."""
    rows = [{"id": id, "question": text, "relevant": [entry], "style": style} for id, text, entry, style in QUESTIONS]
    return write_rows(folder / "questions.jsonl", *rows)


def run(*words: str) -> list[str]:
    """The lines that `tutor eval retrieval` prints."""
    result = CliRunner().invoke(app, ["eval", "retrieval", *words])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout.splitlines()


def cells(lines: list[str], start: str) -> list[str]:
    """What the one line that begins like this says behind that."""
    (line,) = [line for line in lines if line.startswith(f"{start} ")]
    return line.removeprefix(start).split()


@pytest.mark.real
def test_a_row_is_printed_and_written_for_every_stage_and_style(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    out = tmp_path / "new" / "result.json"
    lines = run("--dataset", dataset(tmp_path), "--out", str(out), "--misses")
    written = out.read_text("utf-8")
    result = json.loads(written)
    assert lines[-1] == f"Written to {out}."
    header = next(line.split() for line in lines if "hit@1" in line)
    assert header == ["n", "hit@1", "hit@3", "recall@5", "mrr@10", "ndcg@10"]
    assert list(result["stages"]) == list(STAGES)
    for stage in STAGES:
        assert list(result["stages"][stage]) == ["all", "keyword", "paraphrase"]
        for style, row in result["stages"][stage].items():
            printed = cells(lines, f"{stage:<9} {style}")
            assert (printed[0], len(printed)) == (str(row["n"]), 16)
            assert [float(value) for value in printed[1::3]] == [
                pytest.approx(row[name]["value"], abs=6e-4) for name in header[1:]
            ]
    rows = result["stages"]["reranked"]
    assert {style: (row["n"], row["hit@1"]["value"]) for style, row in rows.items()} == {
        "all": (4, 0.75), "keyword": (2, 0.5), "paraphrase": (2, 1.0),
    }  # fmt: skip
    (missed,) = result["misses"]
    assert (missed["id"], missed["relevant"], missed["retrieved"][0]) == ("G005", ["SCN-13"], "SCN-09")
    assert cells(lines, "G005")[:2] == ["rank", f"{missed['rank']}:"]
    assert result["split"] == "own"
    assert not {"refused", "follow_ups", "ablation"} & set(result)
    assert_circumstances(result, written, home)
    assert KEY not in "\n".join(lines)


def assert_circumstances(result: dict[str, Any], written: str, home: Settings) -> None:
    """The file says what was measured with what on what, and holds neither the key nor the folders."""
    assert {"date", "commit", "settings", "weights", "machine"} <= set(result)
    assert result["settings"]["embedding_model"] == home.embedding_model
    assert result["weights"] == {home.embedding_model: TABLE[home.embedding_model].hash}
    assert result["machine"]["cores"] >= 1
    for hidden in (KEY, "api_key", str(home.home)):
        assert hidden not in written


@pytest.mark.real
@pytest.mark.usefixtures("home")
def test_the_gold_questions_of_a_half_come_with_refusals_and_follow_ups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gold, "FOLDER", tmp_path)
    monkeypatch.setattr(record, "FOLDER", tmp_path / "results")
    dataset(tmp_path)
    left_open = [("N001", "near_miss"), ("N002", "off_topic"), ("N003", "near_miss"), ("N007", "off_topic")]
    open_rows = [{"id": id, "question": f"how long do eggs boil {id}", "kind": kind} for id, kind in left_open]
    write_rows(tmp_path / "not_covered.jsonl", *open_rows)
    turns = [{"role": "user", "text": text} for text in ("exploding gradients in an LSTM", "ok", "how to stop that?")]
    talks = [f"D00{number}" for number in range(1, 7)]
    rows = [{"id": id, "turns": turns, "relevant": ["SCN-09"]} for id in talks]
    write_rows(tmp_path / "dialogues.jsonl", *rows)
    lines = run()
    path = tmp_path / "results" / "retrieval.json"
    result = json.loads(path.read_text("utf-8"))
    assert lines[-1] == f"Written to {path}."
    assert result["split"] == "test"
    ids = [id for id, _, _, _ in QUESTIONS] + [id for id, _ in left_open]
    in_test = {id for id in ids if gold.split_of(id) == "test"}
    assert {"G001", "G002"} < in_test < set(ids)
    assert {row["id"] for row in result["judged"]} == in_test
    assert cells(lines, "reranked  all")[0] == "2"
    conversations = sum(gold.split_of(id) == "test" for id in talks)
    assert 0 < conversations < 6
    for name in ("alone", "understood"):
        assert cells(lines, f"follow-up {name}")[0] == str(conversations)
    assert result["follow_ups"]["understood"]["hit@1"]["value"] == 1
    for group, row in result["refused"].items():
        printed = cells(lines, f"refused   {group}")
        assert printed[:2] == [str(row["n"]), f"{row['refused']:.3f}"]
    assert {"answerable", "not covered"} < set(result["refused"])
    assert result["refused"]["answerable"]["refused"] < result["refused"]["not covered"]["refused"]


@pytest.mark.real
@pytest.mark.usefixtures("home")
def test_the_ablation_has_a_row_for_the_whole_and_for_each_part_left_out(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    lines = run("--dataset", dataset(tmp_path), "--ablation", "--out", str(out))
    result = json.loads(out.read_text("utf-8"))
    assert list(result["ablation"]) == [
        "whole", "without spelling", "without words (BM25)", "without pooled reranking",
        "without the classifier", "without asked.jsonl", "meaning only, best chunk",
    ]  # fmt: skip
    assert result["ablation"]["whole"] == result["stages"]["reranked"]["all"]
    assert result["ablation"]["without pooled reranking"] == result["stages"]["fused"]["all"]
    for name, row in result["ablation"].items():
        assert cells(lines, name)[:2] == ["4", f"{row['hit@1']['value']:.3f}"]


@pytest.mark.real
@pytest.mark.usefixtures("home")
def test_an_entry_that_is_not_in_the_index_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    row = {"question": "exploding gradients", "relevant": ["SCN-09", "SCN-99"]}
    path = write_rows(tmp_path / "own.jsonl", row)
    with pytest.raises(UsageError) as caught:
        run("--dataset", path, "--out", str(tmp_path / "result.json"))
    assert caught.value.message == "There is no entry SCN-99."
    assert "`relevant`" in caught.value.cure
    assert not (tmp_path / "result.json").exists()


@pytest.mark.real
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("text", ["\n", '{"question": "\\ud800", "relevant": ["SCN-09"]}'])
def test_a_dataset_that_holds_no_question_that_can_be_asked_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.jsonl").write_text(text, "utf-8")
    with pytest.raises(UsageError, match="own.jsonl"):
        run("--dataset", str(tmp_path / "own.jsonl"), "--out", str(tmp_path / "result.json"))


def one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What the command says when it ends as wrong use does: exit code 2, one line on standard error."""
    monkeypatch.setattr(sys, "argv", ["tutor", "eval", "retrieval", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    output, errors = capsys.readouterr()
    assert (ended.value.code, output, errors.count("\n")) == (2, "", 1)
    return errors


@pytest.mark.parametrize("split", ["validation", "TEST", ""])
def test_a_split_that_does_not_exist_is_refused_before_anything_is_opened(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = one_line(capsys, monkeypatch, "--split", split)
    assert said == f"Error: There is no split {split!r}. Use tune, test or all.\n"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ('{"question": "cut', "Line 1 of"),
        ('["exploding gradients", "SCN-09"]', "Line 1 of"),
        ('{"question": "exploding gradients", "relevant": []}', "Row 1 of"),
        ('{"relevant": ["SCN-09"]}', "Row 1 of"),
    ],
)
def test_a_broken_dataset_is_named_in_one_line_before_anything_is_opened(
    text: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.jsonl"
    if text is not None:
        path.write_text(text, "utf-8")
    line = one_line(capsys, monkeypatch, "--dataset", str(path))
    assert line.startswith("Error: ")
    assert said in line
    assert str(path) in line
    assert not (tmp_path / "home").exists()
