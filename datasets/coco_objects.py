"""The annotations of a COCO file, read one by one into `Annotations`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robust.datasets.polygons import area, clip
from robust.datasets.problems import Problem, error, warning
from robust.datasets.records import Annotations, ImageRecord, Outline
from robust.datasets.yolo_labels import OVERHANG_PX


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix


@dataclass(frozen=True, eq=False)
class _Object:
    box: tuple[float, float, float, float]
    category_id: int
    id: int
    iscrowd: bool
    area: float
    visible: float
    outline: Outline | None


class AnnotationReader:
    """Collects sound annotations by image, and what is wrong with the others.

    Args:
        file: The JSON, for messages.
        images: Images that can be read, by id.
        listed: Ids of all images of the file: annotations of an image that cannot be read are no error of their own.
        category_ids: Known categories.
    """

    def __init__(
        self, file: Path, images: Mapping[int, ImageRecord], listed: Collection[int], category_ids: Collection[int]
    ) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._images = images
        self._listed = listed
        self._category_ids = category_ids
        self._ids: set[int] = set()
        self._objects: dict[int, list[_Object]] = defaultdict(list)

    def add(self, position: int, item: Any) -> None:
        """Take one entry of ``annotations``, or note what is wrong with it."""
        has_id = isinstance(item, dict) and "id" in item
        label = f"annotation id {item['id']}" if has_id else f"annotations[{position}]"
        try:
            identifier = self._identifier(item)
            image_id = self._image_id(item)
            image = self._images.get(image_id)
            if image is not None:
                self._objects[image_id].append(self._read(identifier, item, image, label))
        except _Wrong as wrong:
            self.problems.append(error(wrong.code, f"{label}: {wrong.message}", self._file, fix=wrong.fix))

    def of_image(self, image_id: int) -> Annotations:
        """Return the annotations of one image, in the order of the file."""
        objects = self._objects.get(image_id, [])
        return Annotations.build(
            [o.box for o in objects],
            [o.category_id for o in objects],
            [o.id for o in objects],
            iscrowd=[o.iscrowd for o in objects],
            area=[o.area for o in objects],
            visible=[o.visible for o in objects],
            outlines=[o.outline for o in objects],
        )

    def _identifier(self, item: Any) -> int:
        value = item.get("id") if isinstance(item, dict) else None
        if not isinstance(value, int) or isinstance(value, bool):
            raise _Wrong("annotation-id", "an annotation needs a whole id.")
        if value < 1:
            why = "COCO's matcher reads id 0 as 'no match'" if value == 0 else "ids start at 1"
            raise _Wrong("annotation-id", f"{why}.", "Number the annotations from 1.")
        if value in self._ids:
            raise _Wrong("annotation-duplicate", "the id occurs twice.", "Number the annotations from 1.")
        self._ids.add(value)
        return value

    def _image_id(self, item: dict[str, Any]) -> int:
        value = item.get("image_id")
        if not isinstance(value, int) or value not in self._listed:
            raise _Wrong("annotation-image", f"there is no image id {value!r}.")
        return value

    def _read(self, identifier: int, item: dict[str, Any], image: ImageRecord, label: str) -> _Object:
        category_id = item.get("category_id")
        if not isinstance(category_id, int) or category_id not in self._category_ids:
            raise _Wrong("annotation-category", f"there is no category id {category_id!r}.")
        box = _box(item.get("bbox"))
        clipped = _clip(box, image)
        if not (clipped[2] > clipped[0] and clipped[3] > clipped[1]):
            raise _Wrong("annotation-area", "the box lies outside of the image.", "Remove the annotation or mend it.")
        if max(abs(a - b) for a, b in zip(box, clipped, strict=True)) > OVERHANG_PX:
            message = f"{label}: the box reaches out of {image.file_name}; it is cut at the border."
            self.problems.append(warning("annotation-overhang", message, self._file))
        return _Object(
            box=clipped,
            category_id=category_id,
            id=identifier,
            iscrowd=_flag(item, "iscrowd") or _flag(item, "ignore"),
            area=_number(item, "area", (clipped[2] - clipped[0]) * (clipped[3] - clipped[1]), math.inf),
            visible=_number(item, "visible", 1.0, 1.0),
            outline=_outline(item.get("segmentation"), image),
        )


def _finite(values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values)


def _box(value: Any) -> tuple[float, float, float, float]:
    if not isinstance(value, list) or len(value) != 4:
        raise _Wrong("annotation-box", f"bbox must be [x, y, width, height], not {value!r}.")
    if not _finite(value):
        raise _Wrong("annotation-finite", f"bbox {value!r} is not finite.", "Remove the annotation or mend it.")
    x, y, width, height = (float(v) for v in value)
    if not (width > 0 and height > 0):
        raise _Wrong("annotation-area", f"bbox {value!r} has no area.", "Remove the annotation or mend it.")
    return x, y, x + width, y + height


def _clip(box: tuple[float, float, float, float], image: ImageRecord) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    width, height = float(image.width), float(image.height)
    return min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height)


def _flag(item: dict[str, Any], key: str) -> bool:
    value = item.get(key, 0)
    if value not in (0, 1):
        raise _Wrong("annotation-flag", f"{key} must be 0 or 1, not {value!r}.")
    return bool(value)


def _number(item: dict[str, Any], key: str, default: float, most: float) -> float:
    value = item.get(key)
    if value is None:
        return default
    if not _finite([value]) or not 0 <= value <= most:
        limit = "at least 0" if math.isinf(most) else f"0 to {most:g}"
        raise _Wrong(f"annotation-{key}", f"{key} must be {limit}, not {value!r}.")
    return float(value)


def _outline(value: Any, image: ImageRecord) -> Outline | None:
    """Read polygons, cut at the border like the box: an outline belongs to its box.

    Run-length masks, and parts of fewer than three points or outside of the image, have no outline.
    """
    if not isinstance(value, list):
        return None
    parts = []
    for part in value:
        if not isinstance(part, list) or len(part) % 2 or not _finite(part):
            raise _Wrong("annotation-outline", "a polygon must be [x1, y1, x2, y2, ...], finite numbers.")
        if len(part) < 6:
            continue
        whole = np.asarray(part, dtype=np.float64).reshape(-1, 2)
        cut = clip(whole, (image.height, image.width))
        if cut is whole or area(cut) > 0:
            parts.append(cut)
    return tuple(parts) or None
