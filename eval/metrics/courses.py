"""What a course of values over epochs says: where it is best, whether it falls, how steep its end is.

Undefined is None: nothing is said of a course of fewer than two epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

GAP_TOLERANCE = 0.02
"""Gap of AP between train and test that is accepted (a convention, as the margin of comparisons)."""
END = 5
"""Epochs that count as the end of a course (a convention)."""


def best_is_last(curve: Sequence[float]) -> bool | None:
    """True when no earlier epoch reached the value of the last one; None with fewer than two epochs."""
    return max(curve[:-1]) < curve[-1] if len(curve) > 1 else None


def falls(curve: Sequence[float]) -> bool | None:
    """True when every epoch is below the one before it; None with fewer than two epochs."""
    return all(later < earlier for earlier, later in pairwise(curve)) if len(curve) > 1 else None


def losses_part(train: Sequence[float], val: Sequence[float]) -> bool | None:
    """True when the val loss ends above its lowest while the train loss ends on its lowest.

    None when either has fewer than two epochs.
    """
    if len(train) < 2 or len(val) < 2:
        return None
    return train[-1] <= min(train) and val[-1] > min(val)


def epochs_since_lowest(curve: Sequence[float]) -> int:
    """Epochs after the last of the lowest values; 0 when the course ends on it."""
    return list(reversed(curve)).index(min(curve)) if curve else 0


def end_slope(curve: Sequence[float], n: int = END) -> float | None:
    """Change per epoch over the last n epochs: slope of the least-squares line.

    Args:
        curve: Values by epoch.
        n: Epochs, at least 2; fewer where the course is shorter.

    Returns:
        None with fewer than two epochs.
    """
    end = np.asarray(curve[-n:], dtype=np.float64)
    if len(end) < 2:
        return None
    epochs = np.arange(len(end)) - (len(end) - 1) / 2
    return float(epochs @ end / (epochs @ epochs))
