"""Tiny data sets on disk, one folder each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from robust.datasets.images import RGBImage, write_image

WIDTH, HEIGHT = 64, 48


def picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> RGBImage:
    """A smooth random picture: different seeds give pictures that look different."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def make_yolo(root: Path, splits: Mapping[str, Mapping[str, str | None]], **keys: Any) -> Path:
    """Write a YOLO data set.

    Args:
        root: Its folder.
        splits: For each split, the text of the label file by image name; None for no label file.
        keys: Added to data.yaml; None removes a key.
    """
    seed = 0
    for split, labels in splits.items():
        for name, text in labels.items():
            seed += 1
            write_image(root / "images" / split / name, picture(seed))
            file = (root / "labels" / split / name).with_suffix(".txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                file.write_text(text, encoding="utf-8")
    values = {**{split: f"images/{split}" for split in splits}, "names": ["person"], **keys}
    target = root / "data.yaml"
    target.write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}), encoding="utf-8")
    return target


def coco_values(n_images: int = 2, annotations: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The content of a COCO file for images ``1.png``, ``2.png``... with ids 1, 2..."""
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT} for i in range(1, n_images + 1)
        ],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "person"}],
    }


def annotation(**changes: Any) -> dict[str, Any]:
    """A sound COCO annotation with some fields changed."""
    return {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 5, 20, 30], "area": 500.0, "iscrowd": 0, **changes}


def make_coco(file: Path, values: Mapping[str, Any], images: Path | None = None) -> Path:
    """Write a COCO file and its images, which lie beside it if nothing else is said."""
    for i, image in enumerate(values["images"]):
        write_image((images or file.parent) / image["file_name"], picture(100 + i))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values), encoding="utf-8")
    return file
