"""The weather of the common corruptions: snow, frost, fog, and brightness, which was published with them.

Published laws (Hendrycks and Dietterich 2019, Michaelis et al. 2019), on sRGB code values as published. Lengths are
pixels of a picture whose longer side has 640 and grow with the picture:

* ``snow``: white noise of mean ``level`` and deviation ``spread``, one value every ``flake`` pixels, enlarged; what is
  below ``threshold`` is cleared; blurred along a line downwards (``length``, ``sigma`` as motion_blur). The picture is
  whitened to ``keep`` x picture + (1 - ``keep``) x max(picture, 1.5 x grey + 0.5), then the flakes are added twice,
  once turned by half a turn. Flakes are at least one pixel.
* ``frost``: ``picture`` x the picture + ``ice`` x a picture of frost.
* ``fog``: the picture + ``thickness`` x a plasma fractal of 0 to 1 (Fournier, Fussell and Carpenter 1982) whose
  roughness falls by ``decay`` squared from octave to octave, scaled back to the picture's own brightest value. The
  fractal spans 1024 pixels and is made every 4; finer octaves are below one code value.
* ``brightness``: V of HSV rises by ``lift``, in shares of full white, and is clipped; hue and saturation stay. With S
  fixed, red, green and blue keep their ratio to V.

The constants are kept where severity does not follow them: by mean square change of the pixels, snow 3 is no worse than
2, frost 4 is milder than 3, and fog 4 is as thick as 3. What does rise is measured instead: how far the scene's own
edges sink, and how far they are lost among others.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.causes.common_blur import trail
from robust.corruptions.causes.common_noise import gaussian_table
from robust.corruptions.detail import dimmed, obscured
from robust.corruptions.fixed_point import enlarged, moved_sum, scale_of
from robust.corruptions.frost import PANES, SIDE, pane
from robust.corruptions.laws import Context, Corruption, Parameters, Pixels, Scene, Step
from robust.corruptions.measures import RMS_CHANGE
from robust.corruptions.plasma import SHADES, plasma
from robust.corruptions.published import SOURCE

_CODES = 256
_FINE_WHITE = 255.0 * 16.0  # white in 16ths of a code value
_CELL = 4  # pixels of the fractal's cells


@dataclass(frozen=True)
class Snow:
    """Parameters of the law; lengths in pixels of a picture whose longer side has 640.

    Attributes:
        level: Mean of the noise that flakes are cut from, in shares of full white.
        spread: Its standard deviation.
        flake: Pixels from one value of the noise to the next.
        threshold: What is below is no flake.
        length: Of a falling flake's trail.
        sigma: With which the trail fades.
        keep: Share of the picture that is not whitened.
    """

    level: float
    spread: float
    flake: float
    threshold: float
    length: float
    sigma: float
    keep: float


def let_snow(scene: Scene, context: Context, *, snow: Snow) -> Scene:
    """Whiten the picture and add falling flakes; objects stay as they are."""
    pixels = scene.pixels
    size = pixels.shape[:2]
    scale, layer = scale_of(size), flakes(size, snow, context.rng)
    angle = math.radians(context.rng.uniform(-135.0, -45.0))
    falling = moved_sum(layer, *trail(snow.length * scale, snow.sigma * scale, angle)).astype(np.uint16)
    falling = (falling + falling[::-1, ::-1]) * np.uint16(64) + np.uint16(32)
    kept, white, greyed = _snow_tables(snow.keep)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    total = np.maximum(white.take(pixels), greyed.take(grey)[..., None])
    total += kept.take(pixels)
    total += falling[..., None]
    total >>= 6
    return scene.with_pixels(np.minimum(total, 255).astype(np.uint8))


def flakes(size: tuple[int, int], snow: Snow, rng: np.random.Generator) -> Pixels:
    """Draw flakes before they fall: uint8, ``size`` (height, width).

    Pictures smaller than 640 are given the averages of what 640 would show.
    """
    scale = scale_of(size)
    height, width = (max(1, round(side / min(scale, 1.0))) for side in size)
    flake = snow.flake * max(scale, 1.0)
    cells = (math.ceil(height / flake), math.ceil(width / flake))
    noise = gaussian_table(snow.spread * 16.0).take(rng.integers(0, 1 << 16, size=cells, dtype=np.uint16))
    # to whole cells, then cut: pixels fall on all places between two values alike
    whole = (max(length, round(count * flake)) for length, count in zip((height, width), cells, strict=True))
    field = enlarged(noise + np.int32(round(snow.level * _FINE_WHITE)), *whole, to_edges=True)[:height, :width]
    field[field < snow.threshold * _FINE_WHITE] = 0
    layer = np.asarray(np.clip((field + 8) >> 4, 0, 255), dtype=np.uint8)
    if scale < 1.0:
        layer = np.asarray(cv2.resize(layer, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return layer


@lru_cache(maxsize=8)
def _snow_tables(keep: float) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]:
    """Give by code value, in 64ths: what is kept, what is whitened from itself, what is whitened from grey."""
    codes = np.arange(_CODES, dtype=np.float64)
    parts = (keep * codes, (1.0 - keep) * codes, (1.0 - keep) * (1.5 * codes + 127.5))
    kept, white, greyed = (np.floor(part * 64.0 + 0.5).astype(np.uint16) for part in parts)
    return kept, white, greyed


def freeze(scene: Scene, context: Context, *, picture: float, ice: float) -> Scene:
    """Add a piece of one of the panes of frost, perhaps mirrored; objects stay as they are."""
    pixels, rng = scene.pixels, context.rng
    height, width = pixels.shape[:2]
    frost = pane(int(rng.integers(PANES)))
    scale = scale_of((height, width))
    rows, columns = (min(SIDE, max(1, round(side / scale))) for side in (height, width))
    top, left = (int(rng.integers(SIDE - side + 1)) for side in (rows, columns))
    piece = frost[top : top + rows, left : left + columns]
    if rng.integers(2):
        piece = np.ascontiguousarray(piece[:, ::-1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(piece, (width, height), interpolation=way), dtype=np.uint8)
    codes = np.arange(_CODES, dtype=np.float64)
    own, other = (np.floor(share * codes * 64.0 + 0.5).astype(np.uint16) for share in (picture, ice))
    total = own.take(pixels)
    total += other.take(resized)
    total += np.uint16(32)
    total >>= 6
    return scene.with_pixels(np.minimum(total, 255).astype(np.uint8))


def fill_with_fog(scene: Scene, context: Context, *, thickness: float, decay: float) -> Scene:
    """Lay a plasma fractal over the picture; objects stay as they are."""
    pixels = scene.pixels
    height, width = pixels.shape[:2]
    scale = scale_of((height, width)) * _CELL
    rows, columns = (max(1, round(side / scale)) for side in (height, width))
    field = enlarged(plasma(decay, context.rng)[:rows, :columns], height, width)
    brightest = int(pixels.max()) / 255.0
    share = brightest / (brightest + thickness) if thickness > 0.0 else 1.0  # black without fog stays black
    own, fog = round(share * 2**15), round(share * thickness * 255.0 / SHADES * 2**15)
    codes = np.arange(_CODES, dtype=np.int32) * own
    total = codes.take(pixels)
    total += (field * fog + 2**14)[..., None]
    total >>= 15
    return scene.with_pixels(total.astype(np.uint8))


def brighten(scene: Scene, context: Context, *, lift: float) -> Scene:
    """Add ``lift`` x 255 to the brightest channel, the others in proportion; objects stay as they are."""
    del context
    pixels = scene.pixels
    red, green, blue = cv2.split(pixels)
    index = pixels.astype(np.uint16)
    index += cv2.max(cv2.max(red, green), blue)[..., None].astype(np.uint16) << 8
    return scene.with_pixels(brightness_table(lift).take(index))


@lru_cache(maxsize=8)
def brightness_table(lift: float) -> Pixels:
    """Return the new code of a channel: uint8 (256 * 256,), by the brightest channel's code, then its own.

    Black has no hue and becomes grey.
    """
    brightest = np.arange(_CODES, dtype=np.float64)[:, None]
    own = np.minimum(np.arange(_CODES, dtype=np.float64)[None, :], brightest)
    raised = np.minimum(brightest + lift * 255.0, 255.0)
    ratio = np.divide(own, brightest, out=np.ones_like(own * brightest), where=brightest > 0)
    return np.floor(raised * ratio + 0.5).astype(np.uint8).ravel()


def _snow_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    values: dict[str, Any] = dict(parameters)
    return (partial(let_snow, snow=Snow(**values)),)


def _frost_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(freeze, picture=float(parameters["picture"]), ice=float(parameters["ice"])),)


def _fog_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(fill_with_fog, thickness=float(parameters["thickness"]), decay=float(parameters["decay"])),)


def _brightness_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(brighten, lift=float(parameters["lift"])),)


CORRUPTIONS = (
    Corruption(
        name="snow",
        summary="Snow falls: white streaks, a whitened picture.",
        cause="weather",
        severities={
            1: asdict(Snow(0.1, 0.3, 3.0, 0.5, 21.0, 4.0, 0.8)),
            2: asdict(Snow(0.2, 0.3, 2.0, 0.5, 25.0, 4.0, 0.7)),
            3: asdict(Snow(0.55, 0.3, 4.0, 0.9, 25.0, 8.0, 0.7)),
            4: asdict(Snow(0.55, 0.3, 4.5, 0.85, 25.0, 8.0, 0.65)),
            5: asdict(Snow(0.55, 0.3, 2.5, 0.85, 25.0, 12.0, 0.55)),
        },
        ranges={
            "level": (-1.0, 2.0),
            "spread": (0.0, 1.8),  # 4.3 times as much, in 16ths of a code value, is 16 bits
            "flake": (1.0, 20.0),
            "threshold": (0.0, 1.0),
            "length": (1.0, 200.0),
            "sigma": (0.1, 200.0),
            "keep": (0.0, 1.0),
        },
        steps=_snow_steps,
        measure=obscured(80),
        source=SOURCE.format("snow"),
        limits="Streaks of one direction and their mirror image, at no distance: near and far are snowed on alike, and "
        "none lies on the ground. Severity 3 hardly harms more than 2, as published.",
    ),
    Corruption(
        name="frost",
        summary="Ice crystals on the lens or on the window before it.",
        cause="weather",
        severities={
            s: {"picture": picture, "ice": ice}
            for s, (picture, ice) in zip(
                (1, 2, 3, 4, 5), ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)), strict=True
            )
        },
        ranges={"picture": (0.0, 1.0), "ice": (0.0, 1.0)},
        steps=_frost_steps,
        measure=dimmed(160),
        source=SOURCE.format("frost"),
        limits="The frost is drawn, not photographed (the published pictures have no clear licence), so it "
        "only resembles the published one. It is added, not laid over: nothing is hidden whole.",
    ),
    Corruption(
        name="fog",
        summary="Fog or mist in drifts.",
        cause="weather",
        severities={
            s: {"thickness": thickness, "decay": decay}
            for s, (thickness, decay) in zip(
                (1, 2, 3, 4, 5), ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)), strict=True
            )
        },
        ranges={"thickness": (0.0, 20.0), "decay": (1.1, 5.0)},
        steps=_fog_steps,
        measure=obscured(80),
        source=SOURCE.format("plasma fractal of Fournier, Fussell and Carpenter 1982"),
        limits="Far things are no foggier than near ones, and the fog is never brighter than the brightest pixel.",
    ),
    Corruption(
        name="brightness",
        summary="The picture is too bright: daylight changes, exposure follows late.",
        cause="weather",
        severities={s: {"lift": lift} for s, lift in zip((1, 2, 3, 4, 5), (0.1, 0.2, 0.3, 0.4, 0.5), strict=True)},
        ranges={"lift": (0.0, 1.0)},
        steps=_brightness_steps,
        measure=RMS_CHANGE,
        source=SOURCE.format("value of HSV raised"),
        limits="Only ever brighter, never darker, and V is raised, not light: see overexposure for more light and "
        "underexposure and night for less.",
        random=False,
    ),
)
