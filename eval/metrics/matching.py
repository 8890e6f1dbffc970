"""Which detection finds which object: COCO's greedy matching, for all images and IoU thresholds at once.

The rules are those of ``COCOeval.evaluateImg`` of pycocotools 2.0.11 (and its numbers are the judge in the tests).
Within one image and class, detections are served in order of score (equal scores: in the given order). A detection
takes the free object with the largest IoU that reaches the threshold, the later object among equals. Objects that count
come before ignored ones (crowd regions, objects outside the area range), however large the IoU with those is. A crowd
region can take any number of detections; its IoU is the intersection over the detection's own area.

A detection's order of preference is therefore the same at every threshold, and its match is the first object of that
order which is still free. Images and classes do not touch each other, so the first detections of all of them are served
together, then all the second ones, and so on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.alignment import check_same_images, known_detections, xywh
from robust.eval.records import GroundTruth, Predictions

IOU_THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
ALL_AREAS = (0.0, 1e10)

_PAIRS_AT_ONCE = 2_000_000  # bounds the memory of the IoU step to some 100 MB
_SERVED_AT_ONCE = 100_000  # detections, each counted once for each area range; bounds memory to some 100 MB


@dataclass(frozen=True, eq=False)
class Matches:
    """Who found whom, at T IoU thresholds.

    Detections stand in the order of image, class (in the order of the categories), score (falling, stable): the part of
    one class, sorted stably by falling score, is the order in which pycocotools accumulates. Objects stand in the order
    of the ground truth.

    Attributes:
        iou_thresholds: T values in (0, 1].
        image_ids: int64 (n_images,), as in the ground truth.
        category_ids: int64 (n_classes,), the data set's categories.
        detection_index: int64 (n,), position of each detection in the `Predictions`.
        image_index: int64 (n,), position of its image in ``image_ids``.
        detection_category: int64 (n,), its category id.
        score: float64 (n,).
        rank: int64 (n,), 0 for the best detection of its image and class.
        match: int64 (T, n), position of the matched object in the `GroundTruth`, -1 for none.
        iou: float64 (T, n), IoU with that object, 0 for none.
        ignored: bool (T, n); True for a detection that is neither hit nor false alarm: matched to an ignored object, or
            unmatched and outside the area range.
        object_image_index: int64 (m,), position of each object's image in ``image_ids``.
        object_category: int64 (m,), its category id.
        object_found: bool (T, m).
        object_ignored: bool (m,); True for crowd regions and objects outside the area range.
    """

    iou_thresholds: tuple[float, ...]
    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    detection_index: NDArray[np.int64]
    image_index: NDArray[np.int64]
    detection_category: NDArray[np.int64]
    score: NDArray[np.float64]
    rank: NDArray[np.int64]
    match: NDArray[np.int64]
    iou: NDArray[np.float64]
    ignored: NDArray[np.bool_]
    object_image_index: NDArray[np.int64]
    object_category: NDArray[np.int64]
    object_found: NDArray[np.bool_]
    object_ignored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.score)

    @property
    def true_positive(self) -> NDArray[np.bool_]:
        """Hits, bool (T, n): matched to an object that counts."""
        return (self.match >= 0) & ~self.ignored

    @property
    def false_positive(self) -> NDArray[np.bool_]:
        """False alarms, bool (T, n): matched to nothing, and counts."""
        return (self.match < 0) & ~self.ignored

    @property
    def n_objects(self) -> int:
        """Objects that count."""
        return int((~self.object_ignored).sum())


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Detections and objects of the same image and class whose IoU reaches the lowest threshold.

    To be served, they are sorted by turn, then detection, then that detection's order of preference.

    Attributes:
        detection: int64 (p,), position among the ordered detections.
        object: int64 (p,), position in the ground truth.
        iou: float64 (p,).
        turn: int64 (p,), how many detections with pairs come before it in its image and class.
    """

    detection: NDArray[np.int64]
    object: NDArray[np.int64]
    iou: NDArray[np.float64]
    turn: NDArray[np.int64]


