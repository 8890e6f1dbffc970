from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from robust.eval.metrics.interval import (
    VERY_SMALL,
    Interval,
    clopper_pearson,
    difference_interval,
    log_t,
    logit_t,
    percentile_interval,
    rate_interval,
    ratio_interval,
    share_interval,
    standard_error,
)
from robust.eval.metrics.resampling import Resampling, image_weights

RNG = np.random.default_rng(5)


def replicates(centre: float, spread: float) -> np.ndarray:
    return centre + spread * RNG.standard_normal(2000)


class TestHandCases:
    def test_logit_t(self) -> None:
        low, high = logit_t(0.5, 0.05 * math.sqrt(30 / 29), 30)
        assert (float(low), float(high)) == pytest.approx((0.397465, 0.602535), abs=1e-6)

    def test_clopper_pearson(self) -> None:
        assert clopper_pearson(28, 31) == pytest.approx((0.7425, 0.9796), abs=5e-5)
        assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=5e-5)
        assert clopper_pearson(0, 10) == pytest.approx((0.0, 1 - 0.6915), abs=5e-5)

    def test_clopper_pearson_agrees_with_scipy(self) -> None:
        for hits, trials in ((0, 7), (3, 9), (9, 9), (50, 200)):
            judge = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
            assert clopper_pearson(hits, trials) == pytest.approx((judge.low, judge.high))

    def test_log_t(self) -> None:
        low, high = log_t(0.4, 0.1, 25)
        half = stats.t.ppf(0.975, 24) * 0.1 / 0.4
        assert (float(low), float(high)) == pytest.approx((0.4 * math.exp(-half), 0.4 * math.exp(half)))

    def test_difference_is_that_of_a_paired_t_test(self) -> None:
        one, other = RNG.normal(0.6, 0.2, 80), RNG.normal(0.5, 0.2, 80)
        drawn = image_weights((None,) * 80, Resampling(replicates=20_000), "test").values / 80
        made = difference_interval(float((one - other).mean()), (one - other) @ drawn, 80)
        judge = stats.ttest_rel(one, other).confidence_interval(0.95)
        assert (made.low, made.high) == pytest.approx((judge.low, judge.high), abs=0.003)
        assert made.method == "t"


def test_percentile_interval_beside_it_is_the_quantiles() -> None:
    drawn = replicates(0.6, 0.05)
    made = share_interval(0.6, drawn, 50)
    assert made.percentile == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    assert made.se == pytest.approx(drawn.std(ddof=1) * math.sqrt(50 / 49))
    plain = percentile_interval(0.6, drawn, 50)
    assert (plain.low, plain.high) == pytest.approx(made.percentile)


@pytest.mark.parametrize(("value", "ends"), [(1.0, (0.6915, 1.0)), (0.0, (0.0, 0.3085))])
def test_nothing_varies_and_still_the_interval_has_a_width(value: float, ends: tuple[float, float]) -> None:
    made = share_interval(value, np.full(2000, value), 10)
    assert (made.low, made.high) == pytest.approx(ends, abs=5e-5)
    assert made.method == "exact"


def test_exact_interval_rests_on_the_images_that_carry_the_number() -> None:
    few = share_interval(1.0, np.ones(2000), 100, n_carrying=8)
    assert few.low == pytest.approx(0.025 ** (1 / 8))
    assert share_interval(1.0, np.ones(2000), 100, n_carrying=4).low is None


def test_no_false_alarm_is_no_proof_of_none() -> None:
    made = rate_interval(0.0, np.zeros(2000), 50)
    garwood = stats.chi2.ppf(0.975, 2) / 2 / 50
    assert (made.low, made.high) == pytest.approx((0.0, garwood))


def test_ratio_is_symmetric_on_the_logarithm() -> None:
    drawn = np.exp(RNG.normal(math.log(0.7), 0.1, 2000))
    made = ratio_interval(0.7, drawn, 40)
    assert made.low is not None and made.high is not None
    assert made.low * made.high == pytest.approx(0.49)


@pytest.mark.parametrize(
    ("value", "drawn", "n_units", "n_objects", "why"),
    [
        (None, np.full(100, np.nan), 50, 50, "not defined"),
        (0.5, replicates(0.5, 0.1), 4, 50, "too few"),
        (0.5, replicates(0.5, 0.1), 50, 4, "objects are too few"),
        (0.5, np.where(np.arange(2000) < 120, np.nan, replicates(0.5, 0.1)), 50, 50, "undefined in 6%"),
        (0.5, np.full(2000, 0.5), 50, 50, "do not vary"),
    ],
)
def test_what_cannot_carry_an_interval_says_why(
    value: float | None, drawn: np.ndarray, n_units: int, n_objects: int, why: str
) -> None:
    made = share_interval(value, drawn, n_units, n_objects=n_objects)
    assert made.low is made.high is made.method is None
    assert why in made.note


def test_small_samples_carry_a_mark() -> None:
    assert share_interval(0.5, replicates(0.5, 0.1), 29).note == VERY_SMALL
    assert share_interval(0.5, replicates(0.5, 0.1), 30).note == ""


def test_a_difference_that_does_not_vary_has_no_interval_of_no_width() -> None:
    made = difference_interval(0.0, np.zeros(2000), 50)
    assert made.low is None and "do not vary" in made.note


def test_images_without_objects_make_a_share_no_surer() -> None:
    drawn = replicates(0.6, 0.05)
    assert share_interval(0.6, drawn, 100, n_carrying=3).low is None
    few, many = share_interval(0.6, drawn, 100, n_carrying=8), share_interval(0.6, drawn, 100)
    low, high = logit_t(0.6, drawn.std(ddof=1) * math.sqrt(8 / 7), 8)
    assert (few.low, few.high) == pytest.approx((float(low), float(high)), abs=2e-6)
    assert few.note == VERY_SMALL and many.note == ""


def test_rounding_makes_no_constant_vary() -> None:
    assert standard_error(np.full(2000, 0.1 + 0.2), 50) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 0.2, "high": 0.1, "method": "t"},
        {"low": 0.2, "high": None, "method": "t"},
        {"low": None, "high": None, "method": None},
        {"low": 0.1, "high": 0.2, "method": None},
    ],
)
def test_intervals_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Interval.model_validate({"n_units": 10, **wrong})


@pytest.mark.parametrize(("value", "n"), [(0.97, 50), (0.96, 30), (0.99, 100)])
def test_a_share_with_few_failures_reaches_as_far_as_the_exact_interval(value: float, n: int) -> None:
    replicates = np.random.default_rng(1).normal(value, 0.001, 2000)
    found = share_interval(value, replicates, n)
    hits = value * n
    assert found.low == pytest.approx(stats.beta.ppf(0.025, hits, n - hits + 1), abs=2e-6)
    assert found.high == pytest.approx(stats.beta.ppf(0.975, hits + 1, n - hits), abs=2e-6)


@pytest.mark.parametrize(("value", "n"), [(0.95, 50), (0.97, 200), (0.5, 8)])
def test_a_share_with_enough_failures_is_left_to_its_replicates(value: float, n: int) -> None:
    replicates = np.random.default_rng(1).normal(value, 0.001, 2000)
    low, high = logit_t(value, standard_error(replicates, n), n)
    found = share_interval(value, replicates, n)
    assert found.low == pytest.approx(float(low), abs=2e-6) and found.high == pytest.approx(float(high), abs=2e-6)
