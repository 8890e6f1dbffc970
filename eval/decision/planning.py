"""How many images a question needs, from planning values; nothing here is measured on the study's own data.

The formulas are those of `robust.eval.metrics.power`: two-sided 5 %, power 80 %. The standard deviations per image are
planning values for AP50 from simulated person data: 0.40 for a level, 0.25 to 0.47 for a paired difference of two
related models.
"""

from __future__ import annotations

import math

from robust.eval.metrics import power

LEVEL_SD = 0.40
DIFFERENCE_SD = (0.25, 0.47)
USEFUL_DIFFERENCE = 0.02


def half_width(n_images: int) -> float:
    """Expected half-width of a 95 % interval of AP50."""
    return power.half_width(n_images, LEVEL_SD)


def smallest_difference(n_images: int) -> tuple[float, float]:
    """Smallest AP50 difference of two models that n images show with power 80 %, for similar and unlike models."""
    low, high = (power.smallest_difference(n_images, sd) for sd in DIFFERENCE_SD)
    return low, high


def images_needed(difference: float = USEFUL_DIFFERENCE) -> tuple[int, int]:
    """Images that show an AP50 difference with power 80 %, rounded up to hundreds, for similar and unlike models."""
    low, high = (math.ceil(power.images_needed_for_difference(sd, difference) / 100) * 100 for sd in DIFFERENCE_SD)
    return low, high
