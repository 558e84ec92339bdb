"""The guard over all tests: a key that is printed or logged anywhere fails the test that did it."""

import subprocess
import sys
from pathlib import Path

import pytest

from rag.settings import PROJECT
from tests.canary import CANARY

LEAKS = {
    "print": "print(CANARY)",
    "error": "sys.stderr.write(CANARY)",
    "debug": "logging.getLogger('any').debug('key %s', CANARY)",
    "nothing": "pass",
}


@pytest.mark.parametrize(("name", "outcome"), [("print", 1), ("error", 1), ("debug", 1), ("nothing", 0)])
def test_a_test_that_shows_the_key_fails(name: str, outcome: int, tmp_path: Path) -> None:
    body = f"import logging, sys\nfrom tests.canary import CANARY\n\ndef test_it():\n    {LEAKS[name]}\n"
    (tmp_path / "test_it.py").write_text(body, "utf-8")
    call = [sys.executable, "-m", "pytest", "-p", "tests.canary", "--rootdir", str(tmp_path), "-c", "/dev/null"]
    call += ["-o", "log_level=DEBUG", "-p", "no:cacheprovider", "--import-mode=importlib", str(tmp_path / "test_it.py")]
    done = subprocess.run(call, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == outcome, done.stdout
    assert ("shows the key of the language model" in done.stdout) == bool(outcome)


def test_the_key_is_one_that_the_tests_use() -> None:
    users = [file.name for file in Path(__file__).parent.glob("*.py") if "import CANARY" in file.read_text("utf-8")]
    assert {"asking.py", "test_doctor.py", "test_evals.py", "test_record.py", "test_settings.py"} <= set(users)
    assert len(CANARY) > 16
