"""The evidence: one versioned JSON from which decision and report are made.

Undefined values are None (never -1, never NaN). Scores and metrics are 0..1. Nothing in here depends on the clock, the
machine's paths or the order of work, so the same models and data give the same bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from robust.eval.metrics.records import CocoMetrics, OperatingPoint, Record, RobustnessEvidence, Share, ThresholdChoice

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
    """One variant of the suite with its recipe and its ground truth."""

    name: str
    corruption: str
    severity: int
    parameters: dict[str, float | int | str | bool]
    ground_truth: Literal["amodal", "visible"]
    recipe_sha256: Sha256
    ground_truth_sha256: Sha256
    n_images: int
    n_objects: int
    n_ignored: int


class SuiteEvidence(Record):
    """The variants that every candidate was shown."""

    name: str
    seed: int
    variants: tuple[VariantEvidence, ...]


class CellEvidence(Record):
    """One candidate on one variant of one split."""

    split: str
    variant: str
    key: Sha256
    n_detections: int
    coco: CocoMetrics


class Curve(Record):
    """The sweep of one candidate on one variant of one split."""

    split: str
    variant: str
    points: tuple[OperatingPoint, ...]


class SweepEvidence(Record):
    """Confidence sweep: curves for every cell, and the choice."""

    start: Share
    stop: Share
    step: float
    choice: ThresholdChoice
    curves: tuple[Curve, ...]


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
    training: TrainingEvidence | None
    inference: dict[str, float | int | str | bool | None]
    cells: tuple[CellEvidence, ...]
    robustness: tuple[RobustnessEvidence, ...]
    sweep: SweepEvidence


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
