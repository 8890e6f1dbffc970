from __future__ import annotations

import math

import numpy as np
import pytest

from robust.corruptions.air import airlight, extinction, look_through, smooth_field, transmission, veil_share
from robust.corruptions.causes.depth_fog import befog
from robust.corruptions.causes.low_sun import closing, dazzle, inverse_square, place
from robust.corruptions.depth import View
from robust.corruptions.laws import Context, Pixels, Scene
from robust.corruptions.light import decode, encode
from robust.corruptions.suites import load_suite
from robust.datasets.records import Annotations
from tests.corruptions.street import backdrop, hard_street


def context(seed: int = 0) -> Context:
    street = hard_street()
    return Context(np.random.default_rng(seed), street.dataset, 0, street.source)


def plain(pixels: Pixels, boxes: list[tuple[float, float, float, float]] | None = None) -> Scene:
    boxes = boxes or []
    return Scene.start(pixels, Annotations.build(boxes, [1] * len(boxes), range(1, len(boxes) + 1)))


def fogged(pixels: Pixels, visibility: float, unevenness: float = 0.0) -> Pixels:
    return befog(plain(pixels), context(), visibility=visibility, unevenness=unevenness).pixels


def test_five_percent_of_the_contrast_is_left_at_the_visibility() -> None:
    depth = np.array([[0.0, 35.0, 70.0, 140.0]], dtype=np.float32)
    assert transmission(depth, extinction(70.0))[0] == pytest.approx([1.0, math.sqrt(0.05), 0.05, 0.0025], abs=2e-4)
    assert extinction(1000.0) == pytest.approx(2.9957e-3, rel=1e-4)


def test_transmissions_multiply_along_the_way() -> None:
    steps = np.linspace(0, 60, 50, dtype=np.float32)[None, :]
    ahead = transmission(steps, 0.03)
    assert (np.diff(ahead[0]) < 0).all()
    assert transmission(steps + np.float32(20), 0.03) == pytest.approx(ahead * math.exp(-0.6), abs=3e-4)


def test_a_black_object_at_the_visibility_keeps_five_percent_of_its_contrast_in_the_picture() -> None:
    black = np.zeros((480, 640, 3), dtype=np.uint8)
    light = airlight(black)
    view = View.of(Annotations.empty(), (480, 640))
    for row in (300, 360, 470):
        visibility = float(view.depth_of_rows(np.array([row + 0.5]))[0])
        seen = decode(fogged(black, visibility))[row, 5]
        assert (light - seen) / light == pytest.approx([0.05] * 3, abs=0.01)  # 8-bit coding


def test_fog_is_thicker_in_the_distance_and_leaves_what_has_its_own_light() -> None:
    black = np.zeros((480, 640, 3), dtype=np.uint8)
    column = fogged(black, 60.0)[:, 0, 1].astype(int)
    assert (np.diff(column) <= 0).all()
    assert column[0] > column[300] > column[479] > 0
    grey = encode(np.broadcast_to(airlight(np.full((48, 64, 3), 180, dtype=np.uint8)), (48, 64, 3)))
    assert np.abs(fogged(grey, 10.0).astype(int) - grey).max() <= 1


def test_uneven_fog_is_as_thick_in_the_mean_and_really_uneven() -> None:
    black = np.zeros((480, 640, 3), dtype=np.uint8)
    even, uneven = decode(fogged(black, 60.0)), decode(fogged(black, 60.0, 0.15))
    assert uneven.mean() == pytest.approx(even.mean(), rel=0.04)
    assert uneven[400].std() > 0.02 * uneven[400].mean()
    assert np.ptp(even[400, :, 1]) == 0
    fields = [smooth_field((90, 120), np.random.default_rng(seed)) for seed in range(40)]
    assert all(-1.0 <= field.min() < -0.9 and 0.9 < field.max() <= 1.0 for field in fields)
    assert np.mean(fields) == pytest.approx(0.0, abs=0.1)
    assert max(np.abs(np.diff(field, axis=1)).max() for field in fields) < 0.1  # smooth


def test_the_air_is_as_bright_as_the_brightest_twentieth_within_limits() -> None:
    pixels = np.full((100, 100, 3), 40, dtype=np.uint8)
    pixels[:10] = 200
    level = float(decode(np.full((1, 1, 3), 200, dtype=np.uint8))[0, 0, 0])
    assert airlight(pixels) == pytest.approx([level] * 3, rel=0.02)  # a grey picture: grey air
    assert airlight(np.zeros((9, 9, 3), dtype=np.uint8)) == pytest.approx([0.25] * 3, rel=0.02)
    assert airlight(np.full((9, 9, 3), 255, dtype=np.uint8)) == pytest.approx([0.7] * 3, rel=0.02)


