"""Make the pictures of the failure gallery: the worst images as they were evaluated, with stored boxes over them.

Only the few images that are shown are read, and made again under their variant with the seeds of the evaluation. Which
boxes are hits and misses is told by the metric engine's own matching of stored predictions; the counts must be those of
the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from robust.corruptions.apply import corrupt
from robust.corruptions.laws import Pixels
from robust.corruptions.records import CLEAN, Variant
from robust.datasets.records import Dataset
from robust.errors import IntegrityError, RobustError
from robust.eval.decision.claims import plural
from robust.eval.decision.decide import select
from robust.eval.decision.policy import Policy
from robust.eval.decision.study import Study
from robust.eval.engine.cells import PIXELS
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.gallery_boxes import OneImage, Span, only_images
from robust.eval.gallery_images import NO_CELLS, ImageSource, Origin, same_labels
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.thresholds import SWEEP_IOU
from robust.eval.metrics.worst_images import worst_images
from robust.eval.report.gallery import (
    BOX_BYTES,
    HIDDEN_FROM,
    HIGHEST,
    MAX_PICTURE_BYTES,
    MOST_BOXES,
    NO_GALLERY,
    UNDRAWN_BYTES,
    WIDEST,
    Box,
    Entry,
    Gallery,
    Judged,
    Mode,
    Picture,
    Shown,
    shown_images,
)
from robust.eval.thumbnails import blur, encode_all, shrink

OTHER_RECIPE = "this version of robust makes the variant otherwise than it was evaluated"
CANNOT_MAKE = "an image cannot be read, or its variant cannot be made"
OTHER_LABELS = "made again, it has other labels than were evaluated"
TOO_MANY = "there is no room for more pictures"
_NAMED = 4  # variants that a remark lists


@dataclass(frozen=True)
class Drawn:
    """A gallery, and what went wrong in full, for the person at the terminal: it may name paths of this machine."""

    gallery: Gallery
    trouble: tuple[str, ...]


def draw_gallery(evidence: Evidence, policy: Policy, mode: Mode, origin: Origin) -> Drawn:
    """Make the gallery of the candidate that the policy proposes.

    What cannot be shown is left out and the reason is said; only data that contradicts the evidence is an error.

    Args:
        evidence: Of the study.
        policy: It selects the candidate, and names the split that judges.
        mode: ``none`` reads names only, ``blurred`` makes people unrecognisable, ``full`` shows pictures as they are.
        origin: Of images and boxes.

    Raises:
        IntegrityError: stored predictions give other counts than the evidence has.
    """
    study = Study(evidence)
    candidate = study.candidate(select(study, policy.selection).candidate)
    shown = shown_images(study, candidate, policy.judged_on)
    if candidate is None or not shown:
        return Drawn(Gallery(mode=mode), ())

    def check(variant: str, matches: Matches) -> None:
        _check_counts([one for one in shown if one.variant == variant], matches, candidate)

    source = ImageSource(study, candidate, policy.judged_on, origin)
    with ExitStack() as stack:
        source.open(stack)
        maker = PictureMaker(source, mode, check, MAX_PICTURE_BYTES)
        gallery = maker.gallery([(one.variant, one.image.image_id) for one in shown])
    return Drawn(gallery, tuple(dict.fromkeys(source.trouble)))


def _check_counts(shown: Sequence[Shown], matches: Matches, candidate: CandidateEvidence) -> None:
    threshold = candidate.sweep.choice.threshold
    found = worst_images(matches, 1.0 if threshold is None else threshold, most=len(shown))
    counted = {image.image_id: image for image in (*found.by_misses, *found.by_false_positives)}
    for one in shown:
        if counted.get(one.image.image_id) != one.image:
            raise not_the_predictions(one.variant, one.image.image_id)


def not_the_predictions(variant: str, image_id: int) -> IntegrityError:
    """The error of stored predictions that give other counts than the evidence has."""
    return IntegrityError(
        f"The stored predictions of {variant} are not those that the evidence was measured from.",
        f"Image {image_id} has other counts in them.",
        "Evaluate the candidate again; or ask for no pictures with --thumbnails none.",
    )


@dataclass(frozen=True, eq=False)
class _Raw:
    """A picture that is not encoded yet; ``order`` is its place among those of its variant."""

    one: Wanted
    order: int
    pixels: Pixels
    boxes: tuple[Box, ...]
    undrawn: tuple[Judged, ...]

    @property
    def extra(self) -> int:
        """Bytes that it takes besides its pixels."""
        return BOX_BYTES * len(self.boxes) + UNDRAWN_BYTES * len(self.undrawn)


Wanted = tuple[str, int]
"""A variant, and the id of an image."""
Check = Callable[[str, Matches], None]
"""Holds the matching of the wanted images of a variant, at IoU 0.5, against the evidence; raises IntegrityError."""


@dataclass
class PictureMaker:
    """Makes pictures of evaluated images of one candidate, with its boxes.

    Attributes:
        source: Of images and boxes.
        mode: What is done to people in them.
        check: What is made sure before boxes are drawn.
        budget: Bytes of all pictures with their boxes.
    """

    source: ImageSource
    mode: Mode
    check: Check
    budget: int

    def __post_init__(self) -> None:
        self._reasons: dict[str, list[str]] = {}
        sweep = self.source.candidate.sweep
        self._threshold = 1.0 if sweep.choice.threshold is None else sweep.choice.threshold  # then nothing is wanted
        self._span = Span.of(self._threshold, sweep.curves[0].thresholds if sweep.curves else ())

    def gallery(self, wanted: Sequence[Wanted], named: Sequence[Wanted] = ()) -> Gallery:
        """The names of images, and their pictures if any are asked for.

        Args:
            wanted: Images that get a picture, the most important first.
            named: More images, of which the name alone is told.

        Raises:
            IntegrityError: the check failed.
        """
        raw = [] if self.mode == "none" else list(self._raw(wanted))
        pictures = self._encoded(raw)
        entries = tuple(
            Entry(
                variant=variant,
                image_id=image_id,
                name=self.source.data(variant).names.get(image_id),
                picture=pictures.get((variant, image_id)),
            )
            for variant, image_id in (*wanted, *named)
        )
        if self.mode == "none":
            return Gallery(mode="none", note=NO_GALLERY.note, entries=entries)
        about = (self.source.candidate.key, self.source.split, self._threshold) if pictures else (None, None, None)
        return Gallery(
            mode=self.mode,
            note=self._note(pictures),
            candidate=about[0],
            split=about[1],
            threshold=about[2],
            entries=entries,
        )

    def _raw(self, wanted: Sequence[Wanted]) -> Iterator[_Raw]:
        for variant in dict.fromkeys(variant for variant, _ in wanted):
            mine = [one for one in wanted if one[0] == variant]
            data, recipe = self.source.data(variant), self.source.recipe(variant)
            cell = self.source.cell(variant) if data.dataset is not None else None
            if data.dataset is None or cell is None or recipe is None:
                self._remark(data.reason or (NO_CELLS if cell is None else OTHER_RECIPE), variant)
                continue
            yield from self._pictures(mine, data.dataset, cell, recipe)

    def _pictures(
        self, wanted: Sequence[Wanted], dataset: Dataset, cell: CellResult, recipe: Variant
    ) -> Iterator[_Raw]:
        truth, predictions = only_images(cell, [image_id for _, image_id in wanted])
        matches = match(truth, predictions, (SWEEP_IOU,))
        self.check(wanted[0][0], matches)
        index = {image.id: i for i, image in enumerate(dataset.images)}
        for order, (variant, image_id) in enumerate(wanted):
            try:
                made = corrupt(dataset, index[image_id], recipe)
            except RobustError as error:
                self.source.trouble.append(str(error))
                self._remark(CANNOT_MAKE, variant)
                continue
            k = int(np.flatnonzero(truth.image_ids == image_id)[0])
            if not same_labels(truth, k, made):
                self._remark(OTHER_LABELS, variant)
                continue
            image = OneImage(truth, predictions, matches, k)
            yield self._picture((variant, image_id), order, made.pixels, image)

    def _picture(self, one: Wanted, order: int, pixels: Pixels, image: OneImage) -> _Raw:
        small, scale = shrink(pixels, WIDEST, HIGHEST)
        if self.mode == "blurred":
            blur(small, image.people(min(self._span.low, HIDDEN_FROM)) * scale)
        boxes = image.boxes(self._span, scale, (small.shape[1], small.shape[0]))
        undrawn = tuple(Judged(kind=box.kind, score=box.score) for box in boxes[MOST_BOXES:])
        return _Raw(one, order, small, boxes[:MOST_BOXES], undrawn)

    def _encoded(self, raw: Sequence[_Raw]) -> dict[tuple[str, int], Picture]:
        """The pictures by variant and image; where not all fit, the first ones of each variant do."""
        ranked = sorted(raw, key=lambda one: one.order)
        pictures: dict[tuple[str, int], Picture] = {}
        texts = encode_all([one.pixels for one in ranked], [one.extra for one in ranked], self.budget)
        for one, text in zip(ranked, texts, strict=True):
            if text is None:
                self._remark(TOO_MANY, one.one[0])
                continue
            height, width = one.pixels.shape[:2]
            made = Picture(data=text, width=width, height=height, boxes=one.boxes, undrawn=one.undrawn)
            pictures[one.one] = made
        return pictures

    def _remark(self, reason: str, variant: str) -> None:
        self._reasons.setdefault(reason, []).append(variant)

    def _note(self, pictures: Mapping[tuple[str, int], Picture]) -> str:
        """Why pictures are missing, by reason, and whether those of variants may differ from what was evaluated."""
        said = []
        for reason, variants in self._reasons.items():
            once = list(dict.fromkeys(variants))
            more = f" and {plural(len(once) - _NAMED, 'other')}" if len(once) > _NAMED else ""
            where = f" of {', '.join(once[:_NAMED])}{more}" if pictures else ""
            said.append(f"{'Some pictures' if reason == TOO_MANY else 'Pictures'}{where} are missing: {reason}.")
        told = self.source.study.evidence.environment
        here = {name: version(name) for name in PIXELS}
        other = [
            f"{name} {here[name]}, not {told[name]}" for name in PIXELS if told.get(name, here[name]) != here[name]
        ]
        if other and any(variant != CLEAN for variant, _ in pictures):
            said.append(f"Variants were made again with {'; '.join(other)}: pixels may differ from those evaluated.")
        return " ".join(said)
