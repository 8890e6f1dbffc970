"""A pinhole camera that looks along a flat street."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Level pinhole camera; world coordinates in metres: X to the right, Y up from the ground, Z forward.

    Attributes:
        width: Image width, pixels.
        height: Image height, pixels.
        focal: Focal length, pixels.
        rise: Height of the camera above the ground, metres.
        center: Column of the vanishing point.
        horizon: Row of the horizon (a shifted lens, so that verticals stay vertical).
    """

    width: int
    height: int
    focal: float
    rise: float
    center: float
    horizon: float

    @classmethod
    def sample(cls, rng: np.random.Generator, width: int, height: int) -> Camera:
        """Draw a camera: 45 to 75 degrees wide, from a hand-held one to one on a lamp post."""
        angle = math.radians(rng.uniform(45, 75))
        rise = float(
            rng.choice([rng.uniform(1.2, 1.9), rng.uniform(1.9, 3.2), rng.uniform(3.2, 5.5)], p=[0.5, 0.33, 0.17])
        )
        horizon = height * rng.uniform(0.36, 0.5) if rise < 3.2 else height * rng.uniform(0.2, 0.34)
        return cls(width, height, width / 2 / math.tan(angle / 2), rise, width * rng.uniform(0.3, 0.7), horizon)

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Return the pixel of a point in front of the camera (z > 0)."""
        return self.center + self.focal * x / z, self.horizon + self.focal * (self.rise - y) / z

    def depth_of(self, metres: float, pixels: float) -> float:
        """Return the distance at which ``metres`` look ``pixels`` tall."""
        return self.focal * metres / pixels
