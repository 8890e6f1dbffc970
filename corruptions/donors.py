"""People of other images that may be pasted: which they are, and their cut-outs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache, cached_property
from weakref import WeakKeyDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import ImageSource, Pixels
from robust.corruptions.light import chroma, decode_table
from robust.corruptions.masks import Window, fill
from robust.datasets.records import Annotations, Dataset, ImageRecord, Outline
from robust.errors import DataError

MIN_HEIGHT = 24
_PEOPLE = ("person", "people", "pedestrian", "human")
_MOST = 512
_CACHED_BYTES = 2**28
_LINEAR_STEPS = 65535
_COVERED = 0.3  # of a donor's box, at most, behind another box


@dataclass(frozen=True)
class Donor:
    """One person that may be pasted: positions in the data set, size in pixels."""

    image: int
    position: int
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Cutout:
    """The pixels of a donor.

    Attributes:
        layers: uint8 (h, w, 4): red, green, blue of the donor's box, and how solid they are, 0..255: the outline, or a
            soft body shape where the data has boxes only. Then the same at half the size, at a quarter, and so on.
        offset: Left and top of the box in the donor's image.
        box: float64 (4,), xyxy in the donor's image.
        outline: Its outline in the donor's image, None without one.
        category_id: Its category.
        area: Its area in square pixels.
        visible: The share of it that its image shows, 0..1.
        light: float64 (2, 3): mean and standard deviation of linear RGB around it.
        chroma: How colourful its image is, 0..255.
    """

    layers: tuple[Pixels, ...]
    offset: tuple[int, int]
    box: NDArray[np.float64]
    outline: Outline | None
    category_id: int
    area: float
    visible: float
    light: NDArray[np.float64]
    chroma: float


class DonorPool:
    """The people of a whole split that can be pasted, in the data set's order (independent of sharding).

    Left out: crowd regions, people less than 24 pixels tall, close-ups, cut by the image's border, less than 80 %
    visible, partly behind another box (of those with an outline: a box whose foot is lower, as many data sets outline
    only what is seen), or not upright (unless nobody is). Of more than 512, as many are taken evenly
    from the whole split: their images are then read once a process, and not for every picture anew.

    Attributes:
        images: Those of the split. The split itself is not held, so that the pool goes when the split goes.
        annotations: Their annotations.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.images, self.annotations = dataset.images, dataset.annotations
        people = {c.id for c in dataset.categories if c.name.lower() in _PEOPLE}
        self._wanted = frozenset(people or {c.id for c in dataset.categories})
        self._cutouts: OrderedDict[int, dict[int, Cutout]] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    @cached_property
    def donors(self) -> tuple[Donor, ...]:
        """All donors."""
        found = [d for i in range(len(self.images)) for d in self._of_image(i)]
        upright = [d for d in found if 1.7 * d.width <= d.height <= 5 * d.width]
        able = upright or found
        count = min(len(able), _MOST)
        return tuple(able[k * len(able) // count] for k in range(count))

    def _of_image(self, index: int) -> list[Donor]:
        image, a = self.images[index], self.annotations[index]
        boxes = a.boxes
        widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        inside = (boxes[:, :2] >= 2).all(axis=1) & (boxes[:, 2] <= image.width - 2) & (boxes[:, 3] <= image.height - 2)
        good = ~a.iscrowd & (a.visible >= 0.8) & (heights >= MIN_HEIGHT) & (heights <= 0.9 * image.height) & inside
        keep = [int(i) for i in np.flatnonzero(good) if int(a.category_ids[i]) in self._wanted]
        return [
            Donor(index, i, float(widths[i]), float(heights[i]))
            for i in keep
            if _largest_cover(boxes, i, nearer=a.outlines[i] is not None) < _COVERED
        ]

    @cached_property
    def by_height(self) -> tuple[tuple[Donor, ...], NDArray[np.object_], NDArray[np.object_]]:
        """All donors from short to tall, the content hashes of their images, and the groups (None without one)."""
        order = sorted(self.donors, key=lambda d: (d.height, d.image, d.position))
        images = [self.images[d.image] for d in order]
        return (
            tuple(order),
            np.array([image.sha256 for image in images], dtype=np.object_),
            np.array([image.group for image in images], dtype=np.object_),
        )

    def cutout(self, donor: Donor, read: ImageSource) -> Cutout:
        """Return a donor's pixels; all donors of its image are cut when the first one is asked for.

        Raises:
            DataError: the image cannot be read.
        """
        with self._lock:
            if donor.image in self._cutouts:
                self._cutouts.move_to_end(donor.image)
                return self._cutouts[donor.image][donor.position]
        pixels, people = read(self.images[donor.image]), self.annotations[donor.image]
        cut = {d.position: _cut(people, d.position, pixels) for d in self.donors if d.image == donor.image}
        with self._lock:
            if donor.image not in self._cutouts:
                self._cutouts[donor.image] = cut
                self._held += _size(cut)
            while self._held > _CACHED_BYTES and len(self._cutouts) > 1:
                _, old = self._cutouts.popitem(last=False)
                self._held -= _size(old)
        return cut[donor.position]


class Casting:
    """Who may come into one picture: nobody from it, and nobody a second time before all others have come.

    Nobody of the same group (video, scene) either, as long as there are others.

    Attributes:
        donors: From short to tall.
        heights: float64 (n,), pixels.
        widths: float64 (n,), pixels.
    """

    def __init__(self, pool: DonorPool, picture: ImageRecord) -> None:
        donors, hashes, groups = pool.by_height
        others = np.asarray(hashes != picture.sha256, dtype=np.bool_)
        strangers = others & np.asarray(groups != picture.group, dtype=np.bool_)
        if picture.group is not None and strangers.any():
            others = strangers
        self.donors = tuple(donors[int(i)] for i in np.flatnonzero(others))
        self.heights = np.array([d.height for d in self.donors])
        self.widths = np.array([d.width for d in self.donors])
        self._rounds = np.zeros(len(self.donors), dtype=np.int64)

    def tall_enough(self, heights: NDArray[np.float64], luck: NDArray[np.float64]) -> NDArray[np.int64]:
        """Choose donors of at least these heights, one of the tallest tenth where nobody is tall enough.

        Args:
            heights: float64 (t,), pixels.
            luck: float64 (t,), 0..1 without 1: which of them.

        Returns:
            Positions in ``donors``, int64 (t,).
        """
        free = np.flatnonzero(self._rounds == self._rounds.min())
        first = np.minimum(np.searchsorted(self.heights[free], heights), len(free) - 1 - len(free) // 10)
        return np.asarray(free[first + (luck * (len(free) - first)).astype(np.int64)], dtype=np.int64)

    def call(self, who: int) -> None:
        """Let a donor come, or be passed over: it is not chosen again before all others were."""
        self._rounds[who] += 1


_POOLS: WeakKeyDictionary[Dataset, DonorPool] = WeakKeyDictionary()


def donor_pool(dataset: Dataset) -> DonorPool:
    """Return the pool of a data set, made once.

    Raises:
        DataError: nobody in the data set can be pasted.
    """
    pool = _POOLS.get(dataset)
    if pool is None:
        pool = _POOLS[dataset] = DonorPool(dataset)
    if not pool.donors:
        raise _nobody(dataset)
    return pool


def cast(dataset: Dataset, index: int) -> tuple[DonorPool, Casting]:
    """Return the pool of a data set and who of it may come into one picture: somebody, at least.

    Raises:
        DataError: nobody in the data set can be pasted, or nobody but the people of this very picture.
    """
    pool = donor_pool(dataset)
    casting = Casting(pool, dataset.images[index])
    if not casting.donors:
        raise _nobody(dataset, f" into {dataset.images[index].file_name}")
    return pool, casting


def _nobody(dataset: Dataset, where: str = "") -> DataError:
    return DataError(
        f"Data set {dataset.name!r}, split {dataset.split!r}: nobody can be pasted{where} to make a crowd.",
        f"Donors must be at least {MIN_HEIGHT} pixels tall, whole, well visible, and from another image.",
        "Use a larger split, or a suite without crowd.",
    )


def surrounding_light(pixels: Pixels, box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean and standard deviation (2, 3) of linear RGB in a box widened by a quarter of its size."""
    dx, dy = (box[2] - box[0]) / 4, (box[3] - box[1]) / 8
    size = (pixels.shape[0], pixels.shape[1])
    window = Window.around(box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy, size)
    step = max(1, min(window.size) // 24)
    rows, columns = window.slices
    sample = np.ascontiguousarray(pixels[rows, columns][::step, ::step].reshape(-1, 3).T)
    linear = _linear_codes()[sample]  # whole numbers: their sums are exact, in any order
    mean = linear.mean(axis=1)
    variance = (linear * linear).mean(axis=1) - mean * mean
    return np.stack([mean, np.sqrt(np.maximum(variance, 0.0))]) / _LINEAR_STEPS


@cache
def _linear_codes() -> NDArray[np.int64]:
    return np.round(decode_table() * _LINEAR_STEPS).astype(np.int64)


def _largest_cover(boxes: NDArray[np.float64], i: int, *, nearer: bool) -> float:
    """Return the largest share of box ``i`` that another box covers, one whose foot is lower where ``nearer``."""
    others = np.delete(boxes, i, axis=0)
    if nearer:
        others = others[others[:, 3] > boxes[i, 3]]
    sides = np.minimum(others[:, 2:], boxes[i, 2:]) - np.maximum(others[:, :2], boxes[i, :2])
    area = float(np.prod(boxes[i, 2:] - boxes[i, :2]))
    return float((np.clip(sides, 0, None).prod(axis=1) / area).max(initial=0.0))


def _cut(a: Annotations, i: int, pixels: Pixels) -> Cutout:
    box, outline = a.boxes[i], a.outlines[i]
    window = Window.around(box[0], box[1], box[2], box[3], (pixels.shape[0], pixels.shape[1]))
    mask = fill(outline, window) if outline is not None else None
    if mask is None or not mask.any():
        outline, alpha = None, matte(pixels, window)
    else:
        alpha = mask.astype(np.uint8) * np.uint8(255)
    return Cutout(
        _halved(np.dstack([pixels[window.slices], alpha])),
        (window.x1, window.y1),
        box,
        outline,
        int(a.category_ids[i]),
        float(a.area[i]),
        float(a.visible[i]),
        surrounding_light(pixels, box),
        chroma(pixels),
    )


def _halved(layers: Pixels) -> tuple[Pixels, ...]:
    """Return the layers at full size, half, a quarter, ... down to the least height of a newcomer."""
    sizes = [layers]
    while sizes[-1].shape[0] >= 32 and sizes[-1].shape[1] >= 2:
        height, width = sizes[-1].shape[0] // 2, sizes[-1].shape[1] // 2
        half = cv2.resize(sizes[-1], (width, height), interpolation=cv2.INTER_AREA)
        sizes.append(np.asarray(half, dtype=np.uint8))
    return tuple(sizes)


def _size(cutouts: dict[int, Cutout]) -> int:
    return sum(layers.nbytes for cutout in cutouts.values() for layers in cutout.layers)


def matte(pixels: Pixels, window: Window) -> Pixels:
    """Separate a person from the background by colour, for data without outlines.

    Bayes' rule for each pixel: the prior is a soft body shape, the likelihoods are colour histograms (8 x 8 x 8) of the
    middle of the box and of a frame around it. Far from exact, but most of the donor's background goes.

    Args:
        pixels: uint8 (H, W, 3): the donor's image.
        window: The donor's box.

    Returns:
        uint8, the window's size: 0 is background, 255 is person.
    """
    prior = body_shape(window.size) / 255.0
    dx, dy = max(3, window.size[1] // 4), max(3, window.size[0] // 12)
    size = (pixels.shape[0], pixels.shape[1])
    frame = Window.around(window.x1 - dx, window.y1 - dy, window.x2 + dx, window.y2 + dy, size)
    bins = (pixels[frame.slices] >> 5).astype(np.int32) @ np.array([64, 8, 1], dtype=np.int32)
    outside = np.ones(frame.size, dtype=np.bool_)
    outside[window.inside(frame)] = prior < 0.02
    inside = bins[window.inside(frame)]
    likely = [np.bincount(v, minlength=512) / max(len(v), 1) + 2e-3 for v in (inside[prior > 0.9], bins[outside])]
    ratio = (likely[0] / likely[1])[inside]
    chance = np.round(255.0 * prior * ratio / (prior * ratio + (1.0 - prior) + 1e-6)).astype(np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(chance, (0, 0), max(0.7, 0.012 * window.size[0])), dtype=np.uint8)
    sharp = np.clip((np.arange(256) / 255.0 - 0.25) / 0.5, 0, 1)
    return np.round(255.0 * sharp * sharp * (3 - 2 * sharp)).astype(np.uint8)[smooth]


def body_shape(size: tuple[int, int]) -> Pixels:
    """Return a soft upright body that fills a box of ``size`` (height, width): uint8, 0..255."""
    height, width = size
    v = (np.arange(height) + 0.5) / height
    u = np.abs((np.arange(width) + 0.5) / width * 2 - 1)
    half = np.interp(v, (0, 0.05, 0.13, 0.2, 0.32, 0.6, 0.8, 1.0), (0.2, 0.35, 0.36, 0.6, 0.8, 0.8, 0.65, 0.65))
    side = np.clip((half[:, None] - u[None, :]) / 0.5 + 0.5, 0, 1)
    ends = np.clip(np.minimum(v, 1 - v) / 0.03, 0, 1)
    alpha = np.round(255.0 * side * side * (3 - 2 * side) * ends[:, None]).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), max(0.5, 0.01 * height)), dtype=np.uint8)
