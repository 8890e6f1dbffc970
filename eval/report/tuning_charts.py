"""Charts of the tuning report: four rates by threshold with their bands, for one cell."""

from __future__ import annotations

from dataclasses import dataclass

from robust.eval.decision.study import CLEAN
from robust.eval.evidence.records import Curve
from robust.eval.report.charts import ALONE, NARROW, WIDE, Axis, Ends, Point, Series, plot, rising_axis, unit_axis
from robust.eval.report.context import Chart, Row, Table
from robust.eval.report.tuning_cells import (
    RATES,
    TuningSubject,
    bounded_cell,
    rate_at,
    size_words,
)
from robust.eval.report.view import threshold_text

LOOKS = {"precision": "a", "recall": "b", "f1": "c", "fppi": "e"}
SHARES = ("precision", "recall", "f1")
ROOM = 2.0
"""An axis reaches at most so many times its highest value: a band that goes further is cut off."""


@dataclass(frozen=True)
class ChartGroup:
    """The charts of one corruption, clean or recorded set, by rising severity."""

    title: str
    charts: tuple[Chart, ...]


def clean_groups(subject: TuningSubject, mark: str) -> tuple[ChartGroup, ...]:
    """Clean images of the choosing split, and of the judging one."""
    splits = dict.fromkeys([*([subject.chosen_on] if subject.chosen_on else []), subject.judged_on])
    curves = [curve for curve in map(subject.curve, splits) if curve is not None]
    return tuple(ChartGroup(curve.split, _charts(subject, curve, mark, width=WIDE)) for curve in curves)


def variant_groups(subject: TuningSubject, mark: str, curves: tuple[Curve, ...]) -> tuple[ChartGroup, ...]:
    """Two small charts for each variant, grouped by corruption."""
    groups: dict[str, list[Chart]] = {}
    for curve in curves:
        if curve.variant != CLEAN:
            corruption = curve.variant.partition("/")[0]
            groups.setdefault(corruption, []).extend(_charts(subject, curve, mark, width=NARROW))
    return tuple(ChartGroup(name, tuple(charts)) for name, charts in groups.items())


def _charts(subject: TuningSubject, curve: Curve, mark: str, *, width: float) -> tuple[Chart, Chart]:
    shares = tuple(_series(curve, rate) for rate in SHARES)
    alarms = _series(curve, "fppi")
    known = [value for _, value, _ in alarms.points if value is not None]
    reached = [high for _, _, high in alarms.band if high is not None]
    top = min([max([*reached, *known, 0.0]), ROOM * max([*known, 0.0])]) or max([*reached, 0.0])
    place = f"{mark}-{subject.curves.index(curve)}"
    label = subject.label(curve)
    return (
        _chart(subject, curve, shares, id_=f"{place}-shares", title=f"Precision, recall and F1: {label}",
               y_axis=unit_axis("value"), width=width),
        _chart(subject, curve, (alarms,), id_=f"{place}-alarms", title=f"False positives per image: {label}",
               y_axis=rising_axis("false positives per image", [top]), width=width),
    )  # fmt: skip


def _chart(
    subject: TuningSubject,
    curve: Curve,
    series: tuple[Series, ...],
    *,
    id_: str,
    title: str,
    y_axis: Axis,
    width: float,
) -> Chart:
    rules = () if subject.chosen is None else ((subject.chosen, f"chosen {threshold_text(subject.chosen)}"),)
    bands = "areas are 95 % intervals, each for its own threshold" if curve.bands else "no intervals were computed"
    return Chart(
        id=id_,
        title=title,
        description=f"By confidence threshold; {size_words(curve, curve.split)}; {bands}.",
        plot=plot(_axis(subject), y_axis, series, rules=rules, width=width),
        table=_numbers(subject, curve, tuple(r for r in RATES if (r in SHARES) == (len(series) > 1)), id_),
    )


def _numbers(subject: TuningSubject, curve: Curve, rates: tuple[str, ...], id_: str) -> Table:
    rows = tuple(
        Row(threshold_text(curve.thresholds[i]), tuple(bounded_cell(rate_at(curve, rate, i)) for rate in rates))
        for i in subject.coarse
    )
    caption = "Every 0.05, and the chosen threshold; all of them are in tuning.csv. In brackets: the 95 % interval."
    return Table(f"{id_}-data", caption, ("Threshold", *(RATES[rate] for rate in rates)), rows)


def _series(curve: Curve, rate: str) -> Series:
    points: list[Point] = [(p.threshold, getattr(p, rate), "") for p in curve.points]
    band: list[Ends] = []
    for i, threshold in enumerate(curve.thresholds if curve.bands else ()):
        ends = curve.bands.at(rate, i) if curve.bands else None
        band.append((threshold, *(ends or (None, None))))
    # single thresholds have no line, so they get a marker
    return Series(RATES[rate], LOOKS[rate], tuple(points), marked=len(points) == 1, band=tuple(band))


def _axis(subject: TuningSubject) -> Axis:
    low, high = subject.thresholds[0], subject.thresholds[-1]
    if low == high:
        low, high = low - ALONE, high + ALONE
    ticks = [low + (high - low) * i / 5 for i in range(6)]
    return Axis("confidence threshold", low, high, tuple((x, f"{x:.2f}") for x in ticks))
