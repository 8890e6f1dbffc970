"""Light that the air between the camera and the scene takes away and adds.

Koschmieder's law: at depth d a scene of light J looks like ``J t + A (1 - t)`` with the transmission
``t = exp(-extinction * d)`` and the airlight A, the light of the horizon. The meteorological visibility (WMO No. 8,
meteorological optical range) is the depth at which 5 % of the contrast is left: extinction = ln(20) / visibility.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.bands import bands
from robust.corruptions.laws import Measure, Pixels, Scene
from robust.corruptions.light import decode, decode_table, encode, mute

_CONTRAST_LEFT = 0.05
_STEPS, _DEEPEST = 4096, 10  # of the table of transmissions: steps for each unit of optical depth, and units
_HAZE = np.array([0.97, 1.0, 1.05], dtype=np.float32)  # slightly blue
_DARKEST, _BRIGHTEST = 0.25, 0.7


def extinction(visibility: float) -> float:
    """Return the extinction in 1/m at a meteorological visibility in metres."""
    return -math.log(_CONTRAST_LEFT) / visibility


@cache
def _transmissions() -> NDArray[np.float32]:
    depth = np.arange(_STEPS * _DEEPEST) / _STEPS
    values = np.round(np.exp(-depth) * 65536) / 65536  # rounded: the last bits of exp differ between processors
    values[-1] = 0.0
    return values.astype(np.float32)


def transmission(depth: NDArray[np.float32], extinct: float | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of light that arrives from each pixel's depth: float32, the same shape, 0..1.

    Args:
        depth: float32 (height, width), metres.
        extinct: Extinction in 1/m, one for all pixels or float32 (height, width).
    """
    index = depth * (extinct * np.float32(_STEPS))
    np.minimum(index, np.float32(_STEPS * _DEEPEST - 1), out=index)
    index += np.float32(0.5)
    return np.asarray(_transmissions().take(index.astype(np.int32)), dtype=np.float32)


def airlight(pixels: Pixels) -> NDArray[np.float32]:
    """Return the linear RGB (3,) of air in a picture's light: as bright as its brightest twentieth, nearly grey."""
    sample = pixels[:: max(1, pixels.shape[0] // 128), :: max(1, pixels.shape[1] // 128)].astype(np.int32)
    luma = (sample @ np.array([54, 183, 19], dtype=np.int32)) >> 8
    bright = int(np.searchsorted(np.cumsum(np.bincount(luma.ravel(), minlength=256)), 0.95 * luma.size))
    level = np.clip(decode_table()[min(bright, 255)], np.float32(_DARKEST), np.float32(_BRIGHTEST))
    return np.asarray(mute(_HAZE, pixels) * level, dtype=np.float32)


Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What lies between the camera and the scene: the share of light that it lets through, float32 (height, width), 0..1,
and its own linear RGB (3,), which takes the place of the rest."""


def look_through(pixels: Pixels, *layers: Layer) -> Pixels:
    """Return the picture as seen through layers, the farthest first, mixed in linear light."""
    out = np.empty_like(pixels)
    lights = [np.repeat(light[None, :], pixels.shape[1], axis=0) for _, light in layers]
    for rows in bands(pixels.shape[0]):
        mixed = decode(pixels[rows])
        for (share, _), light in zip(layers, lights, strict=True):
            mixed -= light
            mixed *= in_colours(share[rows])
            mixed += light
        out[rows] = encode(mixed)
    return out


def in_colours(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Repeat one plane (height, width) for three colours: float32 (height, width, 3)."""
    return np.asarray(cv2.merge([plane, plane, plane]), dtype=np.float32).reshape(*plane.shape, 3)


def smooth_field(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return slowly varying numbers, -1..1 with mean about 0: float32 (height, width) of ``size``."""
    coarse = rng.integers(0, 256, size=(8, 8), dtype=np.uint8)
    fine = cv2.GaussianBlur(cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_LINEAR_EXACT), (0, 0), 5.0)
    enlarged = np.asarray(cv2.resize(fine, (size[1], size[0]), interpolation=cv2.INTER_LINEAR_EXACT), dtype=np.float32)
    low, high = np.float32(fine.min()), np.float32(fine.max())
    middle, half = (high + low) / np.float32(2), max((high - low) / np.float32(2), np.float32(0.5))
    return np.asarray((enlarged - middle) / half, dtype=np.float32)


def veil_share(before: Scene, after: Scene) -> float:
    """Return the share of the light in ``after`` that does not carry the scene, up to 1.

    It is the loss of contrast from pixel to pixel over the mean, in linear light: light added evenly leaves the
    differences and raises the mean, a factor on all light (exposure) cancels. 0 for a picture without any detail,
    where no veil can be told from the scene; fine detail added to the picture makes it negative.
    """
    clean, veiled = _contrast(before.pixels), _contrast(after.pixels)
    return 1.0 - veiled / clean if clean > 0 else 0.0


def _contrast(pixels: Pixels) -> float:
    linear = decode(pixels)
    total = float(linear.sum(dtype=np.float64))
    return float(np.abs(np.diff(linear, axis=1)).sum(dtype=np.float64)) / total if total > 0 else 0.0


VEIL_SHARE = Measure("share of the light that is veil", "", veil_share)
