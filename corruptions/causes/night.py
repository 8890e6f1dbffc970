"""Night: little light, of another colour, and a sensor that makes up for it badly.

Law, in linear light (sRGB decoded first, encoded last):

1. Camera shake: a straight blur, its length a share of the image's longer side (longer exposure times at night).
2. Exposure loss of ``stops`` EV: light times 2^-stops (1 EV halves it).
3. Street light: von Kries gains toward ``kelvin`` (sodium about 2000 K, LED 3000 to 4000 K), of which the camera's
   white balance corrects a part; light pools on the ground with a dark sky above (``pools`` 0: even light).
4. Sensor: shot noise (Poisson in electrons, ``electrons`` at full white in daylight) and Gaussian read noise, the
   model of the EMVA 1288 standard; both drawn by their joint quantile function.
5. Partial automatic gain: ``gain`` of the stops between the picture and a well exposed one (mean luminance 0.18) are
   given back, after the noise, so the noise grows with it. A picture that was dark before gets more of it.

Limits: no lamps, headlights or their glare in the picture, noise is white (no demosaicing, no JPEG), moving people are
not blurred more than the street, windows and signs do not glow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import poisson

from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step
from robust.corruptions.light import LUMINANCE, decode, decode_table, encode, lamp_gains

_WELL_EXPOSED = 0.18
_MOST_GAIN = 12.0  # stops
_LEVELS, _QUANTILES, _ROOT_MAX = 96, 2048, 12.0
_WEIGHTS = 1024
_BAND = 32


@dataclass(frozen=True)
class Night:
    """Parameters of the law.

    Attributes:
        stops: Exposure loss in EV.
        gain: Share of the missing stops that automatic gain gives back, 0..1.
        kelvin: Colour temperature of the lamps.
        adaptation: Share of the lamp's colour that white balance corrects, 0..1.
        electrons: Electrons at full white in daylight exposure.
        read_noise: Standard deviation in electrons.
        blur: Length of the camera shake as a share of the longer side.
        pools: Depth of the light pools, 0 (even light) to 1.
    """

    stops: float
    gain: float
    kelvin: float
    adaptation: float
    electrons: float
    read_noise: float
    blur: float
    pools: float


def darken(scene: Scene, context: Context, *, night: Night) -> Scene:
    """Turn day into night; objects stay as they are."""
    rng, (height, width) = context.rng, scene.pixels.shape[:2]
    angle, phases = float(rng.uniform(0, math.pi)), rng.uniform(0, 1, size=4)
    blurred = shake(scene.pixels, night.blur * max(height, width), angle)
    scale = lamp_gains(night.kelvin, night.adaptation) * np.float32(night.electrons * 2.0**-night.stops)
    light = street_light(height, width, night.pools, phases) if night.pools > 0 else np.ones((height, 1), np.float32)
    sample = decode(np.ascontiguousarray(blurred[::4, ::4])) * scale * light[::4, ::4, None]
    missing = max(0.0, math.log2(_WELL_EXPOSED * night.electrons / max(mean_luminance(sample), 1e-3)))
    gain = np.float32(2.0 ** (night.gain * min(missing, _MOST_GAIN)) / night.electrons)
    dark = np.empty_like(scene.pixels)
    for top in range(0, height, _BAND):  # a band of rows at a time stays in the processor's cache
        rows = slice(top, top + _BAND)
        electrons = decode(blurred[rows])
        electrons *= scale
        electrons *= light[rows, :, None]
        expose(electrons, night.read_noise, rng)
        electrons *= gain
        dark[rows] = encode(electrons)
    return scene.with_pixels(dark)


def mean_luminance(linear: NDArray[np.float32]) -> float:
    """Return the mean luminance of linear RGB (height, width, 3)."""
    return float(linear.mean(axis=(0, 1), dtype=np.float64) @ LUMINANCE)


def shake(pixels: Pixels, length: float, angle: float) -> Pixels:
    """Blur along a straight line of ``length`` pixels; shorter than half a pixel changes nothing."""
    if length < 0.5:
        return pixels
    half = math.ceil(length / 2)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), dtype=np.float32)
    for step in np.linspace(-length / 2, length / 2, 8 * half + 1):
        x, y = half + step * math.cos(angle), half + step * math.sin(angle)
        x0, y0 = math.floor(x), math.floor(y)
        for i, j, weight in (
            (0, 0, (1 - x + x0) * (1 - y + y0)),
            (0, 1, (x - x0) * (1 - y + y0)),
            (1, 0, (1 - x + x0) * (y - y0)),
            (1, 1, (x - x0) * (y - y0)),
        ):
            if weight > 1e-9:
                kernel[min(y0 + i, 2 * half), min(x0 + j, 2 * half)] += weight
    # weights in 1024ths make every sum exact, and half a step keeps it off ties: all processors round alike
    return np.asarray(
        cv2.filter2D(pixels, -1, exact_weights(kernel), delta=0.5 / _WEIGHTS, borderType=cv2.BORDER_REFLECT_101),
        dtype=np.uint8,
    )


def exact_weights(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round a kernel to 1024ths that sum to exactly 1: float32, same shape; the largest losses are made up first."""
    share = kernel.astype(np.float64) * (_WEIGHTS / float(kernel.sum(dtype=np.float64)))
    whole = np.floor(share)
    missing = int(_WEIGHTS - whole.sum())
    order = np.argsort(-(share - whole), axis=None, kind="stable")
    whole.reshape(-1)[order[:missing]] += 1
    return (whole / _WEIGHTS).astype(np.float32)


