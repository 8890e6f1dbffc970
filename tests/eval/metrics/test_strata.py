from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from robust.datasets.records import Category
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.coco_reference import reference_evaluation
from robust.eval.metrics.interval import clopper_pearson, logit_t, share_interval, standard_error
from robust.eval.metrics.matching import match, neighbour_iou
from robust.eval.metrics.resampling import Resampling, image_weights
from robust.eval.metrics.strata import (
    Stratum,
    crowd_strata,
    size_strata,
    strata,
    stratum_metrics,
    stratum_recalls,
    visible_strata,
)
from robust.eval.metrics.stratum_records import StratumMetrics
from robust.eval.metrics.thresholds import sweep
from robust.eval.metrics.weighted import average_precisions
from robust.eval.records import GroundTruth, Predictions

from .builders import make_ground_truth, make_predictions, random_case

SIDE = 100.0
TWO = (Category(1, "person"), Category(2, "bicycle"))


def _row(n: int, y: float = 0.0) -> list[tuple[float, float, float, float]]:
    """Boxes side by side, far apart."""
    return [(200.0 * i, y, 200.0 * i + SIDE, y + SIDE) for i in range(n)]


def _names(parts: tuple[Stratum, ...], n: int) -> list[str]:
    """The stratum of each object; fails when an object is in none or in several."""
    return [next(iter({part.name for part in parts if part.inside[i]} or {"none"})) for i in range(n)]


def _by_name(found: tuple[StratumMetrics, ...]) -> dict[str, StratumMetrics]:
    return {part.stratum: part for part in found}


def test_ends_of_the_visible_fractions() -> None:
    visible = np.array([1.0, 0.91, 0.9, 0.65, 0.649, 0.2, 0.199, 0.0])
    truth = replace(make_ground_truth(_row(8)), visible=visible)
    assert _names(visible_strata(truth), 8) == [
        "bare", "bare", "partial", "partial", "heavy", "heavy", "hidden", "hidden"
    ]  # fmt: skip


def _pair(shift: float, image: int) -> tuple[list[tuple[float, float, float, float]], list[int]]:
    """Two boxes of 100 x 100, the second moved to the right: IoU (100 - shift) / (100 + shift)."""
    return [(0.0, 0.0, 100.0, 100.0), (shift, 0.0, 100.0 + shift, 100.0)], [image, image]


@pytest.mark.parametrize(
    ("shift", "iou", "name"),
    [
        (200, 0, "apart"),
        (90, 1 / 19, "apart"),
        (80, 1 / 9, "near"),
        (60, 1 / 4, "near"),
        (50, 1 / 3, "close"),
        (40, 3 / 7, "close"),
        (30, 7 / 13, "dense"),
        (0, 1, "dense"),
    ],
)
def test_crowdedness_by_hand(shift: float, iou: float, name: str) -> None:
    truth = make_ground_truth(*_pair(shift, 0))
    assert neighbour_iou(truth) == pytest.approx([iou, iou])
    assert _names(crowd_strata(truth), 2) == [name, name]


def test_iou_of_exactly_one_half_is_close() -> None:
    truth = make_ground_truth([(0, 0, 100, 100), (0, 0, 100, 50)])
    assert neighbour_iou(truth).tolist() == [0.5, 0.5]
    assert _names(crowd_strata(truth), 2) == ["close", "close"]


def test_neighbours_are_of_the_same_image_and_class_and_no_crowd_region() -> None:
    box = (0.0, 0.0, 100.0, 100.0)
    other_image = make_ground_truth([box, box], [0, 1], n_images=2)
    other_class = make_ground_truth([box, box], category_ids=[1, 2], categories=TWO)
    region = make_ground_truth([box, box], iscrowd=[False, True])
    for truth in (other_image, other_class):
        assert neighbour_iou(truth).tolist() == [0.0, 0.0]
    assert neighbour_iou(region)[0] == 0.0
    assert neighbour_iou(make_ground_truth([])).shape == (0,)


def test_each_division_holds_every_object_once_and_no_crowd_region() -> None:
    for seed in range(30):
        truth = _varied(seed)[0]
        for parts in (visible_strata(truth), crowd_strata(truth), size_strata(truth)):
            inside = np.stack([part.inside for part in parts]).sum(axis=0)
            assert inside.tolist() == (~truth.iscrowd).astype(int).tolist()


