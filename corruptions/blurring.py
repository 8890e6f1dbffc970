"""How far light is spread between two pictures of one scene, read from the pictures alone.

A blur with point spread of covariance S multiplies the spectrum by about ``exp(-w' S w / 2)`` at angular frequency w
(the start of every centred point spread's series). S is fitted to the logarithm of the ratio of both spectra, by least
squares weighted by their strength, over the frequencies that are well above rounding and not yet blurred away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.fixed_point import scale_of
from robust.corruptions.laws import Pixels, Scene
from robust.corruptions.light import decode

_LEAST_LEFT = 0.4  # of the amplitude
_NOISE = 1e-3  # power of a pixel, about ten times that of rounding bright pixels to 8 bits


def point_spread(before: Scene, after: Scene) -> NDArray[np.float64]:
    """Return the variances of the point spread along its main axes: float64 (2,), rising, not below 0.

    The unit is the square of a pixel of a picture of 640 along its longer side. Pictures without detail give 0.
    """
    height, width = before.pixels.shape[:2]
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    first, second = _spectrum(before.pixels, window), _spectrum(after.pixels, window)
    power = np.abs(first) ** 2
    left = (second * first.conj()).real / np.maximum(power, 1e-12)
    down = 2 * np.pi * np.fft.fftfreq(height)[:, None] + np.zeros(power.shape)
    across = 2 * np.pi * np.fft.rfftfreq(width)[None, :] + np.zeros(power.shape)
    kept = (left > _LEAST_LEFT) & (power > _NOISE * (window**2).sum()) & (down**2 + across**2 > 0)
    if kept.sum() < 3:
        return np.zeros(2)
    x, y, weight = across[kept], down[kept], np.sqrt(power[kept])
    terms = np.stack([x * x, 2 * x * y, y * y], axis=1)
    (xx, xy, yy), *_ = np.linalg.lstsq(terms * weight[:, None], -2 * np.log(left[kept]) * weight, rcond=None)
    variances = np.linalg.eigvalsh(np.array([[xx, xy], [xy, yy]]))
    return np.asarray(np.maximum(variances, 0.0) / scale_of((height, width)) ** 2)


def _spectrum(pixels: Pixels, window: NDArray[np.float64]) -> NDArray[np.complex128]:
    light = decode(pixels).mean(axis=2, dtype=np.float64)
    return np.asarray(np.fft.rfft2((light - (light * window).sum() / window.sum()) * window))
