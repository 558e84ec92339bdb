"""The gate: the only place where a draft becomes a claim.

A claim exists only if every id it names was retrieved and at least one of those entries supports
it. What fails is kept apart and counted, never repaired silently.
"""

from collections.abc import Iterable, Sequence

from rag.answer import Draft
from rag.support import SUPPORTED
from rag.types import Claim, SupportChecker


def resolve(
    drafts: Iterable[Draft], retrieved: Sequence[str], checker: SupportChecker
) -> tuple[list[Claim], list[Claim]]:
    """Splits drafts into claims that may be shown and claims that are left out.

    Args:
        drafts: what a writer proposes.
        retrieved: ids of the entries the writer was given.
        checker: decides how far an entry supports a sentence.

    Returns:
        (shown, left out). A shown claim cites only the entries that support it.
    """
    allowed = set(retrieved)
    shown: list[Claim] = []
    left_out: list[Claim] = []
    for draft in drafts:
        if not draft.sources or not set(draft.sources) <= allowed:
            left_out.append(Claim(draft.text, (), 0.0, ""))
        elif draft.quote:
            shown.append(Claim(draft.text, draft.sources, 1.0, draft.quote))
        else:
            claim = _supported(draft, checker)
            (shown if claim.support >= SUPPORTED else left_out).append(claim)
    return shown, left_out


def _supported(draft: Draft, checker: SupportChecker) -> Claim:
    checked = [(*checker.support(draft.text, source), source) for source in draft.sources]
    carrying = tuple(source for support, _, source in checked if support >= SUPPORTED)
    support, quote, _ = max(checked)
    return Claim(draft.text, carrying, support, quote)
