"""Pictures with boxes over them: what the boxes look like and say, and at which thresholds they are there. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from robust.eval.report.context import Overlay, Shot
from robust.eval.report.gallery import HIDDEN_FROM, Box, Entry, Judged, Kind, Mode, Picture

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


def legend() -> tuple[Overlay, ...]:
    """A sample of each kind of box with its meaning."""
    return tuple(Overlay(STYLES[kind], _path(_sample(kind)), text) for kind, text in LEGEND.items())


def _sample(kind: Kind) -> Box:
    return Box(kind=kind, left=5, top=5, width=22, height=10, category="", image_height=0)


@dataclass(frozen=True)
class Place:
    """Thresholds at which boxes are there: the chosen one, and those of the sweep, rising."""

    chosen: float | None
    swept: Sequence[float]

    def shows(self, one: Judged) -> bool:
        """Whether it is there at the chosen threshold."""
        return self.chosen is not None and one.shown_at(self.chosen)

    def found(self, one: Judged) -> str:
        """At how many of the swept thresholds there is a detection for it."""
        if one.score is None:
            return str(0 if one.kind == "miss" else len(self.swept))
        return str(bisect_right(self.swept, one.score))


@dataclass(frozen=True)
class Caption:
    """What stands below a picture.

    Attributes:
        counts: What is found and missed in it at the chosen threshold.
        objects: Annotated objects that count.
        why: Why it is shown.
    """

    counts: str
    objects: int
    why: str


def make_shot(name: str, entry: Entry, picture: Picture, place: Place, caption: Caption) -> Shot:
    """A picture as the templates show it; ``name`` is its id in the page."""
    left_out = sum(place.shows(extra) for extra in picture.undrawn)
    words = f"{entry_name(entry)} on {entry.variant}"
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
        name=entry_name(entry),
        counts=caption.counts + (f"; boxes without room: {left_out}" if left_out else ""),
        objects=str(caption.objects),
        places=caption.why,
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


def entry_name(entry: Entry) -> str:
    """``street.png (image 1)``, or the number alone where the name is not known."""
    number = f"image {entry.image_id}"
    return f"{entry.name} ({number})" if entry.name is not None else number
