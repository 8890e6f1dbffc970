"""Things in a street that are not people."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robust.datasets.synthetic.camera import Camera
from robust.datasets.synthetic.canvas import Canvas, Color, Sprite, mix, shade
from robust.datasets.synthetic.light import Light
from robust.datasets.synthetic.person import Person, draw_person
from robust.datasets.synthetic.pose import Pose
from robust.datasets.synthetic.wardrobe import Outfit


@dataclass(frozen=True, eq=False)
class Prop:
    """A drawn thing.

    Attributes:
        sprite: Its picture.
        metres: Its height, for the shadow.
    """

    sprite: Sprite
    metres: float


@dataclass(frozen=True)
class Spot:
    """Where a thing stands: ground point in metres, its pixel, and pixels per metre there."""

    x: float
    z: float
    u: float
    v: float
    scale: float

    @classmethod
    def at(cls, camera: Camera, x: float, z: float) -> Spot:
        """Project a ground point."""
        u, v = camera.project(x, 0, z)
        return cls(x, z, u, v, camera.focal / z)


def _canvas(camera: Camera, spot: Spot, half: float, tall: float) -> Canvas:
    """A canvas for a thing of the given half width and height (metres), cut to the image's surroundings."""
    scale = int(np.clip(round(60 / (tall * spot.scale) + 1.5), 2, 5))
    left, right = max(-60.0, spot.u - half * spot.scale - 2), min(camera.width + 60.0, spot.u + half * spot.scale + 2)
    top, bottom = (
        max(-60.0, spot.v - tall * spot.scale - 2),
        min(camera.height + 60.0, spot.v + 0.08 * tall * spot.scale + 3),
    )
    return Canvas(left, top, max(left + 1, right), max(top + 1, bottom), scale)


def _random_color(rng: np.random.Generator) -> Color:
    grey = rng.uniform(20, 235)
    vivid = (rng.uniform(20, 210), rng.uniform(20, 190), rng.uniform(20, 200))
    return mix((grey, grey, grey), vivid, float(rng.random() < 0.6) * rng.uniform(0.5, 1.0))


def pole(camera: Camera, spot: Spot, light: Light, rng: np.random.Generator) -> Prop:
    """A lamp post, a traffic light or a bare mast."""
    tall, k = rng.uniform(3, 7), spot.scale
    canvas = _canvas(camera, spot, 1.6, tall + 0.4)
    color, r = shade((110, 112, 112), rng.uniform(0.4, 1.3)), rng.uniform(0.04, 0.13) * k
    top = spot.v - tall * k
    canvas.limb((spot.u, spot.v), (spot.u, top), r * 1.3, r, shade(color, 0.8))
    canvas.limb(
        (spot.u + 0.35 * r * light.side, spot.v),
        (spot.u + 0.35 * r * light.side, top),
        r * 0.6,
        r * 0.5,
        shade(color, 1.2),
    )
    kind = rng.integers(3)
    if kind == 0:
        arm = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.3) * k
        canvas.limb((spot.u, top), (spot.u + arm, top - 0.2 * k), r * 0.7, r * 0.6, color)
        canvas.ellipse(
            (spot.u + arm, top - 0.15 * k), 0.3 * k, 0.09 * k, (250, 236, 190) if light.dusk else shade(color, 1.3)
        )
    elif kind == 1:
        w, y = 0.17 * k, spot.v - 2.9 * k
        canvas.polygon(
            [(spot.u - w, y), (spot.u + w, y), (spot.u + w, y + 0.85 * k), (spot.u - w, y + 0.85 * k)], (34, 36, 36)
        )
        on = int(rng.integers(3))
        for i, lamp in enumerate([(230, 50, 40), (240, 180, 40), (60, 210, 110)]):
            canvas.disc((spot.u, y + (0.17 + 0.26 * i) * k), 0.09 * k, lamp if i == on else shade(lamp, 0.25))
    return Prop(canvas.finish(), tall)


