"""Physical measures that several corruptions share."""

from __future__ import annotations

import math

import numpy as np

from robust.corruptions.laws import Measure, Scene


def rms_change(before: Scene, after: Scene) -> float:
    """Return the root mean square difference of two pictures of one size, in 8-bit code values, 0..255."""
    difference = after.pixels.astype(np.int32) - before.pixels
    return math.sqrt(float(np.einsum("ijk,ijk->", difference, difference, dtype=np.int64)) / difference.size)


RMS_CHANGE = Measure("root mean square change of the pixels", "of 255", rms_change)
"""For faults without a better physical measure. PSNR in dB is 20 log10(255 / change)."""
