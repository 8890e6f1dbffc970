"""Exposure that misses the scene: the shutter stays open too long or not long enough.

Law: light is multiplied by 2^EV in linear units (sRGB decoded first) and what exceeds full white is lost, as a sensor's
full well loses it; then back to sRGB. One table of 256 codes holds all of it.

Limits: no noise is added to dark pictures (see sensor_noise and night), and bright areas do not bloom into others.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from robust.corruptions.laws import Context, Corruption, Parameters, Pixels, Scene, Step
from robust.corruptions.light import decode_table, encode
from robust.corruptions.measures import RMS_CHANGE


def expose(scene: Scene, context: Context, *, stops: float) -> Scene:
    """Multiply the light by 2^``stops`` (EV) and clip; objects stay as they are."""
    del context
    return scene.with_pixels(np.asarray(cv2.LUT(scene.pixels, exposure_table(stops)), dtype=np.uint8))


def exposure_table(stops: float) -> Pixels:
    """Return what each 8-bit code becomes: uint8 (256,), never falling."""
    return encode(decode_table() * np.float32(2.0**stops))


def _over(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(expose, stops=float(parameters["stops"])),)


def _under(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(expose, stops=-float(parameters["stops"])),)


CORRUPTIONS = (
    Corruption(
        name="overexposure",
        summary="Too much light: bright parts burn out to white and lose all detail.",
        cause="exposure",
        severities={s: {"stops": ev} for s, ev in zip((1, 2, 3, 4, 5), (1.0, 2.0, 3.0, 4.0, 5.0), strict=True)},
        ranges={"stops": (0.0, 16.0)},
        steps=_over,
        measure=RMS_CHANGE,
        source="Exposure value (ISO 2720) in linear light, clipped at full white; IEC 61966-2-1 (sRGB)",
        limits="No bloom or smear around burnt-out areas, and the camera does not react.",
        random=False,
    ),
    Corruption(
        name="underexposure",
        summary="Too little light: dark parts sink into a few code values.",
        cause="exposure",
        severities={s: {"stops": ev} for s, ev in zip((1, 2, 3, 4, 5), (2.0, 3.5, 5.0, 6.0, 7.0), strict=True)},
        ranges={"stops": (0.0, 16.0)},
        steps=_under,
        measure=RMS_CHANGE,
        source="Exposure value (ISO 2720) in linear light, coded in 8 bits again; IEC 61966-2-1 (sRGB)",
        limits="No sensor noise is added, so a real dark picture is worse; see sensor_noise.",
        random=False,
    ),
)
