"""Why an entry stands behind an answer: its rank and the parts of its score, in words."""

from collections.abc import Sequence

from rag.types import Claim, Hit

Row = tuple[str, str, str]
"""A part of the score: its name, its value, what it says."""


def why_summary(hits: Sequence[Hit], entry_id: str) -> str:
    """The rank and the two parts of the score in one line."""
    hit = _hit(hits, entry_id)
    if hit is None:
        return "Found for a part of the question"
    meaning, words = _parts(hit)
    return f"Rank {hit.rank}: meaning {meaning:.2f}, words {words:.2f}"


def why_rows(hits: Sequence[Hit], entry_id: str) -> list[Row]:
    """Each part of the score with its value; nothing for an entry that the whole question does not find."""
    hit = _hit(hits, entry_id)
    if hit is None:
        return []
    meaning, words = _parts(hit)
    scores = hit.scores
    covered = f"shared words; they carry {scores.get('coverage', 0.0):.0%} of what is rare in the question"
    rows = [
        ("Rank", f"{hit.rank} of {len(hits)}", "among the entries looked at for this question"),
        ("Meaning", f"{meaning:.2f}", "how near the ways of asking this entry are to the question (dense search)"),
        ("Nearest passage", f"{scores['cosine']:.2f}", "the nearest single one of them, 1 at the most"),
        ("Words", f"{words:.2f}", f"{covered} (lexical search)"),
    ]
    if scores.get("classified"):
        rows.append(("Classifier", f"{scores['classified']:.2f}", "its way of asking is more like another entry's"))
    if "cross" in scores:
        rows.append(("Cross-encoder", f"{scores['cross']:.2f}", "question and entry read together"))
    return [*rows, ("Score", f"{scores['score']:.2f}", "what the rank goes by")]


def why_sentence(claim: Claim | None) -> str:
    """How the entry carries the sentence that led to it; empty when none did."""
    if claim is None:
        return ""
    if claim.support >= 1:
        return "The sentence is quoted word for word. It is marked below."
    return f"The passage marked below supports the sentence; the check puts that at {claim.support:.2f} of 1."


def _hit(hits: Sequence[Hit], entry_id: str) -> Hit | None:
    return next((hit for hit in hits if hit.entry_id == entry_id), None)


def _parts(hit: Hit) -> tuple[float, float]:
    scores = hit.scores
    return scores.get("pooled", scores.get("dense", 0.0)), scores.get("lexical", 0.0)
