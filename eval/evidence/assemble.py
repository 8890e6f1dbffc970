"""From stored predictions and ground truth to evidence (pure: no clock, no files, no model)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.suites import Suite
from robust.datasets.counts import count_split
from robust.datasets.records import Dataset
from robust.errors import UsageError
from robust.eval.evidence.records import (
    CandidateEvidence,
    CellEvidence,
    CellRecalls,
    ConfigurationEvidence,
    Curve,
    DataEvidence,
    Evidence,
    LeakageEvidence,
    NotEvaluated,
    SplitEvidence,
    SuiteEvidence,
    SweepEvidence,
    TrainingEvidence,
    VariantEvidence,
)
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.miss_rate import miss_rate_of
from robust.eval.metrics.records import RobustnessEvidence, StratumRecall, ThresholdConstraints
from robust.eval.metrics.robustness import robustness
from robust.eval.metrics.strata import Stratum, strata, stratum_metrics, stratum_recalls
from robust.eval.metrics.thresholds import SWEEP_IOU, choose_threshold, operating_points, threshold_grid
from robust.eval.records import Candidate, GroundTruth, Predictions


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


@dataclass(frozen=True)
class SweptCell:
    """What a sweep finds in one cell.

    Attributes:
        curve: Hits and false alarms at every threshold.
        recalls: For every threshold of the curve, what is found of each kind of object.
    """

    curve: Curve
    recalls: tuple[tuple[StratumRecall, ...], ...]


@dataclass(frozen=True)
class MeasuredCell:
    """What is kept of a cell once its predictions are put away.

    Attributes:
        variant: What the images were shown as.
        evidence: The numbers.
        swept: The sweep.
        provenance: Of the predictions.
    """

    variant: Variant
    evidence: CellEvidence
    swept: SweptCell
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class SweepPlan:
    """Which thresholds are looked at, and what the chosen one must satisfy on ``chosen_on``."""

    start: float = 0.30
    stop: float = 0.80
    step: float = 0.01
    constraints: ThresholdConstraints = field(default_factory=ThresholdConstraints)
    chosen_on: str = "val"


def split_evidence(dataset: Dataset) -> SplitEvidence:
    """Count one split from the data itself."""
    counts = count_split(dataset)
    shared = {name: getattr(counts, name) for name in SplitEvidence.model_fields if hasattr(counts, name)}
    return SplitEvidence(split=dataset.split, fingerprint=dataset.fingerprint, **shared)


def data_evidence(
    datasets: Mapping[str, Dataset], leaks: Mapping[tuple[str, str], tuple[int, int]], name: str
) -> DataEvidence:
    """Describe the data set.

    Args:
        datasets: Split -> data set.
        leaks: Pair of splits -> (identical images, near-duplicates).
        name: Of the whole data set.
    """
    first = next(iter(datasets.values()))
    return DataEvidence(
        name=name,
        categories=tuple(category.name for category in first.categories),
        splits=tuple(split_evidence(dataset) for dataset in datasets.values()),
        leakage=tuple(
            LeakageEvidence(splits=pair, n_identical=identical, n_near_duplicates=near)
            for pair, (identical, near) in leaks.items()
        ),
    )


def suite_evidence(
    suite: Suite, truths: Sequence[tuple[Variant, GroundTruth]], recorded: Sequence[VariantEvidence] = ()
) -> SuiteEvidence:
    """Describe the variants of a suite with their ground truth, and the recorded sets beside them."""
    return SuiteEvidence(
        name=suite.name,
        seed=suite.seed,
        variants=tuple(
            VariantEvidence(
                name=variant.name,
                corruption=variant.corruption,
                severity=variant.severity,
                parameters=dict(variant.parameters),
                ground_truth=variant.ground_truth,
                recipe_sha256=variant.sha256,
                ground_truth_sha256=truth.sha256,
                n_images=len(truth.image_ids),
                n_objects=truth.n_objects,
                n_ignored=int(truth.iscrowd.sum()),
                trained_on=variant.corruption in suite.trained_on,
            )
            for variant, truth in truths
        )
        + tuple(recorded),
        trained_on=suite.trained_on,
    )


def measure_cell(cell: CellResult, plan: SweepPlan) -> MeasuredCell:
    """Measure one cell: the 12 COCO numbers, the miss rate, the kinds of objects, and the sweep."""
    matches, parts = match(cell.truth, cell.predictions, (SWEEP_IOU,)), strata(cell.truth)
    evidence = CellEvidence(
        split=cell.split,
        variant=cell.variant.name,
        key=cell.key,
        n_detections=len(cell.predictions),
        coco=coco_metrics(cell.truth, cell.predictions),
        miss_rate=miss_rate_of(matches),
        strata=stratum_metrics(cell.truth, cell.predictions, parts),
    )
    return MeasuredCell(cell.variant, evidence, _sweep(cell, plan, matches, parts), cell.predictions.provenance)


def sweep_cell(cell: CellResult, plan: SweepPlan) -> SweptCell:
    """Sweep the confidence threshold over one cell."""
    return _sweep(cell, plan, match(cell.truth, cell.predictions, (SWEEP_IOU,)), strata(cell.truth))


def _sweep(cell: CellResult, plan: SweepPlan, matches: Matches, parts: Sequence[Stratum]) -> SweptCell:
    thresholds = threshold_grid(plan.start, plan.stop, plan.step)
    curve = Curve.of(
        cell.split,
        cell.variant.name,
        operating_points(matches, thresholds),
        n_images=len(cell.truth.image_ids),
        n_objects=cell.truth.n_objects,
    )
    return SweptCell(curve, stratum_recalls(matches, parts, thresholds))


def candidate_evidence(
    candidate: Candidate,
    cells: Sequence[MeasuredCell],
    *,
    judged_on: str,
    plan: SweepPlan,
    training: TrainingEvidence | None,
    weights_bytes: int,
) -> CandidateEvidence:
    """Put together what was measured on one candidate.

    Args:
        candidate: Who.
        cells: All of its cells; those of ``judged_on`` include ``clean``.
        judged_on: The split that robustness is computed on.
        plan: The threshold sweep.
        training: What its training run logged, None for bare weights.
        weights_bytes: Size of the weights file.
    """
    provenance = cells[0].provenance
    configuration = candidate.configuration
    return CandidateEvidence(
        name=candidate.name,
        role=candidate.role,
        weights_sha256=candidate.weights_sha256,
        weights_bytes=weights_bytes,
        parameters=int(provenance["n_parameters"]),
        imgsz=candidate.imgsz,
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
        inference=provenance["inference"],
        cells=tuple(cell.evidence for cell in cells),
        robustness=_robustness(cells, judged_on),
        sweep=sweep_evidence([cell.swept for cell in cells], plan),
    )


def _robustness(cells: Sequence[MeasuredCell], judged_on: str) -> tuple[RobustnessEvidence, ...]:
    """Aggregate AP and AP50 over the variants of one split; empty when the suite has no variants."""
    pairs = [(cell.variant, cell.evidence.coco) for cell in cells if cell.evidence.split == judged_on]
    clean = next((coco for variant, coco in pairs if variant.corruption == CLEAN), None)
    corrupted = {(v.corruption, v.severity): coco for v, coco in pairs if v.severity}  # recorded sets have none
    if not corrupted or clean is None:
        return ()
    return (
        robustness("AP", clean.AP, {cell: coco.AP for cell, coco in corrupted.items()}),
        robustness("AP50", clean.AP50, {cell: coco.AP50 for cell, coco in corrupted.items()}),
    )


def sweep_evidence(cells: Sequence[SweptCell], plan: SweepPlan) -> SweepEvidence:
    """Choose a threshold on ``plan.chosen_on``, clean, from the curves of all cells."""
    curves = [cell.curve for cell in cells]
    basis = next((c for c in curves if c.split == plan.chosen_on and c.variant == CLEAN), None)
    choice = choose_threshold(
        basis.points if basis else (), plan.constraints, chosen_on=plan.chosen_on if basis else None
    )
    if basis is None:
        choice = choice.model_copy(
            update={"reason": f"The data has no split {plan.chosen_on!r} to choose a threshold on."}
        )
    return SweepEvidence(
        start=plan.start,
        stop=plan.stop,
        step=plan.step,
        choice=choice,
        curves=tuple(curves),
        recalls=_recalls_at(cells, choice.threshold),
    )


def _recalls_at(cells: Sequence[SweptCell], threshold: float | None) -> tuple[CellRecalls, ...]:
    """What is found of each kind of object at the chosen threshold, which is one of every curve."""
    if threshold is None:
        return ()
    return tuple(
        CellRecalls(
            split=cell.curve.split,
            variant=cell.curve.variant,
            strata=cell.recalls[cell.curve.thresholds.index(threshold)],
        )
        for cell in cells
    )


def merge(parts: Sequence[Evidence], not_evaluated: Sequence[NotEvaluated] = ()) -> Evidence:
    """Put the evidence of several candidates together.

    Candidates and baselines come once each, sorted by role and name. Versions that differ between the parts are all
    named.

    Raises:
        UsageError: the parts were measured on other data or another suite, so they cannot be compared.
    """
    first = parts[0]
    for part in parts[1:]:
        if comparable(part) != comparable(first):
            raise UsageError(
                "These evaluations cannot be compared.",
                "They were made on different data or with different suites.",
                "Evaluate all of them with the same --data and --suite.",
            )
    candidates = {c.identity: c for part in parts for c in part.candidates}
    missing = {(n.name, n.run_id): n for n in (*(n for part in parts for n in part.not_evaluated), *not_evaluated)}
    names = sorted({name for part in parts for name in part.environment})
    return Evidence(
        experiment=first.experiment,
        data=first.data,
        suite=first.suite,
        candidates=tuple(sorted(candidates.values(), key=lambda c: (c.role != "candidate", c.name, *c.identity))),
        not_evaluated=tuple(missing[key] for key in sorted(missing, key=lambda k: (k[0], k[1] or ""))),
        environment={
            name: " | ".join(sorted({part.environment[name] for part in parts if name in part.environment}))
            for name in names
        },
    )


def comparable(evidence: Evidence) -> tuple[object, ...]:
    """What two evaluations must share to be compared: the data whatever its name, and the suite."""
    return evidence.data.categories, evidence.data.splits, evidence.data.leakage, evidence.suite


def require_one_rule(evidence: Evidence) -> None:
    """Check that all thresholds were chosen alike, before they are put side by side in a decision.

    Raises:
        UsageError: some candidates were swept with other thresholds or limits than the rest.
    """
    sweeps = [candidate.sweep for candidate in evidence.candidates]
    if len({(s.start, s.stop, s.step, s.choice.constraints) for s in sweeps}) > 1:
        raise UsageError(
            "The thresholds of these candidates were chosen by different rules.",
            "Some were swept with other limits than the rest.",
            "Run `robust sweep` once over all of them, with one set of limits.",
        )
