"""Bootstrap weights of images: how often each image counts in each replicate.

The unit that is drawn is the image, or the source group (video, scene) where images carry one: images of one video are
not independent, and intervals that ignore it are too narrow. All cells that show the same images use the same weights,
whatever the model and the variant, so a difference between two of them is paired in every replicate.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap"; resampling whole clusters: Field and Welsh 2007,
JRSS B 69(3); smooth weights instead of counts: Rubin 1981, Annals of Statistics 9(1).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from robust.eval.metrics.records import Record

REPLICATES = 2000
"""The Monte Carlo error of an end of a 95 % interval is then 0.06 standard errors."""
CLOSE_REPLICATES = 10_000
"""Where an end lies close to a requirement: the error is then 0.03 standard errors."""


class Resampling(Record):
    """How replicates are drawn; the same record draws the same replicates on any machine.

    Attributes:
        seed: Of the generator.
        replicates: How many.
        generator: Of numpy.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    replicates: Annotated[int, Field(ge=100, le=100_000)] = REPLICATES
    generator: Literal["PCG64"] = "PCG64"


@dataclass(frozen=True, eq=False)
class ImageWeights:
    """How much each image counts in each of B replicates.

    Attributes:
        values: float64 (n_images, B), at least 0; the columns add up to about n_images.
        n_units: Independent units that were drawn: source groups, or images.
    """

    values: NDArray[np.float64]
    n_units: int

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float64:
            raise ValueError(f"weights must be float64 (n_images, B), not {self.values.dtype} {self.values.shape}")

    @property
    def n_images(self) -> int:
        """Images."""
        return int(self.values.shape[0])

    @property
    def n_replicates(self) -> int:
        """Replicates B."""
        return int(self.values.shape[1])

    @cached_property
    def unit_of_image(self) -> NDArray[np.int64]:
        """Number of the unit of each image, int64 (n_images,): images of one unit have the same weights."""
        if self.n_units == self.n_images:
            return np.arange(self.n_images)
        numbers: dict[bytes, int] = {}
        return np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in self.values], dtype=np.int64)

    @property
    def left_out(self) -> NDArray[np.float64]:
        """Weight 1 for the images that a replicate did not draw, 0 for the others; float64 (n_images, B)."""
        return np.asarray(self.values == 0, dtype=np.float64)


def image_weights(
    groups: Sequence[str | None],
    resampling: Resampling,
    stream: str,
    *,
    smooth: bool = False,
) -> ImageWeights:
    """Draw the replicates of one set of images.

    Args:
        groups: For each image its source group, or None; images without one are units of their own.
        resampling: Seed and number of replicates.
        stream: Name of the set (split, recorded set). Sets of different names are drawn independently.
        smooth: Gamma weights of shape 1 - 1/n instead of counts, so that no class vanishes from a replicate. Rubin's
            exponential weights have shape 1 and vary less than counts, by (n - 1) / (n + 1) against (n - 1) / n; this
            shape makes both vary alike, so that one correction serves both.
    """
    return _cached(tuple(groups), resampling, stream, smooth)


@lru_cache(maxsize=8)
def _cached(groups: tuple[str | None, ...], resampling: Resampling, stream: str, smooth: bool) -> ImageWeights:
    units = unit_of_image(groups)
    n_units = int(units.max()) + 1 if len(units) else 0
    rng = np.random.Generator(np.random.PCG64([resampling.seed, zlib.crc32(stream.encode())]))
    if n_units == 0:
        drawn = np.zeros((0, resampling.replicates))
    elif smooth:
        drawn = rng.standard_gamma(max(1 - 1 / n_units, 0.5), (resampling.replicates, n_units))
        drawn = (drawn * (n_units / drawn.sum(axis=1, keepdims=True))).T
    else:
        drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), resampling.replicates).T.astype(np.float64)
    values = np.ascontiguousarray(drawn[units])
    values.flags.writeable = False  # shared by all who ask
    return ImageWeights(values, n_units)


def unit_of_image(groups: Sequence[str | None]) -> NDArray[np.int64]:
    """Number the unit of each image, int64 (n_images,), in order of first appearance."""
    numbers: dict[object, int] = {}
    keys = [("group", group) if group is not None else ("image", i) for i, group in enumerate(groups)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