def street_light(height: int, width: int, depth: float, phases: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the light on each pixel: float32 (height, width), mean about 1.

    Two rows of soft pools on the lower part, little light on the upper part (lamps light the ground, not the sky).
    Made at a sixteenth of the size and enlarged.
    """
    rows, columns = max(2, height // 16), max(2, width // 16)
    y, x = np.linspace(0, 1, rows)[:, None], np.linspace(0, 1, columns)[None, :]
    pools = 0.5 + 0.5 * np.cos(2 * np.pi * (1.5 * x + phases[0] + 0.3 * y)) * np.cos(2 * np.pi * (y + phases[1]))
    ground = 1 / (1 + np.exp(-(y - 0.25 - 0.15 * phases[2]) * 12))
    light = (1 - depth) + depth * (0.15 + 1.7 * pools) * (0.25 + 0.9 * ground)
    small = (light / light.mean()).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def expose(electrons: NDArray[np.float32], read_noise: float, rng: np.random.Generator) -> None:
    """Add shot and read noise in place: float32, electrons.

    Each pixel draws a uniform quantile and looks its standardised deviation up in a table of the joint law at the
    nearest level (the shape of a Poisson law changes slowly); mean and variance are exact at every level.
    """
    table = noise_table(read_noise)
    root = np.sqrt(electrons)
    index = np.minimum(root * np.float32((_LEVELS - 1) / _ROOT_MAX) + np.float32(0.5), np.float32(_LEVELS - 1)).astype(
        np.int32
    )
    index *= _QUANTILES
    index += rng.integers(0, _QUANTILES, size=electrons.shape, dtype=np.uint16)
    np.multiply(root, root, out=root)
    root += np.float32(read_noise**2)
    np.sqrt(root, out=root)
    root *= table.take(index)
    electrons += root


@lru_cache(maxsize=16)
def noise_table(read_noise: float) -> NDArray[np.float32]:
    """Return standardised quantiles of Poisson(level) + Normal(0, read_noise): float32 (levels * quantiles,).

    Levels are evenly spaced in the square root from 0 to 144 electrons, above which the last shape is used.
    """
    read_noise = max(read_noise, 1e-3)
    quantiles = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    rows = []
    for level in np.linspace(0, _ROOT_MAX, _LEVELS) ** 2:
        counts = np.arange(
            math.floor(max(0.0, level - 6 * math.sqrt(level))), math.ceil(level + 6 * math.sqrt(level)) + 8
        )
        mass = poisson.pmf(counts, level)
        grid = np.linspace(counts[0] - 4.5 * read_noise, counts[-1] + 4.5 * read_noise, 600)
        below = ndtr((grid[:, None] - counts[None, :]) / read_noise) @ mass
        values = np.interp(quantiles, below / below[-1], grid)
        rows.append((values - values.mean()) / values.std())
    return np.concatenate(rows).astype(np.float32)


def stops_lost(before: Scene, after: Scene) -> float:
    """Return log2 of mean linear luminance before over after: the loss of brightness in the final picture, EV."""

    def brightness(pixels: Pixels) -> float:
        histograms = [np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)]
        return (
            float(sum(w * (h @ decode_table()) for w, h in zip(LUMINANCE, histograms, strict=True)))
            / pixels[..., 0].size
        )

    return math.log2((brightness(before.pixels) + 1e-6) / (brightness(after.pixels) + 1e-6))


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    values: dict[str, Any] = dict(parameters)
    return (partial(darken, night=Night(**values)),)


def _severity(stops: float, kelvin: float, blur: float, pools: float) -> Parameters:
    return {
        "stops": stops,
        "gain": 0.45,
        "kelvin": kelvin,
        "adaptation": 0.6,
        "electrons": 3000.0,
        "read_noise": 3.0,
        "blur": blur,
        "pools": pools,
    }


CORRUPTIONS = (
    Corruption(
        name="night",
        summary="The camera runs after dark under street light: dark, orange, noisy, slightly blurred.",
        cause="light",
        severities={
            1: _severity(2.5, 3200.0, 0.0010, 0.3),
            2: _severity(4.25, 2900.0, 0.0020, 0.45),
            3: _severity(6.0, 2600.0, 0.0030, 0.6),
            4: _severity(6.75, 2350.0, 0.0040, 0.7),
            5: _severity(7.5, 2100.0, 0.0050, 0.8),
        },
        steps=_steps,
        measure=Measure("brightness lost", "EV", stops_lost),
        version=2,
        source="EMVA 1288 (shot and read noise), Planck and von Kries (lamp colour), IEC 61966-2-1 (sRGB)",
        limits="Noise is white, moving people are not blurred more than the street, and windows and signs do not glow.",
    ),
)