def tree(camera: Camera, spot: Spot, light: Light, rng: np.random.Generator) -> Prop:
    """A trunk with leaves, or bare in winter."""
    tall, k = rng.uniform(3.5, 8), spot.scale
    canvas = _canvas(camera, spot, tall * 0.45, tall)
    bark = shade((92, 74, 58), rng.uniform(0.6, 1.3))
    r, fork = rng.uniform(0.09, 0.22) * k, tall * rng.uniform(0.3, 0.45)
    lean = rng.uniform(-0.3, 0.3) * k
    crown = (spot.u + lean, spot.v - fork * k)
    canvas.limb((spot.u, spot.v), crown, r * 1.35, r, bark)
    canvas.limb((spot.u + 0.4 * r * light.side, spot.v), crown, r * 0.5, r * 0.4, shade(bark, 1.25))
    for angle in rng.uniform(-1.1, 1.1, 6):
        reach = tall * 0.36 * k
        canvas.limb(
            crown, (crown[0] + reach * math.sin(angle), crown[1] - reach * math.cos(angle)), r * 0.55, r * 0.2, bark
        )
    if rng.random() < 0.85:
        leaf = mix((52, 84, 40), (150, 120, 50), float(rng.random() < 0.25) * rng.random())
        middle, spread = spot.v - tall * 0.66 * k, tall * 0.31 * k
        turns, reaches, sizes = (
            rng.uniform(0, 2 * math.pi, 110),
            rng.random(110) ** 0.55,
            np.abs(rng.normal(0, 0.5, 110)),
        )
        for dx, dy, size in zip(
            np.cos(turns) * reaches, np.sin(turns) * reaches * 0.9, np.minimum(sizes, 1.2), strict=True
        ):
            tone = 0.95 - 0.3 * dy + 0.25 * dx * light.side + 0.2 * (size - 0.4)
            point = (crown[0] + dx * spread, middle + dy * spread)
            canvas.disc(point, (0.08 + 0.1 * size) * spread, shade(leaf, max(0.4, tone)))
    return Prop(canvas.finish(), tall)


def sign(camera: Camera, spot: Spot, _light: Light, rng: np.random.Generator) -> Prop:
    """A road sign or an advertising board, now and then with the outline of a person on it."""
    k = spot.scale
    canvas = _canvas(camera, spot, 1.0, 3.0)
    board = rng.random() < 0.45
    color = _random_color(rng)
    canvas.limb((spot.u, spot.v), (spot.u, spot.v - (1.0 if board else 2.6) * k), 0.05 * k, 0.05 * k, (96, 98, 100))
    if board:
        w, low, high = rng.uniform(0.3, 0.5) * k, spot.v - 0.35 * k, spot.v - rng.uniform(1.2, 1.9) * k
        canvas.polygon(
            [(spot.u - w, low), (spot.u + w, low), (spot.u + w, high), (spot.u - w, high)], shade(color, 0.6)
        )
        w, low, high = w * 0.9, low - 0.06 * k, high + 0.06 * k
        canvas.polygon([(spot.u - w, low), (spot.u + w, low), (spot.u + w, high), (spot.u - w, high)], color)
        for i in range(int(rng.integers(1, 5))):
            y = high + (0.2 + 0.22 * i) * k
            canvas.limb(
                (spot.u - 0.6 * w, y),
                (spot.u + rng.uniform(0, 0.6) * w, y),
                0.03 * k,
                0.03 * k,
                shade(color, 0.4 + 1.2 * (i % 2)),
            )
        return Prop(canvas.finish(), 2.0)
    center, r = (spot.u, spot.v - 2.5 * k), rng.uniform(0.28, 0.4) * k
    if rng.random() < 0.5:
        canvas.disc(center, r, (200, 40, 40))
        canvas.disc(center, r * 0.75, (236, 236, 232))
    else:
        canvas.polygon(
            [(center[0], center[1] - r * 1.2), (center[0] + r, center[1] + r), (center[0] - r, center[1] + r)],
            (40, 84, 170),
        )
    figure = (30, 30, 34)
    canvas.disc((center[0], center[1] - 0.4 * r), 0.14 * r, figure)
    canvas.limb(
        (center[0], center[1] - 0.2 * r), (center[0] + 0.1 * r, center[1] + 0.45 * r), 0.13 * r, 0.1 * r, figure
    )
    return Prop(canvas.finish(), 2.8)


