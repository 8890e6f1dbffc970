"""Out of focus: the lens is set to another distance than that of the scene.

Law: geometric optics. A point out of focus lights a disc (the circle of confusion) evenly; ``radius`` is that of the
disc in pixels of a picture of 640 along its longer side and grows with the picture. In linear light, so that highlights
turn into discs instead of fading.

A disc of more than 6 pixels is made at a half, a quarter... of the picture's size and enlarged (bilinear). What this
and the sharing of light between pixels spread is taken off the disc, so that all of it spreads as far as ``radius``
says: by a variance of radius^2 / 4 along each axis.

Limits: the same disc everywhere (depth is not known), round and even (no vignetting, no blades), and highlights count
as full white, however bright they were.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.bands import bands
from robust.corruptions.blurring import point_spread
from robust.corruptions.fixed_point import scale_of
from robust.corruptions.kernels import Light, disc_of_variance, even_weights, light_of, pixels_of, spread
from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step

_LARGEST = 6.0  # pixels
_EXACT = 16  # up to here enlarging is exact in float32


def defocus(scene: Scene, context: Context, *, radius: float) -> Scene:
    """Blur with a disc of ``radius`` pixels of a picture of 640; objects stay as they are."""
    del context
    return scene.with_pixels(blur_by_disc(scene.pixels, radius * scale_of(scene.size)))


def shrinking(radius: float) -> int:
    """Return by how much (1, 2, 4...) the picture shrinks before it is blurred by a disc of ``radius`` pixels."""
    shrink = 1
    while radius / shrink > _LARGEST:
        shrink *= 2
    return shrink


@lru_cache(maxsize=64)
def weights(radius: float) -> NDArray[np.int32]:
    """Return the kernel for the picture made smaller by `shrinking`: int32 (n, n), n odd.

    Averaging ``n`` x ``n`` pixels adds a variance of (n^2 - 1) / 12, enlarging again (n^2 - 1) / 6.
    """
    square = shrinking(radius) ** 2
    return even_weights(disc_of_variance((radius**2 - (square - 1)) / (4 * square)))


def blur_by_disc(pixels: Pixels, radius: float) -> Pixels:
    """Blur with a disc of ``radius`` pixels of this picture, in linear light."""
    shrink, kernel = shrinking(radius), weights(radius)
    light, blurred = light_of(pixels), np.empty_like(pixels)
    if shrink == 1:
        for rows, part in spread(light, kernel):
            blurred[rows] = pixels_of(part)
        return blurred
    small = _shrunk(light, shrink)
    for rows, part in spread(small.copy(), kernel):
        small[rows] = np.rint(part).astype(np.uint16)
    large = _enlarged(small.astype(np.float32), shrink)
    for rows in bands(len(pixels)):
        blurred[rows] = pixels_of(np.asarray(large[rows, : pixels.shape[1]]))
    return blurred


def _shrunk(light: Light, shrink: int) -> Light:
    """Average areas of ``shrink`` x ``shrink`` pixels; the last row and column are mirrored to fill them."""
    down, right = -light.shape[0] % shrink, -light.shape[1] % shrink
    light = np.asarray(cv2.copyMakeBorder(light, 0, down, 0, right, cv2.BORDER_REFLECT), dtype=np.uint16)
    for factor in _factors(shrink):
        size = (light.shape[1] // factor, light.shape[0] // factor)
        light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), dtype=np.uint16)
    return light


def _enlarged(light: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Enlarge ``factor`` times, bilinear: the same by steps as at once, but for rounding to whole steps of light."""
    for part in _factors(factor):
        size = (light.shape[1] * part, light.shape[0] * part)
        light = np.asarray(cv2.resize(np.rint(light), size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return light


def _factors(shrink: int) -> list[int]:
    """Split a power of two into factors that are exact in float32, for sums of areas and between two values."""
    factors = []
    while shrink > 1:
        factors.append(min(shrink, _EXACT))
        shrink //= factors[-1]
    return factors


def disc_radius(before: Scene, after: Scene) -> float:
    """Return the radius of the disc that spreads light as widely, in pixels of a picture of 640 (variance r^2 / 4)."""
    return math.sqrt(4.0 * float(point_spread(before, after).mean()))


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(defocus, radius=float(parameters["radius"])),)


CORRUPTIONS = (
    Corruption(
        name="out_of_focus",
        summary="The lens is badly focused or has slipped: no fine detail, highlights turn into discs.",
        cause="focus",
        severities={s: {"radius": r} for s, r in zip((1, 2, 3, 4, 5), (2.0, 3.5, 5.5, 8.0, 11.0), strict=True)},
        ranges={"radius": (0.0, 100.0)},
        steps=_steps,
        measure=Measure("radius of the blur", "pixels of 640", disc_radius),
        source="Geometric optics: the circle of confusion, an even disc in linear light (sRGB: IEC 61966-2-1)",
        limits="The same blur at every distance, and highlights count as full white however bright they were.",
        version=2,
        random=False,
    ),
)
