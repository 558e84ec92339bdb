"""The whole keyless suite on the test half has to hold the gates of `eval/gates.toml`."""

import pytest

from eval import gates, suite
from eval.cases import project_cases
from eval.marking import Marking
from rag.answer import QUOTE
from rag.wiring import Library
from tests.conftest import silent


@pytest.mark.real
def test_the_test_half_holds_every_gate(library: Library) -> None:
    # No gate is on partial questions, which take a third of the time; one that is added is missed without them.
    cases = [case for case in project_cases("test") if case.group != "partial"]
    found = suite.run(library.tutor(), Marking.of(library), cases, QUOTE, silent)
    metrics = gates.judged(found["metrics"], gates.read_gates())
    missed = {name: (cell["value"], cell["gate"]) for name, cell in metrics.items() if _missed(cell)}
    assert missed == {}


def _missed(cell: dict[str, object]) -> bool:
    gate = cell.get("gate")
    return isinstance(gate, dict) and not gate["passed"]
