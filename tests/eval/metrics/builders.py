"""Random and hand-made ground truth and predictions for the tests of the metrics."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robust.datasets.records import Category
from robust.eval.records import GroundTruth, Predictions

PERSON = (Category(1, "person"),)


def make_ground_truth(
    boxes: Any,
    image_index: Any = None,
    *,
    n_images: int = 1,
    category_ids: Any = None,
    iscrowd: Any = None,
    area: Any = None,
    categories: tuple[Category, ...] = PERSON,
    image_ids: Any = None,
) -> GroundTruth:
    """Ground truth from xyxy boxes; what is left out gets its plain value (image 0, class 1, no crowd, box area)."""
    box_array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    n = len(box_array)
    sides = box_array[:, 2:] - box_array[:, :2]
    return GroundTruth(
        image_ids=np.arange(n_images) if image_ids is None else np.asarray(image_ids, dtype=np.int64),
        image_sizes=np.full((n_images, 2), 640, dtype=np.int64),
        groups=(None,) * n_images,
        image_index=np.zeros(n, dtype=np.int64) if image_index is None else np.asarray(image_index, dtype=np.int64),
        boxes=box_array,
        category_ids=np.ones(n, dtype=np.int64) if category_ids is None else np.asarray(category_ids, dtype=np.int64),
        annotation_ids=np.arange(n) * 3 + 1,
        iscrowd=np.zeros(n, dtype=np.bool_) if iscrowd is None else np.asarray(iscrowd, dtype=np.bool_),
        area=sides[:, 0] * sides[:, 1] if area is None else np.asarray(area, dtype=np.float64),
        visible=np.ones(n),
        categories=categories,
    )


def make_predictions(
    boxes: Any,
    scores: Any,
    image_index: Any = None,
    *,
    n_images: int = 1,
    category_ids: Any = None,
    image_ids: Any = None,
) -> Predictions:
    """Predictions from xyxy boxes; what is left out gets its plain value (image 0, class 1)."""
    box_array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    n = len(box_array)
    return Predictions(
        image_ids=np.arange(n_images) if image_ids is None else np.asarray(image_ids, dtype=np.int64),
        image_index=np.zeros(n, dtype=np.int64) if image_index is None else np.asarray(image_index, dtype=np.int64),
        boxes=box_array,
        scores=np.asarray(scores, dtype=np.float64).reshape(-1),
        category_ids=np.ones(n, dtype=np.int64) if category_ids is None else np.asarray(category_ids, dtype=np.int64),
        provenance={},
    )


def random_case(seed: int, *, n_images: int | None = None) -> tuple[GroundTruth, Predictions]:
    """A small data set with all that has ever gone wrong in a COCO engine, in proportions that vary with the seed.

    Crowd regions, areas that are not the box's, objects on the edges of the size classes, ties in score and in IoU,
    images without objects, without detections or without both, several classes, classes without objects or
    without detections, more than 100 detections in an image.
    """
    rng = np.random.default_rng(seed)
    n_images = int(rng.integers(1, 12)) if n_images is None else n_images
    categories = tuple(Category(int(k), f"class {k}") for k in (1, 2, 5, 90)[: int(rng.integers(1, 5))])
    ids = np.array([c.id for c in categories])
    image_ids = np.sort(rng.choice(1000, n_images, replace=False))
    truth_index = np.sort(rng.integers(0, n_images, int(rng.integers(0, 6 * n_images))))
    n = len(truth_index)
    boxes = _random_boxes(rng, n)
    sides = boxes[:, 2:] - boxes[:, :2]
    area = sides[:, 0] * sides[:, 1] * np.where(rng.random(n) < 0.5, 1.0, rng.uniform(0.3, 1.0, n))
    edge = rng.random(n) < 0.1
    area[edge] = rng.choice([32.0**2, 96.0**2], int(edge.sum()))
    truth = make_ground_truth(
        boxes,
        truth_index,
        n_images=n_images,
        category_ids=rng.choice(ids[: max(1, len(ids) - int(rng.integers(0, 2)))], n),
        iscrowd=rng.random(n) < rng.choice([0.0, 0.15, 0.5, 1.0], p=[0.3, 0.5, 0.15, 0.05]),
        area=area,
        categories=categories,
        image_ids=image_ids,
    )
    return truth, _random_predictions(rng, truth, ids)


def _random_boxes(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Half on a coarse grid, so that equal IoUs and IoUs exactly on a threshold occur."""
    grid = rng.random(n) < 0.5
    corner = np.where(grid[:, None], rng.integers(0, 6, (n, 2)) * 20.0, rng.uniform(0, 200, (n, 2)))
    size = np.where(grid[:, None], rng.choice([20.0, 32.0, 40.0, 96.0], (n, 2)), rng.uniform(4, 180, (n, 2)))
    return np.concatenate([corner, corner + size], axis=1)


