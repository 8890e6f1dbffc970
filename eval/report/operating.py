"""The operating point: the threshold, what it gives on every variant, and what its neighbours would give."""

from __future__ import annotations

from robust.eval.decision.claims import score
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN, THRESHOLD_TOLERANCE, curve
from robust.eval.evidence.records import CandidateEvidence, Curve, SweepEvidence
from robust.eval.metrics.records import OperatingPoint, ThresholdConstraints
from robust.eval.report.context import Fact, Row, Table
from robust.eval.report.view import BRACKETS, NOT_MEASURED, View, number, threshold_text, whole

RATES = ("Precision", "Recall", "F1", "False positives per image")
COUNTS = ("Found (TP)", "False (FP)", "Missed (FN)")
COARSE = 0.05
"""Step of the short threshold table."""


def operating_facts(view: View) -> tuple[Fact, ...]:
    """The choice and the rule that made it."""
    if view.candidate is None:
        return (Fact("Threshold", "none: no candidate is proposed"),)
    choice = view.candidate.sweep.choice
    limits = choice.constraints
    required = {
        "precision at least": limits.min_precision,
        "recall at least": limits.min_recall,
        "false positives per image at most": limits.max_fppi,
    }
    constraints = "; ".join(f"{words} {value:.3f}" for words, value in required.items() if value is not None)
    return (
        Fact("Confidence threshold", view.threshold_of(view.candidate)),
        Fact("Chosen on", choice.chosen_on or "nothing: no split was there to choose on"),
        Fact("Rule", choice.rule),
        Fact("Constraints", constraints or "none given"),
        Fact("Result of the rule", choice.reason),
        Fact("Read on", f"{view.counts(view.judged_on)}; a detection counts at IoU 0.5"),
        *_certainty(view.candidate.sweep),
    )


def _certainty(sweep: SweepEvidence) -> tuple[Fact, ...]:
    """How sure the choice is, what the images can guarantee, and second opinions."""
    found = sweep.certainty
    if found is None:
        return (Fact("Certainty", NOT_MEASURED),)
    facts = [Fact("Certainty", found.wording)]
    if sweep.choice.constraints != ThresholdConstraints():
        facts.append(Fact("Test of the constraints", found.certified_reason))
    facts += [Fact(f"Guarantee: {one.risk} ({one.method})", one.sentence) for one in sweep.certificates]
    if sweep.lrp is not None and sweep.lrp.threshold is not None:
        error = f"localisation recall precision error (oLRP {score(sweep.lrp.olrp)})"
        facts.append(Fact("Second opinion", f"{sweep.lrp.threshold:.3f} has the smallest {error}"))
    facts += [Fact(f"Highest floor over the variants of {one.split}", one.reason) for one in sweep.max_min]
    return tuple(facts)


def operating_table(view: View) -> Table:
    """The rates at the chosen threshold, on the split that chose it and on every variant of the split that judges."""
    candidate = view.candidate
    rows: list[Row] = []
    if candidate is not None:
        chosen_on = candidate.sweep.choice.chosen_on
        places = {(chosen_on, CLEAN): chosen_on} if chosen_on else {}
        places[view.judged_on, CLEAN] = view.judged_on
        for variant in view.study.evidence.suite.variants:
            places[view.judged_on, variant.name] = "recorded" if variant.recorded else view.judged_on
        rows = [_cell_row(view, candidate, (s, v), f"{v} ({mark})") for (s, v), mark in places.items()]
    caption = (
        f"{view.name} at confidence threshold {view.threshold_of(candidate)} and IoU 0.5, the same everywhere; "
        f"{view.counts(view.judged_on)} when clean; TP + FN are the objects of each variant. {BRACKETS}"
    )
    return Table("operating", caption, ("Variant (split)", *RATES, *COUNTS), tuple(rows))


def _cell_row(view: View, candidate: CandidateEvidence, place: tuple[str, str], header: str) -> Row:
    point = view.study.point(candidate, *place)
    if point is None:
        return _point_row(header, point)
    rates = tuple(number(view.study.rate(candidate, *place, rate)) for rate in ("precision", "recall", "f1", "fppi"))
    return Row(header, (*rates, whole(point.tp), whole(point.fp), whole(point.fn)))


def _point_row(header: str, point: OperatingPoint | None, style: str = "") -> Row:
    if point is None:
        return Row(header, (number(None, NOT_MEASURED),) * (len(RATES) + len(COUNTS)), style)
    rates = (number(point.precision), number(point.recall), number(point.f1), number(point.fppi))
    return Row(header, (*rates, whole(point.tp), whole(point.fp), whole(point.fn)), style)


def threshold_table(view: View) -> Table:
    """Every 0.05 from one end of the sweep to the other, and the chosen threshold."""
    points = _points(view, view.judged_on)
    chosen = view.candidate.sweep.choice.threshold if view.candidate else None
    rows = []
    for place, point in enumerate(points):
        is_chosen = chosen is not None and abs(point.threshold - chosen) < THRESHOLD_TOLERANCE
        if is_chosen or abs(point.threshold / COARSE - round(point.threshold / COARSE)) < THRESHOLD_TOLERANCE:
            mark = " (chosen)" if is_chosen else ""
            rows.append(
                _swept_row(view, place, f"{threshold_text(point.threshold)}{mark}", "chosen" if is_chosen else "")
            )
    caption = (
        f"{view.name} by confidence threshold, clean images, {view.counts(view.judged_on)}. The choice was made on "
        "another split; this table is not for choosing again. In brackets: the 95 % interval at each threshold."
    )
    return Table("thresholds", caption, ("Threshold", *RATES, *COUNTS), tuple(rows))


def _swept_row(view: View, place: int, header: str, style: str) -> Row:
    """One threshold of the sweep, with the bands of its rates."""
    found = curve(view.candidate, view.judged_on, CLEAN) if view.candidate else None
    if found is None:
        return _point_row(header, None, style)
    point = found.points[place]
    cells = [number(swept(found, point, rate, place)) for rate in ("precision", "recall", "f1", "fppi")]
    return Row(header, (*cells, whole(point.tp), whole(point.fp), whole(point.fn)), style)


def swept(found: Curve, point: OperatingPoint, rate: str, place: int) -> Estimate:
    """A rate at one of the thresholds of a sweep, with its band; ``point`` is ``found.points[place]``."""
    value, ends = getattr(point, rate), found.bands.at(rate, place) if found.bands else None
    return Estimate(value=value, low=ends[0], high=ends[1]) if ends and value is not None else Estimate.of(value)


def _points(view: View, split: str) -> tuple[OperatingPoint, ...]:
    found = curve(view.candidate, split, CLEAN) if view.candidate else None
    return found.points if found else ()
