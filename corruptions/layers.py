"""Who hides whom, pixel by pixel, as newcomers join the people of a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.masks import Mask, ObjectMask, object_masks
from robust.corruptions.pasting import Pasted
from robust.datasets.records import Annotations

COLUMNS = 8
_EIGHTHS = np.arange(COLUMNS + 1)
_SOLID = 127  # alpha above this hides what is behind


@dataclass(frozen=True, eq=False)
class Layers:
    """Everybody in a picture, m people: those who were there (crowd regions left out), then newcomers as they came.

    Whoever's foot is lower stands in front. Who was there and has no outline stands behind all newcomers.

    Attributes:
        masks: Their pixels, hidden or not.
        feet: float64 (m,): rows of their feet.
        hidden: The pixels of each mask that newcomers hide; of newcomers, that anybody hides.
        sizes: int64 (m,): pixels of each mask.
        gone: int64 (m, 8): the hidden ones of them, by eighths of the width.
        added: The newcomers; their alpha is 0 where somebody who was there stays in front.
    """

    masks: tuple[ObjectMask, ...]
    feet: NDArray[np.float64]
    hidden: tuple[Mask, ...]
    sizes: NDArray[np.int64]
    gone: NDArray[np.int64]
    added: tuple[Pasted, ...] = ()

    @classmethod
    def of(cls, annotations: Annotations, size: tuple[int, int]) -> Layers:
        """Return the people of a picture of ``size`` (height, width); what they hide of each other does not count."""
        people = annotations.select(~annotations.iscrowd)
        masks = object_masks(people, size)
        hidden = tuple(np.zeros(mask.window.size, dtype=np.bool_) for mask in masks)
        sizes = np.array([np.count_nonzero(mask.pixels) for mask in masks], dtype=np.int64)
        return cls(masks, people.boxes[:, 3], hidden, sizes, np.zeros((len(masks), COLUMNS), dtype=np.int64))

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Who has no outline, and so cannot stand in front of newcomers: bool (m,)."""
        return np.array([not mask.exact for mask in self.masks], dtype=np.bool_)

    @cached_property
    def shown(self) -> NDArray[np.float64]:
        """The share of everybody that newcomers (of newcomers: anybody) leave to be seen: float64 (m,), 0..1."""
        shares: NDArray[np.float64] = 1.0 - self.gone.sum(axis=1) / self.sizes
        return shares

    @property
    def columns(self) -> NDArray[np.float64]:
        """The hidden share of everybody by columns: float64 (m, 8); their mean is the share."""
        shares: NDArray[np.float64] = self.gone * COLUMNS / self.sizes[:, None]
        return shares

    @property
    def far_to_near(self) -> list[Pasted]:
        """The newcomers in the order in which they are drawn."""
        return sorted(self.added, key=lambda person: person.box[3])

    def joined(self, person: Pasted) -> Layers:
        """Return everybody with one more newcomer, who comes last."""
        old, foot = len(self.masks) - len(self.added), person.box[3]
        own, alpha = ObjectMask(person.window, person.solid, True), person.alpha.copy()
        behind, hidden = np.zeros(person.window.size, dtype=np.bool_), list(self.hidden)
        met = [(j, shared) for j, m in enumerate(self.masks) if (shared := m.window.common(person.window)) is not None]
        front = [(j, shared) for j, shared in met if self.feet[j] > foot and self.masks[j].exact]
        for j, shared in front:
            here, there = shared.inside(person.window), shared.inside(self.masks[j].window)
            if j < old:
                alpha[here][self.masks[j].pixels[there]] = 0
                behind[here] |= self.masks[j].pixels[there]
            else:
                behind[here] |= self.added[j - old].alpha[there] > _SOLID
        solid, nearer = alpha > _SOLID, {j for j, _ in front}
        changed = [(j, shared) for j, shared in met if j not in nearer]
        gone = np.vstack([self.gone, _by_columns(behind & own.pixels, 0, behind.shape[1])])
        for j, shared in changed:
            there, window = shared.inside(self.masks[j].window), self.masks[j].window
            more = solid[shared.inside(person.window)] & self.masks[j].pixels[there] & ~hidden[j][there]
            if more.any():
                hidden[j] = hidden[j].copy()
                hidden[j][there] |= more
                gone[j] += _by_columns(more, shared.x1 - window.x1, window.size[1])
        return Layers(
            (*self.masks, own),
            np.append(self.feet, foot),
            (*hidden, behind),
            np.append(self.sizes, np.count_nonzero(own.pixels)),
            gone,
            (*self.added, replace(person, alpha=alpha)),
        )

    def hides_at_most(self, share: float, before: Layers) -> bool:
        """Tell whether nobody who lost anything since ``before`` is hidden by more than ``share``, 0..1."""
        was = np.append(before.shown, np.ones(len(self.masks) - len(before.masks)))
        return bool(((1.0 - self.shown <= share) | (self.shown == was)).all())


def _by_columns(mask: Mask, left: int, width: int) -> NDArray[np.int64]:
    """Return how many pixels of a mask, ``left`` pixels from the left, lie in each eighth of a width: int64 (8,)."""
    counts = cv2.reduce(mask.view(np.uint8), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
    until = np.zeros(width + 1, dtype=np.int64)
    np.cumsum(counts, out=until[left + 1 : left + 1 + len(counts)])
    until[left + 1 + len(counts) :] = until[left + len(counts)]
    edges = until[_EIGHTHS * width // COLUMNS]
    shares: NDArray[np.int64] = edges[1:] - edges[:-1]
    return shares
