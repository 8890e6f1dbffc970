"""The four blurs of the common corruptions: out of focus, frosted glass, motion, zoom.

Published laws (Hendrycks and Dietterich 2019, Michaelis et al. 2019), averaging sRGB code values as published. Lengths
are pixels of a picture whose longer side has 640 (COCO's, where the detection benchmark used them) and grow with the
picture:

* ``defocus_blur``: a disc of ``radius``. Wide discs are laid on the picture averaged to a half, a third and so on,
  with the spread that this adds taken off the radius.
* ``glass_blur``: Gaussian blur of ``sigma``, then ``passes`` sweeps in which each pixel takes the colour of one up to
  ``reach`` pixels away (as the published program does; its paper says that they swap), then the Gaussian blur again.
* ``motion_blur``: half a Gaussian of ``sigma``, cut off at ``length``, along a line at -45 to 45 degrees.
* ``zoom_blur``: the mean of the picture and of copies zoomed by 1 to ``farthest`` in steps of ``step``.

Where the published package errs, this does not: its discs of radius 8 and 10 brighten the picture by over 1 % (the
softened kernel no longer sums to 1; here the rim is soft by pixel coverage), its glass blur crashes on today's
libraries, its motion blur stops at the border of a small picture.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.detail import dimmed
from robust.corruptions.fixed_point import displaced, moved_sum, scale_of, whole_weights
from robust.corruptions.kernels import disc
from robust.corruptions.laws import Context, Corruption, Parameters, Pixels, Scene, Step
from robust.corruptions.measures import RMS_CHANGE
from robust.corruptions.published import SOURCE

_WIDEST = 5.0  # pixels; up to 11 x 11 weights OpenCV sums directly, above it goes through Fourier space and rounds
_MOST_COPIES = 128


def defocus(scene: Scene, context: Context, *, radius: float) -> Scene:
    """Blur with a disc of ``radius`` pixels of this picture; objects stay as they are."""
    del context
    return scene.with_pixels(disc_blurred(scene.pixels, radius))


def disc_blurred(pixels: Pixels, radius: float) -> Pixels:
    """Blur with a disc of ``radius`` pixels: uint8, same shape.

    A disc's variance along each axis is radius^2 / 4. Averaging ``n`` x ``n`` pixels and enlarging again adds
    (n^2 - 1) / 12 and (n^2 - 1) / 6, which is taken off.
    """
    n = max(1, math.ceil(radius / _WIDEST))
    if n == 1:
        return _filtered(pixels, disc_shares(radius))
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (math.ceil(width / n), math.ceil(height / n)), interpolation=cv2.INTER_AREA)
    small = _filtered(np.asarray(small, dtype=np.uint8), disc_shares(math.sqrt(radius**2 - (n**2 - 1)) / n))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _filtered(pixels: Pixels, kernel: NDArray[np.float32]) -> Pixels:
    # weights in 1024ths make every sum exact, and half a step keeps it off ties: all processors round alike
    blurred = cv2.filter2D(pixels, -1, kernel, delta=0.5 / 1024, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, dtype=np.uint8)


@lru_cache(maxsize=64)
def disc_shares(radius: float) -> NDArray[np.float32]:
    """Return the share of each pixel that a disc covers, in 1024ths that sum to 1: float32 (n, n), n odd."""
    return (whole_weights(disc(radius), 1024) / 1024).astype(np.float32)


def look_through_glass(scene: Scene, context: Context, *, sigma: float, reach: int, passes: int, scale: float) -> Scene:
    """Blur, mix neighbouring pixels, blur; lengths times ``scale``; objects stay as they are."""
    pixels = _gaussian_blurred(scene.pixels, sigma * scale)
    grain = max(1, round(scale))
    height, width = pixels.shape[:2]
    rows, columns = math.ceil(height / grain), math.ceil(width / grain)
    origin = np.arange(rows * columns, dtype=np.int32)
    for _ in range(passes):
        origin = origin.take(swept(rows, columns, reach, context.rng))
    down, right = np.divmod(origin.reshape(rows, columns), np.int32(columns))
    right -= np.arange(columns, dtype=np.int32)
    down -= np.arange(rows, dtype=np.int32)[:, None]
    if grain > 1:
        right, down = (m.repeat(grain, axis=0)[:height].repeat(grain, axis=1)[:, :width] for m in (right, down))
    unit = round(scale * 32)
    return scene.with_pixels(_gaussian_blurred(displaced(pixels, right * unit, down * unit), sigma * scale))


def swept(rows: int, columns: int, reach: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return where each cell's colour comes from after one sweep: int32 (rows * columns,), flat positions.

    From the last cell to the first, each takes the colour that a cell at -``reach`` to ``reach`` - 1 (along both axes)
    has by then; so colours can travel on with the sweep. Cells at the border, to a depth of ``reach``, keep theirs.
    """
    offsets = (np.arange(-reach, reach)[:, None] * columns + np.arange(-reach, reach)).astype(np.int32).ravel()
    moves = offsets.take(rng.integers(0, offsets.size, size=(rows, columns), dtype=np.uint8))
    moves[: reach + 1] = moves[rows - reach + 1 :] = moves[:, : reach + 1] = moves[:, columns - reach + 1 :] = 0
    moves = moves.ravel()
    origin: NDArray[np.int32] = np.arange(moves.size, dtype=np.int32) + moves
    swept_before = moves > 0
    left = np.flatnonzero(swept_before)
    while left.size:  # follow colours that had been moved before; twice as far each time
        taken = origin[left]
        origin[left] = origin[taken]
        swept_before[left] = again = swept_before[taken]
        left = left[again]
    return origin


