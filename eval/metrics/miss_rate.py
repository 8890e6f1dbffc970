"""Log-average miss rate (MR^-2) and recall at few false alarms.

Source: Dollar, Wojek, Schiele and Perona 2012, "Pedestrian Detection: An Evaluation of the State of the Art", IEEE PAMI
34(4), section 3.1. As in the authors' toolbox, the miss rate at a reference is that of the last point of the curve with
no more false positives per image, and 1 when there is none; the widely copied later code reads the *end* of the curve
there, which flatters a model whose best detection is a false alarm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.records import MissRate
from robust.eval.records import GroundTruth, Predictions

REFERENCES = 10.0 ** np.arange(-2.0, 0.25, 0.25)
"""Nine false positives per image from 0.01 to 1, evenly spaced in the logarithm."""

LOWEST_MISS = 1e-10
"""Stands in for a miss rate of 0, whose logarithm is not finite."""

_ROUNDING = 1e-9  # 1/10 image is written as another float than 10 ** -1: equal counts must compare equal


def miss_rate(ground_truth: GroundTruth, predictions: Predictions) -> MissRate:
    """Measure MR^-2 and the recall at 0.1 and 1 false positives per image, at IoU 0.5.

    Detections on ignored objects count as nothing. With several classes the numbers are means over those that have
    objects, each class with its own false alarms.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.

    Raises:
        DataError: the predictions are of other images.
    """
    return miss_rate_of(match(ground_truth, predictions, (0.5,)))


def miss_rate_of(matches: Matches, iou_index: int = 0) -> MissRate:
    """The same from matches that are already there, made without a limit on the number of detections."""
    classes = [_curve(matches, category, iou_index) for category in matches.category_ids.tolist()]
    curves = [curve for curve in classes if curve is not None]
    return MissRate(
        n_images=len(matches.image_ids),
        n_objects=matches.n_objects,
        mr2=_mean([log_average(1 - _recalls(curve, REFERENCES)) for curve in curves]),
        recall_fppi_01=_mean([float(_recalls(curve, np.array([0.1]))[0]) for curve in curves]),
        recall_fppi_1=_mean([float(_recalls(curve, np.array([1.0]))[0]) for curve in curves]),
    )


def log_average(misses: NDArray[np.float64]) -> float:
    """Geometric mean of miss rates; a rate below 1e-10 counts as 1e-10."""
    return float(np.exp(np.mean(np.log(np.maximum(LOWEST_MISS, misses)))))


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _curve(
    matches: Matches, category_id: int, iou_index: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """False positives per image and recall at each distinct score, falling; None for a class without objects.

    A threshold takes all detections of one score or none of them, whatever order they stand in.
    """
    n_objects = int((~matches.object_ignored & (matches.object_category == category_id)).sum())
    if n_objects == 0:
        return None
    mine = np.flatnonzero(matches.detection_category == category_id)
    mine = mine[np.argsort(-matches.score[mine], kind="stable")]
    score = matches.score[mine]
    last = np.append(score[1:] != score[:-1], True)[: len(score)]
    fppi = np.cumsum(matches.false_positive[iou_index, mine])[last] / len(matches.image_ids)
    recall = np.cumsum(matches.true_positive[iou_index, mine])[last] / n_objects
    return fppi, recall


def _recalls(
    curve: tuple[NDArray[np.float64], NDArray[np.float64]], references: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Recall of the last point with no more false positives per image than each reference; 0 where there is none."""
    fppi, recall = curve
    points_within = np.searchsorted(fppi, references + _ROUNDING, side="right")
    return np.concatenate([[0.0], recall])[points_within]
