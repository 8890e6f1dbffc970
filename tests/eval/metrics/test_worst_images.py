from __future__ import annotations

import numpy as np

from robust.eval.metrics.matching import match
from robust.eval.metrics.thresholds import sweep
from robust.eval.metrics.worst_images import WorstImage, worst_images
from robust.eval.records import GroundTruth, Predictions

from .builders import make_ground_truth, make_predictions, random_case

BOX = (0.0, 0.0, 100.0, 100.0)
SECOND = (200.0, 0.0, 300.0, 100.0)
FAR = (0.0, 400.0, 100.0, 500.0)


def _case() -> tuple[GroundTruth, Predictions]:
    """Images 10, 20, 30, 40: two missed; one missed and two false alarms; nothing wrong; one missed."""
    truth = make_ground_truth(
        [BOX, SECOND, BOX, SECOND, BOX, BOX], [0, 0, 1, 1, 2, 3], n_images=4, image_ids=[10, 20, 30, 40]
    )
    predictions = make_predictions(
        [BOX, BOX, FAR, FAR, BOX, BOX],
        [0.3, 0.9, 0.8, 0.7, 0.9, 0.1],
        [0, 1, 1, 1, 2, 3],
        n_images=4,
        image_ids=[10, 20, 30, 40],
    )
    return truth, predictions


def test_most_misses_and_most_false_alarms_come_first() -> None:
    found = worst_images(match(*_case(), (0.5,)), 0.5)
    worst = WorstImage(image_id=20, misses=1, false_positives=2, n_objects=2)
    assert found.by_false_positives == (worst,)
    assert found.by_misses == (
        WorstImage(image_id=10, misses=2, false_positives=0, n_objects=2),
        worst,
        WorstImage(image_id=40, misses=1, false_positives=0, n_objects=1),
    )


def test_score_at_the_threshold_counts() -> None:
    assert [image.misses for image in worst_images(match(*_case(), (0.5,)), 0.3).by_misses] == [1, 1, 1]
    assert [image.misses for image in worst_images(match(*_case(), (0.5,)), 0.301).by_misses] == [2, 1, 1]


def test_lists_are_cut_and_equals_come_by_image_id() -> None:
    n = 30
    truth = make_ground_truth([BOX] * n, np.arange(n), n_images=n)
    found = worst_images(match(truth, make_predictions([FAR] * n, [0.9] * n, np.arange(n), n_images=n), (0.5,)), 0.5)
    assert [image.image_id for image in found.by_misses] == list(range(10))
    assert [image.image_id for image in found.by_false_positives] == list(range(10))
    assert len(worst_images(match(truth, make_predictions([], [], n_images=n), (0.5,)), 0.5, most=3).by_misses) == 3


def test_crowd_regions_are_neither_missed_nor_false_alarms() -> None:
    found = worst_images(match(make_ground_truth([BOX], iscrowd=[True]), make_predictions([BOX], [0.9]), (0.5,)), 0.5)
    assert (found.by_misses, found.by_false_positives) == ((), ())


def test_all_images_together_are_the_operating_point() -> None:
    for seed in range(30):
        truth, predictions = random_case(seed)
        for threshold in (0.05, 0.5):
            (point,) = sweep(truth, predictions, (threshold,))
            found = worst_images(match(truth, predictions, (0.5,)), threshold, most=1000)
            assert sum(image.misses for image in found.by_misses) == point.fn
            assert sum(image.false_positives for image in found.by_false_positives) == point.fp
