"""Weighted sums of settings (a level, a difference, an effect) with the variance of their images and of their seeds.

The two parts are added:

    V_img  = variance of the contrast's replicates * n / (n - 1)     the same draws of images for all seeds and settings
    V_seed = sum over settings of c^2 s^2 / S                        s of the S seeds; seeds are never paired

with a t quantile for the degrees of freedom of Satterthwaite 1946 (Biometrics Bulletin 2):
V^2 / (V_img^2 / (n - 1) + sum (c^2 s^2 / S)^2 / (S - 1)). Slightly conservative: how seeds and images interact is
counted in both parts. With fewer than 3 seeds no interval is printed: the t quantile is 12.7 for two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from robust.eval.metrics.interval import SMALL_UNITS, VERY_SMALL, Interval, refusal, standard_error, t_quantile

SEEDS_FOR_INTERVAL = 3
SEEDS_FOR_CLAIM = 5


@dataclass(frozen=True, eq=False)
class SeedGroup:
    """One setting, trained from several seeds and measured on the same images.

    Attributes:
        values: Value of each seed on all images.
        replicates: float64 (S, B), of the same draws for all seeds; NaN where undefined.
        fixed: One file of weights that no training would make anew, such as a baseline: it has no seeds to vary.
    """

    values: tuple[float, ...]
    replicates: NDArray[np.float64]
    fixed: bool = False

    def __post_init__(self) -> None:
        if not self.values or self.replicates.ndim != 2 or len(self.replicates) != len(self.values):
            raise ValueError(f"{len(self.values)} seeds do not go with replicates of shape {self.replicates.shape}")
        if self.fixed and len(self.values) > 1:
            raise ValueError("fixed weights have one value")


@dataclass(frozen=True, eq=False)
class LinearContrast:
    """A weighted sum of settings with the two parts of its variance.

    Attributes:
        value: sum c * mean over seeds.
        var_images: V_img; None where no interval may be printed.
        var_seeds: V_seed; None when a setting has one seed only.
        degrees_of_freedom: Satterthwaite's; None when there is no variance.
        refused: Why the images give no interval; None when they do.
        n_seeds: Of each setting that is not fixed.
        n_units: Independent images or groups.
    """

    value: float
    var_images: float | None
    var_seeds: float | None
    degrees_of_freedom: float | None
    refused: str | None
    n_seeds: tuple[int, ...]
    n_units: int

    @property
    def se(self) -> float | None:
        """Standard error, sqrt(V_img + V_seed)."""
        if self.var_images is None or self.var_seeds is None:
            return None
        return math.sqrt(self.var_images + self.var_seeds)

    @property
    def can_claim(self) -> bool:
        """Whether every setting has the seeds that a statement about settings needs, and there is an interval."""
        return min(self.n_seeds) >= SEEDS_FOR_CLAIM and self.degrees_of_freedom is not None

    @property
    def interval(self) -> Interval:
        """95 % interval, or why there is none."""
        fewest = min(self.n_seeds)
        if fewest < SEEDS_FOR_INTERVAL:
            seeds = "1 seed" if fewest == 1 else f"{fewest} seeds"
            return Interval.none(f"{seeds}: at least {SEEDS_FOR_INTERVAL} are needed for an interval", self.n_units)
        if self.se is None or self.degrees_of_freedom is None:
            return Interval.none(self.refused or "neither images nor seeds vary", self.n_units)
        half = t_quantile(self.degrees_of_freedom) * self.se
        return Interval(
            low=self.value - half,
            high=self.value + half,
            method="Satterthwaite t",
            se=self.se,
            n_units=self.n_units,
            note=VERY_SMALL if self.n_units < SMALL_UNITS else "",
        )

    @property
    def p_value(self) -> float | None:
        """Two-sided, of "the contrast is 0"; None without an interval."""
        if self.interval.low is None or not self.se or self.degrees_of_freedom is None:
            return None
        return float(2 * stats.t.sf(abs(self.value) / self.se, self.degrees_of_freedom))


def linear_contrast(coefficients: Sequence[float], groups: Sequence[SeedGroup], n_units: int) -> LinearContrast:
    """Add up settings with coefficients, and the variance of the sum.

    Args:
        coefficients: One for each group; 1 for a level, 1 and -1 for a difference.
        groups: Settings, all with replicates of the same draws; one at least is not fixed.
        n_units: Independent images or groups that were drawn.

    Raises:
        ValueError: the groups do not go together.
    """
    trained = [group for group in groups if not group.fixed]
    if not trained or len(coefficients) != len(groups) or len({group.replicates.shape[1] for group in groups}) > 1:
        raise ValueError("a contrast needs a coefficient for each setting, and replicates of the same draws")
    terms = list(zip(coefficients, groups, strict=True))
    value = math.fsum(c * float(np.mean(group.values)) for c, group in terms)
    replicates = sum((c * group.replicates.mean(axis=0) for c, group in terms), np.zeros(groups[0].replicates.shape[1]))
    refused = refusal(value, replicates, n_units)
    var_images = None if refused else standard_error(replicates, n_units) ** 2
    n_seeds = tuple(len(group.values) for group in trained)
    spreads = [(c, group, seed_sd(group.values)) for c, group in terms if not group.fixed]
    parts = [c**2 * sd**2 / len(group.values) for c, group, sd in spreads if sd is not None]
    var_seeds = math.fsum(parts) if len(parts) == len(trained) else None
    degrees = None
    if var_images is not None and var_seeds is not None and var_images + var_seeds > 0:
        degrees = satterthwaite_degrees(var_images, n_units, parts, n_seeds)
    return LinearContrast(value, var_images, var_seeds, degrees, refused, n_seeds, n_units)


def satterthwaite_degrees(
    var_images: float, n_units: int, seed_parts: Sequence[float], n_seeds: Sequence[int]
) -> float:
    """Degrees of freedom of V_img + sum of the seeds' parts c^2 s^2 / S; not all of them may be 0."""
    below = var_images**2 / (n_units - 1)
    below += math.fsum(part**2 / (n - 1) for part, n in zip(seed_parts, n_seeds, strict=True))
    return (var_images + math.fsum(seed_parts)) ** 2 / below


def seed_sd(values: Sequence[float]) -> float | None:
    """Standard deviation over the seeds; None with fewer than two."""
    if len(values) < 2:
        return None
    return (
        0.0 if min(values) == max(values) else float(np.std(values, ddof=1))
    )  # rounding must not make a constant vary
