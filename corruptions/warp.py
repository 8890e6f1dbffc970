"""Another camera angle: a homography moves pixels, outlines and boxes.

Boxes. An outline that fills its box tells the whole shape: the new box goes around the part of the moved outline inside
the picture, and is exact. Without one the shape is unknown. The box around the moved corners of the old box would be
far too large (the corners of a person's box are mostly empty), so the ellipse inside the old box is moved and the new
box goes around it (Kalra et al. 2021). `box_inflation` measures what that costs. An outline that does not fill its box
(the rest is hidden) joins the ellipse. Regions to ignore keep all of their corners: they must cover what they covered.

Leaving the picture. ``visible`` is multiplied by the share of the shape that is still inside, so the rule for ignoring
what is hardly visible holds; what is gone, or thinner than a hundredth of a pixel, is removed. That share is counted in
the picture before the move: perspective inflates what lies outside of the new picture, and somebody of whom most is
left would count as gone. Boxes, areas and outlines end at the border of the picture, as in any annotated photograph.

Places that the camera had not seen get a flat grey. Mirroring the picture there would show people without a box, and
zooming in until nothing is missing would make everybody larger (easier to find) and cut away more than half of a 4:3
picture at a roll of 30 degrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.bands import bands
from robust.corruptions.laws import Pixels, Scene
from robust.datasets.polygons import Polygon, area, box_inside, clip
from robust.datasets.records import Outline

FILL = 114
"""Grey of places that were not in the picture: the border that YOLO detectors put around every image themselves."""

_DIGITS = 12  # of sines and cosines: libraries disagree about the last ones
_SUBPIXELS = 32  # of OpenCV's fixed-point remapping
_THINNEST = 0.01


@dataclass(frozen=True, eq=False)
class Homography:
    """A map of the picture plane, in pixels from the centre of the picture (x right, y down).

    Attributes:
        matrix: float64 (3, 3); its third row is positive wherever it is used.
        size: Height and width of the picture, before and after.
    """

    matrix: NDArray[np.float64]
    size: tuple[int, int]

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points (k, 2) in image pixels (0, 0 is the upper left corner of the picture)."""
        height, width = self.size
        x, y = points[:, 0] - width / 2, points[:, 1] - height / 2
        u, v, w = (row[0] * x + row[1] * y + row[2] for row in self.matrix)
        return np.stack([u / w + width / 2, v / w + height / 2], axis=1)

    @property
    def inverse(self) -> Homography:
        """The way back."""
        a, b, c = self.matrix  # the adjugate: its scale does not matter, its sign does
        adjugate = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
        return Homography(adjugate / adjugate[2, 2], self.size)


def rolled(degrees: float, size: tuple[int, int]) -> Homography:
    """Return the map of a camera turned about its axis: the picture turns clockwise by ``degrees``."""
    c, s = cos_sin(degrees)
    return Homography(np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]), size)


def pitched(degrees: float, field_of_view: float, size: tuple[int, int]) -> Homography:
    """Return the map of a pinhole camera that looks down by ``degrees`` more, K' R K^-1.

    R turns the camera about its horizontal axis. K' is K with its window moved and scaled such that the middle of the
    old picture stays in the middle and keeps its area there: a wide camera whose picture is cropped where the scene is.

    Args:
        degrees: Change of pitch, 0 or more.
        field_of_view: Of the longer side, degrees.
        size: Height and width.

    Raises:
        ValueError: the camera would look back over its own horizon: pitch + half the field of view reach 90 degrees.
    """
    if not 0 <= degrees + field_of_view / 2 < 90:
        raise ValueError(f"A pitch of {degrees} degrees at a field of view of {field_of_view} passes the vertical.")
    c, s = cos_sin(degrees)
    half = cos_sin(field_of_view / 2)
    focal = max(size) / 2 * half[0] / half[1]
    scale = round(c * math.sqrt(c), _DIGITS)
    return Homography(np.array([[scale, 0.0, 0.0], [0.0, scale / c, 0.0], [0.0, s / focal, c]]), size)


def cos_sin(degrees: float) -> tuple[float, float]:
    """Return cosine and sine, rounded so that every machine has the same."""
    angle = math.radians(degrees)
    return round(math.cos(angle), _DIGITS), round(math.sin(angle), _DIGITS)


def move(scene: Scene, homography: Homography) -> Scene:
    """Move pixels and objects; objects of which nothing is left in the picture are removed."""
    annotations = scene.annotations
    moved = [
        _move(box, outline, bool(crowd), homography)
        for box, outline, crowd in zip(annotations.boxes, annotations.outlines, annotations.iscrowd, strict=True)
    ]
    kept = np.array([i for i, one in enumerate(moved) if one is not None], dtype=np.int64)
    ones = [one for one in moved if one is not None]
    stayed = annotations.select(kept)
    boxes = np.array([one.box for one in ones], dtype=np.float64).reshape(-1, 4)
    share = np.array([one.share for one in ones], dtype=np.float64)
    growth = np.array([one.growth for one in ones], dtype=np.float64)
    stayed = stayed.with_(
        boxes=boxes,
        area=stayed.area * growth,
        visible=stayed.visible * share,
        outlines=tuple(one.outline for one in ones),
    )
    inside = np.ones(len(annotations)) if scene.inside is None else scene.inside
    pixels = move_pixels(scene.pixels, homography)
    return replace(scene, pixels=pixels, annotations=stayed, seen=boxes, inside=inside[kept] * share)


