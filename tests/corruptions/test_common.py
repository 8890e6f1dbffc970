"""The fifteen common corruptions against the published package and against their formulas."""

from __future__ import annotations

import hashlib
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from robust.corruptions.apply import corrupt
from robust.corruptions.causes.common_blur import disc_blurred, disc_shares, swept, trail, zoom
from robust.corruptions.causes.common_digital import displacement, flatten, pixelate
from robust.corruptions.causes.common_noise import add_impulses, gaussian_table, shot_table
from robust.corruptions.causes.common_weather import Snow, brighten, fill_with_fog, flakes, freeze, let_snow
from robust.corruptions.fixed_point import enlarged
from robust.corruptions.frost import PANES, pane
from robust.corruptions.laws import Context, Pixels, Scene
from robust.corruptions.plasma import SHADES, plasma
from robust.corruptions.records import SEVERITIES
from robust.corruptions.registry import get, make_variant
from robust.corruptions.suites import load_suite
from robust.datasets.records import Annotations
from tests.corruptions.street import Street, picture_of

REFERENCE: dict[str, Any] = json.loads(Path(__file__).with_name("common_reference.json").read_text(encoding="utf-8"))

PUBLISHED: dict[str, list[tuple[float, ...]]] = {
    # the constants of Hendrycks and Dietterich 2019 as Michaelis et al. 2019 use them, by severity
    "gaussian_noise": [(0.08,), (0.12,), (0.18,), (0.26,), (0.38,)],
    "shot_noise": [(60,), (25,), (12,), (5,), (3,)],
    "impulse_noise": [(0.03,), (0.06,), (0.09,), (0.17,), (0.27,)],
    "defocus_blur": [(3,), (4,), (6,), (8,), (10,)],
    "glass_blur": [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
    "motion_blur": [(21, 3), (31, 5), (31, 8), (31, 12), (41, 15)],  # the package's widths are 2 x radius + 1
    "zoom_blur": [(1.11, 0.01), (1.15, 0.01), (1.2, 0.02), (1.24, 0.02), (1.3, 0.03)],
    "snow": [
        (0.1, 0.3, 3, 0.5, 21, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 25, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 25, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 25, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 25, 12, 0.55),
    ],
    "frost": [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
    "fog": [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)],
    "brightness": [(0.1,), (0.2,), (0.3,), (0.4,), (0.5,)],
    "contrast": [(0.4,), (0.3,), (0.2,), (0.1,), (0.05,)],
    "elastic_transform": [(12.5,), (16.25,), (21.25,), (25,), (30,)],
    "pixelate": [(0.6,), (0.5,), (0.4,), (0.3,), (0.25,)],
    "jpeg_compression": [(25,), (18,), (15,), (10,), (7,)],
}
GROUPS = {"noise": 3, "blur": 4, "weather": 4, "digital": 4}

NEAR = {"mean": 0.8, "std": 0.015, "rms_change": 0.03, "gradient": 0.035}
"""Mean in code values, the others as shares."""
LOOSER = {
    "defocus_blur": {"mean": 2.0},  # the package's widest discs brighten the picture
    "pixelate": {"rms_change": 0.12, "gradient": 0.06},  # averages of areas, where Pillow takes whole pixels
    "snow": {"mean": 1.5, "rms_change": 0.03, "gradient": 0.06},
    "elastic_transform": {"rms_change": 0.06},  # six fields of 50 by 50 independent waves
    "motion_blur": {"rms_change": 0.06, "gradient": 0.06},  # six directions
    "frost": {"mean": 6.0, "std": 0.2, "rms_change": 0.1, "gradient": 0.3},  # other pictures of frost
    "fog": {"mean": 9.0, "std": 0.15, "rms_change": 0.15, "gradient": 0.12},  # each fractal has its own mean
}
RUNS = {"motion_blur": 6, "elastic_transform": 6, "snow": 5, "frost": 10, "fog": 20}


@cache
def pictures() -> tuple[Pixels, ...]:
    """Three softened street scenes, two 640 x 480 and one 480 x 640."""
    made = []
    for seed, (height, width) in enumerate(((480, 640), (480, 640), (640, 480))):
        boxes = [(60.0 + 20 * seed, 150.0, 130.0 + 20 * seed, 350.0)]
        pixels, _ = picture_of(
            height, width, [*boxes, (300.0, 140.0, 360.0, 320.0), (370.0, 170.0, 450.0, 400.0)], seed
        )
        made.append(np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.0), dtype=np.uint8))
    return tuple(made)


def scene(pixels: Pixels) -> Scene:
    return Scene.start(pixels, Annotations.empty())


def context(seed: int = 0) -> Context:
    return Context(np.random.default_rng(seed), Street().dataset, 0, Street().source)