def match(
    ground_truth: GroundTruth,
    predictions: Predictions,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    *,
    max_detections: int | None = None,
    area_range: tuple[float, float] = ALL_AREAS,
    object_ignored: NDArray[np.bool_] | None = None,
) -> Matches:
    """Match detections to objects as pycocotools does.

    Detections of categories the data set does not have are left out.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        iou_thresholds: Values in (0, 1].
        max_detections: Best detections kept for each image and class (COCO: 100). None keeps all.
        area_range: Square pixels, both ends included. Objects outside it are ignored.
        object_ignored: bool (m,), objects to ignore besides crowd regions and those outside the area range. Unlike a
            crowd region, such an object takes one detection only.

    Raises:
        DataError: the predictions are of other images.
        ValueError: an IoU threshold is outside (0, 1], or ``object_ignored`` does not fit the ground truth.
    """
    return next(
        match_areas(
            ground_truth,
            predictions,
            (area_range,),
            iou_thresholds,
            max_detections=max_detections,
            object_ignored=object_ignored,
        )
    )


def match_areas(
    ground_truth: GroundTruth,
    predictions: Predictions,
    area_ranges: Sequence[tuple[float, float]],
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    *,
    max_detections: int | None = None,
    object_ignored: NDArray[np.bool_] | None = None,
) -> Iterator[Matches]:
    """Match for several area ranges, one after the other; what they have in common is computed once.

    Args:
        ground_truth: As for `match`.
        predictions: As for `match`.
        area_ranges: Each as for `match`.
        iou_thresholds: As for `match`.
        max_detections: As for `match`.
        object_ignored: As for `match`.

    Raises:
        DataError: the predictions are of other images.
        ValueError: an IoU threshold is outside (0, 1], or ``object_ignored`` does not fit the ground truth.
    """
    check_same_images(ground_truth, predictions)
    if not all(0 < threshold <= 1 for threshold in iou_thresholds):
        raise ValueError(f"IoU thresholds must be in (0, 1], not {tuple(iou_thresholds)}.")
    left_out = np.zeros(len(ground_truth), dtype=np.bool_) if object_ignored is None else object_ignored
    if left_out.shape != (len(ground_truth),):
        raise ValueError(f"object_ignored has shape {left_out.shape} for {len(ground_truth)} objects.")
    return _match_areas(
        ground_truth,
        predictions,
        area_ranges,
        iou_thresholds=tuple(float(threshold) for threshold in iou_thresholds),
        max_detections=max_detections,
        left_out=left_out,
    )


def _match_areas(
    ground_truth: GroundTruth,
    predictions: Predictions,
    area_ranges: Sequence[tuple[float, float]],
    *,
    iou_thresholds: tuple[float, ...],
    max_detections: int | None,
    left_out: NDArray[np.bool_],
) -> Iterator[Matches]:
    chosen, cell, rank = _in_order(ground_truth, predictions, max_detections)
    near = _near(ground_truth, predictions.boxes[chosen], cell, min(iou_thresholds, default=1.0))
    size = xywh(predictions.boxes[chosen])[:, 2:]
    area = size[:, 0] * size[:, 1]
    at_once = max(1, _SERVED_AT_ONCE // max(1, len(chosen)))
    for start in range(0, len(area_ranges), at_once):
        ranges = area_ranges[start : start + at_once]
        ignored = np.array([left_out | ground_truth.iscrowd | _outside(ground_truth.area, r) for r in ranges])
        matched, iou, found = _serve_all(near, ignored, iou_thresholds, len(chosen), ground_truth.iscrowd)
        for i, area_range in enumerate(ranges):
            mine = matched[i]
            yield Matches(
                iou_thresholds=iou_thresholds,
                image_ids=ground_truth.image_ids,
                category_ids=_category_ids(ground_truth),
                detection_index=chosen,
                image_index=predictions.image_index[chosen],
                detection_category=predictions.category_ids[chosen],
                score=predictions.scores[chosen],
                rank=rank,
                match=mine,
                iou=iou[i],
                ignored=np.where(mine >= 0, np.append(ignored[i], False)[mine], _outside(area, area_range)),
                object_image_index=ground_truth.image_index,
                object_category=ground_truth.category_ids,
                object_found=found[i],
                object_ignored=ignored[i],
            )


def limit_detections(matches: Matches, most: int) -> Matches:
    """The matches as if at most ``most`` detections an image and class had been given.

    Detections are served by rank, so those that are left out have changed nothing for the others.
    """
    keep = matches.rank < most
    if keep.all():
        return matches
    matched = matches.match[:, keep]
    found = np.zeros_like(matches.object_found)
    threshold, detection = np.nonzero(matched >= 0)
    found[threshold, matched[threshold, detection]] = True
    return replace(
        matches,
        detection_index=matches.detection_index[keep],
        image_index=matches.image_index[keep],
        detection_category=matches.detection_category[keep],
        score=matches.score[keep],
        rank=matches.rank[keep],
        match=matched,
        iou=matches.iou[:, keep],
        ignored=matches.ignored[:, keep],
        object_found=found,
    )


def neighbour_iou(ground_truth: GroundTruth) -> NDArray[np.float64]:
    """Largest IoU of each object with another object of its image and class, float64 (m,); 0 without one.

    Crowd regions are no neighbours; their own value is that with the objects, by plain IoU.
    """
    cell = _cells(ground_truth, ground_truth.image_index, ground_truth.category_ids)
    boxes = xywh(ground_truth.boxes)
    largest = np.zeros(len(boxes))
    order = np.argsort(cell, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(cell[order])) + 1):
        n = len(members)
        one, other = np.repeat(members, n), np.tile(members, n)
        iou = _iou(boxes[one], boxes[other], np.zeros(n * n, dtype=np.bool_))
        counts = (one != other) & ~ground_truth.iscrowd[other]
        if n:
            largest[members] = np.where(counts, iou, 0.0).reshape(n, n).max(axis=1)
    return largest


