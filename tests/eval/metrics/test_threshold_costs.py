from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from robust.eval.metrics.matching import match
from robust.eval.metrics.resampling import ImageWeights
from robust.eval.metrics.threshold_costs import (
    FlippedImage,
    Flips,
    ThresholdCosts,
    flips,
    shown_thresholds,
    threshold_costs,
)
from robust.eval.metrics.thresholds import sweep, threshold_grid
from robust.eval.records import GroundTruth, Predictions
from tests.eval.evidence.study_builder import CLEAN_IMAGES, Model, cell, weights_by_hand

from .builders import make_ground_truth, make_predictions

BOX = (0.0, 0.0, 100.0, 100.0)
SECOND = (200.0, 0.0, 300.0, 100.0)
FAR = (0.0, 400.0, 100.0, 500.0)
GRID = threshold_grid()
CHOSEN = 0.5
SHOWN = cell("val", CLEAN_IMAGES, Model("one", draw=3))


def case() -> tuple[GroundTruth, Predictions]:
    """Image 10: a hit at 0.45 and one at 0.52; image 20: false alarms at 0.46 and 0.47; image 30: a hit at 0.9."""
    truth = make_ground_truth([BOX, SECOND, BOX, BOX], [0, 0, 1, 2], n_images=3, image_ids=[10, 20, 30])
    predictions = make_predictions(
        [BOX, SECOND, FAR, FAR, BOX], [0.45, 0.52, 0.46, 0.47, 0.9], [0, 0, 1, 1, 2], n_images=3, image_ids=[10, 20, 30]
    )
    return truth, predictions


def costs() -> ThresholdCosts:
    matches = match(SHOWN.truth, SHOWN.predictions, (0.5,))
    weights = ImageWeights(weights_by_hand(SHOWN), len(SHOWN.truth.image_ids))
    return threshold_costs(matches, weights, GRID, CHOSEN, split="val")


def test_boxes_between_two_thresholds_appear_below_and_disappear_above() -> None:
    matches = match(*case(), (0.5,))
    assert flips(matches, 0.5, 0.45) == Flips(
        threshold=0.45,
        n_changed=2,
        images=(
            FlippedImage(image_id=20, tp=0, fp=2, n_objects=1),
            FlippedImage(image_id=10, tp=1, fp=0, n_objects=2),
        ),
    )
    assert flips(matches, 0.5, 0.55).images == (FlippedImage(image_id=10, tp=-1, fp=0, n_objects=2),)
    assert flips(matches, 0.53, 0.6) == Flips(threshold=0.6, n_changed=0, images=())


def test_a_score_at_the_lower_threshold_counts_and_one_at_the_higher_stays() -> None:
    matches = match(*case(), (0.5,))
    assert flips(matches, 0.52, 0.45).n_changed == 2  # the hit at 0.52 is there at both
    assert flips(matches, 0.52, 0.53).images[0].tp == -1


def test_a_list_of_images_is_cut_and_says_how_many_there_are() -> None:
    found = flips(match(*case(), (0.5,)), 0.5, 0.45, most=1)
    assert (found.n_changed, [image.image_id for image in found.images]) == (2, [20])


def test_changes_of_counts_are_those_of_two_sweeps() -> None:
    points = {p.threshold: p for p in sweep(SHOWN.truth, SHOWN.predictions, GRID)}
    found = costs().costs
    assert [c.threshold for c in found] == [t for t in shown_thresholds(GRID, CHOSEN) if t != CHOSEN]
    for cost in found:
        here, there = points[CHOSEN], points[cost.threshold]
        assert (cost.tp, cost.fp, cost.fn) == (there.tp - here.tp, there.fp - here.fp, there.fn - here.fn)
        assert cost.differences["recall"] == pytest.approx((there.recall or 0) - (here.recall or 0))
        assert cost.differences["fppi"] == pytest.approx((there.fppi or 0) - (here.fppi or 0))


def test_all_images_that_flip_together_are_the_cost() -> None:
    found = costs()
    matches = match(SHOWN.truth, SHOWN.predictions, (0.5,))
    by_threshold = {cost.threshold: cost for cost in found.costs}
    assert [flip.threshold for flip in found.flips] == [0.45, 0.55]
    for flip in found.flips:
        every = flips(matches, CHOSEN, flip.threshold, most=1000).images
        cost = by_threshold[flip.threshold]
        assert (sum(i.tp for i in every), sum(i.fp for i in every)) == (cost.tp, cost.fp)
        assert len(every) == flip.n_changed


def test_intervals_are_paired_t_intervals_of_the_same_draws() -> None:
    """The recall of both thresholds, drawn image by image, without the code under test."""
    drawn = weights_by_hand(SHOWN)
    n = len(SHOWN.truth.image_ids)
    matches = match(SHOWN.truth, SHOWN.predictions, (0.5,))
    objects = np.bincount(matches.object_image_index[~matches.object_ignored], minlength=n)

    def recalls(threshold: float) -> np.ndarray:
        hit = matches.true_positive[0] & (matches.score >= threshold)
        hits = np.bincount(matches.image_index[hit], minlength=n)
        return np.array([hits @ column / (objects @ column) for column in drawn.T])

    for cost in costs().costs:
        if abs(cost.threshold - CHOSEN) < 0.05:
            continue  # close ones may have no interval: too few images differ
        apart = recalls(cost.threshold) - recalls(CHOSEN)
        half = stats.t.ppf(0.975, n - 1) * apart.std(ddof=1) * math.sqrt(n / (n - 1))
        interval, difference = cost.intervals["recall"], cost.differences["recall"]
        assert difference is not None
        assert (interval.low, interval.high) == pytest.approx((difference - half, difference + half), abs=2e-6)


def test_thresholds_that_differ_on_one_image_have_no_interval() -> None:
    truth = make_ground_truth([BOX] * 10, np.arange(10), n_images=10)
    predictions = make_predictions([BOX] * 10, [0.9] * 9 + [0.32], np.arange(10), n_images=10)
    weights = ImageWeights(np.random.default_rng(0).multinomial(10, [0.1] * 10, 300).T.astype(float), 10)
    found = threshold_costs(match(truth, predictions, (0.5,)), weights, GRID, 0.3, split="val")
    (cost,) = [c for c in found.costs if c.threshold == 0.35]
    assert cost.tp == -1 and cost.differences["recall"] == pytest.approx(-0.1)
    assert cost.intervals["recall"].low is None and "one image" in cost.intervals["recall"].note
    assert found.flips[0].threshold == 0.35 and len(found.flips) == 1  # nothing lies below the sweep


@pytest.mark.parametrize(
    ("chosen", "near"),
    [(0.3, [0.3, 0.31, 0.32, 0.33, 0.34, 0.35]), (0.57, [0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58, 0.59, 0.6, 0.61])],
)
def test_neighbours_multiples_of_a_twentieth_and_both_ends_get_a_row(chosen: float, near: list[float]) -> None:
    shown = shown_thresholds(GRID, chosen)
    assert set(near) <= set(shown) and {0.3, 0.35, 0.5, 0.75, 0.8} <= set(shown)
    assert list(shown) == sorted(shown)


def test_a_coarse_sweep_flips_to_the_next_threshold() -> None:
    weights = ImageWeights(np.ones((3, 100)), 3)
    found = threshold_costs(match(*case(), (0.5,)), weights, (0.3, 0.5, 0.7), 0.5, split="val")
    assert [flip.threshold for flip in found.flips] == [0.3, 0.7]


def test_a_threshold_that_was_not_swept_is_refused() -> None:
    with pytest.raises(ValueError):
        shown_thresholds(GRID, 0.555)
