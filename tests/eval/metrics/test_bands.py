from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from robust.eval.metrics.bands import Bands, bands, rate_intervals
from robust.eval.metrics.counts import RATES, ImageCounts, counts_of, rates
from robust.eval.metrics.interval import Interval, rate_interval, share_interval
from robust.eval.metrics.resampling import Resampling, image_weights

from .builders import cocoapi_case

LIMITS = np.array([0.2, 0.4, 0.6, 0.8])


def _counts(seed: int, n_images: int) -> ImageCounts:
    """Few objects and alarms that die out with the threshold, so that every way out of the formula is taken."""
    rng = np.random.default_rng(seed)
    objects = rng.poisson(rng.choice([0.05, 0.5, 3.0]), n_images).astype(np.float64)
    found = rng.binomial(objects.astype(int), rng.choice([0.0, 0.5, 0.97, 1.0]), n_images)
    tp = np.stack([np.maximum(found - k * rng.integers(0, 2), 0) for k in range(4)], axis=1).astype(np.float64)
    rate = rng.choice([0.0, 0.1, 1.0])
    fp = np.sort(rng.poisson(rate, (n_images, 4)), axis=1)[:, ::-1].astype(np.float64)
    return ImageCounts(LIMITS, tp, np.ascontiguousarray(fp), objects)


def _slow(
    counts: ImageCounts, replicates: dict[str, NDArray[np.float64]], k: int, groups: list[str | None], n: int
) -> dict[str, Interval]:
    """One threshold at a time, units counted in Python."""
    point = counts.operating_points()[k]
    unit = [g if g is not None else str(i) for i, g in enumerate(groups)]
    detecting = {u for i, u in enumerate(unit) if counts.tp[i, k] + counts.fp[i, k] > 0}
    holding = {u for i, u in enumerate(unit) if counts.objects[i] > 0}
    of_objects = {"n_objects": counts.n_objects, "n_carrying": len(holding)}
    return {
        "precision": share_interval(
            point.precision, replicates["precision"][k], n, n_objects=point.tp + point.fp, n_carrying=len(detecting)
        ),
        "recall": share_interval(point.recall, replicates["recall"][k], n, **of_objects),
        "f1": share_interval(point.f1, replicates["f1"][k], n, **of_objects),
        "fppi": rate_interval(point.fppi, replicates["fppi"][k], n),
    }


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), n_images=st.sampled_from([4, 5, 8, 40]), grouped=st.booleans())
def test_bands_are_the_intervals_at_every_threshold(seed: int, n_images: int, grouped: bool) -> None:
    counts = _counts(seed, n_images)
    groups = [f"video {i % 7}" if grouped and i % 3 else None for i in range(n_images)]
    weights = image_weights(groups, Resampling(seed=seed, replicates=200), "val")
    made, replicates = bands(counts, weights), rates(counts, weights.values)
    for k, threshold in enumerate(LIMITS.tolist()):
        expected = _slow(counts, replicates, k, groups, weights.n_units)
        one = rate_intervals(counts, weights, threshold)
        assert set(one) == set(RATES)
        for rate in RATES:
            assert one[rate] == expected[rate], rate
            ends = made.at(rate, k)
            low, high = expected[rate].low, expected[rate].high
            if low is None or high is None:
                assert ends is None, (rate, expected[rate].note)
                continue
            assert ends is not None, rate
            assert ends[0] <= low + 1e-12 and ends[1] >= high - 1e-12  # outward
            assert ends == pytest.approx((low, high), abs=1.001e-6)


def test_every_way_out_is_taken_by_the_cases_above() -> None:
    methods, notes = set(), set()
    for seed in range(150):
        counts = _counts(seed, 8)
        weights = image_weights((None,) * 8, Resampling(replicates=200), "val")
        for interval in rate_intervals(counts, weights, 0.2).values():
            methods.add(interval.method)
            notes.add(interval.note.split(" ")[1])
    assert methods == {"logit-t", "log-t", "exact", None}
    assert notes >= {"objects", "small", "defined"}


