"""Which detections overlap which objects, whatever the class: what the kinds of errors are read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.alignment import xywh
from robust.eval.metrics.matching import Matches
from robust.eval.records import GroundTruth, Predictions

_PAIRS_AT_ONCE = 2_000_000  # bounds the memory to some 200 MB


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Pairs of a detection and an object of the same image that have an area in common.

    In the order of the detections, then of the objects.

    Attributes:
        detection: int64 (p,), position in the matches.
        object: int64 (p,), position in the ground truth.
        iou: float64 (p,), above 0; with a crowd region the intersection over the detection's own area.
        covered: float64 (p,), share of the detection's area that lies in the object.
        same_class: bool (p,).
    """

    detection: NDArray[np.int64]
    object: NDArray[np.int64]
    iou: NDArray[np.float64]
    covered: NDArray[np.float64]
    same_class: NDArray[np.bool_]


def overlaps(ground_truth: GroundTruth, predictions: Predictions, matches: Matches) -> Overlaps:
    """Find all pairs that overlap.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        matches: Of the two; its detections take part.
    """
    first = np.searchsorted(ground_truth.image_index, matches.image_index, side="left")
    count = np.searchsorted(ground_truth.image_index, matches.image_index, side="right") - first
    detection_boxes = xywh(predictions.boxes[matches.detection_index])
    object_boxes = xywh(ground_truth.boxes)
    pairs_before = np.cumsum(count) - count
    n_parts = int(count.sum()) // _PAIRS_AT_ONCE + 1
    parts = [
        _touching(chosen, first, count, detection_boxes, object_boxes)
        for chosen in np.split(
            np.arange(len(count)), np.searchsorted(pairs_before, _PAIRS_AT_ONCE * np.arange(1, n_parts))
        )
    ]
    detection, objects, intersection = (np.concatenate(column) for column in zip(*parts, strict=True))
    area = (detection_boxes[:, 2] * detection_boxes[:, 3])[detection]
    union = area + (object_boxes[:, 2] * object_boxes[:, 3])[objects] - intersection  # in the order of pycocotools
    return Overlaps(
        detection=detection,
        object=objects,
        iou=intersection / np.where(ground_truth.iscrowd[objects], area, union),
        covered=intersection / area,
        same_class=matches.detection_category[detection] == ground_truth.category_ids[objects],
    )


def largest(
    detection: NDArray[np.int64], value: NDArray[np.float64], n_detections: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Largest value of each detection and the pair that has it, the first among equals.

    Args:
        detection: int64 (p,), which detection (or other thing) each pair belongs to.
        value: float64 (p,), above 0.
        n_detections: How many detections there are.

    Returns:
        float64 (n,), 0 without a pair, and int64 (n,), position of the pair, -1 without one.
    """
    values, places = np.zeros(n_detections), np.full(n_detections, -1, dtype=np.int64)
    order = np.lexsort((-value, detection))
    heads = order[np.append(True, np.diff(detection[order]) != 0)[: len(order)]]
    values[detection[heads]] = value[heads]
    places[detection[heads]] = heads
    return values, places


def _touching(
    chosen: NDArray[np.int64],
    first: NDArray[np.int64],
    count: NDArray[np.int64],
    detection_boxes: NDArray[np.float64],
    object_boxes: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Detection, object and intersection of the chosen detections' pairs."""
    counts = count[chosen]
    detection = np.repeat(chosen, counts)
    starts = np.repeat(first[chosen] - (np.cumsum(counts) - counts), counts)
    objects = starts + np.arange(len(detection))
    width, height = (_common(detection_boxes, object_boxes, detection, objects, axis) for axis in (0, 1))
    near = np.flatnonzero((width > 0) & (height > 0))
    return detection[near], objects[near], width[near] * height[near]


def _common(
    detection_boxes: NDArray[np.float64],
    object_boxes: NDArray[np.float64],
    detection: NDArray[np.int64],
    objects: NDArray[np.int64],
    axis: int,
) -> NDArray[np.float64]:
    """Length that the pairs have in common along one axis; 0 or less where they do not touch."""
    low = np.maximum(detection_boxes[:, axis][detection], object_boxes[:, axis][objects])
    high = np.minimum(
        (detection_boxes[:, axis] + detection_boxes[:, axis + 2])[detection],
        (object_boxes[:, axis] + object_boxes[:, axis + 2])[objects],
    )
    return np.asarray(high - low, dtype=np.float64)
