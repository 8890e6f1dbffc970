"""The three noises of the common corruptions: Gaussian, shot and impulse noise.

Published laws (Hendrycks and Dietterich 2019, Michaelis et al. 2019), on sRGB code values as published, for each colour
value by itself:

* ``gaussian_noise``: adds Normal(0, ``sigma``), in shares of full white.
* ``shot_noise``: Poisson(``photons`` x value) / ``photons``.
* ``impulse_noise``: a share ``amount`` of all colour values becomes 0 or 255, evenly.

Results are rounded (the published package cuts the fraction off, which darkens by half a code value). Chance is one
uniform whole number a colour value, turned into the law's quantile by a table, so all processors make the same bytes
and the published package's unseeded impulse noise cannot happen. The noise is one pixel fine at every picture size.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, pdtr

from robust.corruptions.bands import bands
from robust.corruptions.laws import Context, Corruption, Parameters, Pixels, Scene, Step
from robust.corruptions.measures import RMS_CHANGE
from robust.corruptions.published import SOURCE

_FINE = 1 << 16
_COARSE = 1 << 12


def add_gaussian(scene: Scene, context: Context, *, sigma: float) -> Scene:
    """Add Normal(0, ``sigma`` x 255) to every colour value, rounded and clipped; objects stay as they are."""
    noisy, table = np.empty_like(scene.pixels), gaussian_table(sigma)
    for rows in bands(len(scene.pixels)):
        draws = context.rng.integers(0, _FINE, size=scene.pixels[rows].shape, dtype=np.uint16)
        cv2.add(scene.pixels[rows], table.take(draws), dst=noisy[rows], dtype=cv2.CV_8U)
    return scene.with_pixels(noisy)


def count_photons(scene: Scene, context: Context, *, photons: float) -> Scene:
    """Draw every colour value as a count with ``photons`` expected at full white; objects stay as they are."""
    noisy, table = np.empty_like(scene.pixels), shot_table(photons)
    for rows in bands(len(scene.pixels)):
        index = scene.pixels[rows].astype(np.int32)
        index *= _COARSE
        index += context.rng.integers(0, _COARSE, size=index.shape, dtype=np.uint16)
        noisy[rows] = table.take(index)
    return scene.with_pixels(noisy)


def add_impulses(scene: Scene, context: Context, *, amount: float) -> Scene:
    """Turn a share ``amount`` of all colour values into 0 or 255, evenly; objects stay as they are."""
    noisy = scene.pixels.copy()
    threshold = round(amount * _FINE / 2)
    for rows in bands(len(scene.pixels)):
        draws = context.rng.integers(0, _FINE, size=scene.pixels[rows].shape, dtype=np.uint16)
        np.putmask(noisy[rows], draws < 2 * threshold, 255)
        np.putmask(noisy[rows], draws < threshold, 0)
    return scene.with_pixels(noisy)


@lru_cache(maxsize=8)
def gaussian_table(sigma: float) -> NDArray[np.int16]:
    """Return 65536 equally likely values of Normal(0, ``sigma`` x 255), rounded to code values: int16, rising.

    Rounding the noise is rounding the sum, for the pixels are whole numbers.

    Raises:
        ValueError: ``sigma`` is above 29: the outermost values would not fit.
    """
    values = np.round(ndtri((np.arange(_FINE) + 0.5) / _FINE) * (sigma * 255.0))
    if values[-1] > np.iinfo(np.int16).max:
        raise ValueError(f"Gaussian noise of sigma {sigma:g} x 255 does not fit 16 bits.")
    return np.asarray(values, dtype=np.int16)


@lru_cache(maxsize=8)
def shot_table(photons: float) -> Pixels:
    """Return 4096 equally likely results for each code value 0..255: uint8 (256 * 4096,), rising for each code."""
    quantiles = (np.arange(_COARSE) + 0.5) / _COARSE  # the outermost lie 3.7 standard deviations from the mean
    rows = []
    for code in range(256):
        expected = code / 255.0 * photons
        reach = 5.0 * math.sqrt(expected)
        first = max(0, math.floor(expected - reach))
        below = pdtr(np.arange(first, math.ceil(expected + reach) + 8), expected)
        counts = first + np.searchsorted(below, quantiles)
        rows.append(np.minimum(np.round(counts * (255.0 / photons)), 255.0).astype(np.uint8))
    return np.concatenate(rows)


def _gaussian_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(add_gaussian, sigma=float(parameters["sigma"])),)


def _shot_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(count_photons, photons=float(parameters["photons"])),)


def _impulse_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(add_impulses, amount=float(parameters["amount"])),)


_LIMITS = "Added to sRGB code values as published, not to light, and white: no camera's noise looks quite like it. "

CORRUPTIONS = (
    Corruption(
        name="gaussian_noise",
        summary="Noise of electronics in poor light, the same in dark and bright parts.",
        cause="noise",
        severities={
            s: {"sigma": sigma} for s, sigma in zip((1, 2, 3, 4, 5), (0.08, 0.12, 0.18, 0.26, 0.38), strict=True)
        },
        ranges={"sigma": (0.0, 10.0)},
        steps=_gaussian_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("additive Gaussian noise"),
        limits=_LIMITS + "The grain is one pixel at every picture size.",
        pixel_grid=True,
    ),
    Corruption(
        name="shot_noise",
        summary="Too few photons: noise that grows with brightness.",
        cause="noise",
        severities={
            s: {"photons": photons} for s, photons in zip((1, 2, 3, 4, 5), (60.0, 25.0, 12.0, 5.0, 3.0), strict=True)
        },
        ranges={"photons": (1.0, 1e6)},
        steps=_shot_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("Poisson noise"),
        limits=_LIMITS
        + "The counts do not follow the light, for sRGB is not linear; see sensor_noise for a sensor's noise.",
        pixel_grid=True,
    ),
    Corruption(
        name="impulse_noise",
        summary="Broken pixels and bit errors: single colour values at black or white.",
        cause="noise",
        severities={
            s: {"amount": amount} for s, amount in zip((1, 2, 3, 4, 5), (0.03, 0.06, 0.09, 0.17, 0.27), strict=True)
        },
        ranges={"amount": (0.0, 1.0)},
        steps=_impulse_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("salt-and-pepper noise"),
        limits="Each colour value fails by itself, as published, and others in every picture: a real dead pixel stays "
        "where it is.",
        pixel_grid=True,
    ),
)
