"""A few entries made by hand, for the tests of the library's logic."""

from rag.types import Entry, FollowUp
from ui.browse import Shelf

TOPICS = {"metrics": "Choosing metrics", "drift": "Data drift", "llm": "Language models", "unused": "Nothing"}


def entry(entry_id: str, title: str, **fields: object) -> Entry:
    """An entry of the first guide about metrics, unless told otherwise."""
    values: dict[str, object] = {
        "guide": "First guide",
        "question": f"What about {title}?",
        "answer": "Some words.",
        "topics": ("metrics",),
    }
    return Entry(id=entry_id, title=title, **{**values, **fields})  # type: ignore[arg-type]


def shelf() -> Shelf:
    """Four entries of two guides and one of a document."""
    return Shelf(
        [
            entry("SCN-01", "Precision and recall", level="foundation", answer="The threshold moves both."),
            entry("SCN-02", "Data drift", topics=("drift", "metrics"), also_asked=("why is my threshold stale",)),
            entry("SCN-14", "Hallucinations", topics=("llm",), level="senior"),
            entry("QNA-01", "Choosing a threshold", guide="Second guide", follow_ups=(FollowUp("And costs?", "Yes."),)),
            entry("BEES-01", "Hives", guide="Bees (your document)", topics=(), origin="document"),
        ],
        TOPICS,
    )
