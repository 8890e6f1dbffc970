"""What happens to the picture after the sensor: lossy coding and too few pixels.

Laws:

* ``jpeg``: the picture is coded as baseline JPEG (ITU-T T.81) at ``quality`` of the libjpeg scale (1..100, 4:2:0
  chroma) and decoded again, as cameras and video links do.
* ``low_resolution``: every ``factor`` x ``factor`` pixels are averaged, as by a sensor with fewer and larger pixels,
  and the picture is enlarged again without making anything up (bilinear).

Both live on the pixel grid: the same quality or factor harms a small picture more than a large one of the same scene.

Limits: JPEG only, no video coding (no drift from picture to picture); a smaller sensor also sees more noise, which is
not added here.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from robust.corruptions.laws import Context, Corruption, Parameters, Pixels, Scene, Step
from robust.corruptions.measures import RMS_CHANGE


def compress(scene: Scene, context: Context, *, quality: int) -> Scene:
    """Code and decode the picture as JPEG; objects stay as they are.

    Raises:
        RuntimeError: OpenCV cannot code the picture.
    """
    del context
    bgr = cv2.cvtColor(scene.pixels, cv2.COLOR_RGB2BGR)
    done, code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR) if done else None
    if decoded is None:
        raise RuntimeError("OpenCV could not code the picture as JPEG.")
    return scene.with_pixels(np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8))


def coarsen(scene: Scene, context: Context, *, factor: float) -> Scene:
    """Keep one pixel for every ``factor`` x ``factor`` and enlarge again; objects stay as they are."""
    del context
    return scene.with_pixels(enlarged_again(scene.pixels, factor))


def enlarged_again(pixels: Pixels, factor: float) -> Pixels:
    """Average areas of ``factor`` x ``factor`` pixels (at least one area) and enlarge to the old size, bilinear."""
    height, width = pixels.shape[:2]
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _jpeg_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(compress, quality=int(parameters["quality"])),)


def _resolution_steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(coarsen, factor=float(parameters["factor"])),)


CORRUPTIONS = (
    Corruption(
        name="jpeg",
        summary="The camera or the link saves bandwidth: blocks, ringing and lost colour detail.",
        cause="coding",
        severities={s: {"quality": q} for s, q in zip((1, 2, 3, 4, 5), (30, 20, 12, 8, 5), strict=True)},
        ranges={"quality": (1, 100)},
        steps=_jpeg_steps,
        measure=RMS_CHANGE,
        source="ITU-T T.81 (JPEG), with the quality scale and quantisation tables of libjpeg",
        limits="Baseline JPEG of single pictures: no video codec, no lost packets, no drift from picture to picture.",
        random=False,
        pixel_grid=True,
    ),
    Corruption(
        name="low_resolution",
        summary="The camera has too few pixels, or people are farther away than planned.",
        cause="coding",
        severities={s: {"factor": f} for s, f in zip((1, 2, 3, 4, 5), (2.0, 3.0, 4.0, 6.0, 8.0), strict=True)},
        ranges={"factor": (1.0, 100.0)},
        steps=_resolution_steps,
        measure=RMS_CHANGE,
        source="Area sampling: each pixel averages the light that falls on it",
        limits="The optics stay sharp and the noise low: a real small sensor or a digital zoom is noisier as well.",
        random=False,
        pixel_grid=True,
    ),
)