def bin_(camera: Camera, spot: Spot, light: Light, rng: np.random.Generator) -> Prop:
    """A litter bin, a bollard, a hydrant or a post box."""
    k, tall, half = spot.scale, rng.uniform(0.7, 1.5), rng.uniform(0.1, 0.38)
    canvas = _canvas(camera, spot, half * 1.5, tall + 0.2)
    color = _random_color(rng)
    low, high, w = spot.v, spot.v - tall * k, half * k
    canvas.polygon(
        [(spot.u - w * 0.85, low), (spot.u + w * 0.85, low), (spot.u + w, high), (spot.u - w, high)], shade(color, 0.75)
    )
    off = 0.3 * light.side * w
    canvas.polygon(
        [
            (spot.u + off - w * 0.5, low),
            (spot.u + off + w * 0.5, low),
            (spot.u + off + w * 0.6, high),
            (spot.u + off - w * 0.6, high),
        ],
        shade(color, 1.1),
    )
    if rng.random() < 0.5:
        canvas.disc((spot.u, high), w * 1.02, shade(color, 0.9))
    else:
        canvas.ellipse((spot.u, high), w * 1.1, 0.25 * w, shade(color, 0.5))
    upper, lower = high + 0.2 * tall * k, high + 0.26 * tall * k
    canvas.polygon(
        [(spot.u - w, upper), (spot.u + w, upper), (spot.u + w, lower), (spot.u - w, lower)], shade(color, 0.5)
    )
    return Prop(canvas.finish(), tall)


def statue(camera: Camera, spot: Spot, light: Light, rng: np.random.Generator) -> Prop:
    """The shape of a person in stone, bronze or plastic, on a base or not."""
    k, tall = spot.scale, rng.uniform(1.5, 2.1)
    base = rng.uniform(0.3, 1.1) if rng.random() < 0.7 else 0.06
    stone = mix((206, 202, 194), (74, 92, 80), float(rng.random() < 0.45) * rng.uniform(0.7, 1.0))
    pose = Pose.standing(rng, rng.uniform(-math.pi, math.pi))
    figure = draw_person(
        Person(tall, rng.uniform(0.9, 1.2), 1.0, pose, Outfit.uniform(stone)),
        (spot.u, spot.v - base * k),
        tall * k,
        light.side,
    )
    canvas = _canvas(camera, spot, 0.8, tall + base + 0.3)
    w = rng.uniform(0.35, 0.5) * k
    block = [
        (spot.u - w, spot.v),
        (spot.u + w, spot.v),
        (spot.u + w * 0.9, spot.v - base * k),
        (spot.u - w * 0.9, spot.v - base * k),
    ]
    canvas.polygon(block, shade(stone, 0.85))
    ground = canvas.finish()
    _overlay(ground, figure)
    return Prop(ground, tall + base)


def _overlay(under: Sprite, over: Sprite) -> None:
    """Put one sprite over another, in place; what does not fit is cut."""
    h, w = under.rgba.shape[:2]
    moved = Sprite(over.x - under.x, over.y - under.y, over.rgba)
    rows, columns, over_rows, over_columns = moved.window(w, h)
    patch = over.rgba[over_rows, over_columns].astype(np.float32)
    below = under.rgba[rows, columns]
    under.rgba[rows, columns] = (below * (1 - patch[:, :, 3:] / 255) + patch).clip(0, 255).astype(np.uint8)


def bench(camera: Camera, spot: Spot, _light: Light, rng: np.random.Generator) -> Prop:
    """A bench, seen from the front."""
    k, half = spot.scale, rng.uniform(0.7, 1.0)
    canvas = _canvas(camera, spot, half * 1.2, 1.1)
    wood, w = shade((128, 92, 62), rng.uniform(0.7, 1.2)), half * k
    for y, thick in ((0.44, 0.05), (0.62, 0.04), (0.78, 0.04)):
        canvas.limb((spot.u - w, spot.v - y * k), (spot.u + w, spot.v - y * k), thick * k, thick * k, wood)
    for side in (-0.8, 0.8):
        canvas.limb(
            (spot.u + side * w, spot.v), (spot.u + side * w, spot.v - 0.8 * k), 0.03 * k, 0.03 * k, (50, 52, 52)
        )
    return Prop(canvas.finish(), 0.8)


_Corner = tuple[float, float, float]


