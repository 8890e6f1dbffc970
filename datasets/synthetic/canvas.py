"""Drawing with sub-pixel precision: a canvas that is painted larger than needed and averaged down to a sprite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[float, float, float]
"""Red, green, blue, each 0..255."""
Point = tuple[float, float]
"""x, y in pixels of the image; pixel i covers i..i+1."""

_BITS = 4  # cv2's fixed-point fraction


def shade(color: Color, factor: float) -> Color:
    """Return the colour made brighter (factor > 1) or darker, clipped to 0..255."""
    return (min(255.0, color[0] * factor), min(255.0, color[1] * factor), min(255.0, color[2] * factor))


def mix(a: Color, b: Color, share: float) -> Color:
    """Return ``a`` with ``share`` (0..1) of ``b``."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture with transparency, placed in the image.

    Attributes:
        x: Column of its left edge in the image; may lie outside.
        y: Row of its top edge.
        rgba: uint8 (h, w, 4); colours are already multiplied by the alpha in the fourth channel.
    """

    x: int
    y: int
    rgba: NDArray[np.uint8]

    @property
    def solid(self) -> NDArray[np.bool_]:
        """Bool (h, w): pixels that the sprite covers by at least half."""
        return self.rgba[:, :, 3] >= 128

    def window(self, width: int, height: int) -> tuple[slice, slice, slice, slice]:
        """Rows and columns of the image that the sprite meets, then the same of the sprite."""
        h, w = self.rgba.shape[:2]
        x1, y1 = max(0, self.x), max(0, self.y)
        x2, y2 = max(x1, min(width, self.x + w)), max(y1, min(height, self.y + h))
        return (
            slice(y1, y2),
            slice(x1, x2),
            slice(y1 - self.y, y2 - self.y),
            slice(x1 - self.x, x2 - self.x),
        )


class Canvas:
    """A transparent canvas over the given part of the image, painted ``scale`` times larger.

    Args:
        left: Edges of the part, pixels of the image; widened to whole pixels.
        top: See ``left``.
        right: See ``left``.
        bottom: See ``left``.
        scale: Supersampling factor, at least 1.
    """

    def __init__(self, left: float, top: float, right: float, bottom: float, scale: int) -> None:
        self.x, self.y = math.floor(left), math.floor(top)
        self.width = max(1, math.ceil(right) - self.x)
        self.height = max(1, math.ceil(bottom) - self.y)
        self.scale = scale
        self._unit = float(scale << _BITS)
        self.pixels: NDArray[np.uint8] = np.zeros((self.height * scale, self.width * scale, 4), np.uint8)

    def _fixed(self, point: Point) -> tuple[int, int]:
        half = 1 << (_BITS - 1)  # cv2 puts whole coordinates at pixel centres
        return round((point[0] - self.x) * self._unit) - half, round((point[1] - self.y) * self._unit) - half

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Fill a polygon."""
        corners = np.array([self._fixed(p) for p in points], np.int32)
        cv2.fillPoly(self.pixels, [corners], (*color, 255.0), cv2.LINE_8, _BITS)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """Fill a circle."""
        cv2.circle(
            self.pixels, self._fixed(center), max(1, round(radius * self._unit)), (*color, 255.0), -1, cv2.LINE_8, _BITS
        )

    def ellipse(self, center: Point, rx: float, ry: float, color: Color, angle: float = 0.0) -> None:
        """Fill an ellipse, turned by ``angle`` degrees."""
        axes = (max(1, round(rx * self._unit)), max(1, round(ry * self._unit)))
        cv2.ellipse(self.pixels, self._fixed(center), axes, angle, 0, 360, (*color, 255.0), -1, cv2.LINE_8, _BITS)

    def limb(self, a: Point, b: Point, ra: float, rb: float, color: Color) -> None:
        """Fill a tapered stroke with round ends, radius ``ra`` at ``a`` and ``rb`` at ``b``."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = math.hypot(dx, dy)
        if length > 1e-6:
            nx, ny = -dy / length, dx / length
            quad = (
                (a[0] + nx * ra, a[1] + ny * ra),
                (b[0] + nx * rb, b[1] + ny * rb),
                (b[0] - nx * rb, b[1] - ny * rb),
                (a[0] - nx * ra, a[1] - ny * ra),
            )
            self.polygon(quad, color)
        self.disc(a, ra, color)
        self.disc(b, rb, color)

    def finish(self) -> Sprite:
        """Average down to image pixels."""
        pixels = self.pixels
        if self.scale > 1:
            pixels = np.asarray(cv2.resize(pixels, (self.width, self.height), interpolation=cv2.INTER_AREA), np.uint8)
        return Sprite(self.x, self.y, pixels)
