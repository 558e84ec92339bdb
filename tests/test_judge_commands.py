"""`tutor eval ragas` and `tutor eval judge` over an index of three entries and a judge on a loopback port."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from eval import record
from eval.samples import JUDGED, KEYLESS
from rag.errors import ModelError, ResourceError, UsageError, WeightsError
from rag.settings import Settings
from tests.canary import CANARY
from tests.judge_server import DATED, NAME, JudgeServer, judging
from tests.servers import failure
from ui.eval_judge import add_judging

KEY = CANARY
QUESTIONS = [
    ("G1", "why do the early layers of a deep network not learn", "SCN-08"),
    ("G2", "loss turns to NaN in an LSTM", "SCN-09"),
    ("G3", "how long do tomatoes keep in the fridge", "SCN-13"),  # refused
]
LABELLED = [
    ("J1", "SCN-09", "keeps the direction of the update and limits only its length.", "supported"),
    ("J2", "SCN-09", "Clipping by norm keeps the direction of the update at a threshold of 77.", "unsupported"),
    ("J3", "SCN-13", "Tomatoes keep for 12 days in the fridge.", "unsupported"),
]
ONE = ("--dataset", "own.jsonl", "--judge", NAME, "--yes", "--limit", "1", "--metrics", "faithfulness")
pytestmark = pytest.mark.real


@pytest.fixture
def home(spare_home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The spare home as the one the commands work on; results go to a folder of the test."""
    monkeypatch.setenv("TUTOR_HOME", str(spare_home.home))
    monkeypatch.setenv("TUTOR_CORPUS", str(spare_home.corpus))
    monkeypatch.setenv("TUTOR_EMBEDDING_MODEL", spare_home.embedding_model)
    monkeypatch.setattr(record, "FOLDER", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    rows = [{"id": id, "question": text, "relevant": [entry], "style": "own"} for id, text, entry in QUESTIONS]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    kinds = {"supported": "paraphrase", "unsupported": "number"}
    judged = [
        {
            "id": id,
            "question": "What then?",
            "context_id": entry,
            "answer": said,
            "verdict": label,
            "kind": kinds[label],
        }
        for id, entry, said, label in LABELLED
    ]
    (tmp_path / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in judged), "utf-8")
    return spare_home


