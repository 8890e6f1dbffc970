"""Records of a corruption: the recipe (`Variant`) and what it makes of one image (`CorruptedImage`)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Annotations

Parameter = float | int | str | bool
GroundTruthPolicy = Literal["amodal", "visible"]
"""``amodal``: boxes stay where the whole object is; ``visible``: boxes shrink to what can still be seen."""

CLEAN = "clean"
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Variant:
    """A corruption at a severity: the whole recipe, so that equal recipes give equal pixels.

    Attributes:
        corruption: Registered name, or ``clean`` for the untouched images.
        severity: 1..5; 0 for images as they are: ``clean``, and sets that were recorded under a condition.
        seed: The suite's seed.
        parameters: Physical parameters at this severity, as sorted (name, value) pairs.
        ground_truth: What happens to the boxes of objects that are covered.
        version: Counts changes of the corruption's pixels; part of the hash.
    """

    corruption: str
    severity: int
    seed: int = 0
    parameters: tuple[tuple[str, Parameter], ...] = ()
    ground_truth: GroundTruthPolicy = "amodal"
    version: int = 1

    @property
    def name(self) -> str:
        """``night/3``; at severity 0 nothing is done to the images, and the name stands alone: ``clean``."""
        return f"{self.corruption}/{self.severity}" if self.severity else self.corruption

    def recipe(self) -> dict[str, object]:
        """Everything that decides the pixels and boxes, as plain JSON values."""
        if self.corruption == CLEAN:  # no seed: the clean images are the same for every suite
            return {"corruption": CLEAN}
        return {
            "corruption": self.corruption,
            "severity": self.severity,
            "seed": self.seed,
            "parameters": dict(self.parameters),
            "ground_truth": self.ground_truth,
            "version": self.version,
        }

    @property
    def sha256(self) -> str:
        """Hex digest of the recipe."""
        return hashlib.sha256(json.dumps(self.recipe(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class CorruptedImage:
    """One image of a variant.

    Attributes:
        pixels: uint8 (height, width, 3), RGB.
        annotations: Its ground truth under the variant's policy, with visible fractions updated.
    """

    pixels: NDArray[np.uint8]
    annotations: Annotations


def image_seed(suite_seed: int, image_sha256: str, corruption: str, severity: int) -> int:
    """Return the 64-bit seed of one image in one variant.

    It depends on content and recipe only, never on order, worker or global state, so the same image gets the same
    corrupted pixels on any number of workers.
    """
    text = f"{suite_seed}\0{image_sha256}\0{corruption}\0{severity}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
