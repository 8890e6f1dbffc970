"""The COCO numbers and the miss rate of one cell in every replicate: matched once, counted again with image weights.

Weights of 1 give pycocotools' numbers; integer weights those of a data set in which images are repeated (as long as no
two detections of one image and class have equal scores, see `ranking`); weight 0 leaves an image out. Real weights are
as good. A number is the mean over the classes that have objects in the original data set; a class that has none in a
replicate is left out of that replicate's mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.matching import ALL_AREAS, Matches, match_areas
from robust.eval.metrics.miss_rate import LOWEST_MISS, REFERENCES
from robust.eval.metrics.pr_curve import COCO_MAX_DETECTIONS
from robust.eval.metrics.ranking import (
    Ranking,
    blocks,
    ranking_average_precision,
    running_weights,
    weighted_objects,
)
from robust.eval.metrics.records import CocoMetrics
from robust.eval.records import GroundTruth, Predictions

COCO_NAMES: tuple[str, ...] = tuple(CocoMetrics.model_fields)
SIZES: dict[str, tuple[float, float]] = {"s": (0.0, 32.0**2), "m": (32.0**2, 96.0**2), "l": (96.0**2, 1e10)}
"""COCO's size classes by the last letter of a number's name, square pixels, both ends included."""
_IOU_INDEX = {"AP50": 0, "AP75": 5}
_PLACES = {"AR1": 1, "AR10": 10}
ROUNDING = 1e-9  # of false positives per image, as in miss_rate: equal counts must compare equal


def coco_replicates(
    ground_truth: GroundTruth,
    predictions: Predictions,
    weights: NDArray[np.float64],
    names: Sequence[str] = COCO_NAMES,
) -> dict[str, NDArray[np.float64]]:
    """Replicates of COCO's numbers, float64 (B,) each; NaN where no class has an object.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        weights: float64 (n_images, B), at least 0.
        names: Which of the fields of `CocoMetrics`; only their work is done.

    Raises:
        DataError: the predictions are of other images.
        ValueError: the weights do not fit, or a name is not one of the 12.
    """
    unknown = sorted(set(names) - set(COCO_NAMES))
    if unknown:
        raise ValueError(f"not COCO numbers: {', '.join(unknown)}")
    found: dict[str, NDArray[np.float64]] = {}
    sizes = list(dict.fromkeys(_size(name) for name in names))
    ranges = [SIZES.get(size, ALL_AREAS) for size in sizes]
    every = match_areas(ground_truth, predictions, ranges, max_detections=COCO_MAX_DETECTIONS)
    for size, matches in zip(sizes, every, strict=True):
        found |= _numbers(matches, weights, [name for name in names if _size(name) == size])
    return {name: found[name] for name in names}


def average_precisions(matches: Matches, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """AP at each IoU threshold of the matches in each replicate, float64 (T, B); NaN where no class has an object.

    Args:
        matches: Made with at most 100 detections an image and class, if it is to be COCO's number.
        weights: float64 (n_images, B), at least 0.

    Raises:
        ValueError: the weights do not fit, or one is negative or not finite.
    """
    _check(matches, weights)
    every = (ranking_average_precision(ranking, weights) for ranking in rankings(matches))
    return _mean_over_classes(every, (len(matches.iou_thresholds), weights.shape[1]))


def average_recall(
    matches: Matches, weights: NDArray[np.float64], max_detections: int | None = None
) -> NDArray[np.float64]:
    """Recall, mean over the IoU thresholds, in each replicate, float64 (B,); NaN where no class has an object.

    Args:
        matches: Made with at least ``max_detections`` detections an image and class.
        weights: float64 (n_images, B), at least 0.
        max_detections: Best detections of each image and class that count. None: all.

    Raises:
        ValueError: the weights do not fit, or one is negative or not finite.
    """
    _check(matches, weights)
    hit = matches.true_positive if max_detections is None else matches.true_positive & (matches.rank < max_detections)
    return _mean_over_classes(_class_recalls(matches, hit, weights), (weights.shape[1],))


def class_vanishes(ground_truth: GroundTruth, weights: NDArray[np.float64]) -> float:
    """Share of the replicates, 0..1, in which a class that has objects has none; of the class with the largest share.

    Above 1 % the caller had better draw smooth weights, which leave no image out.

    Args:
        ground_truth: The annotations of one variant.
        weights: float64 (n_images, B).
    """
    shares = [0.0]
    for category in ground_truth.categories:
        mine = ~ground_truth.iscrowd & (ground_truth.category_ids == category.id)
        if mine.any() and weights.shape[1]:
            carrying = np.unique(ground_truth.image_index[mine])
            shares.append(float(np.mean(~(weights[carrying] > 0).any(axis=0))))
    return max(shares)


def rankings(matches: Matches) -> Iterator[Ranking]:
    """Each class that has objects, its detections in the order in which pycocotools accumulates them."""
    hit, counted = matches.true_positive, ~matches.ignored
    for category, objects in _classes_with_objects(matches):
        mine = np.flatnonzero(matches.detection_category == category)
        mine = mine[np.argsort(-matches.score[mine], kind="stable")]
        yield Ranking(matches.score[mine], hit[:, mine], counted[:, mine], matches.image_index[mine], objects)


def _size(name: str) -> str:
    return name[-1] if name[-1] in SIZES else ""


def _numbers(matches: Matches, weights: NDArray[np.float64], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    found = {name: average_recall(matches, weights, _PLACES.get(name)) for name in names if name.startswith("AR")}
    if len(found) < len(names):
        precisions = average_precisions(matches, weights)
        for name in names:
            if name.startswith("AP"):
                found[name] = precisions[_IOU_INDEX[name]] if name in _IOU_INDEX else precisions.mean(axis=0)
    return found


def _classes_with_objects(matches: Matches) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Category and objects that count in each image, float64 (n_images,)."""
    for category in matches.category_ids.tolist():
        mine = ~matches.object_ignored & (matches.object_category == category)
        if mine.any():
            per_image = np.bincount(matches.object_image_index[mine], minlength=len(matches.image_ids))
            yield category, per_image.astype(np.float64)


