"""People of other images that may be pasted: which they are, and their cut-outs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import ImageSource, Pixels
from robust.corruptions.light import decode
from robust.corruptions.masks import Window, fill
from robust.datasets.records import Dataset, Outline
from robust.errors import DataError

MIN_HEIGHT = 24
_PEOPLE = ("person", "people", "pedestrian", "human")
_CACHED_IMAGES = 256


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
        pixels: uint8 (h, w, 3): the donor's box.
        alpha: float32 (h, w), 0..1: soft outline, or a soft body shape where the data has boxes only.
        offset: Left and top of ``pixels`` in the donor's image.
        box: float64 (4,), xyxy in the donor's image.
        outline: Its outline in the donor's image, None without one.
        category_id: Its category.
        area: Its area in square pixels.
        light: float64 (2, 3): mean and standard deviation of linear RGB around it.
    """

    pixels: Pixels
    alpha: NDArray[np.float32]
    offset: tuple[int, int]
    box: NDArray[np.float64]
    outline: Outline | None
    category_id: int
    area: float
    light: NDArray[np.float64]


class DonorPool:
    """The people of a whole split that can be pasted, in the data set's order (independent of sharding).

    Left out: crowd regions, people less than 24 pixels tall, close-ups, cut by the image's border, less than 80 %
    visible, partly behind another box, or not upright (unless nobody is).
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._cutouts: OrderedDict[int, dict[int, Cutout]] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def donors(self) -> tuple[Donor, ...]:
        """All donors."""
        found = [d for i in range(len(self.dataset)) for d in self._of_image(i)]
        upright = [d for d in found if 1.7 * d.width <= d.height <= 5 * d.width]
        return tuple(upright or found)

    @cached_property
    def _wanted(self) -> frozenset[int]:
        categories = self.dataset.categories
        people = {c.id for c in categories if c.name.lower() in _PEOPLE}
        return frozenset(people or {c.id for c in categories})

    def _of_image(self, index: int) -> list[Donor]:
        image, a = self.dataset.images[index], self.dataset.annotations[index]
        boxes = a.boxes
        widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        inside = (boxes[:, :2] >= 2).all(axis=1) & (boxes[:, 2] <= image.width - 2) & (boxes[:, 3] <= image.height - 2)
        good = ~a.iscrowd & (a.visible >= 0.8) & (heights >= MIN_HEIGHT) & (heights <= 0.9 * image.height) & inside
        keep = [int(i) for i in np.flatnonzero(good) if int(a.category_ids[i]) in self._wanted]
        return [
            Donor(index, i, float(widths[i]), float(heights[i]))
            for i in keep
            if a.outlines[i] is not None or _largest_cover(boxes, i) < 0.3
        ]

    def pick(self, rng: np.random.Generator, sha256: str, height: float, upscale: float) -> Donor | None:
        """Draw a donor of another image that is tall enough; the tallest of twelve when none is; None without any."""
        best: Donor | None = None
        for _ in range(12):
            donor = self.donors[int(rng.integers(len(self.donors)))]
            if self.dataset.images[donor.image].sha256 == sha256:
                continue
            if donor.height * upscale >= height:
                return donor
            if best is None or donor.height > best.height:
                best = donor
        return best

    def cutout(self, donor: Donor, read: ImageSource) -> Cutout:
        """Return a donor's pixels; all donors of its image are cut when the first one is asked for.

        Raises:
            DataError: the image cannot be read.
        """
        with self._lock:
            if donor.image in self._cutouts:
                self._cutouts.move_to_end(donor.image)
                return self._cutouts[donor.image][donor.position]
        pixels = read(self.dataset.images[donor.image])
        cut = {d.position: _cut(self.dataset, d, pixels) for d in self.donors if d.image == donor.image}
        with self._lock:
            self._cutouts[donor.image] = cut
            while len(self._cutouts) > _CACHED_IMAGES:
                self._cutouts.popitem(last=False)
        return cut[donor.position]


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
        raise DataError(
            f"Data set {dataset.name!r}, split {dataset.split!r}: nobody can be pasted to make a crowd.",
            f"Donors must be at least {MIN_HEIGHT} pixels tall, whole, and well visible.",
            "Use a larger split, or a suite without crowd.",
        )
    return pool


def surrounding_light(pixels: Pixels, box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean and standard deviation (2, 3) of linear RGB in a box widened by a quarter of its size."""
    dx, dy = (box[2] - box[0]) / 4, (box[3] - box[1]) / 8
    size = (pixels.shape[0], pixels.shape[1])
    window = Window.around(box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy, size)
    step = max(1, min(window.size) // 24)
    rows, columns = window.slices
    linear = decode(np.ascontiguousarray(pixels[rows, columns][::step, ::step])).reshape(-1, 3).astype(np.float64)
    return np.stack([linear.mean(axis=0), linear.std(axis=0)])


def _largest_cover(boxes: NDArray[np.float64], i: int) -> float:
    """Return the largest share of box ``i`` that another box covers."""
    others = np.delete(boxes, i, axis=0)
    sides = np.minimum(others[:, 2:], boxes[i, 2:]) - np.maximum(others[:, :2], boxes[i, :2])
    area = float(np.prod(boxes[i, 2:] - boxes[i, :2]))
    return float((np.clip(sides, 0, None).prod(axis=1) / area).max(initial=0.0))


def _cut(dataset: Dataset, donor: Donor, pixels: Pixels) -> Cutout:
    a, i = dataset.annotations[donor.image], donor.position
    box, outline = a.boxes[i], a.outlines[i]
    window = Window.around(box[0], box[1], box[2], box[3], (pixels.shape[0], pixels.shape[1]))
    mask = fill(outline, window) if outline is not None else None
    if mask is None or not mask.any():
        outline, alpha = None, matte(pixels, window)
    else:
        alpha = mask.astype(np.float32)
    rows, columns = window.slices
    return Cutout(
        pixels[rows, columns].copy(),
        alpha,
        (window.x1, window.y1),
        box,
        outline,
        int(a.category_ids[i]),
        float(a.area[i]),
        surrounding_light(pixels, box),
    )


def matte(pixels: Pixels, window: Window) -> NDArray[np.float32]:
    """Separate a person from the background by colour, for data without outlines.

    Bayes' rule for each pixel: the prior is a soft body shape, the likelihoods are colour histograms (8 x 8 x 8) of the
    middle of the box and of a frame around it. Far from exact, but most of the donor's background goes.

    Args:
        pixels: uint8 (H, W, 3): the donor's image.
        window: The donor's box.

    Returns:
        float32, the window's size, 0..1.
    """
    prior = body_shape(window.size)
    dx, dy = max(3, window.size[1] // 4), max(3, window.size[0] // 12)
    size = (pixels.shape[0], pixels.shape[1])
    frame = Window.around(window.x1 - dx, window.y1 - dy, window.x2 + dx, window.y2 + dy, size)
    bins = (pixels[frame.slices] >> 5).astype(np.int32) @ np.array([64, 8, 1], dtype=np.int32)
    outside = np.ones(frame.size, dtype=np.bool_)
    outside[window.inside(frame)] = prior < 0.02
    inside = bins[window.inside(frame)]
    likely = [np.bincount(v, minlength=512) / max(len(v), 1) + 2e-3 for v in (inside[prior > 0.9], bins[outside])]
    ratio = (likely[0] / likely[1])[inside]
    chance = (prior * ratio / (prior * ratio + (1.0 - prior) + 1e-6)).astype(np.float32)
    smooth = cv2.GaussianBlur(chance, (0, 0), max(0.7, 0.012 * window.size[0]))
    sharp = np.clip((smooth - 0.25) / 0.5, 0, 1)
    return np.asarray(sharp * sharp * (3 - 2 * sharp), dtype=np.float32)


def body_shape(size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a soft upright body that fills a box of ``size`` (height, width): float32, 0..1."""
    height, width = size
    v = (np.arange(height) + 0.5) / height
    u = np.abs((np.arange(width) + 0.5) / width * 2 - 1)
    half = np.interp(v, (0, 0.05, 0.13, 0.2, 0.32, 0.6, 0.8, 1.0), (0.2, 0.35, 0.36, 0.6, 0.8, 0.8, 0.65, 0.65))
    side = np.clip((half[:, None] - u[None, :]) / 0.5 + 0.5, 0, 1)
    ends = np.clip(np.minimum(v, 1 - v) / 0.03, 0, 1)
    alpha = side * side * (3 - 2 * side) * ends[:, None]
    return np.asarray(cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), max(0.5, 0.01 * height)), dtype=np.float32)
