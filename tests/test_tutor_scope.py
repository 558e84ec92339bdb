"""Asking the guides alone, or one's own documents alone."""

from dataclasses import replace

import pytest

from tests.tutoring import DRIFT, a_tutor


def test_only_entries_of_the_origin_that_was_chosen_are_found_and_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tutor = a_tutor()
    entry = tutor.entries.entry
    mine = {"SCN-20"}
    # The entries are this tutor's own, and nobody else's.
    monkeypatch.setattr(
        tutor.entries, "entry", lambda name: replace(entry(name), origin="document" if name in mine else "guide")
    )
    assert tutor.ask(DRIFT).sources[0].id == "FND-03"
    assert tutor.within("guide").ask(DRIFT).sources[0].id == "FND-03"
    assert {hit.entry_id for hit in tutor.within("document").search(DRIFT, limit=5)} == mine
    assert {hit.entry_id for hit in tutor.within("guide").search(DRIFT, limit=5)}.isdisjoint(mine)
    refused = tutor.within("document").ask(DRIFT)
    assert (refused.status, refused.claims) == ("not_covered", ())