def car(camera: Camera, spot: Spot, _light: Light, rng: np.random.Generator) -> Prop:
    """A parked car or van as a solid in perspective, along or across the view."""
    across = rng.random() < 0.5
    length, width = rng.uniform(3.8, 4.8), rng.uniform(1.65, 1.9)
    van = rng.random() < 0.2
    roof = rng.uniform(1.9, 2.3) if van else rng.uniform(1.4, 1.6)
    deep, wide = (width, length) if across else (length, width)
    z0 = max(1.0, spot.z - deep / 2)
    z1 = z0 + deep
    near = Spot.at(camera, spot.x, z0)
    canvas = _canvas(camera, near, wide * 0.75, roof + 0.2)
    paint, glass = _random_color(rng), mix((30, 36, 42), (120, 140, 156), rng.random())
    x0, x1 = spot.x - wide / 2, spot.x + wide / 2
    inset = (0.22 if across else 0.1) * wide, (0.1 if across else 0.22) * deep
    if van:
        inset = (0.05 * wide, 0.05 * deep)
    body = (x0, x1, z0, z1), (x0, x1, z0, z1)
    cabin = (x0 + 0.06, x1 - 0.06, z0 + 0.06, z1 - 0.06), (x0 + inset[0], x1 - inset[0], z0 + inset[1], z1 - inset[1])
    draw = _solid(canvas, camera)
    _wheels(canvas, camera, across, (x0, x1, z0, z1))
    draw(body, 0.3, 0.88, (shade(paint, 0.95), shade(paint, 0.7), shade(paint, 1.2)))
    draw(cabin, 0.88, roof, (glass, shade(glass, 0.75), shade(paint, 1.25)))
    lamp = (250, 244, 214) if rng.random() < 0.5 else (190, 30, 30)
    for x in (x0 + 0.25, x1 - 0.25):
        u, v = camera.project(x, 0.66, z0)
        canvas.ellipse((u, v), 0.12 * near.scale, 0.07 * near.scale, lamp)
    return Prop(canvas.finish(), roof)


_Base = tuple[float, float, float, float]


def _solid(
    canvas: Canvas, camera: Camera
) -> Callable[[tuple[_Base, _Base], float, float, tuple[Color, Color, Color]], None]:
    """Return a function that draws a box with sloping sides.

    It takes bottom and top as (x0, x1, z0, z1), their heights, and the colours of front, side and lid.
    """

    def draw(bases: tuple[_Base, _Base], low: float, high: float, colors: tuple[Color, Color, Color]) -> None:
        (ax0, ax1, az0, az1), (bx0, bx1, bz0, bz1) = bases
        faces: list[tuple[list[_Corner], Color]] = [
            ([(bx0, high, bz0), (bx1, high, bz0), (bx1, high, bz1), (bx0, high, bz1)], colors[2])
        ]
        if ax0 > 0:
            faces.append(([(ax0, low, az0), (ax0, low, az1), (bx0, high, bz1), (bx0, high, bz0)], colors[1]))
        if ax1 < 0:
            faces.append(([(ax1, low, az0), (ax1, low, az1), (bx1, high, bz1), (bx1, high, bz0)], colors[1]))
        faces.append(([(ax0, low, az0), (ax1, low, az0), (bx1, high, bz0), (bx0, high, bz0)], colors[0]))
        for corners, color in faces:
            canvas.polygon([camera.project(*corner) for corner in corners], color)

    return draw


def _wheels(canvas: Canvas, camera: Camera, across: bool, base: _Base) -> None:
    x0, x1, z0, z1 = base
    tyre: Color = (26, 26, 28)
    if across:
        for x in (x0 + 0.2 * (x1 - x0), x1 - 0.2 * (x1 - x0)):
            u, v = camera.project(x, 0.32, z0)
            k = camera.focal / z0
            canvas.disc((u, v), 0.33 * k, tyre)
            canvas.disc((u, v), 0.18 * k, (130, 130, 134))
        return
    for x in (x0, x1):
        for z in (z0 + 0.75 * (z1 - z0), z0 + 0.03 * (z1 - z0)):
            u, v = camera.project(x, 0.0, z)
            k = camera.focal / z
            inner = u + (0.2 if x == x0 else -0.2) * k
            canvas.polygon([(u, v), (inner, v), (inner, v - 0.6 * k), (u, v - 0.6 * k)], tyre)


Maker = Callable[[Camera, Spot, Light, np.random.Generator], Prop]
MAKERS: tuple[tuple[Maker, float], ...] = (
    (pole, 0.24),
    (tree, 0.2),
    (sign, 0.15),
    (bin_, 0.17),
    (car, 0.16),
    (statue, 0.08),
)
"""What a street may hold, with the share of each."""
