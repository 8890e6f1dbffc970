"""A contact sheet: what each variant makes of a few images, with the ground truth drawn in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from robust.corruptions.apply import corrupt, read_from_disk
from robust.corruptions.laws import ImageSource, Pixels
from robust.corruptions.records import CLEAN, CorruptedImage, Variant
from robust.corruptions.suites import Suite
from robust.datasets.images import write_image
from robust.datasets.records import Dataset
from robust.errors import DataError

_CAPTION = 22
_GAP = 6
_COLUMNS = 6  # of a grid
_LONGEST_SIDE = {".png": 1_000_000, ".jpg": 65_500, ".jpeg": 65_500}  # px: what libpng and libjpeg take
_COUNTED, _IGNORED, _INK = (60, 220, 90), (255, 170, 40), (235, 235, 235)

Report = Callable[[int, int], None]


def write_preview(
    dataset: Dataset,
    suite: Suite,
    path: Path,
    *,
    images: int | Sequence[int] = 3,
    width: int = 320,
    source: ImageSource = read_from_disk,
    report: Report | None = None,
) -> Path:
    """Write the contact sheet as an image file.

    Args:
        dataset: Where images come from: evenly spread over those that show objects.
        suite: What to show: a row for each image and corruption, a column for clean and for each severity. With one
            severity of each corruption: a grid for each image, clean first.
        path: PNG or JPEG.
        images: How many images, or the positions of those to show.
        width: Of one picture, pixels.
        source: How images are read.
        report: Told (done, total) after each picture.

    Raises:
        DataError: an image cannot be read, the file's suffix is unknown, or the sheet would be too large for it.
    """
    picks = chosen_images(dataset, images) if isinstance(images, int) else images
    rows = [row for i in picks for row in _rows(suite, i)]
    _check_size(path, dataset, rows, width)
    total, done, drawn = sum(len(row) for row in rows), 0, []
    for row in rows:
        pictures = []
        for index, variant in row:
            pictures.append(_picture(corrupt(dataset, index, variant, source=source), variant, width))
            done += 1
            if report is not None:
                report(done, total)
        drawn.append(_beside(pictures))
    write_image(path, _below(drawn))
    return path


def chosen_images(dataset: Dataset, count: int) -> list[int]:
    """Return up to ``count`` positions, evenly spread over the images with objects (over all when none has any)."""
    with_objects = [i for i, a in enumerate(dataset.annotations) if len(a)] or list(range(len(dataset)))
    picks = np.linspace(0, len(with_objects) - 1, min(count, len(with_objects)))
    return [with_objects[int(pick)] for pick in picks]


def _rows(suite: Suite, index: int) -> list[list[tuple[int, Variant]]]:
    clean = (index, Variant(CLEAN, 0))
    corruptions = dict.fromkeys(variant.corruption for variant in suite.variants)
    if len(suite.variants) == len(corruptions):
        pictures = [clean, *((index, v) for v in suite.variants)]
        return [pictures[start : start + _COLUMNS] for start in range(0, len(pictures), _COLUMNS)]
    return [[clean, *((index, v) for v in suite.variants if v.corruption == name)] for name in corruptions]


def _check_size(path: Path, dataset: Dataset, rows: Sequence[Sequence[tuple[int, Variant]]], width: int) -> None:
    """Refuse what cannot be written before anything is drawn."""
    longest = _LONGEST_SIDE.get(path.suffix.lower())
    if longest is None:
        raise DataError(f"{path}: a contact sheet is a PNG or a JPEG.", fix="Use .png or .jpg.")
    shown = [dataset.images[row[0][0]] for row in rows]
    high = sum(_CAPTION + _height(image.width, image.height, width) + _GAP for image in shown)
    wide = max(len(row) for row in rows) * (width + _GAP)
    if max(high, wide) > longest:
        raise DataError(
            f"{path}: the contact sheet would be {wide} x {high} pixels; {path.suffix} ends at {longest}.",
            f"It has {len(rows)} rows of pictures.",
            "Draw fewer --images, choose one --severity, or a smaller --suite.",
        )


def _height(image_width: int, image_height: int, width: int) -> int:
    """Height of a picture, in pixels, when it is ``width`` wide."""
    return max(1, round(image_height * (width / image_width)))


def _picture(image: CorruptedImage, variant: Variant, width: int) -> Pixels:
    """Scale one image, draw its boxes, and put its name above."""
    scale = width / image.pixels.shape[1]
    size = (width, _height(image.pixels.shape[1], image.pixels.shape[0], width))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = np.asarray(cv2.resize(image.pixels, size, interpolation=kind), dtype=np.uint8)
    annotations = image.annotations
    for box, ignored, visible in zip(annotations.boxes, annotations.iscrowd, annotations.visible, strict=True):
        x1, y1, x2, y2 = (round(float(v) * scale) for v in box)
        if ignored:
            _dashed(picture, (x1, y1, x2, y2))
        else:
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), _COUNTED, 1)
        if visible < 0.995:
            hidden = f"-{100 * (1 - visible):.0f}%"
            cv2.putText(picture, hidden, (x1 + 1, y1 + 10), cv2.FONT_HERSHEY_SIMPLEX, 0.32, _IGNORED, 1, cv2.LINE_AA)
    caption = np.zeros((_CAPTION, width, 3), dtype=np.uint8)
    cv2.putText(caption, variant.name, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
    return np.vstack([caption, picture])


def _dashed(picture: Pixels, box: tuple[int, int, int, int]) -> None:
    """Draw the box of something ignored: neither hit nor miss."""
    x1, y1, x2, y2 = box
    for start in range(x1, x2, 6):
        for y in (y1, y2 - 1):
            cv2.line(picture, (start, y), (min(start + 2, x2), y), _IGNORED, 1)
    for start in range(y1, y2, 6):
        for x in (x1, x2 - 1):
            cv2.line(picture, (x, start), (x, min(start + 2, y2)), _IGNORED, 1)


def _beside(pictures: list[Pixels]) -> Pixels:
    height = max(picture.shape[0] for picture in pictures)
    padded = [np.pad(p, ((0, height - p.shape[0]), (0, _GAP), (0, 0))) for p in pictures]
    return np.concatenate(padded, axis=1)


def _below(rows: list[Pixels]) -> Pixels:
    width = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, _GAP), (0, width - row.shape[1]), (0, 0))) for row in rows])
