from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from robust.corruptions.causes.rainfall import drop_speed, rain_of
from robust.corruptions.causes.snowfall import snow_of
from robust.corruptions.particles import Optics, Swarm, coverage, expected_count, scatter
from robust.corruptions.precipitation import Precipitation

SIZE = (480, 640)
OPTICS = Optics(exposure=0.004, aperture=0.001, finest=0.001)


def one(**fields: float) -> Swarm:
    """A single particle; lengths in pixels."""
    given = {"x": 320.0, "y": 240.0, "depth": 1.0, "diameter": 1.0, "dx": 0.0, "dy": 0.0} | fields
    given.setdefault("blurred", given["diameter"])
    return Swarm(**{name: np.array([value]) for name, value in given.items()})


@pytest.mark.parametrize("rate", [10.0, 50.0, 150.0])
def test_the_drops_of_a_rain_bring_about_its_water(rate: float) -> None:
    fall = rain_of(rate)

    def flux(d: float) -> float:  # mm^3 a second on a square metre, for each mm of diameter
        return math.pi / 6 * d**3 * fall.density * math.exp(-fall.slope * d) * float(drop_speed(np.array([d]))[0])

    water = quad(flux, 0.11, 10.0)[0] * 3600 * 1e-6  # mm an hour
    assert water == pytest.approx(rate, rel=0.2)


@pytest.mark.parametrize("rate", [0.5, 2.0, 8.0])
def test_the_flakes_of_a_snowfall_bring_about_its_water(rate: float) -> None:
    fall = snow_of(rate)

    def flux(d: float) -> float:  # a flake has a twentieth of the density of water
        speed = float(fall.speed(np.array([d]))[0])
        return 0.05 * math.pi / 6 * d**3 * fall.density * math.exp(-fall.slope * d) * speed

    assert quad(flux, 0.0, 80.0)[0] * 3600 * 1e-6 == pytest.approx(rate, rel=0.3)


def test_drops_fall_as_fast_as_measured() -> None:
    # Gunn and Kinzer (1949), still air at sea level: diameters in mm, speeds in m/s
    assert drop_speed(np.array([1.0, 2.0, 3.0, 5.0])) == pytest.approx([4.03, 6.49, 8.06, 9.09], rel=0.03)


def test_extinction_is_twice_the_cross_section_of_all_drops() -> None:
    fall = rain_of(50.0)
    area = quad(lambda d: math.pi / 4 * (d * 1e-3) ** 2 * fall.density * math.exp(-fall.slope * d), 0.0, 60.0)[0]
    assert fall.extinction == pytest.approx(2 * area, rel=1e-6)
    assert 500 < math.log(20) / fall.extinction < 1000  # metres of visibility in a rain of 50 mm/h
    assert 1000 > math.log(20) / snow_of(2.5).extinction > 300  # heavy snow: about 400 m


@pytest.mark.parametrize("fall", [rain_of(50.0), snow_of(4.0)], ids=["rain", "snow"])
def test_the_number_drawn_is_the_density_times_the_volume_in_view(fall: Precipitation) -> None:
    def number(z: float, d: float) -> float:
        return fall.density * math.exp(-fall.slope * d) * z * z

    integral = dblquad(number, fall.smallest, fall.largest, 0.4, lambda d: max(0.4, d * 1e-3 / OPTICS.finest))[0]
    solid_angle = (480 + 2 * 38.4) * (640 + 2 * 38.4) / 576**2
    expected = expected_count(fall, OPTICS, SIZE)
    assert expected == pytest.approx(solid_angle * integral, rel=1e-3)
    drawn = len(scatter(fall, OPTICS, SIZE, np.random.default_rng(0), wind=0.0, gust=0.0))
    assert abs(drawn - expected) <= 1
    assert expected_count(fall, OPTICS, (240, 320)) == pytest.approx(expected)  # the same view on fewer pixels


