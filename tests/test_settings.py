"""Settings: environment over file over defaults, unknown keys refused, bounds kept, secrets hidden."""

from pathlib import Path
from typing import get_args

import pytest
from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import ValidationError

from rag.catalog import TABLE
from rag.errors import SettingsError
from rag.settings import FROM_OPENAI, PROJECT, Settings, load_settings
from tests.canary import CANARY

SECRET = CANARY


def in_file(folder: Path, text: str) -> Path:
    (folder / "tutor.toml").write_text(text, "utf-8")
    return folder


def bounds() -> list[tuple[str, float, bool]]:
    """Every inclusive bound in the settings as (name, the bound, whether it is the lower one)."""
    found = []
    for name, field in Settings.model_fields.items():
        for item in field.metadata:
            if isinstance(item, Ge):
                found.append((name, float(str(item.ge)), True))
            elif isinstance(item, Le):
                found.append((name, float(str(item.le)), False))
    return found


def test_there_are_at_most_twenty_settings() -> None:
    assert len(Settings.model_fields.keys() - set(FROM_OPENAI.values())) <= 20


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_number_and_every_free_name_of_a_model_has_both_bounds() -> None:
    numbers = {name: field for name, field in Settings.model_fields.items() if field.annotation in {int, float}}
    for name, field in (numbers | {"model": Settings.model_fields["model"]}).items():
        kinds = [type(item) for item in field.metadata]
        assert {Ge, Gt, MinLen} & set(kinds), name
        assert {Le, MaxLen} & set(kinds), name


def test_the_defaults_are_used_where_nothing_is_set(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert (settings.model, settings.sources, settings.corpus) == ("auto", 5, PROJECT / "corpus")
    assert not settings.llm_configured


def test_the_environment_wins_over_the_file_and_an_override_over_both(tmp_path: Path) -> None:
    folder = in_file(tmp_path, "sources = 3\nclaims = 4\nport = 9000\n")
    settings = load_settings({"TUTOR_CLAIMS": "7", "TUTOR_PORT": "9001"}, folder, port=9002)
    assert (settings.sources, settings.claims, settings.port) == (3, 7, 9002)


def test_an_override_of_none_is_ignored(tmp_path: Path) -> None:
    assert load_settings({"TUTOR_MODEL": "quote"}, tmp_path, model=None).model == "quote"


def test_names_in_the_environment_may_be_written_in_any_case(tmp_path: Path) -> None:
    assert load_settings({"tutor_sources": "4"}, tmp_path).sources == 4


def test_other_environment_variables_are_none_of_our_business(tmp_path: Path) -> None:
    assert load_settings({"PATH": "/bin", "MY_TUTOR_SOURCES": "9"}, tmp_path).sources == 5


def test_the_home_folder_holds_models_and_index(tmp_path: Path) -> None:
    settings = load_settings({"TUTOR_HOME": str(tmp_path)}, tmp_path)
    assert settings.models_folder == tmp_path / "models"
    assert settings.index_folder == tmp_path / "index"


def test_an_unknown_variable_is_refused_by_name_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="The environment variable TUTOR_SOURCE is not a setting") as caught:
        load_settings({"TUTOR_SOURCE": "3"}, tmp_path)
    assert "Unset it, or use one of: " in caught.value.cure
    assert "TUTOR_SOURCES" in caught.value.cure


def test_an_unknown_key_of_the_file_is_refused_by_name_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="source is not a setting") as caught:
        load_settings({}, in_file(tmp_path, "source = 3\n"))
    assert f"Remove it from {tmp_path / 'tutor.toml'}" in caught.value.cure
    assert "sources" in caught.value.cure
    assert "api_key" not in caught.value.cure


@pytest.mark.parametrize(("name", "bound", "_"), bounds())
def test_a_value_at_its_bound_is_taken(tmp_path: Path, name: str, bound: float, _: bool) -> None:
    settings = load_settings({f"TUTOR_{name.upper()}": f"{bound:g}"}, tmp_path)
    assert getattr(settings, name) == bound


