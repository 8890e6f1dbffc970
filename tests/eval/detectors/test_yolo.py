from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robust.datasets.records import Category
from robust.errors import DataError, UsageError
from robust.eval.detectors.yolo import YoloDetector
from robust.eval.records import InferenceSettings

from ..fakes import PERSON, save_tiny_weights

SETTINGS = InferenceSettings(imgsz=64)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.pt")


def some_images() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((48, 64, 3), (90, 31, 3), (64, 64, 3))]


def test_detections_keep_the_contract(weights: Path) -> None:
    images = some_images()
    copies = [image.copy() for image in images]
    found = YoloDetector(weights, SETTINGS, [PERSON]).detect(images)
    assert len(found) == 3 and all(0 < len(d) <= 300 for d in found)
    for image, copy, detections in zip(images, copies, found, strict=True):
        np.testing.assert_array_equal(image, copy)
        height, width = image.shape[:2]
        assert (np.diff(detections.scores) <= 0).all() and detections.scores.min() > SETTINGS.score_floor
        assert (detections.boxes >= 0).all() and (detections.boxes <= [width, height, width, height]).all()
        assert set(detections.category_ids.tolist()) == {PERSON.id}


def test_an_image_is_seen_alike_in_any_company(weights: Path) -> None:
    detector = YoloDetector(weights, SETTINGS, [PERSON])
    images = some_images()
    together = detector.detect(images)
    for image, detections in zip(images, together, strict=True):
        (alone,) = detector.detect([image])
        np.testing.assert_array_equal(alone.boxes, detections.boxes)
        np.testing.assert_array_equal(alone.scores, detections.scores)


def test_diverged_weights_are_refused_rather_than_scored_zero(weights: Path, tmp_path: Path) -> None:
    import torch

    checkpoint = torch.load(weights, weights_only=False)
    network = checkpoint.get("ema") or checkpoint["model"]
    next(network.parameters()).data.fill_(float("nan"))
    torch.save(checkpoint, tmp_path / "diverged.pt")
    with pytest.raises(DataError, match="NaN"):
        YoloDetector(tmp_path / "diverged.pt", SETTINGS, [PERSON])


def test_weights_without_the_data_sets_class_are_refused(weights: Path) -> None:
    with pytest.raises(DataError, match="know no class 'zebra crossing'"):
        YoloDetector(weights, SETTINGS, [Category(1, "zebra crossing")])


def test_absent_device_is_refused(weights: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(UsageError, match="not available"):
        YoloDetector(weights, InferenceSettings(imgsz=64, device="cuda:0"), [PERSON])
