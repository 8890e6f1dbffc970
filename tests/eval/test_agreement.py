"""Our forward path against Ultralytics' own validator, on real images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from robust.datasets.load import load_dataset
from robust.datasets.records import Dataset
from robust.eval.detectors.environment import load_ultralytics
from robust.eval.detectors.yolo import YoloDetector
from robust.eval.metrics.coco_reference import reference_metrics
from robust.eval.records import Detections, GroundTruth, InferenceSettings, Predictions
from tests.shared_data import shared_data

SIZE = 640


@pytest.mark.slow
def test_same_ap_as_ultralytics_predictions_on_real_images(tmp_path: Path) -> None:
    weights, images = shared_data("yolov8n.pt"), shared_data("coco_person128")
    shutil.copytree(images, tmp_path / "data", copy_function=shutil.copyfile)
    data = tmp_path / "data.yaml"
    folder = (tmp_path / "data").as_posix()
    data.write_text(f"path: {folder}\ntrain: images/train\nval: images/train\nnames: [person]\n", encoding="utf-8")
    dataset = load_dataset(data, "train")
    assert len(dataset) == 128
    truth = GroundTruth.from_dataset(dataset)
    ours = reference_metrics(truth, _ours(weights, dataset))
    theirs = reference_metrics(truth, _ultralytics(weights, data, dataset, tmp_path / "val"))
    for name in ("AP", "AP50"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=0.002)


def _ours(weights: Path, dataset: Dataset) -> Predictions:
    from robust.datasets.images import read_image

    detector = YoloDetector(weights, InferenceSettings(imgsz=SIZE), dataset.categories)
    detections = [detector.detect([read_image(image.path)])[0] for image in dataset.images]
    return Predictions.collect([image.id for image in dataset.images], detections, {})


def _ultralytics(weights: Path, data: Path, dataset: Dataset, folder: Path) -> Predictions:
    load_ultralytics()
    from ultralytics.models.yolo.detect import DetectionValidator

    settings = {"imgsz": SIZE, "rect": False, "batch": 1, "workers": 0, "device": "cpu", "conf": 0.001, "iou": 0.7}
    output = {"save_json": True, "plots": False, "project": str(folder.parent), "name": folder.name, "exist_ok": True}
    DetectionValidator(args={"model": str(weights), "data": str(data), **settings, **output})(model=str(weights))
    rows: dict[str, list[list[float]]] = {image.path.stem.lstrip("0"): [] for image in dataset.images}
    for row in json.loads((folder / "predictions.json").read_text(encoding="utf-8")):
        if row["category_id"] == 1:
            x, y, width, height = row["bbox"]
            rows[str(row["image_id"])].append([row["score"], x, y, x + width, y + height])
    detections = []
    for found in rows.values():
        table = np.array(sorted(found, key=lambda r: -r[0]), dtype=np.float64).reshape(-1, 5)
        detections.append(Detections(table[:, 1:], table[:, 0], np.ones(len(table), dtype=np.int64)))
    return Predictions.collect([image.id for image in dataset.images], detections, {})
