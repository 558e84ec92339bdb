"""What eval/README.md says about costs, commands, metrics and files is so."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.estimate import estimate
from eval.samples import FIELDS, JUDGED, Sample
from eval.suite import TITLES
from rag.settings import PROJECT
from ui.cli import app

FOLDER = PROJECT / "eval"
TEXT = (FOLDER / "README.md").read_text("utf-8")


@pytest.mark.parametrize(("k", "q", "a", "c", "r"), [(5, 20, 150, 4000, 120), (1, 40, 400, 900, 60)])
def test_the_cost_formula_is_that_of_the_estimate(k: int, q: int, a: int, c: int, r: int) -> None:
    formulas = dict(re.findall(r"^(calls|tokens_in|tokens_out) += (.+)$", TEXT, re.MULTILINE))
    expected = [
        eval(formulas[name], {"__builtins__": {}}, {"k": k, "q": q, "a": a, "c": c, "r": r})
        for name in ("calls", "tokens_in", "tokens_out")
    ]
    contexts = tuple("x" * (4 * c // k) for _ in range(k))
    sample = Sample("1", "x" * 4 * q, "x" * 4 * a, contexts, reference="x" * 4 * r)
    found = estimate([sample], list(JUDGED))
    assert [found.calls, found.tokens_in, found.tokens_out] == pytest.approx(expected, rel=0.005)


def test_every_metric_is_explained() -> None:
    quiet = {"claims", "dropped", "refusal_recall_near_miss", "refusal_recall_off_topic", "refusal_precision_near_miss"}
    assert [name for name in [*TITLES, *FIELDS] if name not in quiet and f"`{name}`" not in TEXT] == []


def test_every_file_it_names_is_there_and_none_is_left_out() -> None:
    named = set(re.findall(r"`(\w+\.(?:py|toml|md))`", TEXT)) | set(re.findall(r"`(\w+\.jsonl)`", TEXT.split("##")[1]))
    missing = [name for name in named if not list(FOLDER.glob(f"**/{name}"))]
    assert missing == []
    listed = TEXT.split("## Where things are")[1]
    apart = {"__init__.py", "record.py", "retrieval.py"}
    names = [path.name for path in FOLDER.glob("*.py") if path.name not in apart]
    left_out = [name for name in names if not name.startswith("bench")
                and f"`{name}`" not in listed]  # fmt: skip
    assert left_out == []


def test_every_command_it_shows_exists_with_its_options() -> None:
    shown = set(re.findall(r"^tutor eval ([a-z-]+)(.*?)(?: +#|$)", TEXT, re.MULTILINE))
    assert len({name for name, _ in shown}) >= 8
    for name, rest in shown:
        told = CliRunner().invoke(app, ["eval", name, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).stdout
        assert told, name
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in told, (name, option)


def test_it_names_no_path_of_a_machine() -> None:
    assert str(Path.home()) not in TEXT
    assert "/work" not in TEXT
