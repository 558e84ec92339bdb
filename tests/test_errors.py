"""The tree at the top of rag/errors.py is the tree of its classes."""

import inspect
import re

import pytest

from rag import errors
from rag.errors import CorpusError, QuestionError, SettingsError, TutorError, UsageError, WeightsError

CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, TutorError) and found.__module__ == "rag.errors"
}


def drawn_tree() -> dict[str, str]:
    """Every class of the drawing with its parent there; the root's parent is Exception."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+)  +\S", line)
        if match:
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            parents[match[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawn_tree_holds_exactly_the_classes_and_their_parents() -> None:
    assert drawn_tree() == {name: found.__bases__[0].__name__ for name, found in CLASSES.items()}


def test_every_class_says_what_it_means() -> None:
    assert [name for name, found in CLASSES.items() if not found.__doc__] == []


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_only_wrong_use_exits_with_two(name: str) -> None:
    wrong_use = name in {"UsageError", "QuestionError", "SettingsError"}
    assert CLASSES[name].exit_code == (2 if wrong_use else 1)


@pytest.mark.parametrize("kind", [UsageError, QuestionError, SettingsError])
def test_wrong_use_can_be_caught_as_one_kind(kind: type[TutorError]) -> None:
    with pytest.raises(UsageError, match="the port is taken Use another one"):
        raise kind("the port is taken", "Use another one.")


def test_an_error_reads_as_its_message_and_its_cure() -> None:
    error = WeightsError("model.safetensors is damaged.", "Run `tutor models fetch`.")
    assert str(error) == "model.safetensors is damaged. Run `tutor models fetch`."
    assert (error.message, error.cure) == ("model.safetensors is damaged.", "Run `tutor models fetch`.")


def test_an_error_without_a_cure_ends_after_its_message() -> None:
    assert str(TutorError("It broke.")) == "It broke."


def test_a_corpus_error_carries_every_fault() -> None:
    faults = ("a.md:3: no title", "b.md:9: unknown topic")
    assert CorpusError("2 faults.", "Mend them.", faults).faults == faults
    assert CorpusError("A fault.").faults == ()
