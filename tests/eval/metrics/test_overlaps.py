from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask

from robust.eval.metrics import overlaps as module
from robust.eval.metrics.alignment import xywh
from robust.eval.metrics.matching import match
from robust.eval.metrics.overlaps import largest, overlaps

from .builders import make_ground_truth, make_predictions, random_case


@pytest.mark.parametrize("at_once", [2_000_000, 7])
def test_pairs_have_the_iou_of_pycocotools(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit: an IoU of exactly one half must be one here and in the matching. Also when cut into parts."""
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", at_once)
    compared = 0
    for seed in range(30):
        truth, predictions = random_case(seed)
        matches = match(truth, predictions, (0.5,))
        found = overlaps(truth, predictions, matches)
        got = np.zeros((len(matches), len(truth)))
        got[found.detection, found.object] = found.iou
        expected = np.zeros_like(got)
        boxes = xywh(predictions.boxes[matches.detection_index])
        for image in range(len(truth.image_ids)):
            rows, columns = np.flatnonzero(matches.image_index == image), np.flatnonzero(truth.image_index == image)
            if len(rows) and len(columns):
                iou = mask.iou(boxes[rows], xywh(truth.boxes[columns]), truth.iscrowd[columns].tolist())
                expected[np.ix_(rows, columns)] = iou
        assert np.array_equal(got, expected), seed
        same = matches.detection_category[found.detection] == truth.category_ids[found.object]
        assert np.array_equal(found.same_class, same)
        compared += len(found.iou)
    assert compared > 1000


def test_share_of_the_detection_that_is_covered() -> None:
    truth = make_ground_truth([(0, 0, 100, 100)])
    predictions = make_predictions([(50, 0, 150, 100), (0, 0, 10, 10), (100, 0, 200, 100)], [0.9, 0.8, 0.7])
    found = overlaps(truth, predictions, match(truth, predictions, (0.5,)))
    assert found.detection.tolist() == [0, 1]  # the third one only touches
    assert found.covered.tolist() == [0.5, 1.0]


def test_largest_value_and_the_first_pair_that_has_it() -> None:
    values, places = largest(np.array([0, 0, 2, 2]), np.array([0.1, 0.4, 0.3, 0.3]), 4)
    assert values.tolist() == [0.4, 0.0, 0.3, 0.0]
    assert places.tolist() == [1, -1, 2, -1]
    values, places = largest(np.zeros(0, dtype=np.int64), np.zeros(0), 2)
    assert (values.tolist(), places.tolist()) == ([0.0, 0.0], [-1, -1])
