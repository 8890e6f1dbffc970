"""Two sets of weights on the same images: the paired difference, its interval, and what may be said of it.

Both are measured with the same image weights in every replicate, so what makes an image hard for both cancels. The
interval is d -/+ t(n - 1) SE, and p comes from the same t. It is about these two files of weights; whether the settings
they were trained with differ is another question, which needs several seeds (`robust.eval.metrics.seeds`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import stats

from robust.eval.metrics.interval import Interval, difference_interval, log_t, ratio_interval, refusal, standard_error
from robust.eval.metrics.multiplicity import holm
from robust.eval.metrics.power import images_needed_for_difference, smallest_difference
from robust.eval.metrics.records import Record, Share

SMALLEST_DIVISOR = 0.05
"""A ratio is given only where the divisor is above this with confidence: dividing by almost nothing says nothing."""
LOWER_IS_BETTER = frozenset({"fppi", "mr2"})
"""Names of the metrics of which less is better; the verdict reads their differences the other way round."""
SIGNIFICANT = 0.05
NEAR_ONE = 0.85
FEW_FAILURES = 10
"""Units times 1 - share below which two shares above `NEAR_ONE` have no interval of their difference.

So few bad images decide it that t errs to one side: of AP50 0.97 and 0.95 on 50 images, 13 % of the intervals lay below
the truth. Ten is the textbook number of failures from which on a share is treated as normal.
"""
ALMOST = 0.95
"""Share of the replicates that leave a given image out, from which the two are taken to differ on that one only."""

Verdict = Literal["superior", "not worse", "worse", "worse beyond margin", "cannot tell", "identical"]


class Comparison(Record):
    """First minus second, on the same images.

    The verdict is read from the ends [L, U] of the interval, the first line that fits (for `LOWER_IS_BETTER`, from
    [-U, -L]):

    - ``identical``: the difference is exactly 0 on all images and in every replicate. Nothing is claimed about other
      images: two models that find everything also agree.
    - ``superior``: L > 0.
    - ``worse beyond margin``: U < -margin.
    - ``worse``: U < 0; perhaps by less than the margin, which L >= -margin shows.
    - ``not worse``: L >= -margin.
    - ``cannot tell``: none of these, or no interval. It never means "equal".

    Attributes:
        split: Split of the images.
        variant: Variant of the images.
        metric: Name of the number.
        first: Its value for the first; None when undefined.
        second: Its value for the second.
        difference: First minus second; None when one is undefined.
        interval: Of the difference, paired.
        relative: Difference / second; None when the second is not above `SMALLEST_DIVISOR` with confidence.
        relative_interval: Of ``relative``, by t on the logarithm of first / second.
        p_value: Two-sided, of "no difference".
        p_holm: The same, corrected for all the comparisons made together (`with_holm`).
        share_above: Share of the replicates in which the difference is above 0. It describes the replicates and is no
            probability that the first is better.
        margin: Loss up to which the first counts as not worse; None when none was fixed.
        verdict: See above; not corrected for other comparisons.
        smallest_detectable: Smallest true difference that so many images show with power 80 %.
        images_needed: Images (or groups) that show a true difference as large as the observed one with power 80 %;
            None when it is 0.
        n_images_units: Independent images or groups.
    """

    split: str
    variant: str
    metric: str
    first: float | None
    second: float | None
    difference: float | None
    interval: Interval
    relative: float | None = None
    relative_interval: Interval | None = None
    p_value: Share | None
    p_holm: Share | None = None
    share_above: Share | None
    margin: Annotated[float, Field(ge=0)] | None = None
    verdict: Verdict
    smallest_detectable: float | None
    images_needed: int | None
    n_images_units: Annotated[int, Field(ge=0)]

    @property
    def is_shown(self) -> bool:
        """Whether a difference is shown, also after correction for the other comparisons if there were any."""
        p = self.p_value if self.p_holm is None else self.p_holm
        return self.verdict in {"superior", "worse", "worse beyond margin"} and p is not None and p <= SIGNIFICANT


def compare(
    first: float | None,
    second: float | None,
    first_replicates: NDArray[np.float64],
    second_replicates: NDArray[np.float64],
    n_units: int,
    *,
    split: str,
    variant: str,
    metric: str,
    margin: float | None = None,
    same_weights: bool = False,
    refused: str = "",
) -> Comparison:
    """Compare two sets of weights in one number.

    Args:
        first: Value on all images; None when undefined.
        second: Value of the other.
        first_replicates: float64 (B,), NaN where undefined.
        second_replicates: float64 (B,), of the same draws.
        n_units: Independent images or groups that were drawn.
        split: Split of the images.
        variant: Variant of the images.
        metric: Name of the number; those in `LOWER_IS_BETTER` are judged the other way round.
        margin: Loss that still counts as not worse, at least 0.
        same_weights: Both are the same file of weights at the same size, so they differ nowhere.
        refused: Why one of the two has no interval; then their difference has none either. Empty when both have one.

    Raises:
        ValueError: the replicates do not belong together.
    """
    if first_replicates.shape != second_replicates.shape:
        raise ValueError(f"replicates of shape {first_replicates.shape} and {second_replicates.shape} are not paired")
    difference = None if first is None or second is None else first - second
    apart = first_replicates - second_replicates
    defined = apart[np.isfinite(apart)]
    same = difference == 0 and len(defined) > 0 and not defined.any()
    interval = difference_interval(difference, apart, n_units)
    if refused:
        interval = Interval.none(refused, n_units)
    elif same_weights and same:
        interval = Interval(low=0.0, high=0.0, method="t", se=0.0, n_units=n_units, note="the weights are the same")
    elif len(defined) and np.mean(defined == 0) >= ALMOST * (1 - 1 / max(n_units, 1)) ** n_units:
        interval = Interval.none("the two differ on one image at most", n_units)
    elif _is_share(metric) and _too_good(first, second, n_units):
        interval = Interval.none("both are so good that too few images tell them apart", n_units)
    relative = None if refused else _relative(first, second, first_replicates, second_replicates, n_units)
    sd = math.sqrt(n_units) * interval.se if interval.se else None
    return Comparison(
        split=split,
        variant=variant,
        metric=metric,
        first=first,
        second=second,
        difference=difference,
        interval=interval,
        relative=None if relative is None else relative[0],
        relative_interval=None if relative is None else relative[1],
        p_value=1.0 if same else _p_value(difference, interval, n_units),
        share_above=float(np.mean(defined > 0)) if difference is not None and len(defined) else None,
        margin=margin,
        verdict="identical" if same else verdict_of(interval, margin, lower_is_better=metric in LOWER_IS_BETTER),
        smallest_detectable=smallest_difference(n_units, sd) if sd else None,
        images_needed=images_needed_for_difference(sd, difference) if sd and difference else None,
        n_images_units=n_units,
    )


def _is_share(metric: str) -> bool:
    """Whether a number near 1 means few failures: not so for miss rates, counts and ratios to the clean value."""
    return metric not in LOWER_IS_BETTER and not metric.startswith("rPC")


def _too_good(first: float | None, second: float | None, n_units: int) -> bool:
    """Whether two shares lie so near to 1 that too few units fail in the worse of them."""
    if first is None or second is None:
        return False
    worse = min(first, second)
    return NEAR_ONE < worse <= 1 and n_units * (1 - worse) < FEW_FAILURES


def with_holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with ``p_holm``, corrected over all of them that have a p value."""
    adjusted = holm([comparison.p_value for comparison in comparisons])
    return [one.model_copy(update={"p_holm": p}) for one, p in zip(comparisons, adjusted, strict=True)]


