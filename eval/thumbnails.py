"""Small pictures for a page: shrunk, people blurred, encoded without metadata, and few enough bytes. Pure."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import Pixels
from robust.errors import DataError

MARGIN = 0.1
"""Share of a box's side that is blurred beyond it, on each side."""
BLOCKS = 4
"""Blocks along the shorter side of a blurred region: a face in a box of a whole person gets about one."""
SMALLEST_BLOCK = 8
"""Pixels of the thumbnail."""
QUALITIES = (80, 65, 50, 35, 20)
"""Of WebP, tried in turn until all pictures together are small enough."""


def shrink(pixels: Pixels, widest: int, highest: int) -> tuple[Pixels, float]:
    """Scale a picture down to fit; smaller ones stay as they are.

    Args:
        pixels: uint8 (height, width, 3), RGB.
        widest: Pixels.
        highest: Pixels.

    Returns:
        A new array, and its pixels per pixel of the given one.
    """
    height, width = pixels.shape[:2]
    scale = min(widest / width, highest / height, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    made = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels.copy()
    return np.asarray(made, dtype=np.uint8), scale


def blur(pixels: Pixels, boxes: NDArray[np.float64]) -> None:
    """Replace regions by the averages of a few square blocks, in place.

    What is finer than a block is gone from the array: it cannot be sharpened back. Each region is its box, enlarged by
    `MARGIN` on each side and rounded outwards.

    Args:
        pixels: uint8 (height, width, 3).
        boxes: float64 (n, 4), xyxy, in pixels of the picture.
    """
    height, width = pixels.shape[:2]
    for left, top, right, bottom in boxes.tolist():
        dx, dy = MARGIN * (right - left), MARGIN * (bottom - top)
        x1, y1 = max(0, math.floor(left - dx)), max(0, math.floor(top - dy))
        x2, y2 = min(width, math.ceil(right + dx)), min(height, math.ceil(bottom + dy))
        if x1 >= x2 or y1 >= y2:
            continue  # outside the picture
        side = max(min(x2 - x1, y2 - y1) / BLOCKS, SMALLEST_BLOCK)
        blocks = (max(1, int((x2 - x1) / side)), max(1, int((y2 - y1) / side)))
        coarse = cv2.resize(pixels[y1:y2, x1:x2], blocks, interpolation=cv2.INTER_AREA)
        pixels[y1:y2, x1:x2] = cv2.resize(coarse, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)


def encode(pixels: Pixels, quality: int) -> str:
    """Return a picture as a WebP data URI; made of pixels alone, it has no metadata.

    Raises:
        DataError: this OpenCV cannot write WebP.
    """
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    try:
        done, data = cv2.imencode(".webp", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    except cv2.error as error:
        raise DataError("Pictures cannot be made.", f"OpenCV: {error.err}.", "Use --thumbnails none.") from error
    if not done:
        raise DataError("Pictures cannot be made.", "OpenCV cannot write WebP.", "Use --thumbnails none.")
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def encode_all(pictures: Sequence[Pixels], extra: Sequence[int], budget: int) -> list[str | None]:
    """Encode pictures in the highest quality at which all of them fit.

    If none does, those that find no room beside the ones before are left out.

    Args:
        pictures: The most important first.
        extra: Bytes that each takes besides.
        budget: Bytes for all of them together.

    Returns:
        Data URIs; None for a picture that was left out.
    """
    made: list[str] = []
    for quality in QUALITIES:
        made = [encode(picture, quality) for picture in pictures]
        if sum(map(len, made)) + sum(extra) <= budget:
            return list(made)
    total, kept = 0, list[str | None]()
    for text, more in zip(made, extra, strict=True):
        fits = total + len(text) + more <= budget
        total += len(text) + more if fits else 0
        kept.append(text if fits else None)
    return kept
