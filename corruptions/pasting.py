"""Put a cut-out person into a picture: size, light, feet on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.donors import Cutout, surrounding_light
from robust.corruptions.laws import Pixels
from robust.corruptions.light import decode_table, encode, mute
from robust.corruptions.masks import Mask, Window
from robust.datasets.records import Outline

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Pasted:
    """One added person, ready to be drawn.

    Attributes:
        pixels: uint8 (h, w, 3), in the light of the place.
        alpha: float32 (h, w), 0..1.
        window: Where they go, h x w pixels inside the picture.
        box: xyxy in the picture.
        outline: In the picture; None without one.
        category_id: Category of the donor.
        area: Square pixels.
    """

    pixels: Pixels
    alpha: NDArray[np.float32]
    window: Window
    box: Box
    outline: Outline | None
    category_id: int
    area: float

    @property
    def solid(self) -> Mask:
        """The pixels that hide what is behind them; all of them for somebody too thin to have any."""
        solid: Mask = self.alpha > 0.5
        return solid if solid.any() else np.ones_like(solid)


def fit(cutout: Cutout, box: Box, picture: Pixels, *, mirror: bool) -> Pasted:
    """Scale a cut-out to its box and give it the light of its place."""
    window = Window.around(*box, (picture.shape[0], picture.shape[1]))
    height, width = window.size
    shrink = cutout.pixels.shape[0] > height
    kind = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    pixels = _relight(cutout, surrounding_light(picture, np.array(box)), cutout.pixels)
    pixels = np.round(mute(pixels.astype(np.float32), picture)).astype(np.uint8)
    pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=kind), dtype=np.uint8)
    alpha = np.asarray(cv2.resize(cutout.alpha, (width, height), interpolation=kind), dtype=np.float32)
    if cutout.outline is not None:  # half a pixel of feathering hides the polygon's corners
        alpha = np.asarray(cv2.GaussianBlur(alpha, (3, 3), 0.7), dtype=np.float32)
    if mirror:
        pixels, alpha = pixels[:, ::-1], alpha[:, ::-1]
    scale = np.array([width / cutout.pixels.shape[1], height / cutout.pixels.shape[0]])
    move = _Move(cutout.offset, scale, (window.x1, window.y1), width if mirror else None)
    outline = tuple(move.points(polygon) for polygon in cutout.outline) if cutout.outline is not None else None
    corners = move.points(cutout.box.reshape(2, 2))
    low, high = corners.min(axis=0), np.minimum(corners.max(axis=0), (picture.shape[1], picture.shape[0]))
    final = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Pasted(pixels, alpha, window, final, outline, cutout.category_id, cutout.area * float(scale.prod()))


def blend(picture: Pixels, person: Pasted, alpha: NDArray[np.float32]) -> None:
    """Draw a person into ``picture`` (in place) with what is left of their alpha, over a dark spot at the feet."""
    _shade(picture, person)
    rows, columns = person.window.slices
    behind = picture[rows, columns].astype(np.float32)
    picture[rows, columns] = np.round(behind + alpha[:, :, None] * (person.pixels - behind)).astype(np.uint8)


def _shade(picture: Pixels, person: Pasted) -> None:
    """Darken the ground around the feet: an ellipse, half as bright in its middle."""
    x1, y1, x2, y2 = person.box
    w, h = x2 - x1, y2 - y1
    window = Window.around(x1 - 0.2 * w, y2 - 0.06 * h, x2 + 0.2 * w, y2 + 0.05 * h, picture.shape[:2])
    x, y = window.grid()
    r2 = ((x - (x1 + x2) / 2) / (0.6 * w)) ** 2 + ((y - (y2 - 0.01 * h)) / (0.045 * h)) ** 2
    dark = 1 - 0.45 * np.clip(1 - r2, 0, 1)
    rows, columns = window.slices
    picture[rows, columns] = np.round(picture[rows, columns] * dark[:, :, None]).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Move:
    """From the donor's image to the picture: minus ``origin``, by ``scale``, mirrored in ``width``, plus ``target``."""

    origin: tuple[int, int]
    scale: NDArray[np.float64]
    target: tuple[int, int]
    width: int | None

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points (k, 2)."""
        moved = (points - np.array(self.origin)) * self.scale
        if self.width is not None:
            moved = np.stack([self.width - moved[:, 0], moved[:, 1]], axis=1)
        placed: NDArray[np.float64] = moved + np.array(self.target)
        return placed


def _relight(cutout: Cutout, target: NDArray[np.float64], pixels: Pixels) -> Pixels:
    """Map each channel so that the person sits in the target's light as it sat in its own (one table per channel)."""
    source = cutout.light
    brightness = float(np.clip((target[0].mean() + 0.01) / (source[0].mean() + 0.01), 0.35, 2.5))
    hue = ((target[0] + 0.01) / (target[0].mean() + 0.01)) / ((source[0] + 0.01) / (source[0].mean() + 0.01))
    spread = (target[1].mean() + 0.01) / (source[1].mean() + 0.01)
    contrast = float(np.clip(spread / brightness, 0.75, 1.25))
    table = np.empty((256, 1, 3), dtype=np.uint8)
    for c in range(3):
        gain = brightness * float(np.clip(hue[c] ** 0.6, 0.6, 1.6))
        linear = gain * (source[0, c] + contrast * (decode_table() - source[0, c]))
        table[:, 0, c] = encode(linear.astype(np.float32))
    return np.asarray(cv2.LUT(np.ascontiguousarray(pixels), table), dtype=np.uint8)
