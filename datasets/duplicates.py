"""Duplicate images: the same bytes, or the same picture saved, scaled or brightened again.

The perceptual hash has 64 bits: the grey image is averaged down to 32 x 32, transformed by the discrete cosine
transform, and each of the 8 x 8 lowest frequencies but the mean gives the bit "above the median" (Zauner 2010,
"Implementation and benchmarking of perceptual image hash functions", pHash). Two images are near-duplicates when their
hashes differ in at most `NEAR_DISTANCE` bits. Measured on 188 photographs (128 and 60, every pair within each):
unrelated ones differ in at least 16 bits; the same one as JPEG of quality 40, at half size, or with noise of 10 grey
levels in at most 4, brightened by a fifth in at most 6, cropped by 2 % in at most 10 (nine of ten within 6). So cropped
copies and the next frame of a video are found in part only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.datasets.images import WORKERS, RGBImage, read_image
from robust.datasets.records import ImageRecord
from robust.errors import DataError

NEAR_DISTANCE = 6
"""Most bits, of 64, in which the hashes of near-duplicates differ."""

NO_MATCH = 65
_BLOCK_PAIRS = 4_000_000  # hashes compared at once: 32 MB


def perceptual_hash(pixels: RGBImage) -> int:
    """Return the 64-bit hash of an image, uint8 (height, width, 3)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = np.round(cv2.dct(small)[:8, :8]).ravel()  # rounded: a flat image has no frequencies, not their rounding noise
    bits = low > np.median(low[1:])
    bits[0] = False  # the mean brightness
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


@lru_cache(maxsize=1_000_000)
def _hash_of(path: Path, _sha256: str) -> int:  # the content's hash is in the key: a changed file is read again
    return perceptual_hash(read_image(path))


def hash_images(
    images: Sequence[ImageRecord], on_progress: Callable[[int, int], None] | None = None
) -> tuple[NDArray[np.uint64], list[DataError]]:
    """Hash images with threads; what was hashed before is remembered for the life of the process.

    Args:
        images: Images on this machine.
        on_progress: Told (done, total) after each image.

    Returns:
        uint64 (n,), aligned with ``images``, and the errors of those that cannot be decoded. These have bits of their
        content hash for a hash: as good as random, so near to nothing.
    """
    errors: list[DataError] = []

    def one(image: ImageRecord) -> int:
        try:
            return _hash_of(image.path, image.sha256)
        except DataError as error:
            errors.append(error)
            return int(image.sha256[:16], 16)

    hashes = np.zeros(len(images), dtype=np.uint64)
    with ThreadPoolExecutor(WORKERS) as pool:
        for i, value in enumerate(pool.map(one, images)):
            hashes[i] = value
            if on_progress is not None:
                on_progress(i + 1, len(images))
    return hashes, sorted(errors, key=str)


def nearest(
    query: NDArray[np.uint64], base: NDArray[np.uint64], *, earlier_only: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each hash the closest one of another set.

    All pairs, in blocks: 10,000 against 10,000 take about a second and 32 MB.

    Args:
        query: uint64 (m,).
        base: uint64 (n,).
        earlier_only: ``base`` is ``query`` itself; look only at those before each one.

    Returns:
        Position in ``base`` (the first of equals) and distance in bits, int64 (m,) each; the distance is `NO_MATCH`
        where there was nothing to compare with.
    """
    index = np.zeros(len(query), dtype=np.int64)
    distance = np.full(len(query), NO_MATCH, dtype=np.int64)
    if not len(base):
        return index, distance
    rows = max(1, _BLOCK_PAIRS // len(base))
    for start in range(0, len(query), rows):
        stop = min(start + rows, len(query))
        bits = np.bitwise_count(query[start:stop, None] ^ base[None, :])
        if earlier_only:
            bits[np.arange(len(base))[None, :] >= np.arange(start, stop)[:, None]] = NO_MATCH
        index[start:stop] = bits.argmin(axis=1)
        distance[start:stop] = bits.min(axis=1)
    return index, distance


@dataclass(frozen=True)
class Copy:
    """An image that shows what another one shows.

    Attributes:
        index: Position of the image.
        of: Position of the other one.
        distance: Bits in which their hashes differ; None when the files are identical.
    """

    index: int
    of: int
    distance: int | None


@dataclass(frozen=True, eq=False)
class HashedImages:
    """Images with their perceptual hashes, uint64 (n,)."""

    images: Sequence[ImageRecord]
    hashes: NDArray[np.uint64]


def find_copies(of: HashedImages, among: HashedImages | None = None) -> list[Copy]:
    """Find the images that also occur in another set, or earlier in their own.

    Args:
        of: The images that are looked at; ``Copy.index`` counts in them.
        among: Where to look; ``Copy.of`` counts in it. None: in ``of``, before each image.

    Returns:
        At most one copy for each image: with the first identical file, else with the nearest image within
        `NEAR_DISTANCE`.
    """
    base = of if among is None else among
    index, distance = nearest(of.hashes, base.hashes, earlier_only=among is None)
    first: dict[str, int] = {}
    if among is not None:
        for j, image in enumerate(among.images):
            first.setdefault(image.sha256, j)
    copies = []
    for i, image in enumerate(of.images):
        identical = first.get(image.sha256) if among is not None else first.setdefault(image.sha256, i)
        if identical is not None and (among is not None or identical < i):
            copies.append(Copy(i, identical, None))
        elif distance[i] <= NEAR_DISTANCE:
            copies.append(Copy(i, int(index[i]), int(distance[i])))
    return copies
