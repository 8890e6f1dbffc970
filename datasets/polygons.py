"""Closed polygons: their area, the part of them inside a picture, the box around that part."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]
"""float64 (k, 2), x and y in pixels, k >= 3; the last point joins the first."""

_ON_THE_EDGE = 0.01  # pixels; the test of a point against a polygon works in float32


def area(polygon: Polygon) -> float:
    """Return the area in square pixels, whichever way round the points run (Gauss's shoelace formula)."""
    if len(polygon) < 3:
        return 0.0
    x, y = (polygon - polygon[0]).T
    twice = x * np.roll(y, -1) - np.roll(x, -1) * y
    return abs(float(twice.sum())) / 2


def clip(polygon: Polygon, size: tuple[int, int]) -> Polygon:
    """Return the part inside a picture of ``size`` (height, width), after Sutherland and Hodgman (1974).

    Where a hollow shape falls apart, its parts stay joined by a line of no area along the border. Nothing left gives
    shape (0, 2). A polygon that lies inside comes back as it is.
    """
    height, width = size
    for axis, limit, sign in ((0, 0.0, 1.0), (0, float(width), -1.0), (1, 0.0, 1.0), (1, float(height), -1.0)):
        polygon = _half(polygon, axis, limit, sign)
    return polygon


def _half(polygon: Polygon, axis: int, limit: float, sign: float) -> Polygon:
    """Keep what lies on one side: ``sign * (coordinate - limit) >= 0``."""
    depth = sign * (polygon[:, axis] - limit)
    keep = depth >= 0
    if keep.all():
        return polygon
    following, next_depth = np.roll(polygon, -1, axis=0), np.roll(depth, -1)
    crosses = keep != np.roll(keep, -1)
    share = np.divide(depth, depth - next_depth, out=np.zeros(len(polygon)), where=crosses)
    crossing = polygon + share[:, None] * (following - polygon)
    crossing[:, axis] = limit
    both = np.stack([polygon, crossing], axis=1).reshape(-1, 2)  # each point, then the crossing after it
    picked = np.stack([keep, crosses], axis=1).reshape(-1)
    return np.asarray(both[picked], dtype=np.float64)


def box_inside(polygons: Sequence[Polygon], size: tuple[int, int]) -> NDArray[np.float64] | None:
    """Return the box, xyxy, around what polygons cover of a picture of ``size``; None where they cover nothing.

    Corners of the clipped shape that are only joints along the border do not count.
    """
    found = []
    for polygon in polygons:
        clipped = clip(polygon, size)
        if area(clipped) <= 0:
            continue
        shape = polygon.astype(np.float32)[:, None, :]
        whole = len(clipped) == len(polygon) and np.array_equal(clipped, polygon)
        on = [whole or cv2.pointPolygonTest(shape, (x, y), True) >= -_ON_THE_EDGE for x, y in clipped.tolist()]
        found.append(clipped[np.array(on, dtype=np.bool_)])
    if not any(len(points) for points in found):
        return None
    points = np.concatenate(found)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
