"""From an empty home folder to cited answers, with the real weights, Chroma and the built-in corpus."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rag.catalog import LOCAL_MODEL
from rag.settings import PROJECT, Settings
from rag.types import Turn
from rag.weights import present
from rag.wiring import Library
from tests.browsing import borrowed_home
from tests.servers import CHAT, HANG, delta, head, playing, serving, stream_reply
from ui import cli
from ui.batch import PatientPace

pytestmark = pytest.mark.real

ASKED = [
    ("the loss of my lstm becomes nan after a while", "SCN-09"),
    ("should I report pr-auc instead of roc-auc when positives are rare", "QNA-07"),
    ("we got p = 0.04 in our experiment, ship it?", "SCN-57"),
    ("my gan always draws the same face", "SCN-20"),
    ("what share of parameters does lora train", "LLM-03"),
    ("removing the gender column did not make the hiring model fair", "SCN-39"),
    ("how should I fill gaps in features when predictions have to be instant", "QNA-03"),
    ("difference between l1 and l2 regularization", "CON-02"),
    ("my recommender has no history for fresh sign-ups in user-user filtering", "SCN-51"),
    ("which metric matters most in medical diagnosis, and which cost ratio", "REF-02"),
]
REFUSED = ["what is the capital of France", "recommend me a good pizza recipe", "who won the world cup in 1998"]


@pytest.mark.parametrize(("question", "expected"), ASKED)
def test_an_answer_quotes_the_entry_it_cites(library: Library, question: str, expected: str) -> None:
    answer = library.tutor().ask(question)
    assert answer.status == "answered"
    assert expected in answer.retrieved[:2]
    assert expected in {source.id for source in answer.sources}
    for claim in answer.claims:
        assert claim.sources
        for source in claim.sources:
            entry = library.store.entry(source)
            body = "\n".join([entry.answer, entry.caveat or "", *(item.answer for item in entry.follow_ups)])
            assert " ".join(claim.quote.split()) in " ".join(body.split())


@pytest.mark.parametrize("question", REFUSED)
def test_a_question_outside_the_guides_is_refused_without_sources(library: Library, question: str) -> None:
    answer = library.tutor().ask(question)
    assert answer.status == "not_covered"
    assert answer.sources == ()
    assert answer.claims == ()
    assert answer.text == "The guides don't cover this."


def test_every_answer_says_that_no_language_model_is_configured(library: Library) -> None:
    answer = library.tutor().ask("what is data drift?")
    assert answer.model == "quote"
    assert any("OPENAI_API_KEY" in notice for notice in answer.notices)


def test_a_follow_up_is_understood_from_the_question_before_it(library: Library) -> None:
    history = [
        Turn("user", "my recommender shows the same popular items to every new user"),
        Turn("assistant", "…"),
    ]
    answer = library.tutor().ask("and how do I fix that?", history)
    assert answer.standalone_question.startswith("my recommender shows")
    assert answer.status == "answered"


def test_each_way_of_asking_an_entry_finds_it(library: Library) -> None:
    missed = [
        f"{entry.id}: {asked}"
        for entry in library.store.entries()[::7]
        for asked in (entry.question, *entry.also_asked)
        if entry.id not in [hit.entry_id for hit in library.tutor().search(asked, limit=2)]
    ]
    assert missed == []


@pytest.fixture
def command() -> list[str]:
    return [sys.executable, "-m", "ui.cli"]


def run(command: list[str], real: Settings, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TUTOR_HOME": str(real.home), **more}
    return subprocess.run([*command, *words], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_ask_prints_json_of_the_promised_shape(command: list[str], real: Settings) -> None:
    done = run(command, real, "ask", "what is data drift?", "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert list(answer) == [
        "question", "standalone_question", "status", "text", "message", "claims", "quoted", "sources", "related",
        "choices", "uncovered", "covered", "retrieved", "model", "notices", "dropped_claims", "timings_ms",
    ]  # fmt: skip
    assert answer["sources"][0]["id"] == answer["retrieved"][0]
    assert set(answer["timings_ms"]) == {"retrieve", "generate", "verify", "total"}


def test_asking_imports_neither_torch_nor_what_it_does_not_use(real: Settings) -> None:
    code = (
        "import sys; sys.argv = ['tutor', 'ask', 'what is data drift?']\n"
        "from ui.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "unused = {'torch', 'sentence_transformers', 'transformers', 'openai', 'streamlit', 'ragas', 'markdown_it'}\n"
        "print(sorted(unused & set(sys.modules)), file=sys.stderr)"
    )
    done = run([sys.executable, "-c", code], real)
    assert "[" in done.stdout
    assert done.stderr.strip() == "[]"


def test_a_batch_keeps_order_and_names_the_failed_lines(command: list[str], real: Settings, tmp_path: Path) -> None:
    lines = [
        {"id": "a", "question": "my gan always draws the same face"},
        {"id": "b", "question": " "},
        {"id": "c", "turns": [{"role": "user", "text": "what is PSI?"}, {"role": "user", "text": "and why use it?"}]},
        {"id": "d"},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join([*map(json.dumps, lines), "{not json"]) + "\n", "utf-8")
    done = run(command, real, "ask", "--batch", str(source), "--out", str(target))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "c", "d", 5]
    assert rows[0]["retrieved"][0] == "SCN-20"
    assert rows[2]["standalone_question"].startswith("what is PSI")
    assert ["error" in row for row in rows] == [False, True, False, True, True]
    done = run(command, real, "search", "--batch", str(source), "--out", str(target))
    assert list(json.loads(target.read_text("utf-8").splitlines()[0])) == ["id", "retrieved"]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("", "empty"),
        ("  \t\n ", "empty"),
        ("x" * 20_000, "20,000 characters"),
        ("bell \x07 and \x1b[31m", "control characters"),
        ("?!…", "empty"),
    ],
)
def test_a_bad_question_is_one_clear_line(command: list[str], real: Settings, question: str, named: str) -> None:
    done = run(command, real, "ask", question)
    assert done.returncode == 2
    assert done.stdout == ""
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_question_of_raw_bytes_is_refused(real: Settings) -> None:
    environment = {**os.environ, "TUTOR_HOME": str(real.home)}
    call = [sys.executable.encode(), b"-m", b"ui.cli", b"ask", b"\xff\xfe\x00"[:2] + b" what"]
    done = subprocess.run(call, cwd=PROJECT, env=environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"not text" in done.stderr
    assert b"Traceback" not in done.stderr


def test_chat_answers_and_goes_on_after_a_bad_question(command: list[str], real: Settings) -> None:
    environment = {**os.environ, "TUTOR_HOME": str(real.home)}
    talk = "what is data drift?\n?!\nand how do I detect it?\n\n"
    done = subprocess.run(
        [*command, "chat"], cwd=PROJECT, env=environment, input=talk, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Sources") == 2
    assert "Understood as: what is data drift: and how do I detect it?" in done.stdout
    assert "empty" in done.stderr


def test_show_prints_an_entry_and_names_an_unknown_one(command: list[str], real: Settings) -> None:
    done = run(command, real, "show", "scn-48")
    assert "Caveat" in done.stdout
    assert done.stdout.startswith("SCN-48")
    done = run(command, real, "show", "SCN-99")
    assert done.returncode == 2
    assert "SCN-99" in done.stderr


def test_doctor_names_every_part_as_ok_but_the_language_model(command: list[str], real: Settings) -> None:
    done = run(command, real, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    states = {part["name"]: part["state"] for part in json.loads(done.stdout)}
    there = present(LOCAL_MODEL, real.models_folder / LOCAL_MODEL.name)
    assert states.pop("language model") == ("ok" if there else "missing")
    assert set(states.values()) == {"ok"}


WRITTEN = (
    "Gradient clipping compares the norm of the whole gradient with a threshold, commonly 1.0, and scales the gradient "
    "down to that length whenever it is longer."
)
NAN = ASKED[0][0]


def said(*sentences: str) -> str:
    """A model's reply: sentences that cite the entry on exploding gradients."""
    return json.dumps({"claims": [{"text": text, "sources": ["SCN-09"]} for text in sentences]})


