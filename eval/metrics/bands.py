"""Intervals of precision, recall, F1 and FPPI at every threshold of a sweep, made in one go.

At each threshold a band is the interval that `robust.eval.metrics.interval` makes there: logit-t for the shares and
log-t for FPPI, the exact interval where the value is 0 or 1, none where too little carries the number. A band is
pointwise: each end is meant for its own threshold, not for all of them together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from robust.eval.metrics.counts import RATES, ImageCounts, rates
from robust.eval.metrics.interval import (
    LEVEL,
    MAX_UNDEFINED,
    MIN_OBJECTS,
    MIN_UNITS,
    SMALL_UNITS,
    VERY_SMALL,
    Interval,
    log_t,
    rate_interval,
    share_ends,
    share_interval,
    standard_error,
)
from robust.eval.metrics.records import Record
from robust.eval.metrics.resampling import ImageWeights

Ends = tuple[float | None, ...]

_DIGITS = 1e6  # ends are stored with 6 decimals, rounded outward


class Bands(Record):
    """Two-sided 95 % intervals at K thresholds, those of the sweep they belong to.

    The ends are rounded outward to 6 decimals; None where there is no interval. Where a share is 0 or 1, or FPPI is 0,
    the exact interval stands in for the method.

    Attributes:
        share_method: How the ends of precision, recall and F1 were made.
        fppi_method: How those of the false positives per image were made.
        precision_low: Lower ends of the precision; and so on.
        n_units: Independent units: images, or source groups.
        note: Where there is no interval, or how they must be read; empty when neither.
    """

    share_method: Literal["logit-t"] = "logit-t"
    fppi_method: Literal["log-t"] = "log-t"
    precision_low: Ends
    precision_high: Ends
    recall_low: Ends
    recall_high: Ends
    f1_low: Ends
    f1_high: Ends
    fppi_low: Ends
    fppi_high: Ends
    n_units: int
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Bands:
        for rate in RATES:
            pairs = zip(getattr(self, f"{rate}_low"), getattr(self, f"{rate}_high"), strict=True)
            if any((low is None) != (high is None) or (low or 0.0) > (high or 0.0) for low, high in pairs):
                raise ValueError(f"the ends of {rate} do not go together")
        if len({len(getattr(self, f"{rate}_low")) for rate in RATES}) > 1:
            raise ValueError("the bands must have the same thresholds")
        return self

    def at(self, rate: str, index: int) -> tuple[float, float] | None:
        """Ends of one rate at one threshold, None where there is no interval."""
        low, high = getattr(self, f"{rate}_low")[index], getattr(self, f"{rate}_high")[index]
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True, eq=False)
class _Support:
    """What carries a rate at each threshold: things counted, and units that hold them; int64 (K,)."""

    counted: NDArray[np.int64]
    units: NDArray[np.int64]


def bands(counts: ImageCounts, weights: ImageWeights) -> Bands:
    """Make the intervals of the four rates at every threshold.

    Args:
        counts: Of one candidate in one cell.
        weights: Of the same images.

    Raises:
        ValueError: the weights are of another number of images.
    """
    values, replicates = _measured(counts, weights)
    support = _support(counts, weights)
    columns: dict[str, Ends] = {}
    for rate in RATES:
        low, high = _ends(values[rate], replicates[rate], support.get(rate), weights.n_units)
        columns[f"{rate}_low"] = _stored(np.floor(low * _DIGITS) / _DIGITS)
        columns[f"{rate}_high"] = _stored(np.ceil(high * _DIGITS) / _DIGITS)
    fields: dict[str, Any] = {**columns, "n_units": weights.n_units, "note": _note(columns, weights.n_units)}
    return Bands(**fields)


def rate_intervals(counts: ImageCounts, weights: ImageWeights, threshold: float) -> dict[str, Interval]:
    """Intervals of precision, recall, f1 and fppi at one of the thresholds.

    Args:
        counts: Of one candidate in one cell.
        weights: Of the same images.
        threshold: One of ``counts.thresholds``.

    Raises:
        ValueError: the threshold was not counted at, or the weights are of another number of images.
    """
    at = np.flatnonzero(counts.thresholds == threshold)
    if len(at) == 0:
        raise ValueError(f"{threshold} is not one of the thresholds")
    one = slice(int(at[0]), int(at[0]) + 1)
    counts = ImageCounts(counts.thresholds[one], counts.tp[:, one], counts.fp[:, one], counts.objects)
    values, replicates = _measured(counts, weights)
    found = {}
    for rate, support in _support(counts, weights).items():
        found[rate] = share_interval(
            _defined(values[rate][0]),
            replicates[rate][0],
            weights.n_units,
            n_objects=int(support.counted[0]),
            n_carrying=int(support.units[0]),
        )
    found["fppi"] = rate_interval(_defined(values["fppi"][0]), replicates["fppi"][0], weights.n_units)
    return found


def _measured(
    counts: ImageCounts, weights: ImageWeights
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """The rates on all images (K,), and their replicates (K, B)."""
    if weights.n_images != counts.n_images:
        raise ValueError(f"weights of {weights.n_images} images do not fit counts of {counts.n_images}")
    once = rates(counts, np.ones((counts.n_images, 1)))
    return {rate: columns[:, 0] for rate, columns in once.items()}, rates(counts, weights.values)


def _support(counts: ImageCounts, weights: ImageWeights) -> dict[str, _Support]:
    """What carries each share.

    F1 is carried by the units with objects: those with false alarms only enter its denominator too, but a detector that
    finds nothing must not look better tested because it raises alarms.
    """
    found = counts.tp + counts.fp
    unit = None if weights.n_units == weights.n_images else weights.unit_of_image
    objects = np.full(len(counts.thresholds), counts.n_objects)
    with_objects = np.full(len(counts.thresholds), _units_holding(counts.objects[:, None], unit)[0])
    return {
        "precision": _Support(found.sum(axis=0).astype(np.int64), _units_holding(found, unit)),
        "recall": _Support(objects, with_objects),
        "f1": _Support(objects, with_objects),
    }


def _units_holding(table: NDArray[np.float64], unit: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Count, for each column, the units with an image above 0."""
    if unit is not None:
        held = np.zeros((int(unit.max(initial=-1)) + 1, table.shape[1]))
        np.maximum.at(held, unit, table)
        table = held
    return np.asarray(np.count_nonzero(table, axis=0), dtype=np.int64)


