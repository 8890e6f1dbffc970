"""One cell measured: COCO numbers, miss rate, kinds of objects and of errors, each with its interval (pure).

A cell is measured in one pass over its stored predictions and put away; what is kept are records for the evidence and
the replicates of the headline numbers, from which candidates are compared later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN, Variant
from robust.eval.evidence.records import CellEvidence
from robust.eval.metrics.calibration import Calibration, calibration
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.error_types import (
    ErrorReplicates,
    breakdown_of,
    error_changes,
    error_replicates,
    without_intervals,
)
from robust.eval.metrics.interval import MIN_UNITS, Interval, share_interval
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.miss_rate import miss_rate_of
from robust.eval.metrics.pr_curve import interpolated_precision
from robust.eval.metrics.records import MissRate
from robust.eval.metrics.resampling import ImageWeights, Resampling, image_weights
from robust.eval.metrics.strata import MAX_REPLICATES, Stratum, strata, stratum_metrics
from robust.eval.metrics.thresholds import SWEEP_IOU
from robust.eval.metrics.weighted import COCO_NAMES, class_vanishes, coco_replicates, miss_rate_replicates
from robust.eval.records import GroundTruth, Predictions

SELECTION_METRICS = ("AP", "AP50", "AR100")
"""Measured also on the images that a replicate left out, to correct what selection on them does to the winner."""
MISS_RATES = {"mr2": "MR-2", "recall_fppi_01": "recall_at_fppi_0.1", "recall_fppi_1": "recall_at_fppi_1"}
"""Field of `MissRate` -> name of its interval and of its MLflow metric."""
VANISHING = 0.01
"""Share of replicates without any object of some class from which smooth weights are used."""

_AREAS = {"s": (0.0, 32.0**2), "m": (32.0**2, 96.0**2), "l": (96.0**2, 1e10)}  # last letter of APs, ARm, ...


@dataclass(frozen=True, eq=False)
class CellResult:
    """One finished cell.

    Attributes:
        split: Of the data.
        variant: What the images were shown as.
        key: Address of the cell.
        truth: Ground truth of the variant.
        predictions: Of one candidate.
    """

    split: str
    variant: Variant
    key: str
    truth: GroundTruth
    predictions: Predictions

    @property
    def stream(self) -> str:
        """Which images these are: the split's, in every variant, or those of a recorded set."""
        same_images = self.variant.severity > 0 or self.variant.corruption == CLEAN
        return self.split if same_images else self.variant.name


@dataclass(frozen=True)
class MeasuredCell:
    """What is kept of a cell once its predictions are put away.

    Attributes:
        variant: What the images were shown as.
        evidence: The numbers.
        provenance: Of the predictions.
        replicates: Metric -> float64 (B,), of the 12 COCO numbers; on variants without those of one size of objects.
        errors: What each kind of error costs, for the change between clean and variant.
        left_out: The COCO numbers on the images that each replicate did not draw; only for clean cells.
        n_carrying: Images or groups that hold an object of the rarest class; None when not counted.
    """

    variant: Variant
    evidence: CellEvidence
    provenance: Mapping[str, Any]
    replicates: Mapping[str, NDArray[np.float64]]
    errors: ErrorReplicates
    left_out: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    n_carrying: int | None = None


class Weighing:
    """The weights of all cells of an evaluation: one draw for each set of images.

    The first cell of a set decides whether smooth weights are needed; it must be the clean one, so that all variants
    and all candidates get the same draw.

    Args:
        resampling: Seed and number of replicates.
    """

    def __init__(self, resampling: Resampling) -> None:
        self.resampling = resampling
        self._smooth: dict[str, bool] = {}

    def of(self, cell: CellResult) -> ImageWeights:
        """The weights of the cell's images."""
        groups, stream = cell.truth.groups, cell.stream
        if stream not in self._smooth:
            plain = image_weights(groups, self.resampling, stream)
            several = len(cell.truth.categories) > 1
            self._smooth[stream] = several and class_vanishes(cell.truth, plain.values) > VANISHING
        return image_weights(groups, self.resampling, stream, smooth=self._smooth[stream])