def flat(*color: int, height: int = 64, width: int = 64) -> Pixels:
    return np.full((height, width, 3), color, dtype=np.uint8)


def statistics(before: Pixels, after: Pixels) -> list[float]:
    wide = after.astype(np.float64)
    steps = sum(float(np.abs(np.diff(wide, axis=axis)).mean()) for axis in (0, 1))
    return [float(wide.mean()), float(wide.std()), math.sqrt(float(((wide - before) ** 2).mean())), steps]


def test_the_reference_was_made_of_these_pictures() -> None:
    assert [hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in pictures()] == REFERENCE["pictures_sha256"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_pictures_are_changed_as_by_the_published_package(name: str) -> None:
    street = Street()
    for pixels in pictures():
        street.add(pixels, [])
    dataset, allowed = street.dataset, NEAR | LOOSER.get(name, {})
    for severity in SEVERITIES:
        rows = []
        for seed in range(RUNS.get(name, 2) if get(name).random else 1):
            for index, before in enumerate(pictures()):
                variant = make_variant(name, severity, seed=seed)
                rows.append(statistics(before, corrupt(dataset, index, variant, source=street.source).pixels))
        for key, found in zip(NEAR, np.mean(rows, axis=0).tolist(), strict=True):
            wanted = REFERENCE["statistics"][name][str(severity)][key]
            error = abs(found - wanted) / (1.0 if key == "mean" else wanted)
            assert error <= allowed[key], (severity, key, found, wanted)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_severities_are_the_published_ones(name: str) -> None:
    for severity, constants in zip(SEVERITIES, PUBLISHED[name], strict=True):
        assert tuple(get(name).severities[severity].values()) == constants


def test_the_suite_is_the_published_benchmark() -> None:
    variants = load_suite("common").variants
    assert [v.name for v in variants] == [f"{name}/{severity}" for name in PUBLISHED for severity in SEVERITIES]
    causes = [get(name).cause for name in PUBLISHED]
    assert causes == [cause for cause, count in GROUPS.items() for _ in range(count)]


def test_gaussian_noise_has_the_quantiles_of_a_normal_law() -> None:
    table = gaussian_table(0.2)  # sigma 51 code values
    assert float(table.std()) == pytest.approx(51.0, rel=0.001)
    assert table.tolist() == (-table[::-1]).tolist()
    assert table[int(65536 * 0.841345)] == 51
    assert table[int(65536 * 0.977250)] == 102


@pytest.mark.parametrize(("photons", "code"), [(60.0, 30), (60.0, 60), (3.0, 5), (3.0, 20)])
def test_shot_noise_keeps_the_mean_and_has_the_variance_of_counts(photons: float, code: int) -> None:
    """Codes that are dark enough to be hardly clipped and bright enough to be hardly rounded."""
    row = shot_table(photons).reshape(256, -1).astype(np.float64)[code]
    assert row.mean() == pytest.approx(code, rel=0.02)
    assert row.var() == pytest.approx(code * 255.0 / photons, rel=0.03)


@pytest.mark.parametrize("photons", [1e3, 1e4])
def test_many_photons_give_the_normal_law_of_counts(photons: float) -> None:
    """The normal quantiles of a Poisson law are right to one count and to one rounding there."""
    rows = shot_table(photons).reshape(256, -1).astype(np.float64)
    quantiles = ndtri((np.arange(4096) + 0.5) / 4096)
    for code in (50, 128, 200):
        wanted = code + quantiles * math.sqrt(code * 255.0 / photons)
        skew = (quantiles**2 - 1) / 6 * 255.0 / photons
        inside = wanted < 254.0
        assert float(np.abs(rows[code] - wanted - skew)[inside].max()) <= 0.5 + 1.01 * 255.0 / photons


@pytest.mark.parametrize("photons", [1.0, 745.0, 746.0, 1e6])
def test_shot_noise_keeps_the_mean_of_all_codes_up_to_the_most_photons(photons: float) -> None:
    rows = shot_table(photons).reshape(256, -1).astype(np.float64)
    code = 8 if photons < 2 else 150  # what is clipped at white darkens
    assert rows[code].mean() == pytest.approx(code, abs=1.0)
    assert (np.diff(rows, axis=1) >= 0).all()
    assert (np.diff(rows.mean(axis=1)) > 0).all()


def test_noise_that_does_not_fit_its_table_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        gaussian_table(30.0)


def test_no_light_gives_no_photons_and_full_light_seldom_none() -> None:
    rows = shot_table(3.0).reshape(256, -1)
    assert (rows[0] == 0).all()
    assert float((rows[255] == 0).mean()) == pytest.approx(math.exp(-3.0), abs=0.001)


def test_impulses_are_black_and_white_in_equal_shares_and_leave_the_rest() -> None:
    made = add_impulses(scene(flat(90, 90, 90, height=500, width=500)), context(), amount=0.2).pixels
    shares = [float((made == value).mean()) for value in (0, 255, 90)]
    assert shares == pytest.approx([0.1, 0.1, 0.8], abs=0.002)  # 750 000 values: one standard deviation is 0.0004


@pytest.mark.parametrize("radius", [1.5, 3.0, 4.0, 6.0, 10.0, 25.0])
def test_a_disc_spreads_an_edge_by_a_quarter_of_its_radius_squared(radius: float) -> None:
    edge = flat(0, 0, 0, height=200, width=400)
    edge[:, 200:] = 250
    response = np.diff(disc_blurred(edge, radius)[100, :, 0].astype(np.float64)) / 250.0
    places = np.arange(399) - 199.0
    assert float(response.sum()) == pytest.approx(1.0)
    assert float(response @ places) == pytest.approx(0.0, abs=0.1)
    assert float(response @ places**2) == pytest.approx(radius**2 / 4.0, rel=0.06, abs=0.1)


def test_a_disc_within_a_pixel_changes_nothing_and_every_disc_sums_to_one() -> None:
    assert disc_shares(0.4).tolist() == [[1.0]]
    assert {float(disc_shares(radius).sum(dtype=np.float64)) for radius in (0.6, 1.0, 3.3, 5.0)} == {1.0}
    assert disc_shares(5.0).shape == (11, 11)


def test_a_sweep_of_frosted_glass_is_the_loop_that_was_published() -> None:
    rows, columns, reach = 24, 31, 3
    found = swept(rows, columns, reach, np.random.default_rng(4)).reshape(rows, columns)
    draws = np.random.default_rng(4).integers(0, 36, size=(rows, columns), dtype=np.uint8).astype(int)
    origin = np.arange(rows * columns).reshape(rows, columns)
    for y in range(rows - reach, reach, -1):
        for x in range(columns - reach, reach, -1):
            origin[y, x] = origin[y + draws[y, x] // 6 - reach, x + draws[y, x] % 6 - reach]
    assert np.array_equal(found, origin)


def test_a_trail_fades_as_half_a_gaussian() -> None:
    moves, weights = trail(21.0, 3.0, 0.0)
    assert moves[:4] == [(0, 0), (-1, 0), (-2, 0), (-3, 0)]
    assert len(moves) == 21
    assert int(weights.sum()) == 256
    assert weights[3] / weights[0] == pytest.approx(math.exp(-0.5), rel=0.03)
    assert trail(21.0, 3.0, math.pi / 2)[0][5] == (0, -5)
    assert len(trail(2000.0, 300.0, 0.5)[0]) <= 128


def test_zoomed_copies_are_averaged_by_hand() -> None:
    pixels = flat(0, 0, 0, height=100, width=100)
    pixels[25:75, 25:75] = 240  # twice as near, it fills the picture
    made = zoom(scene(pixels), context(), farthest=2.0, step=1.0).pixels
    assert made[50, 50].tolist() == [240, 240, 240]
    assert made[10, 10].tolist() == [80, 80, 80]  # white in one of three: the picture, itself again, twice as near


def test_flakes_cover_the_share_that_a_normal_law_gives() -> None:
    snow = Snow(level=0.2, spread=0.3, flake=1.0, threshold=0.5, length=1.0, sigma=1.0, keep=1.0)
    share = float((flakes((640, 640), snow, np.random.default_rng(0)) > 0).mean())
    assert share == pytest.approx(0.1587, abs=0.01)  # above one standard deviation


def test_the_strongest_noise_of_snow_keeps_its_share_of_flakes() -> None:
    most = get("snow").ranges["spread"][1]
    snow = Snow(level=0.5, spread=most, flake=1.0, threshold=0.5, length=1.0, sigma=1.0, keep=1.0)
    assert float((flakes((640, 640), snow, np.random.default_rng(0)) > 0).mean()) == pytest.approx(0.5, abs=0.01)
    assert (np.diff(gaussian_table(most * 16.0).astype(np.int64)) >= 0).all()


def test_snow_whitens_and_adds_two_layers_by_hand() -> None:
    even = Snow(level=0.1, spread=0.0, flake=3.0, threshold=0.05, length=1.0, sigma=1.0, keep=0.7)
    made = let_snow(scene(flat(100, 100, 100)), context(), snow=even).pixels
    assert np.unique(made).tolist() == [205]  # 0.7 x 100 + 0.3 x (1.5 x 100 + 127.5) + 2 x 26
    none = Snow(level=0.1, spread=0.0, flake=3.0, threshold=0.5, length=1.0, sigma=1.0, keep=0.7)
    assert np.unique(let_snow(scene(flat(100, 100, 100)), context(), snow=none).pixels).tolist() == [153]


def test_frost_is_added_in_shares() -> None:
    pixels = pictures()[0]
    assert np.array_equal(freeze(scene(pixels), context(), picture=1.0, ice=0.0).pixels, pixels)
    ice = freeze(scene(flat(0, 0, 0, height=480, width=640)), context(3), picture=1.0, ice=0.5).pixels
    both = freeze(scene(flat(40, 40, 40, height=480, width=640)), context(3), picture=0.5, ice=0.5).pixels
    assert float(ice.mean()) == pytest.approx(82.0, abs=5.0)  # half of a pane
    assert np.array_equal(both, ice + 20)


def test_panes_are_of_one_brightness_and_blue_rather_than_red() -> None:
    means = np.array([pane(number).mean(axis=(0, 1)) for number in range(PANES)])
    assert means.mean(axis=1) == pytest.approx(164.0, abs=1.0)
    assert (means[:, 2] > means[:, 1]).all()
    assert (means[:, 1] > means[:, 0]).all()


def test_no_fog_changes_nothing_not_even_black() -> None:
    for pixels in (flat(0, 0, 0), pictures()[0]):
        assert np.array_equal(fill_with_fog(scene(pixels), context(), thickness=0.0, decay=2.0).pixels, pixels)
    assert not fill_with_fog(scene(flat(0, 0, 0)), context(), thickness=2.0, decay=2.0).pixels.any()


def test_fog_is_the_published_sum_of_picture_and_fractal() -> None:
    pixels = pictures()[0]
    made = fill_with_fog(scene(pixels), context(8), thickness=2.5, decay=1.7).pixels
    field = enlarged(plasma(1.7, np.random.default_rng(8))[:120, :160], 480, 640) / SHADES
    brightest = pixels.max() / 255.0
    wanted = (pixels / 255.0 + 2.5 * field[..., None]) * brightest / (brightest + 2.5) * 255.0
    assert float(np.abs(made - wanted).max()) <= 0.6


@pytest.mark.parametrize("decay", [2.0, 1.7, 1.5, 1.4])
def test_fractals_are_as_bright_and_as_rough_as_those_of_the_published_package(decay: float) -> None:
    fields = [plasma(decay, np.random.default_rng(seed))[:120, :160] / SHADES for seed in range(150)]
    wanted = REFERENCE["plasma"][str(decay)]
    assert float(np.mean(fields)) == pytest.approx(wanted["mean"], abs=0.03)  # of about 0.1 / sqrt(150) each
    assert float(np.mean([f.std() for f in fields])) == pytest.approx(wanted["std"], rel=0.08)
    assert float(np.mean([np.abs(np.diff(f, axis=0)).mean() for f in fields])) == pytest.approx(
        wanted["step"], rel=0.08
    )


def test_brightness_lifts_the_brightest_channel_and_the_others_in_proportion() -> None:
    made = brighten(scene(flat(200, 100, 50)), context(), lift=0.1).pixels[0, 0]
    assert made.tolist() == [226, 113, 56]  # 225.5, 112.75, 56.375
    assert brighten(scene(flat(200, 100, 50)), context(), lift=0.5).pixels[0, 0].tolist() == [255, 128, 64]
    assert brighten(scene(flat(0, 0, 0)), context(), lift=0.2).pixels[0, 0].tolist() == [51, 51, 51]


def test_contrast_shrinks_about_each_channels_mean() -> None:
    pixels = flat(100, 50, 10, height=2, width=2)
    pixels[0] = (200, 50, 20)
    made = flatten(scene(pixels), context(), gain=0.2).pixels
    assert made[:, 0].tolist() == [[160, 50, 16], [140, 50, 14]]


def test_elastic_displacements_have_the_spread_the_reach_and_the_bound_that_are_stated() -> None:
    fields: list[NDArray[np.float64]] = [displacement(2.0, np.random.default_rng(seed)) / 32.0 for seed in range(5)]
    inner = np.array([field[20:-20, 20:-20] for field in fields])
    assert float(inner.std()) == pytest.approx(2.0, rel=0.05)
    assert float(np.abs(fields).max()) <= 6.02
    together = float((inner[:, :, 2:] * inner[:, :, :-2]).mean() / (inner**2).mean())
    assert together == pytest.approx(math.exp(-0.25), abs=0.03)  # Gaussian of 2 cells with itself, moved by 2 cells


def test_pixels_are_averaged_and_enlarged_with_hard_edges() -> None:
    column = np.array([0, 100, 40, 60], dtype=np.uint8)
    pixels = np.repeat(np.tile(column, (4, 1))[:, :, None], 3, axis=2)
    pixels[:2] += 20
    made = pixelate(scene(pixels), context(), share=0.5).pixels[..., 0]
    assert made.tolist() == [[70, 70, 70, 70]] * 2 + [[50, 50, 50, 50]] * 2
