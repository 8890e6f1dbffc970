"""Light and camera: sun, shadows, haze, exposure, blur and sensor noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.datasets.synthetic.camera import Camera
from robust.datasets.synthetic.canvas import Color, Sprite

_TILE = 512


@lru_cache(maxsize=1)
def grain() -> NDArray[np.float32]:
    """Return a tileable texture, float32 (512, 512), zero mean, about -1..1: noise at several scales.

    It is the same for everybody (its own fixed seed); images differ in where they start to read it.
    """
    rng = np.random.default_rng(20240229)
    total = np.zeros((_TILE, _TILE), np.float32)
    for size, weight in ((16, 0.3), (64, 0.25), (256, 0.25), (_TILE, 0.2)):
        small = rng.standard_normal((size, size)).astype(np.float32)
        wrapped = np.pad(small, 2, mode="wrap")
        k = _TILE // size
        large = np.asarray(cv2.resize(wrapped, None, fx=k, fy=k, interpolation=cv2.INTER_LINEAR), np.float32)
        total += np.float32(weight) * large[2 * k : 2 * k + _TILE, 2 * k : 2 * k + _TILE]
    return total


def grain_patch(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Return a float32 (height, width) piece of the texture at a random place."""
    y, x = (int(v) for v in rng.integers(0, _TILE, 2))
    rows, columns = (np.arange(height) + y) % _TILE, (np.arange(width) + x) % _TILE
    return grain()[np.ix_(rows, columns)]


@dataclass(frozen=True)
class Light:
    """Weather and camera of one image.

    Attributes:
        sun: Whether there are cast shadows.
        side: -1 for light from the left of the image, +1 from the right.
        azimuth: Direction of the cast shadows on the ground, radians; 0 to the right, pi/2 away from the camera.
        slope: Length of a shadow relative to the height of the thing.
        dusk: 0 by day, 1 at nightfall.
        gain: Exposure, 1 is right.
        gamma: Tone curve, below 1 lifts the shadows.
        tint: Gains of red, green, blue.
        haze: Share of haze colour at 50 m.
        haze_color: Colour of haze and of the sky at the horizon.
        blur: Sigma of the lens, pixels.
        noise: Standard deviation of the sensor noise at mid grey, grey levels.
        quality: JPEG quality, 1..100.
    """

    sun: bool
    side: float
    azimuth: float
    slope: float
    dusk: float
    gain: float
    gamma: float
    tint: tuple[float, float, float]
    haze: float
    haze_color: Color
    blur: float
    noise: float
    quality: int

    @classmethod
    def sample(cls, rng: np.random.Generator, *, dim: float) -> Light:
        """Draw the light; ``dim`` (0..1) is the share of images at dusk."""
        dusk = rng.uniform(0.3, 1.0) if rng.random() < dim else 0.0
        azimuth = rng.uniform(0, 2 * math.pi)
        warm = rng.normal(-0.08 * dusk, 0.05)
        return cls(
            sun=dusk == 0.0 and bool(rng.random() < 0.55),
            side=-1.0 if math.cos(azimuth) > 0 else 1.0,
            azimuth=azimuth,
            slope=rng.uniform(0.4, 2.2),
            dusk=dusk,
            gain=float(np.exp(rng.normal(0.0, 0.2)) * (1 - 0.35 * dusk)),
            gamma=rng.uniform(0.8, 1.25),
            tint=(1 + warm, 1.0 + rng.normal(0, 0.02), 1 - warm),
            haze=float(rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.2, 0.65)], p=[0.75, 0.25])),
            haze_color=(196 + rng.uniform(-12, 12), 206 + rng.uniform(-8, 8), 214 + rng.uniform(-8, 14)),
            blur=rng.uniform(0.25, 0.95),
            noise=rng.uniform(1.0, 6.0) + 4.0 * dusk * rng.random(),
            quality=int(rng.integers(55, 95)),
        )

    def share_of_haze(self, z: float) -> float:
        """Return how much of the haze colour lies over something at distance ``z`` metres."""
        return 1.0 - math.pow(1.0 - self.haze, z / 50.0)


