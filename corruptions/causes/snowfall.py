"""Falling snow: flakes near by, a veil of the others.

Law, in linear light: sizes after Gunn and Marshall, N(D) = 3800 R^-0.87 exp(-2.55 R^-0.48 D) for each m^3 and mm of
the *melted* diameter, R in mm/h of water. A flake has a twentieth of water's density, so it is 20^(1/3) times as wide
as its drop; it falls at about 1.1 m/s and drifts with the wind. Flakes that look larger than 1/600 radian (a pixel on a
picture of 640) are drawn one by one: white, lit by the sky, smeared by the exposure and by what is out of focus. All
flakes together take light from the distance like fog, with twice their cross-section. 1 mm/h of water is 2 cm/h of such
snow. More than about 10 mm/h is not in the air by falling alone: it stands for a blizzard with blown snow.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.falling import let_fall
from robust.corruptions.laws import Context, Corruption, Parameters, Scene, Step
from robust.corruptions.measures import RMS_CHANGE
from robust.corruptions.particles import Optics
from robust.corruptions.precipitation import Precipitation

_DENSITY = 0.05  # of water's
_SWELLING = _DENSITY ** (-1 / 3)  # diameter of a flake over that of its drop
_SPEED, _GUST = 1.1, 0.7  # m/s
_APERTURE, _FINEST = 0.001, 1 / 600  # metres, radian
_WHITE = 1.2  # light of a flake over that of the horizon


def snow_of(rate: float) -> Precipitation:
    """Return the flakes of a snowfall of ``rate`` mm/h of water."""
    return Precipitation(
        density=3800.0 * rate**-0.87 / _SWELLING,
        slope=2.55 * rate**-0.48 / _SWELLING,
        smallest=1.0,
        largest=15.0,
        speed=flake_speed,
    )


def flake_speed(diameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the speed of fall in m/s: nearly the same for all dry flakes."""
    return np.full_like(diameters, _SPEED)


def snow(scene: Scene, context: Context, *, rate: float, exposure: float, wind: float) -> Scene:
    """Let it snow ``rate`` mm/h of water before a camera with an ``exposure`` in seconds; objects stay as they are."""
    optics = Optics(exposure, _APERTURE, _FINEST)
    return let_fall(scene, context, snow_of(rate), optics, wind=wind, gust=_GUST, brightness=_WHITE)


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    values: dict[str, Any] = dict(parameters)
    return (partial(snow, **values),)


def _severity(rate: float) -> Parameters:
    return {"rate": rate, "exposure": 0.008, "wind": 2.0}


CORRUPTIONS = (
    Corruption(
        name="snowfall",
        summary="Falling snow: white flakes before the scene, less contrast in the distance.",
        cause="weather",
        severities={s: _severity(r) for s, r in zip((1, 2, 3, 4, 5), (0.5, 2.0, 5.0, 12.0, 30.0), strict=True)},
        ranges={"rate": (0.1, 100.0), "exposure": (1e-5, 0.1), "wind": (0.0, 50.0)},
        steps=_steps,
        measure=RMS_CHANGE,
        source="Gunn and Marshall (1958), Garg and Nayar (2007) for the exposure, Koschmieder (1924)",
        limits=(
            "No snow lies on the ground, on people or on the lens, and flakes are round. Sizes are measured up to a "
            "few mm/h; higher rates stand for a blizzard. Depth is guessed from flat ground and a level camera."
        ),
    ),
)
