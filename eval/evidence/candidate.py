"""One candidate measured: all its cells, its robustness and its threshold, from stored predictions (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN
from robust.eval.evidence.columns import ALL_VARIANTS
from robust.eval.evidence.measure import CellResult, MeasuredCell, Weighing, measure_cell
from robust.eval.evidence.records import CandidateEvidence, ConfigurationEvidence, SweepEvidence, TrainingEvidence
from robust.eval.evidence.replicates import Key, Replicates
from robust.eval.evidence.sweeping import SweepPlan, SweptCell, choose, sweep_cell, sweep_evidence
from robust.eval.metrics.matching import match
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.robustness import robustness
from robust.eval.metrics.robustness_intervals import robustness_intervals
from robust.eval.metrics.robustness_records import RobustnessEvidence
from robust.eval.metrics.strata import strata
from robust.eval.metrics.thresholds import SWEEP_IOU
from robust.eval.records import Candidate

BASE_METRICS = ("AP", "AP50")
"""Metrics that are aggregated over the suite."""


@dataclass(frozen=True, eq=False)
class Measured:
    """All cells of one candidate, measured and swept.

    Attributes:
        cells: The numbers.
        sweep: The threshold sweep.
        replicates: Behind the intervals.
    """

    cells: tuple[MeasuredCell, ...]
    sweep: SweepEvidence
    replicates: Replicates


def measure_cells(
    cells: Iterable[CellResult], selecting: CellResult | None, plan: SweepPlan, resampling: Resampling
) -> Measured:
    """Measure the cells of one candidate, one at a time.

    Args:
        cells: All of them; the clean one of each set of images before its variants.
        selecting: The clean cell of ``plan.chosen_on`` once more, because the threshold must be known first.
        plan: The threshold sweep.
        resampling: How replicates are drawn.
    """
    weighing = Weighing(resampling)
    chosen = choose(selecting, weighing.of(selecting) if selecting else None, plan)
    measured: list[MeasuredCell] = []
    swept: list[SweptCell] = []
    clean: dict[str, MeasuredCell] = {}
    n_units: dict[str, int] = {}
    for cell in cells:
        weights = weighing.of(cell)
        n_units[cell.stream] = weights.n_units
        matches = match(cell.truth, cell.predictions, (SWEEP_IOU,))
        parts = strata(cell.truth)
        measured.append(measure_cell(cell, weights, clean.get(cell.stream), matches=matches, parts=parts))
        swept.append(sweep_cell(cell, weights, plan, chosen, matches=matches, parts=parts))
        if cell.variant.corruption == CLEAN:
            clean[cell.stream] = measured[-1]
    values = _columns(measured, swept)
    left_out = {
        (one.evidence.split, one.evidence.variant, name): column
        for one in measured
        for name, column in one.left_out.items()
    }
    return Measured(
        tuple(measured), sweep_evidence(swept, plan, chosen), Replicates(resampling, n_units, values, left_out)
    )


def sweep_cells(
    cells: Iterable[CellResult], selecting: CellResult | None, plan: SweepPlan, resampling: Resampling
) -> tuple[SweepEvidence, Mapping[Key, NDArray[np.float64]]]:
    """Sweep the cells of one candidate and nothing else.

    Returns:
        The sweep, and the replicates of the rates at the chosen threshold.
    """
    weighing = Weighing(resampling)
    chosen = choose(selecting, weighing.of(selecting) if selecting else None, plan)
    swept = [sweep_cell(cell, weighing.of(cell), plan, chosen) for cell in cells]
    return sweep_evidence(swept, plan, chosen), _rate_columns(swept)


def _columns(measured: Sequence[MeasuredCell], swept: Sequence[SweptCell]) -> dict[Key, NDArray[np.float64]]:
    found = {
        (one.evidence.split, one.evidence.variant, name): column
        for one in measured
        for name, column in one.replicates.items()
    }
    return {**found, **_rate_columns(swept), **_suite_columns(measured)}


def _rate_columns(swept: Sequence[SweptCell]) -> dict[Key, NDArray[np.float64]]:
    return {
        (one.curve.split, one.curve.variant, rate): column for one in swept for rate, column in one.replicates.items()
    }


def _suite_columns(measured: Sequence[MeasuredCell]) -> dict[Key, NDArray[np.float64]]:
    """Replicates of mPC and rPC, for comparisons."""
    found = {}
    for split in dict.fromkeys(one.evidence.split for one in measured if one.variant.severity):
        here = [one for one in measured if one.evidence.split == split]
        clean = next((one for one in here if one.variant.corruption == CLEAN), None)
        for base in BASE_METRICS:
            mpc = np.mean([one.replicates[base] for one in here if one.variant.severity], axis=0)
            found[split, ALL_VARIANTS, f"mPC {base}"] = mpc
            if clean is not None:
                with np.errstate(invalid="ignore", divide="ignore"):
                    share = mpc / clean.replicates[base]
                found[split, ALL_VARIANTS, f"rPC {base}"] = np.where(np.isfinite(share), share, np.nan)
    return found


def candidate_evidence(
    candidate: Candidate,
    measured: Measured,
    *,
    judged_on: str,
    training: TrainingEvidence | None,
    weights_bytes: int | None,
) -> CandidateEvidence:
    """Put together what was measured on one candidate.

    Args:
        candidate: Who.
        measured: All of its cells; those of ``judged_on`` include ``clean``.
        judged_on: The split that robustness is computed on.
        training: What its training run logged, None for bare weights.
        weights_bytes: Size of the weights file; None when there is none.
    """
    provenance = measured.cells[0].provenance
    configuration = candidate.configuration
    n_parameters = provenance.get("n_parameters")
    return CandidateEvidence(
        name=candidate.name,
        role=candidate.role,
        weights_sha256=candidate.weights_sha256,
        weights_bytes=weights_bytes,
        parameters=None if n_parameters is None else int(n_parameters),
        imgsz=candidate.imgsz or None,
        seed=candidate.seed,
        configuration=ConfigurationEvidence(
            label=configuration.label,
            model=configuration.model,
            imgsz=configuration.imgsz,
            lr0=configuration.lr0,
            epochs=configuration.epochs,
            batch=configuration.batch,
            optimizer=configuration.optimizer,
            data=configuration.data,
            model_sha256=configuration.model_sha256,
            data_sha256=configuration.data_sha256,
        ),
        baseline=candidate.baseline,
        baseline_sha256=candidate.baseline_sha256,
        training=training,
        inference=provenance.get("inference", {}),
        cells=tuple(cell.evidence for cell in measured.cells),
        robustness=suite_robustness(measured.cells, judged_on, measured.replicates.n_units.get(judged_on, 0)),
        sweep=measured.sweep,
    )


def suite_robustness(cells: Sequence[MeasuredCell], judged_on: str, n_units: int) -> tuple[RobustnessEvidence, ...]:
    """Aggregate AP and AP50 over the variants of one split; empty when the suite has no variants.

    Recorded sets have no severity: they are other images, and no part of any mean.
    """
    here = [cell for cell in cells if cell.evidence.split == judged_on]
    clean = next((cell for cell in here if cell.variant.corruption == CLEAN), None)
    corrupted = {(cell.variant.corruption, cell.variant.severity): cell for cell in here if cell.variant.severity}
    if not corrupted or clean is None:
        return ()
    found = []
    for base in BASE_METRICS:
        values = {place: getattr(cell.evidence.coco, base) for place, cell in corrupted.items()}
        summary = robustness(base, getattr(clean.evidence.coco, base), values)  # type: ignore[arg-type]
        columns = {place: cell.replicates[base] for place, cell in corrupted.items()}
        carried = clean.evidence.intervals[base].low is not None  # too few objects carry no mean either
        intervals = (
            robustness_intervals(
                summary, clean.replicates[base], columns, n_units, values=values, n_carrying=clean.n_carrying
            )
            if carried
            else {}
        )
        found.append(summary.model_copy(update={"intervals": intervals}))
    return tuple(found)
