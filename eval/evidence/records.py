"""The evidence: one versioned JSON from which decision and report are made.

Undefined values are None (never -1, never NaN). Scores and metrics are 0..1. Nothing in here depends on the clock, the
machine's paths or the order of work, so the same models and data give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.eval.metrics.records import (
    CocoMetrics,
    MissRate,
    OperatingPoint,
    Record,
    RobustnessEvidence,
    Share,
    StratumMetrics,
    StratumRecall,
    ThresholdChoice,
)
from robust.eval.metrics.thresholds import operating_point

SCHEMA_VERSION = 1

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

    ``miss_rate`` is None and ``strata`` is empty in evidence that was written before they were measured.
    """

    split: str
    variant: str
    key: Sha256
    n_detections: int
    coco: CocoMetrics
    miss_rate: MissRate | None = None
    strata: tuple[StratumMetrics, ...] = ()


class Curve(Record):
    """The sweep of one candidate on one variant of one split, at IoU 0.5.

    Only the counts are stored, one of each for every threshold; the rates follow from them.
    """

    split: str
    variant: str
    n_images: Annotated[int, Field(ge=1)]
    n_objects: Annotated[int, Field(ge=0)]
    thresholds: tuple[Share, ...]
    tp: tuple[int, ...]
    fp: tuple[int, ...]

    @classmethod
    def of(cls, split: str, variant: str, points: Sequence[OperatingPoint], *, n_images: int, n_objects: int) -> Curve:
        """Make a curve of operating points with rising thresholds."""
        return cls(
            split=split,
            variant=variant,
            n_images=n_images,
            n_objects=n_objects,
            thresholds=tuple(point.threshold for point in points),
            tp=tuple(point.tp for point in points),
            fp=tuple(point.fp for point in points),
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


class SweepEvidence(Record):
    """Confidence sweep: curves for every cell, and the choice.

    ``recalls`` holds every cell at the chosen threshold; it is empty when none was chosen, and in evidence that was
    written before kinds of objects were told apart.
    """

    start: Share
    stop: Share
    step: float
    choice: ThresholdChoice
    curves: tuple[Curve, ...]
    recalls: tuple[CellRecalls, ...] = ()


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
    """One candidate or baseline with everything measured on it."""

    name: str
    role: Literal["candidate", "baseline"]
    weights_sha256: Sha256
    weights_bytes: int
    parameters: int
    imgsz: int
    seed: int | None
    configuration: ConfigurationEvidence
    baseline: str | None
    baseline_sha256: Sha256 | None
    training: TrainingEvidence | None
    inference: dict[str, float | int | str | bool | None]
    cells: tuple[CellEvidence, ...]
    robustness: tuple[RobustnessEvidence, ...]
    sweep: SweepEvidence

    @property
    def identity(self) -> tuple[str, str, int]:
        """What makes it one candidate, whatever it is called: role, run or weights, and size."""
        return self.role, self.training.run_id if self.training else self.weights_sha256, self.imgsz


class NotEvaluated(Record):
    """Something that should have been measured and was not: a failed run, weights that cannot be judged."""

    name: str
    run_id: str | None
    reason: str


class Evidence(Record):
    """Everything a decision may be made from."""

    schema_version: Literal[1] = 1
    experiment: str
    data: DataEvidence
    suite: SuiteEvidence
    candidates: tuple[CandidateEvidence, ...]
    not_evaluated: tuple[NotEvaluated, ...] = ()
    environment: dict[str, str]

    def to_json(self) -> str:
        """Canonical JSON text: two-space indent, fields in their declared order, one trailing newline."""
        return self.model_dump_json(indent=2) + "\n"
