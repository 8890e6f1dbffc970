"""Paired differences to the starting weights as a forest plot: a point and its interval for each candidate."""

from __future__ import annotations

from robust.eval.evidence.compared import PairEvidence
from robust.eval.report.charts import absent, spread_axis
from robust.eval.report.compared import NO_PAIR, baseline_pairs, comparison_table, difference_cell
from robust.eval.report.context import Chart, Table
from robust.eval.report.row_charts import Block, Entry, row_plot
from robust.eval.report.view import View

ID = "chart-differences"


def forest_charts(view: View) -> tuple[Chart, ...]:
    """Each candidate minus its baseline, the rows of the comparison table."""
    title = f"{view.metric} of each candidate minus its starting weights, clean {view.judged_on} images"
    pairs = [(pair, _entry(view, pair)) for pair in baseline_pairs(view)]
    drawn = [entry for _, entry in pairs if entry.value is not None]
    if not drawn:
        return (absent(ID, title, NO_PAIR),)
    ends = [end for entry in drawn for end in entry.ends or ()] + [e.value for e in drawn if e.value is not None]
    blocks = [Block(_name(view, pair), (entry,)) for pair, entry in pairs]
    legend = {"a": "proposed candidate", "d": "other candidate"}
    used = {entry.style for entry in drawn}
    return (
        Chart(
            id=ID,
            title=title,
            description=(
                "Point: the difference on the same images. Whisker: its 95 % interval, for this candidate alone; a "
                "point without one has no interval. A whisker that crosses the line at 0 shows no difference. "
                f"{view.counts(view.judged_on)}. The verdicts, corrected for all rows, are in the table."
            ),
            plot=row_plot(
                spread_axis(f"difference in {view.metric}; above 0 the candidate is higher", ends, signed=True),
                blocks,
                {style: words for style, words in legend.items() if style in used},
                zero="no difference",
            ),
            table=_table(view),
        ),
    )


def _name(view: View, pair: PairEvidence) -> str:
    found = next((c.name for c in view.study.everybody if c.key == pair.first), pair.first)
    return f"{found} (proposed)" if _is_proposed(view, pair) else found


def _is_proposed(view: View, pair: PairEvidence) -> bool:
    return view.candidate is not None and view.candidate.key == pair.first


def _entry(view: View, pair: PairEvidence) -> Entry:
    found = pair.comparison
    low, high = found.interval.low, found.interval.high
    cell = difference_cell(found.difference, found.interval)
    return Entry(
        name="",
        style="a" if _is_proposed(view, pair) else "d",
        value=found.difference,
        ends=None if low is None or high is None else (low, high),
        said=f"{_name(view, pair)}: {cell.text}",
        missing=cell.text,
    )


def _table(view: View) -> Table:
    """The difference and the verdict of the comparison table."""
    whole = comparison_table(view)
    kept = [whole.columns.index(name) - 1 for name in ("Difference", "Verdict")]
    rows = tuple(type(row)(row.header, tuple(row.cells[i] for i in kept), row.style) for row in whole.rows)
    return Table(f"{ID}-data", f"Numbers of the chart, {view.counts(view.judged_on)}", (
        whole.columns[0], "Difference", "Verdict",
    ), rows)  # fmt: skip
