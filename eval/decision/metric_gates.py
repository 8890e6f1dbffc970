"""Gates about measured metrics: they need an interval to pass or fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.eval.decision.gates import (
    EVERY_VARIANT,
    Finding,
    Gate,
    Metric,
    Subject,
    judge,
    on_each_variant,
    unknown,
)
from robust.eval.decision.records import Estimate, Unit
from robust.eval.decision.study import ALL_VARIANTS, CLEAN, cell, robustness_of
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.records import Share

BoundedMetric = Metric | Literal["MR-2", "recall_at_fppi_0.1", "recall_at_fppi_1"]
"""The 12 COCO numbers, the log-average miss rate, and recall at a number of false positives per image."""
MISS_RATES = {"MR-2": "mr2", "recall_at_fppi_0.1": "recall_fppi_01", "recall_at_fppi_1": "recall_fppi_1"}


class MetricGate(Gate):
    """A metric of one variant, of the mean over all of them, or of every one of them, meets a bound.

    ``variant``: "clean"; "night/3"; "all variants" for mPC, the mean over corruptions and severities; "every variant"
    for clean images and each variant.
    """

    kind: Literal["metric"] = "metric"
    metric: BoundedMetric
    variant: str = CLEAN
    minimum: Share | None = None
    maximum: Share | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> MetricGate:
        lower_is_better = self.metric == "MR-2"
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("give either a minimum or a maximum")
        if lower_is_better != (self.maximum is not None):
            raise ValueError("MR-2, a miss rate, takes a maximum; every other metric takes a minimum")
        if self.variant == ALL_VARIANTS and self.metric not in {"AP", "AP50"}:
            raise ValueError(f"the mean over {ALL_VARIANTS} is computed for AP and AP50 only")
        return self

    @property
    def requirement(self) -> str:
        """What is required."""
        side = f"at least {self.minimum:.3f}" if self.minimum is not None else f"at most {self.maximum:.3f}"
        where = f"mean over {self.variant}" if self.variant == ALL_VARIANTS else f"on {self.variant}"
        return f"{self.metric} {where} {side}" if self.variant != CLEAN else f"{self.metric} on clean images {side}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return self.metric, self.variant, "score", self.minimum if self.minimum is not None else self.maximum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the metric against its bound."""

        def on(variant: str) -> Finding:
            return self._judge(_of_cell(candidate, subject.split, variant, self.metric))

        if self.variant == EVERY_VARIANT:
            return on_each_variant(subject, on)
        if self.variant == ALL_VARIANTS:
            return self._judge(_suite_mean(subject, candidate, self.metric))
        return on(self.variant)

    def _judge(self, value: Estimate) -> Finding:
        if self.minimum is not None:
            return judge(value, self.minimum)
        return judge(value, self.maximum or 0.0, at_least=False)


def _of_cell(candidate: CandidateEvidence, split: str, variant: str, metric: str) -> Estimate:
    """A number of one cell, whichever part of it holds the value."""
    found = cell(candidate, split, variant)
    if found is None:
        return Estimate.of(None, "not measured")
    if metric in MISS_RATES:
        if found.miss_rate is None:
            return Estimate.of(None, "not measured")
        value = getattr(found.miss_rate, MISS_RATES[metric])
    else:
        value = getattr(found.coco, metric)
    return Estimate.of(value, interval=found.intervals.get(metric))


def _suite_mean(subject: Subject, candidate: CandidateEvidence, metric: str) -> Estimate:
    """MPC, measured only where the share that is kept is measured too: the same cells, of the split that judges."""
    found = robustness_of(candidate, metric)
    kept = subject.study.retained(candidate, subject.split, None, metric)
    if found is None or kept.missing == "not measured":
        return Estimate.of(None, "not measured")
    return Estimate.of(found.mPC, interval=found.intervals.get("mPC"))


