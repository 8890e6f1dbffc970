"""COCO result files: the detections of any tool, as Detectron2, MMDetection, Ultralytics and others write them.

The format is a list of ``{"image_id", "category_id", "bbox": [x, y, width, height], "score"}``
(https://cocodataset.org/#format-results). Everything is kept as it is written: no score is cut off, no box is clipped
and no image is limited to some number of detections, so that the numbers are those of pycocotools on the same file.
Two things are done: entries of a category that the data does not have are left out, as pycocotools does, and counted;
and the detections of an image are sorted by falling score.

An image may also be named by its file instead of an id: ``"image_id": "000042.jpg"``, or without the suffix, as
Ultralytics writes it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Dataset
from robust.errors import DataError
from robust.eval.records import Predictions

SOURCE = "COCO results"
"""What the provenance of such predictions calls their source."""
LOW_SCORE = 0.05
"""A file whose lowest score is above it was cut off, so the tail of its precision-recall curve is missing."""
LARGEST = 2 * 1024**3
"""Bytes of a file; reading takes several times as much memory."""

_FARTHEST = 1e9  # pixels; areas of larger boxes lose their digits
_MOST_NAMED = 8
_EXAMPLE = '{"image_id": 42, "category_id": 1, "bbox": [10.5, 20.0, 30.0, 60.0], "score": 0.93}'


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


@dataclass(frozen=True, eq=False)
class Results:
    """One result file.

    Attributes:
        file: Where it was read.
        sha256: Hex digest of its bytes.
        predictions: Its detections on all images of the data, those of unknown categories left out.
        lowest_score: Of all its entries, 0..1; None when it has none.
        left_out: Category id that the data does not have -> entries of it.
        n_repeated: Detections that repeat another one of the file exactly; they are kept, and count as false alarms.
        n_astray: Boxes that reach out of their image by more than a tenth of its side, or lie in its first pixel: signs
            that they are not [x, y, width, height] in pixels. They are kept as well.
    """

    file: Path
    sha256: str
    predictions: Predictions
    lowest_score: float | None
    left_out: dict[int, int]
    n_repeated: int
    n_astray: int

    @property
    def is_cut_off(self) -> bool:
        """Whether detections with low scores are missing."""
        return self.lowest_score is not None and self.lowest_score > LOW_SCORE

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers should know, one sentence or two each."""
        said = []
        if self.lowest_score is None:
            said.append("The file holds no detection, so nothing is found.")
        elif self.is_cut_off:
            said.append(
                f"No score is below {self.lowest_score:.3g}. AP is understated, and thresholds below that were not "
                "recorded; export with a lower one, such as 0.001."
            )
        if self.left_out:
            ids = list(map(str, self.left_out))
            more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
            said.append(
                f"{sum(self.left_out.values())} detections left out: the data has no category "
                f"{', '.join(ids[:_MOST_NAMED])}{more}."
            )
        if self.n_repeated:
            said.append(f"{self.n_repeated} detections are there twice; kept, and counted as false alarms.")
        if self.n_astray:
            said.append(
                f"{self.n_astray} of {len(self.predictions)} boxes lie far outside of their image or in its first "
                "pixel; a bbox is [x, y, width, height] in pixels."
            )
        return tuple(said)


