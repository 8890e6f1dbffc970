"""Drops and flakes that fall between the camera and the scene.

Those that look large enough are drawn one by one, each as the share of the exposure time for which it covers a pixel
(Garg and Nayar, Vision and Rain, 2007): a sphere of diameter D at depth z covers ``pi/4 (focal D / z)^2`` pixels at
once, and spreads that over the way it falls while the shutter is open. Their number follows from the size distribution
and from the volume of the view. The small and distant rest is only a veil: `Precipitation.extinction`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.corruptions.precipitation import Floats, Precipitation

_BINS, _SHADES = 1024, 65536
_CLOSEST = 0.4  # metres: nearer ones would fall on the camera
_MARGIN = 0.06  # of the longer side: how far outside the picture what falls into it is looked for
_LARGEST_DRAWING = 1280  # pixels of the longer side; larger pictures get an enlarged drawing
_SUBPIXELS = 16
_FINEST_DOTS = 16  # dots across a particle at most


@dataclass(frozen=True)
class Optics:
    """How the camera sees particles.

    Attributes:
        exposure: Seconds that the shutter is open.
        aperture: Diameter of the lens opening in metres; what is near looks that much wider, out of focus.
        finest: Smallest angle under which a particle is drawn, radian.
        focal: Focal length over the longer side of the picture.
    """

    exposure: float
    aperture: float
    finest: float
    focal: float = 0.9


@dataclass(frozen=True, eq=False)
class Swarm:
    """Particles in one picture; arrays float64 (n,), lengths in pixels.

    Attributes:
        x: Columns at mid-exposure.
        y: Rows at mid-exposure.
        depth: Metres.
        diameter: As in focus.
        blurred: Diameter with the blur of what is near.
        dx: Way to the right while the shutter is open.
        dy: Way downwards while the shutter is open.
    """

    x: Floats
    y: Floats
    depth: Floats
    diameter: Floats
    blurred: Floats
    dx: Floats
    dy: Floats

    def __len__(self) -> int:
        return len(self.x)

    def picked(self, which: NDArray[np.bool_]) -> Swarm:
        """Return the particles where ``which`` (n,) is True."""
        return Swarm(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def enlarged(self, factor: float) -> Swarm:
        """Return the same particles in a picture ``factor`` times as large."""
        lengths = (self.x, self.y, self.diameter, self.blurred, self.dx, self.dy)
        x, y, diameter, blurred, dx, dy = (length * factor for length in lengths)
        return Swarm(x, y, self.depth, diameter, blurred, dx, dy)

    def before(self, scene: NDArray[np.float32]) -> Swarm:
        """Return those that nothing hides: nearer than the scene's depth (height, width), metres, where they are."""
        rows = np.clip(self.y, 0, scene.shape[0] - 1).astype(np.int64)
        columns = np.clip(self.x, 0, scene.shape[1] - 1).astype(np.int64)
        return self.picked(self.depth < scene[rows, columns])


def expected_count(fall: Precipitation, optics: Optics, size: tuple[int, int]) -> float:
    """Return how many particles there are to draw in and around a picture of ``size`` (height, width).

    The integral of the size distribution times the volume that is viewed, from the nearest depth to the one at which
    a particle looks finest.
    """
    margin = 2 * _MARGIN * max(size)
    solid_angle = (size[0] + margin) * (size[1] + margin) / (optics.focal * max(size)) ** 2
    return solid_angle * _sizes(fall, optics)[1]


