"""The evidence: one versioned JSON from which decision and report are made.

Undefined values are None (never -1, never NaN). Scores and metrics are 0..1. Nothing in here depends on the clock, the
machine's paths or the order of work, so the same models and data give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.corruptions.records import CLEAN
from robust.eval.evidence.compared import ComparisonEvidence
from robust.eval.evidence.findings import AuditEvidence
from robust.eval.evidence.latency import LatencyEvidence
from robust.eval.metrics.bands import Bands
from robust.eval.metrics.calibration import Calibration
from robust.eval.metrics.certificate import Certificate
from robust.eval.metrics.error_types import ErrorBreakdown, ErrorChange
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.lrp import LrpOptimum
from robust.eval.metrics.misses import MissKinds
from robust.eval.metrics.pr_curve import N_RECALLS
from robust.eval.metrics.records import CocoMetrics, MissRate, OperatingPoint, Record, Share, ThresholdChoice
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.robustness_records import RobustnessEvidence
from robust.eval.metrics.stratum_records import StratumMetrics, StratumRecall
from robust.eval.metrics.threshold_certainty import MaxMin, ThresholdCertainty
from robust.eval.metrics.thresholds import operating_point
from robust.eval.metrics.worst_images import WorstImages

SCHEMA_VERSION = 2
"""Raised when a reader of the version before would misread a file; see `robust.eval.evidence.parse`."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SplitEvidence(Record):
    """Counts of one split, taken from the data itself."""

    split: str
    fingerprint: Sha256
    n_images: int
    n_objects: int
    n_negatives: int
    n_ignored: int
    n_small: int
    n_medium: int
    n_large: int
    n_groups: int | None


class LeakageEvidence(Record):
    """Images that two splits share."""

    splits: tuple[str, str]
    n_identical: int
    n_near_duplicates: int


class DataEvidence(Record):
    """The data set that was measured on."""

    name: str
    categories: tuple[str, ...]
    splits: tuple[SplitEvidence, ...]
    leakage: tuple[LeakageEvidence, ...]


class VariantEvidence(Record):
    """One variant of the suite with its recipe and its ground truth, or a set recorded under a condition.

    A recorded set has images and labels of its own: severity 0, the fingerprint of its data in place of a recipe, and
    nothing about it can be paired with the clean images. ``trained_on``: training images were augmented with it, so it
    is no test of the unseen.
    """

    name: str
    corruption: str
    severity: int
    parameters: dict[str, float | int | str | bool]
    ground_truth: Literal["amodal", "visible", "labelled"]
    recipe_sha256: Sha256
    ground_truth_sha256: Sha256
    n_images: int
    n_objects: int
    n_ignored: int
    recorded: bool = False
    trained_on: bool = False


class SuiteEvidence(Record):
    """The variants that every candidate was shown.

    ``trained_on``: all corruptions that were declared as used to augment training images, also those not in the suite.
    """

    name: str
    seed: int
    variants: tuple[VariantEvidence, ...]
    trained_on: tuple[str, ...] = ()


class CellEvidence(Record):
    """One candidate on one variant of one split.

    ``intervals`` has one entry for each of the 12 COCO numbers, and for MR-2, recall_at_fppi_0.1 and recall_at_fppi_1.
    ``error_changes``: what the variant adds to each kind of error of the clean images, paired; empty for other cells.
    ``precision_at_recall``: interpolated precision at IoU 0.5 at the recalls 0, 0.01, ..., 1, whose mean is AP50 (see
    `robust.eval.metrics.pr_curve`); empty for variants, without objects, and in evidence from before it was kept.
    """

    split: str
    variant: str
    key: Sha256
    n_detections: int
    n_units: Annotated[int, Field(ge=0)] = 0
    coco: CocoMetrics
    miss_rate: MissRate | None = None
    intervals: dict[str, Interval] = Field(default_factory=dict)
    strata: tuple[StratumMetrics, ...] = ()
    errors: ErrorBreakdown | None = None
    error_changes: tuple[ErrorChange, ...] = ()
    calibration: Calibration | None = None
    precision_at_recall: tuple[Share, ...] = ()

    @model_validator(mode="after")
    def _whole_curve(self) -> CellEvidence:
        if len(self.precision_at_recall) not in {0, N_RECALLS}:
            raise ValueError(f"a precision-recall curve has {N_RECALLS} points")
        return self


class Curve(Record):
    """The sweep of one candidate on one variant of one split, at IoU 0.5.

    Only the counts are stored, one of each for every threshold; the rates follow from them. ``bands`` are the intervals
    of the rates.
    """

    split: str
    variant: str
    n_images: Annotated[int, Field(ge=1)]
    n_objects: Annotated[int, Field(ge=0)]
    thresholds: tuple[Share, ...]
    tp: tuple[int, ...]
    fp: tuple[int, ...]
    bands: Bands | None = None

    @classmethod
    def of(
        cls,
        split: str,
        variant: str,
        points: Sequence[OperatingPoint],
        *,
        n_images: int,
        n_objects: int,
        bands: Bands | None = None,
    ) -> Curve:
        """Make a curve of operating points with rising thresholds."""
        return cls(
            split=split,
            variant=variant,
            n_images=n_images,
            n_objects=n_objects,
            thresholds=tuple(point.threshold for point in points),
            tp=tuple(point.tp for point in points),
            fp=tuple(point.fp for point in points),
            bands=bands,
        )

    @model_validator(mode="after")
    def _check(self) -> Curve:
        if not len(self.thresholds) == len(self.tp) == len(self.fp):
            raise ValueError("thresholds, tp and fp must be of the same length")
        if any(not 0 <= hits <= self.n_objects for hits in self.tp) or any(count < 0 for count in self.fp):
            raise ValueError("a count is below 0, or there are more hits than objects")
        return self

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """The operating points, by rising threshold."""
        return tuple(
            operating_point(threshold, tp, fp, self.n_objects - tp, self.n_images)
            for threshold, tp, fp in zip(self.thresholds, self.tp, self.fp, strict=True)
        )


