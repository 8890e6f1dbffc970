"""The numbers of one candidate as a flat list, for the formats of other tools. Pure.

A number that was not measured or is not defined stays in the list, with its reason, so that no format can drop it
silently.
"""

from __future__ import annotations

from dataclasses import dataclass

from robust.eval.decision.records import Estimate
from robust.eval.decision.study import ALL_VARIANTS, Study
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.records import CocoMetrics

RATES = ("precision", "recall", "f1", "fppi")


@dataclass(frozen=True)
class Measurement:
    """One number with what it was measured on.

    Attributes:
        metric: "AP50", "recall", "rPC of AP50".
        split: Of the data; the recorded set's own images where ``variant`` is one.
        variant: "clean", "night/3", "all variants".
        threshold: Confidence threshold; None where all thresholds count.
        estimate: The value with its 95 % interval, or why it is missing.
    """

    metric: str
    split: str
    variant: str
    threshold: float | None
    estimate: Estimate

    @property
    def slice(self) -> str:
        """What it was measured on, in words."""
        at = "" if self.threshold is None else f", threshold {self.threshold:g}, IoU 0.5"
        return f"split {self.split}, variant {self.variant}{at}"


def measurements(study: Study, candidate: CandidateEvidence) -> tuple[Measurement, ...]:
    """COCO numbers of every cell, rates at the chosen threshold, and the means over the suite."""
    found = [
        Measurement(name, cell.split, cell.variant, None, study.metric(candidate, cell.split, cell.variant, name))
        for cell in candidate.cells
        for name in CocoMetrics.model_fields
    ]
    threshold = candidate.sweep.choice.threshold
    if threshold is not None:
        found += [
            Measurement(name, c.split, c.variant, threshold, study.rate(candidate, c.split, c.variant, name))
            for c in candidate.sweep.curves
            for name in RATES
        ]
    found += [
        Measurement(f"{name} of {mean.metric}", candidate.judged_on, ALL_VARIANTS, None, estimate)
        for mean in candidate.robustness
        for name, estimate in (
            ("mPC", Estimate.of(mean.mPC, interval=mean.intervals.get("mPC"))),
            ("rPC", Estimate.of(mean.rPC, interval=mean.intervals.get("rPC"))),
        )
    ]
    return tuple(found)
