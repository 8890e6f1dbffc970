from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from robust.eval.metrics.comparison import (
    Comparison,
    Verdict,
    compare,
    is_divisor,
    quotient_interval,
    verdict_of,
    with_holm,
)
from robust.eval.metrics.interval import Interval

N = 40
RNG = np.random.default_rng(20)
SCORES = RNG.normal(0.6, 0.2, N)
GAINS = RNG.normal(0.05, 0.1, N)
WEIGHTS = RNG.multinomial(N, np.full(N, 1 / N), 40_000).T / N


def _replicates(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(scores @ WEIGHTS)


def _compare(first: NDArray[np.float64], second: NDArray[np.float64], **options: object) -> Comparison:
    metric = str(options.pop("metric", "recall"))
    margin = options.pop("margin", None)
    assert not options and (margin is None or isinstance(margin, float))
    values = float(first.mean()), float(second.mean())
    replicates = _replicates(first), _replicates(second)
    return compare(*values, *replicates, N, split="test", variant="clean", metric=metric, margin=margin)


def test_difference_of_means_is_that_of_a_paired_t_test() -> None:
    """Judge: scipy's paired t test on the images, which the bootstrap of a mean must reproduce."""
    found = _compare(SCORES + GAINS, SCORES)
    judge = stats.ttest_rel(SCORES + GAINS, SCORES)
    low, high = judge.confidence_interval()
    assert found.difference == pytest.approx(GAINS.mean())
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=1e-3)
    assert found.p_value == pytest.approx(judge.pvalue, rel=0.1)
    assert found.interval.method == "t"
    assert (found.split, found.variant, found.metric, found.n_images_units) == ("test", "clean", "recall", N)


def test_p_and_interval_agree_on_what_is_shown() -> None:
    second = _replicates(SCORES)
    for shift in np.linspace(-0.1, 0.1, 41):
        first = _replicates(SCORES + GAINS - GAINS.mean() + shift)
        found = compare(0.6 + shift, 0.6, first, second, N, split="s", variant="v", metric="recall")
        assert found.p_value is not None
        assert (found.p_value < 0.05) == (found.verdict != "cannot tell") == found.is_shown


def test_plan_follows_from_the_measured_spread_of_an_image() -> None:
    found = _compare(SCORES + GAINS, SCORES)
    sd = GAINS.std(ddof=1)
    assert found.smallest_detectable == pytest.approx(2.8016 * sd / math.sqrt(N), rel=0.02)
    assert found.images_needed == pytest.approx((2.8016 * sd / GAINS.mean()) ** 2, rel=0.04)
    assert found.share_above == pytest.approx(stats.norm.cdf(GAINS.mean() / (GAINS.std() / math.sqrt(N))), abs=0.01)


def test_relative_difference_is_first_over_second_less_one() -> None:
    found = _compare(SCORES + GAINS, SCORES)
    ratio = (SCORES + GAINS).mean() / SCORES.mean()
    assert found.relative == pytest.approx(ratio - 1)
    made = found.relative_interval
    assert made is not None and made.low is not None and made.high is not None and made.method == "log-t"
    spread = np.log(_replicates(SCORES + GAINS) / _replicates(SCORES)).std(ddof=1) * math.sqrt(N / (N - 1))
    half = stats.t.ppf(0.975, N - 1) * spread
    assert (made.low, made.high) == pytest.approx((ratio * math.exp(-half) - 1, ratio * math.exp(half) - 1), abs=2e-6)
    assert made.percentile is not None and made.percentile[0] < ratio - 1 < made.percentile[1]


def test_relative_interval_is_close_to_that_of_fieller() -> None:
    """Judge: the values r for which a t test does not reject E[first - r second] = 0 (Fieller 1954)."""
    found = _compare(SCORES + GAINS, SCORES).relative_interval
    kept = [r for r in np.linspace(0.9, 1.3, 401) if stats.ttest_1samp(SCORES + GAINS - r * SCORES, 0).pvalue >= 0.05]
    assert found is not None
    assert (found.low, found.high) == pytest.approx((min(kept) - 1, max(kept) - 1), abs=3e-3)


