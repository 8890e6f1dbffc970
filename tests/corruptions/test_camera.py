from __future__ import annotations

import cv2
import numpy as np
import pytest

from robust.corruptions.apply import corrupt
from robust.corruptions.causes.coding import enlarged_again
from robust.corruptions.causes.exposure import exposure_table
from robust.corruptions.laws import Scene
from robust.corruptions.light import decode_table
from robust.corruptions.measures import rms_change
from robust.corruptions.registry import make_variant
from robust.corruptions.suites import load_suite
from robust.datasets.records import Annotations
from tests.corruptions.street import hard_street


@pytest.mark.parametrize("stops", [1.0, -1.0, -3.5])
def test_a_stop_doubles_or_halves_the_light_as_far_as_eight_bits_can_tell(stops: float) -> None:
    table = exposure_table(stops)
    wanted = np.minimum(decode_table().astype(np.float64) * 2.0**stops, 1.0)
    steps = np.diff(decode_table().astype(np.float64), append=1.0, prepend=0.0)
    coarse = np.maximum(steps[:-1], steps[1:])[table]  # one code value, where the result lies
    assert (np.abs(decode_table()[table] - wanted) <= 0.6 * coarse + 1e-6).all()


def test_burnt_out_light_stays_white_and_no_exposure_changes_nothing() -> None:
    assert (exposure_table(4.0)[150:] == 255).all()
    assert np.array_equal(exposure_table(0.0), np.arange(256))
    assert (np.diff(exposure_table(-2.0).astype(int)) >= 0).all()


def test_an_average_of_areas_by_hand() -> None:
    column = np.array([0, 100, 40, 60], dtype=np.uint8)
    pixels = np.repeat(np.tile(column, (4, 1))[:, :, None], 3, axis=2)
    assert np.unique(enlarged_again(pixels, 2.0)).tolist() == [50]  # 0 with 100, and 40 with 60, both average to 50
    assert np.array_equal(enlarged_again(pixels, 1.0), pixels)


def test_jpeg_is_the_codec_that_opencv_uses_on_files() -> None:
    street = hard_street()
    made = corrupt(street.dataset, 0, make_variant("jpeg", 3), source=street.source).pixels
    clean = street.pixels[street.images[0].sha256]
    _, code = cv2.imencode(".jpg", clean[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 12])
    again = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert again is not None
    assert np.array_equal(made, again[..., ::-1])


def test_the_change_is_a_root_mean_square() -> None:
    black, other = np.zeros((2, 2, 3), dtype=np.uint8), np.zeros((2, 2, 3), dtype=np.uint8)
    other[0, 0] = 200  # a quarter of the pixels
    none = Annotations.empty()
    assert rms_change(Scene.start(black, none), Scene.start(other, none)) == pytest.approx(100.0)
    assert rms_change(Scene.start(other, none), Scene.start(black, none)) == pytest.approx(100.0)


def test_the_camera_suite_holds_every_severity() -> None:
    suite = load_suite("camera")
    assert len(suite.variants) == 5 * len({variant.corruption for variant in suite.variants})
