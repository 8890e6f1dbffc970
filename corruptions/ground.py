"""How tall a person looks who stands at a row of the picture.

On flat ground seen by a level camera a person of fixed height appears ``height = slope * (foot - horizon)`` pixels
tall, ``slope`` being the person's height over the camera's (Hoiem et al., Putting Objects in Perspective, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EYE = 0.94  # eyes are at 94 % of the body height: a camera held at eye level sees all heads near the horizon


@dataclass(frozen=True)
class Ground:
    """The ground of one picture.

    Attributes:
        horizon: Row of the horizon, pixels; may lie outside the picture.
        slope: Person height over camera height.
        nearest: Largest row at which people stand, pixels.
        farthest: Smallest row at which people stand, pixels.
        known: False when nobody in the picture told the scale.
    """

    horizon: float
    slope: float
    nearest: float
    farthest: float
    known: bool

    def height_at(self, foot: float) -> float:
        """Return the height in pixels of a person who stands at row ``foot``; 0 above the horizon."""
        return max(0.0, self.slope * (foot - self.horizon))

    def heights_at(self, feet: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``height_at`` of many rows: same shape."""
        return np.maximum(0.0, self.slope * (feet - self.horizon))

    def foot_of(self, height: float) -> float:
        """Return the row at which a person looks ``height`` pixels tall."""
        return self.horizon + height / self.slope


def estimate(boxes: NDArray[np.float64], size: tuple[int, int]) -> Ground:
    """Estimate the ground from the people in the picture.

    With three upright people at clearly different rows: least squares of height over foot. With fewer: a camera at eye
    level. With none: that camera, its horizon at 45 % of the height.

    Args:
        boxes: float64 (n, 4), xyxy pixels.
        size: Height and width of the image.
    """
    height = size[0]
    feet, heights = boxes[:, 3], boxes[:, 3] - boxes[:, 1]
    upright = (heights >= 1.6 * (boxes[:, 2] - boxes[:, 0])) & (heights >= 12) & (feet < height - 2)
    feet, heights = feet[upright], heights[upright]
    if len(feet) < 3:  # one face in a mirror or on a balcony says nothing about the ground
        low = feet > 0.4 * height
        feet, heights = feet[low], heights[low]
    if not len(feet):
        horizon = 0.45 * height
        return Ground(horizon, 1 / _EYE, 0.97 * height, horizon + 0.12 * height, False)
    horizon, slope = float(np.median(feet - _EYE * heights)), 1 / _EYE
    if len(feet) >= 3 and float(np.ptp(feet)) > 0.12 * height:
        # in closed form: LAPACK's last bits differ from processor to processor
        spread = feet - feet.mean()
        fitted = float((spread * heights).sum() / (spread * spread).sum())
        offset = float(heights.mean() - fitted * feet.mean())
        if 0.2 <= fitted <= 4.0 and -offset / fitted < float(feet.min()):
            horizon, slope = -offset / fitted, fitted
    margin = 0.3 * float(np.median(heights))
    nearest = min(height - 1.0, float(feet.max()) + margin)
    return Ground(horizon, slope, nearest, min(float(feet.min()), nearest), True)
