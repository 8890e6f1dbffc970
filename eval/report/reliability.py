"""Reliability of the scores: how often detections of similar score are right, and how many there are."""

from __future__ import annotations

import math

from robust.eval.decision.claims import plural
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN, cell
from robust.eval.metrics.calibration import MIN_DETECTIONS, Calibration, ReliabilityBin
from robust.eval.report.charts import Series, absent, count_axis, plot, unit_axis
from robust.eval.report.context import Chart, Row, Table
from robust.eval.report.view import View, number, whole

ID = "chart-reliability"
TITLE = "Share of hits by score"


def reliability_charts(view: View) -> tuple[Chart, ...]:
    """The share of hits in each bin of scores, and beside it the number of detections; or why there are none."""
    found = cell(view.candidate, view.judged_on, CLEAN) if view.candidate else None
    if view.candidate is None:
        return (absent(ID, TITLE, "No candidate is proposed."),)
    if found is None or found.calibration is None:
        return (absent(ID, TITLE, "Not measured: the evidence holds no calibration of the proposed candidate."),)
    if not found.calibration.bins:
        words = f"No detection has a score of {found.calibration.lowest_score:g} or more."
        return (absent(ID, TITLE, words),)
    return (_shares(view, found.calibration), _counts(view, found.calibration))


def _range(one: ReliabilityBin) -> str:
    return f"{one.low:.2f} to {one.high:.2f}"


def _on(view: View, found: Calibration) -> str:
    few = "" if found.is_stable else f" (fewer than {MIN_DETECTIONS}, so single bins are mostly noise)"
    return (
        f"{view.counts(view.judged_on)}, {plural(found.n_detections, 'detection')} from a score of "
        f"{found.lowest_score:g} on{few}"
    )


def _shares(view: View, found: Calibration) -> Chart:
    name = f"hits of {view.name}"
    points = tuple(
        (one.confidence, one.precision, f"scores {_range(one)}: {_share(one)}, {plural(one.n, 'detection')}")
        for one in found.bins
        if one.confidence is not None
    )
    whiskers = tuple((b.confidence, b.precision_low, b.precision_high) for b in found.bins if b.confidence is not None)
    diagonal = Series("a score that says how often it is right", "c", ((0.0, 0.0, ""), (1.0, 1.0, "")), marked=False)
    return Chart(
        id=ID,
        title=f"{TITLE}, clean {view.judged_on} images",
        description=(
            "Point: the detections of one bin of scores, at their mean score and the share of them that are hits at "
            f"IoU {found.iou_threshold:g}. Whisker: the 95 % interval; a point without one has none. Points under the "
            f"dotted line are over-confident. {_on(view, found)}."
        ),
        plot=plot(
            unit_axis("mean score"),
            unit_axis("share of hits"),
            [diagonal, Series(name, "a", points, joined=False, whiskers=whiskers)],
        ),
        table=Table(
            f"{ID}-data",
            f"Reliability of {view.name} on clean images, {_on(view, found)}; in brackets: the 95 % interval",
            ("Scores", "Detections", "Mean score", "Share of hits", "Mean IoU of the hits"),
            tuple(
                Row(_range(b), (whole(b.n), number(b.confidence), number(_bounded(b)), number(b.iou, "no hits")))
                for b in found.bins
            ),
        ),
    )


def _share(one: ReliabilityBin) -> str:
    return number(_bounded(one)).text


def _bounded(one: ReliabilityBin) -> Estimate:
    if one.precision is None:
        return Estimate.of(None)
    return Estimate(value=one.precision, low=one.precision_low, high=one.precision_high)


def _counts(view: View, found: Calibration) -> Chart:
    points = tuple(
        (one.confidence, math.log10(one.n), f"scores {_range(one)}: {plural(one.n, 'detection')}")
        for one in found.bins
        if one.confidence is not None and one.n > 0
    )
    return Chart(
        id=f"{ID}-counts",
        title=f"Detections by score, clean {view.judged_on} images",
        description=(
            "Point: how many detections one bin of scores holds, on a scale on which each step is ten times the one "
            f"below. The fewer, the less its share of hits says. {_on(view, found)}."
        ),
        plot=plot(
            unit_axis("mean score"),
            count_axis("detections", [one.n for one in found.bins]),
            [Series(f"detections of {view.name}", "b", points)],
        ),
        table=Table(
            f"{ID}-counts-data",
            f"Detections by score, {_on(view, found)}",
            ("Scores", "Detections"),
            tuple(Row(_range(one), (whole(one.n),)) for one in found.bins),
        ),
    )
