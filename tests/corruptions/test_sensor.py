from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import skew

from robust.corruptions.causes.sensor_noise import add_noise, read_out
from robust.corruptions.laws import Context, Scene
from robust.corruptions.light import decode
from robust.datasets.records import Annotations
from tests.corruptions.street import backdrop, hard_street


def noisy(pixels: np.ndarray, electrons: float, read_noise: float) -> np.ndarray:
    street = hard_street()
    context = Context(np.random.default_rng(0), street.dataset, 0, street.source)
    scene = Scene.start(pixels, Annotations.empty())
    return add_noise(scene, context, electrons=electrons, read_noise=read_noise).pixels


@pytest.mark.parametrize("level", [0.0, 0.7, 3.0, 20.0, 120.0, 900.0])
@pytest.mark.parametrize("read_noise", [1.0, 3.0])
def test_noise_has_the_moments_of_poisson_plus_gauss(level: float, read_noise: float) -> None:
    electrons = np.full((300, 400), level, dtype=np.float32)
    read_out(electrons, read_noise, np.random.default_rng(3))
    variance = level + read_noise**2
    assert electrons.mean() == pytest.approx(level, abs=5 * np.sqrt(variance / electrons.size))
    assert electrons.var() == pytest.approx(variance, rel=0.03)
    assert float(skew(electrons.ravel())) == pytest.approx(level / variance**1.5, abs=0.06)  # third cumulant: level


@pytest.mark.parametrize(
    ("code", "electrons", "read_noise"), [(118, 400.0, 0.1), (118, 400.0, 12.0), (188, 150.0, 3.0)]
)
def test_a_flat_field_has_the_variance_of_emva_1288(code: int, electrons: float, read_noise: float) -> None:
    flat = np.full((200, 300, 3), code, dtype=np.uint8)
    level = float(decode(flat)[0, 0, 0])
    measured = decode(noisy(flat, electrons, read_noise)) * electrons
    assert measured.mean() == pytest.approx(level * electrons, rel=0.01)
    assert measured.var() == pytest.approx(level * electrons + read_noise**2, rel=0.04)
    assert float(np.corrcoef(measured[..., 0].ravel(), measured[..., 1].ravel())[0, 1]) == pytest.approx(0.0, abs=0.02)
    assert float(np.corrcoef(measured[:, 1:, 0].ravel(), measured[:, :-1, 0].ravel())[0, 1]) == pytest.approx(
        0, abs=0.02
    )


def test_very_many_electrons_show_no_noise() -> None:
    pixels = backdrop(60, 80)
    assert np.array_equal(noisy(pixels, 1e9, 0.0), pixels)
