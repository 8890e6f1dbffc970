"""One YOLO label file: a row an object, ``class cx cy w h`` or ``class x1 y1 x2 y2 x3 y3 ...``.

Coordinates are shares of the image's width and height.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust.datasets.problems import Problem, error, warning
from robust.datasets.records import Outline

RANGE_TOLERANCE = 1e-6
"""Coordinates this far outside 0..1 come from rounding and are clipped."""

OVERHANG_PX = 1.0
"""Boxes that reach further out of the image than this are clipped with a warning."""


@dataclass(frozen=True)
class LabelFormat:
    """What the rows of a label file must look like.

    Attributes:
        names: Class names by class index.
        width: Of the image, pixels.
        height: Of the image, pixels.
        keypoint_columns: Numbers that follow the box in a pose data set (they are skipped), or None.
    """

    names: tuple[str, ...]
    width: int
    height: int
    keypoint_columns: int | None = None


@dataclass
class LabelRows:
    """The sound rows of one file, and what is wrong with the others.

    Attributes:
        boxes: xyxy pixels, clipped to the image.
        classes: Class index of each.
        outlines: Outline of each, None for rows that are boxes.
        problems: In the order of the lines.
    """

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    outlines: list[Outline | None] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _WrongRow(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix


def parse_labels(text: str, file: Path, expected: LabelFormat) -> LabelRows:
    """Read the text of a label file.

    Rows that repeat another one exactly (in single precision) are dropped with a warning, as Ultralytics does. A file
    that mixes boxes and outlines is an error: Ultralytics would silently leave out its image.
    """
    rows = LabelRows()
    seen: set[bytes] = set()
    kind: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            values = _numbers(fields)
            class_index = _class_index(values[0], expected.names)
            row_kind = _kind(len(values), expected.keypoint_columns)
            if kind not in (None, row_kind):
                raise _WrongRow(
                    "label-mixed", f"this row is {row_kind}, those above are not.", "Use one kind in a file."
                )
            box, outline = _geometry(values[1:], row_kind, expected)
        except _WrongRow as wrong:
            rows.problems.append(error(wrong.code, wrong.message, file, number, wrong.fix))
            continue
        kind = row_kind
        key = np.asarray(values, dtype=np.float32).tobytes()
        if key in seen:
            rows.problems.append(
                warning("label-duplicate", "the row repeats an earlier one; it is left out.", file, number)
            )
            continue
        seen.add(key)
        clipped = _clip(box, expected)
        if max(abs(a - b) for a, b in zip(box, clipped, strict=True)) > OVERHANG_PX:
            message = "the box reaches out of the image; it is cut at the border."
            rows.problems.append(warning("label-overhang", message, file, number))
        rows.boxes.append(clipped)
        rows.classes.append(class_index)
        rows.outlines.append(outline)
    return rows


def _numbers(fields: Sequence[str]) -> list[float]:
    values = []
    for text in fields:
        try:
            values.append(float(text))
        except ValueError:
            raise _WrongRow("label-number", f"{text!r} is no number.") from None
        if not math.isfinite(values[-1]):
            raise _WrongRow("label-finite", f"{text} is no coordinate.", "Remove the row or mend its coordinates.")
    return values


def _class_index(value: float, names: tuple[str, ...]) -> int:
    if value != int(value) or not 0 <= value < len(names):
        last = len(names) - 1
        raise _WrongRow(
            "label-class",
            f"class {value:g} is unknown; the data set has {'only class 0' if last == 0 else f'classes 0 to {last}'}.",
            "Correct the row, or add the class to names.",
        )
    return int(value)


def _kind(columns: int, keypoint_columns: int | None) -> str:
    if columns == 5 or (keypoint_columns is not None and columns == 5 + keypoint_columns):
        return "a box"
    if columns >= 7 and columns % 2 == 1:
        return "an outline"
    raise _WrongRow(
        "label-columns",
        f"{columns} columns; a box has 5, an outline 7 or more, always an odd number.",
        "Write `class cx cy width height`.",
    )


def _geometry(
    values: Sequence[float], kind: str, expected: LabelFormat
) -> tuple[tuple[float, float, float, float], Outline | None]:
    points = values if kind == "an outline" else values[:4]
    for value in points:
        if not -RANGE_TOLERANCE <= value <= 1 + RANGE_TOLERANCE:
            raise _WrongRow(
                "label-range",
                f"{value:g} is outside 0..1.",
                "Coordinates are shares of the image's width and height; mend the row.",
            )
    if kind == "an outline":
        polygon = np.clip(np.asarray(points).reshape(-1, 2), 0.0, 1.0) * (expected.width, expected.height)
        box = _bounds(polygon)
        outline: Outline | None = (polygon,)
    else:
        box, outline = _to_xyxy(points, expected), None
    x1, y1, x2, y2 = _clip(box, expected)
    if not (x2 > x1 and y2 > y1):
        raise _WrongRow("label-area", "the box has no area.", "Remove the row or mend its coordinates.")
    return box, outline


def _bounds(polygon: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (x1, y1), (x2, y2) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    return x1, y1, x2, y2


def _to_xyxy(values: Sequence[float], expected: LabelFormat) -> tuple[float, float, float, float]:
    cx, cy, w, h = values
    return (
        (cx - w / 2) * expected.width,
        (cy - h / 2) * expected.height,
        (cx + w / 2) * expected.width,
        (cy + h / 2) * expected.height,
    )


def _clip(box: tuple[float, float, float, float], expected: LabelFormat) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    width, height = float(expected.width), float(expected.height)
    return min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height)
