"""How far away things are, in metres, guessed from where they lie in the picture.

Assumptions, all of them: flat ground, a level pinhole camera with a horizontal view of about 58 degrees (a lens of
32 mm on 35 mm film), the horizon and the camera's height as the people in the picture tell them (`ground.estimate`),
and objects that stand on the ground. The ground ends at a backdrop, twice as far as the farthest person (6 to
100 m; 40 m where there is nobody): houses and trees that thin out with height, so that what lies above the horizon
goes over to the sky, 1000 m away. Depth runs along the optical axis. A hill or a steep view from above is taken for a
street.

On such ground the depth of row y is ``focal * camera / (y - horizon)``: its inverse, called nearness here, rises
linearly from 0 at the horizon. Above the horizon it falls linearly from the backdrop's to the sky's, which it reaches
where something 20 m higher than the camera would end if it stood at the backdrop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.ground import estimate
from robust.corruptions.laws import Pixels, Scene
from robust.corruptions.masks import object_masks
from robust.datasets.records import Annotations

FAR = 1000.0
"""Depth of the sky, metres: nothing is farther."""
NEAR = 0.5
"""Metres: nothing is nearer."""
_FOCAL = 0.9  # of the longer side
_STATURE = 1.7  # metres
_BACKDROP, _NEAREST_BACKDROP, _FARTHEST_BACKDROP, _BEHIND = 40.0, 6.0, 100.0, 2.0
_TOPS = 20.0  # metres over the camera
_GUIDED, _REACH = 320, 8  # pixels: the longer side at which edges are followed, and how far
_TEXTURE = 8.0  # code values: weaker contrast is no edge


@dataclass(frozen=True)
class View:
    """A level camera over flat ground.

    Attributes:
        focal: Focal length, pixels.
        camera: Height of the camera over the ground, metres.
        horizon: Row of the horizon, pixels; may lie outside the picture.
        backdrop: Where the ground ends, metres; `FAR` for an open plain.
    """

    focal: float
    camera: float
    horizon: float
    backdrop: float

    @classmethod
    def of(cls, annotations: Annotations, size: tuple[int, int]) -> View:
        """Guess the view from the people in a picture of ``size`` (height, width)."""
        people = annotations.boxes[~annotations.iscrowd]
        ground = estimate(people, size)
        # rounded, so that the last bit of the fit, which differs between processors, has no say
        slope, horizon = round(ground.slope * 4096) / 4096, round(ground.horizon * 64) / 64
        plain = cls(_FOCAL * max(size), _STATURE / slope, horizon, FAR)
        farthest = max((plain.depth_of(box) for box in people), default=_BACKDROP / _BEHIND)
        return replace(plain, backdrop=min(max(_BEHIND * farthest, _NEAREST_BACKDROP), _FARTHEST_BACKDROP))

    def depth_of_rows(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the depth of what lies at each row (pixels): float64, the same shape, metres, `NEAR` to `FAR`."""
        ground = (rows - self.horizon) / (self.focal * self.camera)
        above = 1.0 / self.backdrop + (rows - self.horizon) / (self.focal * _TOPS)
        nearness = np.where(rows > self.horizon, np.maximum(ground, 1.0 / self.backdrop), above)
        return 1.0 / np.clip(nearness, 1.0 / FAR, 1.0 / NEAR)

    def depth_of(self, box: NDArray[np.float64]) -> float:
        """Return the depth of somebody in a box (xyxy pixels), metres: that of the foot row, or less.

        It is never more than the depth at which a grown person looks as tall as the box: whoever is cut by the
        picture's edge, sits, or stands above the guessed horizon is not taken for somebody far away.
        """
        tall = self.focal * _STATURE / float(box[3] - box[1])
        return max(NEAR, min(float(self.depth_of_rows(np.array([float(box[3])]))[0]), tall))


