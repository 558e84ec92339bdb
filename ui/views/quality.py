"""Quality: how good the tutor is by its last evaluation, where it fails, and whether it got better."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import streamlit as st

from eval.headline import comparable, verdict
from eval.headline import missed as missed_gates
from eval.markup import Markup
from eval.worst import with_questions, worst
from ui import charts, escape, quality_view, results, suite_job
from ui.results import Kept, Run
from ui.state import Quality, kept
from ui.tables import table
from ui.text import safe


def main() -> None:
    """Draws the page."""
    st.title("Quality", anchor=False)
    st.write(
        "The evaluation suite asks the tutor hundreds of questions whose right entries are known, then measures what "
        "came back. It needs no key and takes a few minutes."
    )
    page = kept("quality", Quality)
    _suite(page)
    found = results.kept_runs()
    for item in filter(lambda item: item.error, found):
        st.warning(escape.plain(item.error))
    usable = [item for item in found if item.run is not None]
    if not usable:
        st.info(
            "There are no results yet. Start the suite with the button above, or run `tutor eval run` in a terminal."
        )
        return
    chosen, other = _choice(usable)
    run = cast(Run, chosen.run)
    base = other.run if other else None
    _metrics(run, base)
    _styles(run)
    _refusals(run)
    _reliability(run)
    _worst(run)
    if other is not None and base is not None:
        _differences(other, base, chosen, run)
    _over_time(usable)
    st.header("How this run was made", anchor=False)
    st.html(quality_view.circumstances(run))


def _suite(page: Quality) -> None:
    """The button that starts the suite, or how far it is."""
    job = suite_job.current()
    if job is not None and job.running:
        _watched()
        return
    if job is not None:
        page.outcome = suite_job.take_outcome()
        st.session_state.pop("quality-run", None)
    if page.outcome:
        (st.success if page.outcome.fine else st.error)(escape.plain(page.outcome.message))
        if page.outcome.told:
            st.code(safe(page.outcome.told), language=None)
    if st.button("Run the suite", help="In a process of its own; you can go on using the tutor."):
        page.outcome = suite_job.start(results.fresh_path(datetime.now(UTC)))
        st.rerun()


@st.fragment(run_every=1.0)
def _watched() -> None:
    """A run while it lasts; drawn again every second without the rest of the page."""
    job = suite_job.current()
    if job is None or not job.running:
        st.rerun()
    else:
        at = job.progress
        minutes, seconds = divmod(int(job.seconds), 60)
        st.progress(at.share, text=f"The suite is {escape.plain(at.what)}: {at.share:.0%} ({minutes}:{seconds:02d})")
        if st.button("Stop", help="Ends the run without a result."):
            job.stop()
            st.rerun()


def _choice(usable: list[Kept]) -> tuple[Kept, Kept | None]:
    """The run to show, and the one it is compared with."""
    left, right = st.columns(2)
    numbers = range(len(usable))
    chosen = left.selectbox("Run", numbers, format_func=lambda row: usable[row].name, key="quality-run")
    others = [None, *(row for row in numbers if row != chosen)]
    # The accepted baseline stands last.
    start = len(others) - 1 if len(others) > 1 else 0
    other = right.selectbox("Compared with", others, start, key=f"quality-other-{chosen}",
                            format_func=lambda row: "nothing" if row is None else usable[row].name)  # fmt: skip
    return usable[chosen], None if other is None else usable[other]


def _metrics(run: Run, base: Run | None) -> None:
    (st.error if missed_gates(run) else st.success)(escape.plain(verdict(run)))
    if other := comparable(run, base):
        st.caption(escape.plain(other.replace("The baseline", "The run it is compared with")))
    st.header("Metrics", anchor=False)
    st.caption("The bar is the value, the thin line its 95% interval, the upright tick the gate that has to be held.")
    st.html(quality_view.metrics(run, base))


def _plot(spec: charts.Spec, told: str, key: str, same: Markup) -> None:
    """A plot, its words for those who do not see it, and its numbers."""
    st.vega_lite_chart(spec, alt=told, key=f"quality-{key}")
    with st.expander("The same as a table"):
        st.html(same)


def _styles(run: Run) -> None:
    names = results.style_metrics(run)
    if not names:
        return
    st.header("By style of question", anchor=False)
    metric = st.selectbox("Metric", names, format_func=results.title, key="quality-style")
    points, heading = results.by_style(run, metric), results.title(metric)
    same = quality_view.points(points, f"{heading} by style", "Style")
    _plot(charts.dots(points, heading), charts.dots_told(points, heading), "styles", same)


def _refusals(run: Run) -> None:
    st.header("Refusals, both sides", anchor=False)
    if points := results.refusals(run):
        st.caption("The refused share: it should be near 0 for answerable questions and near 1 for the others.")
        same = quality_view.points(points, "Refused share", "Questions")
        _plot(charts.dots(points, "Refused"), charts.dots_told(points, "Refused"), "refused", same)
    st.caption("What each kind of question got:")
    st.html(quality_view.confusion(run))


def _reliability(run: Run) -> None:
    found = results.reliability(run)
    if found is None:
        return
    st.header("Can the probability be believed?", anchor=False)
    st.caption(
        "Of the questions for which the tutor gave 0.8, 8 of 10 should be answerable: dots on the dashed line. "
        f"Brier score {found.brier:.3f}, expected calibration error {found.error:.3f}, {found.n} questions."
    )
    told = charts.reliability_told(found)
    _plot(charts.reliability(found), told, "reliability", quality_view.bins(found))


def _worst(run: Run) -> None:
    st.header("Worst examples", anchor=False)
    examples, counts = worst(with_questions(run))
    if not examples:
        st.info("No question went wrong.")
        return
    st.caption(
        f"{sum(counts.values())} of {len(run['rows'])} questions have a fault; the gravest {len(examples)} are here."
    )
    for item in examples:
        with st.expander(escape.plain(quality_view.example(item))):
            st.html(table("What is known of it", ["What", "Value"], [list(pair) for pair in quality_view.facts(item)]))
            if told := quality_view.sentences(item):
                st.html(told)


def _differences(other: Kept, base: Run, chosen: Kept, run: Run) -> None:
    st.header("Is it a difference?", anchor=False)
    st.caption(
        f"From {escape.plain(other.name)} to {escape.plain(chosen.name)}, on the questions that both were asked. "
        "Of twenty measures about one differs by chance alone."
    )
    if shown := quality_view.differences(base, run):
        st.html(shown)
    else:
        st.info("The two runs have no question in common.")


def _over_time(usable: list[Kept]) -> None:
    names = results.repeated(usable)
    if not names:
        return
    st.header("Over time", anchor=False)
    metric = st.selectbox("Metric over time", names, format_func=results.title, key="quality-time")
    points, heading = results.over_time(usable, metric), results.title(metric)
    same = quality_view.points([replace(item, name=results.day(item.name)) for item in points], heading, "Run")
    _plot(charts.over_time(points, heading), charts.dots_told(points, heading), "times", same)


main()
