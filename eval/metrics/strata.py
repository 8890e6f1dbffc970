"""Kinds of objects that are hard to find: hidden, crowded and small ones, each measured apart.

False alarms belong to no kind of object. They count against every stratum alike, so the AP50 of strata may be compared
between models, and never adds up to the AP50 of all objects.

The visible fractions are the ranges in which results on CityPersons (arXiv 1702.05693) are customarily reported: bare
above 0.9, partial 0.65 to 0.9, heavy 0.2 to 0.65; what is hidden further is a stratum of its own, so that nothing is
lost. The steps of overlap are a convention of this project, with the last one at an IoU of 0.5, where two boxes of
different objects would match each other. The sizes are COCO's, but each object has exactly one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.interval import Interval, share_interval
from robust.eval.metrics.matching import Matches, limit_detections, match, neighbour_iou
from robust.eval.metrics.overlaps import overlaps
from robust.eval.metrics.pr_curve import COCO_MAX_DETECTIONS
from robust.eval.metrics.resampling import ImageWeights, unit_of_image
from robust.eval.metrics.stratum_records import Division, StratumMetrics, StratumRecall
from robust.eval.metrics.weighted import average_precisions
from robust.eval.records import GroundTruth, Predictions

MIN_OBJECTS = 5
"""With fewer objects a stratum is counted and not measured."""

MAX_REPLICATES = 500
"""Replicates that the intervals of AP50 use, the first ones: their standard error then has one of its own of 3 %."""

VISIBLE_LIMITS = (0.2, 0.65, 0.9)
"""Visible fractions between hidden, heavy, partial and bare; see `visible_strata` for the ends."""

CROWD_LIMITS = (0.1, 0.3, 0.5)
"""Largest IoUs with another object between apart, near, close and dense; see `crowd_strata` for the ends."""


SIZE_LIMITS = (32.0**2, 96.0**2)
"""Areas between small, medium and large, square pixels; see `size_strata` for the ends."""


@dataclass(frozen=True, eq=False)
class Stratum:
    """One kind of object.

    Attributes:
        division: By what the objects are divided.
        name: Of the kind.
        inside: bool (m,), True for the objects of this kind; never for crowd regions.
        n_units: Independent images or source groups that hold such objects.
    """

    division: Division
    name: str
    inside: NDArray[np.bool_]
    n_units: int

    @property
    def n_objects(self) -> int:
        """Objects of this kind."""
        return int(self.inside.sum())


def strata(ground_truth: GroundTruth) -> tuple[Stratum, ...]:
    """All kinds of objects, by visible fraction, crowdedness and size; each division holds every object once."""
    return (*visible_strata(ground_truth), *crowd_strata(ground_truth), *size_strata(ground_truth))


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


def size_strata(ground_truth: GroundTruth) -> tuple[Stratum, ...]:
    """Objects by area a in square pixels: small a < 32^2, medium 32^2 <= a < 96^2, large a >= 96^2.

    Not COCO's APs, APm and APl to the last digit, for two reasons. COCO's ranges hold both of their ends, so an object
    of exactly 32^2 is small *and* medium there; here it is medium only. And COCO does not count an unmatched detection
    whose own area is outside the range; here it is a false alarm in every stratum, as in the other divisions.
    """
    a = ground_truth.area
    small, large = a < SIZE_LIMITS[0], a >= SIZE_LIMITS[1]
    return _divide(ground_truth, "size", {"small": small, "medium": ~small & ~large, "large": large})


def _divide(ground_truth: GroundTruth, division: Division, parts: dict[str, NDArray[np.bool_]]) -> tuple[Stratum, ...]:
    units = unit_of_image(ground_truth.groups)[ground_truth.image_index]
    counts = ~ground_truth.iscrowd
    return tuple(
        Stratum(division, name, inside & counts, len(np.unique(units[inside & counts])))
        for name, inside in parts.items()
    )


def stratum_metrics(
    ground_truth: GroundTruth,
    predictions: Predictions,
    parts: Sequence[Stratum],
    *,
    weights: ImageWeights | None = None,
    matches: Matches | None = None,
) -> tuple[StratumMetrics, ...]:
    """AP50 of each kind of object by COCO's rule for size classes: the objects of all other kinds are ignored.

    A detection on an ignored object is neither hit nor false alarm; one on no object is a false alarm in every
    stratum. At most 100 detections an image and class count, as in COCO.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        parts: Kinds of objects, from `strata` of the same ground truth.
        weights: Of the images, for the intervals; None: no intervals.
        matches: Of all objects at IoU 0.5 without a limit on detections, where they have been made already.

    Raises:
        DataError: the predictions are of other images.
    """
    plain = match(ground_truth, predictions, (0.5,)) if matches is None else matches
    plain = limit_detections(plain, COCO_MAX_DETECTIONS)
    measured = [part for part in parts if part.n_objects >= MIN_OBJECTS]
    every = dict(zip(map(id, measured), _matched_apart(ground_truth, predictions, plain, measured), strict=True))
    found = []
    for part in parts:
        ap50, interval = _ap50(every.get(id(part)), part, weights)
        found.append(
            StratumMetrics(
                division=part.division,
                stratum=part.name,
                n_images=len(np.unique(ground_truth.image_index[part.inside])),
                n_objects=part.n_objects,
                AP50=ap50,
                interval=interval,
            )
        )
    return tuple(found)


def _ap50(matches: Matches | None, part: Stratum, weights: ImageWeights | None) -> tuple[float | None, Interval | None]:
    """AP50 and its interval; column 0 counts every image once."""
    if matches is None:
        return None, None if weights is None else _interval(part, None, np.zeros(0), weights)
    once = np.ones((len(matches.image_ids), 1))
    drawn = once[:, :0] if weights is None else weights.values[:, :MAX_REPLICATES]
    columns = average_precisions(matches, np.concatenate([once, drawn], axis=1))
    ap50 = float(columns[0, 0])
    return ap50, None if weights is None else _interval(part, ap50, columns[0, 1:], weights)


def _interval(part: Stratum, value: float | None, replicates: NDArray[np.float64], weights: ImageWeights) -> Interval:
    if value is None:
        return Interval.none(
            f"{part.n_objects} objects are too few: at least {MIN_OBJECTS} are needed", weights.n_units
        )
    return share_interval(value, replicates, weights.n_units, n_objects=part.n_objects, n_carrying=part.n_units)


def _matched_apart(
    ground_truth: GroundTruth, predictions: Predictions, plain: Matches, parts: Sequence[Stratum]
) -> list[Matches]:
    """Match once for each part, with the objects of all other parts ignored.

    Only detections that fit some object can be matched differently, and images do not touch each other in the matching.
    So those detections alone are matched for all parts in one go, on a data set that shows every image once for each.
    """
    if not parts:
        return []
    pairs = overlaps(ground_truth, predictions, plain)
    fitting = np.unique(pairs.detection[pairs.same_class & (pairs.iou >= 0.5)])
    n, n_parts = len(ground_truth), len(parts)
    whole = match(
        _repeated_truth(ground_truth, n_parts),
        _repeated_predictions(predictions, plain.detection_index[fitting], n_parts),
        (0.5,),
        object_ignored=np.concatenate([~part.inside for part in parts]),
    )
    taken = whole.match[0].reshape(n_parts, -1)  # the detections come back in the order of `plain`, part by part
    matched = np.full((n_parts, len(plain)), -1, dtype=np.int64)
    matched[:, fitting] = np.where(taken >= 0, taken - n * np.arange(n_parts)[:, None], -1)
    objects = [slice(i * n, (i + 1) * n) for i in range(n_parts)]
    return [
        _with(plain, matched[i], whole.object_found[:, mine], whole.object_ignored[mine])
        for i, mine in enumerate(objects)
    ]


def _with(
    plain: Matches, matched: NDArray[np.int64], object_found: NDArray[np.bool_], object_ignored: NDArray[np.bool_]
) -> Matches:
    """Put other matches of the same detections in."""
    return replace(
        plain,
        match=matched[None],
        ignored=((matched >= 0) & np.append(object_ignored, False)[matched])[None],
        object_found=object_found,
        object_ignored=object_ignored,
    )


def _repeated_truth(truth: GroundTruth, times: int) -> GroundTruth:
    n, n_images = len(truth), len(truth.image_ids)
    return GroundTruth(
        image_ids=np.arange(times * n_images),
        image_sizes=np.tile(truth.image_sizes, (times, 1)),
        groups=truth.groups * times,
        image_index=_shifted(truth.image_index, n_images, times),
        boxes=np.tile(truth.boxes, (times, 1)),
        category_ids=np.tile(truth.category_ids, times),
        annotation_ids=np.arange(1, times * n + 1),
        iscrowd=np.tile(truth.iscrowd, times),
        area=np.tile(truth.area, times),
        visible=np.tile(truth.visible, times),
        categories=truth.categories,
    )


def _repeated_predictions(predictions: Predictions, chosen: NDArray[np.int64], times: int) -> Predictions:
    n_images = len(predictions.image_ids)
    return Predictions(
        image_ids=np.arange(times * n_images),
        image_index=_shifted(predictions.image_index[chosen], n_images, times),
        boxes=np.tile(predictions.boxes[chosen], (times, 1)),
        scores=np.tile(predictions.scores[chosen], times),
        category_ids=np.tile(predictions.category_ids[chosen], times),
        provenance={},
    )


def _shifted(index: NDArray[np.int64], n_images: int, times: int) -> NDArray[np.int64]:
    return np.asarray((index[None, :] + n_images * np.arange(times)[:, None]).ravel(), dtype=np.int64)


def stratum_recalls(
    matches: Matches,
    parts: Sequence[Stratum],
    thresholds: Sequence[float],
    iou_index: int = 0,
    *,
    weights: ImageWeights | None = None,
) -> tuple[tuple[StratumRecall, ...], ...]:
    """How many objects of each kind are found at each threshold; all objects take part in the matching.

    Args:
        matches: Of all objects, made without a limit on the number of detections.
        parts: Kinds of objects, from `strata` of the same ground truth.
        thresholds: In 0..1; a detection counts where score >= threshold.
        iou_index: Which of the matches' IoU thresholds to use.
        weights: Of the images, for the intervals; None: no intervals.

    Returns:
        For each threshold, one entry for each part.
    """
    hit = matches.true_positive[iou_index]
    found_at = np.full(len(matches.object_ignored), -np.inf)
    found_at[matches.match[iou_index, hit]] = matches.score[hit]
    return tuple(
        tuple(_recall(matches, part, found_at >= threshold, weights) for part in parts) for threshold in thresholds
    )


def _recall(matches: Matches, part: Stratum, reached: NDArray[np.bool_], weights: ImageWeights | None) -> StratumRecall:
    found = part.inside & reached
    n_found = int(found.sum())
    recall = n_found / part.n_objects if part.n_objects >= MIN_OBJECTS else None
    interval = None
    if weights is not None:
        n_images = len(matches.image_ids)
        hits, objects = (
            np.bincount(matches.object_image_index[chosen], minlength=n_images) @ weights.values
            for chosen in (found, part.inside)
        )
        replicates = np.divide(hits, objects, out=np.full(len(hits), np.nan), where=objects > 0)
        interval = _interval(part, recall, replicates, weights)
    return StratumRecall(
        division=part.division,
        stratum=part.name,
        n_objects=part.n_objects,
        found=n_found,
        recall=recall,
        interval=interval,
    )