def read_results(path: Path, dataset: Dataset, *, ids_are_own: bool = True) -> Results:
    """Read a COCO result file.

    Args:
        path: JSON.
        dataset: The images that the detections are of; images without an entry have no detection.
        ids_are_own: The ids of the images come with the data; False when the reader counted them, and then whole
            numbers are refused where the names of the files are other numbers.

    Raises:
        DataError: the file cannot be read or is no list of results, or an entry is wrong: an image that the data does
            not have, no box, a number that is none or not finite, a box without area, a score outside of 0..1. The
            first one is named.
    """
    items, sha256 = _load(path)
    images = _Images(dataset, ids_are_own)
    rows: list[tuple[int, int, float, float, float, float, float]] = []
    wrong: list[tuple[int, _Wrong]] = []
    for position, item in enumerate(items):
        try:
            rows.append(_row(item, images))
        except _Wrong as error:
            wrong.append((position, error))
    if wrong:
        _refuse(path, items, wrong)
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    known = np.isin(table[:, 1], [category.id for category in dataset.categories])
    left_out = Counter(table[~known, 1].astype(np.int64).tolist())
    kept = table[known]
    kept = kept[np.lexsort((-kept[:, 2], kept[:, 0]))]  # stable: equal scores stay in the order of the file
    predictions = Predictions(
        image_ids=np.array([image.id for image in dataset.images], dtype=np.int64),
        image_index=kept[:, 0].astype(np.int64),
        boxes=kept[:, 3:],
        scores=kept[:, 2],
        category_ids=kept[:, 1].astype(np.int64),
        provenance={"source": SOURCE, "file": path.name},
    )
    return Results(
        file=path,
        sha256=sha256,
        predictions=predictions,
        lowest_score=float(table[:, 2].min()) if len(table) else None,
        left_out=dict(sorted(left_out.items())),
        n_repeated=_count_repeated(kept),
        n_astray=_count_astray(predictions, dataset),
    )


def _count_repeated(rows: NDArray[np.float64]) -> int:
    ordered = rows[np.lexsort(rows.T)]
    return int((ordered[1:] == ordered[:-1]).all(axis=1).sum())


def _count_astray(predictions: Predictions, dataset: Dataset) -> int:
    sizes = np.array([(image.width, image.height) for image in dataset.images], dtype=np.float64).reshape(-1, 2)
    boxes, size = predictions.boxes, sizes[predictions.image_index]
    beyond = (boxes[:, 2:] > 1.1 * size) | (boxes[:, :2] < -0.1 * size)
    return int((beyond.any(axis=1) | (boxes[:, 2:] <= 1.0).all(axis=1)).sum())


