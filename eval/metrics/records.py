"""Results of the metrics, as they also stand in the evidence.

Undefined values are None (never -1, never NaN). Scores and metrics are 0..1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Record(BaseModel):
    """Base of all results and evidence: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CocoMetrics(Record):
    """The 12 COCO numbers of pycocotools; None where it prints -1 (nothing to measure)."""

    AP: Share | None
    AP50: Share | None
    AP75: Share | None
    APs: Share | None
    APm: Share | None
    APl: Share | None
    AR1: Share | None
    AR10: Share | None
    AR100: Share | None
    ARs: Share | None
    ARm: Share | None
    ARl: Share | None


class RobustnessEvidence(Record):
    """Aggregates over the suite for one base metric (Michaelis et al. 2019, arXiv 1907.07484).

    ``mPC`` is the mean over corruptions and severities, ``rPC`` is ``mPC`` / clean. None when a cell is undefined or
    missing.
    """

    metric: Literal["AP", "AP50"]
    clean: Share | None
    mPC: Share | None
    rPC: float | None
    corruption_means: dict[str, Share | None]
    worst_variant: str | None
    worst: Share | None


class OperatingPoint(Record):
    """Counts and rates at one confidence threshold and IoU 0.5. FPPI is false positives per image."""

    threshold: Share
    tp: int
    fp: int
    fn: int
    precision: Share | None
    recall: Share | None
    f1: Share | None
    fppi: float | None


class PrCurve(Record):
    """Interpolated precision at COCO's 101 recalls, mean over the classes that have objects."""

    iou_threshold: Share
    recall: tuple[Share, ...]
    precision: tuple[Share, ...]


class ThresholdConstraints(Record):
    """What an operating point must satisfy on val. None: not required."""

    min_precision: Share | None = None
    max_fppi: Annotated[float, Field(ge=0)] | None = None
    min_recall: Share | None = None


class ThresholdChoice(Record):
    """The threshold chosen on one split, with the rule that chose it.

    ``threshold`` is None when no threshold meets the constraints or the split has nothing to measure; ``reason`` says
    so.
    """

    chosen_on: str | None
    rule: str
    constraints: ThresholdConstraints
    threshold: Share | None
    reason: str
