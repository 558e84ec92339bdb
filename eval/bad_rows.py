"""The worst examples of a run as HTML: question, answer, sources, and why the row is bad."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from eval.figures import table
from eval.markup import Child, Markup, element
from eval.worst import LIMIT, Example, Row, worst


def examples_section(rows: Sequence[Row], titles: Mapping[str, str], limit: int = LIMIT) -> list[Markup]:
    """How many bad rows there are of each reason, and the worst of them."""
    chosen, counts = worst(rows, limit)
    if not chosen:
        return [element("p", None, f"Nothing to show: none of the {len(rows)} questions went wrong.")]
    shown = {reason: sum(item.reason == reason for item in chosen) for reason in counts}
    counted = table("Bad rows by their gravest reason", ["reason", "questions", "shown"],
                    [[reason, counts[reason], shown[reason]] for reason in counts])  # fmt: skip
    told = (
        f"{sum(counts.values())} of {len(rows)} questions went wrong in some way. The worst of every reason come "
        "before the second worst of any, so that a frequent fault does not hide a rare one."
    )
    parts = [element("p", None, told), counted]
    for reason, items in groupby(chosen, key=lambda item: item.reason):
        parts.append(element("h3", None, reason.capitalize()))
        parts += [example(item, titles) for item in items]
    return parts


def example(item: Example, titles: Mapping[str, str]) -> Markup:
    """One bad row."""
    row = item.row
    kind = " · ".join(dict.fromkeys([str(row["id"]), row["group"].replace("_", " "), row["style"].replace("_", " ")]))
    facts: list[tuple[str, Child]] = [
        ("why", [element("strong", None, fault.reason + ". ") for fault in item.faults]),
        ("said", f"{row['status'].replace('_', ' ')}; probability that the guides cover it {row['covered']:.3f}"),
        ("expected", _named(row.get("relevant", ()), titles) or row.get("expected", "").replace("_", " ")),
        ("cited", _named(row.get("cited", ()), titles)),
        ("found", ", ".join(row.get("retrieved", ()))),
        ("faults", ", ".join(row.get("faults", ()))),
        ("left open", ", ".join(f"“{part}”" for part in row.get("uncovered", ()))),
    ]
    listed = [
        element("div", None, element("dt", None, name), element("dd", None, value)) for name, value in facts if value
    ]
    return element(
        "article",
        {"class": "example"},
        element("h4", None, row.get("question") or "(the file keeps no text of this question)"),
        element("p", {"class": "kind"}, kind),
        _answer(row),
        element("dl", None, listed),
    )


def _answer(row: Row) -> Markup | None:
    claims = [_claim(claim) for claim in row.get("claims", ())]
    ways = [
        element("li", None, f"{way['question']} ", element("span", {"class": "ids"}, ", ".join(way["cited"]) or "none"))
        for way in row.get("asked", ())
    ]
    parts: list[Child] = [
        element("ul", {"class": "claims"}, claims) if claims else None,
        element("p", {"class": "message"}, row["message"]) if row.get("message") else None,
        element("ul", {"class": "ways"}, ways) if ways else None,
    ]
    return element("div", {"class": "answer"}, parts) if any(parts) else None


def _claim(claim: Row) -> Markup:
    marks: list[Child] = [element("span", {"class": "ids"}, " ".join(f"[{entry}]" for entry in claim["sources"]))]
    if not claim["supported"]:
        marks.append(element("span", {"class": "gate missed"}, f"not supported ({claim['support']:.2f})"))
    return element("li", None, claim["text"], [[" ", mark] for mark in marks])


def _named(ids: Sequence[str], titles: Mapping[str, str]) -> str:
    return "; ".join(f"{entry} {titles[entry]}" if entry in titles else entry for entry in ids)
