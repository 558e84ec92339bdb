"""Runs blocks of Python one after another, each in a namespace of its own; `tests/test_corpus.py` starts it.

Reads {name: code} as JSON from standard input and writes {name: traceback, empty when it ran} as JSON.
"""

import contextlib
import io
import json
import sys
import traceback


def run(code: str, name: str) -> str:
    """The traceback of a block; empty when it raised nothing."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
    except BaseException:  # noqa: BLE001  what a block raises, be it SystemExit, is the result
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    blocks = json.load(sys.stdin)
    json.dump({name: run(code, name) for name, code in blocks.items()}, sys.stdout)
