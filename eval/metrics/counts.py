"""Hits, false alarms and objects of each image at each threshold: what every question about a threshold is asked of.

Precision, recall, F1 and false positives per image are ratios of sums over images. With images weighted, they are
ratios of matrix products, so one product for each kind of count gives all replicates of a whole sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.records import OperatingPoint
from robust.eval.metrics.thresholds import SWEEP_IOU, operating_point
from robust.eval.records import GroundTruth, Predictions

RATES = ("precision", "recall", "f1", "fppi")


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """What is found in each image at each of K thresholds, over all classes.

    Attributes:
        thresholds: float64 (K,), 0..1, not falling; a detection counts where score >= threshold.
        tp: float64 (n_images, K), hits.
        fp: float64 (n_images, K), false alarms.
        objects: float64 (n_images,), objects that count, found or not.
    """

    thresholds: NDArray[np.float64]
    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    objects: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = (len(self.objects), len(self.thresholds))
        if self.tp.shape != shape or self.fp.shape != shape:
            raise ValueError(f"counts have shapes {self.tp.shape} and {self.fp.shape}, not {shape}")
        if len(self.thresholds) == 0 or (np.diff(self.thresholds) < 0).any():
            raise ValueError("thresholds must rise, and there must be one at least")

    @property
    def n_images(self) -> int:
        """Images, those without objects included."""
        return len(self.objects)

    @property
    def n_objects(self) -> int:
        """Objects that count."""
        return int(self.objects.sum())

    def at(self, index: int) -> ImageCounts:
        """The counts at one of the thresholds alone."""
        one = slice(index, index + 1)
        return ImageCounts(self.thresholds[one], self.tp[:, one], self.fp[:, one], self.objects)

    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """Sum over images: one point for each threshold, as `robust.eval.metrics.thresholds.operating_points`."""
        totals = zip(self.thresholds.tolist(), self.tp.sum(axis=0).tolist(), self.fp.sum(axis=0).tolist(), strict=True)
        return tuple(
            operating_point(limit, int(tp), int(fp), self.n_objects - int(tp), self.n_images)
            for limit, tp, fp in totals
        )


def image_counts(matches: Matches, thresholds: Sequence[float], iou_index: int = 0) -> ImageCounts:
    """Count in each image at each threshold.

    Args:
        matches: Made without a limit on the number of detections.
        thresholds: In 0..1, not falling, one at least.
        iou_index: Which of the matches' IoU thresholds to use.
    """
    limits = np.asarray(thresholds, dtype=np.float64)
    n_images, n_limits = len(matches.image_ids), len(limits)
    highest = np.searchsorted(limits, matches.score, side="right") - 1  # the highest threshold that is reached

    def reaching(hit: NDArray[np.bool_]) -> NDArray[np.float64]:
        counted = hit[iou_index] & (highest >= 0)
        cell = matches.image_index[counted] * n_limits + highest[counted]
        table = np.bincount(cell, minlength=n_images * n_limits).reshape(n_images, n_limits)
        return np.ascontiguousarray(np.cumsum(table[:, ::-1], axis=1, dtype=np.float64)[:, ::-1])

    objects = np.bincount(matches.object_image_index[~matches.object_ignored], minlength=n_images)
    return ImageCounts(
        limits, reaching(matches.true_positive), reaching(matches.false_positive), objects.astype(np.float64)
    )


def counts_of(ground_truth: GroundTruth, predictions: Predictions, thresholds: Sequence[float]) -> ImageCounts:
    """Match at IoU 0.5 and count in each image at each threshold.

    Matching serves high scores first, so detections below the lowest threshold change nothing above it. They are most
    of what a detector stores, and are dropped before the matching.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        thresholds: In 0..1, not falling, one at least.

    Raises:
        DataError: the predictions are of other images.
    """
    kept = np.flatnonzero(predictions.scores >= min(thresholds))
    reaching = Predictions(
        predictions.image_ids,
        predictions.image_index[kept],
        predictions.boxes[kept],
        predictions.scores[kept],
        predictions.category_ids[kept],
        predictions.provenance,
    )
    return image_counts(match(ground_truth, reaching, (SWEEP_IOU,)), thresholds)


def rates(counts: ImageCounts, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Precision, recall, F1 and FPPI at each threshold, with images weighted.

    F1 = 2 TP / (2 TP + FP + FN) = 2 TP / (TP + FP + objects) of the weighted sums; FPPI = FP / images, both weighted.

    Args:
        counts: Of n_images.
        weights: float64 (n_images, B), at least 0.

    Returns:
        Name in `RATES` -> float64 (K, B); NaN where a column has nothing to divide by.
    """
    hits, alarms = _weighted(counts, weights)
    objects, images = np.stack([counts.objects, np.ones(counts.n_images)]) @ weights
    objects = np.where(objects > 0, objects, np.nan)
    detections = hits + alarms
    with np.errstate(invalid="ignore"):  # 0 / 0
        return {
            "precision": hits / detections,
            "recall": hits / objects,
            "f1": 2 * hits / (detections + objects),
            "fppi": alarms / images,
        }


def _weighted(counts: ImageCounts, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted sums of hits and of false alarms, float64 (K, B) each.

    From one threshold to the next only few images change, so the differences are multiplied, as a sparse matrix, and
    summed up afterwards. Thresholds with the same counts get the same sums to the last bit, whatever the weights.
    """
    tables = np.stack([counts.tp.T, counts.fp.T])
    tables[:, :-1] -= tables[:, 1:]
    sums = sparse.csr_array(tables.reshape(-1, counts.n_images)) @ weights
    sums = np.asarray(sums, dtype=np.float64).reshape(2, -1, weights.shape[1])
    for i in range(sums.shape[1] - 2, -1, -1):
        sums[:, i] += sums[:, i + 1]
    return sums[0], sums[1]
