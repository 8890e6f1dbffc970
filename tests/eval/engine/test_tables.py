from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robust.errors import IntegrityError
from robust.eval.engine.tables import (
    ground_truth_to_bytes,
    predictions_to_bytes,
    read_ground_truth,
    read_predictions,
)
from robust.eval.records import GroundTruth, Predictions

from ..fakes import small_dataset


def some_predictions() -> Predictions:
    return Predictions(
        np.array([3, 7, 9]),
        np.array([0, 0, 2]),
        np.array([[0.1, 0.2, 10.3, 20.4], [1, 2, 3, 4], [5.5, 6, 7, 8]]),
        np.array([0.9, 1 / 3, 0.001]),
        np.array([1, 1, 1]),
        {"weights_sha256": "a" * 64},
    )


def test_predictions_come_back_to_the_last_bit() -> None:
    before = some_predictions()
    after = read_predictions(predictions_to_bytes(before))
    for name in ("image_ids", "image_index", "boxes", "scores", "category_ids"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert after.provenance == before.provenance


def test_no_detections_at_all_is_a_table_too() -> None:
    nothing = Predictions.collect([1, 2], [], {})
    after = read_predictions(predictions_to_bytes(nothing))
    assert len(after) == 0 and after.boxes.shape == (0, 4) and after.image_ids.tolist() == [1, 2]


def test_ground_truth_comes_back_with_negative_images(tmp_path: Path) -> None:
    before = GroundTruth.from_dataset(small_dataset(tmp_path))
    after = read_ground_truth(ground_truth_to_bytes(before))
    assert after.sha256 == before.sha256
    assert after.image_ids.tolist() == [1, 2, 3, 4, 5] and after.n_objects == 4


def test_same_record_gives_the_same_bytes() -> None:
    assert predictions_to_bytes(some_predictions()) == predictions_to_bytes(some_predictions())


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.parquet"
    path.write_bytes(predictions_to_bytes(some_predictions())[:-20])
    with pytest.raises(IntegrityError, match="cell"):
        read_predictions(path)
    with pytest.raises(IntegrityError, match="ground truth"):
        read_ground_truth(predictions_to_bytes(some_predictions()))
