"""The sensor's own noise: the grain of short exposures and high sensitivity (ISO).

Law, in linear light (sRGB decoded first, encoded last): a pixel that catches ``electrons`` x light photoelectrons
counts a Poisson number of them (shot noise) and reads them with a Gaussian error of ``read_noise`` electrons: the model
of the EMVA 1288 standard, of variance signal + read_noise^2. Both are drawn by their joint quantile function.

Every pixel is noisy by itself: a large picture of the same scene, scaled down for a detector, suffers less.

Limits: white noise, the same law for all three colours: no demosaicing, no denoising, no fixed pattern.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import poisson

from robust.corruptions.bands import bands
from robust.corruptions.laws import Context, Corruption, Parameters, Scene, Step
from robust.corruptions.light import decode, encode
from robust.corruptions.measures import RMS_CHANGE

_LEVELS, _QUANTILES, _ROOT_MAX = 96, 2048, 12.0


def add_noise(scene: Scene, context: Context, *, electrons: float, read_noise: float) -> Scene:
    """Take the picture with a noisy sensor; objects stay as they are.

    Args:
        scene: What is in front of the camera.
        context: Its generator draws the noise.
        electrons: Photoelectrons of a white pixel: full well over the gain of the sensitivity.
        read_noise: Standard deviation, electrons.
    """
    noisy = np.empty_like(scene.pixels)
    for rows in bands(len(noisy)):
        signal = decode(scene.pixels[rows])
        signal *= np.float32(electrons)
        read_out(signal, read_noise, context.rng)
        signal *= np.float32(1.0 / electrons)
        noisy[rows] = encode(signal)
    return scene.with_pixels(noisy)


def read_out(electrons: NDArray[np.float32], read_noise: float, rng: np.random.Generator) -> None:
    """Add shot and read noise in place: float32, electrons.

    Each pixel draws a uniform quantile and looks its standardised deviation up in a table of the joint law at the
    nearest level (the shape of a Poisson law changes slowly); mean and variance are exact at every level.
    """
    table = noise_table(read_noise)
    root = np.sqrt(electrons)
    index = np.minimum(root * np.float32((_LEVELS - 1) / _ROOT_MAX) + np.float32(0.5), np.float32(_LEVELS - 1)).astype(
        np.int32
    )
    index *= _QUANTILES
    index += rng.integers(0, _QUANTILES, size=electrons.shape, dtype=np.uint16)
    np.multiply(root, root, out=root)
    root += np.float32(read_noise**2)
    np.sqrt(root, out=root)
    root *= table.take(index)
    electrons += root


@lru_cache(maxsize=16)
def noise_table(read_noise: float) -> NDArray[np.float32]:
    """Return standardised quantiles of Poisson(level) + Normal(0, read_noise): float32 (levels * quantiles,).

    Levels are evenly spaced in the square root from 0 to 144 electrons, above which the last shape is used.
    """
    read_noise = max(read_noise, 1e-3)
    quantiles = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    rows = []
    for level in np.linspace(0, _ROOT_MAX, _LEVELS) ** 2:
        counts = np.arange(
            math.floor(max(0.0, level - 6 * math.sqrt(level))), math.ceil(level + 6 * math.sqrt(level)) + 8
        )
        mass = poisson.pmf(counts, level)
        grid = np.linspace(counts[0] - 4.5 * read_noise, counts[-1] + 4.5 * read_noise, 600)
        below = ndtr((grid[:, None] - counts[None, :]) / read_noise) @ mass
        values = np.interp(quantiles, below / below[-1], grid)
        rows.append((values - values.mean()) / values.std())
    return np.concatenate(rows).astype(np.float32)


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(add_noise, electrons=float(parameters["electrons"]), read_noise=float(parameters["read_noise"])),)


CORRUPTIONS = (
    Corruption(
        name="sensor_noise",
        summary="A short exposure at high sensitivity: coarse grain over the whole picture.",
        cause="sensor",
        severities={
            s: {"electrons": e, "read_noise": 3.0}
            for s, e in zip((1, 2, 3, 4, 5), (300.0, 150.0, 75.0, 40.0, 20.0), strict=True)
        },
        ranges={"electrons": (1.0, 1e6), "read_noise": (0.0, 1000.0)},
        steps=_steps,
        measure=RMS_CHANGE,
        source="EMVA 1288 (shot and read noise); IEC 61966-2-1 (sRGB)",
        limits="Noise is white and not denoised: the camera's own processing smears it over several pixels.",
        pixel_grid=True,
    ),
)
