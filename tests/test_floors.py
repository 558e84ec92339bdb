"""The floor plan: who may import whom, which file holds which library, and how long anything may get.

    floor 5  ui/*  eval/*  ingest/build.py  ingest/prepare.py      doors
    floor 4  rag/wiring.py                                         the only file that builds concrete adapters
    floor 3  rag/tutor.py                                          one question, start to finish
    floor 2  retrieving, answering, checking; reading and cutting guides
    floor 1  adapters: one third party each, and files on disk     never import each other
    floor 0  types, errors, settings, the table of models

Imports go downwards only; on the floors in `LEVEL` also sideways. The read side (`rag`) knows nothing
of the rooms around it. A new file fails here until it has a place in the plan.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from rag.settings import PROJECT

ROOMS = ("rag", "ingest", "ui", "eval", "practice")
PLAN = {
    "rag/types.py": 0, "rag/errors.py": 0, "rag/settings.py": 0, "rag/catalog.py": 0,
    "rag/shape.py": 0, "rag/request.py": 0, "rag/exchange.py": 0, "rag/completion.py": 0, "rag/refusal.py": 0,
    "rag/embed.py": 1, "rag/query_embed.py": 1, "rag/vectors.py": 1, "rag/keyword.py": 1, "rag/llm.py": 1,
    "rag/weights.py": 1, "rag/spelling.py": 1, "rag/store.py": 1, "rag/manifest.py": 1,
    "rag/coverage.py": 1, "rag/cross_encoder.py": 1, "rag/cache.py": 1,
    "rag/local_llm.py": 1,
    "rag/retrieve.py": 2, "rag/answer.py": 2, "rag/cite.py": 2, "rag/support.py": 2, "rag/passages.py": 2,
    "rag/converse.py": 2, "rag/rerank.py": 2, "rag/abstain.py": 2,
    "rag/pace.py": 2, "rag/clean.py": 2, "rag/reply.py": 2, "rag/question.py": 2, "rag/parts.py": 2,
    "rag/written.py": 2, "rag/pick.py": 2, "rag/verdict.py": 2, "rag/trees.py": 2, "rag/rules.py": 2,
    "rag/wording.py": 2,
    "ingest/guides.py": 2, "ingest/questions.py": 2, "ingest/chunk.py": 2, "ingest/sentences.py": 2,
    "ingest/limits.py": 2, "ingest/decode.py": 2, "ingest/mend.py": 2, "ingest/html_text.py": 2,
    "ingest/docx_text.py": 2, "ingest/pdf_text.py": 2, "ingest/extract.py": 2, "ingest/marks.py": 2,
    "ingest/sections.py": 2, "ingest/answers.py": 2, "ingest/layouts.py": 2, "ingest/parse.py": 2,
    "ingest/sandbox.py": 2, "ingest/shown.py": 2, "ingest/files.py": 2, "ingest/numbering.py": 2,
    "ingest/documents.py": 2,
    "rag/tutor.py": 3,
    "rag/wiring.py": 4,
    "ingest/prepare.py": 5, "ingest/build.py": 5, "ingest/lock.py": 5, "ingest/state.py": 5, "ingest/library.py": 5,
    "ui/*": 5, "eval/*": 5,
}  # fmt: skip
LEVEL = {0, 2, 5}
"""Floors whose files may import each other. Adapters (1) never do; 3 and 4 are to stay one file a task."""

WEB = ("ui/app.py", "ui/state.py", "ui/panels.py", "ui/views/*.py")
HOMES = {
    "chromadb": ("rag/vectors.py",),
    "sentence_transformers": ("rag/embed.py", "rag/cross_encoder.py"),
    "torch": ("rag/embed.py", "rag/cross_encoder.py"),
    "transformers": ("rag/embed.py", "rag/cross_encoder.py"),
    "onnxruntime": ("rag/query_embed.py",),
    "tokenizers": ("rag/query_embed.py",),
    "rank_bm25": ("rag/keyword.py",),
    "Stemmer": ("rag/keyword.py",),
    "openai": ("rag/llm.py", "eval/judge.py"),
    "symspellpy": ("rag/spelling.py",),
    "huggingface_hub": ("rag/weights.py",),
    "diskcache": ("rag/cache.py",),
    "xllamacpp": ("rag/local_llm.py",),
    "markdown_it": ("ingest/chunk.py",),
    "charset_normalizer": ("ingest/decode.py",),
    "ftfy": ("ingest/mend.py",),
    "selectolax": ("ingest/html_text.py",),
    "docx": ("ingest/docx_text.py",),
    "pypdfium2": ("ingest/pdf_text.py",),
    "filelock": ("ingest/lock.py",),
    "sklearn": ("eval/calibrate.py", "eval/support_trees.py", "ui/atlas.py"),
    "ragas": ("eval/judge.py",),
    "instructor": ("eval/judge.py",),
    "typer": ("ui/*.py", "eval/*.py"),
    "rich": ("ui/*.py", "eval/*.py"),
    "streamlit": WEB,
    "playwright": ("eval/bench_sessions.py",),
    "langchain_chroma": ("eval/peers/langchain_worker.py",),
    "langchain_classic": ("eval/peers/langchain_worker.py",),
    "langchain_community": ("eval/peers/langchain_worker.py",),
    "langchain_core": ("eval/peers/langchain_worker.py",),
    "langchain_huggingface": ("eval/peers/langchain_worker.py",),
    "langchain_text_splitters": ("eval/peers/langchain_worker.py",),
    "llama_index": ("eval/peers/llamaindex_worker.py",),
    "haystack": ("eval/peers/haystack_worker.py",),
    "haystack_integrations": ("eval/peers/haystack_worker.py",),
}
ANYWHERE = {"numpy", "pydantic", "pydantic_core", "yaml", "platformdirs"}
HEAVY = {
    "chromadb", "torch", "transformers", "sentence_transformers", "openai", "onnxruntime", "tokenizers", "ragas",
    "instructor", "huggingface_hub", "streamlit", "pypdfium2", "docx", "selectolax", "ftfy", "charset_normalizer",
    "langchain_chroma", "langchain_classic", "langchain_community", "langchain_core", "langchain_huggingface",
    "langchain_text_splitters", "llama_index", "haystack", "haystack_integrations", "sklearn",
    "diskcache", "xllamacpp",
}  # fmt: skip
"""What takes so long to import that a command which does without it must not pay for it."""

MODULE_LINES = 300
FUNCTION_LINES = 50


@dataclass(frozen=True)
class Import:
    """One imported module. `eager` when it runs as soon as the file is imported."""

    module: str
    line: int
    eager: bool

    @property
    def package(self) -> str:
        return self.module.split(".")[0]


def source_files(root: Path) -> dict[str, str]:
    """The text of every Python file of the rooms, by its path in the project."""
    paths = sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths}


def imports_of(source: str) -> list[Import]:
    """Every import of a file: at the top, in functions, and for type checking only."""

    def walk(node: ast.AST, eager: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from ui import text` means ui/text.py: whether a name is a module only the files can tell.
            yield from (Import(f"{module}.{alias.name}", node.lineno, eager) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for inner, runs in [*((inner, False) for inner in node.body), *((inner, eager) for inner in node.orelse)]:
                yield from walk(inner, runs)
        else:
            lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from walk(child, eager and not lazy)

    return list(walk(ast.parse(source), True))


def target_file(module: str, files: dict[str, str]) -> str:
    """The project file that an imported dotted name is in; empty when it is not the project's."""
    parts = module.split(".")
    if parts[0] not in ROOMS:
        return ""
    for end in range(len(parts), 0, -1):
        stem = "/".join(parts[:end])
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if path in files:
                return path
    return f"{'/'.join(parts)}.py"