@dataclass(frozen=True, eq=False)
class _Moved:
    """An object after the move.

    Attributes:
        box: Around what is inside the picture.
        outline: Of what is inside.
        share: How much of the object before the move is still in the picture, 0..1.
        growth: Area inside the picture as a multiple of the area before.
    """

    box: NDArray[np.float64]
    outline: Outline | None
    share: float
    growth: float


def _move(box: NDArray[np.float64], outline: Outline | None, crowd: bool, homography: Homography) -> _Moved | None:
    size = homography.size
    # what lay outside before is no part of the picture, and may lie behind the new camera
    before = [clip(polygon, size) for polygon in shape_of(box, outline, crowd=crowd)]
    shape = [homography(polygon) for polygon in before]
    left = [clip(polygon, size) for polygon in shape]
    parts = [homography(clip(polygon, size)) for polygon in outline or ()]
    new, whole, area_left = box_inside([*shape, *parts], size), sum(map(area, before)), sum(map(area, left))
    if new is None or area_left <= 0 or (new[2:] - new[:2]).min() < _THINNEST:
        return None
    cut = tuple(part for part in (clip(polygon, size) for polygon in parts) if area(part) > 0)
    back = homography.inverse  # lines stay lines: this is the shape before, cut where the new picture ends
    kept = sum(
        area(old if now is all_of_it else back(now)) for old, all_of_it, now in zip(before, shape, left, strict=True)
    )
    return _Moved(new, cut or None, min(1.0, kept / whole), area_left / whole)


def shape_of(box: NDArray[np.float64], outline: Outline | None, *, crowd: bool = False) -> tuple[Polygon, ...]:
    """Return the best known shape of an object: its outline where it fills the box, else the ellipse in the box.

    Args:
        box: xyxy, pixels.
        outline: Its outline, if any.
        crowd: True for a region to ignore: all of the box counts.
    """
    if crowd:
        return (box[[[0, 1], [2, 1], [2, 3], [0, 3]]],)
    if outline is not None and fills(outline, box) and sum(map(area, outline)) > 0:
        return outline
    return (ellipse(box),)


def fills(outline: Outline, box: NDArray[np.float64]) -> bool:
    """True when an outline reaches every side of the box, to a pixel or a fiftieth of the side."""
    points = np.concatenate(outline)
    gap = np.abs(np.concatenate([points.min(axis=0), points.max(axis=0)]) - box)
    side = box[2:] - box[:2]
    return bool((gap <= np.maximum(1.0, 0.02 * np.tile(side, 2))).all())


def ellipse(box: NDArray[np.float64], points: int = 256) -> Polygon:
    """Return the ellipse inscribed in a box as a polygon that touches all four sides: float64 (points, 2)."""
    return (box[:2] + box[2:]) / 2 + _circle(points) * ((box[2:] - box[:2]) / 2)


@cache
def _circle(points: int) -> Polygon:
    return np.array([cos_sin(360.0 * k / points) for k in range(points)])


def box_inflation(outline: Outline, homography: Homography) -> float:
    """Return how much larger the new box gets when the outline is not known: area over the area of the exact box.

    Raises:
        ValueError: nothing of the object is left in the picture.
    """
    points = np.concatenate(outline)
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    made, exact = _move(box, None, False, homography), _move(box, outline, False, homography)
    if made is None or exact is None:
        raise ValueError("Nothing of the object is left in the picture.")
    sides = (made.box[2:] - made.box[:2]) / (exact.box[2:] - exact.box[:2])
    return float(sides[0] * sides[1])


def move_pixels(pixels: Pixels, homography: Homography) -> Pixels:
    """Look every new pixel up where it came from (bilinear); uint8, same shape, `FILL` where there was nothing.

    The maps are rounded to 32nds of a pixel here and the rest is whole numbers: the same on every processor.

    Raises:
        ValueError: a part of the new picture lies behind the old camera.
    """
    height, width = pixels.shape[:2]
    place, rest = np.empty((height, width, 2), dtype=np.int16), np.empty((height, width), dtype=np.uint16)
    back = homography.inverse.matrix
    middle = np.array([[width / 2 - 0.5], [height / 2 - 0.5]])  # of the first pixel, in OpenCV's count
    back = np.vstack([_SUBPIXELS * (back[:2] + middle * back[2]), back[2:]]).astype(np.float32)
    x = np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)
    y = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 - height / 2)
    across, down = back[:, 0, None] * x, [row[1] * y + row[2] for row in back]
    if across[2].min() + down[2].min() <= 0:
        raise ValueError("A part of the new picture lies behind the old camera.")
    for rows in bands(height):
        nearness = 1 / (across[2] + down[2][rows])
        fine = []
        for axis, length in ((0, width), (1, height)):
            source = across[axis] + down[axis][rows]
            source *= nearness
            np.clip(source, -2 * _SUBPIXELS, (length + 1) * _SUBPIXELS, out=source)
            fine.append(np.rint(source, out=source).astype(np.int32))
            place[rows, :, axis] = fine[axis] >> 5
        rest[rows] = (fine[1] & 31) * _SUBPIXELS + (fine[0] & 31)
    grey = (FILL, FILL, FILL)
    made = cv2.remap(pixels, place, rest, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=grey)
    return np.asarray(made, dtype=np.uint8)
