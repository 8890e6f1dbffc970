"""What every detector promises; call it from the detector's own tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Category
from robust.eval.detectors.protocol import Detector
from robust.eval.records import InferenceSettings


def check_detector(detector: Detector, settings: InferenceSettings, categories: tuple[Category, ...]) -> None:
    """Show it images of several shapes, grey ones and a tiny one."""
    rng = np.random.default_rng(1)
    shapes = ((48, 64, 3), (90, 31, 3), (64, 64, 3), (1, 1, 3))
    images: list[NDArray[np.uint8]] = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    images.append(np.full((40, 40, 3), 114, dtype=np.uint8))
    copies = [image.copy() for image in images]
    together = detector.detect(images)
    assert len(together) == len(images)
    assert sum(len(found) for found in together) > 0, "the images show nothing: the contract proves nothing"
    for image, copy, found in zip(images, copies, together, strict=True):
        np.testing.assert_array_equal(image, copy)
        height, width = image.shape[:2]
        assert len(found) <= settings.max_detections
        assert (np.diff(found.scores) <= 0).all() and (found.scores > settings.score_floor).all()
        assert (found.boxes >= 0).all() and (found.boxes <= [width, height, width, height]).all()
        assert set(found.category_ids.tolist()) <= {category.id for category in categories}
        (alone,) = detector.detect([image])  # an image is seen alike in any company
        np.testing.assert_array_equal(alone.boxes, found.boxes)
        np.testing.assert_array_equal(alone.scores, found.scores)
    assert detector.detect([]) == []
    assert detector.n_parameters > 0
