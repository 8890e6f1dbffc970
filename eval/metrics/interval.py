"""Intervals: what a number could be on other images of the same kind.

A share (AP, recall, precision, F1, mPC, MR^-2) gets the *logit-t cluster bootstrap*: the standard error of its
bootstrap replicates, widened for the number of units, carried to the logit scale by the delta method, with a t
quantile of one less than the number of units. It keeps the interval inside 0..1 and, unlike percentile and BCa
intervals, close to its nominal level with 10 to 50 images (measured: `docs/statistics.md`). It is a combination of
standard parts; no publication validates exactly this one for AP. Above 0.95, where a few bad images decide and may all
be missing from the sample, it reaches at least as far as the exact binomial interval over the units.

Where the replicates do not vary (everything found, nothing found) a bootstrap would print an interval of no width, so
the exact binomial interval of Clopper and Pearson (1934, Biometrika 26) over the units that carry the number stands in.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import model_validator
from scipy import special, stats

from robust.eval.metrics.records import Record

LEVEL = 0.95
"""Two-sided, so each side errs in at most 2.5 % of cases."""
MIN_UNITS = 5
MIN_OBJECTS = 5
SMALL_UNITS = 30
NEAR_ONE = 0.95
"""From this value on a share may rest on too few failures for its replicates to know how far it can fall."""
FEW_FAILURES = 5
"""Units times 1 - share below which that is so."""
MAX_UNDEFINED = 0.05
"""Largest share of replicates in which a number may be undefined."""

VERY_SMALL = "very small sample"

_DIGITS = 1e6

Method = Literal["logit-t", "t", "log-t", "exact", "percentile", "Satterthwaite t"]


class Interval(Record):
    """A two-sided 95 % interval, or the reason why there is none.

    Attributes:
        low: Lower end; None when there is no interval.
        high: Upper end.
        method: How it was made.
        se: Standard error, of the replicates, widened by sqrt(n / (n - 1)).
        percentile: The percentile interval of the same replicates, which any tool can reproduce.
        n_units: Independent units: images, or source groups; also seeds where the method says so.
        note: Why there is no interval, or how it must be read ("very small sample"); empty when neither.
    """

    low: float | None
    high: float | None
    method: Method | None
    se: float | None = None
    percentile: tuple[float, float] | None = None
    n_units: int
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Interval:
        if (self.low is None) != (self.high is None) or (self.low is None) != (self.method is None):
            raise ValueError("an interval has two ends and a method, or none of them")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] is upside down")
        if self.low is None and not self.note:
            raise ValueError("where there is no interval, the note says why")
        return self

    @classmethod
    def none(cls, reason: str, n_units: int) -> Interval:
        """No interval, and why."""
        return cls(low=None, high=None, method=None, n_units=n_units, note=reason)


def share_interval(
    value: float | None,
    replicates: NDArray[np.float64],
    n_units: int,
    *,
    n_objects: int | None = None,
    n_carrying: int | None = None,
) -> Interval:
    """Interval of a number between 0 and 1.

    Args:
        value: The number on all images; None when undefined.
        replicates: float64 (B,), its replicates; NaN where undefined.
        n_units: Units that were drawn.
        n_objects: Objects (or detections) behind the number; fewer than 5 are refused. None: not checked.
        n_carrying: Units that hold something to be counted, of the rarest class where the number is a mean over
            classes; fewer than 5 are refused, and t has one degree of freedom less than these. None: all.
    """
    carrying = n_units if n_carrying is None else min(n_carrying, n_units)
    refused = refusal(value, replicates, n_units, n_objects)
    if not refused and carrying < MIN_UNITS:
        refused = f"{carrying} images or groups carry the number or one of its classes: at least {MIN_UNITS} are needed"
    if refused or value is None:
        return Interval.none(refused or "not defined", n_units)
    se = standard_error(replicates, carrying)
    if not 0 < value < 1 or se == 0:
        return _exact(value, carrying, n_units)
    low, high = share_ends(value, se, carrying)
    made = _made((float(low), float(high)), "logit-t", se, replicates, n_units)
    return made.model_copy(update={"note": _smallness(carrying)})


def rate_interval(
    value: float | None, replicates: NDArray[np.float64], n_units: int, *, n_objects: int | None = None
) -> Interval:
    """Interval of a number that is 0 or more, such as false positives per image: t on the logarithm.

    For 0 the upper end is the exact one of a Poisson count, -ln(0.025) / n (Garwood 1936, Biometrika 28).
    """
    refused = refusal(value, replicates, n_units, n_objects)
    if refused or value is None:
        return Interval.none(refused or "not defined", n_units)
    se = standard_error(replicates, n_units)
    if value == 0:
        most = -math.log((1 - LEVEL) / 2) / n_units
        return Interval(low=0.0, high=most, method="exact", se=se, n_units=n_units, note=_smallness(n_units))
    if se == 0:
        return Interval.none("the replicates do not vary", n_units)
    low, high = log_t(value, se, n_units)
    return _made((float(low), float(high)), "log-t", se, replicates, n_units)


def ratio_interval(value: float | None, replicates: NDArray[np.float64], n_units: int) -> Interval:
    """Interval of a ratio of two numbers (rPC, retained share): t on the logarithm of the ratio's replicates."""
    refused = refusal(value, replicates, n_units)
    if refused or not value:
        return Interval.none(refused or "not defined", n_units)
    logs = np.log(replicates[np.isfinite(replicates) & (replicates > 0)])
    if len(logs) < (1 - MAX_UNDEFINED) * len(replicates):
        return Interval.none("the ratio is 0 in too many replicates", n_units)
    se = standard_error(replicates, n_units)
    if se == 0:
        return Interval.none("the replicates do not vary", n_units)
    half = t_quantile(n_units - 1) * standard_error(logs, n_units)
    ends = value * math.exp(-half), value * math.exp(half)
    return _made(ends, "log-t", se, replicates, n_units)


