"""Where newcomers can stand among the people of a picture: on the ground, in scale, hiding no more than is allowed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.donors import Casting
from robust.corruptions.ground import Ground
from robust.corruptions.layers import COLUMNS as _COLUMNS

Box = tuple[float, float, float, float]

_TRIES = 40
_BEST = 5  # of them, at most, are worth a closer look
_CLOSE = 0.6  # of the overlap allowed is the least by which a newcomer hides somebody or is hidden
_SLIM = 0.1  # of the width of a box is beside the body, on either side
_NEAR = 0.95  # of the places tried are beside somebody
_UPSCALE = 1.6
_MIN_HEIGHT = 16.0
_SMALLER = 0.6  # of the height of whoever stands behind: a child, or somebody who sits


@dataclass(frozen=True)
class Crowd:
    """How people crowd.

    Attributes:
        people: How many are added, as far as there is room for them.
        overlap: The most of anybody that newcomers may hide, 0..1. People stand as close as this allows.
    """

    people: int
    overlap: float


@dataclass(frozen=True, eq=False)
class Standing:
    """Everybody in a picture.

    People are upright, so what stands before somebody hides them from the feet to some height: a share of the height in
    each of eight columns of their box says nearly all. It serves to choose places; `Layers` measures what is hidden.

    Attributes:
        boxes: float64 (n, 4), xyxy pixels.
        flat: bool (n,): True for who has no outline, and so cannot stand in front of newcomers.
        hidden: float64 (n, 8): the share of each that is behind others, by columns: their mean is the share.
        size: Height and width of the picture.
    """

    boxes: NDArray[np.float64]
    flat: NDArray[np.bool_]
    hidden: NDArray[np.float64]
    size: tuple[int, int]

    @classmethod
    def of(cls, boxes: NDArray[np.float64], flat: NDArray[np.bool_], size: tuple[int, int]) -> Standing:
        """Return the people who were there, (n, 4) and (n,); what they hide of each other does not count."""
        return cls(boxes, flat, np.zeros((len(boxes), _COLUMNS)), size)

    def joined(self, box: NDArray[np.float64], hidden: NDArray[np.float64]) -> Standing:
        """Return everybody with a newcomer at ``box`` (4,), who comes last; ``hidden`` (n + 1, 8) from then on."""
        return Standing(np.vstack([self.boxes, box]), np.append(self.flat, False), hidden, self.size)

    def behind(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is hidden of everybody if a newcomer stands at each of ``boxes`` (t, 4).

        Returns:
            float64 (t, n + 1, 8), the newcomer last.
        """
        nearer = self._nearer(boxes)
        shadows = np.where(nearer[..., None], _shadowed(self.boxes, boxes), 0.0)
        others = self.hidden + np.maximum(1.0 - self.hidden, 0.0) * shadows  # as if each knew nothing of the others
        own = np.where(nearer[..., None], 0.0, _shadowed(boxes, self.boxes).transpose(1, 0, 2))
        return np.concatenate([others, 1.0 - (1.0 - own).prod(axis=1)[:, None]], axis=1)

    def natural(self, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each of ``boxes`` (t, 4) whether a newcomer may stand there.

        Not outside the picture, and not before somebody who looks much taller: nearer people do not look smaller.
        """
        height = boxes[:, 3:] - boxes[:, 1:2]
        meet = (boxes[:, None, :2] < self.boxes[:, 2:]).all(axis=2) & (boxes[:, None, 2:] > self.boxes[:, :2]).all(
            axis=2
        )
        small = height < _SMALLER * (self.boxes[:, 3] - self.boxes[:, 1])
        room = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2] <= self.size[1]) & (boxes[:, 3] <= self.size[0])
        scale = (height[:, 0] >= _MIN_HEIGHT) & (height[:, 0] <= 0.95 * self.size[0])
        return room & scale & ~(meet & small & self._nearer(boxes)).any(axis=1)

    def _nearer(self, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        nearer: NDArray[np.bool_] = (boxes[:, None, 3] >= self.boxes[:, 3]) | self.flat
        return nearer


def _shadowed(behind: NDArray[np.float64], front: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each column of ``behind`` (n, 4) that each of ``front`` (t, 4) hides: float64 (t, n, 8)."""
    columns = behind[:, :1] + (behind[:, 2:3] - behind[:, :1]) * ((np.arange(_COLUMNS) + 0.5) / _COLUMNS)
    margin = _SLIM * (front[:, 2] - front[:, 0])
    left, right = (front[:, 0] + margin)[:, None, None], (front[:, 2] - margin)[:, None, None]
    height = np.minimum(behind[:, 3], front[:, 3:]) - np.maximum(behind[:, 1], front[:, 1:2])
    share = np.clip(height / np.maximum(behind[:, 3] - behind[:, 1], 1e-9), 0.0, 1.0)
    hidden: NDArray[np.float64] = ((left < columns) & (columns < right)) * share[..., None]
    return hidden


def seek(
    standing: Standing, ground: Ground, crowd: Crowd, casting: Casting, rng: np.random.Generator
) -> list[tuple[int, NDArray[np.float64]]]:
    """Find places for more people: of some random ones that will do, those that hide most of others.

    Hiding somebody in full view counts more than hiding more of somebody half hidden, so that few stay in full view.

    Args:
        standing: Everybody so far.
        ground: Tells how tall people look.
        crowd: How they crowd.
        casting: Who may come.
        rng: The image's generator.

    Returns:
        The best places, best first: who comes (a position in the casting) and their box (4,), each as if nobody else
        came. There may be none.
    """
    foot, x, height, luck = _draw(standing, ground, crowd, rng.random((9, _TRIES)))
    who = casting.tall_enough(height / _UPSCALE, luck)
    tallest = casting.heights[who] * _UPSCALE
    far = tallest < height  # enlarged they would be blurred: they stand farther away instead
    height = np.where(far, tallest, height)
    foot = np.where(far, ground.horizon + height / ground.slope, foot)
    width = casting.widths[who] / casting.heights[who] * height
    left = np.minimum(np.maximum(x - width / 2, 0.0), standing.size[1] - width)
    boxes = np.stack([left, foot - height, left + width, foot], axis=1)
    hidden = standing.behind(boxes)
    before, after = np.append(standing.hidden.mean(axis=1), 0.0), hidden.mean(axis=2)
    good = standing.natural(boxes) & ((after <= crowd.overlap) | (after <= before)).all(axis=1)
    close = good & ((after - before).max(axis=1) >= _CLOSE * crowd.overlap)
    good = close if close.any() else good  # where nobody more can join a group, another one begins
    gain = ((after - before) * (2 * crowd.overlap - after - before)).sum(axis=1)
    best = np.argsort(np.where(good, -gain, np.inf), kind="stable")[: min(_BEST, np.count_nonzero(good))]
    return [(int(who[i]), boxes[i]) for i in best]


def _draw(
    standing: Standing, ground: Ground, crowd: Crowd, luck: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Draw where somebody could stand: rows of the feet, middle columns, heights in pixels, luck.

    All float64 (tries,). Most of them beside somebody, most often somebody in full view, the others
    anywhere on the ground.
    """
    size = standing.size
    build = 0.92 + 0.16 * luck[0]
    foot, x = ground.farthest + (ground.nearest - ground.farthest) * luck[1], size[1] * luck[2]
    height = ground.heights_at(foot)
    if len(standing.boxes):
        least_hidden = np.argsort(standing.hidden.sum(axis=1), kind="stable")
        beside = least_hidden[(luck[3] * luck[3] * luck[3] * len(least_hidden)).astype(np.int64)]
        x1, y1, x2, y2 = standing.boxes[beside].T
        tall, wide = y2 - y1, x2 - x1
        low = np.where(standing.flat[beside], 0.0, -0.40)
        near_foot = np.minimum(y2 + tall * (low + (0.14 - low) * luck[4]), size[0] - 1.0)
        aside = np.maximum(1 - _SLIM - crowd.overlap * (_CLOSE + 0.5 * luck[5]), 0.0)  # about as far as will do
        near_x = (x1 + x2) / 2 + wide * np.where(luck[8] < 0.5, aside, -aside)
        scale, near_height = ground.heights_at(y2), ground.heights_at(near_foot)
        tells = (tall >= 1.6 * wide) & (y2 < size[0] - 2) & (scale > 0)  # the neighbour tells the scale
        near_height = np.where(tells, tall * near_height / np.where(tells, scale, 1.0), near_height)
        by = luck[6] < _NEAR
        foot, x, height = (np.where(by, a, b) for a, b in ((near_foot, foot), (near_x, x), (near_height, height)))
    return foot, x, build * height, luck[7]
