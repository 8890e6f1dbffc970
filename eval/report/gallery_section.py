"""The failure gallery on the page: pictures with boxes over them, captions, legend, and the same in words. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from robust.eval.decision.claims import plural
from robust.eval.report.context import Cell, FailureGallery, Overlay, Row, Shot, Shots, Table
from robust.eval.report.gallery import (
    HIDDEN_FROM,
    Box,
    Entry,
    Gallery,
    Judged,
    Kind,
    Mode,
    Picture,
    Shown,
    check_gallery,
    shown_images,
)
from robust.eval.report.view import View

STYLES: dict[Kind, str] = {"hit": "hit", "miss": "missed", "false alarm": "alarm", "ignored": "ignored"}
LEGEND: dict[Kind, str] = {
    "miss": "missed object: dashed, with a diamond",
    "false alarm": "false alarm: solid, with a cross",
    "hit": "hit: thin, solid",
    "ignored": "ignored, neither hit nor miss: dotted",
}
MODES: dict[Mode, str] = {
    "none": "",
    "blurred": (
        f"Every annotated box, and every detection from a score of {HIDDEN_FROM:g} on, enlarged by a tenth on each "
        "side, is averaged over blocks, so that people in them cannot be recognised. A person who is neither annotated "
        "nor detected is not covered."
    ),
    "full": "The pictures are as evaluated: faces and people in them are personal data.",
}
_MARK = 4.0  # pixels of the picture from the corner, at most


def failure_gallery(view: View, gallery: Gallery) -> FailureGallery:
    """Make the section.

    Raises:
        IntegrityError: the gallery does not belong to the evidence.
    """
    shown = shown_images(view.study, view.candidate, view.judged_on)
    entries = check_gallery(gallery, shown, view.candidate, view.judged_on)
    curves = view.candidate.sweep.curves if view.candidate else ()
    place = _Place(gallery.threshold, curves[0].thresholds if curves else ())
    shots: dict[str, list[Shot]] = {}
    for number, one in enumerate(shown, start=1):
        entry = entries.get((one.variant, one.image.image_id))
        if entry is not None and entry.picture is not None:
            shots.setdefault(one.variant, []).append(_shot(f"shot-{number}", one, entry, entry.picture, place))
    words = [MODES[gallery.mode]] if shots else []
    return FailureGallery(
        note=" ".join(part for part in (*words, gallery.note) if part),
        legend=tuple(Overlay(STYLES[kind], _path(_sample(kind)), text) for kind, text in LEGEND.items()),
        groups=tuple(Shots(_group_title(view, variant, found), tuple(found)) for variant, found in shots.items()),
        table=_table(view, shown, entries),
    )


def _sample(kind: Kind) -> Box:
    return Box(kind=kind, left=5, top=5, width=22, height=10, category="", image_height=0)


def _group_title(view: View, variant: str, found: list[Shot]) -> str:
    seen = view.study.seen(variant)
    return f"{variant}: {plural(len(found), 'picture')}" + (f", {seen}" if seen else "")


@dataclass(frozen=True)
class _Place:
    """Thresholds at which boxes are there: the chosen one, and those of the sweep, rising."""

    chosen: float | None
    swept: Sequence[float]

    def shows(self, one: Judged) -> bool:
        return self.chosen is not None and one.shown_at(self.chosen)

    def found(self, one: Judged) -> str:
        """At how many of the swept thresholds there is a detection for it."""
        if one.score is None:
            return str(0 if one.kind == "miss" else len(self.swept))
        return str(bisect_right(self.swept, one.score))


def _shot(name: str, one: Shown, entry: Entry, picture: Picture, place: _Place) -> Shot:
    left_out = sum(place.shows(extra) for extra in picture.undrawn)
    words = f"{_name(one, entry)} on {one.variant}"
    counts = picture.counts(place.chosen) if place.chosen is not None else {}
    told = ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in LEGEND)
    boxes = tuple(
        Overlay(STYLES[box.kind], _path(box), box_words(box), place.found(box), place.shows(box))
        for box in picture.boxes
    )
    return Shot(
        id=name,
        picture=picture.data,
        width=str(picture.width),
        height=str(picture.height),
        title=words,
        description=f"Boxes by kind: {told}.",
        halo=" ".join(box.path for box in boxes if box.shown),
        boxes=boxes,
        undrawn=" ".join(f"{STYLES[extra.kind]}:{place.found(extra)}" for extra in picture.undrawn),
        name=_name(one, entry),
        counts=_counts(one) + (f"; boxes without room: {left_out}" if left_out else ""),
        objects=str(one.image.n_objects),
        places=_places(one),
    )


def box_words(box: Box) -> str:
    """What a box says when it is pointed at: ``missed person, 34 px high, hidden 60 %``."""
    high = f"{box.image_height} px high"
    hidden = f", hidden {100 * box.hidden:.0f} %" if box.hidden is not None and box.hidden >= 0.005 else ""
    score = f"score {box.score:.2f}" if box.score is not None else ""
    if box.kind == "miss":
        below = f", found below the threshold only ({score})" if score else ", not found at any score that was kept"
        return f"missed {box.category}, {high}{hidden}{below}"
    if box.kind == "ignored":
        return f"ignored: detection of {box.category}, {score}" if score else f"ignored {box.category}, {high}{hidden}"
    word = "hit" if box.kind == "hit" else "false alarm"
    return f"{word}: {box.category}, {score}, {high}"


def _path(box: Box) -> str:
    """The outline, and at its first corner a diamond for a miss or a cross for a false alarm."""
    outline = f"M{box.left:g} {box.top:g}h{box.width:g}v{box.height:g}h{-box.width:g}z"
    m = round(min(_MARK, max(2.0, min(box.width, box.height) / 3)), 1)
    marks = {
        "miss": f"m0 {-m:g}l{m:g} {m:g}l{-m:g} {m:g}l{-m:g} {-m:g}z",
        "false alarm": f"m{-m:g} {-m:g}l{2 * m:g} {2 * m:g}m0 {-2 * m:g}l{-2 * m:g} {2 * m:g}",
    }
    return outline + marks.get(box.kind, "")


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
    number = f"image {one.image.image_id}"
    return f"{entry.name} ({number})" if entry is not None and entry.name is not None else number


def _counts(one: Shown) -> str:
    image = one.image
    return f"{image.misses} of {image.n_objects} missed, {plural(image.false_positives, 'false alarm')}"


def _places(one: Shown) -> str:
    found = (("misses", one.misses_place), ("false alarms", one.alarms_place))
    return ", ".join(f"rank {place} by {words}" for words, place in found if place is not None)
