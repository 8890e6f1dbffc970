"""Things that stand in front of people: poles, bushes, vehicles, walls, pieces of other image regions.

A cover is a *height field* over a window: pixel p is hidden at level t when ``field[p] <= t``. The covers of rising t
are nested, so the level that hides an exact share of a person is an order statistic of the field over their pixels.
(A parked car ends at its wheels: below the person's feet it also needs ``t <= until[p]``.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import Pixels
from robust.corruptions.light import mute
from robust.corruptions.masks import Window

Field = NDArray[np.float32]
Color = tuple[float, float, float]
Colors = NDArray[np.floating[Any]]

_NEVER = np.float32(1e9)


@dataclass(frozen=True, eq=False)
class Cover:
    """One thing in front of one person.

    Attributes:
        window: Where it may lie.
        field: float32, the window's size, in pixels of distance; hidden where ``field <= level``.
        paint: From the level to its colours: floats (height, width, 3), 0..255.
        until: float32 like ``field``: not hidden where ``until < level``; infinite on the person. None: nowhere.
    """

    window: Window
    field: Field
    paint: Callable[[float], Colors]
    until: Field | None = None

    def hides(self, level: float) -> NDArray[np.bool_]:
        """Return the pixels of the window that are hidden at a level."""
        hidden = self.field <= level
        return hidden if self.until is None else hidden & (self.until >= level)


@dataclass(frozen=True, eq=False)
class Site:
    """Where a cover is needed.

    Attributes:
        image: uint8 (height, width, 3): the untouched picture.
        box: xyxy of the person, as numbers.
        taken: bool, image-sized: pixels of any object, which texture should not be copied from.
        rng: The image's generator.
    """

    image: Pixels
    box: tuple[float, float, float, float]
    taken: NDArray[np.bool_]
    rng: np.random.Generator

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.image.shape[0], self.image.shape[1]

    def uniform(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def window(self, left: float, top: float, right: float, bottom: float) -> Window:
        """Return the window that reaches beyond the box by these shares of the person's height."""
        x1, y1, x2, y2 = self.box
        h = y2 - y1
        return Window.around(x1 - left * h, y1 - top * h, x2 + right * h, y2 + bottom * h, self.size)

    def brightness(self, window: Window) -> float:
        """Return the mean grey of the surroundings, 0..255."""
        rows, columns = window.slices
        return float(self.image[rows, columns][::4, ::4].mean())


def pole(site: Site) -> Cover:
    """A post or tree trunk: a strip that gets wider, with the shading of a cylinder."""
    x1, y1, x2, y2 = site.box
    w, h = x2 - x1, y2 - y1
    window = site.window(0.5 * w / h, site.uniform(0.3, 1.5), 0.5 * w / h, site.uniform(0.03, 0.1))
    x, y = window.grid()
    centre, lean = x1 + w * site.uniform(0.3, 0.7), site.uniform(-0.04, 0.04)
    offset = x - centre - lean * (y - y2)
    color = _pick(site, ((118, 112, 104), (92, 78, 62), (150, 150, 148), (70, 74, 72)))
    streaks = _noise(site, window.size, (0.02, 0.5), h)

    def paint(level: float) -> Colors:
        s = np.clip(offset / max(level, 1.0), -1, 1)
        shade = 0.35 + 0.75 * np.sqrt(np.maximum(0, 1 - (0.9 * (s + 0.25) / 1.25) ** 2)) + 0.18 * streaks
        return shade[:, :, None] * _lit(site, window, color, 0.85)

    return Cover(window, np.abs(offset), paint)


def bush(site: Site) -> Cover:
    """A bush in front of the legs: a leafy mound that rises."""
    x1, y1, x2, y2 = site.box
    w, h = x2 - x1, y2 - y1
    reach = site.uniform(0.3, 0.6)
    window = site.window(reach, 0.1, reach, site.uniform(0.04, 0.12))
    x, y = window.grid()
    centre, radius = (x1 + x2) / 2 + w * site.uniform(-0.2, 0.2), w / 2 + reach * h
    aside = np.abs((x - centre) / radius)
    mound = h * 1.3 * aside * aside * aside  # no powers and exponentials: they differ from processor to processor
    leafy = 0.12 * _noise(site, window.size, (0.12, 0.12), h) + 0.08 * _noise(site, window.size, (0.03, 0.03), h)
    field = (y2 - y) + mound + h * leafy
    dim = (0.8 + 0.35 * np.clip((y2 - y) / h, -0.3, 1.0)).astype(np.float32)

    def paint(_level: float) -> Colors:
        leaves: Colors = _leaves(site, window, h) * dim[:, :, None]
        return leaves

    return Cover(window, field.astype(np.float32), paint)


