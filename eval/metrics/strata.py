"""Kinds of objects that are hard to find: hidden ones and crowded ones, each measured apart.

False alarms belong to no kind of object. They count against every stratum alike, so the AP50 of strata may be compared
between models, and never adds up to the AP50 of all objects.

The visible fractions are the ranges in which results on CityPersons (arXiv 1702.05693) are customarily reported: bare
above 0.9, partial 0.65 to 0.9, heavy 0.2 to 0.65; what is hidden further is a stratum of its own, so that nothing is
lost. The steps of overlap are a convention of this project, with the last one at an IoU of 0.5, where two boxes of
different objects would match each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.matching import Matches, match, neighbour_iou
from robust.eval.metrics.pr_curve import COCO_MAX_DETECTIONS, average_precision
from robust.eval.metrics.records import Division, StratumMetrics, StratumRecall
from robust.eval.records import GroundTruth, Predictions

MIN_OBJECTS = 5
"""With fewer objects a stratum is counted and not measured."""

VISIBLE_LIMITS = (0.2, 0.65, 0.9)
"""Visible fractions between hidden, heavy, partial and bare; see `visible_strata` for the ends."""

CROWD_LIMITS = (0.1, 0.3, 0.5)
"""Largest IoUs with another object between apart, near, close and dense; see `crowd_strata` for the ends."""


@dataclass(frozen=True, eq=False)
class Stratum:
    """One kind of object.

    Attributes:
        division: By what the objects are divided.
        name: Of the kind.
        inside: bool (m,), True for the objects of this kind; never for crowd regions.
    """

    division: Division
    name: str
    inside: NDArray[np.bool_]

    @property
    def n_objects(self) -> int:
        """Objects of this kind."""
        return int(self.inside.sum())


def strata(ground_truth: GroundTruth) -> tuple[Stratum, ...]:
    """All kinds of objects, by visible fraction and then by crowdedness; each division holds every object once."""
    return (*visible_strata(ground_truth), *crowd_strata(ground_truth))


def visible_strata(ground_truth: GroundTruth) -> tuple[Stratum, ...]:
    """Objects by visible fraction v: bare v > 0.9, partial 0.65 to 0.9, heavy 0.2 to 0.65, hidden v < 0.2.

    An object of which the source says nothing counts as wholly visible. A fraction of exactly 0.9 or 0.65 is partial,
    of 0.2 heavy.
    """
    v = ground_truth.visible
    hidden, heavy, partial = v < VISIBLE_LIMITS[0], v < VISIBLE_LIMITS[1], v <= VISIBLE_LIMITS[2]
    return _divide(
        ground_truth,
        "visible",
        {"bare": ~partial, "partial": partial & ~heavy, "heavy": heavy & ~hidden, "hidden": hidden},
    )


def crowd_strata(ground_truth: GroundTruth) -> tuple[Stratum, ...]:
    """Objects by the largest IoU u with another object of their image and class.

    Apart u < 0.1, near 0.1 to 0.3, close 0.3 to 0.5, dense u > 0.5. An IoU of exactly 0.1 is near, of 0.3 or 0.5 close.
    Crowd regions are no neighbours.
    """
    u = neighbour_iou(ground_truth)
    apart, near, dense = u < CROWD_LIMITS[0], u < CROWD_LIMITS[1], u > CROWD_LIMITS[2]
    return _divide(
        ground_truth, "crowd", {"apart": apart, "near": near & ~apart, "close": ~near & ~dense, "dense": dense}
    )


def _divide(ground_truth: GroundTruth, division: Division, parts: dict[str, NDArray[np.bool_]]) -> tuple[Stratum, ...]:
    return tuple(Stratum(division, name, inside & ~ground_truth.iscrowd) for name, inside in parts.items())


def stratum_metrics(
    ground_truth: GroundTruth, predictions: Predictions, parts: Sequence[Stratum]
) -> tuple[StratumMetrics, ...]:
    """AP50 of each kind of object by COCO's rule for size classes: the objects of all other kinds are ignored.

    A detection on an ignored object is neither hit nor false alarm; one on no object is a false alarm in every
    stratum. At most 100 detections an image and class count, as in COCO.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        parts: Kinds of objects, from `strata` of the same ground truth.

    Raises:
        DataError: the predictions are of other images.
    """
    return tuple(
        StratumMetrics(
            division=part.division,
            stratum=part.name,
            n_images=len(np.unique(ground_truth.image_index[part.inside])),
            n_objects=part.n_objects,
            AP50=_ap50(ground_truth, predictions, part) if part.n_objects >= MIN_OBJECTS else None,
        )
        for part in parts
    )


def _ap50(ground_truth: GroundTruth, predictions: Predictions, part: Stratum) -> float | None:
    matches = match(ground_truth, predictions, (0.5,), max_detections=COCO_MAX_DETECTIONS, object_ignored=~part.inside)
    return average_precision(matches)


def stratum_recalls(
    matches: Matches, parts: Sequence[Stratum], thresholds: Sequence[float], iou_index: int = 0
) -> tuple[tuple[StratumRecall, ...], ...]:
    """How many objects of each kind are found at each threshold; all objects take part in the matching.

    Args:
        matches: Of all objects, made without a limit on the number of detections.
        parts: Kinds of objects, from `strata` of the same ground truth.
        thresholds: In 0..1; a detection counts where score >= threshold.
        iou_index: Which of the matches' IoU thresholds to use.

    Returns:
        For each threshold, one entry for each part.
    """
    hit = matches.true_positive[iou_index]
    found_at = np.full(len(matches.object_ignored), -np.inf)
    found_at[matches.match[iou_index, hit]] = matches.score[hit]
    return tuple(
        tuple(_recall(part, int((found_at[part.inside] >= threshold).sum())) for part in parts)
        for threshold in thresholds
    )


def _recall(part: Stratum, found: int) -> StratumRecall:
    return StratumRecall(
        division=part.division,
        stratum=part.name,
        n_objects=part.n_objects,
        found=found,
        recall=found / part.n_objects if part.n_objects >= MIN_OBJECTS else None,
    )
