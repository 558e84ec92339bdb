"""The gates are read with every fault named, and judge what was measured and what was not."""

from pathlib import Path
from typing import Any

import pytest

from eval import gates
from eval.gates import Gate, judged, read_gates
from eval.suite import TITLES
from rag.errors import UsageError

WANTED = {
    "hit@1": 0.92, "hit@3": 0.98, "refusal_recall": 0.90, "refusal_recall_near_miss": 0.85, "refused_answerable": 0.04,
    "sentences_cited": 1.0, "unknown_ids": 0, "cited_any": 0.95, "cited_first": 0.90,
    "supported_sentences": 0.98, "consistency": 0.9,
    "attack_success": 0,
}  # fmt: skip


def gates_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gates.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_gate_is_a_least_or_a_most(tmp_path: Path) -> None:
    found = read_gates(gates_file(tmp_path, '"hit@1" = { min = 0.92 }\nunknown_ids = { max = 0 }\n'))
    assert found == [Gate("hit@1", 0.92), Gate("unknown_ids", 0.0, most=True)]


@pytest.mark.parametrize(
    ("gate", "value", "passed"),
    [
        (Gate("a", 0.9), 0.9, True),
        (Gate("a", 0.9), 0.8999, False),
        (Gate("a", 0.0, most=True), 0.0, True),
        (Gate("a", 0.0, most=True), 0.001, False),
        (Gate("a", 0.9), None, False),
        (Gate("a", 0.9, most=True), None, False),
    ],
)
def test_the_bound_itself_passes_and_what_was_not_measured_does_not(
    gate: Gate, value: float | None, passed: bool
) -> None:
    assert gate.passed(value) is passed


def test_a_run_is_told_which_gates_it_passes() -> None:
    metrics = {name: {"value": 0.9, "low": 0.8, "high": 1.0, "n": 5} for name in ("a", "b", "c")}
    found = judged(metrics, [Gate("a", 0.9), Gate("b", 0.5, most=True), Gate("lost", 0.1)])
    assert found["a"] == {**metrics["a"], "gate": {"min": 0.9, "passed": True}}
    assert found["b"]["gate"] == {"max": 0.5, "passed": False}
    assert "gate" not in found["c"]
    assert found["lost"]["value"] is None
    assert found["lost"]["gate"] == {"min": 0.1, "passed": False}
    assert "gate" not in metrics["a"]


@pytest.mark.parametrize(
    "text",
    ["a = 0.9", "a = { min = 0.9, max = 1 }", "a = { least = 0.9 }", 'a = { min = "0.9" }', "a = { min = true }",
     "[a]\nb = { min = 1 }"],
)  # fmt: skip
def test_a_line_of_another_form_is_named(tmp_path: Path, text: str) -> None:
    path = gates_file(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_gates(path)
    assert caught.value.message == f"The gate of a in {path} is no bound."
    assert "{ min = 0.92 }" in caught.value.cure


@pytest.mark.parametrize("text", [None, "a = {", "\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "gates.toml" if text is None else gates_file(tmp_path, text)
    with pytest.raises(UsageError, match="gates.toml cannot be read"):
        read_gates(path)


def test_every_gate_of_the_project_is_on_something_that_is_measured_and_has_the_bound_that_was_decided() -> None:
    found: dict[str, Any] = {gate.metric: gate for gate in read_gates(gates.FILE)}
    assert set(found) <= set(TITLES)
    assert {name: gate.bound for name, gate in found.items()} == WANTED
    assert [name for name, gate in found.items() if gate.most] == [
        "refused_answerable",
        "unknown_ids",
        "attack_success",
    ]