def vehicle(site: Site) -> Cover:
    """The side of a parked car, nearer than the person: the roof line moves up."""
    x1, y1, x2, y2 = site.box
    h = y2 - y1
    height = 1.12 * h
    half, flip = h * site.uniform(1.5, 1.8), 1 if site.rng.random() < 0.5 else -1
    centre = (x1 + x2) / 2 - flip * 0.12 * half + h * site.uniform(-0.15, 0.15)  # the person stands behind the cabin
    window = Window.around(centre - half, y1 - 0.05 * h, centre + half, y2 + height, site.size)
    x, y = window.grid()
    u = (x - centre) / half * flip
    profile = np.interp(u, (-1, -0.9, -0.55, -0.2, 0.45, 0.72, 0.97, 1.0), (0.42, 0.6, 0.66, 1.0, 1.0, 0.68, 0.6, 0.4))
    roof = np.where(np.abs(u) <= 1, height * profile, -_NEVER).astype(np.float32)
    color = _pick(site, ((150, 30, 28), (40, 60, 110), (190, 190, 188), (60, 62, 66), (225, 225, 220), (30, 80, 60)))
    tilt = np.float32(site.uniform(-0.01, 0.01)) * (x - centre)

    def paint(level: float) -> Colors:
        return _car(site, window, color, u, (y + tilt + level) / height + 1)

    until = np.where(y + 0 * x <= y2, _NEVER, -y - tilt).astype(np.float32)
    return Cover(window, -(y + tilt + roof), paint, until)


def wall(site: Site) -> Cover:
    """A wall, door or stand beside the person: an upright edge that moves in from one side."""
    x1, y1, x2, y2 = site.box
    w, h = x2 - x1, y2 - y1
    margin, side = site.uniform(0.15, 0.5), 1 if site.rng.random() < 0.5 else -1
    left, right = (margin, 0.1) if side > 0 else (0.1, margin)
    window = site.window(
        left * max(w / h, 0.4), site.uniform(0.05, 0.4), right * max(w / h, 0.4), site.uniform(0.03, 0.1)
    )
    x, y = window.grid()
    field = side * (x - (x1 + x2) / 2) + np.float32(site.uniform(-0.03, 0.03)) * (y - y2)

    def paint(level: float) -> Colors:
        region = _region(site, window) if site.rng.random() < 0.5 else None
        texture = _plaster(site, window, h) if region is None else region
        edge = 0.7 + 0.3 * np.clip((level - field) / max(0.06 * h, 1.0), 0, 1)
        return texture * edge[:, :, None]

    return Cover(window, field.astype(np.float32), paint)


def patch(site: Site) -> Cover:
    """A piece of another region of the picture with a natural outline, anywhere over the person."""
    x1, y1, x2, y2 = site.box
    w, h = x2 - x1, y2 - y1
    window = site.window(0.25, 0.15, 0.25, 0.12)
    x, y = window.grid()
    cx, cy = x1 + w * site.uniform(0.15, 0.85), y1 + h * site.uniform(0.1, 0.9)
    scale = float(np.sqrt(w * h))
    distance = np.sqrt(((x - cx) / w) ** 2 + ((y - cy) / h) ** 2) * scale
    ragged = 0.18 * _noise(site, window.size, (0.25, 0.25), h) + 0.07 * _noise(site, window.size, (0.04, 0.04), h)
    field = distance + scale * ragged

    def paint(level: float) -> Colors:
        region = _region(site, window)
        texture = _leaves(site, window, h) if region is None else region
        rim = 0.65 + 0.35 * np.clip((level - field) / max(0.05 * h, 1.0), 0, 1)
        return texture * rim[:, :, None]

    return Cover(window, field.astype(np.float32), paint)


KINDS: tuple[Callable[[Site], Cover], ...] = (pole, bush, vehicle, wall, patch)


def _pick(site: Site, colors: tuple[Color, ...]) -> Color:
    return colors[int(site.rng.integers(len(colors)))]


def _lit(site: Site, window: Window, color: Color, relative: float) -> NDArray[np.float32]:
    """Scale a daylight colour to the brightness around the window: float32 (3,)."""
    factor = np.clip(relative * site.brightness(window) / 115.0, 0.25, 1.5)
    return mute(np.asarray(color, dtype=np.float32) * np.float32(factor), site.image)


def _noise(site: Site, size: tuple[int, int], grain: tuple[float, float], height: float) -> Field:
    """Smooth noise: float32 of ``size``, about -1..1; ``grain`` is (x, y) in shares of the person's height."""
    rows = min(size[0], max(2, round(size[0] / max(grain[1] * height, 1.0)) + 1))
    columns = min(size[1], max(2, round(size[1] / max(grain[0] * height, 1.0)) + 1))
    coarse = np.round(65535 * site.rng.random((rows, columns))).astype(np.uint16)
    smooth = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_LINEAR_EXACT)  # in whole numbers
    return np.asarray(smooth, dtype=np.float32) / np.float32(32767.5) - np.float32(1)


