"""What is in a split: images, objects, their sizes, heights and classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from robust.datasets.records import Dataset

SMALL_AREA = 32.0**2
LARGE_AREA = 96.0**2
HEIGHT_EDGES = (30, 50, 80, 160)
"""Pixels. Below 30 is "far", from 80 "near", from 50 "reasonable" in Dollár et al. 2012, "Pedestrian Detection: An
Evaluation of the State of the Art", section 2.2 and 3."""


@dataclass(frozen=True)
class HeightCount:
    """Objects whose box is at least ``low`` and less than ``high`` pixels tall; ``high`` is None for the tallest."""

    low: int
    high: int | None
    n_objects: int


@dataclass(frozen=True)
class ClassCount:
    """Objects of one class, and the images that show at least one."""

    name: str
    n_objects: int
    n_images: int


@dataclass(frozen=True)
class SplitCounts:
    """Counts of one split. Ignored regions (crowds) are counted in ``n_ignored`` only.

    Attributes:
        n_images: All images.
        n_objects: Objects that count.
        n_negatives: Images without an object that counts.
        n_ignored: Crowd and ignore regions.
        n_small: Objects of less than 32 x 32 pixels, by `Annotations.area` as COCO does.
        n_medium: Objects from there to less than 96 x 96. (pycocotools counts an object of exactly 32 x 32 or 96 x 96
            in both of its neighbours; here the three add up to ``n_objects``.)
        n_large: Objects from there on.
        n_groups: Source groups (videos, scenes); None when the images have none.
        heights: Objects by the height of their box.
        classes: Objects by class, in the order of the categories, absent ones included.
    """

    n_images: int
    n_objects: int
    n_negatives: int
    n_ignored: int
    n_small: int
    n_medium: int
    n_large: int
    n_groups: int | None
    heights: tuple[HeightCount, ...]
    classes: tuple[ClassCount, ...]


def count_split(dataset: Dataset) -> SplitCounts:
    """Count what is in a data set."""
    counted = [a.select(~a.iscrowd) for a in dataset.annotations]
    area = np.concatenate([np.zeros(0), *(a.area for a in counted)])
    height = np.concatenate([np.zeros(0), *(a.boxes[:, 3] - a.boxes[:, 1] for a in counted)])
    edges = (0, *HEIGHT_EDGES, None)
    objects: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for one in counted:
        objects.update(one.category_ids.tolist())
        images.update(set(one.category_ids.tolist()))
    groups = {image.group for image in dataset.images} - {None}
    return SplitCounts(
        n_images=len(dataset),
        n_objects=dataset.n_objects,
        n_negatives=sum(len(one) == 0 for one in counted),
        n_ignored=int(sum(a.iscrowd.sum() for a in dataset.annotations)),
        n_small=int((area < SMALL_AREA).sum()),
        n_medium=int(((area >= SMALL_AREA) & (area < LARGE_AREA)).sum()),
        n_large=int((area >= LARGE_AREA).sum()),
        n_groups=len(groups) or None,
        heights=tuple(
            HeightCount(low or 0, high, int(((height >= (low or 0)) & (height < (high or np.inf))).sum()))
            for low, high in pairwise(edges)
        ),
        classes=tuple(ClassCount(c.name, objects[c.id], images[c.id]) for c in dataset.categories),
    )
