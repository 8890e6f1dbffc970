"""Settings (image size, learning rate): what a number is, and differs by, when training starts from another seed.

A setting is the mean over its seeds; the variance of the images and that of the seeds are added as
`robust.eval.metrics.linear_contrast` says. Two questions stay apart: whether one file of weights is better than another
(`robust.eval.metrics.comparison`), and whether a setting is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field
from scipy import stats

from robust.eval.metrics.interval import LEVEL, Interval
from robust.eval.metrics.linear_contrast import LinearContrast, SeedGroup, linear_contrast, seed_sd
from robust.eval.metrics.records import Record, Share

Count = Annotated[int, Field(ge=0)]
Variance = Annotated[float, Field(ge=0)]


class SettingEstimate(Record):
    """One setting as the mean over its seeds.

    Attributes:
        value: Mean over the seeds.
        interval: Of what the setting gives with other seeds on other images; from 3 seeds on.
        n_seeds: Seeds.
        n_images_units: Independent images or groups.
        var_images: Variance from the images; None where they are too few.
        var_seeds: Variance of the mean from the seeds; None with one seed.
        degrees_of_freedom: Of the interval's t quantile; None without an interval.
        can_claim: Whether a statement about the setting is allowed: 5 seeds or more, and an interval.
        seed_sd: Standard deviation of the seeds on these images; None with one seed.
        seed_sd_interval: Its 95 % interval if seeds were normal, s sqrt((S - 1) / chi2); None where it is 0.
        values: Value of each seed.
        warning: What must be checked first, see `same_results`; empty when nothing.
    """

    value: float
    interval: Interval
    n_seeds: Count
    n_images_units: Count
    var_images: Variance | None
    var_seeds: Variance | None
    degrees_of_freedom: float | None
    can_claim: bool
    seed_sd: Variance | None
    seed_sd_interval: tuple[float, float] | None
    values: tuple[float, ...]
    warning: str = ""


class SettingDifference(Record):
    """Two settings, first minus second: images paired, seeds not. The second may be fixed weights, without seeds.

    Attributes:
        difference: Of the means over the seeds.
        interval: Its interval; from 3 seeds of each on.
        degrees_of_freedom: Of the interval's t quantile; None without an interval.
        p_value: Two-sided, of "no difference"; None without an interval.
        can_claim: Whether a statement about the settings is allowed: 5 seeds or more of each, and an interval.
        n_seeds: Of the first and of the second; 0 for fixed weights.
        n_images_units: Independent images or groups.
        var_images: Variance from the images; None where they are too few.
        var_seeds: Variance from the seeds; None where a setting has one seed.
    """

    difference: float
    interval: Interval
    degrees_of_freedom: float | None
    p_value: Share | None
    can_claim: bool
    n_seeds: tuple[Count, Count]
    n_images_units: Count
    var_images: Variance | None
    var_seeds: Variance | None


class Contrast(Record):
    """An effect in a complete grid of image sizes and learning rates: higher minus lower level.

    It says what happened in this grid, not what causes what.

    Attributes:
        kind: Effect of the image size, averaged over the learning rates with equal weights; the same the other way
            round; or the interaction, how much larger the effect of the image size is at the higher learning rate.
        imgsz: The two sizes compared, or those averaged over; rising.
        lr0: The two learning rates compared, or those averaged over; rising.
        difference: The effect.
        interval: Its interval; from 3 seeds in every cell on.
        degrees_of_freedom: Of the interval's t quantile; None without an interval.
        residual_degrees: What the seeds leave for their spread, sum of S - 1 over the cells: 4 for two seeds in each
            of four cells.
        p_value: Two-sided, of "no effect"; None without an interval.
        can_claim: Whether a statement about the setting is allowed: 5 seeds or more in every cell, and an interval.
        n_seeds: Of each cell that enters, rows of image sizes by learning rates.
        n_images_units: Independent images or groups.
    """

    kind: Literal["imgsz", "lr0", "interaction"]
    imgsz: tuple[int, ...]
    lr0: tuple[float, ...]
    difference: float
    interval: Interval
    degrees_of_freedom: float | None
    residual_degrees: Count
    p_value: Share | None
    can_claim: bool
    n_seeds: tuple[Count, ...]
    n_images_units: Count


def setting_estimate(group: SeedGroup, n_units: int) -> SettingEstimate:
    """Estimate one setting from its seeds, on ``n_units`` independent images or groups."""
    found = linear_contrast([1.0], [group], n_units)
    spread = seed_sd(group.values)
    return SettingEstimate(
        value=found.value,
        interval=found.interval,
        n_seeds=len(group.values),
        n_images_units=n_units,
        var_images=found.var_images,
        var_seeds=found.var_seeds,
        degrees_of_freedom=_degrees(found),
        can_claim=found.can_claim,
        seed_sd=spread,
        seed_sd_interval=seed_sd_interval(spread, len(group.values)) if spread else None,
        values=group.values,
        warning=same_results(group.values),
    )


def setting_difference(first: SeedGroup, second: SeedGroup, n_units: int) -> SettingDifference:
    """Compare two settings measured on the same draws of ``n_units`` independent images or groups."""
    found = linear_contrast([1.0, -1.0], [first, second], n_units)
    return SettingDifference(
        difference=found.value,
        interval=found.interval,
        degrees_of_freedom=_degrees(found),
        p_value=found.p_value,
        can_claim=found.can_claim,
        n_seeds=(_n_seeds(first), _n_seeds(second)),
        n_images_units=n_units,
        var_images=found.var_images,
        var_seeds=found.var_seeds,
    )


def _n_seeds(group: SeedGroup) -> int:
    return 0 if group.fixed else len(group.values)


def contrasts(cells: Mapping[tuple[int, float], SeedGroup], n_units: int) -> tuple[tuple[Contrast, ...], str]:
    """Effects of both axes for every pair of levels, and the interaction of every 2 x 2 part of the grid.

    Args:
        cells: Group of seeds for each (image size, learning rate).
        n_units: Independent images or groups, the same draws for all.

    Returns:
        The effects, and why there are none: empty when there are some.
    """
    sizes, rates = (sorted({cell[axis] for cell in cells}) for axis in (0, 1))
    missing = [f"{size} px with {rate:g}" for size in sizes for rate in rates if (int(size), rate) not in cells]
    if missing:
        return (), f"the grid is not complete: {', '.join(missing)} is missing"
    if len(cells) < 2:
        return (), "there is one configuration only" if cells else "there are no configurations"
    found = []
    for kind, coefficients in _effects([int(size) for size in sizes], rates):
        groups = [cells[cell] for cell in coefficients]
        contrast = linear_contrast(list(coefficients.values()), groups, n_units)
        found.append(_contrast(kind, tuple(coefficients), contrast))
    return tuple(found), ""


def seed_sd_interval(sd: float, n_seeds: int) -> tuple[float, float]:
    """95 % interval of the standard deviation of normal seeds: sd sqrt((S - 1) / chi2), for two seeds or more."""
    tail = (1 - LEVEL) / 2
    high, low = (float(q) for q in stats.chi2.ppf([tail, 1 - tail], n_seeds - 1))
    return sd * math.sqrt((n_seeds - 1) / low), sd * math.sqrt((n_seeds - 1) / high)


def same_results(values: Sequence[float]) -> str:
    """A warning when seeds gave exactly the same result: most often the same weights counted twice; empty if not."""
    n = len(values) - len(set(values))
    return "several seeds have exactly the same result: check that their weight files differ" if n else ""


def _effects(
    sizes: Sequence[int], rates: Sequence[float]
) -> list[tuple[Literal["imgsz", "lr0", "interaction"], dict[tuple[int, float], float]]]:
    """Coefficients of the cells for each effect."""
    found: list[tuple[Literal["imgsz", "lr0", "interaction"], dict[tuple[int, float], float]]] = []
    size_pairs, rate_pairs = list(itertools.combinations(sizes, 2)), list(itertools.combinations(rates, 2))
    for pair in size_pairs:
        signs = zip(pair, (-1.0, 1.0), strict=True)
        found.append(("imgsz", {(size, rate): sign / len(rates) for size, sign in signs for rate in rates}))
    for low, high in rate_pairs:
        signed = ((low, -1.0), (high, 1.0))
        found.append(("lr0", {(size, rate): sign / len(sizes) for size in sizes for rate, sign in signed}))
    for (small, large), (low, high) in itertools.product(size_pairs, rate_pairs):
        corners = {(small, low): 1.0, (small, high): -1.0, (large, low): -1.0, (large, high): 1.0}
        found.append(("interaction", corners))
    return found


def _contrast(
    kind: Literal["imgsz", "lr0", "interaction"], cells: Sequence[tuple[int, float]], found: LinearContrast
) -> Contrast:
    return Contrast(
        kind=kind,
        imgsz=tuple(sorted({size for size, _ in cells})),
        lr0=tuple(sorted({rate for _, rate in cells})),
        difference=found.value,
        interval=found.interval,
        degrees_of_freedom=_degrees(found),
        residual_degrees=sum(n - 1 for n in found.n_seeds),
        p_value=found.p_value,
        can_claim=found.can_claim,
        n_seeds=found.n_seeds,
        n_images_units=found.n_units,
    )


def _degrees(found: LinearContrast) -> float | None:
    return None if found.interval.low is None else found.degrees_of_freedom