def _region(site: Site, window: Window) -> NDArray[np.float32] | None:
    """Copy the richest free one of six other places of the picture, mirrored: float32 (height, width, 3).

    None when all of them show objects: a copied person would be one without an annotation.
    """
    (height, width), (rows, columns) = site.size, window.size
    places = [
        (int(site.rng.integers(height - rows + 1)), int(site.rng.integers(width - columns + 1))) for _ in range(6)
    ]

    def merit(place: tuple[int, int]) -> float:
        part = slice(place[0], place[0] + rows, 4), slice(place[1], place[1] + columns, 4)
        grey = site.image[part].mean(axis=2)
        return float(grey.std()) - 100.0 * float(site.taken[part].mean()) - max(0.0, float(grey.mean()) - 200.0)

    y, x = max(places, key=merit)
    if site.taken[y : y + rows, x : x + columns].mean() > 0.02:
        return None
    return site.image[y : y + rows, x : x + columns][:, ::-1].astype(np.float32)


def _plaster(site: Site, window: Window, height: float) -> NDArray[np.float32]:
    """A plain wall with a little dirt: float32 (height, width, 3)."""
    color = _pick(site, ((150, 140, 128), (168, 120, 96), (128, 132, 136), (186, 178, 160)))
    dirt, grain = _noise(site, window.size, (0.3, 0.1), height), _noise(site, window.size, (0.015, 0.015), height)
    return (1 + 0.08 * dirt + 0.05 * grain)[:, :, None] * _lit(site, window, color, 0.9)


def _leaves(site: Site, window: Window, height: float) -> NDArray[np.float32]:
    """Crop a leafy texture with leaves of about 4 % of the person's height: float32 (height, width, 3)."""
    tile, (rows, columns) = _leaf_tile(), window.size
    scale = max(0.05 * height / 12.0, 0.25)
    need = (min(len(tile), int(rows / scale) + 2), min(len(tile), int(columns / scale) + 2))
    y, x = (int(site.rng.integers(len(tile) - n + 1)) for n in need)
    crop = cv2.resize(tile[y : y + need[0], x : x + need[1]], (columns, rows), interpolation=cv2.INTER_LINEAR_EXACT)
    tint = np.array([site.uniform(0.8, 1.15), 1.0, site.uniform(0.75, 1.0)], dtype=np.float32)
    factor = np.clip(site.brightness(window) / 90.0, 0.35, 1.6)
    return mute(np.asarray(crop, dtype=np.float32) * (tint * np.float32(factor)), site.image)


@cache
def _leaf_tile() -> Pixels:
    """Paint 384 x 384 pixels of leaves about 12 pixels long, dark ones first; always the same."""
    rng = np.random.default_rng(20240229)
    tile = np.full((384, 384, 3), (18, 26, 12), dtype=np.uint8)
    for i in range(7000):
        light = 0.4 + 0.9 * i / 7000 * rng.uniform(0.35, 1.0)
        color = (light * rng.uniform(75, 125), light * rng.uniform(100, 150), light * rng.uniform(40, 75))
        centre, axes = rng.integers(0, 384 * 8, size=2), (int(rng.integers(36, 60)), int(rng.integers(14, 26)))
        cv2.ellipse(
            tile, (int(centre[0]), int(centre[1])), axes, float(rng.uniform(0, 180)), 0, 360, color, -1, cv2.LINE_8, 3
        )
    return tile


def _car(site: Site, window: Window, color: Color, u: Colors, v: Colors) -> NDArray[np.float32]:
    """Colour a car side: u along (-1..1), v down from the highest roof point (0) to the ground (1)."""
    gloss = 1 + 400 * np.square(v - 0.5)
    paint = np.clip(1.12 - 0.75 * v + 0.25 / (gloss * gloss), 0.1, 1.3)[:, :, None]
    car = paint * np.ones_like(u)[:, :, None] * _lit(site, window, color, 1.0)
    glass = _lit(site, window, (52, 62, 70), 1.0)
    left, right = -0.5 + 0.72 * np.clip(0.42 - v, 0, 1), 0.66 - 0.5 * np.clip(0.42 - v, 0, 1)
    window_pane = (v > 0.08) & (v < 0.36) & (u > left) & (u < right) & (np.abs(u - 0.12) > 0.025)
    car[window_pane] = glass
    car[(v > 0.9) & (np.abs(u) <= 1)] *= 0.25  # the shadow under it
    for axle in (-0.6, 0.6):
        radius = np.sqrt(((u - axle) / 0.15) ** 2 + ((v - 0.84) / 0.16) ** 2)
        car[radius < 1.15] = (14, 14, 15)
        car[radius < 0.6] = _lit(site, window, (120, 122, 125), 1.0)
    return np.asarray(car, dtype=np.float32)