@pytest.fixture
def home(real: Settings, tmp_path: Path) -> Settings:
    """The real index in a home folder that keeps no answers for others."""
    folder = tmp_path / "borrowed"
    folder.mkdir()
    return real.model_copy(update={"home": borrowed_home(real, folder)})


def model_at(url: str, **more: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": url, "TUTOR_MODEL": "small", "NO_PROXY": "127.0.0.1", **more}


def test_with_a_model_the_quoted_sentences_come_first_and_each_writer_is_named(
    command: list[str], home: Settings
) -> None:
    with serving({CHAT: [stream_reply(said(WRITTEN, "The moon does it."))]}) as server:
        done = run(command, home, "ask", NAN, **model_at(server.url))
        assert (done.returncode, done.stderr) == (0, "")
        guides, _, rest = done.stdout.partition("\n\nWritten by small:\n")
        assert guides.startswith("From the guides:\n- ")
        assert "Written by" not in rest
        flat = " ".join(rest.split())
        assert flat.startswith(f"- {WRITTEN} [SCN-09] Sources SCN-09 ")
        assert "Left out, not supported by the guides x The moon does it." in flat
        answer = json.loads(run(command, home, "ask", NAN, "--json", **model_at(server.url)).stdout)
        assert (answer["model"], answer["claims"][0]["text"]) == ("small", WRITTEN)
        assert (
            "From the guides" not in run(command, home, "ask", NAN, "--model", "quote", **model_at(server.url)).stdout
        )


def test_the_quoted_answer_does_not_wait_for_the_model_and_an_interrupt_ends_both(
    command: list[str], home: Settings
) -> None:
    with playing([head(), delta(role="assistant"), HANG]) as server:
        environment = {**os.environ, "TUTOR_HOME": str(home.home), **model_at(server.url)}
        call = [*command, "ask", NAN, "--model", "small"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # Whoever runs the tests in the background has them, and their children, ignore the interrupt.
        pipes["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with subprocess.Popen(call, cwd=PROJECT, env=environment, **pipes) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "From the guides:\n"
            assert asking.stdout.readline().startswith("- ")
            while not server.requests and asking.poll() is None:
                time.sleep(0.02)
            asking.send_signal(signal.SIGINT)
            rest, errors = asking.communicate()
        assert server.left.wait(10)
        assert asking.returncode == 130
        assert "Traceback" not in errors
        assert "Sources" not in rest


def test_a_batch_keeps_the_pace_of_the_settings(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(cli, "PatientPace", lambda calls, say: PatientPace(calls, say, lambda: now[0], sleep))
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"question": asked}) + "\n" for asked, _ in ASKED[:3]), "utf-8")
    with serving({CHAT: [stream_reply(said(WRITTEN))]}) as server:
        more = {"TUTOR_HOME": str(home.home), "TUTOR_REQUESTS_PER_MINUTE": "1"}
        call = ["ask", "--batch", str(source), "--out", str(target)]
        done = CliRunner().invoke(cli.app, call, env=model_at(server.url, **more), catch_exceptions=False)
        assert server.paths().count(CHAT) == 3
    assert {json.loads(line)["model"] for line in target.read_text("utf-8").splitlines()} == {"small"}
    assert now == [120.0]
    assert done.stderr.count("Waiting 60 s") == 2
    assert done.stdout == ""
