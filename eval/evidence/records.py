"""The evidence: one versioned JSON from which decision and report are made.

Undefined values are None (never -1, never NaN). Scores and metrics are 0..1. Nothing in here depends on the clock, the
machine's paths or the order of work, so the same models and data give the same bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Record(BaseModel):
    """Base of all evidence records: frozen, no unknown keys, no NaN."""

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


class RobustnessEvidence(Record):
    """Aggregates over the suite for one base metric (Michaelis et al. 2019, arXiv 1907.07484).

    ``mPC`` is the mean over corruptions and severities, ``rPC`` is ``mPC`` / clean. None when a cell is
    undefined or missing.
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


class Curve(Record):
    """The sweep of one candidate on one variant of one split."""

    split: str
    variant: str
    points: tuple[OperatingPoint, ...]


class ThresholdConstraints(Record):
    """What an operating point must satisfy on val. None: not required."""

    min_precision: Share | None = None
    max_fppi: float | None = None
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


class Evidence(Record):
    """Everything a decision may be made from."""

    schema_version: Literal[1] = 1
    experiment: str
    data: DataEvidence
    suite: SuiteEvidence
    candidates: tuple[CandidateEvidence, ...]
    environment: dict[str, str]

    def to_json(self) -> str:
        """Canonical JSON text: two-space indent, fields in their declared order, one trailing newline."""
        return self.model_dump_json(indent=2) + "\n"
