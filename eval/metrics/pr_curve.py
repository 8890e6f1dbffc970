"""The precision-recall curve whose mean is COCO's average precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.matching import Matches, limit_detections, match
from robust.eval.metrics.records import PrCurve
from robust.eval.records import GroundTruth, Predictions

N_RECALLS = 101
RECALL_POINTS = np.linspace(0, 1, N_RECALLS)
COCO_MAX_DETECTIONS = 100


def pr_curve(ground_truth: GroundTruth, predictions: Predictions, iou_threshold: float = 0.5) -> PrCurve | None:
    """Interpolated precision at 101 recalls, averaged over the classes that have objects; None without objects.

    The mean of the 101 values is COCO's AP at that IoU threshold (at most 100 detections an image and class).

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        iou_threshold: In (0, 1].

    Raises:
        DataError: the predictions are of other images.
    """
    matches = match(ground_truth, predictions, (iou_threshold,), max_detections=COCO_MAX_DETECTIONS)
    precision = interpolated_precision(matches)
    if not precision:
        return None
    return PrCurve(iou_threshold=iou_threshold, recall=tuple(RECALL_POINTS.tolist()), precision=precision)


def interpolated_precision(matches: Matches, iou_index: int = 0) -> tuple[float, ...]:
    """Precision at the 101 recalls, averaged over the classes that have objects; empty without objects.

    Args:
        matches: Made with any limit of at least 100 detections an image and class, or none; the first 100 count.
        iou_index: Which of the matches' IoU thresholds to use.
    """
    curves = _curves(limit_detections(matches, COCO_MAX_DETECTIONS), iou_index)
    return tuple(np.mean(curves, axis=0).tolist()) if curves else ()


def average_precision(matches: Matches, iou_index: int = 0) -> float | None:
    """COCO's AP at one IoU threshold: the mean over 101 recalls and the classes with objects; None without objects.

    Args:
        matches: Made with at most 100 detections an image and class, if it is to be COCO's number.
        iou_index: Which of the matches' IoU thresholds to use.
    """
    curves = _curves(matches, iou_index)
    return float(np.mean(curves)) if curves else None


def _curves(matches: Matches, iou_index: int = 0) -> list[NDArray[np.float64]]:
    every = (class_precision(matches, category, iou_index) for category in matches.category_ids.tolist())
    return [curve for curve in every if curve is not None]


def class_precision(matches: Matches, category_id: int, iou_index: int = 0) -> NDArray[np.float64] | None:
    """Interpolated precision of one class, float64 (101,); None when the class has no objects.

    As ``COCOeval.accumulate`` of pycocotools 2.0.11: precision is made non-increasing from the right, then read where
    the recall is first reached; 0 where it never is.
    """
    n_objects = int((~matches.object_ignored & (matches.object_category == category_id)).sum())
    if n_objects == 0:
        return None
    mine = np.flatnonzero(matches.detection_category == category_id)
    mine = mine[np.argsort(-matches.score[mine], kind="stable")]
    tp = np.cumsum(matches.true_positive[iou_index, mine]).astype(np.float64)
    fp = np.cumsum(matches.false_positive[iou_index, mine]).astype(np.float64)
    precision = tp / (fp + tp + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(tp / n_objects, RECALL_POINTS, side="left")
    return np.append(envelope, 0.0)[reached]
