"""Street lamps: the light that they throw on the scene, and the glare of those that the camera looks at.

Laws, in units of a white surface under the mean street light (10 lux):

* A lamp of 7 m height lights a horizontal surface with ``I cos(angle) / distance^2`` (EN 13201-3), here in the lamp's
  own vertical plane: most light at its foot, none above it.
* Its glare in the camera is the veil of Stiles and Holladay (CIE 146): ``10 E / angle^2`` cd/m2 at ``angle`` degrees
  from a source that gives ``E`` lux at the lens, times ``glare``: 1 is a clean eye or a good clean lens, a dirty or
  wet dome has several. The lamp itself is a bright spot a little blurred, with the light of a disc of its size.

Limits: lamps have no poles, give all directions alike, and are hidden by labelled objects only.

The camera hangs 3 m above the ground, looks level and sees 60 degrees along the longer side of the picture, with the
horizon at 45 % of the height. It is not fitted to the objects as `View` in `depth` is: lamps stand beside the scene.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_FOCAL = 0.5 / math.tan(math.radians(30.0))  # of the longer side
_HORIZON = 0.45  # of the height
_HEAD_HEIGHT, _CAMERA_HEIGHT = 7.0, 3.0  # m
_NEAREST, _FARTHEST = 12.0, 40.0  # m
_HEAD_RADIUS = 0.25  # m
_CANDELA, _STREET_LUX = 800.0, 10.0  # toward the camera; on the street
_HEAD_LUMINANCE = _CANDELA / _HEAD_RADIUS**2 / _STREET_LUX  # over that of white: I / (pi r^2) over E / pi
_BLOOM = 3.0  # the integral of near^4 (see glow) is a third of the lamp's area
_HEAD_VEIL = 10.0 * _CANDELA / math.degrees(_HEAD_RADIUS) ** 2 * math.pi / _STREET_LUX  # at the head's own radius
_CELL = 16  # pixels of the light's grid


@dataclass(frozen=True)
class Lamp:
    """A street lamp in the picture.

    Attributes:
        x: Column of its head, pixels.
        y: Row of its head, pixels; negative above the picture.
        metre: Pixels per metre at its distance.
        spot: Radius of its head, pixels.
    """

    x: float
    y: float
    metre: float
    spot: float


def draw_lamps(number: int, height: int, width: int, rng: np.random.Generator) -> tuple[Lamp, ...]:
    """Place lamps side by side, each in its own share of the width, 12 to 40 m away."""
    focal = _FOCAL * max(height, width)
    lamps = []
    for k, (across, away) in enumerate(rng.uniform(0, 1, size=(number, 2)).tolist()):
        metre = focal / (_NEAREST + (_FARTHEST - _NEAREST) * away)
        head = _HORIZON * height - (_HEAD_HEIGHT - _CAMERA_HEIGHT) * metre
        lamps.append(Lamp((k + across) / number * width, head, metre, _HEAD_RADIUS * metre))
    return tuple(lamps)


def unhidden(lamps: Sequence[Lamp], boxes: NDArray[np.float64]) -> tuple[Lamp, ...]:
    """Keep the lamps whose head lies in none of the boxes (n, 4), xyxy: an object stands before the others."""

    def hidden(lamp: Lamp) -> bool:
        across = (boxes[:, 0] - lamp.spot <= lamp.x) & (lamp.x <= boxes[:, 2] + lamp.spot)
        return bool((across & (boxes[:, 1] - lamp.spot <= lamp.y) & (lamp.y <= boxes[:, 3] + lamp.spot)).any())

    return tuple(lamp for lamp in lamps if not hidden(lamp))


def lamp_light(height: int, width: int, depth: float, lamps: Sequence[Lamp]) -> NDArray[np.float32]:
    """Return the lamps' light on each pixel: float32 (height, width), mean about 1.

    Args:
        height: Of the picture.
        width: Of the picture.
        depth: Share of the light that comes from the lamps, 0..1; the rest is even.
        lamps: At least one.
    """
    rows, columns = max(2, height // _CELL), max(2, width // _CELL)
    y, x = np.linspace(0, height, rows)[:, None], np.linspace(0, width, columns)[None, :]
    pools = np.zeros((rows, columns))
    for lamp in lamps:
        pools += pool((x - lamp.x) / lamp.metre, (y - lamp.y) / lamp.metre)
    light = (1 - depth) + depth * pools / max(float(pools.mean()), 1e-9)
    return np.asarray(cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR))


def pool(across: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a lamp's light ``across`` and ``below`` its head (m), as a share of that at its foot.

    The distance has a floor of half the lamp's height, so that what is next to the head does not burn out.
    """
    square = across * across + below * below + _HEAD_HEIGHT**2 / 4
    return np.asarray(1.25**1.5 * _HEAD_HEIGHT**2 * np.maximum(below, 0.0) / (square * np.sqrt(square)))


def add_glare(
    light: NDArray[np.float32],
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    lamps: Sequence[Lamp],
    glare: float,
) -> None:
    """Add lamps and their veil in place.

    Args:
        light: float32 (rows, columns, 3), 1 is white under the mean street light.
        rows: Position of each row in the picture, pixels.
        columns: Position of each column.
        lamps: Those that the camera sees.
        glare: Veil, in units of the law of Stiles and Holladay.
    """
    if not lamps:
        return
    total = glow(rows, columns, lamps[0], glare)
    for lamp in lamps[1:]:
        total += glow(rows, columns, lamp, glare)
    light += cv2.cvtColor(total, cv2.COLOR_GRAY2RGB)


def glow(rows: NDArray[np.float32], columns: NDArray[np.float32], lamp: Lamp, glare: float) -> NDArray[np.float32]:
    """Return the light of one lamp and its veil at pixels: float32 (rows, columns), 1 is white.

    With ``near = spot^2 / (distance^2 + spot^2)`` the veil is a multiple of ``near`` (its angle has the lamp's own
    radius as a floor) and the lamp a multiple of ``near^4``. Only +, * and / touch every pixel: all processors agree.
    """
    spot = np.float32(lamp.spot**2)
    across, down = columns - np.float32(lamp.x), rows - np.float32(lamp.y)
    near = (down * down + spot)[:, None] + across * across
    np.divide(spot, near, out=near)
    fourth = near * near
    fourth *= fourth
    fourth *= np.float32(_BLOOM * _HEAD_LUMINANCE)
    near *= np.float32(glare * _HEAD_VEIL)
    near += fourth
    return near
