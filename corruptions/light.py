"""Light in linear units: sRGB decoding and encoding, the colour of lamps.

Per-pixel work uses lookup tables, square roots and products only: these round the same way on every processor, where
vectorised powers and exponentials do not.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import Pixels

_ENCODE_STEPS = 4096
COLOURFUL = 25.0
"""Chroma of a picture from which on colours are left as they are."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float64)
"""Weights of linear R, G, B in luminance (IEC 61966-2-1, ITU-R BT.709)."""


def srgb_to_linear(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Decode sRGB 0..1 to linear light 0..1 (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encode linear light 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 1e-12) ** (1 / 2.4) - 0.055)


def chroma(picture: Pixels) -> float:
    """Return how colourful a picture is: the mean of largest minus smallest channel on a coarse grid, 0..255."""
    sample = picture[::16, ::16].astype(np.int16)
    return float((sample.max(axis=2) - sample.min(axis=2)).mean())


def fade(color: NDArray[np.float32], chroma: float) -> NDArray[np.float32]:
    """Take the colour out of (..., 3) as far as a picture of this ``chroma`` has little itself (grey, sepia)."""
    if chroma >= COLOURFUL:
        return color
    grey = ((color[..., 0] + color[..., 1] + color[..., 2]) / np.float32(3))[..., None]
    return np.asarray(grey + (color - grey) * np.float32(chroma / COLOURFUL), dtype=np.float32)


def mute(color: NDArray[np.float32], picture: Pixels) -> NDArray[np.float32]:
    """Take the colour out of (..., 3) as far as a picture has little itself (black and white, sepia)."""
    return fade(color, chroma(picture))


@cache
def decode_table() -> NDArray[np.float32]:
    """Linear light of each 8-bit code: float32 (256,), 0..1."""
    return srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)


@cache
def _encode_table() -> Pixels:
    linear = (np.arange(_ENCODE_STEPS) / (_ENCODE_STEPS - 1)) ** 2
    return np.round(linear_to_srgb(linear) * 255.0).astype(np.uint8)


def decode(pixels: Pixels) -> NDArray[np.float32]:
    """Turn 8-bit sRGB pixels into linear light: float32, same shape, 0..1."""
    return np.asarray(cv2.LUT(pixels, decode_table()), dtype=np.float32).reshape(pixels.shape)


def encode(linear: NDArray[np.float32]) -> Pixels:
    """Turn linear light into 8-bit sRGB pixels, clipping to 0..1. Decoding and encoding gives the same pixels back."""
    root = np.sqrt(np.clip(linear, 0.0, 1.0))
    return _encode_table().take((root * np.float32(_ENCODE_STEPS - 1) + np.float32(0.5)).astype(np.uint16))


def planckian_rgb(kelvin: float) -> NDArray[np.float64]:
    """Return the linear RGB of a black body, scaled to luminance 1: float64 (3,).

    Chromaticity by the cubic fit of Kim et al. (US patent 7024034, 2002), 1667 K to 25000 K; xyY to linear sRGB by
    IEC 61966-2-1. Colours outside the gamut are clipped to it (below about 1900 K there is no blue left).
    """
    t = 1e3 / min(max(kelvin, 1667.0), 25000.0)
    if kelvin <= 4000.0:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin <= 2222.0:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin <= 4000.0:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    xyz = np.array([x / y, 1.0, (1.0 - x - y) / y])
    matrix = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    rgb = np.maximum(matrix @ xyz, 0.0)
    scaled: NDArray[np.float64] = rgb / float(rgb @ LUMINANCE)
    return scaled


def lamp_gains(kelvin: float, adaptation: float) -> NDArray[np.float32]:
    """Return the gains (3,) on linear RGB under a lamp, for a camera that corrects a part of its colour.

    Von Kries scaling: a perfect white balance (``adaptation`` 1) divides the lamp's colour out, none (0) keeps it.
    Luminance of white stays 1.
    """
    gains = planckian_rgb(kelvin) ** (1.0 - adaptation)
    return (gains / float(gains @ LUMINANCE)).astype(np.float32)