def test_precision_of_1_gets_the_exact_interval_of_the_images_with_detections() -> None:
    truth, found = cocoapi_case(1)
    counts = counts_of(truth, found, (0.5, 0.8))
    weights = image_weights(truth.groups, Resampling(), "val")
    images = int((counts.tp[:, 1] > 0).sum())
    made = bands(counts, weights)
    assert made.precision_high[1] == 1
    assert made.precision_low[1] == pytest.approx(0.025 ** (1 / images), abs=1e-6)
    assert made.fppi_low[1] == 0
    assert made.fppi_high[1] == pytest.approx(3.688879 / 100, abs=1e-6)
    assert rate_intervals(counts, weights, 0.8)["precision"].method == "exact"


def test_same_seed_same_bands_other_seed_others() -> None:
    truth, found = cocoapi_case(1)
    counts = counts_of(truth, found, (0.3, 0.5))
    one, again, other = (bands(counts, image_weights(truth.groups, Resampling(seed=seed), "val")) for seed in (1, 1, 2))
    assert one == again
    assert one.recall_low != other.recall_low
    assert one.recall_low == pytest.approx(other.recall_low, abs=0.01)


def test_too_few_units_leave_no_band_and_say_so() -> None:
    counts = _counts(1, 40)
    made = bands(counts, image_weights(["a", "b", "c", "d"] * 10, Resampling(), "val"))
    assert (made.n_units, set(made.recall_low), set(made.fppi_high)) == (4, {None}, {None})
    assert made.note == "4 independent images or groups are too few: at least 5 are needed"


def test_note_counts_the_thresholds_without_an_interval() -> None:
    counts = ImageCounts(np.array([0.3, 0.8]), np.repeat([[2.0, 0.0]], 8, axis=0), np.zeros((8, 2)), np.full(8, 2.0))
    made = bands(counts, image_weights((None,) * 8, Resampling(), "val"))
    assert made.note == "very small sample; no interval of precision at 1 of 2 thresholds"
    assert made.at("precision", 1) is None
    assert made.at("recall", 1) == pytest.approx((0, 1 - 0.025 ** (1 / 8)), abs=1e-6)


def test_a_rate_undefined_in_too_many_replicates_has_no_band() -> None:
    n = 30
    fp = np.zeros((n, 1))
    fp[:2] = 5.0  # ten detections, but 12 % of the replicates draw neither image
    counts = ImageCounts(np.array([0.5]), np.zeros((n, 1)), fp, np.ones(n))
    weights = image_weights((None,) * n, Resampling(), "val")
    assert np.isnan(rates(counts, weights.values)["precision"]).mean() > 0.05
    assert bands(counts, weights).at("precision", 0) is None
    assert "undefined in" in rate_intervals(counts, weights, 0.5)["precision"].note


def test_a_threshold_that_was_not_counted_is_refused() -> None:
    counts, weights = _counts(0, 8), image_weights((None,) * 8, Resampling(), "val")
    with pytest.raises(ValueError, match="not one of the thresholds"):
        rate_intervals(counts, weights, 0.5)


def test_weights_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        bands(_counts(0, 8), image_weights((None,) * 7, Resampling(), "val"))


def test_ends_that_do_not_go_together_are_refused() -> None:
    counts = _counts(0, 40)
    good = bands(counts, image_weights((None,) * 40, Resampling(), "val")).model_dump()
    assert Bands(**good).model_dump() == good
    for broken in (
        {"fppi_low": (None,) * 4, "fppi_high": (1.0,) * 4},
        {"fppi_low": (2.0,) * 4, "fppi_high": (1.0,) * 4},
        {"fppi_low": (0.0,) * 3, "fppi_high": (1.0,) * 3},
    ):
        with pytest.raises(ValidationError):
            Bands(**{**good, **broken})
