from __future__ import annotations

import math

import numpy as np
import pytest

from robust.corruptions.lamps import Lamp, draw_lamps, glow, lamp_light, pool, unhidden

FOCAL = 640 / 2 / math.tan(math.radians(30))  # 60 degrees along 640 pixels


def at(across: float, below: float) -> float:
    return float(pool(np.array([across]), np.array([below]))[0])


def lamp_at(distance: float) -> Lamp:
    return Lamp(320.0, 100.0, FOCAL / distance, 0.25 * FOCAL / distance)


def test_the_light_on_the_ground_is_that_of_a_point_source_by_hand() -> None:
    assert at(0.0, 7.0) == pytest.approx(1.0)  # its foot
    assert at(0.0, 0.0) == 0.0
    assert at(5.0, -1.0) == 0.0  # nothing goes up
    law = [7.0 / math.hypot(across, 7.0) ** 3 for across in (30.0, 60.0)]  # cos / r^2
    assert at(30.0, 7.0) / at(60.0, 7.0) == pytest.approx(law[0] / law[1], rel=0.03)


@pytest.mark.parametrize("distance", [12.0, 25.0, 40.0])
@pytest.mark.parametrize("degrees", [4.0, 10.0])
def test_the_veil_is_that_of_stiles_and_holladay(distance: float, degrees: float) -> None:
    pixels = math.radians(degrees) * FOCAL
    lux = 800.0 / distance**2
    white = 10.0 / math.pi  # cd/m2 under 10 lux
    row, column = np.array([100.0], dtype=np.float32), np.array([320.0 + pixels], dtype=np.float32)
    veil = [float(glow(row, column, lamp_at(distance), glare)[0, 0]) for glare in (0.0, 1.0, 3.0)]
    own = math.degrees(0.25 / distance)  # the angle's floor
    assert veil[1] - veil[0] == pytest.approx(10.0 * lux / (degrees**2 + own**2) / white, rel=0.01)
    assert veil[2] - veil[0] == pytest.approx(3 * (veil[1] - veil[0]), rel=1e-4)
    assert veil[0] < 0.2 * veil[1]  # the lamp itself falls off much faster


def test_a_lamp_gives_the_light_of_its_disc() -> None:
    lamp = lamp_at(15.0)
    centres = np.arange(0, 640, dtype=np.float32) + np.float32(0.5)
    light = glow(centres[:300], centres, lamp, 0.0).sum(dtype=np.float64)
    luminance = 800.0 / (math.pi * 0.25**2)  # cd/m2, even over the disc
    assert light == pytest.approx(math.pi * lamp.spot**2 * luminance * math.pi / 10.0, rel=0.01)


def test_lamps_stand_beside_each_other_above_the_horizon_and_scale_with_the_picture() -> None:
    large, small = (draw_lamps(3, *size, np.random.default_rng(5)) for size in ((480, 640), (240, 320)))
    for k, (a, b) in enumerate(zip(large, small, strict=True)):
        assert k / 3 * 640 <= a.x <= (k + 1) / 3 * 640
        assert a.y < 0.45 * 480
        assert FOCAL / 40.0 <= a.metre <= FOCAL / 12.0
        assert (a.x, a.y, a.metre, a.spot) == pytest.approx((2 * b.x, 2 * b.y, 2 * b.metre, 2 * b.spot))
    assert draw_lamps(0, 480, 640, np.random.default_rng(5)) == ()


def test_lamps_behind_a_box_are_hidden() -> None:
    left, right = Lamp(50.0, 20.0, 40.0, 5.0), Lamp(150.0, 20.0, 40.0, 5.0)
    assert unhidden((left, right), np.array([[56.0, 0.0, 90.0, 90.0]])) == (left, right)
    assert unhidden((left, right), np.array([[54.0, 0.0, 90.0, 90.0]])) == (right,)
    assert unhidden((left, right), np.zeros((0, 4))) == (left, right)


def test_the_pools_lie_below_the_lamps_and_are_even_in_the_mean() -> None:
    lamp = Lamp(200.0, 60.0, 30.0, 7.5)
    light = lamp_light(480, 640, 0.6, (lamp,))
    assert light.shape == (480, 640)
    assert light.mean() == pytest.approx(1.0, abs=0.03)
    assert light[:40].max() == pytest.approx(0.4, abs=0.02)  # the even part alone
    assert abs(int(np.argmax(light[270])) - 200) <= 16
    assert np.ptp(lamp_light(480, 640, 0.0, (lamp,))) == 0
