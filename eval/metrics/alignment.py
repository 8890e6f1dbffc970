"""Ground truth and predictions of the same images, brought into line before anything is measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robust.errors import DataError
from robust.eval.records import GroundTruth, Predictions


def check_same_images(ground_truth: GroundTruth, predictions: Predictions) -> None:
    """Refuse predictions of other images than the ground truth's.

    An image that was left out would silently drop its misses, and an extra one would add false positives.

    Raises:
        DataError: the image ids differ.
    """
    truth, shown = ground_truth.image_ids, predictions.image_ids
    if np.array_equal(truth, shown):
        return
    missing, extra = np.setdiff1d(truth, shown), np.setdiff1d(shown, truth)
    order = " They are the same images in another order." if len(missing) == len(extra) == 0 else ""
    raise DataError(
        "The predictions are not of the images of the ground truth.",
        f"{len(truth)} images with ground truth, {len(shown)} evaluated; {len(missing)} were not evaluated, "
        f"{len(extra)} have no ground truth.{order}",
        "Evaluate the model on this data set again.",
    )


def known_detections(ground_truth: GroundTruth, predictions: Predictions) -> NDArray[np.int64]:
    """Indices of the detections whose category the data set has, rising.

    pycocotools leaves the other detections out: it only visits the categories of the ground-truth file.
    """
    ids = np.array([category.id for category in ground_truth.categories], dtype=np.int64)
    return np.flatnonzero(np.isin(predictions.category_ids, ids))


def xywh(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert boxes (n, 4) from xyxy to COCO's left, top, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
