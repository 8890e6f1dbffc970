"""What falls: how many drops or flakes of which size are in a cubic metre of air, and how fast they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Precipitation:
    """Particles in the air: their sizes, numbers and speeds.

    Attributes:
        density: Particles per cubic metre and mm of diameter at diameter 0 (an exponential distribution).
        slope: How fast larger ones get rarer, 1/mm.
        smallest: Smallest diameter that is drawn, mm.
        largest: Largest diameter, mm.
        speed: From diameters in mm to the speed of fall in m/s.
    """

    density: float
    slope: float
    smallest: float
    largest: float
    speed: Callable[[Floats], Floats]

    @property
    def extinction(self) -> float:
        """Extinction in 1/m: twice the cross-section of all particles (those far larger than light waves)."""
        return math.pi * self.density / self.slope**3 * 1e-6
