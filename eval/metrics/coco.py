"""The 12 COCO numbers of one cell, computed with hotcoco.

hotcoco gives pycocotools' precision and recall arrays bit for bit at many times its speed; `coco_reference` is the
judge. The averages over those arrays are taken here in the order pycocotools takes them, so that the last bit agrees
too: hotcoco's own summary adds in another order.

hotcoco works with a pool of threads of its own, one for each core (the environment variable RAYON_NUM_THREADS, read
once at its first use, sets another number). Calls from several threads at once are safe. A process that was forked
after the first call hangs in its own, because threads do not survive a fork: start workers with spawn.
"""

from __future__ import annotations

from typing import Any

import hotcoco
import numpy as np
from numpy.typing import NDArray

from robust.eval.metrics.alignment import check_same_images, known_detections, xywh
from robust.eval.metrics.records import CocoMetrics
from robust.eval.records import GroundTruth, Predictions

ALL, SMALL, MEDIUM, LARGE = range(4)  # area ranges, in COCO's order
TOP1, TOP10, TOP100 = range(3)  # detections an image and class may have, in COCO's order
IOU_50, IOU_75 = 0, 5


def coco_metrics(ground_truth: GroundTruth, predictions: Predictions) -> CocoMetrics:
    """Measure AP and AR as COCO defines them (https://cocodataset.org/#detection-eval).

    At most 100 detections an image and class count. With several classes the numbers are means over the classes that
    have objects. Equal to pycocotools to the last bit.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.

    Raises:
        DataError: the predictions are of other images.
    """
    check_same_images(ground_truth, predictions)
    if ground_truth.n_objects == 0:
        return CocoMetrics(**dict.fromkeys(CocoMetrics.model_fields))
    precision, recall = _evaluate(ground_truth, predictions)
    return summarize(precision, recall)


def summarize(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> CocoMetrics:
    """Average COCO's arrays into the 12 numbers, as ``COCOeval.summarize`` does.

    Args:
        precision: (10 IoU, 101 recalls, classes, 4 areas, 3 limits); -1 where a class has no objects in the area range.
        recall: (10 IoU, classes, 4 areas, 3 limits); -1 likewise.
    """
    return CocoMetrics(
        AP=_mean(precision[..., ALL, TOP100]),
        AP50=_mean(precision[IOU_50, ..., ALL, TOP100]),
        AP75=_mean(precision[IOU_75, ..., ALL, TOP100]),
        APs=_mean(precision[..., SMALL, TOP100]),
        APm=_mean(precision[..., MEDIUM, TOP100]),
        APl=_mean(precision[..., LARGE, TOP100]),
        AR1=_mean(recall[..., ALL, TOP1]),
        AR10=_mean(recall[..., ALL, TOP10]),
        AR100=_mean(recall[..., ALL, TOP100]),
        ARs=_mean(recall[..., SMALL, TOP100]),
        ARm=_mean(recall[..., MEDIUM, TOP100]),
        ARl=_mean(recall[..., LARGE, TOP100]),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    defined = values[values > -1]
    return float(np.mean(defined)) if defined.size else None


def _evaluate(ground_truth: GroundTruth, predictions: Predictions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    truth = _ground_truth(ground_truth)
    keep = known_detections(ground_truth, predictions)
    rows = np.column_stack(
        [
            predictions.image_index[keep] + 1.0,
            xywh(predictions.boxes[keep]),
            predictions.scores[keep],
            predictions.category_ids[keep].astype(np.float64),
        ]
    )
    evaluator = hotcoco.COCOeval(truth, truth.load_res(rows), "bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    arrays: dict[str, Any] | None = evaluator.eval
    if arrays is None:
        raise RuntimeError("hotcoco returned no result")
    return np.asarray(arrays["precision"]), np.asarray(arrays["recall"])


def _ground_truth(ground_truth: GroundTruth) -> hotcoco.COCO:
    """Hand the arrays over; images and annotations are numbered from 1, because COCO reads id 0 as "no match"."""
    return hotcoco.COCO.from_arrays(
        [
            {"id": i + 1, "width": width, "height": height}
            for i, (width, height) in enumerate(ground_truth.image_sizes.tolist())
        ],
        [{"id": category.id, "name": category.name} for category in ground_truth.categories],
        ground_truth.image_index + 1,
        ground_truth.category_ids,
        xywh(ground_truth.boxes),
        ids=np.arange(1, len(ground_truth) + 1),
        area=ground_truth.area,
        iscrowd=ground_truth.iscrowd,
    )
