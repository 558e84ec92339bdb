"""What can be chosen before asking: writers, topics, questions to begin with."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from rag.catalog import LOCAL_MODEL
from rag.settings import Settings
from rag.weights import STAMP
from tests.fakes import an_entry
from ui.choices import STARTERS, default_model, model_notice, models_on_offer, scopes_of, starters_of, topics_of

KEY = SecretStr("sk-never-shown")
ENDPOINT = "http://127.0.0.1:9/v1"
ENTRIES = [
    an_entry("A-1", topics=("drift", "serving"), level="senior"),
    an_entry("A-2", topics=("serving", "drift"), level="foundation"),
    an_entry("A-3", topics=("drift",), level="foundation"),
    an_entry("A-4", topics=("llm",)),
    *[an_entry(f"B-{number}", topics=("metrics",)) for number in range(8)],
]


def with_local_model(home: Path) -> None:
    """Puts files in the local model's place that look as they did when they were verified."""
    folder = home / "models" / LOCAL_MODEL.name
    folder.mkdir(parents=True)
    stamps = {}
    for file in LOCAL_MODEL.files:
        (folder / file.name).write_bytes(b"weights")
        stat = (folder / file.name).stat()
        stamps[file.name] = [stat.st_size, stat.st_mtime_ns]
    (folder / STAMP).write_text(json.dumps(stamps))


def test_with_nothing_configured_only_quoting_is_on_offer(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert list(models_on_offer(settings)) == ["quote"]
    assert default_model(settings) == "quote"
    assert model_notice(settings) == ""


@pytest.mark.parametrize(
    ("model", "default", "offered"),
    [
        ("auto", "auto", ["quote", "auto"]),
        ("small", "small", ["quote", "small"]),
        ("quote", "quote", ["quote", "auto"]),
    ],
)
def test_an_endpoint_is_on_offer_by_its_model(tmp_path: Path, model: str, default: str, offered: list[str]) -> None:
    for settings in (
        Settings(home=tmp_path, model=model, base_url=ENDPOINT),
        Settings(home=tmp_path, model=model, api_key=KEY),
    ):
        assert list(models_on_offer(settings)) == offered
        assert default_model(settings) == default
        assert model_notice(settings) == ""


def test_the_local_model_is_on_offer_when_it_was_fetched(tmp_path: Path) -> None:
    with_local_model(tmp_path)
    settings = Settings(home=tmp_path, model="local")
    assert list(models_on_offer(settings)) == ["quote", "local"]
    assert default_model(settings) == "local"
    assert model_notice(settings) == ""


def test_a_local_model_that_is_not_there_is_announced_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model="local")
    assert default_model(settings) == "quote"
    assert "`tutor models fetch local`" in model_notice(settings)


def test_a_model_without_an_endpoint_is_announced_with_the_settings_it_needs(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model="small")
    assert default_model(settings) == "quote"
    assert "TUTOR_MODEL is small" in model_notice(settings)
    assert "OPENAI_BASE_URL" in model_notice(settings)


def test_a_scope_can_be_chosen_once_there_are_documents() -> None:
    assert list(scopes_of(ENTRIES)) == [None]
    assert list(scopes_of([*ENTRIES, an_entry("MINE-1", origin="document")])) == [None, "guide", "document"]


def test_the_topic_with_the_most_entries_comes_first() -> None:
    assert topics_of(ENTRIES) == ["metrics", "drift", "serving", "llm"]


def test_the_questions_of_a_topic_are_those_of_its_entries_the_main_topic_and_the_easier_ones_first() -> None:
    assert starters_of(ENTRIES, "drift") == ("What is A-3?", "What is A-1?", "What is A-2?")


def test_a_large_topic_gives_a_few_questions_and_no_topic_the_usual_ones() -> None:
    assert len(starters_of(ENTRIES, "metrics")) == 5
    assert starters_of(ENTRIES, None) == STARTERS
