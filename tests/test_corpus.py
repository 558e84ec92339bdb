"""Every Python block of the built-in corpus runs and asserts what its entry claims."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.guides import entry_files
from rag.settings import PROJECT

FENCE = "```python"
RUNNER = Path(__file__).with_name("block_runner.py")
SECONDS = 600
TEXTS = {path.name: path.read_text("utf-8") for path in entry_files(PROJECT / "corpus")}


def python_blocks(text: str) -> list[str]:
    return re.findall(rf"^{FENCE}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


BLOCKS = {
    f"{name[:6]}-{number}": code for name, text in TEXTS.items() for number, code in enumerate(python_blocks(text), 1)
}


def start(blocks: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    """An interpreter that runs these blocks in an empty folder, one core for its numerics."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", cwd=folder, env=environment,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(blocks))
    process.stdin.close()
    process.stdin = None  # communicate() would flush it
    return process


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each block raised. Two interpreters share the work, so that each slow import is paid once."""
    with_torch = {name: code for name, code in BLOCKS.items() if re.search(r"^(import|from) torch", code, re.MULTILINE)}
    others = {name: code for name, code in BLOCKS.items() if name not in with_torch}
    found: dict[str, str] = {}
    running = [start(blocks, tmp_path_factory.mktemp("blocks")) for blocks in (with_torch, others)]
    for process in running:
        with process:
            output, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, errors
        found |= json.loads(output)
    return found


def test_every_fenced_block_of_python_is_found() -> None:
    fences = {name: text.count(FENCE) for name, text in TEXTS.items()}
    assert {name: len(python_blocks(text)) for name, text in TEXTS.items()} == fences
    assert len(BLOCKS) == sum(fences.values()) >= 41


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_asserts_something(name: str) -> None:
    checks = [node.test for node in ast.walk(ast.parse(BLOCKS[name])) if isinstance(node, ast.Assert)]
    assert any(not isinstance(check, ast.Constant) for check in checks)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_raises_nothing(name: str, outcomes: dict[str, str]) -> None:
    assert outcomes[name] == ""


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    blocks = {"good": "print('talk')\nassert True", "wrong": "assert 1 == 2", "leak": "good = talk", "end": "exit(0)"}
    output, _ = start(blocks, tmp_path).communicate(timeout=SECONDS)
    outcome = json.loads(output)
    assert outcome["good"] == ""
    assert [outcome[name].splitlines()[-1] for name in ("wrong", "leak", "end")] == [
        "AssertionError", "NameError: name 'talk' is not defined", "SystemExit: 0",
    ]  # fmt: skip
