"""A small corpus folder, written by the tests that need one."""

from pathlib import Path

TOPICS = "drift: Data drift, monitoring\nmetrics: Choosing metrics\n"
TEXT = """\
---
id: FND-01
title: A short title
question: What is drift?
also_asked:
  - why is my model worse this month
  - inputs moved
  - numbers drift apart
  - what changed
  - psi
topics: [drift]
level: foundation
key_points:
  - Drift is a change of the inputs after training.
  - Monitoring compares a window with a reference.
  - Retraining helps when labels are fresh enough.
related: [FND-02]
---
## Answer

Drift is a **change** of the inputs.

## Follow-ups

### And then?

Retrain.
"""
"""A valid entry: `id` is on line 2, `related` on line 17, the body begins on line 19."""
OTHER = TEXT.replace("FND-02", "FND-99").replace("FND-01", "FND-02").replace("FND-99", "FND-01")
FIRST = "foundations/FND-01-first.md"
SECOND = "foundations/FND-02-second.md"


def small_corpus(folder: Path, first: str | bytes = TEXT) -> Path:
    """Two entries that name each other as related; `first` takes the place of the first one's text."""
    (folder / "foundations").mkdir(parents=True)
    (folder / "topics.yaml").write_text(TOPICS, "utf-8")
    (folder / FIRST).write_bytes(first if isinstance(first, bytes) else first.encode())
    (folder / SECOND).write_text(OTHER, "utf-8")
    return folder


def changed(old: str, new: str) -> str:
    """The valid entry with its one `old` replaced."""
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)
