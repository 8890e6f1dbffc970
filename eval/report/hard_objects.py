"""Objects that are hard to find: what is missed at few false alarms, and how hidden and crowded ones fare."""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.decision.claims import plural, score
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN, cell
from robust.eval.evidence.measure import MISS_RATES
from robust.eval.evidence.records import CandidateEvidence, CellEvidence
from robust.eval.metrics.strata import MIN_OBJECTS
from robust.eval.metrics.stratum_records import StratumMetrics, StratumRecall
from robust.eval.report.context import Cell, Row, Table
from robust.eval.report.view import BRACKETS, NOT_MEASURED, View, number, whole

TOO_FEW = "too few objects"

WORDS = {
    ("visible", "bare"): "visible: more than 0.9, or not stated",
    ("visible", "partial"): "visible: 0.65 to 0.9",
    ("visible", "heavy"): "visible: 0.2 to 0.65",
    ("visible", "hidden"): "visible: less than 0.2",
    ("size", "small"): "size: below 32x32 px",
    ("size", "medium"): "size: 32x32 to 96x96 px",
    ("size", "large"): "size: above 96x96 px",
    ("crowd", "apart"): "overlap: none, or IoU below 0.1",
    ("crowd", "near"): "overlap: IoU 0.1 to 0.3",
    ("crowd", "close"): "overlap: IoU 0.3 to 0.5",
    ("crowd", "dense"): "overlap: IoU more than 0.5",
}
"""Kinds of objects in reading order, in words."""

STRATA_NOTE = (
    "By how much of an object is visible, by its area, and by its largest overlap with another of its class. An object "
    "of which neither the labels nor the variant say anything counts as wholly visible. In AP50 all other kinds are "
    "ignored; a false alarm belongs to no kind and counts in full against each, so rows compare models and do not add "
    "up. Recall is at each model's own chosen threshold. "
    f"Fewer than {MIN_OBJECTS} objects are counted and not measured; kinds without any are left out. {BRACKETS}"
)


def miss_rate_table(view: View) -> Table:
    """MR^-2 and recall at few false alarms on every variant, candidate beside baseline."""
    shown = view.shown
    columns = ("Variant", *(f"{name}, {one.role}" for name in _RATES for one in shown))
    variants = dict.fromkeys((CLEAN, *(variant.name for variant in view.study.evidence.suite.variants)))
    rows = [
        Row(variant, tuple(c for by_model in zip(*_rate_cells(view, shown, variant), strict=True) for c in by_model))
        for variant in variants
        if shown
    ]
    caption = (
        f"What is missed when few false alarms are allowed, {view.counts(view.judged_on)} when clean; IoU 0.5. MR^-2 "
        "is the log-average miss rate: the geometric mean of the shares that are missed at nine values from 0.01 to 1 "
        f"false positives per image; the lower, the less is missed. {_allowance(view)}{BRACKETS}"
    )
    return Table("miss-rates", caption, columns, tuple(rows))


_RATES = ("MR^-2", "recall at 0.1 FP per image", "recall at 1 FP per image")


def _allowance(view: View) -> str:
    """What the rates mean in whole false alarms on this many images."""
    counted = view.study.splits.get(view.judged_on)
    if counted is None:
        return ""
    tenth = int(counted.n_images * 0.1 + 1e-9)
    said = (
        f"On {plural(counted.n_images, 'image')}, 0.1 FP per image is {plural(tenth, 'false positive')} in all, and 1 "
        f"is {counted.n_images}. "
    )
    if counted.n_images < 100:
        said += "With fewer than 100 images MR^-2 is unstable: most of it is decided by a few false positives. "
    return said


def _rate_cells(view: View, shown: Sequence[CandidateEvidence], variant: str) -> list[tuple[Cell, ...]]:
    """For each model its cells, in the order of the rates."""
    return [_one_model(cell(one, view.judged_on, variant)) for one in shown]


