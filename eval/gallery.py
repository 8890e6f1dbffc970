"""Make the pictures of the failure gallery: the worst images as they were evaluated, with stored boxes over them.

Only the few images that are shown are read, and made again under their variant with the seeds of the evaluation. Which
boxes are hits and misses is told by the metric engine's own matching of stored predictions; the counts must be those of
the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from robust.corruptions.apply import corrupt
from robust.corruptions.laws import Pixels
from robust.corruptions.records import CLEAN, CorruptedImage, Variant
from robust.corruptions.registry import get
from robust.datasets.load import available_splits, load_dataset
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
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.thresholds import SWEEP_IOU
from robust.eval.metrics.worst_images import worst_images
from robust.eval.records import GroundTruth
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
from robust.eval.stored_cells import StoredCells
from robust.eval.thumbnails import blur, encode_all, shrink

Reader = Callable[[CandidateEvidence], AbstractContextManager[StoredCells]]

NO_PLACE = "it is not known where the data set lies; name it with --data"
UNREADABLE = "the data set cannot be read from where it was evaluated, or from where --data says"
OTHER_DATA = "the data set that lies there now is not the one that was evaluated"
OTHER_NUMBERS = "the images of the data set are numbered otherwise than they were evaluated"
LABELS_ONLY = "detections were judged by labels alone, so nothing tells whether the images are the evaluated ones"
NO_CELLS = "stored predictions are not at hand; they come with --experiment or --run-id"
OTHER_RECIPE = "this version of robust makes the variant otherwise than it was evaluated"
CANNOT_MAKE = "an image cannot be read, or its variant cannot be made"
OTHER_LABELS = "made again, it has other labels than were evaluated"
TOO_MANY = "there is no room for more pictures"
_NAMED = 4  # variants that a remark lists


@dataclass(frozen=True)
class Origin:
    """Where pictures and boxes come from.

    Attributes:
        data: What the user named for the split that judges; None for nothing.
        places: Fingerprint of a data set -> where it was evaluated from.
        read: Opens the stored cells of a candidate; None when there are none.
    """

    data: Path | None = None
    places: Mapping[str, Path] = field(default_factory=dict)
    read: Reader | None = None


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
    with ExitStack() as stack:
        work = _Drawing(study, candidate, policy.judged_on, mode, origin)
        work.open(stack)
        return Drawn(work.gallery(shown), tuple(dict.fromkeys(work.trouble)))


@dataclass(frozen=True, eq=False)
class _Raw:
    """A picture that is not encoded yet; ``order`` is its place among those of its variant."""

    one: Shown
    order: int
    pixels: Pixels
    boxes: tuple[Box, ...]
    undrawn: tuple[Judged, ...]

    @property
    def extra(self) -> int:
        """Bytes that it takes besides its pixels."""
        return BOX_BYTES * len(self.boxes) + UNDRAWN_BYTES * len(self.undrawn)


@dataclass(frozen=True)
class _Data:
    """A data set that was looked for: its images' names where it is known, and why there are no pictures of it."""

    names: Mapping[int, str] = field(default_factory=dict)
    dataset: Dataset | None = None
    reason: str = ""


