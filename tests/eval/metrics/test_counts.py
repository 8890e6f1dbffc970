from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.eval.metrics.counts import RATES, ImageCounts, counts_of, image_counts, rates
from robust.eval.metrics.matching import match
from robust.eval.metrics.resampling import Resampling, image_weights
from robust.eval.metrics.thresholds import operating_point, sweep, threshold_grid

from .builders import cocoapi_case, make_ground_truth, make_predictions, random_case

BOX = (0, 0, 100, 100)
AWAY = (500, 0, 600, 100)
LIMITS = (0.001, 0.1, 0.3, 0.3, 0.55, 0.8, 1.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_totals_are_the_operating_points_of_the_sweep(seed: int) -> None:
    truth, found = random_case(seed)
    counts = image_counts(match(truth, found, (0.5,)), LIMITS)
    assert counts.operating_points() == sweep(truth, found, LIMITS)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), lowest=st.sampled_from([0.001, 0.2, 0.3, 0.5, 0.9]))
def test_dropping_what_is_below_the_lowest_threshold_changes_nothing(seed: int, lowest: float) -> None:
    truth, found = random_case(seed)
    limits = (lowest, (lowest + 1) / 2, 1.0)
    whole, short = image_counts(match(truth, found, (0.5,)), limits), counts_of(truth, found, limits)
    for field in dataclasses.fields(ImageCounts):
        np.testing.assert_array_equal(getattr(whole, field.name), getattr(short, field.name))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_each_image_is_counted_as_if_it_were_alone(seed: int) -> None:
    truth, found = random_case(seed)
    counts = counts_of(truth, found, LIMITS)
    for i in range(len(truth.image_ids)):
        mine, theirs = truth.image_index == i, found.image_index == i
        alone = sweep(
            make_ground_truth(
                truth.boxes[mine],
                category_ids=truth.category_ids[mine],
                iscrowd=truth.iscrowd[mine],
                area=truth.area[mine],
                categories=truth.categories,
            ),
            make_predictions(found.boxes[theirs], found.scores[theirs], category_ids=found.category_ids[theirs]),
            LIMITS,
        )
        assert counts.tp[i].tolist() == [p.tp for p in alone]
        assert counts.fp[i].tolist() == [p.fp for p in alone]
        assert counts.objects[i] == alone[0].tp + alone[0].fn


def test_cocoapi_person_at_three_thresholds() -> None:
    truth, found = cocoapi_case(1)
    counts = counts_of(truth, found, (0.3, 0.5, 0.8))
    assert counts.tp.sum(axis=0).tolist() == [137, 107, 38]
    assert counts.fp.sum(axis=0).tolist() == [2, 1, 0]
    assert counts.n_objects == 250
    once = rates(counts, np.ones((100, 1)))
    np.testing.assert_allclose(once["f1"][:, 0], [0.704370, 0.597765, 0.263889], atol=5e-7)


def test_integer_weights_are_repeated_images() -> None:
    truth, found = random_case(3, n_images=9)
    counts = counts_of(truth, found, LIMITS)
    weights = image_weights((None,) * 9, Resampling(replicates=100), "val").values
    replicates = rates(counts, weights)
    for b in range(100):
        times = weights[:, b]
        tp, fp, objects = times @ counts.tp, times @ counts.fp, times @ counts.objects
        for k in range(len(LIMITS)):
            point = operating_point(LIMITS[k], int(tp[k]), int(fp[k]), int(objects - tp[k]), 9)
            for rate in RATES:
                expected = getattr(point, rate)
                np.testing.assert_equal(replicates[rate][k, b], np.nan if expected is None else expected)


def test_groups_of_different_sizes_change_the_number_of_images() -> None:
    counts = ImageCounts(np.array([0.5]), np.zeros((3, 1)), np.array([[1.0], [2.0], [3.0]]), np.zeros(3))
    weights = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])  # images 0 and 1 are one group
    np.testing.assert_array_equal(rates(counts, weights)["fppi"], [[1.5, 3.0]])


def test_smooth_weights_equal_plain_sums() -> None:
    truth, found = random_case(11, n_images=12)
    counts = counts_of(truth, found, threshold_grid())
    weights = np.random.default_rng(0).exponential(size=(12, 7))
    made = rates(counts, weights)
    tp, fp = counts.tp.T @ weights, counts.fp.T @ weights
    np.testing.assert_allclose(made["precision"], tp / (tp + fp), rtol=1e-12)
    np.testing.assert_allclose(made["recall"], tp / (counts.objects @ weights), rtol=1e-12)


def test_undefined_rates_are_nan() -> None:
    truth = make_ground_truth([BOX], [1], n_images=2)
    counts = counts_of(truth, make_predictions([AWAY], [0.6], [0], n_images=2), (0.5, 0.7))
    made = rates(counts, np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(made["precision"], [[0, 0, np.nan], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(made["recall"], [[0, np.nan, np.nan]] * 2)
    np.testing.assert_array_equal(made["f1"], [[0, np.nan, np.nan]] * 2)
    np.testing.assert_array_equal(made["fppi"], [[0.5, 1, np.nan], [0, 0, np.nan]])


@pytest.mark.parametrize("thresholds", [[0.5, 0.3], []])
def test_thresholds_that_do_not_rise_are_refused(thresholds: list[float]) -> None:
    k = len(thresholds)
    with pytest.raises(ValueError, match="must rise"):
        ImageCounts(np.array(thresholds), np.zeros((2, k)), np.zeros((2, k)), np.zeros(2))


def test_counts_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        ImageCounts(np.array([0.5]), np.zeros((2, 1)), np.zeros((3, 1)), np.zeros(2))
