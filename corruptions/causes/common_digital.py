"""The four digital faults of the common corruptions: contrast, elastic distortion, coarse pixels, JPEG.

Published laws (Hendrycks and Dietterich 2019, Michaelis et al. 2019), on sRGB code values as published:

* ``contrast``: differences from each channel's mean times ``gain``.
* ``elastic_transform``: each pixel takes the colour found at a random displacement: uniform within half a per cent of
  the height, blurred with a Gaussian of 1 % of each side, times ``strength``. Its standard deviation along each axis is
  then ``strength`` x 0.0815 x sqrt(height / width) pixels whatever the picture's size; here these are pixels of a
  picture whose longer side has 640. The field is made on 200 x 200 cells and bounded at three standard deviations.
* ``pixelate``: the picture averaged to ``share`` of its sides and enlarged with hard edges.
* ``jpeg_compression``: baseline JPEG at ``quality`` of the libjpeg scale, as ``jpeg`` of the camera suite.
"""

from __future__ import annotations

import math
from functools import partial

import cv2
import numpy as np

from robust.corruptions.causes.coding import compress
from robust.corruptions.detail import DETAIL_LOST, dimmed
from robust.corruptions.fixed_point import REFERENCE_SIDE, Field, displaced, enlarged, scale_of, smoothed
from robust.corruptions.laws import Context, Corruption, Parameters, Scene, Step
from robust.corruptions.measures import RMS_CHANGE
from robust.corruptions.published import SOURCE

_CELLS = 200  # of half a per cent of each side
_BLUR_CELLS = 2.0  # 1 %
_UNIFORM_SPREAD = 1.0 / math.sqrt(3.0)
_BLURRED_SPREAD = 1.0 / (0.01 * math.sqrt(4.0 * math.pi))  # of white noise, one value a pixel, by a Gaussian of 1 %
_SPREAD = 0.005 * _UNIFORM_SPREAD * _BLURRED_SPREAD
_BOUND = 3.0
_CODES = 256


def flatten(scene: Scene, context: Context, *, gain: float) -> Scene:
    """Multiply the differences from each channel's mean by ``gain``; objects stay as they are."""
    del context
    pixels = scene.pixels
    means = pixels.sum(axis=(0, 1), dtype=np.int64) / (pixels.size // 3)
    table = (np.arange(_CODES)[:, None] - means) * gain + means
    codes = np.clip(np.floor(table + 0.5), 0.0, 255.0).astype(np.uint8)
    return scene.with_pixels(np.asarray(cv2.LUT(pixels, codes[:, None, :]), dtype=np.uint8))


def distort(scene: Scene, context: Context, *, strength: float) -> Scene:
    """Displace every pixel a little, neighbours alike; objects' boxes stay where they are."""
    height, width = scene.pixels.shape[:2]
    spread = strength * _SPREAD * math.sqrt(height / width) * scale_of((height, width))
    right = enlarged(displacement(spread, context.rng), height, width)
    down = enlarged(displacement(spread, context.rng), height, width)
    return scene.with_pixels(displaced(scene.pixels, right, down))


def displacement(spread: float, rng: np.random.Generator) -> Field:
    """Draw a smooth field of standard deviation ``spread`` pixels, at most three times that: int32, 32nds of a pixel.

    Returns:
        (200, 200), Gaussian but for the bound.
    """
    field = smoothed(rng.integers(-(1 << 18), (1 << 18) + 1, size=(_CELLS, _CELLS), dtype=np.int32), _BLUR_CELLS)
    uniform = (1 << 18) / math.sqrt(3.0)
    found = uniform / (_BLUR_CELLS * math.sqrt(4.0 * math.pi))
    bound = round(_BOUND * found)
    share = np.clip(field, -bound, bound) * (spread * 32.0 / found)
    return np.asarray(np.floor(share + 0.5), dtype=np.int32)


def pixelate(scene: Scene, context: Context, *, share: float) -> Scene:
    """Keep ``share`` of the pixels along each side and enlarge with hard edges; objects stay as they are."""
    del context
    height, width = scene.pixels.shape[:2]
    size = (max(1, int(width * share)), max(1, int(height * share)))
    small = cv2.resize(scene.pixels, size, interpolation=cv2.INTER_AREA)
    return scene.with_pixels(
        np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8)
    )


def _contrast_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(flatten, gain=float(parameters["gain"])),)


def _elastic_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(distort, strength=float(parameters["strength"])),)


def _pixelate_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(pixelate, share=float(parameters["share"])),)


def _jpeg_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(compress, quality=int(parameters["quality"])),)


CORRUPTIONS = (
    Corruption(
        name="contrast",
        summary="Little contrast: haze, glare, a dirty lens, a badly set camera.",
        cause="digital",
        severities={s: {"gain": gain} for s, gain in zip((1, 2, 3, 4, 5), (0.4, 0.3, 0.2, 0.1, 0.05), strict=True)},
        ranges={"gain": (0.0, 1.0)},
        steps=_contrast_steps,
        measure=dimmed(160),
        source=SOURCE.format("contrast about the mean"),
        limits="The whole picture alike, about its own mean, with no noise: a detector that evens contrast out would "
        "see it through.",
        random=False,
    ),
    Corruption(
        name="elastic_transform",
        summary="The picture is stretched and pressed here and there, as by hot air or poor optics.",
        cause="digital",
        severities={
            s: {"strength": strength}
            for s, strength in zip((1, 2, 3, 4, 5), (12.5, 16.25, 21.25, 25.0, 30.0), strict=True)
        },
        ranges={"strength": (0.0, 200.0)},
        steps=_elastic_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("elastic distortion after Simard et al. 2003"),
        limits=f"Edges move while the boxes stay, as published: in a 4:3 picture {REFERENCE_SIDE} pixels wide by 0.9 "
        "(severity 1) to 2.1 pixels (5) as a standard deviation and at most three times that. A part of the loss on "
        "small objects is the ground truth's.",
    ),
    Corruption(
        name="pixelate",
        summary="Too few pixels, shown as squares.",
        cause="digital",
        severities={s: {"share": share} for s, share in zip((1, 2, 3, 4, 5), (0.6, 0.5, 0.4, 0.3, 0.25), strict=True)},
        ranges={"share": (0.01, 1.0)},
        steps=_pixelate_steps,
        measure=DETAIL_LOST,
        source=SOURCE.format("box average and nearest neighbour"),
        limits="No camera shows hard squares; low_resolution is the same with soft enlargement.",
        random=False,
        pixel_grid=True,
    ),
    Corruption(
        name="jpeg_compression",
        summary="The picture is compressed too much: blocks, ringing, lost colour.",
        cause="digital",
        severities={s: {"quality": quality} for s, quality in zip((1, 2, 3, 4, 5), (25, 18, 15, 10, 7), strict=True)},
        ranges={"quality": (1, 100)},
        steps=_jpeg_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("JPEG") + "; ITU-T T.81 with libjpeg's quality scale",
        limits="Baseline JPEG of single pictures, as jpeg of the camera suite but with the published qualities.",
        random=False,
        pixel_grid=True,
    ),
)