def _random_predictions(rng: np.random.Generator, truth: GroundTruth, ids: NDArray[np.int64]) -> Predictions:
    copies = np.repeat(np.arange(len(truth)), rng.integers(0, 4, len(truth)))
    jitter = rng.normal(0, 1, (len(copies), 4)) * rng.choice([0.0, 1.0, 4.0, 12.0], (len(copies), 1))
    near = truth.boxes[copies] + jitter
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1.0)
    n_far = int(rng.choice([0, 3, 20, 250], p=[0.2, 0.4, 0.3, 0.1]))
    n_images = len(truth.image_ids)
    boxes = np.concatenate([near, _random_boxes(rng, n_far)])
    wrong = rng.random(len(copies)) < 0.1
    near_ids = np.where(wrong, rng.choice(ids, len(copies)), truth.category_ids[copies])
    category_ids = np.concatenate([near_ids, rng.choice(np.append(ids, 77), n_far)])  # 77: not a class of the data set
    far_images = rng.integers(0, n_images, n_far) if rng.random() < 0.8 else np.zeros(n_far, dtype=np.int64)
    index = np.concatenate([truth.image_index[copies], far_images])
    scores = rng.random(len(boxes))
    scores = np.round(scores, 1) if rng.random() < 0.6 else scores
    order = np.lexsort((-scores, index))
    order = order[:0] if rng.random() < 0.04 else order
    return make_predictions(
        boxes[order],
        scores[order],
        index[order],
        n_images=n_images,
        category_ids=category_ids[order],
        image_ids=truth.image_ids,
    )


def shared_reference(name: str) -> Path:
    """Path of a large reference file; the test is skipped where the folder is not present."""
    root = Path(os.environ.get("ROBUST_SHARED", Path(__file__).parents[4] / "shared"))
    path = root / "reference" / name
    if not path.is_file():
        pytest.skip(f"reference file {name} is not here: set ROBUST_SHARED to the folder that holds reference/")
    return path


def cocoapi_case(category_id: int | None = None) -> tuple[GroundTruth, Predictions]:
    """Case R1: 100 images of COCO val2014 and the fake detections published with cocoapi; one class or all."""
    truth = json.loads(shared_reference("instances_val2014_100.json").read_text(encoding="utf-8"))
    found = json.loads(shared_reference("instances_val2014_fakebbox100_results.json").read_text(encoding="utf-8"))
    index = {image_id: i for i, image_id in enumerate(sorted(image["id"] for image in truth["images"]))}
    chosen = [c for c in truth["categories"] if category_id in (None, c["id"])]
    annotations = [a for a in truth["annotations"] if category_id in (None, a["category_id"])]
    annotations.sort(key=lambda a: index[a["image_id"]])
    found = [d for d in found if category_id in (None, d["category_id"])]
    found.sort(key=lambda d: (index[d["image_id"]], -d["score"]))
    ground_truth = make_ground_truth(
        _xyxy([a["bbox"] for a in annotations]),
        [index[a["image_id"]] for a in annotations],
        n_images=len(index),
        category_ids=[a["category_id"] for a in annotations],
        iscrowd=[a["iscrowd"] for a in annotations],
        area=[a["area"] for a in annotations],
        categories=tuple(Category(c["id"], c["name"]) for c in sorted(chosen, key=lambda c: c["id"])),
        image_ids=list(index),
    )
    predictions = make_predictions(
        _xyxy([d["bbox"] for d in found]),
        [d["score"] for d in found],
        [index[d["image_id"]] for d in found],
        n_images=len(index),
        category_ids=[d["category_id"] for d in found],
        image_ids=list(index),
    )
    return ground_truth, predictions


def _xyxy(boxes: list[list[float]]) -> NDArray[np.float64]:
    array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)
