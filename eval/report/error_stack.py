"""AP50 that each kind of error costs the proposed candidate, as bars: clean images and variants under each kind."""

from __future__ import annotations

from robust.eval.decision.claims import score
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN, cell
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.error_types import DETECTION_KINDS, ErrorKind, ErrorShare
from robust.eval.report.charts import absent, spread_axis
from robust.eval.report.context import Cell, Chart, Row, Table
from robust.eval.report.error_tables import ERROR_WORDS, NO_CANDIDATE, telling_variants
from robust.eval.report.row_charts import Block, Entry, row_plot
from robust.eval.report.view import NOT_MEASURED, View, number

ID = "chart-errors"
DRAWN_KINDS: tuple[ErrorKind, ...] = (*DETECTION_KINDS, "miss")
"""The two that sum up others stay in the table."""
MOST = 8
"""Variants that are drawn; more would make bars that nobody compares."""

Parts = dict[str, dict[ErrorKind, ErrorShare]]


def error_charts(view: View) -> tuple[Chart, ...]:
    """One chart, or why there is none."""
    title = f"AP50 lost to each kind of error, {view.judged_on} images"
    if view.candidate is None:
        return (absent(ID, title, NO_CANDIDATE),)
    variants = drawn_variants(view, view.candidate)
    parts = {variant: _parts(view, view.candidate, variant) for variant in variants}
    kinds = [kind for kind in DRAWN_KINDS if any(parts[v][kind].count for v in variants if kind in parts[v])]
    if not kinds:
        seen = any(parts.values())
        return (absent(ID, title, "No error was seen." if seen else "Not measured: no errors in the evidence."),)
    blocks = [Block(ERROR_WORDS[kind], tuple(_entry(v, kind, parts) for v in variants)) for kind in kinds]
    ends = [end for block in blocks for entry in block.entries for end in (entry.value, *(entry.ends or ()))]
    none = [ERROR_WORDS[kind] for kind in DRAWN_KINDS if kind not in kinds]
    left_out = len(telling_variants(view)) - len(variants)
    return (
        Chart(
            id=ID,
            title=title,
            description=(
                f"Bar: AP50 that {view.name} would gain if this kind of error alone were fixed. Whisker: its 95 % "
                f"interval. Each kind is fixed alone, so bars do not add up. {view.counts(view.judged_on)} when clean."
                + (f" Never seen: {'; '.join(none)}." if none else "")
                + (
                    f" {left_out} more variants, on which AP50 is higher, are in the table of errors."
                    if left_out
                    else ""
                )
            ),
            plot=row_plot(
                spread_axis("AP50 lost", [end for end in ends if end is not None]),
                blocks,
                {"a": "clean images", "b": "a variant of the same images"},
                bars=True,
            ),
            table=Table(
                f"{ID}-data",
                f"AP50 lost by {view.name}, {view.counts(view.judged_on)} when clean; in brackets: the 95 % interval",
                ("Kind of error", *variants),
                tuple(Row(ERROR_WORDS[kind], tuple(_cell(parts[v].get(kind)) for v in variants)) for kind in kinds),
            ),
        ),
    )


def drawn_variants(view: View, candidate: CandidateEvidence) -> list[str]:
    """Clean and the variants of the table of errors; of many, those on which AP50 is lowest, in their order.

    A variant that was not measured comes before any that was: what is missing must not look like what is good.
    """
    clean, *others = telling_variants(view)
    if len(others) < MOST:
        return [clean, *others]
    ap50 = [(view.study.metric(candidate, view.judged_on, v, "AP50").value, v) for v in others]
    lowest = [v for _, _, v in sorted((value is not None, value or 0.0, v) for value, v in ap50)][: MOST - 1]
    return [clean, *(v for v in others if v in lowest)]


def _parts(view: View, candidate: CandidateEvidence, variant: str) -> dict[ErrorKind, ErrorShare]:
    found = cell(candidate, view.judged_on, variant)
    return {part.kind: part for part in found.errors.parts} if found and found.errors else {}


def _entry(variant: str, kind: ErrorKind, parts: Parts) -> Entry:
    part = parts[variant].get(kind)
    style = "a" if variant == CLEAN else "b"
    if part is None:
        return Entry(variant, style, None, None, "", NOT_MEASURED)
    if part.count == 0:
        return Entry(variant, style, None, None, "", "none seen")
    low, high = part.interval.low, part.interval.high
    said = f"{ERROR_WORDS[kind]}, {variant}: {score(part.lost_ap50)} AP50 lost, {part.count:,} seen"
    ends = None if low is None or high is None else (low, high)
    return Entry(variant, style, part.lost_ap50, ends, said, "not defined")


def _cell(part: ErrorShare | None) -> Cell:
    if part is None:
        return Cell(NOT_MEASURED, "missing")
    return number(Estimate.of(part.lost_ap50, interval=part.interval)) if part.count else Cell("none seen")
