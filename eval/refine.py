"""Close calls: where an interval ends next to what a gate requires, it is made again with more replicates.

The end of a bootstrap interval carries a Monte Carlo error of its own, so a gate whose requirement lies within a tenth
of a standard error of an end could be decided by the seed. For those numbers, and only those, stored predictions are
weighted again with 10,000 replicates; no model is run. The evidence tells which numbers that were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN
from robust.eval.decision.any_gate import AllOfGate
from robust.eval.decision.decide import select
from robust.eval.decision.gates import EVERY_VARIANT, Gate, Subject
from robust.eval.decision.metric_gates import MISS_RATES, BaselineGate, MetricGate, ThresholdGate
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import GateResult
from robust.eval.decision.study import ALL_VARIANTS, Study, robustness_of
from robust.eval.decision.suite_gates import LadderGate, RetainedGate
from robust.eval.evidence.compared import PairEvidence
from robust.eval.evidence.comparisons import corrected_again
from robust.eval.evidence.measure import CellResult, Weighing, coco_interval, units_with_objects
from robust.eval.evidence.records import CandidateEvidence, Evidence, RefinedEvidence
from robust.eval.metrics.bands import rate_intervals
from robust.eval.metrics.comparison import compare
from robust.eval.metrics.counts import counts_of
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.resampling import CLOSE_REPLICATES, Resampling
from robust.eval.metrics.robustness_intervals import robustness_intervals
from robust.eval.metrics.weighted import coco_replicates
from robust.eval.stored_cells import StoredCells

CLOSE = 0.1
"""Standard errors between an end and a requirement below which the call is close."""

Reader = Callable[[CandidateEvidence], AbstractContextManager[StoredCells]]


def is_close(result: GateResult) -> bool:
    """Whether the requirement lies within a tenth of a standard error of an end of the interval."""
    found, bound = result.estimate, result.bound
    if bound is None or found.low is None or found.high is None or not found.se:
        return False
    return min(abs(found.low - bound), abs(found.high - bound)) <= CLOSE * found.se


def refine(evidence: Evidence, policy: Policy, read: Reader) -> Evidence:
    """Make the intervals of close calls again with 10,000 replicates.

    Args:
        evidence: Of the study.
        policy: Whose gates may be close.
        read: Opens the stored cells of a candidate.

    Returns:
        The evidence; the same one when no call is close.
    """
    if evidence.resampling.replicates >= CLOSE_REPLICATES:
        return evidence
    study = Study(evidence)
    candidate = study.candidate(select(study, policy.selection).candidate)
    if candidate is None:
        return evidence
    subject = Subject(study, candidate, policy.judged_on)
    asked = [single for gate in policy.gates for single in _singles(gate, study)]
    close = [gate for gate in asked if is_close(gate.evaluate(subject))]
    if not close:
        return evidence
    fine = evidence.resampling.model_copy(update={"replicates": CLOSE_REPLICATES})
    (mine,) = [c for c in evidence.candidates if c.key == candidate.key]
    work = _Refinement(evidence, mine, policy.judged_on, fine, read)
    for gate in close:
        work.redo(gate)
    return work.result()


def _singles(gate: Gate, study: Study) -> Iterator[Gate]:
    """The gates about one number each that a gate is made of."""
    variants = (CLEAN, *(v.name for v in study.evidence.suite.variants if v.name != CLEAN))
    if isinstance(gate, AllOfGate):
        for part in gate.parts:
            yield from _singles(part, study)
    elif isinstance(gate, LadderGate):
        for severity in (s for s in study.severities(gate.corruption) if s <= gate.up_to):
            yield MetricGate(
                name=gate.name,
                tier=gate.tier,
                metric=gate.metric,
                variant=f"{gate.corruption}/{severity}",
                minimum=gate.minimum,
            )
        yield MetricGate(name=gate.name, tier=gate.tier, metric=gate.metric, minimum=gate.minimum)
    elif isinstance(gate, MetricGate | BaselineGate | ThresholdGate) and gate.variant == EVERY_VARIANT:
        yield from (gate.model_copy(update={"variant": variant}) for variant in variants)
    else:
        yield gate


@dataclass
class _Refinement:
    """The evidence while close calls are made again."""

    evidence: Evidence
    candidate: CandidateEvidence
    split: str
    fine: Resampling
    read: Reader

    def __post_init__(self) -> None:
        self.refined: list[RefinedEvidence] = []

    def result(self) -> Evidence:
        """The evidence with what was made again."""
        everybody = tuple(self.candidate if c.key == self.candidate.key else c for c in self.evidence.candidates)
        return self.evidence.model_copy(update={"candidates": everybody, "refined": tuple(self.refined)})

    def redo(self, gate: Gate) -> None:
        """Make the interval that one gate reads again; miss rates are not made of such replicates and stay."""
        if isinstance(gate, MetricGate) and gate.variant == ALL_VARIANTS:
            self._retained(gate.metric)
        elif isinstance(gate, MetricGate) and gate.metric not in MISS_RATES:
            self._metric(gate.variant, gate.metric)
        elif isinstance(gate, BaselineGate):
            self._baseline(gate.variant, gate.metric)
        elif isinstance(gate, RetainedGate):
            self._retained(gate.metric)
        elif isinstance(gate, ThresholdGate):
            self._at_threshold(gate.variant)

    def _is_done(self, variant: str, metric: str) -> bool:
        """Whether another gate had this number made again; if not, it is noted as made now."""
        made = RefinedEvidence(
            key=self.candidate.key, split=self.split, variant=variant, metric=metric, replicates=self.fine.replicates
        )
        if made in self.refined:
            return True
        self.refined.append(made)
        return False

    def _columns(
        self, candidate: CandidateEvidence, variants: list[str], metric: str
    ) -> tuple[dict[str, NDArray[np.float64]], int, dict[str, CellResult]]:
        """Replicates of one metric in several cells, the number of units, and the cells."""
        weighing = Weighing(self.fine)
        columns, n_units = {}, 0
        cells: dict[str, CellResult] = {}
        with self.read(candidate) as stored:
            clean = stored.cell(self.split, CLEAN)
            weighing.of(clean)  # the clean cell decides how the images are weighted
            for variant in variants:
                cell = stored.cell(self.split, variant)
                weights = weighing.of(cell)
                columns[variant] = coco_replicates(cell.truth, cell.predictions, weights.values, (metric,))[metric]
                n_units, cells[variant] = weights.n_units, cell
        return columns, n_units, cells

    def _metric(self, variant: str, metric: str) -> None:
        if self._is_done(variant, metric):
            return
        columns, n_units, cells = self._columns(self.candidate, [variant], metric)
        made = coco_interval(metric, self._value(variant, metric), columns[variant], cells[variant].truth, n_units)
        changed = tuple(
            c.model_copy(update={"intervals": {**c.intervals, metric: made}})
            if self._is(c.split, c.variant, variant)
            else c
            for c in self.candidate.cells
        )
        self.candidate = self.candidate.model_copy(update={"cells": changed})

    def _value(self, variant: str, metric: str) -> float | None:
        found = next(c for c in self.candidate.cells if self._is(c.split, c.variant, variant))
        value: float | None = getattr(found.coco, metric)
        return value

    def _is(self, split: str, variant: str, wanted: str) -> bool:
        return (split, variant) == (self.split, wanted)

    def _baseline(self, variant: str, metric: str) -> None:
        baseline = Study(self.evidence).baseline_of(self.candidate)
        comparisons = self.evidence.comparisons
        if baseline is None or comparisons is None or self._is_done(variant, f"{metric} minus baseline"):
            return
        mine, n_units, _ = self._columns(self.candidate, [variant], metric)
        theirs, _, _ = self._columns(baseline, [variant], metric)
        pairs = tuple(
            _again(pair, mine[variant], theirs[variant], n_units)
            if (pair.first, pair.second, *_question(pair))
            == (self.candidate.key, baseline.key, self.split, variant, metric)
            else pair
            for pair in comparisons.against_baseline
        )
        question = (self.split, variant, metric)
        changed = comparisons.model_copy(update={"against_baseline": corrected_again(pairs, question)})
        self.evidence = self.evidence.model_copy(update={"comparisons": changed})

    def _retained(self, metric: str) -> None:
        found = robustness_of(self.candidate, metric)
        if found is None or self._is_done(ALL_VARIANTS, f"retained {metric}"):
            return
        variants = [v for v in self.evidence.suite.variants if v.severity and not v.recorded]
        columns, n_units, shown = self._columns(self.candidate, [CLEAN, *(v.name for v in variants)], metric)
        cells = {(v.corruption, v.severity): columns[v.name] for v in variants}
        values = {(v.corruption, v.severity): self._value(v.name, metric) for v in variants}
        carrying = units_with_objects(shown[CLEAN].truth)
        made = robustness_intervals(found, columns[CLEAN], cells, n_units, values=values, n_carrying=carrying)
        after = found.model_copy(update={"intervals": made})
        everything = tuple(after if r.metric == metric else r for r in self.candidate.robustness)
        self.candidate = self.candidate.model_copy(update={"robustness": everything})

    def _at_threshold(self, variant: str) -> None:
        sweep = self.candidate.sweep
        threshold = sweep.choice.threshold
        if threshold is None or self._is_done(variant, "rates at the threshold"):
            return
        weighing = Weighing(self.fine)
        with self.read(self.candidate) as stored:
            weighing.of(stored.cell(self.split, CLEAN))
            cell = stored.cell(self.split, variant)
            made: dict[str, Interval] = rate_intervals(
                counts_of(cell.truth, cell.predictions, (threshold,)), weighing.of(cell), threshold
            )
        changed = tuple(
            at.model_copy(update={"intervals": made}) if self._is(at.split, at.variant, variant) else at
            for at in sweep.at_threshold
        )
        after = sweep.model_copy(update={"at_threshold": changed})
        self.candidate = self.candidate.model_copy(update={"sweep": after})


def _question(pair: PairEvidence) -> tuple[str, str, str]:
    return pair.comparison.split, pair.comparison.variant, pair.comparison.metric


def _again(pair: PairEvidence, mine: NDArray[np.float64], theirs: NDArray[np.float64], n_units: int) -> PairEvidence:
    """The same comparison from other replicates, not yet corrected for the other candidates."""
    before = pair.comparison
    split, variant, metric = _question(pair)
    after = compare(
        before.first,
        before.second,
        mine,
        theirs,
        n_units,
        split=split,
        variant=variant,
        metric=metric,
        margin=before.margin,
    )
    return pair.model_copy(update={"comparison": after})
