"""How far away things are, in metres, guessed from where they lie in the picture.

Assumptions, all of them: flat ground, a level pinhole camera with a horizontal view of about 58 degrees (a lens of
32 mm on 35 mm film), the horizon and the camera's height as the people in the picture tell them (`ground.estimate`),
and objects that stand on the ground. The ground ends at a backdrop, three times as far as the farthest person (10 to
100 m; 40 m where there is nobody): houses and trees that thin out with height, so that what lies above the horizon
goes over to the sky, 1000 m away. Depth runs along the optical axis. A hill or a steep view from above is taken for a
street.

On such ground the depth of row y is ``focal * camera / (y - horizon)``: its inverse, called nearness here, rises
linearly from 0 at the horizon. Above the horizon it falls linearly from the backdrop's to the sky's, which it reaches
where something 20 m higher than the camera would end if it stood at the backdrop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.ground import estimate
from robust.corruptions.masks import ObjectMask
from robust.datasets.records import Annotations

FAR = 1000.0
"""Depth of the sky, metres: nothing is farther."""
NEAR = 0.5
"""Metres: nothing is nearer."""
_FOCAL = 0.9  # of the longer side
_STATURE = 1.7  # metres
_BACKDROP, _NEAREST_BACKDROP, _FARTHEST_BACKDROP, _BEHIND = 40.0, 10.0, 100.0, 3.0
_TOPS = 20.0  # metres over the camera


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


def scene_depth(annotations: Annotations, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the depth of every pixel: float32 (height, width), metres, `NEAR` to `FAR`.

    The ground by its rows, with the objects standing in front of it: along their outlines, or, where there are none,
    in an ellipse with a soft edge inside the box.
    """
    view = View.of(annotations, size)
    by_row = 1.0 / view.depth_of_rows(np.arange(size[0], dtype=np.float64) + 0.5)
    nearness = np.repeat(by_row.astype(np.float32)[:, None], size[1], axis=1)
    depths = [view.depth_of(box) for box in annotations.boxes]
    for i in sorted(range(len(depths)), key=lambda i: (-depths[i], i)):  # the nearest last
        mask = ObjectMask.of(annotations.boxes[i], annotations.outlines[i], size)
        part = nearness[mask.window.slices]
        share = mask.pixels.astype(np.float32) if mask.exact else soft_ellipse(*mask.window.size)
        part += share * np.maximum(np.float32(1.0 / depths[i]) - part, np.float32(0.0))
    return np.asarray(np.float32(1.0) / nearness, dtype=np.float32)


def soft_ellipse(height: int, width: int) -> NDArray[np.float32]:
    """Return where somebody in a box of this size is likely to be: float32 (height, width), 1 inside, 0 in corners."""
    x = (2 * np.arange(width, dtype=np.float32) + np.float32(1 - width)) / np.float32(width)
    y = (2 * np.arange(height, dtype=np.float32) + np.float32(1 - height)) / np.float32(height)
    square = y * y
    share = np.float32(2.2) - np.float32(2.0) * ((x * x)[None, :] + (square * square)[:, None])
    return np.asarray(np.clip(share, np.float32(0.0), np.float32(1.0)), dtype=np.float32)