def measure_cell(
    cell: CellResult,
    weights: ImageWeights,
    clean: MeasuredCell | None = None,
    *,
    matches: Matches | None = None,
    parts: Sequence[Stratum] | None = None,
) -> MeasuredCell:
    """Measure one cell.

    Args:
        cell: With its predictions.
        weights: Of its images, from `Weighing`.
        clean: The same images without a corruption, measured before; None when this is that cell, or there is none.
        matches: All detections of the cell at IoU 0.5, where they have been made already.
        parts: Kinds of objects, from `strata` of the cell, likewise.
    """
    truth, predictions = cell.truth, cell.predictions
    coco = coco_metrics(truth, predictions)
    matches = match(truth, predictions, (SWEEP_IOU,)) if matches is None else matches
    parts = strata(truth) if parts is None else parts
    rates = miss_rate_of(matches)
    replicates = _coco_replicates(cell, weights)
    is_rare = len(truth.categories) > 1 and 0 < _carried(truth, ~truth.iscrowd)[1] < MIN_UNITS
    errors = error_replicates(truth, predictions, weights, matches=matches)
    evidence = CellEvidence(
        split=cell.split,
        variant=cell.variant.name,
        key=cell.key,
        n_detections=len(predictions),
        n_units=weights.n_units,
        coco=coco,
        miss_rate=rates,
        intervals={
            **{
                name: coco_interval(name, getattr(coco, name), column, truth, weights.n_units)
                for name, column in replicates.items()
            },
            **_miss_rate_intervals(rates, miss_rate_replicates(matches, weights.values), truth, weights.n_units),
        },
        strata=stratum_metrics(
            truth,
            predictions,
            strata(truth) if parts is None else parts,
            weights=None if is_rare else weights,
            matches=matches,
        ),
        errors=without_intervals(breakdown_of(errors), weights.n_units) if is_rare else breakdown_of(errors),
        error_changes=error_changes(clean.errors, errors) if clean and not is_rare else (),
        calibration=_calibration(cell, matches, weights),
        precision_at_recall=interpolated_precision(matches) if cell.variant.corruption == CLEAN else (),
    )
    kept = {name: column for name, column in replicates.items() if len(column) == weights.n_replicates}
    left_out = _left_out(cell, weights)
    return MeasuredCell(
        cell.variant, evidence, predictions.provenance, kept, errors, left_out, units_with_objects(truth)
    )


def _coco_replicates(cell: CellResult, weights: ImageWeights) -> dict[str, NDArray[np.float64]]:
    """All 12 numbers; those of one size of objects are strata, and on variants get as many replicates as strata do."""
    sized = () if cell.variant.corruption == CLEAN else tuple(name for name in COCO_NAMES if name[-1] in _AREAS)
    names = [name for name in COCO_NAMES if name not in sized]
    found = coco_replicates(cell.truth, cell.predictions, weights.values, names)
    if sized:
        few = np.ascontiguousarray(weights.values[:, :MAX_REPLICATES])
        found |= coco_replicates(cell.truth, cell.predictions, few, sized)
    return {name: found[name] for name in COCO_NAMES}


def _calibration(cell: CellResult, matches: Matches, weights: ImageWeights) -> Calibration:
    """With its bins on clean images only: on each variant they would be most of the evidence, and nobody's question."""
    found = calibration(matches, weights)
    return found if cell.variant.corruption == CLEAN else found.model_copy(update={"bins": ()})


def _left_out(cell: CellResult, weights: ImageWeights) -> Mapping[str, NDArray[np.float64]]:
    unseen = weights.left_out
    if cell.variant.corruption != CLEAN or not unseen.any():  # smooth weights leave no image out
        return {}
    return coco_replicates(cell.truth, cell.predictions, unseen, SELECTION_METRICS)


def coco_interval(
    name: str, value: float | None, replicates: NDArray[np.float64], truth: GroundTruth, n_units: int
) -> Interval:
    """Interval of one of the 12 COCO numbers; APs, ARs and their like rest on the objects of that size only."""
    low, high = _AREAS.get(name[-1], (0.0, np.inf))
    n_objects, n_carrying = _carried(truth, (truth.area >= low) & (truth.area <= high))
    return share_interval(value, replicates, n_units, n_objects=n_objects, n_carrying=n_carrying)


def _miss_rate_intervals(
    rates: MissRate, replicates: Mapping[str, NDArray[np.float64]], truth: GroundTruth, n_units: int
) -> dict[str, Interval]:
    n_objects, n_carrying = _carried(truth, np.ones(len(truth), dtype=np.bool_))
    return {
        name: share_interval(
            getattr(rates, field_name),
            replicates[field_name],
            n_units,
            n_objects=n_objects,
            n_carrying=n_carrying,
        )
        for field_name, name in MISS_RATES.items()
    }


def units_with_objects(truth: GroundTruth) -> int:
    """Images or groups that hold an object of the rarest class that has any: what carries a mean over classes."""
    return _carried(truth, np.ones(len(truth), dtype=np.bool_))[1]


def _carried(truth: GroundTruth, inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Objects that count, and images (or groups) that hold one of the rarest class that has any.

    The numbers are means over classes. A class on a few images hardly varies between replicates, because it is there or
    not, so that replicates say too little about it, whatever the other classes are like.
    """
    counts = inside & ~truth.iscrowd
    units: dict[int, set[str | int]] = {}
    for image, category in zip(truth.image_index[counts].tolist(), truth.category_ids[counts].tolist(), strict=True):
        group = truth.groups[image]
        units.setdefault(category, set()).add(image if group is None else group)
    return int(counts.sum()), min(map(len, units.values()), default=0)