def scene_depth(scene: Scene) -> NDArray[np.float32]:
    """Return the depth of every pixel: float32 (height, width), metres, `NEAR` to `FAR`.

    The ground by its rows, with the objects standing in front of it: along their outlines, or, where there are none, as
    an upright body inside the box that is fitted to the edges of the picture. A region to ignore is no one body: its
    ground keeps its depth.
    """
    size = (scene.pixels.shape[0], scene.pixels.shape[1])
    annotations = scene.annotations.select(~scene.annotations.iscrowd)
    view = View.of(annotations, size)
    by_row = 1.0 / view.depth_of_rows(np.arange(size[0], dtype=np.float64) + 0.5)
    nearness = np.repeat(by_row.astype(np.float32)[:, None], size[1], axis=1)
    depths = [view.depth_of(box) for box in annotations.boxes]
    masks = object_masks(annotations, size)
    order = sorted(range(len(depths)), key=lambda i: (-depths[i], i))  # the nearest last
    for exact in (False, True):
        for i in order:
            if masks[i].exact == exact:
                part = nearness[masks[i].window.slices]
                share = masks[i].pixels.astype(np.float32) if exact else likely_body(*masks[i].window.size)
                part += share * np.maximum(np.float32(1.0 / depths[i]) - part, np.float32(0.0))
        if not exact and not all(mask.exact for mask in masks):
            nearness = follow_edges(nearness, scene.pixels)
    return np.asarray(np.float32(1.0) / nearness, dtype=np.float32)


def likely_body(height: int, width: int) -> NDArray[np.float32]:
    """Return how likely somebody in a box of this size covers each pixel: float32 (height, width), 0 to 1."""
    x = (2 * np.arange(width, dtype=np.float32) + np.float32(1 - width)) / np.float32(width)
    y = (2 * np.arange(height, dtype=np.float32) + np.float32(1 - height)) / np.float32(height)
    square = y * y
    share = np.float32(1.8) - np.float32(3.0) * (x * x)[None, :] - np.float32(1.5) * (square * square)[:, None]
    return np.asarray(np.clip(share, np.float32(0.0), np.float32(1.0)), dtype=np.float32)


def follow_edges(nearness: NDArray[np.float32], pixels: Pixels) -> NDArray[np.float32]:
    """Let a rough map of nearness change where the picture does: float32, the same shape and range.

    The guided filter (He, Sun, Tang 2010), its usual cure for rough depth in haze, at 320 pixels of the longer side.
    All sums are of whole numbers, so that they are the same on every processor.
    """
    height, width = nearness.shape
    shrink = max(1.0, max(height, width) / _GUIDED)
    small = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    guide = np.asarray(cv2.resize(grey, small, interpolation=cv2.INTER_AREA), dtype=np.float64)
    rough = np.rint(np.asarray(cv2.resize(nearness, small, interpolation=cv2.INTER_NEAREST), dtype=np.float64) * 32768)
    count = (2 * _REACH + 1) ** 2
    sum_guide, sum_rough = _window_sums(guide), _window_sums(rough)
    slope = (count * _window_sums(guide * rough) - sum_guide * sum_rough) / (
        count * _window_sums(guide * guide) - sum_guide * sum_guide + _TEXTURE**2 * count**2
    )
    offset = (sum_rough - slope * sum_guide) / count
    slope, offset = (_window_sums(np.rint(part * 1024)) / (1024 * count) for part in (slope, offset))
    fine = np.asarray(cv2.resize(slope.astype(np.float32), (width, height)), dtype=np.float32) * grey
    fine += np.asarray(cv2.resize(offset.astype(np.float32), (width, height)), dtype=np.float32)
    fine *= np.float32(1 / 32768)
    return np.asarray(np.clip(fine, nearness.min(), nearness.max()), dtype=np.float32)


def _window_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    side = 2 * _REACH + 1
    return np.asarray(
        cv2.boxFilter(values, cv2.CV_64F, (side, side), normalize=False, borderType=cv2.BORDER_REFLECT),
        dtype=np.float64,
    )
