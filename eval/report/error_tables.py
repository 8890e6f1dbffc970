"""Errors: what AP50 is lost to, kinds of misses and false alarms, and whether scores mean what they say."""

from __future__ import annotations

from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN, cell
from robust.eval.evidence.records import CandidateEvidence, CellAtThreshold, CellEvidence
from robust.eval.metrics.error_types import KINDS, NONE_SEEN, ErrorKind
from robust.eval.metrics.misses import FALSE_ALARM_KINDS, MISS_KINDS
from robust.eval.metrics.worst_images import WorstImage
from robust.eval.report.compared import difference_cell
from robust.eval.report.context import Cell, Fact, Row, Table
from robust.eval.report.view import NOT_MEASURED, View, number

ERROR_WORDS: dict[ErrorKind, str] = {
    "cls": "right place, wrong class",
    "loc": "right class, box too far off (IoU 0.1 to 0.5)",
    "both": "wrong class and box too far off",
    "dupe": "second detection of an object",
    "bkg": "detection where nothing is",
    "miss": "missed, and for none of the reasons above",
    "false positives": "all false alarms together",
    "false negatives": "all misses together",
}
"""Kinds of errors in reading order, in words."""
SHOWN_IMAGES = 5

NO_CANDIDATE = "No candidate is proposed, so there are no errors to show."


def telling_variants(view: View) -> list[str]:
    """Clean, and the middle severity of each corruption."""
    found = [CLEAN]
    for corruption in view.study.corruptions:
        severities = view.study.severities(corruption)
        found.append(f"{corruption}/{severities[len(severities) // 2]}")
    return found


def error_table(view: View) -> Table:
    """What each kind of error costs on clean images, and what a variant adds to it."""
    candidate = view.candidate
    variants = telling_variants(view)
    columns = ("Kind of error", "Number, clean", "AP50 lost, clean", *(f"{v}: change" for v in variants[1:]))
    rows = tuple(_error_row(view, candidate, kind, variants) for kind in KINDS) if candidate else ()
    caption = (
        f"{view.name}: AP50 that would be gained if one kind of error alone were fixed, "
        f"{view.counts(view.judged_on)} when clean; the parts do not add up. Numbers count detections of every score "
        "that was kept, as AP50 does, not those from the threshold on. Change: the same on the variant, less that on "
        "clean images, paired image by image. In brackets: the 95 % interval."
    )
    return Table("errors", caption, columns, tuple(row for row in rows if row is not None), NO_CANDIDATE)


def _error_row(view: View, candidate: CandidateEvidence, kind: ErrorKind, variants: list[str]) -> Row:
    cells = [cell(candidate, view.judged_on, variant) for variant in variants]
    return Row(ERROR_WORDS[kind], (*_lost(cells[0], kind), *(_change(one, kind) for one in cells[1:])))


def _lost(found: CellEvidence | None, kind: ErrorKind) -> tuple[Cell, Cell]:
    part = next((p for p in found.errors.parts if p.kind == kind), None) if found and found.errors else None
    if part is None:
        return Cell(NOT_MEASURED, "missing"), Cell(NOT_MEASURED, "missing")
    if part.count == 0:
        return Cell("0", "number"), Cell("none seen")
    return Cell(f"{part.count:,}", "number"), number(Estimate.of(part.lost_ap50, interval=part.interval))


def _change(found: CellEvidence | None, kind: ErrorKind) -> Cell:
    change = next((c for c in found.error_changes if c.kind == kind), None) if found else None
    if change is None:
        return Cell(NOT_MEASURED, "missing")
    if change.interval.note == NONE_SEEN:
        return Cell("none seen")
    return difference_cell(change.change, change.interval)


def miss_table(view: View) -> Table:
    """Why objects are missed and what false alarms are, at the chosen threshold."""
    variants = telling_variants(view)
    found = {variant: at_threshold(view, variant) for variant in variants}
    rows = []
    for word, kinds, field in (("missed", MISS_KINDS, "misses"), ("false alarm", FALSE_ALARM_KINDS, "false_positives")):
        for kind in kinds:
            cells = tuple(_kind_cell(found[variant], field, kind) for variant in variants)
            rows.append(Row(f"{word}: {kind}", cells))
    caption = (
        f"{view.name} at its threshold {view.threshold_of(view.candidate)} and IoU 0.5: number of each kind, and its "
        f"share of all misses or false alarms; {view.counts(view.judged_on)} when clean."
    )
    return Table("misses", caption, ("Kind", *variants), tuple(rows) if view.candidate else (), NO_CANDIDATE)


def at_threshold(view: View, variant: str) -> CellAtThreshold | None:
    """The proposed candidate's cell at its chosen threshold."""
    found = view.candidate.sweep.at_threshold if view.candidate else ()
    return next((a for a in found if (a.split, a.variant) == (view.judged_on, variant)), None)


def _kind_cell(found: CellAtThreshold | None, field: str, kind: str) -> Cell:
    counted = next((c for c in getattr(found.misses, field) if c.kind == kind), None) if found else None
    if counted is None:
        return Cell(NOT_MEASURED, "missing")
    return Cell(f"{counted.count:,}" + (f" ({counted.share:.0%})" if counted.share is not None else ""), "number")


def calibration_facts(view: View) -> tuple[Fact, ...]:
    """Whether a score of 0.7 means that 7 of 10 such detections are right."""
    found = cell(view.candidate, view.judged_on, CLEAN) if view.candidate else None
    measured = found.calibration if found else None
    if measured is None:
        return (Fact("Calibration of the scores", NOT_MEASURED),)
    on = f"{measured.n_detections:,} detections from a score of {measured.lowest_score:g} on"
    ece = number(Estimate.of(measured.d_ece, interval=measured.d_ece_interval)).text
    laece = number(Estimate.of(measured.la_ece, interval=measured.la_ece_interval)).text
    why = f"; no interval: {measured.d_ece_interval.note}" if measured.d_ece_interval.low is None else ""
    return (
        Fact("Calibration of the scores (D-ECE)", f"{ece}: mean distance between score and precision, {on}{why}"),
        Fact("Calibration with the fit of boxes (LaECE)", f"{laece}: the same with precision times mean IoU"),
    )


def worst_table(view: View) -> Table:
    """The images with most misses and most false alarms, clean and on the variants that are shown."""
    rows = []
    for variant in telling_variants(view):
        found = at_threshold(view, variant)
        if found is None:
            continue
        for word, images in (("misses", found.worst.by_misses), ("false alarms", found.worst.by_false_positives)):
            cells = (Cell(word), *(_image_cell(images, place) for place in range(SHOWN_IMAGES)))
            rows.append(Row(variant, cells))
    columns = ("Variant", "Most", *(str(place + 1) for place in range(SHOWN_IMAGES)))
    caption = (
        f"{view.name}: ids of the images with most errors at its threshold {view.threshold_of(view.candidate)}; misses "
        "of objects, or false alarms."
    )
    return Table("worst-images", caption, columns, tuple(rows), "No threshold was chosen, so no image is the worst.")


def _image_cell(images: tuple[WorstImage, ...], place: int) -> Cell:
    if place >= len(images):
        return Cell("")
    one = images[place]
    return Cell(f"{one.image_id}: {one.misses} of {one.n_objects} missed, {one.false_positives} false")
