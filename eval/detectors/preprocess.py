"""The square letterbox between an image and a network, and the way back for boxes.

Same geometry as Ultralytics' validator with ``rect=False``: the long side becomes ``imgsz``, the short side is rounded
up, bilinear resampling, grey (114) borders on both sides with the odd pixel at the bottom and right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BORDER = 114


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies inside its square.

    Attributes:
        width: Of the original image, pixels.
        height: Of the original image, pixels.
        imgsz: Side of the square, pixels.
    """

    width: int
    height: int
    imgsz: int

    @property
    def resized(self) -> tuple[int, int]:
        """Width and height of the image inside the square, at least 1."""
        ratio = self.imgsz / max(self.width, self.height)
        return min(math.ceil(self.width * ratio), self.imgsz), min(math.ceil(self.height * ratio), self.imgsz)

    @property
    def offset(self) -> tuple[int, int]:
        """Left and top border, pixels."""
        width, height = self.resized
        return round((self.imgsz - width) / 2 - 0.1), round((self.imgsz - height) / 2 - 0.1)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the image in its square: uint8 (imgsz, imgsz, 3)."""
        import cv2

        width, height = self.resized
        left, top = self.offset
        if (width, height) != (self.width, self.height):
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        square = np.full((self.imgsz, self.imgsz, 3), BORDER, dtype=np.uint8)
        square[top : top + height, left : left + width] = pixels
        return square

    def to_original(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move boxes from the square to the original image and clip them to it.

        Args:
            boxes: float64 (n, 4), xyxy pixels in the square.
        """
        width, height = self.resized
        left, top = self.offset
        gain = np.array([width / self.width, height / self.height] * 2)
        limit = np.array([self.width, self.height] * 2, dtype=np.float64)
        moved = (boxes - np.array([left, top, left, top], dtype=np.float64)) / gain
        clipped: NDArray[np.float64] = np.clip(moved, 0.0, limit)
        return clipped
