"""What falls through the air, laid over a scene: the distance in a veil, drops or flakes before it."""

from __future__ import annotations

import numpy as np

from robust.corruptions.air import airlight, look_through, transmission
from robust.corruptions.depth import scene_depth
from robust.corruptions.laws import Context, Scene
from robust.corruptions.particles import Optics, coverage, scatter
from robust.corruptions.precipitation import Precipitation


def let_fall(
    scene: Scene, context: Context, fall: Precipitation, optics: Optics, *, wind: float, gust: float, brightness: float
) -> Scene:
    """Fill the air with what falls; objects stay as they are.

    Args:
        scene: The scene.
        context: Source of chance.
        fall: What falls.
        optics: The camera.
        wind: Strongest wind to either side, m/s; that of the picture is drawn.
        gust: Most by which each particle's sideward speed differs from the wind, m/s.
        brightness: Light of a particle over that of the horizon.
    """
    size, rng = scene.size, context.rng
    depth, light = scene_depth(scene), airlight(scene.pixels)
    sideward = wind * float(rng.integers(-256, 257)) / 256
    swarm = scatter(fall, optics, size, rng, wind=sideward, gust=gust).before(depth)
    distance = (transmission(depth, fall.extinction), light)
    particles = (np.float32(1.0) - coverage(swarm, size), light * np.float32(brightness))
    return scene.with_pixels(look_through(scene.pixels, distance, particles))
