"""How many images a question needs, and what the present ones can show.

``sd_per_image`` is sqrt(n) times the standard error measured on n images (or groups): about what one image adds to the
uncertainty, whatever the metric. Normal approximation, as usual in planning (Cohen 1988, "Statistical Power Analysis",
chapter 2); tests of differences are two-sided at 5 %.
"""

from __future__ import annotations

import math

from scipy import stats

POWER = 0.8
"""Probability of seeing a difference that is there."""
DIFFERENCE_SD = (0.25, 0.47)
"""Planning values where nothing was measured: what one image adds to a paired difference of AP50 of two related models,
from simulated person data."""
MOST = 10**12
"""Larger answers are cut here: they all mean "never"."""


def half_width(n: int, sd_per_image: float) -> float:
    """Half-width of a 95 % interval that n images give: 1.96 sd / sqrt(n)."""
    return _z(0.975) * sd_per_image / math.sqrt(n)


def images_needed_for_difference(sd_per_image: float, difference: float, power: float = POWER) -> int:
    """Images that show a true difference: ((1.96 + z_power) sd / difference)^2, rounded up.

    Args:
        sd_per_image: Of the paired difference.
        difference: The true difference; its sign does not matter.
        power: Probability of showing it.

    Raises:
        ValueError: the difference is 0, which no number of images shows.
    """
    return _images(1, (_z(0.975) + _z(power)) * sd_per_image, abs(difference))


def images_needed_for_margin(sd_per_image: float, margin: float, power: float = POWER, error: float = 0.05) -> int:
    """Images that show "not worse by more than the margin" when there is truly no difference, rounded up.

    ((z_error + z_power) sd / margin)^2, one-sided.

    Args:
        sd_per_image: Of the paired difference.
        margin: Loss that is accepted, above 0.
        power: Probability of showing it.
        error: One-sided; 0.025 where the lower end of a two-sided 95 % interval must clear the margin.

    Raises:
        ValueError: the margin is not above 0.
    """
    return _images(1, (_z(1 - error) + _z(power)) * sd_per_image, margin)


def smallest_difference(n: int, sd_per_image: float, power: float = POWER) -> float:
    """Smallest true difference that n images show: (1.96 + z_power) sd / sqrt(n)."""
    return (_z(0.975) + _z(power)) * sd_per_image / math.sqrt(n)


def _images(n: int, width: float, distance: float) -> int:
    """N (width / distance)^2, rounded up."""
    if not distance > 0:
        raise ValueError(f"no number of images shows a distance of {distance}")
    if width >= math.sqrt(MOST / max(n, 1)) * distance:
        return MOST
    return math.ceil(n * (width / distance) ** 2)


def _z(share: float) -> float:
    return float(stats.norm.ppf(share))
