"""The boxes of one evaluated image: which objects were missed, which detections hit, by the engine's own matching."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.errors import IntegrityError
from robust.eval.evidence.measure import CellResult
from robust.eval.metrics.matching import Matches
from robust.eval.records import GroundTruth, Predictions
from robust.eval.report.gallery import KINDS, LONGEST_NAME, Box, Kind


@dataclass(frozen=True)
class Span:
    """Thresholds at which boxes are looked at: the chosen one, and those of the sweep."""

    chosen: float
    low: float
    high: float

    @classmethod
    def of(cls, chosen: float, swept: Sequence[float]) -> Span:
        """All thresholds of a sweep and the chosen one, which may lie outside."""
        return cls(chosen, min((chosen, *swept)), max((chosen, *swept)))


@dataclass(frozen=True, eq=False)
class OneImage:
    """What was found in the image at position ``k`` of a few."""

    truth: GroundTruth
    predictions: Predictions
    matches: Matches
    k: int

    def people(self, lowest: float) -> NDArray[np.float64]:
        """Boxes, xyxy in pixels of the image, of everything annotated, and detected from a score on."""
        objects = self.truth.boxes[self.truth.image_index == self.k]
        detected = (self.predictions.image_index == self.k) & (self.predictions.scores >= lowest)
        return np.concatenate([objects, self.predictions.boxes[detected]])

    def boxes(self, span: Span, scale: float, size: tuple[int, int]) -> tuple[Box, ...]:
        """All boxes of the span in the order in which they are drawn: those at the chosen threshold first.

        Within them, misses, false alarms, hits, what is ignored; large misses and sure detections first.
        """
        placed = [*self._objects(span.high), *self._detections(span.low)]
        placed.sort(key=lambda one: (KINDS.index(one.kind), -one.weight))
        boxes = [one.scaled(scale, size) for one in placed]
        return tuple(sorted(boxes, key=lambda box: not box.shown_at(span.chosen)))

    def _objects(self, threshold: float) -> Iterator[_Placed]:
        """Misses at this threshold, so at any lower one at which they are; and what is ignored."""
        truth, matches = self.truth, self.matches
        best = np.full(len(truth), -np.inf)
        hit = matches.true_positive[0]
        best[matches.match[0, hit]] = matches.score[hit]
        for i in np.flatnonzero(truth.image_index == self.k).tolist():
            if matches.object_ignored[i] or best[i] < threshold:
                yield _Placed(
                    "ignored" if matches.object_ignored[i] else "miss",
                    truth.boxes[i],
                    _category(truth, int(truth.category_ids[i])),
                    weight=float(np.diff(truth.boxes[i, 1::2])[0]),
                    hidden=1.0 - float(truth.visible[i]),
                    score=float(best[i]) if np.isfinite(best[i]) else None,
                )

    def _detections(self, threshold: float) -> Iterator[_Placed]:
        """What is detected at this threshold, so at any higher one."""
        matches = self.matches
        for i in np.flatnonzero((matches.image_index == self.k) & (matches.score >= threshold)).tolist():
            kind: Kind = "hit" if matches.true_positive[0, i] else "false alarm"
            yield _Placed(
                "ignored" if matches.ignored[0, i] else kind,
                self.predictions.boxes[matches.detection_index[i]],
                _category(self.truth, int(matches.detection_category[i])),
                weight=float(matches.score[i]),
                score=float(matches.score[i]),
            )


@dataclass(frozen=True, eq=False)
class _Placed:
    """A box in pixels of the evaluated image, xyxy; ``weight`` orders those of a kind."""

    kind: Kind
    box: NDArray[np.float64]
    category: str
    weight: float
    hidden: float | None = None
    score: float | None = None

    def scaled(self, scale: float, size: tuple[int, int]) -> Box:
        """In pixels of the picture, cut off at its edges."""
        limits = (*size, *size)
        x1, y1, x2, y2 = (
            round(min(max(v * scale, 0.0), float(most)), 1) for v, most in zip(self.box.tolist(), limits, strict=True)
        )
        return Box(
            kind=self.kind,
            left=x1,
            top=y1,
            width=round(max(0.0, x2 - x1), 1),
            height=round(max(0.0, y2 - y1), 1),
            category=self.category[:LONGEST_NAME],
            image_height=max(0, round(float(self.box[3] - self.box[1]))),
            hidden=None if self.hidden is None else round(self.hidden, 3),
            score=self.score,
        )


def only_images(cell: CellResult, image_ids: Sequence[int]) -> tuple[GroundTruth, Predictions]:
    """The ground truth and predictions of a few images. Images do not touch each other in matching.

    Raises:
        IntegrityError: one of them was not evaluated.
    """
    truth, predictions = cell.truth, cell.predictions
    wanted = np.unique(np.asarray(image_ids, dtype=np.int64))
    if not (np.isin(wanted, truth.image_ids).all() and np.array_equal(truth.image_ids, predictions.image_ids)):
        raise IntegrityError(f"The stored cell {cell.variant.name} is not of the images that the evidence names.")
    place = np.searchsorted(truth.image_ids, wanted)
    position = np.full(len(truth.image_ids), -1, dtype=np.int64)
    position[place] = np.arange(len(wanted))
    objects = np.flatnonzero(position[truth.image_index] >= 0)
    found = np.flatnonzero(position[predictions.image_index] >= 0)
    return (
        GroundTruth(
            image_ids=wanted,
            image_sizes=truth.image_sizes[place],
            groups=tuple(truth.groups[int(i)] for i in place),
            image_index=position[truth.image_index[objects]],
            boxes=truth.boxes[objects],
            category_ids=truth.category_ids[objects],
            annotation_ids=truth.annotation_ids[objects],
            iscrowd=truth.iscrowd[objects],
            area=truth.area[objects],
            visible=truth.visible[objects],
            categories=truth.categories,
        ),
        Predictions(
            wanted,
            position[predictions.image_index[found]],
            predictions.boxes[found],
            predictions.scores[found],
            predictions.category_ids[found],
            predictions.provenance,
        ),
    )


def _category(truth: GroundTruth, number: int) -> str:
    return next((category.name for category in truth.categories if category.id == number), f"class {number}")
