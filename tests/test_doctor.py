"""The doctor names every part, its state and its cure, and changes nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.catalog import LOCAL, LOCAL_MODEL, TABLE
from rag.settings import Settings, load_settings
from tests.canary import CANARY
from tests.fakes import FILES, tiny_weights
from tests.guide_files import FIRST, small_corpus
from tests.servers import CHAT, MODELS, Reply, chat_reply, failure, models_reply, refused_url, serving, stream_reply
from tests.test_cross_encoder import written
from ui import doctor
from ui.doctor import Part, examine

KEY = CANARY


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def a_setup(tmp_path: Path, environment: dict[str, str] | None = None, **values: Any) -> Settings:
    """Settings of a home folder that does not exist yet, over a small corpus."""
    if not (tmp_path / "corpus").exists():
        small_corpus(tmp_path / "corpus")
    given = {"home": tmp_path / "home", "corpus": tmp_path / "corpus", **values}
    return load_settings(environment or {}, tmp_path, **given)


def part(settings: Settings, name: str) -> Part:
    (found,) = [part for part in examine(settings) if part.name == name]
    return found


def test_an_empty_home_lacks_weights_index_and_model_and_each_has_its_cure(tmp_path: Path) -> None:
    settings = a_setup(tmp_path)
    parts = {part.name: part for part in examine(settings)}
    assert [name for name, part in parts.items() if part.state != "ok"] == ["weights", "index", "language model"]
    assert parts["weights"] == Part(
        "weights", "missing", "all-mpnet-base-v2 is not there yet", "Run `tutor models fetch`."
    )
    assert parts["index"] == Part(
        "index", "missing", "there is no index yet", "Run `tutor index`; asking a question does so too."
    )
    assert parts["language model"].detail == "none configured"
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TUTOR_MODEL"):
        assert name in parts["language model"].cure


def test_parts_that_are_there_have_a_version_and_no_cure(tmp_path: Path) -> None:
    settings = a_setup(tmp_path)
    parts = {part.name: part for part in examine(settings)}
    assert set(doctor.PACKAGES) < set(parts)
    for name in ("python", *doctor.PACKAGES):
        assert parts[name].detail[0].isdigit()
        assert (parts[name].state, parts[name].cure) == ("ok", "")
    assert parts["guides"].detail == f"2 entries in {settings.corpus}"
    assert parts["home folder"].detail.startswith(f"{settings.home}, ")


def test_looking_downloads_and_writes_nothing(tmp_path: Path) -> None:
    settings = a_setup(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    examine(settings)
    assert sorted(tmp_path.rglob("*")) == before
    assert not settings.home.exists()


def test_a_package_that_is_not_installed_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    found = part(a_setup(tmp_path), "no-such-package")
    assert found == Part("no-such-package", "broken", "not installed", "Run `make setup`.")


def test_what_is_optional_and_not_there_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "RUNNER", "no-such-package")
    parts = {part.name: part for part in examine(a_setup(tmp_path))}
    for name in ("no-such-package", "reranker", "entailment model", "local model"):
        assert (parts[name].state, parts[name].cure) == ("ok", ""), name
    assert "`tutor models fetch local`" in parts["local model"].detail


def test_a_local_model_that_was_chosen_and_is_not_there_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "RUNNER", "no-such-package")
    parts = {part.name: part for part in examine(a_setup(tmp_path, model=LOCAL))}
    assert (parts["local model"].state, parts["local model"].cure) == ("missing", "Run `tutor models fetch local`.")
    assert (parts["no-such-package"].state, parts["no-such-package"].cure[:17]) == ("missing", "Run `make setup`;")


def test_a_damaged_local_model_is_broken_and_one_that_is_whole_makes_up_for_an_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = a_setup(tmp_path)
    folder = settings.models_folder / LOCAL_MODEL.name
    folder.mkdir(parents=True)
    file = folder / LOCAL_MODEL.files[0].name
    file.write_bytes(FILES["config.json"])
    found = part(settings, "local model")
    assert (found.state, found.cure) == ("broken", "Run `tutor models fetch local`.")
    assert found.detail.startswith(f"{file} is damaged")
    assert part(settings, "language model").state == "missing"

    right = replace(tiny_weights().files[-1], name=file.name)
    monkeypatch.setattr(doctor, "LOCAL_MODEL", replace(LOCAL_MODEL, files=(right,)))
    assert part(settings, "local model") == Part("local model", "ok", f"{LOCAL_MODEL.name} {right.sha256[:12]}")
    assert part(settings, "language model").state == "ok"
    assert "--model local" in part(settings, "language model").detail


def test_cross_encoders_that_are_set_are_tried(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    written(model, num_labels=1)
    parts = {part.name: part for part in examine(a_setup(tmp_path, reranker=str(model), entailment_model=str(model)))}
    assert parts["reranker"] == Part("reranker", "ok", str(model))
    assert parts["entailment model"].state == "broken"
    assert "has no label 'entailment'" in parts["entailment model"].detail
    assert "TUTOR_ENTAILMENT_MODEL" in parts["entailment model"].cure


def test_a_cross_encoder_that_is_not_on_this_machine_is_missing_and_not_downloaded(tmp_path: Path) -> None:
    found = part(a_setup(tmp_path, reranker="nobody/no-such-model"), "reranker")
    assert (found.state, found.detail) == ("missing", "nobody/no-such-model is not on this machine")
    assert "TUTOR_RERANKER" in found.cure


def test_damaged_weights_are_named_by_file_and_left_as_they_are(tmp_path: Path) -> None:
    settings = a_setup(tmp_path)
    weights = TABLE[settings.embedding_model]
    folder = settings.models_folder / weights.name
    folder.mkdir(parents=True)
    (folder / weights.files[0].name).write_bytes(b"not these bytes")
    found = part(settings, "weights")
    assert (found.state, found.cure) == ("broken", "Run `tutor models fetch`.")
    assert found.detail.startswith(f"{folder / weights.files[0].name} is damaged: its sha256 is not ")
    assert [path.name for path in folder.iterdir()] == [weights.files[0].name]


def test_faulty_guides_are_broken_and_the_first_fault_is_named(tmp_path: Path) -> None:
    small_corpus(tmp_path / "corpus", "no entry")
    found = part(a_setup(tmp_path), "guides")
    assert (found.state, found.cure) == ("broken", "Run `tutor corpus check`.")
    assert found.detail.startswith(f"2 faults, the first at {FIRST}:1: no front matter")


def test_an_index_whose_version_is_gone_is_missing_and_says_why(tmp_path: Path) -> None:
    settings = a_setup(tmp_path)
    settings.index_folder.mkdir(parents=True)
    (settings.index_folder / "CURRENT").write_text("gone", "utf-8")
    found = part(settings, "index")
    assert (found.state, found.cure) == ("missing", "Run `tutor index`; asking a question does so too.")
    assert found.detail == f"the index in {settings.index_folder} is damaged: its version 'gone' is not there"


@pytest.mark.parametrize("below", [".", "home"])
def test_a_home_that_cannot_be_a_folder_is_broken(tmp_path: Path, below: str) -> None:
    file = tmp_path / "a-file"
    file.touch()
    found = part(a_setup(tmp_path, home=file / below), "home folder")
    assert (found.state, found.detail) == ("broken", f"{file} is not a folder one can write to")
    assert found.cure == "Set TUTOR_HOME to a folder of your own."


YES, SCHEMA, ANY = stream_reply("Yes"), chat_reply('{"wet": true}'), chat_reply("{}")


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([YES, SCHEMA, ANY], "answers piece by piece, keeps to a JSON schema"),
        ([YES, chat_reply("Yes"), ANY], "answers piece by piece, keeps to JSON"),
        ([chat_reply("Yes"), SCHEMA, ANY], "answers in one piece, keeps to a JSON schema"),
        ([YES, chat_reply("Yes")], "answers piece by piece, keeps to no JSON, so it is asked for lines"),
    ],
)
def test_an_endpoint_that_answers_is_told_with_what_it_can_do(tmp_path: Path, replies: list[Reply], says: str) -> None:
    with serving({MODELS: [models_reply("alpha", "beta")], CHAT: replies}) as server:
        found = part(a_setup(tmp_path, {"OPENAI_BASE_URL": server.url}), "language model")
        assert found == Part("language model", "ok", f"alpha at {server.host}: {says}")


def test_the_model_that_is_set_is_the_one_that_is_tried_listed_or_not(tmp_path: Path) -> None:
    with serving({CHAT: [YES, SCHEMA, ANY]}) as server:
        environment = {"OPENAI_BASE_URL": server.url, "TUTOR_MODEL": "gamma"}
        found = part(a_setup(tmp_path, environment), "language model")
        assert found.detail.startswith(f"gamma at {server.host}, which lists no models: answers")
        assert {request.body["model"] for request in server.requests if request.body} == {"gamma"}


@pytest.mark.parametrize("model", ["auto", "quote", "local"])
def test_a_setting_that_names_no_model_tries_the_endpoints_first(tmp_path: Path, model: str) -> None:
    with serving({MODELS: [models_reply("alpha")], CHAT: [YES, SCHEMA, ANY]}) as server:
        environment = {"OPENAI_BASE_URL": server.url, "TUTOR_MODEL": model}
        assert part(a_setup(tmp_path, environment), "language model").detail.startswith("alpha at ")


@pytest.mark.parametrize(
    ("listing", "reply", "says"),
    [
        (failure(401), YES, "{host} refused the key."),
        (failure(404), YES, "{host} lists no models: status 404."),
        (Reply(b"<html>"), YES, "{host} sent something that is not a chat-completions reply."),
        (models_reply(), YES, "{host} lists no model."),
        (models_reply("alpha"), failure(404), "{host} does not know the model alpha."),
        (models_reply("alpha"), Reply(b"<html>"), "{host} sent something that is not a chat-completions reply."),
        (models_reply("alpha"), chat_reply(""), "alpha at {host} sent an empty reply."),
    ],
)
def test_an_endpoint_that_does_not_deliver_is_broken_and_the_key_is_not_shown(
    tmp_path: Path, listing: Reply, reply: Reply, says: str
) -> None:
    with serving({MODELS: [listing], CHAT: [reply]}) as server:
        environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        parts = examine(a_setup(tmp_path, environment))
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(parts)
    assert (parts[-1].state, parts[-1].detail) == ("broken", says.format(host=server.host))
    assert parts[-1].cure


def test_an_endpoint_that_does_not_run_is_broken_and_the_setting_is_named(tmp_path: Path) -> None:
    url = refused_url()
    found = part(a_setup(tmp_path, {"OPENAI_BASE_URL": url}), "language model")
    assert (found.state, found.detail) == ("broken", f"{url.split('/')[2]} cannot be reached.")
    assert found.cure.startswith("Check OPENAI_BASE_URL")