def _load(path: Path) -> tuple[list[Any], str]:
    """The entries, and the hash of the very bytes that they were read from."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(
                f"{path}: the file is too large.",
                f"It has {path.stat().st_size / 1024**3:.1f} GiB; {LARGEST / 1024**3:g} GiB are allowed.",
                "Keep the best 100 detections of an image and class: COCO's numbers use no more.",
            )
        content = path.read_bytes()
        values = json.loads(content.decode("utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.", fix="Give a COCO result file.") from None
    except (OSError, UnicodeDecodeError) as failure:
        raise DataError(f"{path}: the file cannot be read.", f"{failure}.") from None
    except json.JSONDecodeError as failure:
        raise DataError(f"{path}:{failure.lineno}: this is not valid JSON.", f"{failure.msg}.") from None
    except (RecursionError, ValueError) as failure:  # nested too deep, or a number with thousands of digits
        raise DataError(f"{path}: this JSON cannot be read.", f"{failure}.") from None
    if isinstance(values, list):
        return values, hashlib.sha256(content).hexdigest()
    labels = isinstance(values, dict) and "images" in values
    raise DataError(
        f"{path}: this is no COCO result file.",
        "It is an annotation file: it lists images and labels, not detections."
        if labels
        else f"It holds no list but {_kind(values)}.",
        "It belongs to --data; --predictions takes a detector's output."
        if labels
        else f"A result file is a list of entries such as {_EXAMPLE}.",
    )


def _refuse(path: Path, items: Sequence[Any], wrong: Sequence[tuple[int, _Wrong]]) -> NoReturn:
    position, first = wrong[0]
    more = f" {len(wrong)} of {len(items)} entries are wrong." if len(wrong) > 1 else ""
    raise DataError(
        f"{path}: entry [{position}]: {first.what}",
        f"An entry is {_EXAMPLE}.{more}",
        first.fix or "Correct the export, or remove the entry.",
    )


class _Images:
    """Positions of images by what a result file calls them."""

    def __init__(self, dataset: Dataset, ids_are_own: bool) -> None:
        self._ids = {image.id: position for position, image in enumerate(dataset.images)}
        names = [image.file_name for image in dataset.images]
        paths = [PurePosixPath(name) for name in names]
        self._names = {
            **_unique([path.stem for path in paths]),
            **_unique([path.name for path in paths]),
            **_unique(names),
        }
        numbers = {i: int(stem) for i, name in enumerate(names) if (stem := PurePosixPath(name).stem).isdecimal()}
        self._ambiguous = not ids_are_own and any(dataset.images[i].id != n for i, n in numbers.items())

    def find(self, value: Any) -> int:
        if isinstance(value, str):
            if value in self._names:
                return self._names[value]
            raise _Wrong(f"the data has no image that is called {value!r}.", "An id is a number, without quotes.")
        number = _whole("image_id", value)
        if self._ambiguous:
            raise _Wrong(
                f"image_id {number} can mean two images: YOLO data has no ids, and its files have numbers for names.",
                "Write file names as image_id, or convert the data first: robust data convert DATA OUT --to coco.",
            )
        if number not in self._ids:
            raise _Wrong(f"the data has no image {number}.", "Give the data that the detections were made on.")
        return self._ids[number]


def _unique(names: Sequence[str]) -> dict[str, int]:
    """Positions of the names that occur once."""
    counts = Counter(names)
    return {name: position for position, name in enumerate(names) if counts[name] == 1}


def _row(item: Any, images: _Images) -> tuple[int, int, float, float, float, float, float]:
    """One entry: position of its image, category id, score, x1, y1, x2, y2."""
    if not isinstance(item, dict):
        raise _Wrong(f"this is no detection but {_kind(item)}.")
    for key in ("image_id", "category_id", "score"):
        if key not in item:
            raise _Wrong(f"it has no {key}.")
    box = item.get("bbox")
    if box is None:
        other = next((key for key in ("segmentation", "keypoints") if key in item), None)
        raise _Wrong(
            f"it has {other} but no bbox." if other else "it has no bbox.", "Boxes are measured: export them too."
        )
    if not isinstance(box, list) or len(box) != 4:
        raise _Wrong("bbox must be [x, y, width, height].")
    x, y, width, height = (_number("bbox", side) for side in box)
    if max(map(abs, (x, y, width, height))) > _FARTHEST:
        raise _Wrong(f"bbox {box} is no box in pixels.")
    if not (width > 0 and height > 0 and x + width > x and y + height > y):
        raise _Wrong(
            f"bbox {box} has no area.", "Remove such entries; if they are [x1, y1, x2, y2], write width and height."
        )
    score = _number("score", item["score"])
    if not 0 <= score <= 1:
        raise _Wrong(f"score {score:g} is outside of 0..1.", "Write probabilities, not percent or logits.")
    category = _whole("category_id", item["category_id"])
    if abs(category) > 2**53:
        raise _Wrong("category_id is too large.")
    return images.find(item["image_id"]), category, score, x, y, x + width, y + height


def _number(name: str, value: Any) -> float:
    if type(value) is float and -_FARTHEST <= value <= _FARTHEST:  # nearly all of them; NaN is not
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"{name} holds {_kind(value)} in place of a number.", "Numbers stand without quotes.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Wrong(f"{name} is not finite.")
    return number


def _whole(name: str, value: Any) -> int:
    number = _number(name, value)
    if not number.is_integer():
        raise _Wrong(f"{name} {number:g} is no whole number.")
    return int(value)


def _kind(value: Any) -> str:
    """What a JSON value is, in words; long text is not repeated."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds = {str: "text", dict: "an object", list: "a list", int: "a number", float: "a number"}
    return kinds.get(type(value), type(value).__name__)
