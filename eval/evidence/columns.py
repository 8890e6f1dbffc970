"""The numbers of a study with their replicates: what comparisons of candidates and of configurations are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.eval.evidence.records import CandidateEvidence, CellEvidence, Curve, Evidence
from robust.eval.evidence.replicates import Replicates

Question = tuple[str, str, str]
"""Split, variant, metric."""

ALL_VARIANTS = "all variants"
RATES = ("precision", "recall", "f1", "fppi")


@dataclass(frozen=True, eq=False)
class Column:
    """One number of one candidate with its replicates."""

    value: float | None
    replicates: NDArray[np.float64]
    n_units: int


@dataclass(frozen=True, eq=False)
class Compared:
    """What comparisons are made of.

    Attributes:
        evidence: Of all candidates.
        replicates: Key of a candidate -> its replicates.
    """

    evidence: Evidence
    replicates: Mapping[str, Replicates]

    def column(self, candidate: CandidateEvidence, split: str, variant: str, metric: str) -> Column | None:
        """One number with its replicates; None when one of the two is missing."""
        stored = self.replicates.get(candidate.key)
        found = stored.get(split, variant, metric) if stored else None
        if stored is None or found is None:
            return None
        n_units = stored.n_units.get(variant if variant in stored.n_units else split, 0)
        return Column(_value(candidate, split, variant, metric), found, n_units)


def _value(candidate: CandidateEvidence, split: str, variant: str, metric: str) -> float | None:
    if variant == ALL_VARIANTS:
        name, _, base = metric.partition(" ")
        found = next((r for r in candidate.robustness if r.metric == base), None)
        aggregate: float | None = getattr(found, name) if found else None
        return aggregate
    if metric in RATES:
        return _rate(candidate, split, variant, metric)
    found_cell = _cell(candidate.cells, split, variant)
    return None if found_cell is None else found_cell.coco.model_dump()[metric]


def _cell(cells: Sequence[CellEvidence], split: str, variant: str) -> CellEvidence | None:
    return next((cell for cell in cells if (cell.split, cell.variant) == (split, variant)), None)


def _rate(candidate: CandidateEvidence, split: str, variant: str, rate: str) -> float | None:
    """The rate at the candidate's own threshold."""
    curves: Sequence[Curve] = candidate.sweep.curves
    found = next((curve for curve in curves if (curve.split, curve.variant) == (split, variant)), None)
    threshold = candidate.sweep.choice.threshold
    if found is None or threshold not in found.thresholds:
        return None
    point = found.points[found.thresholds.index(threshold)]
    value: float | None = getattr(point, rate)
    return value


def baseline_of(evidence: Evidence, candidate: CandidateEvidence) -> CandidateEvidence | None:
    """The baseline that a candidate must beat, if it was evaluated."""
    wanted = (candidate.baseline_sha256, candidate.imgsz)
    return next(
        (c for c in evidence.candidates if c.role == "baseline" and (c.weights_sha256, c.imgsz) == wanted), None
    )


def no_interval(candidate: CandidateEvidence, question: Question) -> str:
    """Why a number has no interval of its own; empty when it has one. What carries no level carries no difference."""
    split, variant, metric = question
    if variant == ALL_VARIANTS:
        name, _, base = metric.partition(" ")
        found = next((r.intervals.get(name) for r in candidate.robustness if r.metric == base), None)
    elif metric in RATES:
        places = (a for a in candidate.sweep.at_threshold if (a.split, a.variant) == (split, variant))
        found = next((a.intervals.get(metric) for a in places), None)
    else:
        cell = _cell(candidate.cells, split, variant)
        found = cell.intervals.get(metric) if cell else None
    if found is None:
        return "too little carries one of the two"
    return "" if found.low is not None else found.note
