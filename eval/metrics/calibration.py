"""Whether a score says how likely a detection is right.

D-ECE is the mean distance between score and precision over bins of equal width, weighted by the detections in them
(Kueppers, Kronenberger, Shantia and Haselhoff 2020, arXiv 2004.13546). LaECE holds the score against precision times
the mean IoU of the hits, so that a score must also say how well the box fits (Oksuz, Joy and Dokania 2023, CVPR).
Both are taken over the detections of all classes together, from a stated score on: the crowd of very low scores, which
is always near its precision of 0, would hide everything else.

Detections that COCO ignores are left out. Both numbers are distances and therefore never too small by chance: with few
detections they are mostly noise, so below 500 there is no interval and they should not be shown.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from robust.eval.metrics.interval import (
    MAX_UNDEFINED,
    MIN_OBJECTS,
    MIN_UNITS,
    Interval,
    clopper_pearson,
    logit_t,
    share_interval,
)
from robust.eval.metrics.matching import Matches
from robust.eval.metrics.records import Record, Share
from robust.eval.metrics.resampling import ImageWeights

BINS = 25
LOWEST_SCORE = 0.05
MIN_DETECTIONS = 500


class ReliabilityBin(Record):
    """Detections of similar score.

    Attributes:
        low: Lowest score that belongs to it.
        high: Scores from here on belong to the next bin; the last one includes 1.
        n: Detections.
        confidence: Their mean score; None without any.
        precision: Share of them that are hits.
        precision_low: Lower end of its 95 % interval (logit-t over images); None where there is none.
        precision_high: Upper end.
        iou: Mean IoU of the hits; None without any.
    """

    low: Share
    high: Share
    n: Annotated[int, Field(ge=0)]
    confidence: Share | None
    precision: Share | None
    precision_low: Share | None = None
    precision_high: Share | None = None
    iou: Share | None


class Calibration(Record):
    """How far scores are from what they should say, at one IoU threshold.

    Attributes:
        iou_threshold: From which a detection is a hit.
        lowest_score: Only detections from this score on are looked at.
        n_detections: How many that are.
        d_ece: Score against precision, 0..1, lower is better; None without detections.
        d_ece_interval: None (with the reason) below 500 detections.
        la_ece: Score against precision times IoU.
        la_ece_interval: Likewise.
        bins: Those that hold detections, by score.
    """

    iou_threshold: Share
    lowest_score: Share
    n_detections: Annotated[int, Field(ge=0)]
    d_ece: Share | None
    d_ece_interval: Interval
    la_ece: Share | None
    la_ece_interval: Interval
    bins: tuple[ReliabilityBin, ...]

    @property
    def is_stable(self) -> bool:
        """Whether there are enough detections to show the two numbers."""
        return self.n_detections >= MIN_DETECTIONS


def calibration(
    matches: Matches,
    weights: ImageWeights,
    *,
    bins: int = BINS,
    lowest_score: float = LOWEST_SCORE,
    iou_index: int = 0,
) -> Calibration:
    """Measure the calibration of the scores.

    Args:
        matches: Made without a limit on the number of detections.
        weights: Of their images.
        bins: How many equally wide bins divide the scores 0..1; a score between two bins belongs to the upper one.
        lowest_score: Lower ones are left out.
        iou_index: Which of the matches' IoU thresholds to use.
    """
    counted = ~matches.ignored[iou_index] & (matches.score >= lowest_score)
    score = matches.score[counted]
    hit = matches.true_positive[iou_index, counted].astype(np.float64)
    fit = np.where(hit > 0, matches.iou[iou_index, counted], 0.0)
    edges = np.arange(bins + 1) / bins
    place = np.minimum(np.searchsorted(edges, score, side="right") - 1, bins - 1)
    cell = place * len(matches.image_ids) + matches.image_index[counted]

    def table(values: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Sums by bin and image, float64 (bins, n_images)."""
        size = bins * len(matches.image_ids)
        return np.bincount(cell, weights=values, minlength=size).astype(np.float64).reshape(bins, -1)

    n, confidence, hits, fits = (table(values) for values in (None, score, hit, fit))
    total = n.sum(axis=0)
    d_ece, d_interval = _error(confidence - hits, total, weights)
    la_ece, la_interval = _error(confidence - fits, total, weights)
    return Calibration(
        iou_threshold=matches.iou_thresholds[iou_index],
        lowest_score=lowest_score,
        n_detections=len(score),
        d_ece=d_ece,
        d_ece_interval=d_interval,
        la_ece=la_ece,
        la_ece_interval=la_interval,
        bins=_bins(edges, np.stack([n.sum(axis=1), confidence.sum(axis=1), fits.sum(axis=1)]), n, hits, weights),
    )