class CellRecalls(Record):
    """How many objects of each kind are found in one cell at the chosen threshold."""

    split: str
    variant: str
    strata: tuple[StratumRecall, ...]


class CellAtThreshold(Record):
    """One cell at the chosen threshold, which is the same in all of them.

    ``intervals`` are of precision, recall, f1 and fppi.
    """

    split: str
    variant: str
    intervals: dict[str, Interval]
    misses: MissKinds
    worst: WorstImages


class SweepEvidence(Record):
    """Confidence sweep: curves for every cell, and the choice.

    ``recalls`` and ``at_threshold`` hold every cell at the chosen threshold; they are empty when none was chosen.
    ``certainty``, ``certificates`` and ``lrp`` are from the split that the threshold was chosen on; None and empty
    without one. ``max_min`` has one entry for each split that was shown in several variants; on the split that judges
    it describes, and is not for choosing.
    """

    start: Share
    stop: Share
    step: float
    choice: ThresholdChoice
    curves: tuple[Curve, ...]
    recalls: tuple[CellRecalls, ...] = ()
    certainty: ThresholdCertainty | None = None
    certificates: tuple[Certificate, ...] = ()
    lrp: LrpOptimum | None = None
    max_min: tuple[MaxMin, ...] = ()
    at_threshold: tuple[CellAtThreshold, ...] = ()


class TrainingEvidence(Record):
    """What the training run says of itself. None: not logged."""

    run_id: str
    run_name: str
    status: str
    parameters: dict[str, str]
    logged_metrics: dict[str, float]
    train_box_loss: tuple[float, ...]
    val_box_loss: tuple[float, ...]
    val_map: tuple[float, ...]


class ConfigurationEvidence(Record):
    """What candidates of different seeds share."""

    label: str
    model: str | None
    imgsz: int | None
    lr0: float | None
    epochs: int | None
    batch: int | None
    optimizer: str | None
    data: str | None
    model_sha256: Sha256 | None = None
    data_sha256: Sha256 | None = None


class CandidateEvidence(Record):
    """One candidate or baseline with everything measured on it.

    Detections that came as a file have no weights: then ``weights_sha256`` is the hash of the file or files, and size,
    parameters and image size are not known.
    """

    name: str
    role: Literal["candidate", "baseline"]
    weights_sha256: Sha256
    weights_bytes: int | None
    parameters: int | None
    imgsz: int | None
    seed: int | None
    configuration: ConfigurationEvidence
    baseline: str | None
    baseline_sha256: Sha256 | None
    training: TrainingEvidence | None
    inference: dict[str, float | int | str | bool | None]
    cells: tuple[CellEvidence, ...]
    robustness: tuple[RobustnessEvidence, ...]
    sweep: SweepEvidence
    latency: tuple[LatencyEvidence, ...] = ()

    @property
    def identity(self) -> tuple[str, str, int]:
        """What makes it one candidate, whatever it is called: role, run or weights, and size."""
        return self.role, self.training.run_id if self.training else self.weights_sha256, self.imgsz or 0

    @property
    def judged_on(self) -> str:
        """The split with corrupted variants, or the first one."""
        corrupted = (cell.split for cell in self.cells if cell.variant != CLEAN)
        return next(corrupted, self.cells[0].split)

    @property
    def key(self) -> str:
        """The identity as text, by which comparisons name it."""
        return ":".join(map(str, self.identity))


class NotEvaluated(Record):
    """Something that should have been measured and was not: a failed run, weights that cannot be judged."""

    name: str
    run_id: str | None
    reason: str


class RefinedEvidence(Record):
    """A number of one candidate whose interval was made again with more replicates, because a gate was close to it."""

    key: str
    split: str
    variant: str
    metric: str
    replicates: int


class Evidence(Record):
    """Everything a decision may be made from.

    ``comparisons`` are made when the evidence of all candidates is put together; None in that of a single evaluation.
    ``audit`` is what was found in the training runs; None when nobody looked. ``policy_sha256`` is the policy whose
    close calls were made again; None when the evidence was put together for none.
    """

    schema_version: Literal[2] = 2
    experiment: str
    resampling: Resampling = Resampling()
    data: DataEvidence
    suite: SuiteEvidence
    candidates: tuple[CandidateEvidence, ...]
    not_evaluated: tuple[NotEvaluated, ...] = ()
    comparisons: ComparisonEvidence | None = None
    refined: tuple[RefinedEvidence, ...] = ()
    audit: AuditEvidence | None = None
    policy_sha256: Sha256 | None = None
    environment: dict[str, str]

    def to_json(self) -> str:
        """Canonical JSON text: two-space indent, fields in their declared order, one trailing newline."""
        return self.model_dump_json(indent=2) + "\n"