def _outside(area: NDArray[np.float64], area_range: tuple[float, float]) -> NDArray[np.bool_]:
    return (area < area_range[0]) | (area > area_range[1])


def _category_ids(ground_truth: GroundTruth) -> NDArray[np.int64]:
    return np.array([category.id for category in ground_truth.categories], dtype=np.int64)


def _cells(
    ground_truth: GroundTruth, image_index: NDArray[np.int64], category_ids: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Number each image and class: equal numbers may match."""
    known = _category_ids(ground_truth)
    return np.asarray(image_index * max(1, len(known)) + np.searchsorted(known, category_ids), dtype=np.int64)


def _in_order(
    ground_truth: GroundTruth, predictions: Predictions, max_detections: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the detections that take part (positions in the predictions, cells, ranks), in the order of `Matches`."""
    known = known_detections(ground_truth, predictions)
    cell = _cells(ground_truth, predictions.image_index[known], predictions.category_ids[known])
    order = np.lexsort((-predictions.scores[known], cell))
    known, cell = known[order], cell[order]
    rank = _position_in_run(cell)
    keep = np.ones(len(rank), dtype=np.bool_) if max_detections is None else rank < max_detections
    return known[keep], cell[keep], rank[keep]


def _position_in_run(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count from 0 inside each run of equal keys."""
    position = np.arange(len(keys), dtype=np.int64)
    starts = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    return np.asarray(position - np.maximum.accumulate(np.where(starts, position, 0)), dtype=np.int64)


def _near(ground_truth: GroundTruth, boxes: NDArray[np.float64], cell: NDArray[np.int64], lowest: float) -> _Pairs:
    """Pair detections and objects, in the order of the detections."""
    object_cell = _cells(ground_truth, ground_truth.image_index, ground_truth.category_ids)
    by_cell = np.argsort(object_cell, kind="stable")
    sorted_cells = object_cell[by_cell]
    first = np.searchsorted(sorted_cells, cell, side="left")
    count = np.searchsorted(sorted_cells, cell, side="right") - first
    truth_boxes = xywh(ground_truth.boxes)
    detection_boxes = xywh(boxes)
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = [
        (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    ]
    for start, stop in _chunks(count):
        counts = count[start:stop]
        detection = np.repeat(np.arange(start, stop), counts)
        objects = by_cell[np.repeat(first[start:stop], counts) + _position_in_run(detection)]
        iou = _iou(detection_boxes[detection], truth_boxes[objects], ground_truth.iscrowd[objects])
        near = iou >= min(lowest, 1 - 1e-10)
        parts.append((detection[near], objects[near], iou[near]))
    detection, objects, iou = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Pairs(detection, objects, iou, _turns(detection, cell))


def _chunks(count: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Split detections so that each part has a bounded number of pairs (one detection at least)."""
    total = np.cumsum(count)
    start = 0
    while start < len(count):
        before = int(total[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + _PAIRS_AT_ONCE, side="right")))
        yield start, stop
        start = stop


def _iou(
    detections: NDArray[np.float64], objects: NDArray[np.float64], iscrowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """IoU of aligned xywh boxes, in the order of operations of ``bbIou`` in pycocotools' maskApi.c."""
    right_bottom = np.minimum(detections[:, 2:] + detections[:, :2], objects[:, 2:] + objects[:, :2])
    overlap = right_bottom - np.maximum(detections[:, :2], objects[:, :2])
    touch = (overlap > 0).all(axis=1)
    intersection = overlap[:, 0] * overlap[:, 1]
    area = detections[:, 2] * detections[:, 3]
    union = np.where(iscrowd, area, area + objects[:, 2] * objects[:, 3] - intersection)
    iou: NDArray[np.float64] = np.divide(intersection, union, out=np.zeros(len(area)), where=touch)
    return iou


def _turns(detection: NDArray[np.int64], cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the detections that have pairs inside their cell; one value for each pair."""
    distinct, inverse = np.unique(detection, return_inverse=True)
    return _position_in_run(cell[distinct])[inverse]


def _serve_all(
    near: _Pairs,
    object_ignored: NDArray[np.bool_],
    iou_thresholds: Sequence[float],
    n_detections: int,
    iscrowd: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Serve the detections for each of A sets of ignored objects, which do not touch each other, together.

    ``object_ignored`` is bool (A, m); returns match (A, T, n), IoU (A, T, n) and found (A, T, m).
    """
    n_sets, n_objects = object_ignored.shape
    copy = np.repeat(np.arange(n_sets), len(near.turn))
    detection = np.tile(near.detection, n_sets) + copy * n_detections
    objects = np.tile(near.object, n_sets) + copy * n_objects
    iou, turn = np.tile(near.iou, n_sets), np.tile(near.turn, n_sets)
    order = np.lexsort((-objects, -iou, object_ignored.ravel()[objects], detection, turn))
    pairs = _Pairs(detection[order], objects[order], iou[order], turn[order])
    matched, reached, found = _serve(pairs, iou_thresholds, n_sets * n_detections, np.tile(iscrowd, n_sets))
    matched -= np.where(matched >= 0, np.repeat(np.arange(n_sets), n_detections)[:, None] * n_objects, 0)
    by_detection, by_object = (n_sets, n_detections, len(iou_thresholds)), (n_sets, n_objects, len(iou_thresholds))
    return (
        np.ascontiguousarray(matched.reshape(by_detection).transpose(0, 2, 1)),
        np.ascontiguousarray(reached.reshape(by_detection).transpose(0, 2, 1)),
        np.ascontiguousarray(found.reshape(by_object).transpose(0, 2, 1)),
    )


def _serve(
    pairs: _Pairs, iou_thresholds: Sequence[float], n_detections: int, iscrowd: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Give each detection the first free object of its order; return match (n, T), IoU (n, T) and found (m, T)."""
    limits = np.minimum(np.asarray(iou_thresholds, dtype=np.float64), 1 - 1e-10)  # as pycocotools: IoU 1 reaches 1
    matched = np.full((n_detections, len(limits)), -1, dtype=np.int64)
    iou = np.zeros((n_detections, len(limits)))
    found = np.zeros((len(iscrowd), len(limits)), dtype=np.bool_)
    bounds = np.searchsorted(pairs.turn, np.arange(pairs.turn[-1] + 2)) if len(pairs.turn) else np.zeros(1, np.int64)
    for start, stop in itertools.pairwise(bounds.tolist()):
        objects, pair_iou, detection = pairs.object[start:stop], pairs.iou[start:stop], pairs.detection[start:stop]
        free = ~found[objects] | iscrowd[objects][:, None]
        able = free & (pair_iou[:, None] >= limits)
        heads = np.flatnonzero(np.append(True, detection[1:] != detection[:-1]))
        none = len(objects)
        place = np.where(able, np.arange(none)[:, None], none)
        best = np.minimum.reduceat(place, heads, axis=0)
        served, threshold = np.nonzero(best < none)
        taken = best[served, threshold]
        matched[detection[heads[served]], threshold] = objects[taken]
        iou[detection[heads[served]], threshold] = pair_iou[taken]
        found[objects[taken], threshold] = True
    return matched, iou, found
