"""Results of the metrics, as they also stand in the evidence.

Undefined values are None (never -1, never NaN). Scores and metrics are 0..1.
"""

from __future__ import annotations

from typing import Annotated

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


class MissRate(Record):
    """Objects that stay unfound when few false alarms are allowed, at IoU 0.5 (Dollar et al. 2012).

    Attributes:
        n_images: Images measured on, those without objects included.
        n_objects: Objects that count.
        mr2: MR^-2, the log-average miss rate over 0.01 to 1 false positives per image, lower is better; None without
            objects.
        recall_fppi_01: Share of the objects found at no more than 0.1 false positives per image; None without objects.
        recall_fppi_1: The same at no more than 1.
    """

    n_images: Annotated[int, Field(ge=0)]
    n_objects: Annotated[int, Field(ge=0)]
    mr2: Share | None
    recall_fppi_01: Share | None
    recall_fppi_1: Share | None

    @property
    def is_stable(self) -> bool:
        """Whether ``mr2`` may be relied on: with fewer than 100 images, 0.01 per image means no false alarm at all."""
        return self.mr2 is not None and self.n_images >= 100


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
