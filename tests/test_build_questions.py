"""What the questions beside the entries become in an index, with the real Chroma and the small embedder."""

import json
from pathlib import Path

import pytest

from ingest.build import build_index
from ingest.state import state_of_index
from rag.coverage import FILE as COVERAGE
from rag.coverage import CoverageModel
from rag.keyword import FILE as KEYWORD
from rag.manifest import read_manifest
from rag.settings import Settings
from rag.spelling import FILE as WORDS
from rag.store import EntryStore
from rag.types import Matrix
from tests.conftest import silent, write_small_corpus

pytestmark = pytest.mark.real

ASKED = [("SCN-08", "twenty sigmoid layers and the first never learn"), ("SCN-09", "zorblax in my lstm")]
OUTSIDE = ["how long do tomatoes keep", "which flag of nvidia-smi shows norms"]


def write_questions(corpus: Path) -> None:
    """Puts questions beside the entries of a corpus."""
    asked = [json.dumps({"entry": entry, "question": question}) + "\n" for entry, question in ASKED]
    outside = [json.dumps({"question": question, "near": ["SCN-09"]}) + "\n" for question in OUTSIDE]
    (corpus / "asked.jsonl").write_text("".join(asked), "utf-8")
    (corpus / "outside.jsonl").write_text("".join(outside), "utf-8")


@pytest.fixture
def home(spare_home: Settings) -> Settings:
    """The spare home with questions beside its entries."""
    write_questions(spare_home.corpus)
    return spare_home


@pytest.fixture(scope="module")
def index(small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index over three entries and the questions; tests must not write to it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "models").symlink_to(small.models_folder)
    write_small_corpus(small.corpus, folder / "corpus")
    write_questions(folder / "corpus")
    return built(small.model_copy(update={"home": folder, "corpus": folder / "corpus"}))


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many answered and open questions each coverage model was learnt from."""
    seen: list[tuple[int, int]] = []
    fit = CoverageModel.fit

    def counted(answered: Matrix, left_open: Matrix, owners: list[str], key: str) -> CoverageModel:
        seen.append((len(answered), len(left_open)))
        return fit(answered, left_open, owners, key)

    monkeypatch.setattr(CoverageModel, "fit", counted)
    return seen


def built(settings: Settings) -> Path:
    """The folder of a new index version."""
    return settings.index_folder / build_index(settings, silent).version


def model_of(folder: Path) -> CoverageModel:
    model = CoverageModel.load(folder)
    assert model is not None
    return model


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_ways_of_asking_become_chunks_of_their_own_and_stay_with_their_entries(index: Path) -> None:
    store = EntryStore(index)
    asked = [(chunk.entry_id, chunk.text, chunk.context) for chunk, _ in store.chunks() if chunk.kind == "asked"]
    kept = {entry.id: entry.asked for entry in store.entries()}
    store.close()
    assert asked == [(entry, question, "") for entry, question in ASKED]
    assert kept == {"SCN-08": (ASKED[0][1],), "SCN-09": (ASKED[1][1],), "SCN-13": ()}


def test_the_lexical_index_the_words_and_the_coverage_model_are_parts_of_the_index(index: Path) -> None:
    manifest = read_manifest(index)
    assert {KEYWORD, WORDS, COVERAGE} <= set(manifest.file_hashes)
    assert {"asked.jsonl", "outside.jsonl"} < set(manifest.entry_hashes)
    words = json.loads((index / WORDS).read_text("utf-8"))
    assert words["gradients"] > 5
    assert "tomatoes" not in words  # an open question says nothing that could be found


def test_the_coverage_model_takes_every_way_of_asking_for_answered_and_knows_its_entry(index: Path) -> None:
    store = EntryStore(index)
    ways = [(chunk, vector) for chunk, vector in store.chunks() if chunk.kind in {"question", "also_asked", "asked"}]
    store.close()
    model = model_of(index)
    assert min(model.score(vector) for _, vector in ways) > 0.5
    for chunk, vector in ways:
        likeness = model.entry_scores(vector)
        assert max(likeness, key=likeness.__getitem__) == chunk.entry_id


def test_unchanged_questions_are_not_learnt_again(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = model_of(built(home))

    def failing(*_: object) -> CoverageModel:
        raise AssertionError("learnt again")

    monkeypatch.setattr(CoverageModel, "fit", failing)
    # An answer may change: it is no question.
    entry = next((home.corpus / "scenarios").glob("SCN-09-*.md"))
    edit(entry, "## Follow-ups", "Clipping rescales the gradient when its norm is too large.\n\n## Follow-ups")
    folder = built(home)
    assert state_of_index(home) == (folder, "")
    assert model_of(folder).key == first.key


def test_a_changed_question_is_learnt_wherever_it_stands(home: Settings, fits: list[tuple[int, int]]) -> None:
    folder = built(home)
    keys = [model_of(folder).key]
    store = EntryStore(folder)
    ways = sum(1 + len(entry.also_asked) + len(entry.asked) for entry in store.entries())
    store.close()
    path_of_entry = next((home.corpus / "scenarios").glob("SCN-09-*.md"))
    asked, outside = home.corpus / "asked.jsonl", home.corpus / "outside.jsonl"
    for path, old, new in (
        (asked, "zorblax", "framboz"),
        (outside, "tomatoes", "potatoes"),
        (path_of_entry, "also_asked:\n  - ", "also_asked:\n  - so "),
        (path_of_entry, "\nquestion: ", "\nquestion: So "),
    ):
        edit(path, old, new)
        assert "1 new or edited" in state_of_index(home)[1]
        keys.append(model_of(built(home)).key)
    assert len(set(keys)) == len(keys)
    assert fits == [(ways, len(OUTSIDE))] * 5
    # A question that changes sides changes the counts too.
    moved = outside.read_text("utf-8").splitlines()
    outside.write_text(moved[1] + "\n", "utf-8")
    with asked.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"entry": "SCN-13", "question": json.loads(moved[0])["question"]}) + "\n")
    assert model_of(built(home)).key not in keys
    assert fits[5] == (ways + 1, len(OUTSIDE) - 1)


def test_without_the_files_the_index_has_neither_coverage_model_nor_asked_chunks(home: Settings) -> None:
    assert (built(home) / COVERAGE).is_file()
    (home.corpus / "outside.jsonl").unlink()
    folder = built(home)
    assert not (folder / COVERAGE).exists()
    assert state_of_index(home) == (folder, "")
    (home.corpus / "asked.jsonl").unlink()
    folder = built(home)
    store = EntryStore(folder)
    assert "asked" not in {chunk.kind for chunk, _ in store.chunks()}
    store.close()
    assert {KEYWORD, WORDS} <= set(read_manifest(folder).file_hashes)


def test_a_damaged_coverage_model_is_named_and_learnt_again(home: Settings, fits: list[tuple[int, int]]) -> None:
    folder = built(home)
    whole = model_of(folder)
    data = bytearray((folder / COVERAGE).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / COVERAGE).write_bytes(data)
    assert COVERAGE in state_of_index(home)[1]
    assert model_of(built(home)).key == whole.key
    assert len(fits) == 2