def test_ap50_by_hand() -> None:
    """Six bare objects, five heavy ones; two of the bare are found, a false alarm stands between them."""
    truth = replace(make_ground_truth(_row(11)), visible=np.array([1.0] * 6 + [0.5] * 5))
    boxes = _row(11)
    found = [boxes[0], boxes[6], (0.0, 900.0, 100.0, 1000.0), boxes[1], boxes[7]]
    metrics = _by_name(
        stratum_metrics(truth, make_predictions(found, [0.9, 0.8, 0.7, 0.6, 0.5]), visible_strata(truth))
    )
    # T F T of 6 objects: recall 1/6 (17 points from 0 to .16) at precision 1, 2/6 (17 points) at precision 2/3
    assert pytest.approx((17 + 17 * 2 / 3) / 101) == metrics["bare"].AP50
    # T F T of 5 objects: 21 points at precision 1, 20 points at 2/3
    assert pytest.approx((21 + 20 * 2 / 3) / 101) == metrics["heavy"].AP50
    assert (metrics["bare"].n_objects, metrics["heavy"].n_objects, metrics["bare"].n_images) == (6, 5, 1)
    assert (metrics["partial"].n_objects, metrics["partial"].AP50) == (0, None)


def test_objects_outside_take_one_detection_and_not_every_one_that_lies_on_them() -> None:
    """An ignored object is no crowd region: the second detection on it is a false alarm."""
    truth = replace(make_ground_truth(_row(6)), visible=np.array([1.0] * 5 + [0.5]))
    boxes = _row(6)
    once = make_predictions([boxes[5], *boxes[:5]], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    twice = make_predictions([boxes[5], boxes[5], *boxes[:5]], [0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert pytest.approx(1.0) == _by_name(stratum_metrics(truth, once, visible_strata(truth)))["bare"].AP50
    assert pytest.approx(5 / 6) == _by_name(stratum_metrics(truth, twice, visible_strata(truth)))["bare"].AP50


@pytest.mark.parametrize(("n", "measured"), [(4, False), (5, True)])
def test_fewer_than_five_objects_are_counted_and_not_measured(n: int, measured: bool) -> None:
    truth, boxes = make_ground_truth(_row(n)), _row(n)
    predictions = make_predictions(boxes, [0.9] * n)
    part = _by_name(stratum_metrics(truth, predictions, visible_strata(truth)))["bare"]
    assert (part.n_objects, part.AP50) == (n, pytest.approx(1.0) if measured else None)
    ((recall, *_),) = stratum_recalls(match(truth, predictions, (0.5,)), visible_strata(truth), [0.5])
    assert (recall.n_objects, recall.found, recall.recall) == (n, n, 1.0 if measured else None)


def test_pycocotools_agrees_when_it_ignores_the_same_objects() -> None:
    compared = 0
    for seed in range(60):
        truth, predictions = _varied(seed)
        for part, found in zip(strata(truth), stratum_metrics(truth, predictions, strata(truth)), strict=True):
            if found.AP50 is not None:
                assert pytest.approx(_pycocotools(truth, predictions, part.inside), abs=1e-12) == found.AP50, seed
                compared += 1
    assert compared > 100


def test_stratum_of_all_objects_has_the_ap50_of_coco() -> None:
    compared = 0
    for seed in range(20):
        truth, predictions = random_case(seed)
        bare = _by_name(stratum_metrics(truth, predictions, visible_strata(truth)))["bare"]
        if bare.AP50 is not None:
            assert pytest.approx(coco_metrics(truth, predictions).AP50, abs=1e-12) == bare.AP50
            compared += 1
    assert compared > 5


def test_found_objects_of_all_strata_are_the_hits_of_the_sweep() -> None:
    thresholds = (0.001, 0.3, 0.55, 0.8)
    for seed in range(30):
        truth, predictions = _varied(seed)
        points = sweep(truth, predictions, thresholds)
        rows = stratum_recalls(match(truth, predictions, (0.5,)), strata(truth), thresholds)
        for point, row in zip(points, rows, strict=True):
            for division in ("visible", "crowd", "size"):
                parts = [part for part in row if part.division == division]
                assert sum(part.found for part in parts) == point.tp
                assert sum(part.n_objects for part in parts) == point.tp + point.fn


def test_object_of_a_limiting_size_is_of_the_larger_kind_only() -> None:
    """COCO's ranges hold both ends, so there such an object is of two kinds."""
    truth = make_ground_truth(_row(5), area=[32.0**2 - 0.1, 32.0**2, 96.0**2 - 0.1, 96.0**2, 1e6])
    assert _names(size_strata(truth), 5) == ["small", "medium", "medium", "large", "large"]


def test_intervals_are_those_of_the_weighted_ap50_of_each_kind() -> None:
    """Judge: each kind matched by itself, with all other objects ignored."""
    compared = 0
    for seed in range(12):
        truth, predictions = _varied(seed, n_images=9)
        weights = image_weights(truth.groups, Resampling(replicates=100), "test")
        parts = strata(truth)
        for part, found in zip(parts, stratum_metrics(truth, predictions, parts, weights=weights), strict=True):
            assert found.interval is not None
            if found.AP50 is None:
                assert (found.interval.low, "too few" in found.interval.note) == (None, True)
                continue
            alone = match(truth, predictions, (0.5,), max_detections=100, object_ignored=~part.inside)
            replicates = average_precisions(alone, weights.values)[0]
            expected = share_interval(found.AP50, replicates, 9, n_objects=part.n_objects, n_carrying=found.n_images)
            assert found.interval == expected
            compared += expected.low is not None
    assert compared > 20


def test_recall_has_the_interval_of_its_images() -> None:
    truth, predictions = _varied(3, n_images=12)
    weights = image_weights(truth.groups, Resampling(replicates=300), "test")
    matches = match(truth, predictions, (0.5,))
    parts = strata(truth)
    (row,) = stratum_recalls(matches, parts, (0.4,), weights=weights)
    compared = 0
    for part, found in zip(parts, row, strict=True):
        assert found.interval is not None
        if found.recall is not None and 0 < found.recall < 1 and found.interval.low is not None:
            hit = np.zeros(len(truth), dtype=np.bool_)
            for j in np.flatnonzero(matches.true_positive[0] & (matches.score >= 0.4)).tolist():
                hit[matches.match[0, j]] = part.inside[matches.match[0, j]]
            counts = [np.bincount(truth.image_index[chosen], minlength=12) for chosen in (hit, part.inside)]
            with np.errstate(invalid="ignore"):
                replicates = (counts[0] @ weights.values) / (counts[1] @ weights.values)
            low, high = logit_t(found.recall, standard_error(replicates, part.n_units), part.n_units)
            assert [found.interval.low, found.interval.high] == pytest.approx([float(low), float(high)], abs=2e-6)
            compared += 1
    assert compared >= 3


def test_without_weights_there_are_no_intervals() -> None:
    truth, predictions = _varied(3)
    parts = strata(truth)
    assert all(found.interval is None for found in stratum_metrics(truth, predictions, parts))
    ((*row,),) = stratum_recalls(match(truth, predictions, (0.5,)), parts, (0.4,))
    assert all(found.interval is None for found in row)


def test_images_of_one_group_are_one_unit_of_a_kind() -> None:
    truth = make_ground_truth(_row(6), range(6), n_images=6)
    grouped = replace(truth, groups=("a", "a", "a", "b", None, None))
    assert [part.n_units for part in visible_strata(truth)] == [6, 0, 0, 0]
    assert [part.n_units for part in visible_strata(grouped)] == [4, 0, 0, 0]


def test_all_found_has_the_exact_interval_of_the_images_that_hold_the_kind() -> None:
    truth = make_ground_truth(_row(7), range(7), n_images=20)
    predictions = make_predictions(_row(7), [0.9] * 7, range(7), n_images=20)
    weights = image_weights(truth.groups, Resampling(replicates=100), "test")
    ((bare, *_),) = stratum_recalls(match(truth, predictions, (0.5,)), visible_strata(truth), (0.5,), weights=weights)
    assert bare.interval is not None
    assert (bare.interval.low, bare.interval.high, bare.interval.method) == (*clopper_pearson(7, 7), "exact")


def test_mask_of_ignored_objects_must_fit() -> None:
    truth = make_ground_truth(_row(3))
    with pytest.raises(ValueError, match="3 objects"):
        match(truth, make_predictions([], []), object_ignored=np.zeros(2, dtype=np.bool_))


def _varied(seed: int, n_images: int | None = None) -> tuple[GroundTruth, Predictions]:
    """A random case with many objects in few images, partly hidden."""
    truth, predictions = random_case(seed, n_images=n_images)
    rng = np.random.default_rng(1000 + seed)
    return replace(truth, visible=rng.choice([1.0, 0.8, 0.5, 0.1], len(truth), p=[0.4, 0.3, 0.2, 0.1])), predictions


def _pycocotools(truth: GroundTruth, predictions: Predictions, inside: NDArray[np.bool_]) -> float:
    """AP50 of pycocotools, told by the area of an object whether it counts.

    COCO's own size classes ignore objects by area. An area range that holds all detections and no object with an
    invented huge area therefore ignores just those objects.
    """
    marked = replace(truth, area=np.where(inside | truth.iscrowd, 1.0, 1e9))
    evaluation: COCOeval = reference_evaluation(marked, predictions)
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e8]], ["stratum"]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]
    return float(np.mean(precision[precision > -1]))
