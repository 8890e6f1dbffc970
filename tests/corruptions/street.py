"""A small drawn data set with every kind of image that a corruption must survive. Drawn with NumPy alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import Pixels
from robust.corruptions.records import CorruptedImage
from robust.datasets.records import Annotations, Category, Dataset, ImageRecord, Outline

CATEGORIES = (Category(1, "person"),)


def backdrop(height: int, width: int, seed: int = 0) -> Pixels:
    """Sky, a textured ground, a few blocks."""
    rng = np.random.default_rng(seed)
    picture = np.empty((height, width, 3), dtype=np.uint8)
    horizon = max(1, round(0.45 * height))
    picture[:horizon] = (150, 185, 220)
    picture[horizon:] = (110, 105, 98)
    for left in range(0, width, 40):
        top = round(horizon * rng.uniform(0.2, 0.8))
        picture[top:horizon, left : left + 28] = rng.integers(60, 200, size=3)
    noise = rng.integers(-12, 13, size=picture.shape)
    return np.clip(picture.astype(np.int64) + noise, 0, 255).astype(np.uint8)


def body(box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """A polygon that fills a box like somebody standing."""
    x1, y1, x2, y2 = box
    shape = [(0.5, 0), (0.68, 0.04), (0.68, 0.14), (1, 0.25), (0.95, 0.55), (0.8, 0.6), (0.8, 1)]
    shape += [
        (0.55, 1),
        (0.5, 0.62),
        (0.45, 1),
        (0.2, 1),
        (0.2, 0.6),
        (0.05, 0.55),
        (0, 0.25),
        (0.32, 0.14),
        (0.32, 0.04),
    ]
    return np.array([(x1 + u * (x2 - x1), y1 + v * (y2 - y1)) for u, v in shape])


def inside(polygon: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Pixels whose centre a polygon holds (even-odd rule), independent of the code under test."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    hit = np.zeros((height, width), dtype=np.bool_)
    for (xa, ya), (xb, yb) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if ya != yb:
            hit ^= ((ya > y) != (yb > y)) & (x < (xb - xa) * (y - ya) / (yb - ya) + xa)
    return hit


def picture_of(
    height: int, width: int, boxes: list[tuple[float, float, float, float]], seed: int
) -> tuple[Pixels, tuple[Outline, ...]]:
    """A backdrop with somebody in each box."""
    pixels, rng, outlines = backdrop(height, width, seed), np.random.default_rng(seed + 1000), []
    for box in boxes:
        polygon = body(box)
        pixels[inside(polygon, height, width)] = rng.integers(20, 235, size=3)
        outlines.append((polygon,))
    return pixels, tuple(outlines)


class Street:
    """Data set and images, in memory; ``source`` is what reads them."""

    def __init__(self) -> None:
        self.pixels: dict[str, Pixels] = {}
        self.images: list[ImageRecord] = []
        self.annotations: list[Annotations] = []
        self._next = 1

    def add(
        self, pixels: Pixels, boxes: list[tuple[float, float, float, float]], outlines: object = None, **more: object
    ) -> int:
        """Add an image; return its position."""
        sha256 = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
        number = len(self.images) + 1
        self.pixels[sha256] = pixels
        height, width = pixels.shape[:2]
        self.images.append(ImageRecord(number, f"{number}.png", Path(f"{number}.png"), width, height, sha256))
        ids = range(self._next, self._next + len(boxes))
        self._next += len(boxes)
        self.annotations.append(Annotations.build(boxes, [1] * len(boxes), ids, outlines=outlines, **more))  # type: ignore[arg-type]
        return number - 1

    def add_people(
        self,
        height: int,
        width: int,
        boxes: list[tuple[float, float, float, float]],
        *,
        outlined: bool = True,
        seed: int = 0,
    ) -> int:
        """Add a drawn image with people."""
        pixels, outlines = picture_of(height, width, boxes, seed)
        return self.add(pixels, boxes, outlines if outlined else None)

    def source(self, image: ImageRecord) -> Pixels:
        """Give an image; a caller who writes into it is found out."""
        pixels = self.pixels[image.sha256]
        pixels.flags.writeable = False
        return pixels

    @property
    def dataset(self) -> Dataset:
        """The data set as it is now (a new object each time)."""
        return Dataset("street", "test", tuple(self.images), tuple(self.annotations), CATEGORIES)


def hard_street() -> Street:
    """Outlines, boxes only, grey, no objects, one pixel, 8000 pixels wide; border, tiny, crowd, hidden."""
    street = Street()
    street.add_people(120, 160, [(20, 30, 40, 84), (70, 40, 92, 100), (84, 38, 104, 92)], seed=1)
    street.add_people(120, 160, [(30, 40, 52, 100), (100, 50, 118, 96)], outlined=False, seed=2)
    grey, outlines = picture_of(96, 128, [(50, 30, 70, 82)], seed=3)
    street.add(np.repeat(grey[..., 1:2], 3, axis=2), [(50, 30, 70, 82)], outlines)
    street.add(backdrop(100, 140, seed=4), [])
    street.add(np.full((1, 1, 3), 128, dtype=np.uint8), [(0, 0, 1, 1)])
    street.add_people(60, 8000, [(300, 18, 312, 52), (4000, 15, 4014, 57), (7900, 22, 7909, 49)], seed=5)
    edge: list[tuple[float, float, float, float]] = [
        (0, 10, 20, 80),
        (120, 30, 160, 120),
        (60.2, 50.1, 61.1, 50.9),
        (80, 60, 84, 70),
    ]
    pixels, _ = picture_of(120, 160, edge[:2], seed=6)
    crowd, visible = [False, False, False, True], [1.0, 0.5, 1.0, 1.0]
    street.add(pixels, edge, iscrowd=crowd, visible=visible)
    return street


def digest(made: CorruptedImage) -> str:
    """sha256 of everything that was made."""
    a, state = made.annotations, hashlib.sha256(made.pixels.tobytes())
    for array in (a.boxes, a.category_ids, a.ids, a.iscrowd, a.area, a.visible):
        state.update(array.tobytes())
    for outline in a.outlines:
        for polygon in outline or ():
            state.update(polygon.tobytes())
    return state.hexdigest()