def test_no_relative_difference_to_almost_nothing() -> None:
    small = np.full(N, 0.03) + 0.01 * (SCORES - 0.6)
    found = _compare(SCORES, small)
    assert (found.relative, found.relative_interval) == (None, None)
    assert found.difference is not None and found.interval.low is not None
    assert is_divisor(0.06, np.full(100, 0.06), N) and not is_divisor(0.05, np.full(100, 0.05), N)
    assert not is_divisor(None, np.full(100, 0.06), N) and not is_divisor(0.6, np.full(100, 0.6), 4)


def test_a_model_differs_from_itself_by_nothing_and_nothing_is_claimed() -> None:
    rows = _replicates(SCORES)
    value = float(np.mean(SCORES))
    found = compare(
        value, value, rows, rows, N, split="test", variant="clean", metric="AP50", margin=0.02, same_weights=True
    )
    assert (found.difference, found.interval.low, found.interval.high, found.interval.se) == (0.0, 0.0, 0.0, 0.0)
    assert (found.verdict, found.p_value, found.share_above, found.is_shown) == ("identical", 1.0, 0.0, False)
    assert (found.smallest_detectable, found.images_needed) == (None, None)
    assert found.relative == 0.0
    assert found.interval.note == "the weights are the same"


def test_other_weights_that_agree_everywhere_are_not_shown_to_be_no_worse() -> None:
    found = _compare(SCORES, SCORES, margin=0.02)
    assert (found.difference, found.verdict, found.is_shown) == (0.0, "identical", False)
    assert found.interval.low is None and "one image at most" in found.interval.note


@pytest.mark.parametrize(("n_apart", "has_interval"), [(1, False), (2, True), (4, True)])
def test_a_difference_on_hardly_any_image_has_no_interval(n_apart: int, has_interval: bool) -> None:
    found = _compare(SCORES + 0.1 * (np.arange(N) < n_apart), SCORES, margin=0.02)
    assert (found.interval.low is not None) is has_interval
    assert (found.verdict == "cannot tell") is not has_interval


def test_equal_values_with_other_replicates_are_not_identical() -> None:
    found = compare(0.6, 0.6, _replicates(SCORES), _replicates(SCORES[::-1]), N, split="s", variant="v", metric="AP")
    assert (found.difference, found.verdict, found.p_value, found.images_needed) == (0.0, "cannot tell", 1.0, None)
    assert found.smallest_detectable is not None and found.smallest_detectable > 0


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdict"),
    [
        (0.01, 0.05, None, "superior"),
        (0.0, 0.05, None, "cannot tell"),
        (-0.01, 0.05, None, "cannot tell"),
        (-0.01, 0.05, 0.02, "not worse"),
        (-0.02, 0.05, 0.02, "not worse"),
        (-0.03, 0.05, 0.02, "cannot tell"),
        (-0.05, -0.01, None, "worse"),
        (-0.05, -0.01, 0.02, "worse"),
        (-0.015, -0.01, 0.02, "worse"),
        (-0.05, -0.03, 0.02, "worse beyond margin"),
    ],
)
def test_verdicts(low: float, high: float, margin: float | None, verdict: Verdict) -> None:
    interval = Interval(low=low, high=high, method="t", n_units=30)
    assert verdict_of(interval, margin) == verdict
    mirrored = Interval(low=-high, high=-low, method="t", n_units=30)
    assert verdict_of(mirrored, margin, lower_is_better=True) == verdict


def test_more_false_positives_are_worse() -> None:
    more = _compare(SCORES + GAINS, SCORES, metric="fppi")
    fewer = _compare(SCORES, SCORES + GAINS, metric="fppi")
    assert (more.verdict, fewer.verdict) == ("worse", "superior")
    assert more.difference is not None and more.difference > 0