@pytest.fixture
def server(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[JudgeServer]:
    with judging() as judge:
        monkeypatch.setenv("OPENAI_BASE_URL", judge.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield judge


def run(*words: str) -> tuple[list[str], str]:
    """The lines a command prints, and what it says beside them."""
    app = typer.Typer()
    add_judging(app)
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines(), result.stderr


def written(folder: Path, name: str) -> Any:
    text = (folder / "results" / name).read_text("utf-8")
    assert KEY not in text
    return json.loads(text)


@pytest.mark.usefixtures("home")
def test_without_a_judge_only_the_metrics_that_need_none_are_run(tmp_path: Path) -> None:
    lines, said = run("ragas", "--dataset", "own.jsonl")
    result = written(tmp_path, "ragas.json")
    assert list(result["metrics"]) == list(KEYLESS)
    assert result["metrics"]["id_context_recall"]["value"] == 1.0
    assert result["metrics"]["id_context_precision"]["value"] == pytest.approx(1 / 3, abs=0.2)
    assert result["metrics"]["semantic_similarity"]["refused"] == 1
    assert [row["id"] for row in result["rows"]] == ["G1", "G2", "G3"]
    assert (result["judge"]["name"], result["judge"]["calls"], result["judge"]["versions"]["ragas"]) == (
        None, 0, "0.4.3",
    )  # fmt: skip
    assert {"date", "commit", "settings", "machine"} <= set(result)
    assert "requests" not in said
    assert any(line.split()[:1] == ["id_context_recall"] for line in lines)


def test_with_a_judge_all_are_run_and_the_second_time_nothing_is_asked(server: JudgeServer, tmp_path: Path) -> None:
    lines, said = run("ragas", "--dataset", "own.jsonl", "--judge", NAME, "--input-price", "0.4", "--yes")
    result = written(tmp_path, "ragas.json")
    assert list(result["metrics"]) == [*KEYLESS, *JUDGED]
    faithful = result["metrics"]["faithfulness"]
    assert (faithful["n"], faithful["scored"], faithful["refused"], faithful["value"]) == (3, 2, 1, 1.0)
    asked = len(server.asked)
    assert (result["judge"]["name"], result["judge"]["answered_as"], result["judge"]["calls"]) == (NAME, [DATED], asked)
    assert f"about {asked} requests to {NAME}" in said
    assert "at your prices" in said
    assert KEY not in said + "".join(lines)
    assert any(line.startswith(f"Judge {NAME}, answering as {DATED}: {asked} requests") for line in lines)
    run("ragas", "--dataset", "own.jsonl", "--judge", NAME, "--yes")
    assert len(server.asked) == asked
    assert written(tmp_path, "ragas.json")["metrics"] == result["metrics"]


def test_chosen_metrics_of_the_first_samples_only(server: JudgeServer, tmp_path: Path) -> None:
    run("ragas", *ONE, "--out", "a.json")
    result = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert (list(result["metrics"]), len(result["rows"])) == (["faithfulness"], 1)
    assert server.forms() == ["StatementGeneratorOutput", "NLIStatementOutput"]


def test_a_dead_judge_ends_the_run_and_failures_are_shown(server: JudgeServer) -> None:
    server.always = failure(401)
    with pytest.raises(ModelError, match="status 401"):
        run("ragas", "--dataset", "own.jsonl", "--judge", NAME, "--yes")
    lines, _ = run("ragas", *ONE)
    (row,) = [line.split() for line in lines if line.startswith("faithfulness  ")]
    assert row == ["faithfulness", "none", "1", "0", "0", "1", "0", "0", "0"]
    assert "faithfulness: 1 without a score: the endpoint answered with status 401." in lines


@pytest.mark.usefixtures("home")
def test_wrong_use_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    for words in (
        ("ragas", "--dataset", "own.jsonl", "--judge", "some-model"),  # no endpoint
        ("ragas", "--dataset", "own.jsonl", "--metrics", "faithfulness"),  # no judge
        ("ragas", "--split", "mine"),
        ("ragas",),  # the gold questions name entries that are not in this index
        ("judge", "--dataset", "judged.jsonl", "--judge", "some-model"),
        ("judge", "--dataset", "missing.jsonl"),
        ("judge",),
    ):
        with pytest.raises(UsageError):
            run(*words)
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("home")
def test_the_local_judge_has_to_be_there() -> None:
    for words in (("ragas", "--dataset", "missing.jsonl", "--judge", "local"), ("judge", "--judge", "local")):
        with pytest.raises(UsageError if "missing.jsonl" in words else WeightsError):
            run(*words)
    for role in ("--judge", "--model"):
        with pytest.raises(WeightsError, match="is not there"):
            run("ragas", "--dataset", "own.jsonl", role, "local")


@pytest.mark.usefixtures("home")
def test_the_gate_is_judged_without_a_key(tmp_path: Path) -> None:
    lines, _ = run("judge", "--dataset", "judged.jsonl")
    (gate,) = written(tmp_path, "judges.json")["judges"]
    assert (gate["judge"], gate["n"], gate["failed"], gate["accuracy"]["value"]) == ("gate", 3, 0, 1.0)
    assert (gate["kappa"]["value"], gate["false_pass"]["value"]) == (1.0, 0.0)
    assert gate["kinds"] == {"number": {"n": 2, "right": 2}, "paraphrase": {"n": 1, "right": 1}}
    assert {row["id"] for row in gate["rows"]} == {"J1", "J2", "J3"}
    assert "gate gets right: number 2/2, paraphrase 1/1." in lines


def test_nothing_is_asked_without_a_yes(server: JudgeServer, tmp_path: Path) -> None:
    for words in (
        ("ragas", "--dataset", "own.jsonl", "--judge", NAME),
        ("ragas", "--dataset", "own.jsonl", "--model", "writer"),
        ("judge", "--dataset", "judged.jsonl", "--judge", "gate", "--judge", NAME, "--ragas"),
    ):
        with pytest.raises(UsageError, match="no terminal to say yes at") as caught:
            run(*words)
        assert (caught.value.exit_code, "--yes" in caught.value.cure) == (2, True)
    assert (server.asked, (tmp_path / "results").exists()) == ([], False)


def test_what_a_judge_will_be_asked_is_said_before_and_what_it_took_is_kept(
    server: JudgeServer, tmp_path: Path
) -> None:
    _, said = run("judge", "--dataset", "judged.jsonl", "--judge", NAME, "--ragas", "--output-price", "2", "--yes")
    assert f"3 labelled answers: about 9 requests to {NAME}" in said
    assert "at your prices" in said
    assert len(server.asked) == 9
    own, ragas = written(tmp_path, "judges.json")["judges"]
    assert (own["identity"]["judge"], own["identity"]["host"]) == (NAME, "127.0.0.1")
    assert ragas["identity"]["ragas"] == "0.4.3"
    assert (own["calls"], own["tokens_in"], ragas["calls"], ragas["tokens_in"]) == (3, None, 6, 600)


def test_a_judge_that_hangs_has_timed_out(server: JudgeServer, tmp_path: Path) -> None:
    server.patience = 1
    lines, _ = run("judge", "--dataset", "judged.jsonl", "--judge", NAME, "--yes", "--seconds", "1", "--parallel", "1")
    (model,) = written(tmp_path, "judges.json")["judges"]
    assert (model["n"], model["failed"], model["timeout"]) == (1, 0, 2)
    (row,) = [line.split() for line in lines if line.startswith(f"{NAME}  ")]
    assert row[1:5] == ["1", "0", "0", "2"]


def test_quotations_of_a_model_that_failed_are_no_answers_of_its(server: JudgeServer, tmp_path: Path) -> None:
    server.always = failure(401)
    rows = (tmp_path / "own.jsonl").read_text("utf-8").replace('"own"}', '"own", "reviewed": false}', 1)
    (tmp_path / "own.jsonl").write_text(rows, "utf-8")
    words = ("--metrics", "semantic_similarity,id_context_recall", "--model", "writer", "--yes")
    lines, _ = run("ragas", "--dataset", "own.jsonl", *words)
    assert "2 of 3 answers quoted because the model failed; they are in no mean over answers." in lines
    assert any("1 of 3 questions was drafted by a machine" in line for line in lines)
    result = written(tmp_path, "ragas.json")
    near = result["metrics"]["semantic_similarity"]
    assert (near["value"], near["fallback"], near["refused"], result["fell_back"]) == (None, 2, 1, 2)
    assert result["metrics"]["id_context_recall"]["value"] == 1.0
    assert [row["writer"] for row in result["rows"]] == ["quote", "quote", "writer"]


def test_several_judges_stand_side_by_side_and_a_weak_one_is_seen(server: JudgeServer, tmp_path: Path) -> None:
    server.said = lambda form, verdict: {"reason": "", "verdict": "supported"} if form == "verdict" else verdict
    lines, _ = run("judge", "--dataset", "judged.jsonl", "--judge", "gate", "--judge", NAME, "--ragas", "--yes")
    gate, model, ragas = written(tmp_path, "judges.json")["judges"]
    assert (model["judge"], model["false_pass"]["value"], model["kappa"]["value"]) == (NAME, 1.0, 0.0)
    assert (ragas["judge"], ragas["accuracy"]["value"]) == (f"{NAME}, RAGAS faithfulness", 1.0)
    assert gate["n"] == model["n"] == ragas["n"] == 3
    head = next(number for number, line in enumerate(lines) if "wrongly passed" in line)
    assert [line.split()[0] for line in lines[head + 1 : head + 4]] == ["gate", NAME, f"{NAME},"]
    assert server.forms().count("verdict") == 3


def test_a_judge_without_a_verdict_is_counted(server: JudgeServer, tmp_path: Path) -> None:
    server.said = lambda form, verdict: {"reason": "", "verdict": "perhaps"}
    run("judge", "--dataset", "judged.jsonl", "--judge", NAME, "--yes")
    (model,) = written(tmp_path, "judges.json")["judges"]
    assert (model["n"], model["failed"], model["kappa"]["value"]) == (0, 3, None)
    assert model["reasons"] == {"the reply holds no verdict": 3}


@pytest.mark.usefixtures("home")
def test_without_the_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ragas.metrics.collections", None)
    with pytest.raises(ResourceError, match="cannot be loaded"):
        run("ragas", "--dataset", "own.jsonl")
