"""Records shared by the whole evaluation: candidates, inference settings, predictions, ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Category, Dataset
from robust.errors import DataError

SCORE_FLOOR = 0.001
MAX_DETECTIONS = 300

Role = Literal["candidate", "baseline"]


@dataclass(frozen=True)
class InferenceSettings:
    """How a model sees an image; part of every cell's key.

    Attributes:
        imgsz: Side of the square letterbox, pixels.
        score_floor: Only detections above it are kept.
        nms_iou: IoU above which non-maximum suppression drops the lower score.
        max_detections: Most detections kept for an image.
        batch: Images in one forward pass.
        device: "cpu" or "cuda:0".
        backend: What runs the network: "torch".
    """

    imgsz: int = 640
    score_floor: float = SCORE_FLOOR
    nms_iou: float = 0.7
    max_detections: int = MAX_DETECTIONS
    batch: int = 1
    device: str = "cpu"
    backend: str = "torch"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, one per field."""
        return asdict(self)


@dataclass(frozen=True)
class Configuration:
    """What candidates that differ by seed only have in common. Values are None where the source did not say.

    ``model`` and ``data`` are names for people; the hashes of the starting weights and of the training split tell
    apart what has the same name.
    """

    model: str | None = None
    imgsz: int | None = None
    lr0: float | None = None
    epochs: int | None = None
    batch: int | None = None
    optimizer: str | None = None
    data: str | None = None
    model_sha256: str | None = None
    data_sha256: str | None = None

    @property
    def label(self) -> str:
        """Short name for tables: ``yolov8n 416 lr0=0.005 e3``."""
        parts = [
            Path(self.model).stem if self.model else None,
            str(self.imgsz) if self.imgsz else None,
            f"lr0={self.lr0:g}" if self.lr0 is not None else None,
            f"e{self.epochs}" if self.epochs is not None else None,
        ]
        return " ".join(part for part in parts if part) or "unknown configuration"


