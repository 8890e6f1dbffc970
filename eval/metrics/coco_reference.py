"""The 12 COCO numbers from pycocotools itself: the judge of every faster engine, in tests and at sign-off."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from robust.eval.metrics.alignment import check_same_images, known_detections, xywh
from robust.eval.metrics.records import CocoMetrics
from robust.eval.records import GroundTruth, Predictions


def reference_metrics(ground_truth: GroundTruth, predictions: Predictions) -> CocoMetrics:
    """Measure with ``COCOeval`` of pycocotools, its numbers untouched; -1 becomes None.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.

    Raises:
        DataError: the predictions are of other images.
    """
    evaluation = reference_evaluation(ground_truth, predictions)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.summarize()
    values = [None if value == -1 else float(value) for value in evaluation.stats]
    return CocoMetrics(**dict(zip(CocoMetrics.model_fields, values, strict=True)))


def reference_evaluation(ground_truth: GroundTruth, predictions: Predictions) -> Any:
    """Run pycocotools and return its ``COCOeval`` with ``evalImgs`` and ``eval`` filled.

    Images are numbered from 1 in the order of ``image_ids``, annotations and detections from 1 in their order, since
    pycocotools never matches an annotation with id 0 (cocoapi issues 332, 664).

    Raises:
        DataError: the predictions are of other images.
    """
    check_same_images(ground_truth, predictions)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_ground_truth(ground_truth), _detections(ground_truth, predictions), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _index(images: list[dict[str, Any]], categories: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> COCO:
    coco = COCO()
    coco.dataset = {"images": images, "categories": categories, "annotations": annotations}
    coco.createIndex()
    return coco


def _images(ground_truth: GroundTruth) -> list[dict[str, Any]]:
    return [{"id": i + 1} for i in range(len(ground_truth.image_ids))]


def _categories(ground_truth: GroundTruth) -> list[dict[str, Any]]:
    return [{"id": category.id, "name": category.name} for category in ground_truth.categories]


def _ground_truth(ground_truth: GroundTruth) -> COCO:
    boxes = xywh(ground_truth.boxes).tolist()
    annotations = [
        {
            "id": i + 1,
            "image_id": int(ground_truth.image_index[i]) + 1,
            "category_id": int(ground_truth.category_ids[i]),
            "bbox": boxes[i],
            "area": float(ground_truth.area[i]),
            "iscrowd": int(ground_truth.iscrowd[i]),
        }
        for i in range(len(ground_truth))
    ]
    return _index(_images(ground_truth), _categories(ground_truth), annotations)


def _detections(ground_truth: GroundTruth, predictions: Predictions) -> COCO:
    """As ``COCO.loadRes`` would make them, which cannot take an empty list."""
    boxes = xywh(predictions.boxes)
    keep: list[int] = np.asarray(known_detections(ground_truth, predictions)).tolist()
    annotations = [
        {
            "id": number,
            "image_id": int(predictions.image_index[i]) + 1,
            "category_id": int(predictions.category_ids[i]),
            "bbox": boxes[i].tolist(),
            "area": float(boxes[i, 2] * boxes[i, 3]),
            "score": float(predictions.scores[i]),
            "iscrowd": 0,
        }
        for number, i in enumerate(keep, start=1)
    ]
    return _index(_images(ground_truth), _categories(ground_truth), annotations)
