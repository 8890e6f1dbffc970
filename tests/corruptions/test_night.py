from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import skew

from robust.corruptions.causes.night import Night, darken, exact_weights, expose, shake, stops_lost, street_light
from robust.corruptions.laws import Context, Scene
from robust.corruptions.light import decode
from robust.datasets.records import Annotations
from tests.corruptions.street import backdrop, hard_street

QUIET = Night(stops=0.0, gain=0.0, kelvin=6500.0, adaptation=1.0, electrons=1e9, read_noise=0.0, blur=0.0, pools=0.0)


def at_night(pixels: np.ndarray, night: Night) -> np.ndarray:
    street = hard_street()
    context = Context(np.random.default_rng(0), street.dataset, 0, street.source)
    return darken(Scene.start(pixels, Annotations.empty()), context, night=night).pixels


@pytest.mark.parametrize("stops", [1.0, 2.0, 3.5])
def test_each_stop_halves_the_light(stops: float) -> None:
    grey = np.full((20, 20, 3), 200, dtype=np.uint8)
    ratio = decode(at_night(grey, replace(QUIET, stops=stops))).mean() / decode(grey).mean()
    assert ratio == pytest.approx(2.0**-stops, rel=0.02)  # what is left is 8-bit rounding


def test_nothing_set_changes_nothing() -> None:
    pixels = backdrop(60, 80)
    assert np.array_equal(at_night(pixels, QUIET), pixels)


def test_automatic_gain_gives_its_share_of_the_missing_stops_back() -> None:
    grey = np.full((20, 20, 3), 118, dtype=np.uint8)  # 0.18 in linear light: well exposed
    full = at_night(grey, replace(QUIET, stops=4.0, gain=1.0))
    half = at_night(grey, replace(QUIET, stops=4.0, gain=0.5))
    assert abs(int(full[0, 0, 0]) - 118) <= 1
    assert decode(half).mean() / decode(grey).mean() == pytest.approx(0.25, rel=0.03)


@pytest.mark.parametrize("level", [0.0, 0.7, 3.0, 20.0, 120.0, 900.0])
@pytest.mark.parametrize("read_noise", [1.0, 3.0])
def test_noise_has_the_moments_of_poisson_plus_gauss(level: float, read_noise: float) -> None:
    electrons = np.full((300, 400), level, dtype=np.float32)
    expose(electrons, read_noise, np.random.default_rng(3))
    variance = level + read_noise**2
    assert electrons.mean() == pytest.approx(level, abs=5 * np.sqrt(variance / electrons.size))
    assert electrons.var() == pytest.approx(variance, rel=0.03)
    assert float(skew(electrons.ravel())) == pytest.approx(level / variance**1.5, abs=0.06)  # third cumulant: level


def test_shake_keeps_the_light_and_spreads_it_over_its_length() -> None:
    point = np.zeros((41, 41, 3), dtype=np.uint8)
    point[20, 20] = 250
    blurred = shake(point, 8.0, 0.0)
    assert blurred.sum(axis=(0, 1))[0] == pytest.approx(250, rel=0.05)
    assert np.flatnonzero(blurred[20, :, 0]).tolist() == pytest.approx(list(range(16, 25)), abs=0)
    assert not blurred[:19].any()
    assert np.array_equal(shake(point, 0.4, 0.0), point)


def test_street_light_is_even_in_the_mean_and_dark_in_the_sky() -> None:
    light = street_light(240, 320, 0.8, np.array([0.1, 0.2, 0.5, 0.0]))
    assert light.shape == (240, 320)
    assert light.mean() == pytest.approx(1.0, abs=0.05)
    assert light[:24].mean() < 0.6 * light[120:].mean()
    assert light.min() > 0


def test_lost_stops_are_measured_in_linear_light() -> None:
    before, after = np.full((8, 8, 3), 255, dtype=np.uint8), np.full((8, 8, 3), 188, dtype=np.uint8)  # 188: 0.503
    scenes = [Scene.start(pixels, Annotations.empty()) for pixels in (before, after)]
    assert stops_lost(*scenes) == pytest.approx(1.0, abs=0.02)


def test_the_kernel_of_the_shake_is_exact_and_sums_to_one() -> None:
    kernel = np.array([[0.1, 0.2, 0.3], [0.05, 0.15, 0.2]], dtype=np.float32)
    weights = exact_weights(kernel)
    assert weights.sum(dtype=np.float64) == 1.0
    assert np.array_equal(weights * 1024, np.round(weights * 1024))
    assert np.abs(weights - kernel).max() <= 1 / 1024


def test_the_shake_keeps_a_flat_picture_flat() -> None:
    for level in (0, 1, 128, 255):
        flat = np.full((30, 40, 3), level, dtype=np.uint8)
        assert np.array_equal(shake(flat, 7.3, 0.4), flat)