def test_what_is_undefined_or_too_small_gives_no_verdict() -> None:
    rows = _replicates(SCORES)[:200]
    holes = np.where(np.arange(200) % 10 == 0, np.nan, rows)
    for first, replicates, n in [(None, rows, N), (0.6, holes, N), (0.6, rows, 4)]:
        found = compare(first, 0.5, replicates, rows - 0.1, n, split="s", variant="v", metric="AP")
        assert (found.verdict, found.p_value, found.smallest_detectable) == ("cannot tell", None, None)
        assert found.interval.low is None and found.interval.note
    assert found.difference == pytest.approx(0.1)


def test_constant_difference_is_no_evidence() -> None:
    rows = np.full(200, 0.5)
    found = compare(0.6, 0.5, rows + 0.1, rows, N, split="s", variant="v", metric="AP")
    assert (found.verdict, found.p_value, found.interval.low) == ("cannot tell", None, None)
    assert found.relative_interval is not None and found.relative_interval.low is None


def test_a_few_undefined_replicates_are_left_out() -> None:
    first, second = _replicates(SCORES + GAINS), _replicates(SCORES)
    whole = compare(0.65, 0.6, first[4:], second[4:], N, split="s", variant="v", metric="AP")
    first[0] = second[1] = first[2] = second[2] = first[3] = np.nan
    holed = compare(0.65, 0.6, first, second, N, split="s", variant="v", metric="AP")
    assert holed == whole


def test_replicates_of_other_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="not paired"):
        compare(0.6, 0.5, np.zeros(100), np.zeros(200), N, split="s", variant="v", metric="AP")


def test_holm_over_the_comparisons_that_have_a_p_value() -> None:
    found = _compare(SCORES + GAINS, SCORES)
    undefined = compare(None, 0.5, np.zeros(100), np.zeros(100), N, split="s", variant="v", metric="AP")
    made = [found.model_copy(update={"p_value": p}) for p in (0.01, 0.04, 0.03, 0.005)]
    corrected = with_holm([*made[:2], undefined, *made[2:]])
    assert [c.p_holm for c in corrected if c.p_holm is not None] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrected[2].p_holm is None
    assert [c.is_shown for c in corrected] == [True, False, False, False, True]
    assert [c.p_value for c in corrected][:2] == [0.01, 0.04]


def test_a_ratio_that_does_not_vary_has_no_interval_of_no_width() -> None:
    rows = _replicates(SCORES)
    for value in (1.0, 0.5):
        made = quotient_interval(value, value * rows, rows, N)
        assert made.low is None and "do not vary" in made.note


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_two_models_at_the_end_of_the_scale_are_not_shown_to_be_alike(value: float) -> None:
    column = np.full(2000, value)
    found = compare(value, value, column, column, N, split="test", variant="clean", metric="AP50", margin=0.02)
    assert (found.difference, found.verdict) == (0.0, "identical")
    assert found.interval.low is None and "one image at most" in found.interval.note


@pytest.mark.parametrize(
    ("second", "n_units", "metric", "refused"),
    [
        (0.95, 50, "AP50", True),  # 2.5 failures
        (0.95, 200, "AP50", False),  # 10
        (0.95, 199, "AP50", True),
        (0.84, 50, "AP50", False),
        (0.86, 50, "recall", True),
        (0.95, 50, "rPC AP50", False),
        (0.95, 50, "fppi", False),
    ],
)
def test_two_very_good_models_are_told_apart_only_by_enough_failures(
    second: float, n_units: int, metric: str, refused: bool
) -> None:
    rng = np.random.default_rng(3)
    columns = [rng.normal(value, 0.01, 2000) for value in (0.97, second)]
    found = compare(0.97, second, *columns, n_units, split="test", variant="clean", metric=metric, margin=0.02)
    assert (found.interval.low is None) == refused
    if refused:
        assert "too few images tell them apart" in found.interval.note
        assert (found.verdict, found.p_value) == ("cannot tell", None)
