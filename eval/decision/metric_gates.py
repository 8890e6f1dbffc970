"""Gates about measured metrics: they need an interval to pass or fail."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.eval.decision.gates import Finding, Gate, Metric, Subject, Unit, judge, unknown
from robust.eval.decision.study import ALL_VARIANTS, CLEAN
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.records import Share


class MetricGate(Gate):
    """A COCO metric of one variant is at least a number."""

    kind: Literal["metric"] = "metric"
    metric: Metric
    variant: str = CLEAN
    minimum: Share

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"{self.metric} on {self.variant} images at least {self.minimum:.3f}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return self.metric, self.variant, "score", self.minimum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the cell's metric against the minimum."""
        return judge(subject.study.metric(candidate, subject.split, self.variant, self.metric), self.minimum)


class RetainedGate(Gate):
    """The share of the clean metric that is kept under corruption is at least a number."""

    kind: Literal["retained"] = "retained"
    metric: Literal["AP", "AP50"]
    corruption: str | None = None
    minimum: Share

    @property
    def requirement(self) -> str:
        """What is required."""
        where = f"{self.corruption}, mean over severities" if self.corruption else "mean over all variants"
        return f"keeps at least {self.minimum:.3f} of its clean {self.metric} ({where})"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return f"retained {self.metric}", self.corruption or ALL_VARIANTS, "share", self.minimum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the retained share against the minimum."""
        if any(variant.name == self.corruption for variant in subject.study.recorded):
            return unknown(f"{self.corruption} was recorded on other images than the clean ones")
        return judge(subject.study.retained(candidate, subject.split, self.corruption, self.metric), self.minimum)


class BaselineGate(Gate):
    """The candidate is not worse than its baseline by more than a margin; a negative margin asks for a gain."""

    kind: Literal["baseline"] = "baseline"
    metric: Metric
    variant: str = CLEAN
    margin: Annotated[float, Field(ge=-1, le=1)]

    @property
    def requirement(self) -> str:
        """What is required."""
        where = f"{self.metric} on {self.variant} images"
        if self.margin < 0:
            return f"{where} above the untouched starting weights by at least {-self.margin:.3f}"
        return f"{where} not below the untouched starting weights by more than {self.margin:.3f}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return f"{self.metric} minus baseline", self.variant, "difference", -self.margin

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold candidate minus baseline against the margin."""
        baseline = subject.study.baseline_of(candidate)
        if baseline is None:
            return unknown("the baseline was not evaluated")
        difference = subject.study.difference(candidate, baseline, subject.split, self.variant, self.metric)
        return judge(difference, -self.margin)


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
        return f"{name} at the chosen threshold on {self.variant} images {side}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        unit: Unit = "per image" if self.measure == "fppi" else "score"
        return self.measure, self.variant, unit, self.minimum if self.minimum is not None else self.maximum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the rate at the chosen threshold against the bound."""
        point = subject.study.point(candidate, subject.split, self.variant)
        if point is None:
            return unknown("not measured at a chosen threshold")
        value = subject.study.rate(candidate, subject.split, self.variant, self.measure)
        if self.minimum is not None:
            return judge(value, self.minimum)
        return judge(value, self.maximum or 0.0, at_least=False)
