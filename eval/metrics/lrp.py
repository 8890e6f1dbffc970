"""Localisation-recall-precision error: one number for missed objects, false alarms and inaccurate boxes.

At a threshold s and IoU t, over the detections with score >= s,

    LRP(s) = (sum over hits of (1 - IoU) / (1 - t) + FP + FN) / (TP + FP + FN)

which is 0 for a perfect detector and 1 for one that finds nothing. Its minimum over all scores, oLRP, is reached at a
threshold that knows no constraint: a second opinion on the one to run at.

Source: Oksuz, Cam, Kalkan and Akbas, "One Metric to Measure them All: Localisation Recall Precision (LRP)",
arXiv 2011.10772.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.matching import Matches
from robust.eval.metrics.records import Record, Share


class LrpOptimum(Record):
    """The optimal LRP error; means over the classes that have objects.

    Attributes:
        iou_threshold: t.
        n_classes: Classes with objects.
        olrp: Mean over classes of each class's lowest LRP; None without objects.
        localisation: Mean over classes of 1 - IoU of the hits at the class's own optimum; None without hits.
        false_positive: The same of 1 - precision; None without detections there.
        false_negative: The same of 1 - recall; None without objects.
        threshold: The score at which the mean LRP is lowest when all classes share it (the highest of equals); None
            when nothing is found. With one class, that of ``olrp``.
        lrp: That mean LRP; None without objects.
    """

    iou_threshold: Share
    n_classes: int
    olrp: Share | None
    localisation: Share | None
    false_positive: Share | None
    false_negative: Share | None
    threshold: Share | None
    lrp: Share | None


@dataclass(frozen=True, eq=False)
class LrpCurve:
    """LRP of one class at each of its S distinct scores, falling; one more entry at the front for "no detection".

    Attributes:
        scores: float64 (S + 1,), falling; infinity first.
        tp: float64 (S + 1,), hits among the detections of that score or more.
        fp: float64 (S + 1,), false alarms.
        inaccuracy: float64 (S + 1,), sum of 1 - IoU of the hits.
        n_objects: Objects of the class that count, 1 at least.
        iou_threshold: t.
    """

    scores: NDArray[np.float64]
    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    inaccuracy: NDArray[np.float64]
    n_objects: int
    iou_threshold: float

    @property
    def lrp(self) -> NDArray[np.float64]:
        """LRP at each score, float64 (S + 1,), in 0..1."""
        missed = self.n_objects - self.tp
        errors = self.inaccuracy / (1 - self.iou_threshold) + self.fp + missed
        return np.asarray(errors / (self.n_objects + self.fp), dtype=np.float64)


def lrp_curve(matches: Matches, category_id: int, iou_index: int = 0) -> LrpCurve | None:
    """LRP of one class at each distinct score; None for a class without objects.

    A threshold takes all detections of one score or none of them, whatever order they stand in.

    Args:
        matches: Made without a limit on the number of detections.
        category_id: The class.
        iou_index: Which of the matches' IoU thresholds to use; it must be below 1.
    """
    n_objects = int((~matches.object_ignored & (matches.object_category == category_id)).sum())
    if n_objects == 0:
        return None
    mine = np.flatnonzero((matches.detection_category == category_id) & ~matches.ignored[iou_index])
    mine = mine[np.argsort(-matches.score[mine], kind="stable")]
    score, hit = matches.score[mine], matches.match[iou_index, mine] >= 0
    last = np.append(score[1:] != score[:-1], True)[: len(score)]

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.append(0.0, np.cumsum(values)[last])

    return LrpCurve(
        scores=np.append(np.inf, score[last]),
        tp=summed(hit.astype(np.float64)),
        fp=summed((~hit).astype(np.float64)),
        inaccuracy=summed(np.where(hit, 1 - matches.iou[iou_index, mine], 0.0)),
        n_objects=n_objects,
        iou_threshold=matches.iou_thresholds[iou_index],
    )


def lrp_optimum(matches: Matches, iou_index: int = 0) -> LrpOptimum:
    """Find the lowest LRP, class by class and at one threshold for all.

    Args:
        matches: Made without a limit on the number of detections.
        iou_index: Which of the matches' IoU thresholds to use; it must be below 1.

    Raises:
        ValueError: the IoU threshold is 1, where no box is inaccurate and LRP is not defined.
    """
    if matches.iou_thresholds[iou_index] >= 1:
        raise ValueError("LRP is not defined at an IoU threshold of 1")
    every = [lrp_curve(matches, category, iou_index) for category in matches.category_ids.tolist()]
    curves = [curve for curve in every if curve is not None]
    best = [int(np.argmin(curve.lrp)) for curve in curves]
    pairs = list(zip(curves, best, strict=True))
    threshold, lrp = _shared(curves)
    return LrpOptimum(
        iou_threshold=matches.iou_thresholds[iou_index],
        n_classes=len(curves),
        olrp=_mean([float(curve.lrp[i]) for curve, i in pairs]),
        localisation=_mean([float(c.inaccuracy[i] / c.tp[i]) for c, i in pairs if c.tp[i] > 0]),
        false_positive=_mean([float(c.fp[i] / (c.tp[i] + c.fp[i])) for c, i in pairs if c.tp[i] + c.fp[i] > 0]),
        false_negative=_mean([float(1 - c.tp[i] / c.n_objects) for c, i in pairs]),
        threshold=threshold,
        lrp=lrp,
    )


def _shared(curves: list[LrpCurve]) -> tuple[float | None, float | None]:
    """The score at which the mean LRP over classes is lowest, and that mean."""
    if not curves:
        return None, None
    scores = -np.unique(-np.concatenate([curve.scores for curve in curves]))  # falling, infinity first
    total = np.zeros(len(scores))
    for curve in curves:
        total += curve.lrp[np.searchsorted(-curve.scores, -scores, side="right") - 1]
    best = int(np.argmin(total))
    return (float(scores[best]) if best else None), float(total[best] / len(curves))


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
