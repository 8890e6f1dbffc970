"""Results of the metrics, as they also stand in the evidence.

Undefined values are None (never -1, never NaN). Scores and metrics are 0..1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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


class BreakingPoint(Record):
    """Where a metric, falling with the severity, no longer meets a requirement.

    A ladder of severities 1 to n sees the break only between its first and last rung, so the answer is one of three:
    ``between`` two rungs; ``beyond`` the last one, where nothing was measured; or ``clean``, below the requirement
    before anything was corrupted.

    Attributes:
        requirement: Value of the metric that must be met.
        kind: Which of the three.
        holds_at: Last severity up to which it is met, 0 for clean; None where not even clean meets it.
        fails_at: First severity that misses it, 0 for clean; None when all meet it.
        severity: Place of the break between neighbouring severities, on a straight line between their values; None
            without a break in the ladder, or when severities between the two were not measured.
    """

    requirement: Share
    kind: Literal["between", "beyond", "clean"]
    holds_at: Annotated[int, Field(ge=0)] | None
    fails_at: Annotated[int, Field(ge=0)] | None
    severity: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> BreakingPoint:
        holds, fails = self.holds_at, self.fails_at
        right = {
            "between": holds is not None and fails is not None and holds < fails,
            "beyond": holds is not None and fails is None and self.severity is None,
            "clean": holds is None and fails == 0 and self.severity is None,
        }
        if not right[self.kind]:
            raise ValueError(f"a break {self.kind!r} does not go with holds_at={holds}, fails_at={fails}")
        if self.severity is not None and not (holds or 0) <= self.severity <= (fails or 0):
            raise ValueError(f"the break at {self.severity} is outside {holds} to {fails}")
        return self


class RobustnessEvidence(Record):
    """Aggregates over the suite for one base metric (Michaelis et al. 2019, arXiv 1907.07484).

    ``mPC`` is the mean over corruptions and severities, ``rPC`` is ``mPC`` / clean. None when a cell is undefined or
    missing. ``worst_corruption`` has the lowest mean over severities (``worst_mean``), ``worst_variant`` the lowest
    single value (``worst``). ``retained_areas`` and ``breaking_points`` have one entry for each corruption, see
    `robustness`; evidence written before they were known has none of them.
    """

    metric: Literal["AP", "AP50"]
    clean: Share | None
    mPC: Share | None
    rPC: float | None
    corruption_means: dict[str, Share | None]
    worst_variant: str | None
    worst: Share | None
    worst_corruption: str | None = None
    worst_mean: Share | None = None
    retained_areas: dict[str, float | None] = {}
    breaking_points: dict[str, BreakingPoint | None] = {}


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


Division = Literal["visible", "crowd"]


class StratumMetrics(Record):
    """How well one kind of object is found.

    Attributes:
        division: By what the objects are divided: their visible fraction, or how much they overlap.
        stratum: Name of the part, see `robust.eval.metrics.strata`.
        n_images: Images that hold such objects.
        n_objects: Such objects.
        AP50: Average precision at IoU 0.5 when all other objects are ignored; None with too few objects.
    """

    division: Division
    stratum: str
    n_images: Annotated[int, Field(ge=0)]
    n_objects: Annotated[int, Field(ge=0)]
    AP50: Share | None


class StratumRecall(Record):
    """How many objects of one kind are found at one threshold and IoU 0.5; ``recall`` is None with too few objects."""

    division: Division
    stratum: str
    n_objects: Annotated[int, Field(ge=0)]
    found: Annotated[int, Field(ge=0)]
    recall: Share | None


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
