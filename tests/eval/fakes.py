"""Small data sets, and detectors that see something in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from robust.datasets.images import file_sha256
from robust.datasets.records import Annotations, Category, Dataset, ImageRecord
from robust.eval.records import Detections

PERSON = Category(1, "person")


def small_dataset(folder: Path, n_images: int = 5, split: str = "test", size: tuple[int, int] = (64, 48)) -> Dataset:
    """Grey noise with one bright rectangle an image, each annotated; every fifth image is a negative."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    images, annotations = [], []
    for number in range(1, n_images + 1):
        rng = np.random.default_rng([number, len(split)])
        pixels = rng.integers(60, 90, (height, width, 3), dtype=np.uint8)
        objects = Annotations.empty()
        if number % 5:
            x, y = int(rng.integers(2, width - 22)), int(rng.integers(2, height - 34))
            pixels[y : y + 30, x : x + 16] = 220
            objects = Annotations.build([[x, y, x + 16, y + 30]], [PERSON.id], [number])
        path = folder / f"{split}{number:03d}.png"
        cv2.imwrite(str(path), pixels)
        images.append(ImageRecord(number, path.name, path, width, height, file_sha256(path)))
        annotations.append(objects)
    return Dataset("small", split, tuple(images), tuple(annotations), (PERSON,))


class BrightDetector:
    """Finds the bounding box of bright pixels; counts the images it was shown."""

    n_parameters = 1

    def __init__(self, score: float = 0.9) -> None:
        self.score = score
        self.n_images = 0

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        self.n_images += len(images)
        return [self._one(image) for image in images]

    def _one(self, image: NDArray[np.uint8]) -> Detections:
        rows, columns = np.nonzero(image.min(axis=2) > 150)
        if not len(rows):
            return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return Detections(np.array([box], dtype=np.float64), np.array([self.score]), np.array([PERSON.id]))


def save_tiny_weights(path: Path, seed: int = 0) -> Path:
    """Save an untrained one-class network, as Ultralytics saves it, that still finds plenty."""
    from robust.eval.detectors.environment import load_ultralytics

    load_ultralytics(threads=1)
    import torch
    from ultralytics import YOLO
    from ultralytics.nn.tasks import yaml_model_load

    torch.manual_seed(seed)
    narrow = path.with_name("yolov8n-tiny.yaml")
    content = {**yaml_model_load("yolov8n.yaml"), "nc": 1, "scales": {"n": [0.33, 0.0625, 256]}}
    narrow.write_text(yaml.safe_dump(content), encoding="utf-8")
    model = YOLO(str(narrow))
    model.model.names = {0: PERSON.name}
    # an untrained head scores everything low and alike: lift it over the floor, and spread it
    for branch in model.model.model[-1].cv3:
        torch.nn.init.normal_(branch[-1].weight, 0, 2.0)
        torch.nn.init.normal_(branch[-1].bias, -3.0, 0.5)
    model.save(path)
    return path


def write_data_yaml(folder: Path, n_images: int = 5) -> Path:
    """Write val and test splits of `small_dataset` in YOLO's layout and return the data.yaml."""
    for split in ("val", "test"):
        dataset = small_dataset(folder / "images" / split, n_images, split)
        labels = folder / "labels" / split
        labels.mkdir(parents=True)
        for image, objects in zip(dataset.images, dataset.annotations, strict=True):
            lines = []
            for x1, y1, x2, y2 in objects.boxes:
                centre = ((x1 + x2) / 2 / image.width, (y1 + y2) / 2 / image.height)
                size = ((x2 - x1) / image.width, (y2 - y1) / image.height)
                lines.append(" ".join(map(repr, (0, *(float(v) for v in (*centre, *size))))))
            (labels / image.file_name).with_suffix(".txt").write_text("\n".join(lines), encoding="utf-8")
    path = folder / "data.yaml"
    path.write_text("path: .\nval: images/val\ntest: images/test\nnames: [person]\n", encoding="utf-8")
    return path
