"""What the quality page shows of a run as tables: metrics, refusals, worst examples, differences."""

from collections.abc import Sequence

from eval import headline
from eval.compare import compare
from eval.headline import Line, interval, lines, shown
from eval.markup import Markup
from eval.suite import LATENCY, PERCENTILES, STATUSES, TITLES
from eval.worst import Example
from ui.results import Point, Reliability, Run, better, title
from ui.tables import Cell, Row, table

WIDE = 620
STATUS = {"answered": "Answered", "partial": "In part", "not_covered": "Refused", "unverified": "Not verified"}
GROUP = {"answerable": "Answerable", "near_miss": "Near miss", "off_topic": "Off topic", "partial": "Half answerable",
         "consistency": "Five wordings", "attack": "Attack"}  # fmt: skip


def metrics(run: Run, base: Run | None) -> Markup:
    """Every metric with its interval, gate and change since another run; bars for those that are shares."""
    found = lines(run, base)
    headings = ["Metric", "Value", "95% interval", "Questions", "Gate", *(["Change"] if base else [])]
    return table("Metrics of the run", headings, [_metric(line, compared=base is not None) for line in found], WIDE)


def _metric(line: Line, *, compared: bool) -> Row:
    share = (
        line.value is not None and 0 <= line.value <= 1 and not line.name.startswith(("latency", "claims", "dropped"))
    )
    gate = f"{line.gate} {'met' if line.passed else 'missed'}" if line.passed is not None else ""
    value = shown(line.name, line.value)
    cell = Cell(value, line.value, low=line.low, high=line.high, mark=_bound(line)) if share else Cell(value)
    row: Row = [Cell(title(line.name)), cell, interval(line), str(line.n), _gate(gate, line)]
    if compared:
        change = f" {line.change}" if line.change in {"better", "worse"} else ""
        row.append(shown(line.name, line.difference, "+") + change)
    return row


def _gate(told: str, line: Line) -> Cell:
    return Cell(told, strong=line.passed is False)


def _bound(line: Line) -> float | None:
    """The gate of a line as a number, from its text `≥ 0.920`."""
    number = line.gate.split(" ")[1:2]
    return float(number[0]) if number else None


def circumstances(run: Run) -> Markup:
    """What was measured with what; the run it is compared with stands above it on the page."""
    rows = [[name.capitalize(), value] for name, value in headline.facts(run, None) if name != "baseline"]
    return table("How this run was made", ["What", "Value"], rows)


def points(found: Sequence[Point], name: str, first: str) -> Markup:
    """The points of a plot."""
    rows = [[item.name, f"{item.value:.3f}", f"[{item.low:.3f}, {item.high:.3f}]", str(item.n),
             "" if item.gate is None else f"{item.gate:g}"] for item in found]  # fmt: skip
    return table(name, [first, "Value", "95% interval", "Questions", "Gate"], rows)


def confusion(run: Run) -> Markup:
    """What questions of each kind got, as counts with their share of the kind."""
    rows: list[Row] = []
    for group, counts in run["confusion"].items():
        total = sum(counts.values()) or 1
        cells = [Cell(str(counts.get(status, 0)), counts.get(status, 0) / total) for status in STATUSES]
        rows.append([GROUP.get(group, group), *cells])
    return table("What each kind of question got", ["Question", *(STATUS[status] for status in STATUSES)], rows, 420)


def bins(found: Reliability) -> Markup:
    """The bins of the reliability diagram."""
    rows = [[f"{item.low:.1f} to {item.high:.1f}", str(item.n), f"{item.predicted:.3f}", f"{item.observed:.3f}",
             f"[{item.interval[0]:.2f}, {item.interval[1]:.2f}]"] for item in found.bins]  # fmt: skip
    headings = ["Probability", "Questions", "Mean", "Share answered by the guides", "95% interval"]
    return table("Bins of the reliability diagram", headings, rows, 420)


def example(item: Example) -> str:
    """The line an example is opened by."""
    asked = item.row.get("question") or item.row["id"]
    return f"{item.reason[:1].upper()}{item.reason[1:]}: {asked}"


def facts(item: Example) -> list[tuple[str, str]]:
    """What is known of an example besides its sentences; a baseline keeps less of it."""
    row = item.row
    found = [
        ("Why it is here", "; ".join(fault.reason for fault in item.faults)),
        ("Question", ", ".join(dict.fromkeys([row["id"], _told(GROUP.get(row["group"], "")), _told(row["style"])]))),
        ("What it got", STATUS.get(row["status"], row["status"])),
        ("Probability of being covered", f"{row['covered']:.3f}"),
        ("Right entries", ", ".join(row.get("relevant", ()))),
        ("Cited entries", ", ".join(row.get("cited", ()))),
        ("Found entries", ", ".join(row.get("retrieved", ()))),
        ("Got through", ", ".join(row.get("faults") or ())),
        ("Said", row.get("message", "")),
    ]
    return [(name, value) for name, value in found if value]


def _told(name: str) -> str:
    return name.replace("_", " ").lower()


def sentences(item: Example) -> Markup | None:
    """The sentences of an example's answer; None when it has none or they were not kept."""
    rows: list[Row] = [
        [claim["text"], ", ".join(claim["sources"]), Cell(f"{claim['support']:.2f}", claim["support"])]
        for claim in item.row.get("claims", ())
    ]
    return table("Sentences of the answer", ["Sentence", "Cites", "Support"], rows) if rows else None


def differences(first: Run, second: Run) -> Markup | None:
    """How each measure changed, question by question; None when the runs share no question."""
    rows: list[Row] = []
    measures = [*(name for name in TITLES if name not in PERCENTILES), LATENCY]
    for item in compare(dict(first), dict(second), measures):
        told = better(item.measure, item.change) if item.shown else "no difference shown"
        change, low, high = (shown(item.measure, value, "+") for value in (item.change, item.low, item.high))
        change = f"{change} [{low}, {high}]"
        values = [shown(item.measure, item.first), shown(item.measure, item.second), change, f"{item.p:.3f}"]
        name = "Milliseconds an answer, mean" if item.measure == LATENCY else title(item.measure)
        rows.append([name, str(item.n), *values, Cell(told, strong=item.shown)])
    headings = ["Metric", "Questions", "Before", "After", "Change and its 95% interval", "p", "Verdict"]
    return table("Differences between the runs", headings, rows, WIDE + 100) if rows else None
