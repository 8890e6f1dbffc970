"""Panes of frost, drawn: ferns and needles of ice over a veil.

Ice on glass grows in needles whose side branches stand off at about 60 degrees, and these branch again (the hexagonal
lattice of ice). Each pane has a few hundred such ferns, each side of a stem in its own shade, as facets reflect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.fixed_point import enlarged
from robust.corruptions.laws import Pixels
from robust.corruptions.plasma import plasma

SIDE = 704
"""Pixels along each side of a pane, 1.1 times the longer side of the picture that it is made for."""

_FINE = 2  # drawn at twice the size
_MEAN = 164.0  # code values, as the published pictures of frost together; one for all, so that none is milder
_TWIG = 0.35  # of its branch's length
_TINT = (-16, 2, 14)  # red, green, blue beside grey: ice is bluish


@dataclass(frozen=True)
class _Style:
    """One pane.

    Attributes:
        spread: Standard deviation of grey, code values.
        ferns: How many.
        longest: Pixels of the longest stem.
        branch: Length of the side branches as a share of the stem's.
    """

    spread: float
    ferns: int
    longest: int
    branch: float


_STYLES = (
    _Style(20.0, 400, 70, 0.35),
    _Style(24.0, 900, 110, 0.10),
    _Style(28.0, 500, 160, 0.12),
    _Style(32.0, 800, 60, 0.45),
    _Style(40.0, 180, 170, 0.40),
)
PANES = len(_STYLES)


@lru_cache(maxsize=PANES)
def pane(number: int) -> Pixels:
    """Draw a pane: uint8 (704, 704, 3), RGB, always the same for a number from 0 to 4. Not to be written to."""
    style, rng = _STYLES[number], np.random.default_rng(number)
    size = SIDE * _FINE
    veil = enlarged(plasma(1.6, rng)[:176, :176] >> 5, size, size)
    canvas = (40 + veil).astype(np.uint8)
    for order in range(style.ferns):
        _draw_fern(canvas, style, rng, 0.4 + 0.6 * order / style.ferns)
    drawn = cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.6), dtype=np.uint8)
    counts = np.bincount(grey.ravel(), minlength=256)
    codes = np.arange(256, dtype=np.float64)
    mean = float(counts @ codes) / grey.size
    spread = math.sqrt(float(counts @ (codes - mean) ** 2) / grey.size)
    shades = (codes - mean) * (style.spread / spread) + _MEAN
    tinted = np.clip(np.floor(shades[:, None] + np.array(_TINT) + 0.5), 0, 255).astype(np.uint8)
    made: Pixels = tinted[grey]
    made.flags.writeable = False
    return made


_Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Stems:
    """Straight stems: where they start (n, 2), their angles (n,) in radians and their lengths (n,) in fine pixels."""

    starts: _Values
    angles: _Values
    lengths: _Values

    def lines(self) -> list[NDArray[np.int32]]:
        """Return them in whole pixels for OpenCV, each int32 (2, 2)."""
        ends = self.starts + self.lengths[:, None] * _direction(self.angles)
        return list(np.floor(np.stack([self.starts, ends], axis=1) + 0.5).astype(np.int32))


def _draw_fern(canvas: Pixels, style: _Style, rng: np.random.Generator, youth: float) -> None:
    """Draw one stem with branches of branches; the later it grows, the brighter."""
    root, angle = rng.uniform(0, canvas.shape[0], size=(1, 2)), rng.uniform(0.0, 2.0 * math.pi, size=1)
    stem = _Stems(root, angle, _FINE * style.longest * rng.uniform(0.4, 1.0, size=1))
    shades = [int(shade) for shade in 255.0 * youth * rng.uniform(0.45, 1.0, size=2)]
    for side, shade in zip((1.0, -1.0), shades, strict=True):
        branches = _grown(stem, side * style.branch, 8, rng)
        for turn in (1.0, -1.0):
            cv2.polylines(canvas, _grown(branches, turn * _TWIG, 6, rng).lines(), False, shade * 4 // 5, 1)
        cv2.polylines(canvas, branches.lines(), False, shade, 2)
    cv2.polylines(canvas, stem.lines(), False, max(shades), 3)


def _grown(stems: _Stems, share: float, apart: int, rng: np.random.Generator) -> _Stems:
    """Let a branch grow every ``apart`` fine pixels, shorter toward the tip.

    Args:
        stems: What they grow on.
        share: Length of the branches as a share of the stem's; negative on the other side.
        apart: Fine pixels between two of them.
        rng: Chance.
    """
    counts = np.maximum(stems.lengths // apart, 1).astype(np.int64)
    of = np.repeat(np.arange(counts.size), counts)
    place = (np.arange(of.size) - np.repeat(np.cumsum(counts) - counts, counts) + 0.5) / counts[of]
    starts = stems.starts[of] + (place * stems.lengths[of])[:, None] * _direction(stems.angles[of])
    angles = stems.angles[of] + math.copysign(math.pi / 3, share) * rng.uniform(0.9, 1.1, size=of.size)
    lengths = stems.lengths[of] * abs(share) * (1.0 - 0.8 * place) * rng.uniform(0.5, 1.2, size=of.size)
    return _Stems(starts, angles, lengths)


def _direction(angles: _Values) -> _Values:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)
