"""Rain: streaks of the drops near by, a veil of the others.

Law, in linear light: drop sizes after Marshall and Palmer, N(D) = 8000 exp(-4.1 R^-0.21 D) for each m^3 and mm at R
mm/h; speed of fall after Atlas, 9.65 - 10.3 exp(-0.6 D) m/s. Drops that look larger than 1/1000 radian (0.6 pixels
on a picture of 640) are drawn as streaks for the time of the exposure; a drop shows the light of almost all directions,
the bright sky overhead with it (Garg and Nayar). All drops together take light from the distance like fog, with twice
their cross-section.
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

_GUST = 0.5  # m/s
_APERTURE, _FINEST = 0.001, 0.001  # metres, radian
_SKY = 1.5  # light of a drop over that of the horizon: the overcast sky is up to 3 times as bright overhead (CIE)


def rain_of(rate: float) -> Precipitation:
    """Return the drops of a rain of ``rate`` mm/h."""
    return Precipitation(density=8000.0, slope=4.1 * rate**-0.21, smallest=0.5, largest=6.0, speed=drop_speed)


def drop_speed(diameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the speed of fall in m/s of drops with diameters in mm (Atlas et al. 1973), at least 0.5 mm."""
    return 9.65 - 10.3 * np.exp(-0.6 * diameters)


def rain(scene: Scene, context: Context, *, rate: float, exposure: float, wind: float) -> Scene:
    """Let it rain ``rate`` mm/h before a camera with an ``exposure`` in seconds; objects stay as they are."""
    optics = Optics(exposure, _APERTURE, _FINEST)
    return let_fall(scene, context, rain_of(rate), optics, wind=wind, gust=_GUST, brightness=_SKY)


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    values: dict[str, Any] = dict(parameters)
    return (partial(rain, **values),)


def _severity(rate: float) -> Parameters:
    return {"rate": rate, "exposure": 0.002, "wind": 3.0}


CORRUPTIONS = (
    Corruption(
        name="rainfall",
        summary="Rain: bright streaks before the scene, less contrast in the distance.",
        cause="weather",
        severities={s: _severity(r) for s, r in zip((1, 2, 3, 4, 5), (15.0, 40.0, 100.0, 200.0, 300.0), strict=True)},
        ranges={"rate": (0.1, 1000.0), "exposure": (1e-5, 0.1), "wind": (0.0, 50.0)},
        steps=_steps,
        measure=RMS_CHANGE,
        source="Marshall and Palmer (1948), Atlas et al. (1973), Garg and Nayar (2007), Koschmieder (1924)",
        limits=(
            "No drops on the lens, no puddles, wet clothes or umbrellas, no spray behind cars and no darker sky. Depth "
            "is guessed from flat ground and a level camera."
        ),
    ),
)
