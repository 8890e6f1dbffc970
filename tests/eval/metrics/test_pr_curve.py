from __future__ import annotations

import numpy as np
import pytest

from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.coco_reference import reference_evaluation
from robust.eval.metrics.matching import match
from robust.eval.metrics.pr_curve import class_precision, pr_curve

from .builders import make_ground_truth, make_predictions, random_case


@pytest.mark.parametrize("seed", range(60))
def test_every_class_at_every_iou_is_pycocotools(seed: int) -> None:
    truth, found = random_case(seed)
    precision = reference_evaluation(truth, found).eval["precision"]
    matches = match(truth, found, max_detections=100)
    for k, category in enumerate(truth.categories):
        for t in range(10):
            ours = class_precision(matches, category.id, t)
            expected = precision[t, :, k, 0, 2]
            np.testing.assert_array_equal(np.full(101, -1.0) if ours is None else ours, expected)


@pytest.mark.parametrize("seed", range(30))
def test_mean_of_the_curve_is_average_precision(seed: int) -> None:
    truth, found = random_case(seed)
    curve = pr_curve(truth, found)
    ap50 = coco_metrics(truth, found).AP50
    if curve is None or ap50 is None:
        assert curve is None
        assert ap50 is None
    else:
        assert np.mean(curve.precision) == pytest.approx(ap50, abs=1e-12)
        assert np.all(np.diff(curve.precision) <= 1e-15)


def test_half_the_objects_found() -> None:
    box, other = (0, 0, 100, 100), (300, 300, 400, 400)
    curve = pr_curve(make_ground_truth([box, other]), make_predictions([box], [0.9]))
    assert curve is not None
    assert curve.precision == pytest.approx([1.0] * 51 + [0.0] * 50)
    assert curve.recall[50] == 0.5