def _error(gap: NDArray[np.float64], n: NDArray[np.float64], weights: ImageWeights) -> tuple[float | None, Interval]:
    """Sum of |gap| over the bins, for each detection; a bin's share times its mean distance is its summed distance.

    Args:
        gap: float64 (bins, n_images), sum of the distances of a bin's detections in an image, with their sign.
        n: float64 (n_images,), detections.
        weights: Of the images.
    """
    n_detections = int(n.sum())
    if n_detections == 0:
        return None, Interval.none("there are no detections", weights.n_units)
    value = min(1.0, float(np.abs(gap.sum(axis=1)).sum() / n_detections))
    if n_detections < MIN_DETECTIONS:
        reason = f"noisy: {n_detections} detections, at least {MIN_DETECTIONS} are needed"
        return value, Interval.none(reason, weights.n_units)
    mass = n @ weights.values
    sums = np.abs(gap @ weights.values).sum(axis=0)
    replicates = np.divide(sums, mass, out=np.full(len(mass), np.nan), where=mass > 0)
    return value, share_interval(value, replicates, weights.n_units)


def _bins(
    edges: NDArray[np.float64],
    sums: NDArray[np.float64],
    n: NDArray[np.float64],
    hits: NDArray[np.float64],
    weights: ImageWeights,
) -> tuple[ReliabilityBin, ...]:
    """Records of the bins that hold detections.

    Args:
        edges: float64 (bins + 1,).
        sums: float64 (3, bins), detections, scores and IoUs of the hits.
        n: float64 (bins, n_images), detections.
        hits: float64 (bins, n_images).
        weights: Of the images.
    """
    n_hits = hits.sum(axis=1)
    low, high = _bands(n, hits, weights)
    return tuple(
        ReliabilityBin(
            low=edges[i],
            high=edges[i + 1],
            n=int(sums[0, i]),
            confidence=min(1.0, sums[1, i] / sums[0, i]),
            precision=n_hits[i] / sums[0, i],
            precision_low=None if np.isnan(low[i]) else low[i],
            precision_high=None if np.isnan(high[i]) else high[i],
            iou=min(1.0, sums[2, i] / n_hits[i]) if n_hits[i] else None,
        )
        for i in np.flatnonzero(sums[0]).tolist()
    )


def _bands(
    n: NDArray[np.float64], hits: NDArray[np.float64], weights: ImageWeights
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of each bin's precision, by the rules of `share_interval` for all bins at once; NaN where there is none.

    Logit-t; for a precision of 0 or 1 the exact interval over the images or groups that hold detections of the bin.
    """
    low, high = np.full((2, len(n)), np.nan)
    if weights.n_units < MIN_UNITS:
        return low, high
    detections, right = n @ weights.values, hits @ weights.values
    replicates = np.divide(right, detections, out=np.full(detections.shape, np.nan), where=detections > 0)
    allowed = (n.sum(axis=1) >= MIN_OBJECTS) & (np.isnan(replicates).mean(axis=1) <= MAX_UNDEFINED)
    precision = hits.sum(axis=1) / np.maximum(n.sum(axis=1), 1)
    inner = np.flatnonzero(allowed & (precision > 0) & (precision < 1))
    se = np.nanstd(replicates[inner], axis=1, ddof=1) * math.sqrt(weights.n_units / (weights.n_units - 1))
    low[inner], high[inner] = logit_t(precision[inner], se, weights.n_units)
    for i in np.flatnonzero(allowed & ((precision == 0) | (precision == 1))).tolist():
        carrying = len(np.unique(weights.unit_of_image[n[i] > 0]))
        if carrying >= MIN_UNITS:
            low[i], high[i] = clopper_pearson(carrying if precision[i] == 1 else 0, carrying)
    return low, high
