"""The threshold sweep of one candidate: chosen on one split, then read everywhere at that fixed value (pure).

First the threshold is chosen from the clean cell of ``SweepPlan.chosen_on``, with how sure that choice is; then every
cell is swept, and looked at more closely at the chosen threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import CellAtThreshold, CellRecalls, Curve, SweepEvidence
from robust.eval.metrics.bands import bands, rate_intervals
from robust.eval.metrics.certificate import Certificate, certificates
from robust.eval.metrics.counts import ImageCounts, image_counts, rates
from robust.eval.metrics.lrp import LrpOptimum, lrp_optimum
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.misses import miss_kinds
from robust.eval.metrics.records import ThresholdChoice, ThresholdConstraints
from robust.eval.metrics.resampling import ImageWeights
from robust.eval.metrics.strata import Stratum, strata, stratum_recalls
from robust.eval.metrics.threshold_certainty import MaxMin, ThresholdCertainty, max_min, threshold_certainty
from robust.eval.metrics.thresholds import SWEEP_IOU, choose_threshold, threshold_grid
from robust.eval.metrics.worst_images import worst_images


@dataclass(frozen=True)
class SweepPlan:
    """Which thresholds are looked at, and what the chosen one must satisfy on ``chosen_on``.

    Attributes:
        start: Lowest threshold.
        stop: Highest threshold.
        step: Distance between thresholds.
        constraints: What an operating point must satisfy.
        chosen_on: Split on which the threshold is chosen.
        risk: Largest share of missed objects an image that the certificate is asked for.
        error: Largest probability that the certificate is wrong.
    """

    start: float = 0.30
    stop: float = 0.80
    step: float = 0.01
    constraints: ThresholdConstraints = field(default_factory=ThresholdConstraints)
    chosen_on: str = "val"
    risk: float = 0.10
    error: float = 0.05

    @property
    def thresholds(self) -> tuple[float, ...]:
        """All of them, rising."""
        return threshold_grid(self.start, self.stop, self.step)


@dataclass(frozen=True)
class ChosenThreshold:
    """The choice of one candidate, and what speaks for and against it, all from the split it was chosen on."""

    choice: ThresholdChoice
    certainty: ThresholdCertainty | None = None
    certificates: tuple[Certificate, ...] = ()
    lrp: LrpOptimum | None = None


@dataclass(frozen=True, eq=False)
class SweptCell:
    """What a sweep finds in one cell.

    Attributes:
        curve: Hits and false alarms at every threshold, with bands.
        counts: The same for each image, for what is asked of several cells together.
        recalls: What is found of each kind of object at the chosen threshold; None when none was chosen.
        at_threshold: Rates, kinds of misses and worst images there; None likewise.
        replicates: Rate -> float64 (B,) at the chosen threshold.
    """

    curve: Curve
    counts: ImageCounts
    recalls: CellRecalls | None
    at_threshold: CellAtThreshold | None
    replicates: Mapping[str, NDArray[np.float64]]


def choose(cell: CellResult | None, weights: ImageWeights | None, plan: SweepPlan) -> ChosenThreshold:
    """Choose the threshold.

    Args:
        cell: The clean cell of ``plan.chosen_on``; None when the data has no such split.
        weights: Of its images.
        plan: The rule.
    """
    if cell is None or weights is None:
        empty = choose_threshold((), plan.constraints, chosen_on=None)
        reason = f"The data has no split {plan.chosen_on!r} to choose a threshold on."
        return ChosenThreshold(empty.model_copy(update={"reason": reason}))
    matches = match(cell.truth, cell.predictions, (SWEEP_IOU,))
    counts = image_counts(matches, plan.thresholds)
    choice = choose_threshold(counts.operating_points(), plan.constraints, chosen_on=plan.chosen_on)
    return ChosenThreshold(
        choice,
        threshold_certainty(counts, weights, plan.constraints, choice, groups=cell.truth.groups),
        certificates(counts, groups=cell.truth.groups, risk=plan.risk, error=plan.error),
        lrp_optimum(matches),
    )


def sweep_cell(
    cell: CellResult,
    weights: ImageWeights,
    plan: SweepPlan,
    chosen: ChosenThreshold,
    *,
    matches: Matches | None = None,
    parts: Sequence[Stratum] | None = None,
) -> SweptCell:
    """Sweep one cell, and look closely at the chosen threshold.

    Args:
        cell: With its predictions.
        weights: Of its images.
        plan: The thresholds.
        chosen: The threshold that was chosen.
        matches: All detections of the cell at IoU 0.5, where they have been made already.
        parts: Kinds of objects, from `strata` of the cell, likewise.
    """
    matches = match(cell.truth, cell.predictions, (SWEEP_IOU,)) if matches is None else matches
    counts = image_counts(matches, plan.thresholds)
    curve = Curve.of(
        cell.split,
        cell.variant.name,
        counts.operating_points(),
        n_images=len(cell.truth.image_ids),
        n_objects=cell.truth.n_objects,
        bands=bands(counts, weights),
    )
    threshold = chosen.choice.threshold
    if threshold is None:
        return SweptCell(curve, counts, None, None, {})
    place = {"split": cell.split, "variant": cell.variant.name}
    there = counts.at(plan.thresholds.index(threshold))
    parts = strata(cell.truth) if parts is None else parts
    (recalls,) = stratum_recalls(matches, parts, (threshold,), weights=weights)
    found = CellAtThreshold(
        **place,
        intervals=rate_intervals(there, weights, threshold),
        misses=miss_kinds(cell.truth, cell.predictions, threshold, matches=matches),
        worst=worst_images(matches, threshold),
    )
    replicates = {name: columns[0] for name, columns in rates(there, weights.values).items()}
    return SweptCell(curve, counts, CellRecalls(**place, strata=recalls), found, replicates)


def sweep_evidence(cells: Sequence[SweptCell], plan: SweepPlan, chosen: ChosenThreshold) -> SweepEvidence:
    """Put the sweep of one candidate together."""
    return SweepEvidence(
        start=plan.start,
        stop=plan.stop,
        step=plan.step,
        choice=chosen.choice,
        curves=tuple(cell.curve for cell in cells),
        recalls=tuple(cell.recalls for cell in cells if cell.recalls is not None),
        certainty=chosen.certainty,
        certificates=chosen.certificates,
        lrp=chosen.lrp,
        max_min=tuple(_max_min(cells, plan)),
        at_threshold=tuple(cell.at_threshold for cell in cells if cell.at_threshold is not None),
    )


def _max_min(cells: Sequence[SweptCell], plan: SweepPlan) -> list[MaxMin]:
    """The threshold that is best in the worst variant, for each split that was shown in more than one variant."""
    found = []
    for split in dict.fromkeys(cell.curve.split for cell in cells):
        counts = {cell.curve.variant: cell.counts for cell in cells if cell.curve.split == split}
        if CLEAN in counts and len(counts) > 1:
            found.append(max_min(counts, plan.constraints, split=split))
    return found