@dataclass(frozen=True)
class Candidate:
    """One set of weights with its inference size.

    Attributes:
        name: For people: the run's, or the file's stem. Not unique.
        weights: Local file.
        weights_sha256: Hex digest of that file.
        imgsz: Inference size in pixels.
        role: A candidate, or the baseline that candidates must beat.
        source_run_id: MLflow training run; None for a bare file.
        configuration: What it shares with the runs of other seeds.
        seed: Training seed, None when unknown.
        baseline: Name of what it must beat, None when there is none.
        baseline_sha256: Hex digest of those weights; they are evaluated at the candidate's size.
    """

    name: str
    weights: Path
    weights_sha256: str
    imgsz: int
    role: Role = "candidate"
    source_run_id: str | None = None
    configuration: Configuration = Configuration()
    seed: int | None = None
    baseline: str | None = None
    baseline_sha256: str | None = None

    @property
    def identity(self) -> tuple[str, str, int]:
        """What makes it one candidate, whatever it is called: role, run or weights, and size."""
        return self.role, self.source_run_id or self.weights_sha256, self.imgsz


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found in one image, highest score first.

    Attributes:
        boxes: float64 (n, 4), xyxy, pixels of the image that was given, clipped to it.
        scores: float64 (n,), 0..1.
        category_ids: int64 (n,), ids of the data set's categories.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    category_ids: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or self.scores.shape != (n,) or self.category_ids.shape != (n,):
            raise DataError(
                f"Detections do not line up: boxes {self.boxes.shape}, scores {self.scores.shape}, "
                f"category_ids {self.category_ids.shape}."
            )
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise DataError(
                "A detection holds NaN or infinity.", "The model's output is not finite.", "Check the weights."
            )

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, eq=False)
class Predictions:
    """All detections of one cell (one candidate on one variant).

    Attributes:
        image_ids: int64 (n_images,), every image that was shown to the model, rising.
        image_index: int64 (n,), position in ``image_ids`` of each detection, not falling.
        boxes: float64 (n, 4), xyxy pixels.
        scores: float64 (n,), falling inside an image.
        category_ids: int64 (n,).
        provenance: Plain JSON values: weights sha256, data set fingerprint, recipe, inference settings, versions.
    """

    image_ids: NDArray[np.int64]
    image_index: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    category_ids: NDArray[np.int64]
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        n = len(self.scores)
        if not (self.boxes.shape == (n, 4) and self.image_index.shape == self.category_ids.shape == (n,)):
            raise DataError("The arrays of the predictions do not line up.")
        if n and (self.image_index.min() < 0 or self.image_index.max() >= len(self.image_ids)):
            raise DataError("A prediction belongs to an image that was not evaluated.")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def collect(cls, image_ids: list[int], detections: list[Detections], provenance: dict[str, Any]) -> Predictions:
        """Join the detections of images in the given order."""
        counts = [len(d) for d in detections]
        return cls(
            np.asarray(image_ids, dtype=np.int64),
            np.repeat(np.arange(len(counts), dtype=np.int64), counts),
            np.concatenate([np.zeros((0, 4)), *(d.boxes for d in detections)]),
            np.concatenate([np.zeros(0), *(d.scores for d in detections)]),
            np.concatenate([np.zeros(0, dtype=np.int64), *(d.category_ids for d in detections)]),
            provenance,
        )

    @classmethod
    def join(cls, shards: Sequence[Predictions]) -> Predictions:
        """Put shards of one cell together, in order; the provenance is the first one's without its shard."""
        starts = np.cumsum([0, *(len(shard.image_ids) for shard in shards)])
        return cls(
            np.concatenate([shard.image_ids for shard in shards]),
            np.concatenate([shard.image_index + start for shard, start in zip(shards, starts, strict=False)]),
            np.concatenate([shard.boxes for shard in shards]),
            np.concatenate([shard.scores for shard in shards]),
            np.concatenate([shard.category_ids for shard in shards]),
            {name: value for name, value in shards[0].provenance.items() if name != "shard"},
        )


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The annotations of one variant, flat.

    Attributes:
        image_ids: int64 (n_images,), rising; images without objects count.
        image_sizes: int64 (n_images, 2), width and height in pixels.
        groups: n_images entries, the source group or None.
        image_index: int64 (n,), position in ``image_ids`` of each object, not falling.
        boxes: float64 (n, 4), xyxy pixels.
        category_ids: int64 (n,).
        annotation_ids: int64 (n,), at least 1, unique.
        iscrowd: bool (n,).
        area: float64 (n,), square pixels.
        visible: float64 (n,), 0..1.
        categories: The data set's categories, sorted by id.
    """

    image_ids: NDArray[np.int64]
    image_sizes: NDArray[np.int64]
    groups: tuple[str | None, ...]
    image_index: NDArray[np.int64]
    boxes: NDArray[np.float64]
    category_ids: NDArray[np.int64]
    annotation_ids: NDArray[np.int64]
    iscrowd: NDArray[np.bool_]
    area: NDArray[np.float64]
    visible: NDArray[np.float64]
    categories: tuple[Category, ...]

    def __post_init__(self) -> None:
        n = len(self.boxes)
        for name in ("image_index", "category_ids", "annotation_ids", "iscrowd", "area", "visible"):
            if getattr(self, name).shape != (n,):
                raise DataError(f"Ground truth does not line up: {n} boxes but {name} {getattr(self, name).shape}.")
        if len(np.unique(self.annotation_ids)) != n:
            raise DataError("Ground truth has an annotation id twice.")

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def n_objects(self) -> int:
        """Objects that count, crowd and ignore regions left out."""
        return int((~self.iscrowd).sum())

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> GroundTruth:
        """Flatten a data set."""
        flat = dataset.annotations
        lengths = [len(a) for a in flat]

        def join(name: str, empty: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([empty, *(getattr(a, name) for a in flat)])

        return cls(
            image_ids=np.array([image.id for image in dataset.images], dtype=np.int64),
            image_sizes=np.array([(i.width, i.height) for i in dataset.images], dtype=np.int64).reshape(-1, 2),
            groups=tuple(image.group for image in dataset.images),
            image_index=np.repeat(np.arange(len(flat), dtype=np.int64), lengths),
            boxes=join("boxes", np.zeros((0, 4))),
            category_ids=join("category_ids", np.zeros(0, dtype=np.int64)),
            annotation_ids=join("ids", np.zeros(0, dtype=np.int64)),
            iscrowd=join("iscrowd", np.zeros(0, dtype=np.bool_)),
            area=join("area", np.zeros(0)),
            visible=join("visible", np.zeros(0)),
            categories=dataset.categories,
        )

    @classmethod
    def join(cls, shards: Sequence[GroundTruth]) -> GroundTruth:
        """Put shards of one variant together, in order."""
        starts = np.cumsum([0, *(len(shard.image_ids) for shard in shards)])
        index = [shard.image_index + start for shard, start in zip(shards, starts, strict=False)]
        arrays = {
            name: np.concatenate([getattr(shard, name) for shard in shards])
            for name in (
                "image_ids",
                "image_sizes",
                "boxes",
                "category_ids",
                "annotation_ids",
                "iscrowd",
                "area",
                "visible",
            )
        }
        groups = tuple(group for shard in shards for group in shard.groups)
        return cls(groups=groups, image_index=np.concatenate(index), categories=shards[0].categories, **arrays)

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        digest = hashlib.sha256(repr((self.groups, self.categories)).encode())
        for name in ("image_ids", "image_sizes", "image_index", "category_ids", "annotation_ids"):
            digest.update(np.ascontiguousarray(getattr(self, name), dtype="<i8").tobytes())
        for name in ("boxes", "area", "visible", "iscrowd"):
            digest.update(np.ascontiguousarray(getattr(self, name), dtype="<f8").tobytes())
        return digest.hexdigest()


def content_key(parts: dict[str, Any]) -> str:
    """sha256 hex of plain JSON values, independent of key order."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False).encode()).hexdigest()