def test_sizes_and_depths_are_spread_by_the_law() -> None:
    fall = replace(rain_of(50.0), density=80000.0)
    swarm = scatter(fall, OPTICS, SIZE, np.random.default_rng(1), wind=0.0, gust=0.0)
    d = swarm.diameter * swarm.depth / 576 * 1e3
    solid_angle = (480 + 2 * 38.4) * (640 + 2 * 38.4) / 576**2
    for low, high, near, far in ((1.0, 1.5, 0.5, 1.0), (2.0, 3.0, 0.5, 1.0), (2.0, 3.0, 1.5, 2.0)):
        found = int(((d >= low) & (d < high) & (swarm.depth >= near) & (swarm.depth < far)).sum())
        of_size = (math.exp(-fall.slope * low) - math.exp(-fall.slope * high)) * fall.density / fall.slope
        wanted = solid_angle * (far**3 - near**3) / 3 * of_size
        assert wanted > 300
        assert found == pytest.approx(wanted, abs=5 * math.sqrt(wanted))
    assert swarm.x.mean() == pytest.approx(320, abs=5)
    assert swarm.y.mean() == pytest.approx(240, abs=5)


def test_a_streak_is_as_long_as_the_way_while_the_shutter_is_open() -> None:
    swarm = scatter(rain_of(50.0), OPTICS, SIZE, np.random.default_rng(2), wind=2.0, gust=0.0)
    d = swarm.diameter * swarm.depth / 576 * 1e3
    assert swarm.dy == pytest.approx(drop_speed(d) * 0.004 * 576 / swarm.depth, rel=1e-3)
    assert swarm.dx == pytest.approx(2.0 * 0.004 * 576 / swarm.depth, rel=1e-9)
    assert swarm.blurred == pytest.approx(np.hypot(d * 1e-3, 0.001) * 576 / swarm.depth, rel=1e-9)


@pytest.mark.parametrize(
    "fields",
    [{}, {"diameter": 0.3}, {"diameter": 7.3, "dy": 3.0}, {"diameter": 1.4, "dx": 9.0, "dy": 40.0}, {"blurred": 5.0}],
)
def test_a_particle_covers_its_own_area_however_it_is_smeared(fields: dict[str, float]) -> None:
    swarm = one(**fields)
    covered = coverage(swarm, SIZE)
    assert covered.sum() == pytest.approx(math.pi / 4 * float(swarm.diameter[0]) ** 2, rel=0.02)
    rows, columns = np.mgrid[0:480, 0:640] + 0.5
    assert (covered * rows).sum() / covered.sum() == pytest.approx(240.0, abs=0.1)
    assert (covered * columns).sum() / covered.sum() == pytest.approx(320.0, abs=0.1)
    half = (float(swarm.blurred[0]) + float(swarm.dy[0])) / 2
    assert np.ptp(np.nonzero(covered.sum(axis=1))[0]) + 1 == pytest.approx(2 * half + 1, abs=2.0)


def test_a_pixel_in_a_streak_is_covered_for_the_time_of_passing() -> None:
    # 4 pixels wide, falls 80 pixels: the middle is covered for a twentieth of the exposure
    covered = coverage(one(diameter=4.0, dy=80.0), SIZE)
    assert covered[220:260, 318:322].mean() == pytest.approx(math.pi / 4 * 16 / (80 * 4), rel=0.05)


def test_a_flake_at_rest_hides_what_is_behind_it() -> None:
    covered = coverage(one(diameter=9.0), SIZE)
    assert covered[239:241, 319:321] == pytest.approx(np.ones((2, 2)), abs=0.1)  # made of dots on a grid
    assert covered.max() <= 1.0


def test_large_pictures_get_the_same_particle_enlarged() -> None:
    large = one(x=1280.0, y=960.0, diameter=12.0, dy=60.0)
    covered = coverage(large, (1920, 2560))
    assert covered.shape == (1920, 2560)
    assert covered.sum() == pytest.approx(math.pi / 4 * 144, rel=0.02)


def test_particles_behind_the_scene_are_hidden_and_an_empty_air_covers_nothing() -> None:
    depth = np.full(SIZE, 3.0, dtype=np.float32)
    depth[:, 320:] = 0.5
    swarm = Swarm(
        *(np.array(values) for values in ([100.0, 400.0, -50.0], [9.0] * 3, [1.0, 1.0, 5.0], *[[1.0] * 3] * 4))
    )
    assert swarm.before(depth).x.tolist() == [100.0]
    assert not coverage(swarm.picked(np.zeros(3, dtype=np.bool_)), SIZE).any()
