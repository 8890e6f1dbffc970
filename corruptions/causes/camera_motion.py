"""Camera motion: the camera shakes or pans while the shutter is open.

Law: during the exposure the picture moves along a path of ``length`` pixels (of a picture of 640 along its longer
side; longer pictures move more of their pixels) at even speed in a random direction, and turns by up to ``bend``
degrees on the way (a circular arc). Every pixel collects the light of the whole path, in linear light. The path is
centred, so objects stay where they are in the mean.

Pictures of 1920 and more along their longer side follow the path in steps of several pixels, after averaging over as
many: finer detail than that of 640 is lost across the path too.

Limits: one path for the whole picture (no rotation about the view, no rolling shutter), and the speed does not change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.blurring import point_spread
from robust.corruptions.fixed_point import scale_of
from robust.corruptions.kernels import Light, even_weights, light_of, pixels_of, splat, spread
from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step

_MOST_STEPS = 200.0  # along the path


def move(scene: Scene, context: Context, *, length: float, bend: float) -> Scene:
    """Blur along a random path; objects stay as they are.

    Args:
        scene: What is in front of the camera.
        context: Its generator draws direction and curvature.
        length: Of the path, pixels of a picture of 640.
        bend: Largest turn on the way, degrees.
    """
    angle, turn = context.rng.uniform(0, math.pi), context.rng.uniform(-bend, bend)
    scale = scale_of(scene.size)
    step = coarse(max(scale, length * scale / _MOST_STEPS))
    return scene.with_pixels(smear(scene.pixels, length * scale, float(angle), math.radians(turn), step))


def coarse(scale: float) -> int:
    """Return the pixels of one step along the path: the odd number at or below ``scale``, at least 1."""
    return max(1, (math.floor(scale) - 1) // 2 * 2 + 1)


def path(length: float, angle: float, turn: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return evenly spaced points (x, y) of a circular arc, their mean at 0: float64 (n,) each, n at least 65.

    Args:
        length: Of the arc.
        angle: Its direction half way, radians.
        turn: Change of direction from end to end, radians.
    """
    count = max(65, 8 * math.ceil(length) + 1)
    directions = angle + turn * np.linspace(-0.5, 0.5, count - 1)
    steps = np.stack([np.cos(directions), np.sin(directions)]) * (length / (count - 1))
    points = np.concatenate([np.zeros((2, 1)), np.cumsum(steps, axis=1)], axis=1)
    points -= points.mean(axis=1, keepdims=True)
    return points[0], points[1]


def shaken(
    light: Light, length: float, angle: float, turn: float = 0.0, step: int = 1
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield bands of rows of the picture blurred along an arc: (rows, float32 (rows, width, 3), in steps of light).

    Args:
        light: The picture.
        length: Of the arc, pixels.
        angle: Its direction half way, radians.
        turn: Change of direction from end to end, radians.
        step: Pixels from one point of the path to the next, odd.
    """
    x, y = path(length / step, angle, turn)
    if step > 1:
        light = np.asarray(cv2.blur(light, (step, step), borderType=cv2.BORDER_REFLECT_101), dtype=np.uint16)
    return spread(light, even_weights(splat(x, y)), step)


def smear(pixels: Pixels, length: float, angle: float, turn: float = 0.0, step: int = 1) -> Pixels:
    """Blur a picture as `shaken` does."""
    blurred = np.empty_like(pixels)
    for rows, part in shaken(light_of(pixels), length, angle, turn, step):
        blurred[rows] = pixels_of(part)
    return blurred


def smear_length(before: Scene, after: Scene) -> float:
    """Return the length of the line that spreads light as widely, in pixels of a picture of 640 (variance L^2 / 12)."""
    return math.sqrt(12.0 * float(point_spread(before, after)[1]))


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(move, length=float(parameters["length"]), bend=float(parameters["bend"])),)


CORRUPTIONS = (
    Corruption(
        name="camera_motion",
        summary="The camera shakes or pans during the exposure: everything is smeared in one direction.",
        cause="motion",
        severities={
            s: {"length": px, "bend": 40.0} for s, px in zip((1, 2, 3, 4, 5), (4.0, 8.0, 13.0, 20.0, 30.0), strict=True)
        },
        ranges={"length": (0.0, 200.0), "bend": (0.0, 90.0)},
        steps=_steps,
        measure=Measure("length of the smear", "pixels of 640", smear_length),
        source="Light integrated along the path during the exposure, in linear light (sRGB: IEC 61966-2-1)",
        limits="One path for the whole picture: no rotation about the view, no rolling shutter.",
    ),
)
