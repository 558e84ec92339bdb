"""What a reader can choose before asking: who writes, from which sources, and what to begin with."""

from collections import Counter
from collections.abc import Sequence

from rag.answer import QUOTE
from rag.catalog import LOCAL, LOCAL_MODEL
from rag.settings import Settings
from rag.types import Entry, Origin
from rag.weights import present
from rag.wiring import AUTO, NAMELESS

STARTERS = (
    "My model has 95% accuracy offline but fails in production. Why?",
    "When is PR-AUC a better choice than ROC-AUC?",
    "How do I stop a chatbot from making things up when it has the documents?",
    "What do interviewers want to hear about a project that failed?",
)
EVERYTHING = "Guides and documents"
MOST_STARTERS = 5
LEVELS = ("foundation", "practitioner", "senior")


def models_on_offer(settings: Settings) -> dict[str, str]:
    """Who can write answers now: the name the tutor knows them by, and what people read."""
    offered = {QUOTE: "The guides' own words"}
    if present(LOCAL_MODEL, settings.models_folder / LOCAL_MODEL.name):
        offered[LOCAL] = "Small model on this machine"
    if settings.llm_configured:
        name = AUTO if settings.model in NAMELESS else settings.model
        offered[name] = "The model at your endpoint" if name == AUTO else name
    return offered


def default_model(settings: Settings) -> str:
    """Who writes when nothing is chosen; always one that is on offer."""
    wanted = QUOTE if settings.model == AUTO and not settings.llm_configured else settings.model
    return wanted if wanted in models_on_offer(settings) else QUOTE


def model_notice(settings: Settings) -> str:
    """What is to be said when the model that was set cannot be had; empty when all is well."""
    if settings.model == LOCAL and default_model(settings) != LOCAL:
        return "The local model is not there, so the guides are quoted. Fetch it with `tutor models fetch local`."
    if settings.model not in NAMELESS and not settings.llm_configured:
        return (
            f"TUTOR_MODEL is {settings.model}, but no endpoint is configured, so the guides are quoted. "
            "Set OPENAI_API_KEY or OPENAI_BASE_URL."
        )
    return ""


def scopes_of(entries: Sequence[Entry]) -> dict[Origin | None, str]:
    """What an answer can be drawn from, and what people read; only everything where there are no documents."""
    if all(entry.origin == "guide" for entry in entries):
        return {None: EVERYTHING}
    return {None: EVERYTHING, "guide": "The guides only", "document": "The documents added here"}


def topics_of(entries: Sequence[Entry]) -> list[str]:
    """The topics of these entries, the one with the most entries first."""
    counted = Counter(topic for entry in entries for topic in entry.topics)
    return sorted(counted, key=lambda topic: (-counted[topic], topic))


def starters_of(entries: Sequence[Entry], topic: str | None) -> tuple[str, ...]:
    """Questions to begin with; those of a topic are its entries' own, the easier ones first."""
    if topic is None:
        return STARTERS
    own = [entry for entry in entries if topic in entry.topics]
    # The main topic of an entry is its first one.
    own.sort(key=lambda entry: (entry.topics[0] != topic, LEVELS.index(entry.level)))
    return tuple(entry.question for entry in own[:MOST_STARTERS])
