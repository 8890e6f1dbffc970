"""Fog that thickens with distance.

Law: Koschmieder's, in linear light, with a depth guessed for every pixel (see `depth` and `air`): people far away
vanish first, people near by stay clear. The parameter is the meteorological visibility. The fog is a little uneven:
its extinction varies smoothly by ``unevenness`` up and down over the picture.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from robust.corruptions.air import VEIL_SHARE, airlight, extinction, look_through, smooth_field, transmission
from robust.corruptions.depth import scene_depth
from robust.corruptions.laws import Context, Corruption, Parameters, Scene, Step


def befog(scene: Scene, context: Context, *, visibility: float, unevenness: float) -> Scene:
    """Fill the air with fog of a ``visibility`` in metres; objects stay as they are."""
    height, width = scene.pixels.shape[:2]
    field = smooth_field((height, width), context.rng)
    extinct = np.float32(extinction(visibility)) * (np.float32(1.0) + np.float32(unevenness) * field)
    share = transmission(scene_depth(scene), extinct)
    return scene.with_pixels(look_through(scene.pixels, (share, airlight(scene.pixels))))


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(befog, visibility=float(parameters["visibility"]), unevenness=float(parameters["unevenness"])),)


def _severity(visibility: float) -> Parameters:
    return {"visibility": visibility, "unevenness": 0.15}


CORRUPTIONS = (
    Corruption(
        name="depth_fog",
        summary="Fog: contrast falls with distance until people in the distance are gone.",
        cause="weather",
        severities={s: _severity(v) for s, v in zip((1, 2, 3, 4, 5), (250.0, 120.0, 60.0, 30.0, 12.0), strict=True)},
        ranges={"visibility": (1.0, 1e6), "unevenness": (0.0, 1.0)},
        steps=_steps,
        measure=VEIL_SHARE,
        source="Koschmieder (1924) with the meteorological optical range (WMO No. 8); IEC 61966-2-1 (sRGB)",
        limits=(
            "Depth is guessed from flat ground and a level camera: rooms and walls are fogged like a street. Without "
            "outlines some background close to a person stays as clear as the person. The fog does not blur, and "
            "shadows stay hard."
        ),
    ),
)