def _one_model(found: CellEvidence | None) -> tuple[Cell, ...]:
    rate = found.miss_rate if found else None
    if found is None or rate is None:
        return (Cell(NOT_MEASURED, "missing"),) * len(_RATES)
    cells = [
        number(Estimate.of(getattr(rate, field), interval=found.intervals.get(name)))
        for field, name in MISS_RATES.items()
    ]
    if rate.mr2 is not None and not rate.is_stable:
        cells[0] = Cell(f"{score(rate.mr2)} (unstable)", "number")
    return tuple(cells)


def strata_tables(view: View) -> tuple[Table, ...]:
    """Kinds of objects on clean images, and at the middle severity of each corruption that hides or crowds objects."""
    tables = tuple(_strata_table(view, variant, i) for i, variant in enumerate(_telling_variants(view)))
    return tables or (Table("strata", "Kinds of objects", ("Kind",), ()),)


def _telling_variants(view: View) -> list[str]:
    """Clean, and one variant of each corruption that changes how many objects of a kind there are."""
    if view.candidate is None or not _strata(view, view.candidate, CLEAN):
        return []
    clean = _counts(_strata(view, view.candidate, CLEAN))
    found = [CLEAN]
    for corruption in view.study.corruptions:
        severities = view.study.severities(corruption)
        middle = f"{corruption}/{severities[len(severities) // 2]}"
        counts = _counts(_strata(view, view.candidate, middle))
        if counts and counts != clean:
            found.append(middle)
    return found


def _strata(view: View, candidate: CandidateEvidence, variant: str) -> dict[tuple[str, str], StratumMetrics]:
    found = cell(candidate, view.judged_on, variant)
    return {(part.division, part.stratum): part for part in found.strata} if found else {}


def _recalls(view: View, candidate: CandidateEvidence, variant: str) -> dict[tuple[str, str], StratumRecall]:
    return {
        (part.division, part.stratum): part
        for one in candidate.sweep.recalls
        if (one.split, one.variant) == (view.judged_on, variant)
        for part in one.strata
    }


def _counts(parts: dict[tuple[str, str], StratumMetrics]) -> dict[tuple[str, str], int]:
    return {key: part.n_objects for key, part in parts.items()}


def _strata_table(view: View, variant: str, place: int) -> Table:
    shown = view.shown
    metrics = [_strata(view, one, variant) for one in shown]
    recalls = [_recalls(view, one, variant) for one in shown]
    rows = tuple(
        Row(
            words,
            (
                whole(metrics[0][key].n_images),
                whole(metrics[0][key].n_objects),
                *(_ap50_cell(of.get(key)) for of in metrics),
                *(_recall_cell(of.get(key)) for of in recalls),
            ),
        )
        for key, words in WORDS.items()
        if key in metrics[0] and metrics[0][key].n_objects
    )
    thresholds = ", ".join(f"{one.role} {one.name} at {view.threshold_of(one)}" for one in shown)
    counted = view.study.counts(view.judged_on, variant)
    size = (
        f"{plural(counted.n_images, 'image')}, {plural(counted.n_objects, 'object')}"
        if counted
        else f"counts {NOT_MEASURED}"
    )
    columns = ("Kind of object", "Images", "Objects", *(f"AP50, {c.role}" for c in shown))
    return Table(
        f"strata-{place}",
        f"By kind of object, {variant}, {view.judged_on}: {size}; recall of {thresholds}.",
        (*columns, *(f"recall, {c.role}" for c in shown)),
        rows,
    )


def _ap50_cell(part: StratumMetrics | None) -> Cell:
    if part is None:
        return Cell(NOT_MEASURED, "missing")
    if part.AP50 is None:
        return Cell(_why_none(part.n_objects), "missing")
    return number(Estimate.of(part.AP50, interval=part.interval))


def _why_none(n_objects: int) -> str:
    return "not defined" if n_objects >= MIN_OBJECTS else TOO_FEW


def _recall_cell(part: StratumRecall | None) -> Cell:
    """Without a chosen threshold there is no recall to read."""
    if part is None:
        return Cell(NOT_MEASURED, "missing")
    if part.recall is None:
        return Cell(_why_none(part.n_objects), "missing")
    value = number(Estimate.of(part.recall, interval=part.interval))
    return Cell(f"{value.text} ({part.found} of {part.n_objects})", "number")