@pytest.mark.parametrize(("name", "bound", "lower"), bounds())
def test_a_value_beyond_its_bound_is_refused_by_name(tmp_path: Path, name: str, bound: float, lower: bool) -> None:
    variable = f"TUTOR_{name.upper()}"
    with pytest.raises(SettingsError, match=f"The setting {name} is wrong: input should be") as caught:
        load_settings({variable: f"{bound + (-1 if lower else 1):g}"}, tmp_path)
    assert f"Set {variable} or `{name}` in tutor.toml" in caught.value.cure
    assert f"{bound:g}" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first_byte_seconds", "0"),
        ("first_byte_seconds", "nan"),
        ("first_byte_seconds", "inf"),
        ("sources", "many"),
        ("sources", "2.5"),
        ("sources", ""),
        ("model", ""),
        ("model", "m" * 201),
        ("reranker", "r" * 501),
        ("entailment_model", "e" * 501),
        ("embedding_model", "word2vec"),
        ("home", " "),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"The setting {name} is wrong") as caught:
        load_settings({f"TUTOR_{name.upper()}": value}, tmp_path)
    assert f"Set TUTOR_{name.upper()}" in caught.value.cure


def test_a_wrong_value_of_the_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="The setting port is wrong"):
        load_settings({}, in_file(tmp_path, "port = 70000\n"))


@pytest.mark.parametrize("text", [b"sources = ", b"\xff\xfe", b"sources = 1\nsources = 2\n"])
def test_a_file_that_is_not_toml_is_named_with_its_cure(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "tutor.toml"
    file.write_bytes(text)
    with pytest.raises(SettingsError, match="cannot be read") as caught:
        load_settings({}, tmp_path)
    assert str(file) in caught.value.message
    assert caught.value.cure == "Mend or remove the file."


def test_key_and_address_of_the_language_model_come_from_the_usual_variables(tmp_path: Path) -> None:
    settings = load_settings({"OPENAI_API_KEY": f" {SECRET}\n", "OPENAI_BASE_URL": "http://127.0.0.1/v1"}, tmp_path)
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == SECRET
    assert settings.base_url == "http://127.0.0.1/v1"


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_either_of_them_configures_a_language_model_but_a_blank_one_does_not(tmp_path: Path, name: str) -> None:
    assert load_settings({name: "x"}, tmp_path).llm_configured
    assert not load_settings({name: "  "}, tmp_path).llm_configured


@pytest.mark.parametrize("name", ["TUTOR_API_KEY", "TUTOR_BASE_URL"])
def test_key_and_address_have_no_variable_of_ours(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not a setting") as caught:
        load_settings({name: SECRET}, tmp_path)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("key", ["api_key", "base_url"])
def test_key_and_address_are_refused_in_the_file(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match=f"sets {key}, which is read from the environment only") as caught:
        load_settings({}, in_file(tmp_path, f'{key} = "{SECRET}"\n'))
    assert caught.value.cure == "Use OPENAI_API_KEY and OPENAI_BASE_URL."
    assert str(tmp_path / "tutor.toml") in caught.value.message
    assert SECRET not in str(caught.value)


def test_the_key_is_in_no_printed_form(tmp_path: Path) -> None:
    settings = load_settings({"OPENAI_API_KEY": SECRET}, tmp_path)
    printed = [repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()]
    assert [text for text in printed if SECRET in text] == []


def test_the_key_is_not_in_the_error_about_another_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sources") as caught:
        load_settings({"OPENAI_API_KEY": SECRET, "TUTOR_SOURCES": "0"}, tmp_path)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        settings.sources = 3


def test_the_embedding_models_on_offer_are_those_of_the_catalog() -> None:
    assert set(get_args(Settings.model_fields["embedding_model"].annotation)) == set(TABLE)


def test_no_cross_encoder_reranks_unless_one_is_named(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path).reranker == ""
    assert load_settings({"TUTOR_RERANKER": "my/cross-encoder"}, tmp_path).reranker == "my/cross-encoder"
    assert load_settings({}, in_file(tmp_path, 'reranker = "/a/folder"\n')).reranker == "/a/folder"


def test_no_entailment_model_judges_unless_one_is_named(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path).entailment_model == ""
    assert load_settings({"TUTOR_ENTAILMENT_MODEL": "my/nli"}, tmp_path).entailment_model == "my/nli"


def test_a_tilde_in_the_home_folder_is_expanded(tmp_path: Path) -> None:
    assert load_settings({"TUTOR_HOME": "~/tutor"}, tmp_path).home == Path.home() / "tutor"
