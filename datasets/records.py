"""Records of a data set: categories, images, annotations.

Boxes are ``xyxy`` (left, top, right, bottom), float64, in pixels of the original image, everywhere inside the
project; conversion happens at the file formats.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.errors import DataError

Outline = tuple[NDArray[np.float64], ...]
"""The parts of one object's outline: closed polygons, each float64 (k, 2) x, y in pixels, k >= 3."""


@dataclass(frozen=True)
class Category:
    """A class of objects; ``id`` is the one of the COCO file, or the YOLO class index + 1."""

    id: int
    name: str


@dataclass(frozen=True)
class ImageRecord:
    """One image file.

    Attributes:
        id: Unique in the data set, at least 0 (COCO's id, or 1..n in file-name order for YOLO data).
        file_name: POSIX path that names the image inside the data set; unique.
        path: Where the file is on this machine (not part of the fingerprint).
        width: Pixels, after EXIF orientation.
        height: Pixels, after EXIF orientation.
        sha256: Hex digest of the file's bytes; empty when only its labels were read.
        group: Video, scene or camera burst that the image belongs to; None when images are independent.
    """

    id: int
    file_name: str
    path: Path
    width: int
    height: int
    sha256: str
    group: str | None = None


@dataclass(frozen=True, eq=False)
class Annotations:
    """The annotated objects of one image, as aligned arrays of length n.

    Attributes:
        boxes: float64 (n, 4), xyxy pixels, finite, x1 < x2 and y1 < y2.
        category_ids: int64 (n,), each a ``Category.id`` of the data set.
        ids: int64 (n,), at least 1, unique in the data set (COCO's matcher reads 0 as "no match").
        iscrowd: bool (n,); True marks a region that is neither hit nor miss (COCO's crowd and ignore).
        area: float64 (n,), square pixels, at least 0: COCO's ``area`` (of the mask) where the file gives it, else
            the box's.
        visible: float64 (n,), 0..1, share of the object that can be seen; 1.0 when the source says nothing.
        outlines: n entries: an `Outline`, or None where the data has none.
    """

    boxes: NDArray[np.float64]
    category_ids: NDArray[np.int64]
    ids: NDArray[np.int64]
    iscrowd: NDArray[np.bool_]
    area: NDArray[np.float64]
    visible: NDArray[np.float64]
    outlines: tuple[Outline | None, ...] = field(repr=False)

    @classmethod
    def build(
        cls,
        boxes: Any,
        category_ids: Any,
        ids: Any,
        *,
        iscrowd: Any = None,
        area: Any = None,
        visible: Any = None,
        outlines: Sequence[Outline | None] | None = None,
    ) -> Annotations:
        """Make annotations from anything array-like; what is left out gets its neutral value.

        Raises:
            DataError: a box is not finite or has no area, or the lengths differ.
        """
        box_array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        n = len(box_array)
        widths, heights = box_array[:, 2] - box_array[:, 0], box_array[:, 3] - box_array[:, 1]
        return cls(
            boxes=box_array,
            category_ids=np.asarray(category_ids, dtype=np.int64).reshape(-1),
            ids=np.asarray(ids, dtype=np.int64).reshape(-1),
            iscrowd=np.zeros(n, dtype=np.bool_) if iscrowd is None else np.asarray(iscrowd, dtype=np.bool_),
            area=widths * heights if area is None else np.asarray(area, dtype=np.float64),
            visible=np.ones(n) if visible is None else np.asarray(visible, dtype=np.float64),
            outlines=(None,) * n if outlines is None else tuple(outlines),
        )

    @classmethod
    def empty(cls) -> Annotations:
        """No objects (a negative image)."""
        return cls.build(np.zeros((0, 4)), [], [])

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4):
            raise DataError(f"Boxes must have shape (n, 4), not {self.boxes.shape}.")
        for name in ("category_ids", "ids", "iscrowd", "area", "visible", "outlines"):
            if len(getattr(self, name)) != n:
                raise DataError(f"Annotations do not line up: {n} boxes but {len(getattr(self, name))} {name}.")
        if not np.isfinite(self.boxes).all():
            raise DataError("A box holds NaN or infinity.", fix="Remove the annotation or mend its coordinates.")
        if n and not ((self.boxes[:, 2] > self.boxes[:, 0]) & (self.boxes[:, 3] > self.boxes[:, 1])).all():
            raise DataError("A box has no area.", fix="Remove the annotation or mend its coordinates.")
        if n and self.ids.min() < 1:
            raise DataError(
                "An annotation id is below 1.", "COCO's matcher reads id 0 as 'no match'.", "Number annotations from 1."
            )
        if n and not ((self.visible >= 0) & (self.visible <= 1)).all():
            raise DataError("A visible fraction is outside 0..1.")

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Annotations:
        """Return the annotations picked by a mask or by indices, in that order."""
        index = np.flatnonzero(keep) if keep.dtype == np.bool_ else keep
        return Annotations(
            self.boxes[index],
            self.category_ids[index],
            self.ids[index],
            self.iscrowd[index],
            self.area[index],
            self.visible[index],
            tuple(self.outlines[int(i)] for i in index),
        )

    def with_(self, **changes: Any) -> Annotations:
        """Return a copy with some arrays replaced."""
        return replace(self, **changes)

    @classmethod
    def concatenate(cls, parts: Iterable[Annotations]) -> Annotations:
        """Join annotations of the same image, in the given order."""
        parts = tuple(parts) or (cls.empty(),)
        return cls(
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.category_ids for p in parts]),
            np.concatenate([p.ids for p in parts]),
            np.concatenate([p.iscrowd for p in parts]),
            np.concatenate([p.area for p in parts]),
            np.concatenate([p.visible for p in parts]),
            tuple(outline for p in parts for outline in p.outlines),
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """The images of one split with their annotations.

    Attributes:
        name: Short name for people (the YAML's stem, the folder, the COCO file's stem).
        split: "train", "val", "test" or whatever the source calls it.
        images: Sorted by ``id``.
        annotations: One `Annotations` for each image, aligned with ``images``.
        categories: Sorted by ``id``.
    """

    name: str
    split: str
    images: tuple[ImageRecord, ...]
    annotations: tuple[Annotations, ...]
    categories: tuple[Category, ...]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.annotations):
            raise DataError(
                f"Data set {self.name!r}: {len(self.images)} images but {len(self.annotations)} annotation records."
            )
        ids = [image.id for image in self.images]
        if any(b <= a for a, b in itertools.pairwise(ids)):
            raise DataError(f"Data set {self.name!r}: image ids are not unique and rising.")
        known = {category.id for category in self.categories}
        if len(known) != len(self.categories):
            raise DataError(f"Data set {self.name!r}: a category id occurs twice.")
        for image, objects in zip(self.images, self.annotations, strict=True):
            unknown = set(objects.category_ids.tolist()) - known
            if unknown:
                raise DataError(
                    f"{image.file_name}: category id {min(unknown)} is not one of the data set's categories."
                )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_objects(self) -> int:
        """Number of annotated objects that count (crowd and ignore regions left out)."""
        return int(sum((~a.iscrowd).sum() for a in self.annotations))

    @cached_property
    def largest_id(self) -> int:
        """The largest annotation id; 0 where nothing is annotated."""
        return max((int(a.ids.max()) for a in self.annotations if len(a)), default=0)

    @cached_property
    def numbering(self) -> str:
        """sha256 hex of the ids of categories, images and annotations, which the fingerprint leaves out."""
        ids = (
            [(category.id, category.name) for category in self.categories],
            [image.id for image in self.images],
            [annotations.ids.tolist() for annotations in self.annotations],
        )
        return hashlib.sha256(repr(ids).encode()).hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """sha256 hex of the content: file bytes, sizes, groups, labels and category names.

        Independent of where the files lie, of the data set's name and of the label format's category ids.
        """
        names = {category.id: category.name for category in self.categories}
        digest = hashlib.sha256(b"robust-dataset-1\0")
        for category in self.categories:
            digest.update(category.name.encode() + b"\0")
        for image, objects in zip(self.images, self.annotations, strict=True):
            header = (image.file_name, image.sha256, image.width, image.height, image.group, len(objects))
            digest.update(repr(header).encode() + b"\0")
            for i in range(len(objects)):
                digest.update(names[int(objects.category_ids[i])].encode() + b"\0")
                digest.update(struct.pack("<?dd", objects.iscrowd[i], objects.area[i], objects.visible[i]))
                digest.update(objects.boxes[i].astype("<f8").tobytes())
                for polygon in objects.outlines[i] or ():
                    digest.update(np.ascontiguousarray(polygon, dtype="<f8").tobytes())
        return digest.hexdigest()