def test_layers_are_mixed_from_the_far_one_to_the_near_one() -> None:
    pixels = np.full((2, 2, 3), 188, dtype=np.uint8)  # 0.503 of linear light
    half, most = np.full((2, 2), 0.5, dtype=np.float32), np.full((2, 2), 0.75, dtype=np.float32)
    white, black = np.ones(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    seen = decode(look_through(pixels, (half, white), (most, black)))
    assert seen == pytest.approx(np.full((2, 2, 3), (0.503 * 0.5 + 0.5) * 0.75), abs=0.005)


def test_the_share_of_the_veil_by_hand() -> None:
    before = backdrop(120, 160, seed=2)
    linear = decode(before)
    veiled = encode(np.asarray(linear * np.float32(0.5) + np.float32(0.2), dtype=np.float32))
    share = 0.2 / (0.2 + 0.5 * float(linear.mean()))
    assert veil_share(plain(before), plain(veiled)) == pytest.approx(share, abs=0.01)
    darker = encode(np.asarray(linear * np.float32(0.5), dtype=np.float32))
    assert veil_share(plain(before), plain(darker)) == pytest.approx(0.0, abs=0.01)  # an exposure adds no veil
    flat = np.full((5, 5, 3), 90, dtype=np.uint8)
    assert veil_share(plain(flat), plain(flat)) == 0.0


def test_glare_falls_with_the_square_of_the_angle() -> None:
    focal, sun = 576.0, (320.0, 240.0)
    veil = inverse_square((480, 640), focal, sun)
    right = [math.tan(math.radians(angle)) * focal + 319.5 for angle in (2.5, 5.0, 10.0, 20.0)]
    seen = [float(np.interp(column, np.arange(640), veil[240])) for column in right]
    assert seen == pytest.approx([16.0, 4.0, 1.0, 0.25], rel=0.02)
    assert veil.max() <= (10 / 0.27) ** 2 + 1  # the disc itself, not infinity


@pytest.mark.parametrize("sun", [(100.0, 20.0), (560.0, -24.0)])
def test_the_angle_is_the_one_between_both_rays(sun: tuple[float, float]) -> None:
    focal = 576.0
    y, x = np.mgrid[0:480, 0:640] + 0.5
    rays = np.stack([(x - 320) / focal, (y - 240) / focal, np.ones_like(x)], axis=-1)
    ray = np.array([(sun[0] - 320) / focal, (sun[1] - 240) / focal, 1.0])
    cosine = rays @ ray / np.linalg.norm(rays, axis=-1) / np.linalg.norm(ray)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    wanted = (10.0 / angle) ** 2
    fair = (angle > 0.3) & (angle < 45)
    assert fair.mean() > 0.7
    assert np.abs(inverse_square((480, 640), focal, sun) / wanted - 1)[fair].max() < 0.03


def test_the_camera_closes_by_the_light_that_came_in_cut_at_white() -> None:
    grey, none = np.full((12, 12, 3), 124, dtype=np.uint8), np.ones(3, dtype=np.float32)  # 0.202 of linear light
    level = float(decode(grey).mean())
    veil = np.full((12, 12), 0.4, dtype=np.float32)
    assert closing(grey, veil, none) == pytest.approx((level + 0.02) / (level + 0.42), rel=1e-4)
    assert closing(grey, veil * 100, none) == pytest.approx((level + 0.02) / 1.02, rel=1e-4)
    assert closing(grey, veil * 0, none) == 1.0


def test_no_glare_is_no_change_and_full_metering_keeps_the_light() -> None:
    pixels = backdrop(120, 160)
    assert np.array_equal(dazzle(plain(pixels), context(), glare=0.0, kelvin=3500.0, metering=0.7).pixels, pixels)
    kept = dazzle(plain(pixels), context(), glare=0.2, kelvin=3500.0, metering=1.0).pixels
    burnt = dazzle(plain(pixels), context(), glare=0.2, kelvin=3500.0, metering=0.0).pixels
    assert decode(burnt).mean() > 1.2 * decode(pixels).mean()
    assert decode(kept).mean() == pytest.approx(decode(pixels).mean(), rel=0.06)
    warm = decode(burnt).mean(axis=(0, 1)) - decode(pixels).mean(axis=(0, 1))
    assert warm[0] > warm[1] > warm[2]


def test_the_sun_stands_in_the_bright_part_and_behind_nobody() -> None:
    pixels = np.full((480, 640, 3), 60, dtype=np.uint8)
    pixels[:, 320:] = 220
    people = [(330.0, 40.0, 480.0, 460.0)]
    scene = plain(pixels, people)
    view = View.of(scene.annotations, (480, 640))
    for seed in range(20):
        x, y = place(scene, view, np.random.default_rng(seed))
        assert x > 320 - 22  # a thirtieth of the width: the edge is still partly bright
        assert not (330 <= x <= 480 and 40 <= y <= 460)
        assert -24 <= y <= 216


def test_the_weather_suite_holds_its_four_conditions_at_every_severity() -> None:
    suite = load_suite("weather")
    assert {variant.corruption for variant in suite.variants} >= {"depth_fog", "rainfall", "snowfall", "low_sun"}
    assert len(suite.variants) == 5 * len({variant.corruption for variant in suite.variants})
