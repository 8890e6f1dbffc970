"""Make one image of a variant."""

from __future__ import annotations

import numpy as np

from robust.corruptions.ground_truth import settle
from robust.corruptions.laws import Context, ImageSource, Pixels, Scene
from robust.corruptions.records import CLEAN, CorruptedImage, Variant, image_seed
from robust.corruptions.registry import get
from robust.datasets.records import Dataset, ImageRecord
from robust.errors import DataError

LONGEST = 32766
"""Pixels of the longest side: OpenCV's fixed-point remapping counts them in 16 bits."""


def read_from_disk(image: ImageRecord) -> Pixels:
    """Read an image file: uint8 (height, width, 3), RGB, after EXIF orientation."""
    from robust.datasets.images import read_image

    return read_image(image.path)


def corrupt(dataset: Dataset, index: int, variant: Variant, *, source: ImageSource | None = None) -> CorruptedImage:
    """Return one image of the data set under a variant.

    The result depends on the data set, the recipe and the image's content only: not on order, process, threads or
    the number of shards.

    Args:
        dataset: The whole split, even when only a shard of it is evaluated (donors come from all of it).
        index: Position of the image in ``dataset``.
        variant: The recipe; ``clean`` returns the untouched pixels and annotations.
        source: How images are read; from disk by default.

    Raises:
        DataError: the image cannot be read, its size is not the recorded one, a side is longer than `LONGEST` (but
            for ``clean``), or the variant cannot be made of this data set.
        UnknownName: the variant's corruption does not exist.
    """
    read = source or read_from_disk
    image, annotations = dataset.images[index], dataset.annotations[index]
    pixels = read(image)
    if pixels.shape != (image.height, image.width, 3):
        raise DataError(
            f"{image.file_name}: the image has shape {pixels.shape}, its record says {image.width} x {image.height}.",
            "The file changed after the data set was loaded.",
        )
    if variant.corruption == CLEAN:
        return CorruptedImage(pixels, annotations)
    if max(image.height, image.width) > LONGEST:
        raise DataError(
            f"{image.file_name}: {image.width} x {image.height} pixels are too many for a variant.",
            f"No side may be longer than {LONGEST} pixels.",
            "Cut the picture into smaller ones, or scale it down together with its labels.",
        )
    from robust.corruptions.albumentations_adapter import run  # slow to import, not needed for clean

    steps = get(variant.corruption).steps(dict(variant.parameters), (image.height, image.width))
    seed = image_seed(variant.seed, image.sha256, variant.corruption, variant.severity)
    context = Context(np.random.default_rng(seed), dataset, index, read)
    scene = run(steps, Scene.start(pixels, annotations), context)
    return CorruptedImage(scene.pixels, settle(annotations, scene, variant.ground_truth))
