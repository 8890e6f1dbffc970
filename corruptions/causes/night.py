"""Night: little light, of another colour, and a sensor that makes up for it badly.

Law, in linear light (sRGB decoded first, encoded last):

1. Camera shake: a straight blur, its length a share of the image's longer side (longer exposure times at night).
2. Exposure loss of ``stops`` EV: light times 2^-stops (1 EV halves it).
3. Street light: von Kries gains toward ``kelvin`` (sodium about 2000 K, LED 3000 to 4000 K), of which the camera's
   white balance corrects a part; pools of light below the lamps with a dark sky above (``pools`` 0: even light).
   ``lamps`` lamps stand in the picture and veil it by ``glare`` (see `lamps`); those behind an object are hidden.
4. Sensor: shot noise (Poisson in electrons, ``electrons`` at full white in daylight) and Gaussian read noise, the
   model of the EMVA 1288 standard; both drawn by their joint quantile function.
5. Partial automatic gain: ``gain`` of the stops between the picture and a well exposed one (mean luminance 0.18) are
   given back, after the noise, so the noise grows with it. A picture that was dark before gets more of it.

Limits: lamps have no poles and stand wherever the geometry puts them, noise is white (no demosaicing, no JPEG), moving
people are not blurred more than the street, windows, signs and headlights do not glow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.causes.camera_motion import shaken
from robust.corruptions.causes.sensor_noise import read_out
from robust.corruptions.kernels import FULL, light_of
from robust.corruptions.lamps import Lamp, add_glare, draw_lamps, lamp_light, unhidden
from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step
from robust.corruptions.light import LUMINANCE, decode_table, encode, lamp_gains

_WELL_EXPOSED = 0.18
_MOST_GAIN = 12.0  # stops


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
        lamps: Number of lamps in the picture; with 0 the pools are those of lamps outside it.
        glare: Strength of the lamps' veil, 1 as in a clean eye.
    """

    stops: float
    gain: float
    kelvin: float
    adaptation: float
    electrons: float
    read_noise: float
    blur: float
    pools: float
    lamps: int
    glare: float


def darken(scene: Scene, context: Context, *, night: Night) -> Scene:
    """Turn day into night; objects stay as they are."""
    rng, (height, width) = context.rng, scene.pixels.shape[:2]
    angle, phases = float(rng.uniform(0, math.pi)), rng.uniform(0, 1, size=4)
    lamps = draw_lamps(night.lamps, height, width, rng)
    light, lamps = _light(height, width, night.pools, phases, lamps), unhidden(lamps, scene.annotations.boxes)
    light *= np.float32(1.0 / FULL)
    scale = lamp_gains(night.kelvin, night.adaptation) * np.float32(night.electrons * 2.0**-night.stops)
    centres = [np.arange(size, dtype=np.float32) + np.float32(0.5) for size in (height, width)]

    def sensed(part: NDArray[np.float32], rows: slice, columns: slice) -> NDArray[np.float32]:
        """Turn steps of light at some pixels into electrons, in place."""
        part *= cv2.cvtColor(light[rows, columns], cv2.COLOR_GRAY2RGB)  # faster than letting NumPy repeat it
        add_glare(part, centres[0][rows], centres[1][columns], lamps, night.glare)
        flat = part.reshape(len(part), -1)
        flat *= np.tile(scale, part.shape[1])
        return part

    day, coarse, every = light_of(scene.pixels), slice(None, None, 4), slice(None)
    gain = automatic_gain(sensed(day[coarse, coarse].astype(np.float32), coarse, coarse), night)
    gain /= np.float32(night.electrons)
    dark = np.empty_like(scene.pixels)
    for rows, part in shaken(day, night.blur * max(height, width), angle):
        electrons = sensed(part, rows, every)
        read_out(electrons, night.read_noise, rng)
        electrons *= gain
        dark[rows] = encode(electrons)
    return scene.with_pixels(dark)


def automatic_gain(electrons: NDArray[np.float32], night: Night) -> np.float32:
    """Return the factor that automatic gain gives back; what is whiter than white (lamps) counts as white."""
    white = np.float32(night.electrons * 2.0**-night.stops)
    missing = math.log2(_WELL_EXPOSED * night.electrons / max(mean_luminance(np.minimum(electrons, white)), 1e-3))
    return np.float32(2.0 ** (night.gain * min(max(0.0, missing), _MOST_GAIN)))


def mean_luminance(linear: NDArray[np.float32]) -> float:
    """Return the mean luminance of linear RGB (height, width, 3)."""
    return float(linear.mean(axis=(0, 1), dtype=np.float64) @ LUMINANCE)


def _light(
    height: int, width: int, depth: float, phases: NDArray[np.float64], lamps: tuple[Lamp, ...]
) -> NDArray[np.float32]:
    if depth <= 0:
        return np.ones((height, width), np.float32)
    return lamp_light(height, width, depth, lamps) if lamps else street_light(height, width, depth, phases)


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
    values: dict[str, Any] = {**parameters, "lamps": int(parameters["lamps"])}
    return (partial(darken, night=Night(**values)),)


def _severity(stops: float, kelvin: float, blur: float, pools: float, glare: float) -> Parameters:
    return {
        "stops": stops,
        "gain": 0.45,
        "kelvin": kelvin,
        "adaptation": 0.6,
        "electrons": 3000.0,
        "read_noise": 3.0,
        "blur": blur,
        "pools": pools,
        "lamps": 2,
        "glare": glare,
    }


CORRUPTIONS = (
    Corruption(
        name="night",
        summary="The camera runs after dark under street light: dark, orange, noisy, slightly blurred.",
        cause="light",
        severities={
            1: _severity(2.5, 3200.0, 0.0010, 0.3, 1.0),
            2: _severity(4.25, 2900.0, 0.0020, 0.45, 1.5),
            3: _severity(6.0, 2600.0, 0.0030, 0.6, 2.0),
            4: _severity(6.75, 2350.0, 0.0040, 0.7, 3.0),
            5: _severity(7.5, 2100.0, 0.0050, 0.8, 4.0),
        },
        ranges={
            "stops": (0.0, 16.0),
            "gain": (0.0, 1.0),
            "kelvin": (1000.0, 15000.0),
            "adaptation": (0.0, 1.0),
            "electrons": (1.0, 1e6),
            "read_noise": (0.0, 1000.0),
            "blur": (0.0, 0.1),
            "pools": (0.0, 1.0),
            "lamps": (0, 20),
            "glare": (0.0, 1000.0),
        },
        steps=_steps,
        measure=Measure("brightness lost", "EV", stops_lost),
        version=3,
        source="EMVA 1288 (shot and read noise), Planck and von Kries (lamp colour), EN 13201-3 (street light), "
        "Stiles and Holladay, CIE 146 (glare), IEC 61966-2-1 (sRGB)",
        limits="Lamps have no poles, noise is white, moving people are not blurred more than the street, and windows, "
        "signs and headlights do not glow.",
    ),
)