def _class_recalls(
    matches: Matches, hit: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    n_images, hits = len(matches.image_ids), hit.sum(axis=0)
    for category, objects in _classes_with_objects(matches):
        mine = matches.detection_category == category
        found = np.bincount(matches.image_index[mine], weights=hits[mine], minlength=n_images)
        yield _ratio(found @ weights, (objects * len(hit)) @ weights)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return ratio


def _check(matches: Matches, weights: NDArray[np.float64]) -> None:
    weighted_objects(np.zeros(len(matches.image_ids)), weights)


def _mean_over_classes(classes: Iterator[NDArray[np.float64]], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Mean of the arrays where they are defined; NaN where none is."""
    total, count = np.zeros(shape), np.zeros(shape)
    for values in classes:
        defined = ~np.isnan(values)
        total += np.where(defined, values, 0.0)
        count += defined
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    return mean


def miss_rate_replicates(matches: Matches, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Replicates of MR^-2 (``mr2``) and of the recall at 0.1 and 1 false positives per image; float64 (B,) each.

    As `miss_rate.miss_rate_of`, at the first IoU threshold. False positives per image of a replicate: the weight of its
    false positives over the weight of its images. The keys of the recalls: ``recall_fppi_01``, ``recall_fppi_1``.

    Args:
        matches: Made without a limit on the number of detections.
        weights: float64 (n_images, B), at least 0.

    Raises:
        ValueError: the weights do not fit, or one is negative or not finite.
    """
    _check(matches, weights)
    found = _mean_over_classes((_miss_rates(ranking, weights) for ranking in rankings(matches)), (3, weights.shape[1]))
    return dict(zip(("mr2", "recall_fppi_01", "recall_fppi_1"), found, strict=True))


def _miss_rates(ranking: Ranking, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """MR^-2 and both recalls of one class, float64 (3, B)."""
    recalls = _recalls_at(ranking, weights, np.append(REFERENCES, (0.1, 1.0)))
    misses = np.maximum(LOWEST_MISS, 1 - recalls[: len(REFERENCES)])
    return np.vstack([np.exp(np.mean(np.log(misses), axis=0)), recalls[len(REFERENCES) :]])


def _recalls_at(ranking: Ranking, weights: NDArray[np.float64], references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recall of the last threshold with no more false positives per image than each reference, float64 (R, B).

    A threshold takes all detections of one score or none. Only scores that true positives have change the recall.
    """
    hit = ranking.hit[0]
    last = np.append(ranking.score[1:] != ranking.score[:-1], True)[: len(hit)]
    group = np.cumsum(last) - last
    ends = last & np.isin(group, group[hit])
    found = np.zeros((len(references), weights.shape[1]))
    for columns, block in blocks(int(ends.sum()), weights):
        tp = running_weights(ends, hit, ranking.image_index, block)
        fp = running_weights(ends, ranking.counted[0] & ~hit, ranking.image_index, block)
        tp = np.concatenate([np.zeros((1, block.shape[1])), tp])
        n_images = block.sum(axis=0)
        for r, reference in enumerate(references):
            points_within = np.count_nonzero(fp <= (reference + ROUNDING) * n_images, axis=0)
            found[r, columns] = np.take_along_axis(tp, points_within[None], axis=0)[0]
    n_objects = weighted_objects(ranking.objects_per_image, weights)
    return found / np.where(n_objects > 0, n_objects, np.nan)
