from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robust.corruptions.causes.night import Night, darken, stops_lost, street_light
from robust.corruptions.lamps import draw_lamps
from robust.corruptions.laws import Context, Scene
from robust.corruptions.light import decode
from robust.datasets.records import Annotations
from tests.corruptions.street import backdrop, hard_street

QUIET = Night(
    stops=0.0,
    gain=0.0,
    kelvin=6500.0,
    adaptation=1.0,
    electrons=1e9,
    read_noise=0.0,
    blur=0.0,
    pools=0.0,
    lamps=0,
    glare=0.0,
)


NOBODY = Annotations.empty()


def at_night(pixels: np.ndarray, night: Night, people: Annotations = NOBODY) -> np.ndarray:
    street = hard_street()
    context = Context(np.random.default_rng(0), street.dataset, 0, street.source)
    return darken(Scene.start(pixels, people), context, night=night).pixels


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


def test_shake_keeps_the_light_and_spreads_it_over_its_length() -> None:
    point = np.zeros((81, 81, 3), dtype=np.uint8)
    point[40, 40] = 255
    light = decode(at_night(point, replace(QUIET, blur=12 / 81)))[..., 1]
    assert light.sum() == pytest.approx(1.0, rel=0.05)
    y, x = np.nonzero(light)
    assert np.hypot(np.ptp(x), np.ptp(y)) == pytest.approx(12, abs=2)
    assert np.count_nonzero(light) < 50  # a thin line, not a disc


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


GREY = np.full((240, 320, 3), 100, dtype=np.uint8)
LIT = replace(QUIET, stops=3.0, lamps=2, glare=1.0)


def test_lamps_shine_and_what_is_far_from_them_is_veiled() -> None:
    dark, lit = at_night(GREY, replace(LIT, lamps=0)), at_night(GREY, LIT)
    assert (lit >= dark).all()
    assert lit.max() == 255
    assert 0 < (lit == 255).all(axis=2).mean() < 0.02
    assert (lit[-20:] > dark[-20:]).any()


def test_lamps_burn_out_where_they_were_drawn() -> None:
    rng = np.random.default_rng(0)
    rng.uniform(0, 1), rng.uniform(0, 1, size=4)  # direction of the shake, phases of the pools
    lit = at_night(GREY, replace(LIT, glare=0.0))
    for lamp in draw_lamps(2, 240, 320, rng):
        assert lit[int(lamp.y), int(lamp.x)].tolist() == [255, 255, 255]


def test_somebody_before_the_lamps_hides_them() -> None:
    everywhere = Annotations.build([(0, 0, 320, 240)], [1], [1])
    assert np.array_equal(at_night(GREY, LIT, everywhere), at_night(GREY, replace(LIT, lamps=0)))


def test_a_camera_that_looks_into_lamps_sets_less_gain() -> None:
    half = replace(LIT, gain=0.8)
    blinded = at_night(GREY, replace(half, glare=20.0)).astype(int)
    assert (blinded - at_night(GREY, replace(half, lamps=0))).min() < 0


def test_the_light_of_lamps_is_more_uneven_with_deeper_pools() -> None:
    spreads = [
        float(decode(at_night(GREY, replace(LIT, glare=0.0, stops=2.0, pools=p)))[200].std()) for p in (0.0, 0.3, 0.6)
    ]
    assert spreads[0] < spreads[1] < spreads[2]