def scatter(
    fall: Precipitation, optics: Optics, size: tuple[int, int], rng: np.random.Generator, *, wind: float, gust: float
) -> Swarm:
    """Draw the particles of one picture.

    Args:
        fall: What is in the air.
        optics: The camera.
        size: Height and width of the picture.
        rng: Source of chance.
        wind: Speed to the right, m/s.
        gust: Most by which each one's sideward speed differs from the wind, m/s.
    """
    height, width = size
    focal, margin = optics.focal * max(size), _MARGIN * max(size)
    expected = expected_count(fall, optics, size)
    count = int(expected) + int(rng.random() < expected % 1)
    diameters, _ = _sizes(fall, optics)
    # integers are drawn and tables are rounded, so that every processor makes the same particles
    which, share, x, y, side = rng.integers(0, 65536, size=(5, count))
    d = diameters[which // (65536 // _BINS)]
    cube = _reach(d, optics) - _CLOSEST**3
    depth = np.round(np.cbrt(_CLOSEST**3 + cube * (share + 0.5) / 65536), 4)
    scale = focal / depth
    dx = (wind + gust * (side / 32768 - 1)) * optics.exposure * scale
    dy = np.round(fall.speed(d), 4) * optics.exposure * scale
    return Swarm(
        x=x * ((width + 2 * margin) / 65536) - margin,
        y=y * ((height + 2 * margin) / 65536) - margin,
        depth=depth,
        diameter=d * 1e-3 * scale,
        blurred=np.sqrt(d * d * 1e-6 + optics.aperture**2) * scale,
        dx=dx,
        dy=dy,
    )


def _reach(diameters: Floats, optics: Optics) -> Floats:
    """Cube of the depth, m^3, down to which particles of these diameters (mm) are drawn."""
    return np.maximum(diameters * 1e-3 / optics.finest, _CLOSEST) ** 3


@lru_cache(maxsize=32)
def _sizes(fall: Precipitation, optics: Optics) -> tuple[Floats, float]:
    """Diameters of equal chance, mm, rounded, and how many are drawn for each steradian of the view."""
    step = (fall.largest - fall.smallest) / 8192
    d = np.array([fall.smallest + step * (i + 0.5) for i in range(8192)])
    numbers = fall.density * np.exp(-fall.slope * d) * step * (_reach(d, optics) - _CLOSEST**3) / 3
    total = float(numbers.sum())
    quantiles = (np.arange(_BINS) + 0.5) / _BINS
    return np.round(np.interp(quantiles, np.cumsum(numbers) / total, d), 4), round(total, 6)


def coverage(swarm: Swarm, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the share of the exposure for which each pixel is covered: float32 (height, width), 0..1."""
    height, width = size
    scale = min(1.0, _LARGEST_DRAWING / max(size))
    drawn = (max(1, round(height * scale)), max(1, round(width * scale)))
    swarm = swarm if scale == 1.0 else swarm.enlarged(scale)
    wanted = np.minimum(np.ceil(swarm.blurred), _FINEST_DOTS).astype(np.int64)
    dots = [_dots(swarm.picked(wanted == across), int(across)) for across in np.unique(wanted)]
    x, y, light = (np.concatenate([part[i] for part in dots]) for i in range(3)) if dots else [np.empty(0)] * 3
    shares = np.minimum(_splat(drawn, x, y, light) * (1.0 / (_SHADES * _SUBPIXELS**2)), 1.0).astype(np.float32)
    if drawn == size:
        return shares
    return np.asarray(cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _dots(swarm: Swarm, across: int) -> tuple[Floats, Floats, Floats]:
    """Break particles up into dots: a disc of them, ``across`` wide, repeated along the way.

    Returns:
        Columns and rows in pixels, and whole numbers of light.
    """
    grid = (np.arange(across) + 0.5) / across - 0.5
    inside = grid[:, None] ** 2 + grid[None, :] ** 2 <= 0.25
    v, u = (grid[where] for where in np.nonzero(inside))
    way = np.maximum(np.sqrt(swarm.dx**2 + swarm.dy**2), 1e-6)
    long = way >= 2 * swarm.blurred  # as good as a line: its dots square to the way do, the outer ones fainter
    streaks, discs = swarm.picked(long), swarm.picked(~long)
    ratio = streaks.blurred / way[long]
    chords = inside.sum(axis=0) / len(u)
    parts = (
        _along(streaks, way[long], np.outer(-streaks.dy * ratio, grid), np.outer(streaks.dx * ratio, grid), chords),
        _along(
            discs,
            way[~long] / np.maximum(discs.blurred / 4, 1.0),
            np.outer(discs.blurred, u),
            np.outer(discs.blurred, v),
            np.full(len(u), 1.0 / len(u)),
        ),
    )
    x, y, light = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return x, y, light


def _along(swarm: Swarm, steps: Floats, right: Floats, down: Floats, shares: Floats) -> tuple[Floats, Floats, Floats]:
    """Repeat groups of dots, at ``right`` and ``down`` (n, k) of each particle, along its way."""
    steps = np.maximum(np.ceil(steps), 1.0)
    count = steps.astype(np.int64)
    one = np.repeat(np.arange(len(swarm)), count)
    nth = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
    light = np.round(np.outer(np.pi / 4 * swarm.diameter**2 / steps, shares) * _SHADES)
    pace_x, pace_y = swarm.dx / steps, swarm.dy / steps
    x0, y0 = swarm.x - 0.5 * (swarm.dx - pace_x), swarm.y - 0.5 * (swarm.dy - pace_y)
    x = (x0[:, None] + right)[one] + (pace_x[one] * nth)[:, None]
    y = (y0[:, None] + down)[one] + (pace_y[one] * nth)[:, None]
    return x.ravel(), y.ravel(), light[one].ravel()


def _splat(size: tuple[int, int], x: Floats, y: Floats, light: Floats) -> Floats:
    """Share each dot among the four nearest pixels: float64 (height, width) of whole numbers, summed exactly."""
    height, width = size
    x, y = x + 0.5, y + 0.5  # the middle of the first pixel is at 1: there is one more pixel on each side
    seen = np.flatnonzero((x > 0) & (x < width + 1) & (y > 0) & (y < height + 1))
    fine_x = (x[seen] * _SUBPIXELS).astype(np.int64)
    fine_y = (y[seen] * _SUBPIXELS).astype(np.int64)
    column, row = fine_x // _SUBPIXELS, fine_y // _SUBPIXELS
    first = row * (width + 2) + column
    right, down = (fine_x - column * _SUBPIXELS).astype(np.float64), (fine_y - row * _SUBPIXELS).astype(np.float64)
    lower = light[seen] * down
    upper = light[seen] * _SUBPIXELS - lower
    cells = (height + 2) * (width + 2)
    total = np.zeros(cells, dtype=np.float64)
    for offset, part in ((0, upper), (width + 2, lower)):
        aside = part * right
        total += np.bincount(first + offset, weights=part * _SUBPIXELS - aside, minlength=cells)
        total += np.bincount(first + (offset + 1), weights=aside, minlength=cells)
    return total.reshape(height + 2, width + 2)[1:-1, 1:-1]
