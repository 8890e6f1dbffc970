"""Put a cut-out person into a picture: size, light, feet on the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.donors import Cutout, surrounding_light
from robust.corruptions.laws import Pixels
from robust.corruptions.light import COLOURFUL, decode_table, encode, fade
from robust.corruptions.masks import Mask, Window
from robust.datasets.records import Outline

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Pasted:
    """One added person, ready to be drawn.

    Attributes:
        pixels: uint8 (h, w, 3), in the light of where they come from until `lit`.
        alpha: uint8 (h, w): 255 hides what is behind, 0 shows it.
        window: Where they go, h x w pixels inside the picture.
        box: xyxy in the picture.
        outline: In the picture; None without one.
        category_id: Category of the donor.
        area: Square pixels.
        visible: The share that the donor's image showed, 0..1.
        light: float64 (2, 3): mean and standard deviation of linear RGB around them there.
    """

    pixels: Pixels
    alpha: Pixels
    window: Window
    box: Box
    outline: Outline | None
    category_id: int
    area: float
    visible: float
    light: NDArray[np.float64]

    @property
    def solid(self) -> Mask:
        """The pixels that hide what is behind them; all of them for somebody too thin to have any."""
        solid: Mask = self.alpha > 127
        return solid if solid.any() else np.ones_like(solid)


def fit(cutout: Cutout, box: Box, size: tuple[int, int], *, mirror: bool) -> Pasted:
    """Scale a cut-out to its box in a picture of ``size`` (height, width)."""
    window = Window.around(*box, size)
    height, width = window.size
    was = cutout.layers[0].shape
    source = next((half for half in reversed(cutout.layers) if half.shape[0] >= height), cutout.layers[0])
    kind = cv2.INTER_AREA if was[0] > height else cv2.INTER_LINEAR_EXACT
    layers = np.asarray(cv2.resize(source, (width, height), interpolation=kind), dtype=np.uint8)
    if mirror:
        layers = np.asarray(cv2.flip(layers, 1), dtype=np.uint8)
    pixels, alpha = layers[:, :, :3], layers[:, :, 3].copy()
    if cutout.outline is not None:  # half a pixel of feathering hides the polygon's corners
        alpha = np.asarray(cv2.GaussianBlur(alpha, (3, 3), 0.7), dtype=np.uint8)
    scale = np.array([width / was[1], height / was[0]])
    move = _Move(cutout.offset, scale, (window.x1, window.y1), width if mirror else None)
    outline = tuple(move.points(polygon) for polygon in cutout.outline) if cutout.outline is not None else None
    corners = move.points(cutout.box.reshape(2, 2))
    low, high = corners.min(axis=0), np.minimum(corners.max(axis=0), (size[1], size[0]))
    final = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    area = cutout.area * float(scale.prod())
    return Pasted(pixels, alpha, window, final, outline, cutout.category_id, area, cutout.visible, cutout.light)


def lit(person: Pasted, picture: Pixels, *, chroma: float) -> Pasted:
    """Give somebody the light of their place in a picture as colourful as ``chroma``."""
    pixels = _relight(person.light, surrounding_light(picture, np.array(person.box)), person.pixels)
    if chroma < COLOURFUL:
        pixels = np.round(fade(pixels.astype(np.float32), chroma)).astype(np.uint8)
    return replace(person, pixels=pixels)


def blend(picture: Pixels, person: Pasted, alpha: Pixels) -> None:
    """Draw a person into ``picture`` (in place) with what is left of their alpha, over a dark spot at the feet."""
    _shade(picture, person)
    rows, columns = person.window.slices
    front = alpha.astype(np.uint16) + (alpha > 127)  # of 256, so that 255 is all of it
    weight = np.repeat(front, 3, axis=1).reshape(person.pixels.shape)
    mixed = picture[rows, columns] * (np.uint16(256) - weight) + person.pixels * weight  # at most 255 * 256
    picture[rows, columns] = (mixed + np.uint16(128)) >> 8


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


def _relight(source: NDArray[np.float64], target: NDArray[np.float64], pixels: Pixels) -> Pixels:
    """Map each colour so that the person sits in the target's light as it sat in its own (one table per channel).

    What is around somebody is darker or brighter for its own sake, too (snow, tarmac): brightness follows by the power
    3/4 downwards and by the root upwards, which keeps faces from burning out. Square roots, as they are exact.
    """
    ratio = (target[0].mean() + 0.01) / (source[0].mean() + 0.01)
    brightness = float(np.clip(np.sqrt(ratio * np.sqrt(ratio)) if ratio < 1 else np.sqrt(ratio), 0.1, 1.8))
    hue = ((target[0] + 0.01) / (target[0].mean() + 0.01)) / ((source[0] + 0.01) / (source[0].mean() + 0.01))
    spread = (target[1].mean() + 0.01) / (source[1].mean() + 0.01)
    contrast = float(np.clip(spread / brightness, 0.75, 1.25))
    gains = brightness * np.clip(np.sqrt(hue), 0.6, 1.6)
    linear = gains * (source[0] + contrast * (decode_table()[:, None] - source[0]))
    return np.asarray(cv2.LUT(pixels, encode(linear.astype(np.float32))[:, None]), dtype=np.uint8)