def difference_interval(value: float | None, replicates: NDArray[np.float64], n_units: int) -> Interval:
    """Interval of a paired difference, or of any number without bounds: value +/- t SE.

    Where the replicates do not vary there is none: an interval of no width would claim certainty.
    """
    refused = refusal(value, replicates, n_units)
    if refused or value is None:
        return Interval.none(refused or "not defined", n_units)
    se = standard_error(replicates, n_units)
    if se == 0:
        return Interval.none("the replicates do not vary", n_units)
    half = t_quantile(n_units - 1) * se
    return _made((value - half, value + half), "t", se, replicates, n_units)


def percentile_interval(value: float | None, replicates: NDArray[np.float64], n_units: int) -> Interval:
    """Interval from the quantiles of the replicates, for numbers such as a minimum over variants or a severity."""
    refused = refusal(value, replicates, n_units)
    if refused or value is None:
        return Interval.none(refused or "not defined", n_units)
    low, high = _quantiles(replicates)
    se = standard_error(replicates, n_units)
    return _made((low, high), "percentile", se, replicates, n_units)


def refusal(
    value: float | None, replicates: NDArray[np.float64], n_units: int, n_objects: int | None = None
) -> str | None:
    """Why no interval may be printed; None when one may."""
    if value is None or not math.isfinite(value):
        return "not defined"
    if n_units < MIN_UNITS:
        return f"{n_units} independent images or groups are too few: at least {MIN_UNITS} are needed"
    if n_objects is not None and n_objects < MIN_OBJECTS:
        return f"{n_objects} objects are too few: at least {MIN_OBJECTS} are needed"
    undefined = float(np.mean(~np.isfinite(replicates))) if len(replicates) else 1.0
    if undefined > MAX_UNDEFINED:
        return f"undefined in {undefined:.0%} of the replicates"
    return None