class BaselineGate(Gate):
    """The candidate against its baseline: the weights that it started from, or the model named with ``--baseline``.

    ``margin`` is the loss that is accepted. Above 0 it asks for "not worse by more than that" (non-inferiority), 0 asks
    for "better", below 0 for a gain of at least that much.
    """

    kind: Literal["baseline"] = "baseline"
    metric: Metric
    variant: str = CLEAN
    margin: Annotated[float, Field(ge=-1, le=1)]

    @property
    def requirement(self) -> str:
        """What is required."""
        where = f"{self.metric} on {'clean images' if self.variant == CLEAN else self.variant}"
        if self.margin < 0:
            return f"{where} above the baseline by at least {-self.margin:.3f}"
        if self.margin == 0:
            return f"{where} above the baseline"
        return f"{where} not below the baseline by more than {self.margin:.3f}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return f"{self.metric} minus baseline", self.variant, "difference", -self.margin + 0.0

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold candidate minus baseline against the margin."""
        baseline = subject.study.baseline_of(candidate)
        if baseline is None:
            return unknown("the baseline was not evaluated")

        def on(variant: str) -> Finding:
            gap = subject.study.difference(candidate, baseline, subject.split, variant, self.metric)
            return judge(gap, -self.margin, strictly=self.margin == 0)

        found = on_each_variant(subject, on) if self.variant == EVERY_VARIANT else on(self.variant)
        return replace(found, reason=f"{found.reason}; the baseline is {baseline.name}")


class ThresholdGate(Gate):
    """Precision, recall, F1 or false positives per image at the chosen threshold meet a bound."""

    kind: Literal["at_threshold"] = "at_threshold"
    measure: Literal["precision", "recall", "f1", "fppi"]
    variant: str = CLEAN
    minimum: Share | None = None
    maximum: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> ThresholdGate:
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("give either a minimum or a maximum")
        if (self.measure == "fppi") != (self.maximum is not None):
            raise ValueError("fppi takes a maximum; precision, recall and f1 take a minimum")
        return self

    @property
    def requirement(self) -> str:
        """What is required."""
        name = "false positives per image" if self.measure == "fppi" else self.measure
        side = f"at least {self.minimum:.3f}" if self.minimum is not None else f"at most {self.maximum:.3f}"
        where = "clean images" if self.variant == CLEAN else self.variant
        return f"{name} at the chosen threshold on {where} {side}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        unit: Unit = "per image" if self.measure == "fppi" else "score"
        return self.measure, self.variant, unit, self.minimum if self.minimum is not None else self.maximum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the rate at the chosen threshold against the bound."""

        def on(variant: str) -> Finding:
            if subject.study.point(candidate, subject.split, variant) is None:
                return unknown("not measured at a chosen threshold")
            value = subject.study.rate(candidate, subject.split, variant, self.measure)
            if self.minimum is not None:
                return judge(value, self.minimum)
            return judge(value, self.maximum or 0.0, at_least=False)

        return on_each_variant(subject, on) if self.variant == EVERY_VARIANT else on(self.variant)


class CalibrationGate(Gate):
    """Scores say how likely a detection is right: the detection calibration error is at most a number."""

    kind: Literal["calibration"] = "calibration"
    measure: Literal["d_ece", "la_ece"] = "d_ece"
    variant: str = CLEAN
    maximum: Share

    @property
    def requirement(self) -> str:
        """What is required."""
        name = {"d_ece": "D-ECE", "la_ece": "LaECE"}[self.measure]
        return f"{name} on {'clean images' if self.variant == CLEAN else self.variant} at most {self.maximum:.3f}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return {"d_ece": "D-ECE", "la_ece": "LaECE"}[self.measure], self.variant, "score", self.maximum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the calibration error against the maximum."""

        def on(variant: str) -> Finding:
            found = cell(candidate, subject.split, variant)
            if found is None or found.calibration is None:
                return unknown("calibration was not measured")
            value = getattr(found.calibration, self.measure)
            interval = getattr(found.calibration, f"{self.measure}_interval")
            return judge(Estimate.of(value, interval=interval), self.maximum, at_least=False)

        return on_each_variant(subject, on) if self.variant == EVERY_VARIANT else on(self.variant)
