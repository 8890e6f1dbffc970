"""Which pixels an object covers: its outline where the data has one, else its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Annotations, Outline

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels: columns ``x1`` to ``x2`` and rows ``y1`` to ``y2``, ends left out; never empty."""

    x1: int
    y1: int
    x2: int
    y2: int

    @classmethod
    def around(cls, x1: float, y1: float, x2: float, y2: float, size: tuple[int, int]) -> Window:
        """Return the pixels that a rectangle touches, inside an image of ``size`` (height, width); at least one."""
        height, width = size
        left, top = min(max(int(np.floor(x1)), 0), width - 1), min(max(int(np.floor(y1)), 0), height - 1)
        right, bottom = min(max(int(np.ceil(x2)), left + 1), width), min(max(int(np.ceil(y2)), top + 1), height)
        return cls(left, top, right, bottom)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.y2 - self.y1, self.x2 - self.x1

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an image with."""
        return slice(self.y1, self.y2), slice(self.x1, self.x2)

    def grid(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the centres of the pixels: x float32 (1, width) and y float32 (height, 1), image pixels."""
        x = np.arange(self.x1, self.x2, dtype=np.float32)[None, :] + np.float32(0.5)
        y = np.arange(self.y1, self.y2, dtype=np.float32)[:, None] + np.float32(0.5)
        return x, y

    def common(self, other: Window) -> Window | None:
        """Return the rectangle shared with another window; None when they do not meet."""
        x1, y1, x2, y2 = max(self.x1, other.x1), max(self.y1, other.y1), min(self.x2, other.x2), min(self.y2, other.y2)
        return Window(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None

    def inside(self, outer: Window) -> tuple[slice, slice]:
        """Return the slices that pick this window out of an array that covers ``outer``."""
        return slice(self.y1 - outer.y1, self.y2 - outer.y1), slice(self.x1 - outer.x1, self.x2 - outer.x1)


@dataclass(frozen=True, eq=False)
class ObjectMask:
    """The pixels of one object.

    Attributes:
        window: Where ``pixels`` lies in the image.
        pixels: bool, the window's size, at least one True.
        exact: True when made from an outline.
    """

    window: Window
    pixels: Mask
    exact: bool

    @classmethod
    def of(cls, box: NDArray[np.float64], outline: Outline | None, size: tuple[int, int]) -> ObjectMask:
        """Rasterise an object into an image of ``size`` (height, width)."""
        window = Window.around(box[0], box[1], box[2], box[3], size)
        if outline is not None:
            pixels = fill(outline, window)
            if pixels.any():
                return cls(window, pixels, True)
        return cls(window, np.ones(window.size, dtype=np.bool_), False)

    def share(self, hidden: Mask) -> float:
        """Return the share of the object's pixels where ``hidden`` (image-sized) is True, 0..1."""
        return float(hidden[self.window.slices][self.pixels].mean())

    def seen_box(self, hidden: Mask, box: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the part of ``box`` around the pixels not ``hidden`` (window-sized); all of it when none is left."""
        w, found, whole = self.window, _extent(self.pixels & ~hidden), _extent(self.pixels)
        if found[2] < found[0]:
            return box
        edges = (w.x1 + found[0], w.y1 + found[1], w.x1 + found[2] + 1, w.y1 + found[3] + 1)
        # a side that nothing covers keeps its exact coordinate, so that untouched boxes never move
        return np.array([box[i] if found[i] == whole[i] else edges[i] for i in range(4)], dtype=np.float64)


def _extent(mask: Mask) -> tuple[int, int, int, int]:
    """Return the first column, first row, last column and last row that are True anywhere; 0, 0, -1, -1 if none is."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return x, y, x + width - 1, y + height - 1


def fill(outline: Outline, window: Window) -> Mask:
    """Rasterise closed polygons (their union) into a window: bool, the window's size."""
    canvas = np.zeros(window.size, dtype=np.uint8)
    for polygon in outline:
        points = np.round((polygon - (window.x1 + 0.5, window.y1 + 0.5)) * 16).astype(np.int32)
        cv2.fillPoly(canvas, [points], (1,), shift=4)
    return canvas.astype(np.bool_)


def object_masks(annotations: Annotations, size: tuple[int, int]) -> tuple[ObjectMask, ...]:
    """Rasterise every object of an image of ``size`` (height, width)."""
    return tuple(
        ObjectMask.of(box, outline, size) for box, outline in zip(annotations.boxes, annotations.outlines, strict=True)
    )


def nearest_first(boxes: NDArray[np.float64], which: Sequence[int] | NDArray[np.int64]) -> list[int]:
    """Order objects by where they stand: the lower in the picture, the nearer (a flat ground, a level camera)."""
    return sorted((int(i) for i in which), key=lambda i: (-float(boxes[i, 3]), i))
