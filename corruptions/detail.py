"""Detail: the steps between neighbouring pixels, and how much of a scene's detail a fault leaves."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import Measure, Pixels, Scene


def _steps(pixels: Pixels) -> Iterator[NDArray[np.int64]]:
    """Give the steps down and to the right, in code values."""
    wide = pixels.astype(np.int64)
    for axis in (0, 1):
        yield np.diff(wide, axis=axis)


def detail(pixels: Pixels) -> float:
    """Return the mean size of the steps down plus that of the steps to the right, in code values; 0 for one pixel."""
    return sum(float(np.abs(steps).mean()) for steps in _steps(pixels) if steps.size)


def detail_lost(before: Scene, after: Scene) -> float:
    """Return the share of the detail that is gone, at most 1, negative where there is more; 0 if there was none."""
    had = detail(before.pixels)
    return 1.0 - detail(after.pixels) / had if had else 0.0


def dimmed(cells: int) -> Measure:
    """Return the measure of how far the scene's own edges are lowered, whatever is laid over them.

    It is 1 - the slope of the line through 0 that best tells the steps after from those before; 0 if there were none.
    The steps are those between the averages of 1/``cells`` of the longer side, so that a picture and its half-size
    copy tell the same.
    """

    def of(before: Scene, after: Scene) -> float:
        same, shared, _ = _products(_coarse(before.pixels, cells), _coarse(after.pixels, cells))
        return 1.0 - shared / same if same else 0.0

    return Measure(f"share of the scene's edges lost, at 1/{cells} of the longer side", "", of)


def obscured(cells: int) -> Measure:
    """Return the measure of how far the scene's own edges are lowered or lost among others.

    It is 1 - squared slope x squared correlation of the steps before and after, of averages as for `dimmed`: the power
    that the scene's edges keep times their share of the power of all. 1 if nothing of the scene is left, 0 if it had
    no detail.
    """

    def of(before: Scene, after: Scene) -> float:
        same, shared, other = _products(_coarse(before.pixels, cells), _coarse(after.pixels, cells))
        if not same:
            return 0.0
        return 1.0 - (shared / same) ** 2 * shared**2 / (same * other) if other else 1.0

    return Measure(f"power of the scene's edges lost or among others, at 1/{cells} of the longer side", "", of)


def _coarse(pixels: Pixels, cells: int) -> Pixels:
    """Average a picture whose longer side has more than ``cells`` pixels down to that many."""
    height, width = pixels.shape[:2]
    share = cells / max(height, width)
    if share >= 1.0:
        return pixels
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _products(before: Pixels, after: Pixels) -> tuple[int, int, int]:
    """Return the sums of products of the steps: before with itself, before with after, after with itself."""
    same = shared = other = 0
    for old, new in zip(_steps(before), _steps(after), strict=True):
        same += int((old * old).sum())
        shared += int((old * new).sum())
        other += int((new * new).sum())
    return same, shared, other


DETAIL_LOST = Measure("share of the detail lost", "", detail_lost)
