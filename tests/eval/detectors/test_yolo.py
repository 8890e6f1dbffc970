from __future__ import annotations

from pathlib import Path

import pytest

from robust.datasets.records import Category
from robust.errors import DataError, UsageError
from robust.eval.detectors.yolo import YoloDetector
from robust.eval.records import InferenceSettings
from tests.contracts.detector_contract import check_detector

from ..fakes import PERSON, save_tiny_weights

SETTINGS = InferenceSettings(imgsz=64)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.pt")


def test_keeps_the_contract_of_detectors(weights: Path) -> None:
    check_detector(YoloDetector(weights, SETTINGS, [PERSON]), SETTINGS, (PERSON,))


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