def verdict_of(interval: Interval, margin: float | None, *, lower_is_better: bool = False) -> Verdict:
    """What an interval of a difference allows to say; see `Comparison`."""
    if interval.low is None or interval.high is None:
        return "cannot tell"
    low, high = (-interval.high, -interval.low) if lower_is_better else (interval.low, interval.high)
    if low > 0:
        return "superior"
    if margin is not None and high < -margin:
        return "worse beyond margin"
    if high < 0:
        return "worse"
    return "not worse" if margin is not None and low >= -margin else "cannot tell"


def is_divisor(value: float | None, replicates: NDArray[np.float64], n_units: int) -> bool:
    """Whether a number is far enough above 0 to be divided by: its lower log-t bound is above `SMALLEST_DIVISOR`."""
    if refusal(value, replicates, n_units) or not value or value < 0:
        return False
    return float(log_t(value, standard_error(replicates, n_units), n_units)[0]) > SMALLEST_DIVISOR


def quotient_interval(
    value: float | None, above: NDArray[np.float64], below: NDArray[np.float64], n_units: int
) -> Interval:
    """Interval of a ratio from the paired replicates above and below the line, float64 (B,), by t on the logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = above / below
    return ratio_interval(value, ratios, n_units)


def noted(interval: Interval, note: str) -> Interval:
    """The interval with one more note."""
    return interval.model_copy(update={"note": "; ".join(part for part in (interval.note, note) if part)})


def _relative(
    first: float | None,
    second: float | None,
    first_replicates: NDArray[np.float64],
    second_replicates: NDArray[np.float64],
    n_units: int,
) -> tuple[float, Interval] | None:
    if first is None or second is None or not is_divisor(second, second_replicates, n_units):
        return None
    ratio = quotient_interval(first / second, first_replicates, second_replicates, n_units)
    return (first - second) / second, _shifted(ratio)


def _shifted(ratio: Interval) -> Interval:
    """Interval of ratio - 1."""
    if ratio.low is None or ratio.high is None:
        return ratio
    percentile = None if ratio.percentile is None else (ratio.percentile[0] - 1, ratio.percentile[1] - 1)
    return ratio.model_copy(update={"low": ratio.low - 1, "high": ratio.high - 1, "percentile": percentile})


def _p_value(difference: float | None, interval: Interval, n_units: int) -> float | None:
    if difference is None or interval.low is None or not interval.se:
        return None
    return float(2 * stats.t.sf(abs(difference) / interval.se, n_units - 1))
