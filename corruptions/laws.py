"""What a corruption is made of: scenes, steps, and the record that a cause's module declares.

A corruption is a short list of *steps*. A step is either a *law* of ours (a pure function of the scene and its random
generator) or a `Stock` transform of albumentations that changes pixels only. The adapter composes both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import GroundTruthPolicy, Parameter
from robust.datasets.records import Annotations, Dataset, ImageRecord

Pixels = NDArray[np.uint8]
ImageSource = Callable[[ImageRecord], Pixels]
"""Reads one image of the data set: uint8 (height, width, 3), RGB."""

Parameters = Mapping[str, Parameter]


@dataclass(frozen=True, eq=False)
class Scene:
    """An image with its objects, before or after a step.

    Attributes:
        pixels: uint8 (height, width, 3), RGB; never written to in place.
        annotations: The objects with their whole (amodal) boxes; ``visible`` is kept up to date.
        seen: float64 (n, 4), xyxy pixels: the box of what can still be seen of each object. Only read where the
            variant's policy is ``visible``.
        inside: float64 (n,), 0..1: the share of each object that a moving camera left in the picture (``visible``
            holds it too); None where nothing moved.
    """

    pixels: Pixels
    annotations: Annotations
    seen: NDArray[np.float64]
    inside: NDArray[np.float64] | None = None

    @classmethod
    def start(cls, pixels: Pixels, annotations: Annotations) -> Scene:
        """Make the scene of an untouched image."""
        return cls(pixels, annotations, annotations.boxes)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def with_pixels(self, pixels: Pixels) -> Scene:
        """Return the same objects under other pixels."""
        return replace(self, pixels=pixels)


@dataclass(frozen=True, eq=False)
class Context:
    """What a law may use beside the scene.

    Attributes:
        rng: The image's own generator, seeded by content and recipe.
        dataset: The whole split (for donors), the same for every shard.
        index: Position of the image in ``dataset``.
        read: How images of ``dataset`` are read.
    """

    rng: np.random.Generator
    dataset: Dataset
    index: int
    read: ImageSource


Law = Callable[[Scene, Context], Scene]


@dataclass(frozen=True)
class Stock:
    """A transform of albumentations that changes pixels only, by class name and arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


Step = Law | Stock
Steps = Callable[[Parameters, tuple[int, int]], tuple[Step, ...]]
"""From the parameters and the image's (height, width) to the steps, so that kernel sizes can follow it."""


@dataclass(frozen=True)
class Measure:
    """The physical quantity that must rise with severity.

    Attributes:
        name: What it is.
        unit: Its unit, "" for a share or a count.
        of: From (before, after) to the value for one image.
    """

    name: str
    unit: str
    of: Callable[[Scene, Scene], float]


@dataclass(frozen=True)
class Corruption:
    """One registered corruption.

    Attributes:
        name: Its name in suites and variants.
        summary: The risk that it stands for, one line.
        cause: The physical cause, one or two words.
        source: Where the law comes from: a standard, a paper, a formula's name.
        limits: What it does not show, one to three sentences for the reader of a report.
        severities: Physical parameters at each severity; every severity has the same keys.
        steps: The recipe.
        measure: What must rise with severity.
        ground_truth: The default policy for objects that get covered.
        version: Raised whenever the pixels of any image change.
        alters_negatives: False when an image without objects stays as it is.
        moves_objects: True when objects change place (another camera angle) and can leave the picture.
        random: False when nothing is drawn: every seed gives the same picture.
        pixel_grid: True when the fault lives on the pixel grid (coding blocks, coarse pixels) and does not scale with
            the picture: a copy of half the size then suffers more.
        ranges: Lowest and highest value (both allowed) that users may set a numeric parameter to; a parameter that is
            not named may be anything from 0 up.
    """

    name: str
    summary: str
    cause: str
    severities: Mapping[int, Parameters]
    steps: Steps
    measure: Measure
    source: str
    limits: str
    ground_truth: GroundTruthPolicy = "amodal"
    version: int = 1
    alters_negatives: bool = True
    moves_objects: bool = False
    random: bool = True
    pixel_grid: bool = False
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