@dataclass
class _Drawing:
    """A gallery in the making."""

    study: Study
    candidate: CandidateEvidence
    split: str
    mode: Mode
    origin: Origin

    def __post_init__(self) -> None:
        self.stored: StoredCells | None = None
        self.found: dict[str, _Data] = {}
        self.reasons: dict[str, list[str]] = {}
        self.trouble: list[str] = []
        chosen = self.candidate.sweep.choice.threshold
        self.threshold = 1.0 if chosen is None else chosen  # without one there is no worst image to show
        curves = self.candidate.sweep.curves
        self.span = Span.of(self.threshold, curves[0].thresholds if curves else ())

    def gallery(self, shown: Sequence[Shown]) -> Gallery:
        """Everything together."""
        raw = [] if self.mode == "none" else list(self._raw(shown))
        pictures = self._encoded(raw)
        entries = tuple(
            Entry(
                variant=one.variant,
                image_id=one.image.image_id,
                name=self._data(one.variant).names.get(one.image.image_id),
                picture=pictures.get((one.variant, one.image.image_id)),
            )
            for one in shown
        )
        if self.mode == "none":
            return Gallery(mode="none", note=NO_GALLERY.note, entries=entries)
        about = (self.candidate.key, self.split, self.threshold) if pictures else (None, None, None)
        return Gallery(
            mode=self.mode,
            note=self._note(pictures),
            candidate=about[0],
            split=about[1],
            threshold=about[2],
            entries=entries,
        )

    def open(self, stack: ExitStack) -> None:
        """Open the stored cells of the candidate for as long as the stack is."""
        if self.origin.read is None:
            return
        try:
            self.stored = stack.enter_context(self.origin.read(self.candidate))
        except RobustError as error:
            self.trouble.append(str(error))

    def _raw(self, shown: Sequence[Shown]) -> Iterator[_Raw]:
        for variant in dict.fromkeys(one.variant for one in shown):
            mine = [one for one in shown if one.variant == variant]
            data, recipe = self._data(variant), self._recipe(variant)
            cell = self._cell(variant) if data.dataset is not None else None
            if data.dataset is None or cell is None or recipe is None:
                self._remark(data.reason or (NO_CELLS if cell is None else OTHER_RECIPE), variant)
                continue
            yield from self._pictures(mine, data.dataset, cell, recipe)

    def _cell(self, variant: str) -> CellResult | None:
        if self.stored is None:
            return None
        try:
            return self.stored.cell(self.split, variant)
        except RobustError as error:
            self.trouble.append(str(error))
            return None

    def _data(self, variant: str) -> _Data:
        """The data set that a variant is made of, which a recorded set is itself; with the images' numbers as stored.

        The same images and labels may be numbered otherwise in another format, and the evidence names numbers.
        """
        recorded = next((v for v in self.study.recorded if v.name == variant), None)
        base = recorded.name if recorded else CLEAN
        if base not in self.found:
            split = self.study.splits.get(self.split)
            fingerprint = recorded.recipe_sha256 if recorded else split.fingerprint if split else ""
            named = [] if recorded or self.origin.data is None else [self.origin.data]
            places = [*named, *([self.origin.places[fingerprint]] if fingerprint in self.origin.places else [])]
            cell = self._cell(base)
            data = self._looked_up(fingerprint, list(dict.fromkeys(places))) if cell else _Data(reason=NO_CELLS)
            if cell is not None and data.names and list(data.names) != cell.truth.image_ids.tolist():
                data = _Data(reason=OTHER_NUMBERS)
            self.found[base] = data
        return self.found[base]

    def _looked_up(self, fingerprint: str, places: Sequence[Path]) -> _Data:
        reason = NO_PLACE
        for place in places:
            for labels_only in (False, True):
                try:
                    offered = available_splits(place)
                    name = offered[0] if len(offered) == 1 else self.split
                    dataset = load_dataset(place, name, labels_only=labels_only)
                except RobustError as error:
                    if not labels_only:
                        self.trouble.append(str(error))
                        reason = UNREADABLE
                    continue
                if dataset.fingerprint == fingerprint:
                    names = {image.id: image.file_name for image in dataset.images}
                    judged_blind = not all(image.sha256 for image in dataset.images)
                    return _Data(names, reason=LABELS_ONLY) if judged_blind else _Data(names, dataset)
                reason = reason if labels_only else OTHER_DATA
        return _Data(reason=reason)

    def _recipe(self, variant: str) -> Variant | None:
        """The recipe as evaluated; None when it would be another one here."""
        told = next((v for v in self.study.evidence.suite.variants if v.name == variant), None)
        if variant == CLEAN or (told is not None and told.recorded):
            return Variant(CLEAN, 0)
        if told is None:
            return None
        try:
            made = Variant(
                told.corruption,
                told.severity,
                seed=self.study.evidence.suite.seed,
                parameters=tuple(sorted(told.parameters.items())),
                ground_truth="visible" if told.ground_truth == "visible" else "amodal",
                version=get(told.corruption).version,
            )
        except RobustError as error:
            self.trouble.append(str(error))
            return None
        return made if made.sha256 == told.recipe_sha256 else None

    def _pictures(self, shown: Sequence[Shown], dataset: Dataset, cell: CellResult, recipe: Variant) -> Iterator[_Raw]:
        truth, predictions = only_images(cell, [one.image.image_id for one in shown])
        matches = match(truth, predictions, (SWEEP_IOU,))
        self._check_counts(shown, matches)
        index = {image.id: i for i, image in enumerate(dataset.images)}
        for order, one in enumerate(shown):
            try:
                made = corrupt(dataset, index[one.image.image_id], recipe)
            except RobustError as error:
                self.trouble.append(str(error))
                self._remark(CANNOT_MAKE, one.variant)
                continue
            k = int(np.flatnonzero(truth.image_ids == one.image.image_id)[0])
            if not _same_labels(truth, k, made):
                self._remark(OTHER_LABELS, one.variant)
                continue
            yield self._picture(one, order, made.pixels, OneImage(truth, predictions, matches, k))

    def _check_counts(self, shown: Sequence[Shown], matches: Matches) -> None:
        found = worst_images(matches, self.threshold, most=len(shown))
        counted = {image.image_id: image for image in (*found.by_misses, *found.by_false_positives)}
        for one in shown:
            if counted.get(one.image.image_id) != one.image:
                raise IntegrityError(
                    f"The stored predictions of {one.variant} are not those that the evidence was measured from.",
                    f"Image {one.image.image_id} has other counts in them.",
                    "Evaluate the candidate again; or write the report with --thumbnails none.",
                )

    def _picture(self, one: Shown, order: int, pixels: Pixels, image: OneImage) -> _Raw:
        small, scale = shrink(pixels, WIDEST, HIGHEST)
        if self.mode == "blurred":
            blur(small, image.people(min(self.span.low, HIDDEN_FROM)) * scale)
        boxes = image.boxes(self.span, scale, (small.shape[1], small.shape[0]))
        undrawn = tuple(Judged(kind=box.kind, score=box.score) for box in boxes[MOST_BOXES:])
        return _Raw(one, order, small, boxes[:MOST_BOXES], undrawn)

    def _encoded(self, raw: Sequence[_Raw]) -> dict[tuple[str, int], Picture]:
        """The pictures by variant and image; where not all fit, the first ones of each variant do."""
        ranked = sorted(raw, key=lambda one: one.order)
        pictures: dict[tuple[str, int], Picture] = {}
        texts = encode_all([one.pixels for one in ranked], [one.extra for one in ranked], MAX_PICTURE_BYTES)
        for one, text in zip(ranked, texts, strict=True):
            if text is None:
                self._remark(TOO_MANY, one.one.variant)
                continue
            height, width = one.pixels.shape[:2]
            made = Picture(data=text, width=width, height=height, boxes=one.boxes, undrawn=one.undrawn)
            pictures[one.one.variant, one.one.image.image_id] = made
        return pictures

    def _remark(self, reason: str, variant: str) -> None:
        self.reasons.setdefault(reason, []).append(variant)

    def _note(self, pictures: Mapping[tuple[str, int], Picture]) -> str:
        """Why pictures are missing, by reason, and whether those of variants may differ from what was evaluated."""
        said = []
        for reason, variants in self.reasons.items():
            once = list(dict.fromkeys(variants))
            more = f" and {plural(len(once) - _NAMED, 'other')}" if len(once) > _NAMED else ""
            where = f" of {', '.join(once[:_NAMED])}{more}" if pictures else ""
            said.append(f"{'Some pictures' if reason == TOO_MANY else 'Pictures'}{where} are missing: {reason}.")
        told = self.study.evidence.environment
        here = {name: version(name) for name in PIXELS}
        other = [
            f"{name} {here[name]}, not {told[name]}" for name in PIXELS if told.get(name, here[name]) != here[name]
        ]
        if other and any(variant != CLEAN for variant, _ in pictures):
            said.append(f"Variants were made again with {'; '.join(other)}: pixels may differ from those evaluated.")
        return " ".join(said)


def _same_labels(truth: GroundTruth, k: int, made: CorruptedImage) -> bool:
    mine = truth.image_index == k
    return np.array_equal(truth.annotation_ids[mine], made.annotations.ids) and np.allclose(
        truth.boxes[mine], made.annotations.boxes, rtol=0, atol=1e-6
    )
