"""The empty street: its plan, the sky, and the ground with road and pavement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.datasets.synthetic.camera import Camera
from robust.datasets.synthetic.canvas import Color, mix, shade
from robust.datasets.synthetic.light import Light, grain, grain_patch

Plan = Literal["street", "front", "park"]
_PLANS: tuple[Plan, ...] = ("street", "front", "park")


@dataclass(frozen=True)
class Street:
    """Where things are; metres.

    Attributes:
        plan: "street" looks along a road with houses on both sides, "front" looks across a road at houses,
            "park" has grass, paths and trees.
        road: Edges of the road: X for "street" and "park", Z for "front".
        walls: Left and right house fronts (X) for "street"; the distance of the fronts (Z, twice) for "front".
        surface: Colour of the road.
        pavement: Colour of the pavement.
        beyond: Colour of the ground outside.
    """

    plan: Plan
    road: tuple[float, float]
    walls: tuple[float, float]
    surface: Color
    pavement: Color
    beyond: Color

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Street:
        """Draw a street."""
        plan = _PLANS[int(rng.choice(3, p=[0.5, 0.28, 0.22]))]
        grey = rng.uniform(70, 125)
        surface = (grey, grey + rng.uniform(-3, 4), grey + rng.uniform(-3, 8))
        pavement = mix((150, 148, 142), (190, 170, 150), rng.random())
        beyond = (
            mix((86, 118, 58), (128, 132, 76), rng.random())
            if plan == "park" or rng.random() < 0.15
            else shade(pavement, 0.92)
        )
        if plan == "front":
            start = rng.uniform(4, 9)
            end = start + rng.uniform(5, 8)
            return cls(plan, (start, end), (end + rng.uniform(2, 9),) * 2, surface, pavement, beyond)
        middle, half = rng.uniform(-2.5, 2.5), rng.uniform(2.2, 4.5) if plan == "street" else rng.uniform(1.2, 2.5)
        left, right = middle - half, middle + half
        if plan == "park":
            surface = pavement
        return cls(
            plan, (left, right), (left - rng.uniform(2, 5), right + rng.uniform(2, 5)), surface, pavement, beyond
        )


def paint_sky(image: NDArray[np.uint8], camera: Camera, light: Light, rng: np.random.Generator) -> None:
    """Fill the image above the horizon with a cloudy gradient and a distant skyline, in place."""
    rows = max(1, min(camera.height, int(camera.horizon) + 2))
    zenith: Color = mix((110, 158, 214), (186, 192, 200), rng.random())
    t = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    sky = np.array(zenith, np.float32) * (1 - t) + np.array(light.haze_color, np.float32) * t
    sky = sky * np.float32(1 - 0.55 * light.dusk) + grain_patch(rng, rows, camera.width)[:, :, None] * np.float32(
        rng.uniform(2, 14)
    )
    image[:rows] = sky.clip(0, 255).astype(np.uint8)
    image[rows:] = image[rows - 1]
    x = -20.0
    while x < camera.width:
        width, top = rng.uniform(12, 50), camera.horizon - rng.uniform(4, 34)
        color = mix(mix((90, 100, 96), (150, 146, 144), rng.random()), light.haze_color, 0.25 + 0.6 * light.haze)
        cv2.rectangle(image, (int(x), int(top)), (int(x + width), rows), shade(color, 1 - 0.5 * light.dusk), -1)
        x += width * rng.uniform(0.8, 1.1)


@dataclass(frozen=True, eq=False)
class _Axis:
    """One ground axis, pixel by pixel.

    Attributes:
        metres: float32 (rows, columns), where the ray through the pixel meets the ground.
        footprint: float32, same shape or broadcasting to it: metres that a pixel covers.
    """

    metres: NDArray[np.float32]
    footprint: NDArray[np.float32]

    def band(self, start: float, end: float) -> NDArray[np.float32]:
        """Anti-aliased 0..1 membership of start <= metres <= end."""
        after: NDArray[np.float32] = ((self.metres - start) / self.footprint + 0.5).clip(0, 1)
        before: NDArray[np.float32] = ((end - self.metres) / self.footprint + 0.5).clip(0, 1)
        return after * before

    def lines(self, period: float, width: float) -> NDArray[np.float32]:
        """Anti-aliased 0..1 membership of repeated lines, fading out where they are too fine to see."""
        turns = self.metres * np.float32(1 / period)
        offset = np.abs(turns - np.floor(turns) - np.float32(0.5)) * np.float32(period)
        reach = (offset - np.float32(period / 2 - width)) / self.footprint + np.float32(0.5)
        line: NDArray[np.float32] = reach.clip(0, 1)
        fade: NDArray[np.float32] = (np.float32(period / 4) / self.footprint).clip(0, 1)
        return line * fade


def paint_ground(
    image: NDArray[np.uint8], camera: Camera, street: Street, light: Light, rng: np.random.Generator
) -> None:
    """Draw road, kerbs, markings, paving and grass below the horizon by casting a ray per pixel, in place."""
    top = int(np.ceil(camera.horizon + 1.5))
    if top >= camera.height:
        return
    v = np.arange(top, camera.height, dtype=np.float32)[:, None] + np.float32(0.5)
    z = np.float32(camera.focal * camera.rise) / (v - np.float32(camera.horizon))
    u = np.arange(camera.width, dtype=np.float32)[None] + np.float32(0.5)
    x = (u - np.float32(camera.center)) * z / np.float32(camera.focal)
    z = np.broadcast_to(z, x.shape)
    sideways = _Axis(np.asarray(x, np.float32), np.asarray(z / np.float32(camera.focal), np.float32))
    away = _Axis(np.asarray(z, np.float32), np.asarray(z * z / np.float32(camera.focal * camera.rise), np.float32))
    axes = (sideways, away)
    color = _ground_color(street, axes[::-1] if street.plan == "front" else axes, rng)
    oy, ox = (int(i) for i in rng.integers(0, 512, 2))
    texture = grain()
    fine = texture[(z * 45).astype(np.int32) + oy & 511, (x * 45).astype(np.int32) + ox & 511]
    broad = texture[(z * 5).astype(np.int32) + ox & 511, (x * 5).astype(np.int32) + oy & 511]
    strength = np.float32(rng.uniform(4, 14)) / (1 + z / 12)
    color += (fine * strength + broad * np.float32(rng.uniform(3, 9)))[:, :, None]
    haze = (1 - (1 - light.haze) ** (z / 50))[:, :, None].astype(np.float32)
    color = color * (1 - haze) + np.array(light.haze_color, np.float32) * haze * np.float32(1 - 0.5 * light.dusk)
    image[top:] = color.clip(0, 255).astype(np.uint8)


def _ground_color(street: Street, axes: tuple[_Axis, _Axis], rng: np.random.Generator) -> NDArray[np.float32]:
    """Colours before texture, float32 (rows, columns, 3), from the axes across and along the road."""
    across, along = axes
    start, end = street.road
    tile = float(rng.choice([0.5, 0.8, 1.5]))
    pave = 1 - 0.16 * np.maximum(across.lines(tile, 0.02), along.lines(tile, 0.02))
    paved, road = across.band(*_pavement(street)), across.band(start, end)
    kerb = across.band(start - 0.18, start) + across.band(end, end + 0.18)
    paint = np.zeros_like(road)
    if street.plan != "park":
        middle, dash = (start + end) / 2, rng.uniform(2, 4)
        paint = across.band(middle - 0.08, middle + 0.08) * along.lines(dash * 2, dash / 2)
        if rng.random() < 0.4:  # zebra crossing
            place = rng.uniform(-4, 4) if street.plan == "front" else rng.uniform(5, 18)
            paint = np.maximum(paint, along.band(place, place + 3) * across.lines(1.0, 0.25))
    gray = np.array(street.surface, np.float32)
    color = np.broadcast_to(np.array(street.beyond, np.float32), (*road.shape, 3)).copy()
    color += paved[:, :, None] * (np.array(street.pavement, np.float32) * pave[:, :, None] - color)
    color += road[:, :, None] * (gray + (paint * np.float32(rng.uniform(60, 110)))[:, :, None] - color)
    shine: NDArray[np.float32] = 1 + np.float32(0.12) * (kerb - np.float32(0.1))
    return np.asarray(color * shine[:, :, None], np.float32)


def _pavement(street: Street) -> tuple[float, float]:
    if street.plan == "front":
        return -1.0, street.walls[0] + 1
    if street.plan == "park":
        return street.road
    return street.walls
