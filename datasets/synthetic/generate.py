"""Write a synthetic data set: images, YOLO labels, COCO annotations and ``data.yaml``."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robust.datasets.records import Annotations
from robust.datasets.synthetic.scene import DEMO, PERSON, Domain, draw_scene, image_rng
from robust.errors import DataError, UsageError

DEFAULT_SPLITS: Mapping[str, int] = {"train": 160, "val": 60, "test": 80}
_MARK = "synthetic.json"
_VERSION = 1


def generate(
    root: Path,
    *,
    seed: int = 0,
    splits: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    domain: Domain = DEMO,
    workers: int = 1,
) -> Path:
    """Draw a data set of street scenes with pedestrians.

    The same seed, splits and domain give the same bytes (with the same OpenCV and NumPy). The folder appears complete
    or not at all. People who can hardly be seen (`scene.LEAST_VISIBLE`, `scene.LEAST_HEIGHT`) are ``iscrowd`` in the
    COCO files and absent from the YOLO labels, which have no way to say "ignore".

    Args:
        root: Folder to make. It holds ``data.yaml``, ``images/<split>/*.jpg``, ``labels/<split>/*.txt`` (class, centre,
            size, relative) and ``annotations/<split>.json`` (COCO, with a ``visible`` fraction for each person).
        seed: Any whole number.
        splits: Number of images of each split; `DEFAULT_SPLITS` when left out.
        progress: Called with (images done, images in all) after each image.
        domain: What kind of scenes.
        workers: Processes that draw; the bytes do not depend on it. More than one needs a main module that can be
            imported without side effects (Python's rule for spawned processes).

    Returns:
        The path of ``data.yaml``.

    Raises:
        DataError: ``root`` holds something that this function did not write.
        UsageError: a split has a name that is no folder name, or no images.
    """
    splits = dict(DEFAULT_SPLITS if splits is None else splits)
    _check_splits(splits)
    _check_root(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        tasks = [_Task(seed, domain, split, index) for split, count in splits.items() for index in range(count)]
        writers = {split: _SplitWriter(staging, split) for split in splits}
        for done, (task, picture) in enumerate(zip(tasks, _draw_all(tasks, workers), strict=True), start=1):
            writers[task.split].add(picture)
            if progress is not None:
                progress(done, len(tasks))
        for writer in writers.values():
            writer.close()
        _write_text(staging / "data.yaml", _data_yaml(splits))
        mark = {
            "generator": "robust synthetic pedestrians",
            "version": _VERSION,
            "seed": seed,
            "domain": domain.name,
            "splits": splits,
        }
        _write_text(staging / _MARK, json.dumps(mark, indent=2) + "\n")
        staging.chmod(0o755)
        if root.exists():
            shutil.rmtree(root)
        staging.replace(root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return root / "data.yaml"


@dataclass(frozen=True)
class _Task:
    """Which image to draw."""

    seed: int
    domain: Domain
    split: str
    index: int


@dataclass(frozen=True, eq=False)
class _Picture:
    """A drawn image as it goes to disk: JPEG bytes, size in pixels, annotations."""

    jpeg: bytes
    width: int
    height: int
    annotations: Annotations


def _draw(task: _Task) -> _Picture:
    scene = draw_scene(image_rng(task.seed, task.domain.name, task.split, task.index), task.domain)
    height, width = scene.pixels.shape[:2]
    flags = [cv2.IMWRITE_JPEG_QUALITY, scene.quality]
    ok, data = cv2.imencode(".jpg", np.ascontiguousarray(scene.pixels[:, :, ::-1]), flags)
    if not ok:
        raise DataError(f"Image {task.index} of split {task.split} could not be encoded as JPEG.")
    return _Picture(data.tobytes(), width, height, scene.annotations)


def _draw_all(tasks: Sequence[_Task], workers: int) -> Iterator[_Picture]:
    """Draw in the given order, in this process or in several."""
    if workers <= 1:
        yield from map(_draw, tasks)
        return
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw, tasks, chunksize=4)


def _check_splits(splits: Mapping[str, int]) -> None:
    for name, count in splits.items():
        if not name or not all(c.isalnum() or c in "-_" for c in name):
            raise UsageError(f"{name!r} cannot be the name of a split.", fix="Use letters, digits, - and _.")
        if count < 1:
            raise UsageError(
                f"Split {name!r} would have {count} images.", fix="Ask for at least one, or leave the split out."
            )
    if not splits:
        raise UsageError("No split was asked for.", fix="Name at least one split, such as test.")


def _check_root(root: Path) -> None:
    """Refuse to replace anything but an earlier output or an empty folder."""
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file.", fix="Choose another folder.")
    if root.is_dir() and any(root.iterdir()) and not (root / _MARK).is_file():
        raise DataError(
            f"{root} is not empty.",
            "It was not written by this generator, so it is left alone.",
            "Choose another folder.",
        )


def _data_yaml(splits: Mapping[str, int]) -> str:
    # No `path:`: Ultralytics takes a relative one from the working directory, and the YAML's folder when there is none.
    lines = [*(f"{split}: images/{split}" for split in splits), "names:", "  0: person"]
    return "\n".join(lines) + "\n"


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


class _SplitWriter:
    """Writes the files of one split under the root."""

    def __init__(self, root: Path, split: str) -> None:
        self.root, self.split = root, split
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        (root / "annotations").mkdir(exist_ok=True)

    def add(self, picture: _Picture) -> None:
        """Write image and label of the next picture."""
        number = len(self.images) + 1
        stem = f"{self.split}_{number:05d}"
        (self.root / "images" / self.split / f"{stem}.jpg").write_bytes(picture.jpeg)
        size = {"width": picture.width, "height": picture.height}
        self.images.append({"id": number, "file_name": f"images/{self.split}/{stem}.jpg", **size})
        for i in range(len(picture.annotations)):
            self.annotations.append(_coco_annotation(picture.annotations, i, len(self.annotations) + 1, number))
        label = _yolo_label(picture.annotations, picture.width, picture.height)
        _write_text(self.root / "labels" / self.split / f"{stem}.txt", label)

    def close(self) -> None:
        """Write the COCO file."""
        coco = {
            "info": {"description": "synthetic pedestrians", "version": str(_VERSION)},
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"id": PERSON, "name": "person"}],
        }
        _write_text(self.root / "annotations" / f"{self.split}.json", json.dumps(coco) + "\n")


def _coco_annotation(annotations: Annotations, i: int, annotation_id: int, image_id: int) -> dict[str, Any]:
    x1, y1, x2, y2 = annotations.boxes[i].tolist()
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": PERSON,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": float(annotations.area[i]),
        "iscrowd": int(annotations.iscrowd[i]),
        "segmentation": [part.ravel().tolist() for part in annotations.outlines[i] or ()],
        "visible": round(float(annotations.visible[i]), 4),
    }


def _yolo_label(annotations: Annotations, width: int, height: int) -> str:
    """Plain YOLO lines: class, then centre and size relative to the image; ignored people are left out."""
    lines = []
    for (x1, y1, x2, y2), crowd in zip(annotations.boxes.tolist(), annotations.iscrowd, strict=True):
        if not crowd:
            values = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
            lines.append("0 " + " ".join(f"{v:.6f}" for v in values))
    return "".join(f"{line}\n" for line in lines)
