from __future__ import annotations

import numpy as np
import pytest

from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.coco_reference import reference_evaluation
from robust.eval.metrics.matching import match
from robust.eval.metrics.pr_curve import class_precision, interpolated_precision, pr_curve

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
def test_the_curve_of_a_cell_is_the_mean_over_classes_of_pycocotools(seed: int) -> None:
    truth, found = random_case(seed)
    of_class = reference_evaluation(truth, found).eval["precision"][0, :, :, 0, 2]
    there = of_class[:, of_class[0] > -1]
    ours = interpolated_precision(match(truth, found, (0.5,)))  # all detections: the function keeps COCO's 100
    assert len(ours) == (101 if there.size else 0)
    np.testing.assert_allclose(ours, there.mean(axis=1) if there.size else [], atol=1e-15)


def test_detections_beyond_the_first_hundred_change_nothing() -> None:
    box = (0, 0, 100, 100)
    far = [(200.0 + i, 200.0, 260.0 + i, 260.0) for i in range(100)]
    truth = make_ground_truth([box])
    late = make_predictions([*far, box], [0.9 - 0.001 * i for i in range(101)])
    assert interpolated_precision(match(truth, late, (0.5,))) == (0.0,) * 101
    assert reference_evaluation(truth, late).eval["precision"][0, :, 0, 0, 2].max() == 0


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
