"""Blur kernels in linear light, with sums that are exact: every processor gives the same bytes.

Light is held in whole steps of 1/16383 and weights are whole numbers of sum 1024 at most, so that every product and
every partial sum is a whole number below 2^24: float32 holds it exactly, in whatever order a processor adds. Kernels
too wide for that are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.bands import bands
from robust.corruptions.laws import Pixels
from robust.corruptions.light import decode_table, encode

WEIGHTS = 1024
FULL = 16383
"""Steps of full white."""

Light = NDArray[np.uint16]
"""Linear light (height, width, 3), 0..`FULL`."""


def splat(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the kernel of many points of equal weight at offsets in pixels: float64 (2h+1, 2h+1), sum 1.

    Each point is shared by its four pixels (bilinear), so that means are kept and fractions of a pixel count.
    """
    half = int(np.ceil(max(np.abs(x).max(), np.abs(y).max()))) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, below = x - column, y - row
    for i, j, weight in (
        (0, 0, (1 - below) * (1 - right)),
        (0, 1, (1 - below) * right),
        (1, 0, below * (1 - right)),
        (1, 1, below * right),
    ):
        np.add.at(kernel, (row + half + i, column + half + j), weight)
    return kernel / len(x)


_PARTS = 16  # of a pixel's side


def disc(radius: float) -> NDArray[np.float64]:
    """Return how many of the 256 parts of each pixel an even disc covers: float64 (n, n) of whole numbers, n odd.

    A disc within a pixel is that pixel, whatever its radius.
    """
    half = max(0, math.ceil(radius - 0.5))
    fine = (np.arange(_PARTS * (2 * half + 1)) + 0.5) / _PARTS - half - 0.5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= max(radius, 0.5) ** 2).astype(np.float64)
    return np.asarray(inside.reshape(2 * half + 1, _PARTS, 2 * half + 1, _PARTS).sum(axis=(1, 3)))


def disc_of_variance(variance: float) -> NDArray[np.float64]:
    """Return the `disc` whose weights have this variance along each axis, as nearly as parts of pixels allow.

    Its radius is less than that of a disc of the same variance, radius^2 / 4, for sharing light between pixels adds
    about 1/12.
    """
    most = 2.0 * math.sqrt(variance)
    low, high = max(0.5, most - 0.5), most + 0.5
    for _ in range(10):  # to a thousandth of a pixel
        middle = (low + high) / 2
        low, high = (middle, high) if _variance(disc(middle)) < variance else (low, middle)
    return min(disc(low), disc(high), key=lambda made: abs(_variance(made) - variance))


def _variance(kernel: NDArray[np.float64]) -> float:
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    return float(kernel.sum(axis=0) @ offsets**2) / float(kernel.sum())


def even_weights(kernel: NDArray[np.float64]) -> NDArray[np.int32]:
    """Round a kernel to whole weights that sum to at most 1024: int32, same shape; the largest weight is kept exactly.

    What is even or symmetric stays so, which `whole_weights` with its fixed sum cannot do.

    Raises:
        ValueError: The kernel is so wide that weights of 1 sum to more.
    """
    level = max(1, math.floor(round(WEIGHTS * float(kernel.max() / kernel.sum()), 6)))
    weights = _scaled(kernel, level)
    while weights.sum() > WEIGHTS and level > 1:
        level -= 1
        weights = _scaled(kernel, level)
    if weights.sum() > WEIGHTS:
        raise ValueError(f"A kernel of {int(weights.sum())} weights or more is too wide to be summed exactly.")
    return weights


def _scaled(kernel: NDArray[np.float64], level: int) -> NDArray[np.int32]:
    """Round to whole weights with ``level`` as the largest; millionths decide nothing, nor the last bits of sines."""
    share = np.round(kernel * (level / float(kernel.max())), 6)
    return np.asarray(np.rint(share), dtype=np.int32)


@cache
def _light_table() -> NDArray[np.uint16]:
    return np.round(decode_table().astype(np.float64) * FULL).astype(np.uint16)


def light_of(pixels: Pixels) -> Light:
    """Turn 8-bit sRGB pixels into whole steps of linear light, same shape."""
    return np.asarray(cv2.LUT(pixels, _light_table()), dtype=np.uint16).reshape(pixels.shape)


def pixels_of(light: NDArray[np.float32]) -> Pixels:
    """Turn steps of linear light back into 8-bit sRGB pixels; what was not blurred comes back as it was."""
    return encode(light * np.float32(1.0 / FULL))


def spread(light: Light, kernel: NDArray[np.int32], stride: int = 1) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield bands of rows of the blurred light: (rows, float32 (rows, width, 3), in steps).

    Args:
        light: The picture; it goes on mirrored beyond its borders.
        kernel: Square with an odd side, whole weights; light at offset (0, 0) is spread to all its offsets.
        stride: Pixels from one weight of the kernel to the next.
    """
    height, width = light.shape[:2]
    reach = kernel.shape[0] // 2 * stride
    padded = cv2.copyMakeBorder(light, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    taps = [
        (int(kernel[j, i]), 2 * reach - j * stride, 2 * reach - i * stride)
        for j, i in zip(*np.nonzero(kernel), strict=True)
    ]
    for band in bands(height):
        part = padded[band.start : band.stop + 2 * reach].astype(np.float32)
        rows = band.stop - band.start
        total = np.zeros((rows, width, 3), dtype=np.float32)
        for weight, down, across in taps:
            cv2.scaleAdd(part[down : down + rows, across : across + width], weight, total, total)
        total *= np.float32(1.0 / kernel.sum())
        yield band, total
