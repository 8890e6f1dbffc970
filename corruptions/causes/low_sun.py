"""A low sun in the picture: its light scatters in the lens and lies over everything.

Law, in linear light: the veil of a glare source falls with the square of the angle to it (Stiles and Holladay; CIE 146
gives it for the eye; it is taken for dusty or scratched optics as well). The parameter ``glare`` is
the veil 10 degrees from the sun over full white of the picture without sun; below the sun's own radius of 0.27
degrees it is that of the disc. The light is warm, as the sun's is through much air. The camera then closes down: it
takes back ``metering`` of what the mean light rose, in stops, so that people turn into silhouettes.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.air import VEIL_SHARE, in_colours
from robust.corruptions.bands import bands
from robust.corruptions.depth import View
from robust.corruptions.laws import Context, Corruption, Parameters, Pixels, Scene, Step
from robust.corruptions.light import LUMINANCE, decode, encode, lamp_gains, mute

_DISC = math.radians(0.27)
_REFERENCE = math.radians(10.0)
_LOWEST, _HIGHEST = 2.0, 15.0  # degrees over the horizon
_TRIES = 12


def dazzle(scene: Scene, context: Context, *, glare: float, kelvin: float, metering: float) -> Scene:
    """Put a low sun into the picture; objects stay as they are."""
    size, view = scene.size, View.of(scene.annotations, scene.size)
    veil = np.float32(glare) * inverse_square(size, view.focal, place(scene, view, context.rng))
    color = mute(lamp_gains(kelvin, 0.5), scene.pixels)
    rate = closing(scene.pixels, veil, color) ** metering
    exposure = np.float32(round(rate * 4096) / 4096)  # rounded: the last bits of powers differ between processors
    out = np.empty_like(scene.pixels)
    for rows in bands(size[0]):
        out[rows] = encode((decode(scene.pixels[rows]) + in_colours(veil[rows]) * color) * exposure)
    return scene.with_pixels(out)


def place(scene: Scene, view: View, rng: np.random.Generator) -> tuple[float, float]:
    """Return where the sun stands, x and y in pixels: a little over the horizon.

    Of a few places drawn, the one where the picture is brightest (sky rather than walls) and nobody stands before it.
    It is never lower than 45 % of the picture's height, and at most a twentieth over its top edge.
    """
    height, width = scene.pixels.shape[:2]
    found: list[tuple[tuple[bool, int], tuple[float, float]]] = []
    for across, up in rng.integers(0, 1025, size=(_TRIES, 2)) / 1024:
        x = (0.1 + 0.8 * float(across)) * width
        rise = math.radians(_LOWEST + (_HIGHEST - _LOWEST) * float(up))
        y = round(min(max(view.horizon - view.focal * math.tan(rise), -0.05 * height), 0.45 * height) * 64) / 64
        free = not any(x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in scene.annotations.boxes)
        found.append(((free, _brightness(scene.pixels, x, y)), (x, y)))
    return max(found, key=lambda entry: entry[0])[1]


def _brightness(pixels: Pixels, x: float, y: float) -> int:
    """Mean code value around a place, 0..255; a thirtieth of the picture each way."""
    reach = 1 + max(pixels.shape) // 30
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    return int(pixels[top : max(int(y), 0) + reach + 1, left : int(x) + reach + 1].mean(dtype=np.float64))


def inverse_square(size: tuple[int, int], focal: float, sun: tuple[float, float]) -> NDArray[np.float32]:
    """Return (10 degrees / angle to the sun)^2 at each pixel: float32 of ``size``, highest on the sun's disc.

    The camera looks at the middle of the picture. For the square of the angle stands tan^2 / (1 + 2/3 tan^2), which is
    right within 3 % up to 45 degrees and needs no arc tangent (those differ between processors).
    """
    height, width = size
    u = ((np.arange(width) + 0.5 - width / 2) / focal).astype(np.float32)[None, :]
    v = ((np.arange(height) + 0.5 - height / 2) / focal).astype(np.float32)[:, None]
    us, vs = np.float32((sun[0] - width / 2) / focal), np.float32((sun[1] - height / 2) / focal)
    cosine = np.maximum(u * us + (v * vs + np.float32(1.0)), np.float32(1e-3))
    sine = u * vs - v * us  # the cross product of both rays
    sine *= sine
    sine += (v - vs) ** 2 + (u - us) ** 2
    cosine *= cosine
    cotangent = cosine / np.maximum(sine, cosine * np.float32(_DISC**2))
    return np.asarray(np.float32(_REFERENCE**2) * (cotangent + np.float32(2 / 3)), dtype=np.float32)


def closing(pixels: Pixels, veil: NDArray[np.float32], color: NDArray[np.float32]) -> float:
    """Return the mean light of the picture over that with the veil, both cut at full white: 0..1."""
    down, right = max(1, pixels.shape[0] // 120), max(1, pixels.shape[1] // 160)
    scene = decode(np.ascontiguousarray(pixels[::down, ::right]))
    bright = np.minimum(scene + veil[::down, ::right, None] * color, np.float32(1.0))
    before, after = (float(light.mean(axis=(0, 1), dtype=np.float64) @ LUMINANCE) for light in (scene, bright))
    return (before + 0.02) / (after + 0.02)  # a black picture is metered too


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    values: dict[str, Any] = dict(parameters)
    return (partial(dazzle, **values),)


def _severity(glare: float) -> Parameters:
    return {"glare": glare, "kelvin": 3500.0, "metering": 0.7}


CORRUPTIONS = (
    Corruption(
        name="low_sun",
        summary="The camera looks towards a low sun: veiling glare, burnt-out sky, people in silhouette.",
        cause="weather",
        severities={s: _severity(g) for s, g in zip((1, 2, 3, 4, 5), (0.1, 0.3, 0.8, 2.0, 5.0), strict=True)},
        ranges={"glare": (0.0, 1000.0), "kelvin": (1000.0, 15000.0), "metering": (0.0, 1.0)},
        steps=_steps,
        measure=VEIL_SHARE,
        source="Stiles (1929) and Holladay (1926), CIE 146:2002 (glare with the inverse square of the angle)",
        limits=(
            "Shadows and the light on people do not turn with the sun, walls and ceilings do not hide it, and there "
            "are no ghost images or star streaks."
        ),
    ),
)
