from __future__ import annotations

import numpy as np
import pytest

from robust.eval.detectors.environment import load_ultralytics
from robust.eval.detectors.preprocess import BORDER, Letterbox

SIZES = [(640, 480), (480, 640), (500, 333), (333, 500), (427, 640), (64, 64), (1, 300), (3000, 7), (100, 99)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("imgsz", [320, 416, 640])
def test_same_pixels_as_ultralytics_validator(size: tuple[int, int], imgsz: int) -> None:
    load_ultralytics(threads=1)
    import cv2
    from ultralytics.data.augment import LetterBox

    width, height = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    letterbox = Letterbox(width, height, imgsz)
    resized = cv2.resize(image, letterbox.resized, interpolation=cv2.INTER_LINEAR)
    if max(size) == imgsz:
        resized = image
    expected = LetterBox((imgsz, imgsz), scaleup=False)(image=resized)
    np.testing.assert_array_equal(letterbox.apply(image), expected)


def test_boxes_come_back_to_where_they_were() -> None:
    letterbox = Letterbox(500, 333, 416)
    boxes = np.array([[0.0, 0.0, 500.0, 333.0], [12.5, 40.0, 99.0, 300.0]])
    width, height = letterbox.resized
    left, top = letterbox.offset
    inside = boxes * np.array([width / 500, height / 333] * 2)
    np.testing.assert_allclose(letterbox.to_original(inside + np.array([left, top, left, top])), boxes, atol=1e-9)


def test_boxes_are_clipped_to_the_image() -> None:
    letterbox = Letterbox(100, 50, 100)
    np.testing.assert_array_equal(letterbox.to_original(np.array([[-5.0, 0.0, 120.0, 100.0]])), [[0, 0, 100, 50]])


def test_borders_are_grey_and_the_image_is_untouched() -> None:
    image = np.full((50, 100, 3), 7, dtype=np.uint8)
    square = Letterbox(100, 50, 100).apply(image)
    assert (square[:25] == BORDER).all() and (square[25:75] == 7).all() and (square[75:] == BORDER).all()
    assert (image == 7).all()