def _gaussian_blurred(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def move(scene: Scene, context: Context, *, length: float, sigma: float) -> Scene:
    """Blur along a line at -45 to 45 degrees; lengths in pixels of this picture; objects stay as they are."""
    angle = math.radians(context.rng.uniform(-45.0, 45.0))
    moves, weights = trail(length, sigma, angle)
    return scene.with_pixels(moved_sum(scene.pixels, moves, weights))


def trail(length: float, sigma: float, angle: float) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """Return the copies of a motion blur and their weights.

    Args:
        length: Of the trail, pixels.
        sigma: Of the half Gaussian that it fades with, pixels.
        angle: Radians, 0 to the left, rising upwards.

    Returns:
        The moves (x, y) in whole pixels, one a pixel of the trail (at most 128, then farther apart), and their
        weights in 256ths.
    """
    count = max(1, math.ceil(length))
    apart = max(1.0, count / _MOST_COPIES)
    places = np.arange(math.ceil(count / apart)) * apart
    moves = [(-round(math.cos(angle) * place), -round(math.sin(angle) * place)) for place in places.tolist()]
    return moves, whole_weights(np.exp(-0.5 * (places / sigma) ** 2))


def zoom(scene: Scene, context: Context, *, farthest: float, step: float) -> Scene:
    """Average the picture with zoomed copies; objects stay as they are."""
    del context
    pixels = scene.pixels
    height, width = pixels.shape[:2]
    total = pixels.astype(np.uint16)
    count = round((farthest - 1.0) / step) + 1
    for k in range(count):
        factor = 1.0 + k * step
        rows, columns = math.ceil(height / factor - 1e-9), math.ceil(width / factor - 1e-9)
        top, left = (height - rows) // 2, (width - columns) // 2
        part = pixels[top : top + rows, left : left + columns]
        total += np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    total += (count + 1) // 2
    total //= count + 1
    return scene.with_pixels(total.astype(np.uint8))


def _defocus_steps(parameters: Parameters, size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(defocus, radius=float(parameters["radius"]) * scale_of(size)),)


def _glass_steps(parameters: Parameters, size: tuple[int, int]) -> tuple[Step, ...]:
    sigma, reach, passes = float(parameters["sigma"]), int(parameters["reach"]), int(parameters["passes"])
    return (partial(look_through_glass, sigma=sigma, reach=reach, passes=passes, scale=scale_of(size)),)


def _motion_steps(parameters: Parameters, size: tuple[int, int]) -> tuple[Step, ...]:
    scale = scale_of(size)
    return (partial(move, length=float(parameters["length"]) * scale, sigma=float(parameters["sigma"]) * scale),)


def _zoom_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(zoom, farthest=float(parameters["farthest"]), step=float(parameters["step"])),)


_LIMITS = "Code values are averaged, not light, so bright lamps stay small and dull. "

CORRUPTIONS = (
    Corruption(
        name="defocus_blur",
        summary="The lens is out of focus.",
        cause="blur",
        severities={s: {"radius": r} for s, r in zip((1, 2, 3, 4, 5), (3.0, 4.0, 6.0, 8.0, 10.0), strict=True)},
        ranges={"radius": (0.0, 100.0)},
        steps=_defocus_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("disc of confusion"),
        limits=_LIMITS + "Near and far are equally out of focus.",
        random=False,
    ),
    Corruption(
        name="glass_blur",
        summary="The camera looks through frosted or scratched glass.",
        cause="blur",
        severities={
            s: {"sigma": sigma, "reach": reach, "passes": passes}
            for s, (sigma, reach, passes) in zip(
                (1, 2, 3, 4, 5), ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)), strict=True
            )
        },
        ranges={"sigma": (0.1, 20.0), "reach": (1, 8), "passes": (1, 20)},
        steps=_glass_steps,
        measure=dimmed(80),
        source=SOURCE.format("local shuffling between two Gaussian blurs"),
        limits=_LIMITS + "The picture drifts by up to 2.2 pixels of 640 along each axis (3.1 in all), as published, "
        "and the boxes do not follow. "
        "Measured as mean square change, the published severities 2 and 4 are milder than 1 and 3.",
    ),
    Corruption(
        name="motion_blur",
        summary="The camera moves while the shutter is open.",
        cause="blur",
        severities={
            s: {"length": length, "sigma": sigma}
            for s, (length, sigma) in zip(
                (1, 2, 3, 4, 5), ((21.0, 3.0), (31.0, 5.0), (31.0, 8.0), (31.0, 12.0), (41.0, 15.0)), strict=True
            )
        },
        ranges={"length": (1.0, 200.0), "sigma": (0.1, 200.0)},
        steps=_motion_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("line with half a Gaussian's fading"),
        limits=_LIMITS + "The trail goes to one side, so objects drift by up to 12 pixels of 640 from their boxes, as "
        "published; everything moves alike.",
    ),
    Corruption(
        name="zoom_blur",
        summary="The camera comes nearer fast while the shutter is open.",
        cause="blur",
        severities={
            s: {"farthest": farthest, "step": step}
            for s, (farthest, step) in zip(
                (1, 2, 3, 4, 5), ((1.11, 0.01), (1.15, 0.01), (1.2, 0.02), (1.24, 0.02), (1.3, 0.03)), strict=True
            )
        },
        ranges={"farthest": (1.01, 2.0), "step": (0.01, 0.5)},
        steps=_zoom_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("mean of zoomed copies"),
        limits=_LIMITS + "Objects far from the centre drift outwards, by up to 14 % of their distance on average at "
        "severity 5, while the boxes stay, as published: a part of the loss is the ground truth's.",
        random=False,
    ),
)
