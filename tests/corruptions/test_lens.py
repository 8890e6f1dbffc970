from __future__ import annotations

import math

import numpy as np
import pytest

from robust.corruptions.causes.camera_motion import coarse, path, smear, smear_length
from robust.corruptions.causes.out_of_focus import blur_by_disc, disc_radius, shrinking
from robust.corruptions.kernels import (
    FULL,
    disc,
    disc_of_variance,
    even_weights,
    light_of,
    pixels_of,
    splat,
    spread,
)
from robust.corruptions.laws import Scene
from robust.corruptions.light import decode
from robust.datasets.records import Annotations
from tests.corruptions.street import backdrop


def blurred(light: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    return np.concatenate([part for _, part in spread(light, kernel, stride)])


def variances(kernel: np.ndarray) -> tuple[float, float]:
    """Of a kernel along x and y, its mean taken as the middle."""
    half = kernel.shape[0] // 2
    offsets = np.arange(-half, half + 1.0)
    return float(kernel.sum(axis=0) @ offsets**2 / kernel.sum()), float(kernel.sum(axis=1) @ offsets**2 / kernel.sum())


def test_a_point_between_pixels_is_shared_by_hand() -> None:
    kernel = splat(np.array([0.25]), np.array([-0.5]))
    assert kernel.sum() == pytest.approx(1.0)
    assert kernel[kernel > 0].tolist() == pytest.approx([0.375, 0.125, 0.375, 0.125])


def test_even_weights_keep_what_is_even_and_stay_below_1024() -> None:
    kernel = np.full((7, 7), 1 / 49)
    kernel[0, 0] = 0.4 / 49
    weights = even_weights(kernel)
    assert weights.sum() <= 1024
    assert np.unique(weights).tolist() == [8, 21]  # 0.4 of 21 is 8.4


@pytest.mark.parametrize("stride", [1, 3])
def test_a_blur_is_the_sum_of_shifted_pictures_to_the_last_bit(stride: int) -> None:
    rng = np.random.default_rng(0)
    light = rng.integers(0, FULL + 1, size=(40, 37, 3)).astype(np.uint16)
    kernel = rng.integers(0, 60, size=(5, 5)).astype(np.int32)
    reach = 2 * stride
    padded = np.pad(light.astype(np.int64), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    wanted = np.zeros(light.shape, dtype=np.int64)
    for j in range(5):
        for i in range(5):
            down, across = 2 * reach - j * stride, 2 * reach - i * stride
            wanted += int(kernel[j, i]) * padded[down : down + 40, across : across + 37]
    scale = np.float32(1.0 / kernel.sum())
    assert np.array_equal(blurred(light, kernel, stride), wanted.astype(np.float32) * scale)


def test_a_point_becomes_the_kernel_the_right_way_round() -> None:
    point = np.zeros((21, 21, 3), dtype=np.uint16)
    point[10, 10] = 1000
    kernel = np.array([[0, 1, 2], [0, 4, 0], [1, 0, 0]], dtype=np.int32)
    assert np.array_equal(np.rint(blurred(point, kernel)[9:12, 9:12, 1] * 8 / 1000), kernel)


def test_light_and_pixels_are_each_other_s_inverse() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(pixels_of(light_of(codes).astype(np.float32)), codes)


@pytest.mark.parametrize("level", [0, 1, 7, 128, 254, 255])
def test_a_flat_picture_stays_flat(level: int) -> None:
    flat = np.full((50, 70, 3), level, dtype=np.uint8)
    assert np.array_equal(smear(flat, 23.0, 0.7, 0.5), flat)
    assert np.array_equal(smear(flat, 23.0, 0.7, 0.5, 3), flat)
    assert np.array_equal(blur_by_disc(flat, 4.3), flat)
    assert np.array_equal(blur_by_disc(flat, 15.0), flat)


@pytest.mark.parametrize("length", [2.0, 8.0, 30.0])
@pytest.mark.parametrize("angle", [0.0, 0.6, math.pi / 2])
def test_a_straight_path_spreads_like_a_line(length: float, angle: float) -> None:
    x, y = path(length, angle, 0.0)
    assert math.hypot(x[-1] - x[0], y[-1] - y[0]) == pytest.approx(length)
    along = x * math.cos(angle) + y * math.sin(angle)
    assert np.abs(x * math.sin(angle) - y * math.cos(angle)).max() < 1e-9
    assert along.var() == pytest.approx(length**2 / 12, rel=0.04)
    assert (x.mean(), y.mean()) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_a_bent_path_is_a_circular_arc() -> None:
    length, turn = 40.0, 0.8
    x, y = path(length, 0.3, turn)
    radius = length / turn
    assert math.hypot(x[-1] - x[0], y[-1] - y[0]) == pytest.approx(2 * radius * math.sin(turn / 2), rel=1e-3)  # chord
    middle = len(x) // 2
    sagitta = math.hypot(x[middle] - (x[0] + x[-1]) / 2, y[middle] - (y[0] + y[-1]) / 2)
    assert sagitta == pytest.approx(radius * (1 - math.cos(turn / 2)), rel=1e-2)


def test_a_white_point_becomes_a_line_of_its_light() -> None:
    point = np.zeros((41, 81, 3), dtype=np.uint8)
    point[20, 40] = 255
    light = decode(smear(point, 20.0, 0.0))[..., 0]
    assert light.sum() == pytest.approx(1.0, rel=0.03)  # what is left is 8-bit rounding
    assert light[20, 32:49] == pytest.approx(np.full(17, 1 / 20), rel=0.06)
    assert not light[[18, 22]].any()
    assert np.flatnonzero(light[20])[[0, -1]].tolist() == [30, 50]


def test_steps_of_three_pixels_blur_an_enlarged_picture_as_the_small_one() -> None:
    small = backdrop(60, 90)
    large = small.repeat(3, axis=0).repeat(3, axis=1)
    middle = smear(large, 3 * 9.0, 0.5, 0.4, 3)[1::3, 1::3]
    assert np.array_equal(middle[10:-10, 10:-10], smear(small, 9.0, 0.5, 0.4)[10:-10, 10:-10])


def test_steps_are_odd_and_at_most_the_scale() -> None:
    assert [coarse(scale) for scale in (0.2, 1.0, 2.9, 3.0, 4.9, 5.0, 12.5)] == [1, 1, 1, 3, 3, 5, 11]


@pytest.mark.parametrize("radius", [1.0, 2.5, 6.0])
def test_a_disc_is_even_and_has_the_area_and_width_of_a_disc(radius: float) -> None:
    kernel = disc(radius)
    half = kernel.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(x, y)
    assert (kernel[distance <= radius - 0.75] == 256).all()
    assert not kernel[distance > radius + 0.75].any()
    assert kernel.sum() / 256 == pytest.approx(math.pi * radius**2, rel=0.01)
    if radius > 1:  # smaller ones share their light unevenly between pixels
        assert variances(kernel) == pytest.approx((radius**2 / 4 + 1 / 12,) * 2, rel=0.03)
    assert np.array_equal(even_weights(kernel), even_weights(kernel).T[::-1])


def test_a_disc_within_a_pixel_is_that_pixel() -> None:
    assert [even_weights(disc(radius)).tolist() for radius in (0.0, 0.3, 0.5)] == [[[1024]]] * 3


@pytest.mark.parametrize("variance", [0.25, 1.0, 2.0, 9.0])
def test_a_disc_of_a_variance_has_it(variance: float) -> None:
    assert variances(disc_of_variance(variance)) == pytest.approx((variance,) * 2, rel=0.01)
    assert variances(even_weights(disc_of_variance(variance)).astype(float)) == pytest.approx((variance,) * 2, rel=0.02)


def test_a_kernel_too_wide_to_be_summed_exactly_is_refused() -> None:
    assert even_weights(np.ones((32, 32))).sum() == 1024
    with pytest.raises(ValueError, match="too wide"):
        even_weights(np.ones((33, 33)))


def edge_radius(radius: float) -> float:
    """Radius of the disc that spreads an edge as a blur does: the variance across the edge is radius^2 / 4."""
    reach, period = math.ceil(2 * radius) + 2 * shrinking(radius) + 3, shrinking(radius)
    found = []
    for place in range(period):  # an enlarged picture is blurred a little otherwise on each of its pixels' pixels
        edge = np.zeros((4 * period, 2 * reach, 3), dtype=np.uint8)
        edge[:, reach + place - period // 2 :] = 255
        light = decode(blur_by_disc(edge, radius))[2 * period, :, 1].astype(np.float64)
        line, x = np.diff(light), np.arange(2 * reach - 1.0)
        middle = float(line @ x)
        found.append(float(line @ (x - middle) ** 2))
    return 2 * math.sqrt(float(np.mean(found)))


@pytest.mark.parametrize("radius", [1.0, 2.0, 3.5, 5.5, 6.0, 6.001, 8.0, 11.0, 12.0, 12.001, 30.0, 96.0, 97.0, 300.0])
def test_light_is_spread_by_a_disc_of_the_radius_that_is_said(radius: float) -> None:
    assert edge_radius(radius) == pytest.approx(radius, rel=0.02)


@pytest.mark.parametrize("radius", [4.0, 9.0, 20.0])
def test_a_highlight_becomes_a_disc_of_its_light(radius: float) -> None:
    point = np.zeros((101, 101, 3), dtype=np.uint8)
    point[47:54, 47:54] = 255
    light = decode(blur_by_disc(point, radius))[..., 1].astype(np.float64)
    assert light.sum() == pytest.approx(49.0, rel=0.02)
    offsets = np.arange(-50, 51.0)
    variance = float(light.sum(axis=0) @ offsets**2 / light.sum())
    assert variance == pytest.approx(radius**2 / 4 + 48 / 12, rel=0.03)
    if radius > 6:
        assert light[50, 50] == pytest.approx(49.0 / (math.pi * radius**2), rel=0.1)


def test_discs_shrink_the_picture_until_they_are_small() -> None:
    assert [shrinking(radius) for radius in (0.1, 6.0, 6.1, 12.0, 13.0, 500.0)] == [1, 1, 2, 2, 4, 128]


@pytest.mark.parametrize("size", [(1, 1), (3000, 4), (40, 4000)])
def test_the_widest_blur_of_a_large_picture_is_flat(size: tuple[int, int]) -> None:
    """A disc of 625 pixels of 4000: alternate black and white columns become their mean light."""
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    pixels[:, ::2] = 255
    made = decode(blur_by_disc(pixels, 100.0 * max(size) / 640))
    assert made == pytest.approx(np.full_like(made, 1.0 if size == (1, 1) else 0.5), abs=0.005)


def scene(pixels: np.ndarray) -> Scene:
    return Scene.start(pixels, Annotations.empty())


STREET = backdrop(480, 640)


@pytest.mark.parametrize("angle", [0.0, 0.8, 2.5])
@pytest.mark.parametrize("length", [5.0, 12.0, 25.0])
def test_the_length_of_a_smear_can_be_read_from_the_pictures(length: float, angle: float) -> None:
    measured = smear_length(scene(STREET), scene(smear(STREET, length, angle)))
    assert measured == pytest.approx(math.sqrt(length**2 + 12 / 6), rel=0.1)  # with the sharing between pixels


@pytest.mark.parametrize("radius", [2.0, 5.0, 10.0])
def test_the_radius_of_a_blur_can_be_read_from_the_pictures(radius: float) -> None:
    measured = disc_radius(scene(STREET), scene(blur_by_disc(STREET, radius)))
    assert measured == pytest.approx(radius, rel=0.05)
    if radius == 2.0:  # the three weights of a disc of one pixel are far from a Gaussian at the highest frequencies
        return
    small = np.ascontiguousarray(STREET[::2, ::2])
    half = disc_radius(scene(small), scene(blur_by_disc(small, radius / 2)))
    assert half == pytest.approx(radius, rel=0.05)


def test_pictures_without_detail_or_change_show_no_blur() -> None:
    pixel = scene(np.full((1, 1, 3), 90, dtype=np.uint8))
    assert smear_length(pixel, pixel) == disc_radius(pixel, pixel) == 0.0
    assert smear_length(scene(STREET), scene(STREET)) == pytest.approx(0.0, abs=1e-3)