def paste(image: NDArray[np.uint8], sprite: Sprite, haze: float, haze_color: Color) -> None:
    """Put a sprite over the image, in place, through the haze in front of it."""
    rows, columns, sprite_rows, sprite_columns = sprite.window(image.shape[1], image.shape[0])
    patch = sprite.rgba[sprite_rows, sprite_columns]
    if patch.size == 0:
        return
    alpha = patch[:, :, 3:].astype(np.float32) * np.float32(1 / 255)
    color = patch[:, :, :3].astype(np.float32)
    if haze > 0:
        color = color * np.float32(1 - haze) + alpha * (np.array(haze_color, np.float32) * np.float32(haze))
    image[rows, columns] = (image[rows, columns] * (1 - alpha) + color + np.float32(0.5)).clip(0, 255).astype(np.uint8)


class ShadowMap:
    """Collects the shadows on the ground at half resolution, then darkens the image once."""

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera, self.light = camera, light
        self.mask: NDArray[np.uint8] = np.zeros((camera.height // 2 + 1, camera.width // 2 + 1), np.uint8)

    def cast(self, sprite: Sprite, x: float, z: float, metres: float) -> None:
        """Add the shadow of a thing that stands at (x, z) and is ``metres`` tall."""
        u, v = self.camera.project(x, 0, z)
        pixels = self.camera.focal * metres / z
        width = 0.3 * pixels
        cv2.ellipse(
            self.mask,
            (int(u / 2), int(v / 2)),
            (max(1, int(width * 0.35)), max(1, int(width * 0.09))),
            0,
            0,
            360,
            170,
            -1,
        )
        if not self.light.sun:
            return
        reach = self.light.slope * metres
        tip_z = max(0.6, z + reach * math.sin(self.light.azimuth))
        ut, vt = self.camera.project(x + reach * math.cos(self.light.azimuth), 0, tip_z)
        along_x, along_y = (ut - u) / pixels, (vt - v) / pixels  # image step for one sprite pixel upwards
        matrix = np.array(
            [
                [0.5, -0.5 * along_x, 0.5 * (u + (sprite.x - u) - along_x * (sprite.y - v))],
                [0.06, -0.5 * along_y, 0.5 * (v - along_y * (sprite.y - v)) + 0.06 * (sprite.x - u)],
            ],
            np.float32,
        )
        alpha = np.ascontiguousarray(sprite.rgba[:, :, 3])
        cast = cv2.warpAffine(alpha, matrix, (self.mask.shape[1], self.mask.shape[0]), flags=cv2.INTER_LINEAR)
        np.maximum(self.mask, np.asarray(cast, np.uint8), out=self.mask)

    def apply(self, image: NDArray[np.uint8]) -> None:
        """Darken the ground where shadows fall, in place."""
        soft = cv2.GaussianBlur(self.mask, (0, 0), 0.6 if self.light.sun else 1.2)
        full = np.asarray(
            cv2.resize(soft, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32
        )
        top = max(0, int(self.camera.horizon) + 1)
        strength = 0.5 if self.light.sun else 0.3
        factor = 1 - full[top:, :, None] * np.float32(strength / 255)
        image[top:] = (image[top:] * factor).astype(np.uint8)


def expose(image: NDArray[np.uint8], light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return what the camera records of the scene, uint8 (h, w, 3): lens blur, exposure, tone curve, noise."""
    blurred = cv2.GaussianBlur(image, (0, 0), light.blur)
    levels = np.arange(256, dtype=np.float64) / 255.0
    tables = [np.minimum(1.0, (levels * light.gain * t)) ** light.gamma * 255.0 for t in light.tint]
    table = np.stack(tables, axis=1)[None].round().astype(np.uint8)
    graded = np.asarray(cv2.LUT(blurred, table), np.float32)
    height, width = image.shape[:2]
    luma = rng.standard_normal((height, width), dtype=np.float32) * np.float32(light.noise * 0.8)
    small = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), dtype=np.float32) * np.float32(
        light.noise * 0.6
    )
    chroma = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    graded += chroma
    graded += luma[:, :, None]
    return np.asarray(graded.round().clip(0, 255), np.uint8)