def floor_of(path: str) -> int | None:
    """The floor of a file in the plan; None when it has no place."""
    return next((floor for pattern, floor in PLAN.items() if fnmatch(path, pattern)), None)


def lives_in(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def floor_faults(files: dict[str, str]) -> Iterator[str]:
    """Imports that go up, or sideways where that is not allowed, or out of the read side."""
    for path, source in files.items():
        floor = floor_of(path)
        if floor is None or path.endswith("__init__.py"):
            continue
        for item in imports_of(source):
            if item.module.startswith("."):
                yield f"{path}:{item.line}: relative import {item.module}"
            target = target_file(item.module, files)
            below = floor_of(target)
            if not target or target == path or target.endswith("__init__.py"):
                continue
            if below is None or below > floor or (below == floor and floor not in LEVEL):
                yield f"{path}:{item.line}: floor {floor} imports {item.module} on floor {below}"
            if path.startswith("rag/") and not target.startswith("rag/"):
                yield f"{path}:{item.line}: the read side imports {item.module}"


def library_faults(files: dict[str, str]) -> Iterator[str]:
    """Third-party imports outside their home, and heavy ones that run at import."""
    for path, source in files.items():
        for item in imports_of(source):
            if item.package in sys.stdlib_module_names or item.package in ROOMS or item.module.startswith("."):
                continue
            if item.package not in ANYWHERE and not lives_in(path, HOMES.get(item.package, ())):
                yield f"{path}:{item.line}: {item.package} has no home here"
            web = item.package == "streamlit" and lives_in(path, WEB)
            if item.package in HEAVY and item.eager and not web:
                yield f"{path}:{item.line}: {item.package} is imported at the top"


def length_faults(files: dict[str, str]) -> Iterator[str]:
    """Modules and functions that are too long."""
    for path, source in files.items():
        if (lines := len(source.splitlines())) > MODULE_LINES:
            yield f"{path}: {lines} lines"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{path}:{node.lineno}: {node.name} has {lines} lines"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return source_files(PROJECT)


def test_every_file_has_a_place_in_the_plan(files: dict[str, str]) -> None:
    assert [path for path in files if floor_of(path) is None and not path.endswith("__init__.py")] == []


def test_every_place_in_the_plan_has_its_file(files: dict[str, str]) -> None:
    assert [pattern for pattern in PLAN if not any(fnmatch(path, pattern) for path in files)] == []


def test_imports_go_downwards_only_and_adapters_never_import_each_other(files: dict[str, str]) -> None:
    assert list(floor_faults(files)) == []


def test_the_vocabulary_knows_no_other_file(files: dict[str, str]) -> None:
    for path in ("rag/types.py", "rag/errors.py", "rag/catalog.py"):
        assert [item for item in imports_of(files[path]) if item.package in ROOMS] == [], path


def test_each_library_stays_in_its_home_and_nothing_heavy_is_imported_at_the_top(files: dict[str, str]) -> None:
    assert list(library_faults(files)) == []


def test_ragas_is_in_one_file_at_the_most(files: dict[str, str]) -> None:
    with_ragas = [path for path, source in files.items() if any(i.package == "ragas" for i in imports_of(source))]
    assert len(with_ragas) <= 1, with_ragas


def test_only_the_web_pages_import_the_modules_that_import_streamlit(files: dict[str, str]) -> None:
    outside = [path for path in files if not lives_in(path, WEB)]
    imported = {target_file(item.module, files) for path in outside for item in imports_of(files[path])}
    assert [path for path in imported if lives_in(path, WEB)] == []


def test_init_files_hold_a_docstring_and_nothing_else(files: dict[str, str]) -> None:
    found = {path: ast.parse(source) for path, source in files.items() if path.endswith("__init__.py")}
    assert {f"{room}/__init__.py" for room in ("rag", "ingest", "ui", "eval")} <= set(found)
    assert [path for path, tree in found.items() if len(tree.body) != 1 or not ast.get_docstring(tree)] == []


def test_no_module_and_no_function_is_too_long(files: dict[str, str]) -> None:
    assert list(length_faults(files)) == []


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("rag/retrieve.py", "from rag.tutor import Tutor", "floor 2 imports rag.tutor.Tutor on floor 3"),
        ("rag/types.py", "import rag.errors, rag.llm", "floor 0 imports rag.llm on floor 1"),
        ("rag/store.py", "def f():\n    from rag.manifest import FILE", "floor 1 imports rag.manifest.FILE on floor 1"),
        ("rag/tutor.py", "if TYPE_CHECKING:\n    from rag import wiring", "floor 3 imports rag.wiring on floor 4"),
        ("rag/wiring.py", "from ingest.chunk import blocks", "the read side imports ingest.chunk.blocks"),
        ("rag/tutor.py", "import ui.text", "floor 3 imports ui.text on floor 5"),
        ("ui/text.py", "from .escape import plain", "relative import .escape.plain"),
        ("rag/tutor.py", "from rag.unplaced import thing", "floor 3 imports rag.unplaced.thing on floor None"),
    ],
)
def test_a_breach_of_the_floors_is_seen(files: dict[str, str], path: str, source: str, fault: str) -> None:
    changed = {**files, "rag/unplaced.py": "", path: source}
    assert any(found.endswith(fault) for found in floor_faults(changed))


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("rag/keyword.py", "def f():\n    import torch.nn", "torch has no home here"),
        ("rag/vectors.py", "from chromadb.config import Settings", "chromadb is imported at the top"),
        ("rag/llm.py", "try:\n    import openai\nexcept ImportError:\n    pass", "openai is imported at the top"),
        ("rag/embed.py", "class A:\n    import torch", "torch is imported at the top"),
        ("ui/session.py", "def f():\n    import streamlit", "streamlit has no home here"),
        ("ingest/build.py", "import pandas", "pandas has no home here"),
    ],
)
def test_a_library_out_of_place_is_seen(path: str, source: str, fault: str) -> None:
    assert any(found.endswith(fault) for found in library_faults({path: source}))


def test_imports_for_type_checking_and_inside_functions_cost_nothing() -> None:
    source = "if TYPE_CHECKING:\n    from openai import OpenAI\n\ndef f():\n    import openai"
    assert list(library_faults({"rag/llm.py": source})) == []


def test_a_module_or_function_over_the_limit_is_seen() -> None:
    source = "def long():\n" + "    pass\n" * FUNCTION_LINES + "\n" * MODULE_LINES
    assert list(length_faults({"rag/x.py": source})) == ["rag/x.py: 351 lines", "rag/x.py:1: long has 51 lines"]
