from __future__ import annotations

import numpy as np
import pytest

from robust.corruptions.light import decode, encode, lamp_gains, mute, planckian_rgb

# linear sRGB to XYZ, IEC 61966-2-1
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def test_decoding_and_encoding_gives_every_code_back() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(encode(decode(codes)), codes)


def test_mid_grey_decodes_to_its_published_value() -> None:
    grey = np.full((1, 1, 3), 128, dtype=np.uint8)
    assert decode(grey)[0, 0, 0] == pytest.approx(0.21586, abs=1e-5)


@pytest.mark.parametrize(
    ("kelvin", "x", "y"),
    [(2856.0, 0.4476, 0.4074), (4000.0, 0.3805, 0.3768), (6500.0, 0.3135, 0.3237)],  # CIE A; Planckian locus tables
)
def test_black_bodies_have_their_published_chromaticity(kelvin: float, x: float, y: float) -> None:
    xyz = TO_XYZ @ planckian_rgb(kelvin)
    assert xyz[0] / xyz.sum() == pytest.approx(x, abs=0.002)
    assert xyz[1] / xyz.sum() == pytest.approx(y, abs=0.002)


def test_lamps_keep_luminance_and_perfect_white_balance_removes_their_colour() -> None:
    weights = np.array([0.2126, 0.7152, 0.0722])
    assert float(lamp_gains(2200.0, 0.3) @ weights) == pytest.approx(1.0, abs=1e-6)
    assert lamp_gains(2200.0, 1.0) == pytest.approx([1, 1, 1], abs=1e-6)
    assert lamp_gains(2200.0, 0.0)[0] > lamp_gains(3200.0, 0.0)[0] > lamp_gains(3200.0, 0.6)[0] > 1


def test_colours_fade_in_a_black_and_white_picture_only() -> None:
    color = np.array([200.0, 40.0, 30.0], dtype=np.float32)
    grey, colourful = np.full((64, 64, 3), 90, dtype=np.uint8), np.zeros((64, 64, 3), dtype=np.uint8)
    colourful[..., 0] = 200
    assert mute(color, grey) == pytest.approx([90, 90, 90])
    assert mute(color, colourful) == pytest.approx(color)