def _ends(
    values: NDArray[np.float64], replicates: NDArray[np.float64], support: _Support | None, n_units: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends (K,) of one rate, NaN where there is no interval; a rate without support is FPPI."""
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    if n_units < MIN_UNITS:
        return low, high
    se, undefined = _spread(replicates, n_units)
    allowed = np.isfinite(values) & (undefined <= MAX_UNDEFINED)
    if support is None:
        zero, smooth = allowed & (values == 0), allowed & (values > 0) & (se > 0)
        low[zero], high[zero] = 0.0, -math.log((1 - LEVEL) / 2) / n_units
        low[smooth], high[smooth] = log_t(values[smooth], se[smooth], n_units)
        return low, high
    carried = allowed & (support.counted >= MIN_OBJECTS) & (support.units >= MIN_UNITS)
    smooth = carried & (values > 0) & (values < 1) & (se > 0)
    units = support.units[smooth]
    wider = np.sqrt(units / (units - 1) * (n_units - 1) / n_units)  # as if these units alone had been drawn
    low[smooth], high[smooth] = share_ends(values[smooth], se[smooth] * wider, units)
    none, every = carried & (values == 0), carried & (values == 1)
    edge = ((1 - LEVEL) / 2) ** (1 / np.maximum(support.units, 1))  # Clopper and Pearson's end for all of m units
    low[every], high[every] = edge[every], 1.0
    low[none], high[none] = 0.0, 1 - edge[none]
    return low, high


def _spread(replicates: NDArray[np.float64], n_units: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`standard_error` of each row, and the share of the row that is undefined; float64 (K,) each."""
    low, high = replicates.min(axis=1), replicates.max(axis=1)
    centred = replicates - replicates.mean(axis=1, keepdims=True)
    variance = np.einsum("kb,kb->k", centred, centred) / max(1, replicates.shape[1] - 1)
    found = np.where(low < high, np.sqrt(variance * n_units / (n_units - 1)), 0.0)
    undefined = np.zeros(len(found))
    for i in np.flatnonzero(np.isnan(low)).tolist():  # NaN went through all of the above
        found[i] = standard_error(replicates[i], n_units)
        undefined[i] = np.isnan(replicates[i]).mean()
    return found, undefined


def _defined(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


def _stored(ends: NDArray[np.float64]) -> Ends:
    return tuple(None if math.isnan(end) else end for end in ends.tolist())


def _note(columns: dict[str, Ends], n_units: int) -> str:
    if n_units < MIN_UNITS:
        return f"{n_units} independent images or groups are too few: at least {MIN_UNITS} are needed"
    parts = [VERY_SMALL] if n_units < SMALL_UNITS else []
    for rate in RATES:
        ends = columns[f"{rate}_low"]
        missing = sum(end is None for end in ends)
        if missing:
            parts.append(f"no interval of {rate} at {missing} of {len(ends)} thresholds")
    return "; ".join(parts)
