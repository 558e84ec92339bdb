"""The guard over all tests: a key that is printed or logged anywhere fails the test that did it."""

import logging
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from rag.errors import ModelError, SettingsError
from rag.llm import OpenAIModel
from rag.settings import PROJECT, Settings, load_settings
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


SECRET_ADDRESSES = [
    f"http://me:{CANARY}@127.0.0.1:9/v1",
    f"http://{CANARY}@127.0.0.1:9/v1",
    f"http://127.0.0.1:9/v1?api_key={CANARY}",
    f"http://127.0.0.1:9/v1#{CANARY}",
    f"http://[me:{CANARY}@127.0.0.1:9/v1",
    f"http://me:{CANARY}\u2100@127.0.0.1:9/v1",
]


def everything(error: BaseException | None) -> str:
    """All that an error, and what it came from, could ever print."""
    told = ""
    while error is not None:
        told += "".join(traceback.format_exception(error)) + repr(vars(error))
        error = error.__cause__ or error.__context__
    return told


@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_an_address_with_a_secret_in_it_is_refused_and_not_repeated(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="^OPENAI_BASE_URL is wrong") as caught:
        load_settings({"OPENAI_BASE_URL": address}, tmp_path)
    assert "OPENAI_API_KEY" in caught.value.cure
    assert CANARY not in everything(caught.value)
    with pytest.raises(ValidationError) as direct:
        Settings(base_url=address)
    assert CANARY not in str(direct.value)


@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_an_address_with_a_secret_in_it_is_never_asked_or_logged(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ModelError, match="^OPENAI_BASE_URL") as caught:
        OpenAIModel("small", None, address, 100, 5.0).models()
    assert CANARY not in everything(caught.value)
    assert [record for record in caplog.records if CANARY in record.getMessage()] == []


def test_an_address_is_in_no_printed_form_of_the_settings() -> None:
    # Made without the check, as a copy with other values is.
    settings = Settings.model_construct(base_url=SECRET_ADDRESSES[0])
    assert CANARY not in repr(settings) + str(settings)


def test_the_key_is_one_that_the_tests_use() -> None:
    users = [file.name for file in Path(__file__).parent.glob("*.py") if "import CANARY" in file.read_text("utf-8")]
    assert {"asking.py", "test_doctor.py", "test_evals.py", "test_record.py", "test_settings.py"} <= set(users)
    assert len(CANARY) > 16
