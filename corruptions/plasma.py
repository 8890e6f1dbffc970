"""Plasma fractals: clouds by midpoint displacement (Fournier, Fussell and Carpenter 1982)."""

from __future__ import annotations

import numpy as np

from robust.corruptions.fixed_point import Field

_MAP = 256
SHADES = 4095
"""The largest value of a fractal."""


def plasma(decay: float, rng: np.random.Generator) -> Field:
    """Make a plasma fractal by midpoint displacement, in whole numbers: int32 (256, 256), 0..4095, both reached.

    It has no border (what leaves on one side comes back on the other). Each point is the mean of the four around it,
    first of squares, then of diamonds, and a uniform deviation that is ``decay`` squared times smaller in each octave.
    """
    field = np.zeros((_MAP, _MAP), dtype=np.int32)
    step, octave = _MAP, 0
    while step >= 2:
        half, reach = step // 2, round(2.0**22 * decay ** (-2 * octave))

        def between(total: Field, reach: int = reach) -> Field:
            return (total >> 2) + rng.integers(-reach, reach + 1, size=total.shape, dtype=np.int32)

        corners = field[::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=0)
        field[half::step, half::step] = between(pairs + np.roll(pairs, -1, axis=1))
        centres = field[half::step, half::step]
        across = corners + np.roll(corners, -1, axis=1)
        field[::step, half::step] = between(across + centres + np.roll(centres, 1, axis=0))
        field[half::step, ::step] = between(pairs + centres + np.roll(centres, 1, axis=1))
        step, octave = half, octave + 1
    low, high = int(field.min()), int(field.max())
    return ((field.astype(np.int64) - low) * SHADES // (high - low)).astype(np.int32)
