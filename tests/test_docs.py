"""What the documents say is true: commands exist, settings are all listed, the file tree is today's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rag.settings import FROM_OPENAI, PROJECT, Settings
from ui.cli import app

README = (PROJECT / "README.md").read_text("utf-8")
LINES = README.splitlines()


def shell_commands() -> list[str]:
    """Every command of a README block marked as shell."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", README, re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("export ")]


def test_installing_comes_by_line_20_and_a_cited_answer_by_line_30() -> None:
    assert any("make run" in line for line in LINES[:20])
    assert any(re.search(r"\[[A-Z]{3}-\d{2}\]", line) for line in LINES[:30])


@pytest.mark.parametrize("command", shell_commands())
def test_every_command_of_the_readme_exists(command: str) -> None:
    words = command.split()
    if words[0] == "make":
        done = subprocess.run(["make", "-n", words[1]], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    elif words[0] == "tutor":
        path = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
        result = CliRunner().invoke(app, [*path, "--help"])
        assert result.exit_code == 0, result.output
        for option in re.findall(r"--[a-z-]+", command):
            assert option in result.output
    else:
        assert words[:2] == ["python", "-m"], command
        done = subprocess.run(
            [sys.executable, "-m", words[2], "--help"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_every_setting_is_listed_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", README, re.MULTILINE))
    secret = set(FROM_OPENAI.values())
    listed = {name for name in rows if name.startswith("TUTOR_")}
    assert listed == {f"TUTOR_{name.upper()}" for name in Settings.model_fields if name not in secret}
    assert set(FROM_OPENAI) <= set(rows)
    for name, field in Settings.model_fields.items():
        if name not in {*secret, "home", "corpus"}:
            assert rows[f"TUTOR_{name.upper()}"].strip("`") == (str(field.default) or "none")


def test_the_file_tree_names_every_module_and_no_other() -> None:
    tree = README.split("```text\n")[-1].split("```")[0]
    named = set(re.findall(r"[\w/]+\.py\b", tree))
    paths: set[str] = set()
    for folder in ("rag", "ingest", "ui", "eval"):
        files = (PROJECT / folder).rglob("*.py")
        paths |= {path.relative_to(PROJECT / folder).as_posix() for path in files if path.name != "__init__.py"}
    assert named == paths


def test_every_file_the_documents_link_to_exists() -> None:
    for document in ("README.md", "CONTRIBUTING.md", "corpus/README.md"):
        text = (PROJECT / document).read_text("utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (PROJECT / Path(document).parent / target).exists(), (document, target)
