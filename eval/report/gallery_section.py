"""The failure gallery on the page: pictures with boxes over them, captions, legend, and the same in words. Pure."""

from __future__ import annotations

from robust.eval.decision.claims import plural
from robust.eval.report.context import Cell, FailureGallery, Row, Shot, Shots, Table
from robust.eval.report.gallery import Entry, Gallery, Shown, check_gallery, shown_images
from robust.eval.report.shots import MODES, Caption, Place, entry_name, legend, make_shot
from robust.eval.report.view import View


def failure_gallery(view: View, gallery: Gallery) -> FailureGallery:
    """Make the section.

    Raises:
        IntegrityError: the gallery does not belong to the evidence.
    """
    shown = shown_images(view.study, view.candidate, view.judged_on)
    entries = check_gallery(gallery, shown, view.candidate, view.judged_on)
    curves = view.candidate.sweep.curves if view.candidate else ()
    place = Place(gallery.threshold, curves[0].thresholds if curves else ())
    shots: dict[str, list[Shot]] = {}
    for number, one in enumerate(shown, start=1):
        entry = entries.get((one.variant, one.image.image_id))
        if entry is not None and entry.picture is not None:
            caption = Caption(_counts(one), one.image.n_objects, _places(one))
            made = make_shot(f"shot-{number}", entry, entry.picture, place, caption)
            shots.setdefault(one.variant, []).append(made)
    words = [MODES[gallery.mode]] if shots else []
    return FailureGallery(
        note=" ".join(part for part in (*words, gallery.note) if part),
        legend=legend(),
        groups=tuple(Shots(_group_title(view, variant, found), tuple(found)) for variant, found in shots.items()),
        table=_table(view, shown, entries),
    )


def _group_title(view: View, variant: str, found: list[Shot]) -> str:
    seen = view.study.seen(variant)
    return f"{variant}: {plural(len(found), 'picture')}" + (f", {seen}" if seen else "")


def _table(view: View, shown: tuple[Shown, ...], entries: dict[tuple[str, int], Entry]) -> Table:
    rows = tuple(
        Row(
            one.variant,
            (
                Cell(_name(one, entries.get((one.variant, one.image.image_id)))),
                Cell(f"{one.image.misses:,} of {one.image.n_objects:,}", "number"),
                Cell(f"{one.image.false_positives:,}", "number"),
                Cell(_places(one)),
            ),
        )
        for one in shown
    )
    caption = (
        f"{view.name}: images with most misses and with most false alarms at its threshold "
        f"{view.threshold_of(view.candidate)} and IoU 0.5. {view.counts(view.judged_on)}; of each corruption the "
        "highest severity."
    )
    empty = "No candidate is proposed, so there are no failures to show."
    if view.candidate is not None:
        chosen = view.candidate.sweep.choice.threshold is not None
        empty = "No image has an error." if chosen else "No threshold was chosen, so no image is among the worst."
    return Table("gallery-images", caption, ("Variant", "Image", "Missed", "False alarms", "Why shown"), rows, empty)


def _name(one: Shown, entry: Entry | None) -> str:
    return entry_name(entry or Entry(variant=one.variant, image_id=one.image.image_id))


def _counts(one: Shown) -> str:
    image = one.image
    return f"{image.misses} of {image.n_objects} missed, {plural(image.false_positives, 'false alarm')}"


def _places(one: Shown) -> str:
    found = (("misses", one.misses_place), ("false alarms", one.alarms_place))
    return ", ".join(f"rank {place} by {words}" for words, place in found if place is not None)
