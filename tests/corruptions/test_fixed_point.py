from __future__ import annotations

import cv2
import numpy as np
import pytest

from robust.corruptions.bands import bands
from robust.corruptions.detail import DETAIL_LOST, detail, dimmed, obscured
from robust.corruptions.fixed_point import displaced, enlarged, moved_sum, scale_of, smoothed, whole_weights
from robust.corruptions.laws import Pixels, Scene
from robust.datasets.records import Annotations


def scene(pixels: Pixels) -> Scene:
    return Scene.start(pixels, Annotations.empty())


def noise(height: int, width: int, low: int = 0, high: int = 256) -> Pixels:
    return np.random.default_rng(0).integers(low, high, size=(height, width, 3)).astype(np.uint8)


def test_lengths_are_those_of_a_picture_with_640_pixels() -> None:
    assert scale_of((480, 640)) == 1.0
    assert scale_of((1280, 960)) == 2.0


def test_weights_are_rounded_to_their_total() -> None:
    assert whole_weights(np.array([1.0, 1.0, 1.0])).tolist() == [86, 85, 85]
    assert whole_weights(np.array([[3.0, 1.0]]), 8).tolist() == [[6, 2]]


def test_moved_copies_are_added_up_by_hand() -> None:
    pixels = np.zeros((40, 5), dtype=np.uint8)
    pixels[35, 2] = 200
    made = moved_sum(pixels, [(0, 0), (1, -2)], np.array([192, 64]))
    assert made[35, 2] == 150
    assert made[33, 3] == 50
    assert int(made.sum()) == 200
    ramp = np.repeat(np.array([[10, 20, 30]], dtype=np.uint8), 3, axis=0)
    assert moved_sum(ramp, [(2, 0)], np.array([256])).tolist() == [[10, 10, 10]] * 3  # the edge is drawn out


def test_moved_copies_in_colour_are_those_of_opencv() -> None:
    pixels = noise(50, 60)
    kernel = np.zeros((7, 7))
    kernel[3, 3], kernel[3 - 2, 3 - 3], kernel[3, 3 + 1] = 128 / 256, 96 / 256, 32 / 256
    wanted = cv2.filter2D(pixels.astype(np.float64), -1, kernel, borderType=cv2.BORDER_REPLICATE)
    made = moved_sum(pixels, [(0, 0), (3, 2), (-1, 0)], np.array([128, 96, 32]))  # correlation looks the other way
    assert np.array_equal(made, np.floor(wanted + 0.5))


def test_smoothing_keeps_the_sum_and_spreads_by_sigma() -> None:
    field = np.zeros((41, 41), dtype=np.int32)
    field[20, 20] = 400_000
    made = smoothed(field, 2.0).astype(np.float64)
    assert float(made.sum()) == pytest.approx(400_000, rel=0.01)
    places = np.arange(41) - 20.0
    assert float(made.sum(axis=0) @ places**2 / made.sum()) == pytest.approx(4.0, rel=0.04)


def test_enlarging_draws_straight_lines_between_the_values() -> None:
    field = np.array([[0, 6400]], dtype=np.int32)
    assert enlarged(field, 1, 5, to_edges=True).tolist() == [[0, 1600, 3200, 4800, 6400]]
    assert enlarged(field, 2, 4).tolist() == [[0, 1600, 4800, 6400]] * 2  # centres of cells at pixels 0.5 and 2.5
    assert enlarged(field, 3, 2).tolist() == [[0, 6400]] * 3


def test_displacements_look_right_and_down_by_parts_of_a_pixel() -> None:
    pixels = np.zeros((1, 4, 3), dtype=np.uint8)
    pixels[0, :, :] = np.array([0, 100, 200, 40])[:, None]
    none = np.zeros((1, 4), dtype=np.int32)
    assert np.array_equal(displaced(pixels, none, none), pixels)
    assert displaced(pixels, none + 32, none)[0, :3, 0].tolist() == [100, 200, 40]
    assert displaced(pixels, none + 8, none)[0, :3, 0].tolist() == [25, 125, 160]
    turned = np.ascontiguousarray(pixels.transpose(1, 0, 2))
    assert displaced(turned, none.T, none.T + 16)[:3, 0, 0].tolist() == [50, 150, 120]


def test_whole_displacements_take_whole_pixels() -> None:
    pixels = noise(30, 40)
    rng = np.random.default_rng(1)
    right, down = (rng.integers(-3, 4, size=(30, 40)).astype(np.int32) for _ in range(2))
    right[:, :3] = right[:, -3:] = down[:3] = down[-3:] = 0
    y, x = np.mgrid[0:30, 0:40]
    assert np.array_equal(displaced(pixels, right * 32, down * 32), pixels[y + down, x + right])


def test_detail_is_counted_by_hand() -> None:
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[0, 0] = 8
    assert detail(pixels) == 8.0  # one of two steps down, one of two to the right
    assert DETAIL_LOST.of(scene(pixels), scene(pixels // 2)) == 0.5
    one = np.zeros((1, 1, 3), dtype=np.uint8)
    assert [m.of(scene(one), scene(one)) for m in (DETAIL_LOST, dimmed(80), obscured(80))] == [0.0, 0.0, 0.0]


def test_dimming_sees_the_scene_through_what_is_laid_over_it() -> None:
    before = noise(120, 160, high=100) // 4 * 4
    veil = np.random.default_rng(5).integers(0, 60, size=before.shape).astype(np.uint8)
    half = (before // 2 + 30).astype(np.uint8)
    assert dimmed(160).of(scene(before), scene(half)) == pytest.approx(0.5)
    assert dimmed(160).of(scene(before), scene(half + veil)) == pytest.approx(0.5, abs=0.02)
    assert dimmed(160).of(scene(before), scene(np.full_like(before, 9))) == 1.0


def test_half_the_height_is_a_quarter_of_the_power_and_as_much_other_detail_halves_it() -> None:
    before = noise(120, 160, high=100) // 4 * 4
    half = (before // 2 + 30).astype(np.uint8)
    assert obscured(160).of(scene(before), scene(before)) == pytest.approx(0.0)
    assert obscured(160).of(scene(before), scene(half)) == pytest.approx(0.75)
    equal = np.random.default_rng(5).permutation(half.reshape(-1, 3)).reshape(half.shape)  # as much again, by chance
    assert obscured(160).of(scene(before), scene(half + equal)) == pytest.approx(0.875, abs=0.03)
    assert obscured(160).of(scene(before), scene(np.full_like(before, 9))) == 1.0


def test_bands_hold_every_row_once_in_order() -> None:
    for height in (1, 31, 32, 33, 100):
        assert [row for rows in bands(height) for row in range(rows.start, rows.stop)] == list(range(height))
    assert [rows.stop - rows.start for rows in bands(70)] == [32, 32, 6]
