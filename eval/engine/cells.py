"""Cells: the units of work, of caching and of resuming, addressed by what decides their content (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from robust.corruptions.built import BuiltSet
from robust.corruptions.records import Variant
from robust.datasets.records import Dataset
from robust.eval.records import Candidate, InferenceSettings, content_key

SCHEMA = 1
SHARD_IMAGES = 256
"""Images in one cell file: what a killed run loses at most, for each candidate."""

PIXELS = ("albumentations", "numpy", "opencv-python")
"""Libraries that can change pixels, and with them the ground truth of a variant."""
_NETWORK = ("torch", "torchvision", "ultralytics")


def software() -> dict[str, str]:
    """Versions of the libraries that can change pixels or predictions; read without importing them."""
    return {name: version(name) for name in (*PIXELS, *_NETWORK)}


@dataclass(frozen=True)
class Shard:
    """A run of images of one data set: positions ``start`` to ``stop`` - 1."""

    start: int
    stop: int

    @classmethod
    def split(cls, n_images: int, size: int = SHARD_IMAGES) -> tuple[Shard, ...]:
        """Cut ``n_images`` into runs of at most ``size``."""
        return tuple(cls(start, min(start + size, n_images)) for start in range(0, n_images, size))

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Plan:
    """Everything that decides the content of the cells of one evaluation.

    Attributes:
        datasets: One data set for each split, and one for each recorded set under its name.
        variants: For each data set, the variants its images are shown in.
        candidates: Candidates and baselines; each has its own ``imgsz``.
        settings: Inference settings; ``imgsz`` is replaced by the candidate's.
        renamed: Network's class name -> data set's, where they differ.
        trust: Load weights that hold code.
        software: Library versions that the content depends on.
        shard_images: Images in one shard.
        built: Recipe sha256 -> a variant on disk that is read instead of made. No part of any key: the content is the
            same.
    """

    datasets: Mapping[str, Dataset]
    variants: Mapping[str, Sequence[Variant]]
    candidates: tuple[Candidate, ...]
    settings: InferenceSettings = field(default_factory=InferenceSettings)
    renamed: Mapping[str, str] = field(default_factory=dict)
    trust: bool = False
    software: Mapping[str, str] = field(default_factory=software)
    shard_images: int = SHARD_IMAGES
    built: Mapping[str, BuiltSet] = field(default_factory=dict)

    def settings_of(self, candidate: Candidate) -> InferenceSettings:
        """The inference settings of one candidate."""
        return InferenceSettings(**{**self.settings.to_json(), "imgsz": candidate.imgsz})

    def cell(self, split: str, variant: Variant, candidate: Candidate) -> dict[str, Any]:
        """What decides the predictions of one candidate on one variant, as plain JSON values."""
        return {
            "schema": SCHEMA,
            "weights_sha256": candidate.weights_sha256,
            "dataset_sha256": self.datasets[split].fingerprint,
            "numbering": self.datasets[split].numbering,
            "recipe": variant.recipe(),
            "inference": self.settings_of(candidate).to_json(),
            "class_map": dict(self.renamed),
            "software": dict(self.software),
        }

    def key(self, split: str, variant: Variant, candidate: Candidate) -> str:
        """Address of a whole cell (all its shards)."""
        return content_key(self.cell(split, variant, candidate))

    def shard_key(self, split: str, variant: Variant, candidate: Candidate, shard: Shard) -> str:
        """Address of one shard of a cell."""
        return content_key({**self.cell(split, variant, candidate), "shard": [shard.start, shard.stop]})

    def ground_truth_key(self, split: str, variant: Variant, shard: Shard) -> str:
        """Address of the ground truth of one shard of a variant."""
        return content_key(
            {
                "schema": SCHEMA,
                "dataset_sha256": self.datasets[split].fingerprint,
                "numbering": self.datasets[split].numbering,
                "recipe": variant.recipe(),
                "software": {name: self.software[name] for name in PIXELS},
                "shard": [shard.start, shard.stop],
            }
        )

    def shards(self, split: str) -> tuple[Shard, ...]:
        """The shards of one split."""
        return Shard.split(len(self.datasets[split]), self.shard_images)


@dataclass(frozen=True)
class Task:
    """One shard of one variant, for every candidate that still misses it: its images are corrupted once.

    Attributes:
        split: Which data set.
        variant: How its images are shown.
        shard: Which of its images.
        candidates: Positions in ``Plan.candidates`` whose cells are missing; empty when only the ground truth is.
    """

    split: str
    variant: Variant
    shard: Shard
    candidates: tuple[int, ...]

    @property
    def inferences(self) -> int:
        """Forward passes of single images, plus one for each image that is only corrupted."""
        return len(self.shard) * max(1, len(self.candidates))
