"""Which images change between the chosen threshold and its neighbours: as tables, and as pictures with boxes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from robust.errors import IntegrityError
from robust.eval.decision.claims import plural
from robust.eval.metrics.threshold_costs import FlippedImage, Flips, ThresholdCosts
from robust.eval.report.context import Cell, Overlay, Row, Shot, Shots, Table
from robust.eval.report.gallery import Entry, Gallery
from robust.eval.report.shots import MODES, Caption, Place, entry_name, legend, make_shot
from robust.eval.report.tuning_cells import TuningSubject, signed_count
from robust.eval.report.view import threshold_text, whole


@dataclass(frozen=True)
class FlipGallery:
    """Pictures of images that change: what was done to them, or why some are missing; and one group for each split."""

    note: str
    legend: tuple[Overlay, ...]
    groups: tuple[Shots, ...]


def flip_tables(subject: TuningSubject, mark: str) -> tuple[Table, ...]:
    """Images that change from the chosen threshold to one below and one above it, with the number of each change."""
    return tuple(
        _flip_table(costs, flips, _entries(subject, costs), mark) for costs in subject.costs for flips in costs.flips
    )


def flip_gallery(subject: TuningSubject, mark: str) -> FlipGallery:
    """The pictures that were made of these images; no group where there is none.

    Raises:
        IntegrityError: the pictures are of another candidate or threshold, or count other boxes than the sweep.
    """
    groups, notes = [], []
    for costs in subject.costs:
        gallery = subject.pictures.get(costs.split)
        if gallery is None:
            continue
        shots = tuple(_shots(subject, costs, gallery, mark))
        if shots:
            groups.append(Shots(f"clean images of {costs.split}: {plural(len(shots), 'picture')}", shots))
            notes.append(MODES[gallery.mode])
        notes.append(gallery.note)
    return FlipGallery(" ".join(dict.fromkeys(filter(None, notes))), legend(), tuple(groups))


def _entries(subject: TuningSubject, costs: ThresholdCosts) -> dict[int, Entry]:
    gallery = subject.pictures.get(costs.split)
    return {entry.image_id: entry for entry in gallery.entries} if gallery else {}


def _flip_table(costs: ThresholdCosts, flips: Flips, entries: dict[int, Entry], mark: str) -> Table:
    there = threshold_text(flips.threshold)
    lower, n = flips.threshold < costs.chosen, len(flips.images)
    listing = f"the {n} with most of them are listed" if flips.n_changed > n else "all of these are listed"
    caption = (
        f"From {threshold_text(costs.chosen)} to {there}, clean images of {costs.split}: boxes "
        f"{'appear' if lower else 'disappear'} in {flips.n_changed:,} of {plural(costs.n_images, 'image')}; {listing}. "
        "Counted, so there is no interval."
    )
    rows = tuple(
        Row(
            entry_name(entries.get(one.image_id, Entry(variant="clean", image_id=one.image_id))),
            (whole(one.n_objects), Cell(signed_count(one.tp), "number"), Cell(signed_count(one.fp), "number")),
        )
        for one in flips.images
    )
    empty = f"No image of {costs.split} changes from {threshold_text(costs.chosen)} to {there}."
    return Table(
        f"{mark}-flips-{costs.split}-{there}", caption, ("Image", "Objects", "Hits", "False alarms"), rows, empty
    )


def _shots(subject: TuningSubject, costs: ThresholdCosts, gallery: Gallery, mark: str) -> list[Shot]:
    told = (gallery.candidate, gallery.split, gallery.threshold)
    if gallery.candidate is not None and told != (subject.candidate.key, costs.split, costs.chosen):
        raise IntegrityError("Pictures of images that flip are of another candidate, split or threshold.")
    place = Place(gallery.threshold, subject.thresholds)
    changes: dict[int, list[tuple[Flips, FlippedImage]]] = {}
    for flips in costs.flips:
        for one in flips.images:
            changes.setdefault(one.image_id, []).append((flips, one))
    made = []
    for entry in gallery.entries:
        if entry.picture is None or gallery.threshold is None:
            continue
        counts, mine = entry.picture.counts(gallery.threshold), changes[entry.image_id]
        objects = mine[0][1].n_objects
        words = f"{counts['miss']} of {objects} missed, {plural(counts['false alarm'], 'false alarm')}"
        caption = Caption(words, objects, "; ".join(_change(costs, flips, one) for flips, one in mine))
        made.append(make_shot(f"{mark}-{costs.split}-{entry.image_id}", entry, entry.picture, place, caption))
    return made


def _change(costs: ThresholdCosts, flips: Flips, one: FlippedImage) -> str:
    chosen, there = threshold_text(costs.chosen), threshold_text(flips.threshold)
    return f"from {chosen} to {there}: hits {signed_count(one.tp)}, false alarms {signed_count(one.fp)}"
