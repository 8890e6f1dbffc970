"""Pictures and smooth fields in whole numbers: sums of whole numbers are the same on every processor, in any order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.bands import bands
from robust.corruptions.laws import Pixels

REFERENCE_SIDE = 640
"""Lengths are given in pixels of a picture whose longer side has this many, as most of COCO has."""

_WEIGHTS = 256
_STEPS = 64

Field = NDArray[np.int32]


def scale_of(size: tuple[int, int]) -> float:
    """Return how many pixels of a picture of (height, width) are one pixel at the reference size."""
    return max(size) / REFERENCE_SIDE


def whole_weights(weights: NDArray[np.float64], total: int = _WEIGHTS) -> NDArray[np.int64]:
    """Round weights to whole numbers that sum to ``total``: int64, same shape; the largest losses are made up first.

    So a symmetric kernel may lose its symmetry, which `even_weights` keeps.
    """
    share = weights * (total / float(weights.sum()))
    whole = np.floor(share).astype(np.int64)
    order = np.argsort(-(share - whole), axis=None, kind="stable")
    whole.reshape(-1)[order[: total - int(whole.sum())]] += 1
    return whole


def moved_sum(pixels: Pixels, moves: Sequence[tuple[int, int]], weights: NDArray[np.int64]) -> Pixels:
    """Add up copies of a picture moved by whole pixels.

    Args:
        pixels: uint8 (height, width) or (height, width, channels).
        moves: How far right and down each copy moves, (x, y); its edge is drawn out to fill the gap.
        weights: Of each copy, whole numbers that sum to 256.

    Returns:
        uint8, same shape, rounded.
    """
    height, row = pixels.shape[0], pixels[0].size
    channels = row // pixels.shape[1]
    reach = max(max(abs(x), abs(y)) for x, y in moves)
    padded = cv2.copyMakeBorder(pixels, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    wide = padded.reshape(height + 2 * reach, -1)
    made = np.empty((height, row), dtype=np.uint8)
    for band in bands(height):
        rows = band.stop - band.start
        source = wide[band.start : band.stop + 2 * reach].astype(np.uint16)
        total = np.full((rows, row), _WEIGHTS // 2, dtype=np.uint16)
        part = np.empty_like(total)
        for (x, y), weight in zip(moves, weights, strict=True):
            if weight:
                left = (reach - x) * channels
                np.multiply(source[reach - y : reach - y + rows, left : left + row], np.uint16(weight), out=part)
                total += part
        total >>= 8
        made[band] = total
    return made.reshape(pixels.shape)


def smoothed(field: Field, sigma: float) -> Field:
    """Blur a small field with a Gaussian of ``sigma`` cells: int32, same shape; what lies outside is its mirror image.

    Values must stay below 2^31 / 4096 in size.
    """
    half = math.ceil(3.0 * sigma)
    weights = whole_weights(np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2), 4096)
    for axis in (0, 1):
        edges = [(half, half) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(field, edges, mode="symmetric")
        length = field.shape[axis]
        total = np.full_like(field, 2048)
        for start, weight in enumerate(weights):
            total += np.take(padded, np.arange(start, start + length), axis=axis) * np.int32(weight)
        field = total >> 12
    return field


def enlarged(field: Field, height: int, width: int, *, to_edges: bool = False) -> Field:
    """Enlarge a small field to (height, width), bilinear between its values: int32.

    Args:
        field: int32 (rows, columns); values must stay below 2^31 / 64 in size.
        height: Pixels.
        width: Pixels.
        to_edges: The outermost values lie on the outermost pixels; else each value lies in the middle of its cell.
    """
    low, high, share = _between(field.shape[0], height, to_edges)
    rows = (field[low] * (_STEPS - share)[:, None] + field[high] * share[:, None] + _STEPS // 2) >> 6
    low, high, share = _between(field.shape[1], width, to_edges)
    made: Field = (rows.take(low, axis=1) * (_STEPS - share) + rows.take(high, axis=1) * share + _STEPS // 2) >> 6
    return made


def _between(cells: int, length: int, to_edges: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Give for each of ``length`` pixels the values before and after it and the latter's share in 64ths."""
    if to_edges:
        place = np.arange(length) * ((cells - 1) / max(length - 1, 1))
    else:
        place = np.clip((np.arange(length) + 0.5) * (cells / length) - 0.5, 0.0, cells - 1.0)
    steps = np.floor(place * _STEPS + 0.5).astype(np.int64)
    low = np.minimum(steps // _STEPS, cells - 1)
    return low, np.minimum(low + 1, cells - 1), (steps - low * _STEPS).astype(np.int32)


def displaced(pixels: Pixels, right: Field, down: Field) -> Pixels:
    """Take each pixel's colour from elsewhere, bilinear.

    Args:
        pixels: uint8 (height, width, 3), no side longer than `apply.LONGEST`.
        right: int32 (height, width): how far to the right to look, in 32nds of a pixel.
        down: The same, downwards. What lies outside is the mirror image.

    Returns:
        uint8, same shape.
    """
    height, width = pixels.shape[:2]
    x = right + np.arange(width, dtype=np.int32) * 32
    y = down + np.arange(height, dtype=np.int32)[:, None] * 32
    whole = np.stack([x >> 5, y >> 5], axis=-1).astype(np.int16)
    part = ((y & 31) * 32 + (x & 31)).astype(np.uint16)
    # whole displacements too: the nearest way of OpenCV 5.0 goes wrong where the second map is given
    made = cv2.remap(pixels, whole, part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(made, dtype=np.uint8)
