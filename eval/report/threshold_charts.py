"""Charts by confidence threshold: the rates with the bands of their intervals, and false positives per image."""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.decision.claims import score
from robust.eval.decision.study import CLEAN, curve
from robust.eval.evidence.records import CandidateEvidence, Curve
from robust.eval.report.charts import ALONE, Axis, Series, absent, plot, rising_axis, unit_axis
from robust.eval.report.context import Chart, Row, Table
from robust.eval.report.operating import swept
from robust.eval.report.view import View, number, threshold_text

BANDS = "Areas: the 95 % interval at each threshold on its own"
NO_BANDS = "Areas: none, no intervals along the thresholds were measured"

TITLE = "Precision, recall and F1 by confidence threshold"


def threshold_charts(view: View) -> tuple[Chart, ...]:
    """Precision, recall and F1 in one chart; false positives per image in another, because its unit differs."""
    candidate = view.candidate
    found = curve(candidate, view.judged_on, CLEAN) if candidate else None
    if candidate is None or found is None or not any(point.tp + point.fp for point in found.points):
        why = f"Not measured: no detection was swept on clean {view.judged_on} images."
        return (absent("chart-rates", TITLE, "No candidate is proposed." if candidate is None else why),)
    return (_rates_chart(view, candidate, found), _alarms_chart(view, candidate, found))


def _x_axis(found: Curve) -> Axis:
    low, high = found.thresholds[0], found.thresholds[-1]  # where the line of the slider ends, too
    if low == high:  # one threshold still needs room on both sides
        low, high = low - ALONE, high + ALONE
    steps = [low + (high - low) * i / 5 for i in range(6)]
    return Axis("confidence threshold", low, high, tuple((x, f"{x:.2f}") for x in steps))


def _rules(candidate: CandidateEvidence) -> tuple[tuple[float, str], ...]:
    chosen = candidate.sweep.choice.threshold
    return () if chosen is None else ((chosen, f"chosen {threshold_text(chosen)}"),)


def _series(name: str, style: str, found: Curve, rate: str, *, banded: bool = True) -> Series:
    """A line without markers, because its points are too close; its dashes tell it from others."""
    values = [swept(found, point, rate, place) for place, point in enumerate(found.points)]
    placed = list(zip(found.thresholds, values, strict=True))
    points = tuple((x, value.value, f"{name} {score(value)} at {threshold_text(x)}") for x, value in placed)
    band = tuple((x, value.low, value.high) for x, value in placed) if banded else ()
    return Series(name, style, points, marked=False, band=band)


def _bands(found: Curve) -> str:
    """What the areas are, and what the evidence says of them."""
    if found.bands is None:
        return NO_BANDS
    return f"{BANDS} ({found.bands.note})" if found.bands.note else BANDS


def _rates_chart(view: View, candidate: CandidateEvidence, found: Curve) -> Chart:
    split = view.judged_on
    series = [
        _series(f"precision ({split})", "a", found, "precision"),
        _series(f"recall ({split})", "b", found, "recall"),
        _series(f"F1 ({split})", "c", found, "f1"),
    ]
    chooser = candidate.sweep.choice.chosen_on
    choosing = curve(candidate, chooser, CLEAN) if chooser and chooser != split else None
    if choosing is not None and choosing.thresholds:
        name = f"F1 ({chooser}, where the threshold was chosen; no area)"
        series.append(_series(name, "d", choosing, "f1", banded=False))
    return Chart(
        id="chart-rates",
        title=f"{TITLE}, clean {split} images",
        description=(
            f"Lines of precision, recall and F1 of {candidate.name} for thresholds {candidate.sweep.start:.2f} to "
            f"{candidate.sweep.stop:.2f}; the chosen threshold is {view.threshold_of(candidate)}. "
            f"{view.counts(split)}. {_bands(found)}."
        ),
        plot=plot(_x_axis(found), unit_axis("value"), series, rules=_rules(candidate)),
        table=_table(view, "chart-rates-data", series),
    )


def _alarms_chart(view: View, candidate: CandidateEvidence, found: Curve) -> Chart:
    split = view.judged_on
    series = [_series(f"false positives per image ({split})", "e", found, "fppi")]
    known = [y for _, y, _ in series[0].points if y is not None]
    known += [high for *_, high in series[0].band if high is not None]
    return Chart(
        id="chart-alarms",
        title=f"False positives per image by confidence threshold, clean {split} images",
        description=(
            f"Line of the false positives per image of {candidate.name} by threshold; the chosen threshold is "
            f"{view.threshold_of(candidate)}. {view.counts(split)}. {_bands(found)}."
        ),
        plot=plot(_x_axis(found), rising_axis("false positives per image", known), series, rules=_rules(candidate)),
        table=_table(view, "chart-alarms-data", series),
    )


def _table(view: View, name: str, series: Sequence[Series]) -> Table:
    """The points of all series; where a series has areas, the ends of its interval beside each point."""
    columns, by_x = ["Threshold"], []
    for one in series:
        columns.append(one.name)
        by_x.append({x: y for x, y, _ in one.points})
        if one.band:
            columns += ["from", "to"]
            by_x += [{x: low for x, low, _ in one.band}, {x: high for x, _, high in one.band}]
    rows = tuple(
        Row(threshold_text(x), tuple(number(values.get(x), "none") for values in by_x)) for x, _, _ in series[0].points
    )
    return Table(name, f"Numbers of the chart, {view.counts(view.judged_on)}", tuple(columns), rows)
