"""The failure gallery: which images are shown, the record of their pictures, and the part of the page. Pure.

Which images are the worst, and their counts, come from the evidence alone. The record adds pictures and boxes, which
`robust.eval.gallery` makes; it is a source of the report like the evidence, and must fit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from robust.corruptions.records import CLEAN
from robust.errors import IntegrityError
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.records import Record, Share
from robust.eval.metrics.worst_images import WorstImage, WorstImages

GALLERY = "gallery.json"
MAX_GALLERY_BYTES = 8 * 2**20
MAX_PICTURE_BYTES = 1_500_000
"""Of all pictures and their boxes together, as they stand in the page."""
BOX_BYTES = 260
"""What one box takes in the page, about."""
UNDRAWN_BYTES = 12
"""What one that is counted and not drawn takes in the page, about."""
LONGEST_NAME = 60
"""Letters of a class in what a box says."""
WIDEST, HIGHEST = 320, 400
"""Pixels of a picture."""
MOST_BOXES = 60
"""Boxes drawn in one picture; those at the chosen threshold go first, of them misses and false alarms."""
CLEAN_IMAGES, VARIANT_IMAGES = 6, 3
HIDDEN_FROM = 0.05
"""Detections from this score on are blurred, also those below the threshold."""

Mode = Literal["none", "blurred", "full"]
Kind = Literal["hit", "miss", "false alarm", "ignored"]
KINDS: tuple[Kind, ...] = ("miss", "false alarm", "hit", "ignored")


class Judged(Record):
    """An object or a detection, and at which thresholds it is what it is.

    Attributes:
        kind: ``hit`` and ``false alarm`` are of detections, ``miss`` of objects; ``ignored`` of either.
        score: Of the detection; for a miss, of the detection that finds the object where the threshold is not above
            it. None where there is none.
    """

    kind: Kind
    score: Share | None = None

    def shown_at(self, threshold: float) -> bool:
        """Whether it is there at a threshold: a detection from its score down, a miss above it.

        COCO matching goes down the scores, so a lower threshold adds detections and changes none above.
        """
        if self.score is None:
            return True
        return (self.score < threshold) == (self.kind == "miss")


class Box(Judged):
    """One box in a picture.

    Attributes:
        left: In pixels of the picture, like the other three.
        top: See ``left``.
        width: See ``left``.
        height: See ``left``.
        category: Name of the class, or its beginning.
        image_height: Of the box in the evaluated image, pixels.
        hidden: Share of the object that cannot be seen; None for detections.
    """

    left: Annotated[float, Field(ge=0, le=WIDEST)]
    top: Annotated[float, Field(ge=0, le=HIGHEST)]
    width: Annotated[float, Field(ge=0, le=WIDEST)]
    height: Annotated[float, Field(ge=0, le=HIGHEST)]
    category: Annotated[str, Field(max_length=LONGEST_NAME)]
    image_height: Annotated[int, Field(ge=0)]
    hidden: Share | None = None


class Picture(Record):
    """A small picture with what is in it at every threshold of the sweep.

    Attributes:
        data: WebP or JPEG as data URI, without metadata.
        width: Pixels.
        height: Pixels.
        boxes: Those that are drawn. What is there at the chosen threshold comes first, and in it misses, then false
            alarms, hits, what is ignored; then what is there at other thresholds only.
        undrawn: Those that found no room: they are counted.
    """

    data: Annotated[str, Field(pattern=r"^data:image/(webp|jpeg);base64,[A-Za-z0-9+/]+={0,2}$", max_length=400_000)]
    width: Annotated[int, Field(ge=1, le=WIDEST)]
    height: Annotated[int, Field(ge=1, le=HIGHEST)]
    boxes: Annotated[tuple[Box, ...], Field(max_length=MOST_BOXES)]
    undrawn: tuple[Judged, ...] = ()

    def counts(self, threshold: float) -> dict[Kind, int]:
        """How many there are of each kind at a threshold, drawn or not."""
        there = [one.kind for one in (*self.boxes, *self.undrawn) if one.shown_at(threshold)]
        return {kind: there.count(kind) for kind in KINDS}

    @property
    def page_bytes(self) -> int:
        """What it takes in the page, about."""
        return len(self.data) + BOX_BYTES * len(self.boxes) + UNDRAWN_BYTES * len(self.undrawn)


class Entry(Record):
    """One image on one variant; ``name`` is its file name in the data set, None when the data was not at hand."""

    variant: str
    image_id: int
    name: str | None = None
    picture: Picture | None = None


class Gallery(Record):
    """The pictures of a report.

    Attributes:
        schema_version: Of this record.
        mode: ``none``: no pictures; ``blurred``: people are made unrecognisable; ``full``: pictures as they are.
        note: Why pictures are missing, or in what they differ; empty when there is nothing to say.
        candidate: Key of the candidate whose boxes they are; None without pictures.
        split: That the images are of.
        threshold: The chosen one.
        entries: In the order of the report.
    """

    schema_version: Literal[2] = 2
    mode: Mode = "none"
    note: Annotated[str, Field(max_length=4000)] = ""
    candidate: str | None = None
    split: str | None = None
    threshold: Share | None = None
    entries: tuple[Entry, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Gallery:
        pictures = [entry.picture for entry in self.entries if entry.picture is not None]
        if pictures and (self.mode == "none" or self.candidate is None or self.threshold is None):
            raise ValueError("there are pictures, but not of which kind, of whom or at which threshold")
        if self.page_bytes > MAX_PICTURE_BYTES:
            raise ValueError(f"the pictures take more than {MAX_PICTURE_BYTES:,} bytes")
        return self

    @property
    def page_bytes(self) -> int:
        """What its pictures take in the page, about."""
        return sum(entry.picture.page_bytes for entry in self.entries if entry.picture is not None)

    def to_json(self) -> str:
        """Canonical JSON text: two-space indent, fields in their declared order, one trailing newline."""
        return self.model_dump_json(indent=2) + "\n"


NO_GALLERY = Gallery(note="No pictures were asked for.")


@dataclass(frozen=True)
class Shown:
    """An image that the gallery shows.

    Attributes:
        variant: In which it is shown.
        image: Its counts.
        misses_place: Its place among the images with most misses, from 1; None when it is not among them.
        alarms_place: The same for false alarms.
    """

    variant: str
    image: WorstImage
    misses_place: int | None
    alarms_place: int | None


def shown_images(study: Study, candidate: CandidateEvidence | None, split: str) -> tuple[Shown, ...]:
    """Choose the images: the worst clean ones, then of each corruption at its highest severity, then recorded sets.

    The list of most misses and the list of most false alarms take turns, so that neither hides the other.

    Args:
        study: What was shown.
        candidate: Whose failures; None for none.
        split: That judges.
    """
    cells = {at.variant: at.worst for at in candidate.sweep.at_threshold if at.split == split} if candidate else {}
    highest = [f"{corruption}/{study.severities(corruption)[-1]}" for corruption in study.corruptions]
    variants = (CLEAN, *highest, *(one.name for one in study.recorded))
    return tuple(
        one
        for variant in variants
        if variant in cells
        for one in _picked(variant, cells[variant], CLEAN_IMAGES if variant == CLEAN else VARIANT_IMAGES)
    )


def _picked(variant: str, worst: WorstImages, most: int) -> Iterator[Shown]:
    lists = (worst.by_misses, worst.by_false_positives)
    places = [{one.image_id: place for place, one in enumerate(found, start=1)} for found in lists]
    turns = [one for place in range(max(map(len, lists))) for found in lists for one in found[place : place + 1]]
    for image_id, image in list({one.image_id: one for one in turns}.items())[:most]:
        yield Shown(variant, image, *(place.get(image_id) for place in places))


def parse_gallery(content: bytes, name: str) -> Gallery:
    """Read a gallery.

    Raises:
        IntegrityError: it is none.
    """
    if len(content) > MAX_GALLERY_BYTES:
        raise IntegrityError(f"{name} has {len(content):,} bytes; at most {MAX_GALLERY_BYTES:,} are right.")
    try:
        return Gallery.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise IntegrityError(f"{name} is not a gallery.", f"At {where}: {first['msg']}.") from error


def check_gallery(
    gallery: Gallery, shown: tuple[Shown, ...], candidate: CandidateEvidence | None, split: str
) -> dict[tuple[str, int], Entry]:
    """Hold a gallery against the evidence, and return its entries by variant and image.

    Raises:
        IntegrityError: it shows an image that is not among the worst, other counts, another candidate or threshold.
    """
    counts = {(one.variant, one.image.image_id): one.image for one in shown}
    entries = {(entry.variant, entry.image_id): entry for entry in gallery.entries}
    if len(entries) < len(gallery.entries):
        raise _other("an image is in it twice")
    for place, entry in entries.items():
        if place not in counts:
            raise _other(f"image {entry.image_id} on {entry.variant} is not among the worst")
        if entry.picture is not None and gallery.threshold is not None:
            words = f"image {entry.image_id} on {entry.variant}"
            _check_counts(entry.picture.counts(gallery.threshold), counts[place], words)
    threshold = candidate.sweep.choice.threshold if candidate else None
    told = (gallery.candidate, gallery.split, gallery.threshold)
    if gallery.candidate is not None and told != (candidate.key if candidate else None, split, threshold):
        raise _other("it is of another candidate, split or threshold")
    return entries


def _check_counts(counts: dict[Kind, int], image: WorstImage, words: str) -> None:
    found = (counts["miss"], counts["false alarm"])
    if found != (image.misses, image.false_positives):
        raise _other(
            f"{words} has {found[0]} missed and {found[1]} false; the evidence has {image.misses} and "
            f"{image.false_positives}"
        )


def _other(why: str) -> IntegrityError:
    return IntegrityError(
        f"{GALLERY} does not belong to the evidence: {why}.", fix="Write the report again with `robust report`."
    )
