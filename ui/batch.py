"""Many questions in a file, one JSON object a line, answered in input order."""

import json
import time
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import Any

from rag.errors import QuestionError, ResourceError, TutorError
from rag.pace import Pace
from rag.types import Turn

Handle = Callable[[str, list[Turn]], dict[str, Any]]


class PatientPace(Pace):
    """A pace that waits for its turn instead of telling how long that takes: nobody sits before a batch.

    Args:
        calls: calls a minute.
        say: told why nothing happens, each time it waits.
        clock: seconds that only go forwards.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        calls: int,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(calls, clock)
        self._often = calls
        self._say = say
        self._sleep = sleep

    def wait(self) -> float:
        """Takes one call, as soon as one is free; always 0."""
        while seconds := super().wait():
            self._say(
                f"Waiting {ceil(seconds)} s: the language model is asked {self._often} times a minute at the most "
                "(TUTOR_REQUESTS_PER_MINUTE)."
            )
            self._sleep(seconds)
        return 0.0


def run_batch(source: Path, target: Path, handle: Handle) -> tuple[int, int]:
    """Handles every line of `source`; a line that fails carries `error` instead of a result.

    Returns:
        (lines written, lines that failed).
    """
    done = failed = 0
    try:
        if target.is_file() and target.samefile(source):
            raise QuestionError(f"--batch and --out are the same file, {source}.", "Name another file after --out.")
        # Half a surrogate pair cannot be written as UTF-8, but its escape is the same JSON.
        with (
            source.open(encoding="utf-8") as lines,
            target.open("w", encoding="utf-8", errors="backslashreplace") as out,
        ):
            for row in _rows(lines, handle):
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                done += 1
                failed += "error" in row
    except UnicodeDecodeError:
        raise QuestionError(f"{source} is not UTF-8 text.", "Save it as UTF-8, one JSON object a line.") from None
    except OSError as error:
        what = f"{error.filename or target}: {error.strerror}."
        raise ResourceError(what, "Check the paths of --batch and --out.") from error
    return done, failed


def _rows(lines: Iterator[str], handle: Handle) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name: Any = number
        try:
            item = json.loads(line)
            name = item.get("id", number) if isinstance(item, dict) else number
            question, history = parse_item(item)
            yield {"id": name, **handle(question, history)}
        except json.JSONDecodeError as error:
            yield {"id": name, "error": f"Line {number} is not JSON: {error.msg}."}
        except TutorError as error:
            yield {"id": name, "error": str(error)}


def parse_item(item: Any) -> tuple[str, list[Turn]]:
    """The question and the earlier turns of one line.

    Raises:
        QuestionError: the line has neither `question` nor well-formed `turns`.
    """
    if isinstance(item, dict) and isinstance(item.get("question"), str):
        return item["question"], []
    turns = item.get("turns") if isinstance(item, dict) else None
    if isinstance(turns, list) and turns and all(_is_turn(turn) for turn in turns) and turns[-1]["role"] == "user":
        return turns[-1]["text"], [Turn(turn["role"], turn["text"]) for turn in turns[:-1]]
    raise QuestionError(
        "A line needs `question`, or `turns` that end with one of role `user`.",
        'Write {"id": "1", "question": "…"} or {"id": "2", "turns": [{"role": "user", "text": "…"}]}.',
    )


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("role") in {"user", "assistant"} and isinstance(turn.get("text"), str)