def logit_t(value: ArrayLike, se: ArrayLike, n_units: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """expit(logit(value) -/+ t SE / (value (1 - value))), element by element, for values strictly inside 0..1."""
    quantile = np.reshape([t_quantile(n - 1) for n in np.ravel(n_units).tolist()], np.shape(n_units))
    theta, spread = np.asarray(value, dtype=np.float64), np.asarray(se, dtype=np.float64)
    centre = np.log(theta / (1 - theta))
    half = quantile * spread / (theta * (1 - theta))
    return _expit(centre - half), _expit(centre + half)


def log_t(value: ArrayLike, se: ArrayLike, n_units: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Value * exp(-/+ t SE / value), element by element, for values above 0."""
    theta, spread = np.asarray(value, dtype=np.float64), np.asarray(se, dtype=np.float64)
    half = t_quantile(n_units - 1) * spread / theta
    return theta * np.exp(-half), theta * np.exp(half)


def standard_error(replicates: NDArray[np.float64], n_units: int) -> float:
    """Standard deviation of the replicates that are defined, times sqrt(n / (n - 1))."""
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < 2 or n_units < 2:
        return 0.0
    if np.ptp(defined) <= 1e-12 * float(np.abs(defined).max()):  # rounding must not make a constant vary
        return 0.0
    return float(defined.std(ddof=1) * math.sqrt(n_units / (n_units - 1)))


@cache
def t_quantile(degrees: float, level: float = LEVEL) -> float:
    """Two-sided quantile of Student's t."""
    return float(stats.t.ppf(1 - (1 - level) / 2, degrees))


def share_ends(value: ArrayLike, se: ArrayLike, n_units: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of logit-t, with few failures near 1 at least as far out as the exact binomial ones.

    Args:
        value: Shares between 0 and 1, both left out.
        se: Their standard errors, above 0.
        n_units: Units that carry them.
    """
    low, high = logit_t(value, se, n_units)
    share, n = np.broadcast_arrays(np.asarray(value, dtype=np.float64), np.asarray(n_units, dtype=np.float64))
    few = (share > NEAR_ONE) & (n * (1 - share) < FEW_FAILURES)
    if not few.any():
        return low, high
    tail = (1 - LEVEL) / 2
    hits, misses = np.where(few, share * n, 1.0), np.where(few, n - share * n, 1.0)
    exact_low, exact_high = special.betaincinv(hits, misses + 1, tail), special.betaincinv(hits + 1, misses, 1 - tail)
    return np.where(few, np.minimum(low, exact_low), low), np.where(few, np.maximum(high, exact_high), high)


@cache
def clopper_pearson(hits: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact interval of a binomial share (Clopper and Pearson 1934)."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(stats.beta.ppf(1 - tail, hits + 1, trials - hits))
    return low, high


def _exact(value: float, n_carrying: int, n_units: int) -> Interval:
    if value not in (0, 1):
        return Interval.none("the replicates do not vary", n_units)
    low, high = clopper_pearson(n_carrying if value == 1 else 0, n_carrying)
    return Interval(low=low, high=high, method="exact", se=0.0, n_units=n_units, note=_smallness(n_carrying))


def _made(
    ends: tuple[float, float], method: Method, se: float, replicates: NDArray[np.float64], n_units: int
) -> Interval:
    low, high = outward(*ends)
    return Interval(
        low=low,
        high=high,
        method=method,
        se=float(f"{se:.6g}"),
        percentile=outward(*_quantiles(replicates)),
        n_units=n_units,
        note=_smallness(n_units),
    )


def _quantiles(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Quantiles by linear interpolation, as `numpy.quantile` makes them, at a tenth of its time."""
    defined = replicates[np.isfinite(replicates)]
    places = [tail * (len(defined) - 1) for tail in ((1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2)]
    neighbours = [(int(place), min(int(place) + 1, len(defined) - 1)) for place in places]
    ordered = np.partition(defined, sorted({k for pair in neighbours for k in pair}))
    low, high = (
        float(ordered[k] + (place - k) * (ordered[after] - ordered[k]))
        for place, (k, after) in zip(places, neighbours, strict=True)
    )
    return low, high


def outward(low: float, high: float) -> tuple[float, float]:
    """Ends with 6 decimals, rounded away from the middle: finer than their Monte Carlo error by far."""
    return math.floor(low * _DIGITS) / _DIGITS, math.ceil(high * _DIGITS) / _DIGITS


def _smallness(n_units: int) -> str:
    return VERY_SMALL if n_units < SMALL_UNITS else ""


def _expit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(special.expit(x), dtype=np.float64)
