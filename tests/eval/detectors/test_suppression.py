from __future__ import annotations

import numpy as np
import pytest
import torch

from robust.eval.detectors.environment import load_ultralytics
from robust.eval.detectors.suppression import pick_end_to_end, suppress

ONE = torch.tensor([0])
SETTINGS = {"score_floor": 0.001, "iou": 0.7, "limit": 300}


def raw_output(seed: int, n_classes: int, n_anchors: int = 500) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(20, 620, (2, n_anchors))
    sizes = rng.uniform(5, 200, (2, n_anchors))
    scores = rng.beta(0.3, 3, (n_classes, n_anchors))
    return torch.tensor(np.concatenate([centres, sizes, scores]), dtype=torch.float32)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n_classes", [1, 3])
def test_same_detections_as_ultralytics(seed: int, n_classes: int) -> None:
    load_ultralytics(threads=1)
    import torchvision  # noqa: F401 - Ultralytics uses its suppression when it is imported
    from ultralytics.utils.nms import non_max_suppression

    raw = raw_output(seed, n_classes)
    (expected,) = non_max_suppression(
        raw[None].clone(), 0.001, 0.7, multi_label=True, max_det=300, nc=n_classes, max_time_img=60
    )
    boxes, scores, labels = suppress(raw, torch.arange(n_classes), torch.arange(n_classes), **SETTINGS)
    np.testing.assert_allclose(scores, expected[:, 4])
    np.testing.assert_allclose(boxes, expected[:, :4], atol=1e-3)
    np.testing.assert_array_equal(labels, expected[:, 5])


def test_classes_that_do_not_count_neither_appear_nor_use_up_the_limit() -> None:
    raw = raw_output(0, 3)
    _, _, labels = suppress(raw, torch.tensor([2]), torch.tensor([7]), **SETTINGS)
    assert set(labels.tolist()) == {7}


def test_nothing_above_the_floor_is_an_empty_result() -> None:
    raw = raw_output(0, 1)
    raw[4] = 0.0005
    boxes, scores, labels = suppress(raw, ONE, ONE, **SETTINGS)
    assert boxes.shape == (0, 4) and len(scores) == len(labels) == 0


def test_at_most_the_limit_and_highest_first() -> None:
    _, scores, _ = suppress(raw_output(1, 1, 3000), ONE, ONE, score_floor=0.001, iou=1.0, limit=300)
    assert len(scores) == 300 and (scores.diff() <= 0).all()


def test_end_to_end_rows_are_filtered_and_sorted() -> None:
    raw = torch.tensor([[0, 0, 9, 9, 0.2, 0], [0, 0, 9, 9, 0.9, 1], [1, 1, 9, 9, 0.5, 0], [0, 0, 9, 9, 0.0001, 0]])
    boxes, scores, labels = pick_end_to_end(raw, ONE, torch.tensor([5]), score_floor=0.001, limit=300)
    assert (
        scores.tolist() == pytest.approx([0.5, 0.2]) and labels.tolist() == [5, 5] and boxes[0].tolist() == [1, 1, 9, 9]
    )


def test_two_classes_that_mean_the_same_suppress_each_other() -> None:
    raw = torch.tensor([[50.0], [50], [20], [20], [0.9], [0.8]])
    _, scores, apart = suppress(raw, torch.tensor([0, 1]), torch.tensor([3, 4]), **SETTINGS)
    assert apart.tolist() == [3, 4] and len(scores) == 2
    _, scores, together = suppress(raw, torch.tensor([0, 1]), torch.tensor([3, 3]), **SETTINGS)
    assert together.tolist() == [3] and scores.tolist() == pytest.approx([0.9])
