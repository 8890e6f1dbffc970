"""House fronts: walls with windows, doors, shops and the dummies in them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.datasets.synthetic.camera import Camera
from robust.datasets.synthetic.canvas import Color, mix, shade
from robust.datasets.synthetic.light import Light, grain_patch
from robust.datasets.synthetic.person import Person, draw_person
from robust.datasets.synthetic.pose import Pose
from robust.datasets.synthetic.street import Street
from robust.datasets.synthetic.wardrobe import Outfit

_PIXELS_PER_METRE = 11
_WALLS: tuple[Color, ...] = (
    (168, 92, 70), (196, 178, 150), (214, 206, 190), (150, 140, 132), (120, 118, 120), (206, 186, 128), (178, 150, 138),
    (134, 82, 64), (160, 172, 180), (226, 222, 214),
)  # fmt: skip


def paint_houses(
    image: NDArray[np.uint8], camera: Camera, street: Street, light: Light, rng: np.random.Generator
) -> None:
    """Draw the house fronts, far ones first, in place."""
    if street.plan == "park":
        return
    if street.plan == "front":
        z = street.walls[0]
        half = camera.width / camera.focal * z
        x = -half - rng.uniform(0, 8)
        while x < half:
            length = rng.uniform(7, 16)
            _paint_front(image, camera, [(x, z), (x + length, z)], light, rng)
            x += length
        return
    for wall in street.walls:
        ends, z = [], rng.uniform(1.2, 4.0)
        while z < 60:
            ends.append((z, z + rng.uniform(7, 16)))
            z = ends[-1][1] + (rng.uniform(2, 8) if rng.random() < 0.25 else 0)
        for near, far in reversed(ends):
            pair = [(wall, far), (wall, near)] if wall > 0 else [(wall, near), (wall, far)]
            _paint_front(image, camera, pair, light, rng)


def _paint_front(
    image: NDArray[np.uint8], camera: Camera, ends: list[tuple[float, float]], light: Light, rng: np.random.Generator
) -> None:
    """One house front between two ground points (X, Z)."""
    (x1, z1), (x2, z2) = ends
    metres, tall = float(np.hypot(x2 - x1, z2 - z1)), rng.uniform(5, 15)
    texture = _front_texture(metres, tall, light, rng)
    corners = [
        camera.project(x1, tall, z1),
        camera.project(x2, tall, z2),
        camera.project(x2, 0, z2),
        camera.project(x1, 0, z1),
    ]
    us, vs = [c[0] for c in corners], [c[1] for c in corners]
    left, top = max(0, int(min(us))), max(0, int(min(vs)))
    right, bottom = min(camera.width, int(max(us)) + 2), min(camera.height, int(max(vs)) + 2)
    if right <= left or bottom <= top:
        return
    h, w = texture.shape[:2]
    source = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
    target = np.array([(u - left, v - top) for u, v in corners], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    size = (right - left, bottom - top)
    warped = cv2.warpPerspective(texture, matrix, size, flags=cv2.INTER_AREA if metres > 12 else cv2.INTER_LINEAR)
    mask: NDArray[np.uint8] = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(mask, np.round(target * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    alpha = mask[:, :, None].astype(np.float32) / 255
    haze = np.float32(light.share_of_haze((z1 + z2) / 2))
    lit = np.float32(1.0 if not light.sun else 1.1 if (x1 + x2) * light.side < 0 else 0.78)
    color = np.asarray(warped, np.float32) * lit * (1 - haze) + np.array(
        light.haze_color, np.float32
    ) * haze * np.float32(1 - 0.5 * light.dusk)
    region = image[top:bottom, left:right]
    region[:] = (region * (1 - alpha) + color * alpha).clip(0, 255).astype(np.uint8)


def _front_texture(metres: float, tall: float, light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A wall with windows above and doors or shops at the ground; uint8 RGB."""
    k = _PIXELS_PER_METRE
    w, h = max(8, int(metres * k)), max(8, int(tall * k))
    wall = shade(_WALLS[int(rng.integers(len(_WALLS)))], rng.uniform(0.7, 1.1))
    image: NDArray[np.uint8] = np.empty((h, w, 3), np.uint8)
    image[:] = np.array(wall, np.uint8)
    if rng.random() < 0.4:
        image[::4] = (image[::4] * 0.86).astype(np.uint8)
    pitch, storey = rng.uniform(1.8, 3.4) * k, rng.uniform(2.8, 3.6) * k
    width, height = pitch * rng.uniform(0.35, 0.7), storey * rng.uniform(0.4, 0.7)
    glass = mix((52, 62, 74), (150, 170, 186), rng.random())
    frame = shade(wall, rng.choice([0.6, 1.35]))
    y = h - storey * 2 + (storey - height) / 2
    while y > -height:
        x = pitch * 0.25
        while x + width < w:
            _window(image, (x, y, x + width, y + height), (glass, frame), light, rng)
            x += pitch
        y -= storey
    _ground_floor(image, storey, wall, light, rng)
    noise = grain_patch(rng, h, w)[:, :, None] * np.float32(rng.uniform(3, 9))
    return (image + noise).clip(0, 255).astype(np.uint8)


def _window(
    image: NDArray[np.uint8],
    box: tuple[float, ...],
    colors: tuple[Color, Color],
    light: Light,
    rng: np.random.Generator,
) -> None:
    """One window: (left, top, right, bottom) in texture pixels, colours of (glass, frame)."""
    glass, frame = colors
    x1, y1, x2, y2 = (int(v) for v in box)
    lit = rng.random() < 0.45 * light.dusk
    color = (255, 226, 150) if lit else shade(glass, rng.uniform(0.7, 1.2))
    cv2.rectangle(image, (x1 - 1, y1 - 1), (x2 + 1, y2 + 1), frame, -1)
    cv2.rectangle(image, (x1, y1), (x2, y2), color, -1)
    cv2.line(image, ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2), frame, 1)


def _ground_floor(image: NDArray[np.uint8], storey: float, wall: Color, light: Light, rng: np.random.Generator) -> None:
    """Shop windows with dummies, doors, awnings and signs along the foot of the wall."""
    k, (h, w) = _PIXELS_PER_METRE, image.shape[:2]
    x = rng.uniform(0.3, 1.0) * k
    shops = rng.random() < 0.6
    while x < w - k:
        door = rng.random() < 0.3
        width = (1.1 if door else rng.uniform(1.8, 4.0)) * k
        right = min(w - 2, x + width)
        top = h - storey * (0.72 if door else 0.78)
        foot = h - (0 if door else 0.45 * k)
        glow = 1.0 + 1.2 * light.dusk if shops and rng.random() < 0.6 else 1.0
        inside = shade(mix((60, 64, 68), (140, 130, 116), rng.random()), glow)
        if not shops:
            inside = shade(wall, 0.5) if door else (80, 92, 104)
            top = h - storey * (0.72 if door else 0.66)
        cv2.rectangle(image, (int(x), int(top)), (int(right), int(foot)), inside, -1)
        cv2.rectangle(image, (int(x), int(top)), (int(right), int(foot)), shade(wall, 0.55), 1)
        if shops and not door:
            _display(image, x, right, foot, rng)
            sign = shade((rng.uniform(40, 230), rng.uniform(40, 200), rng.uniform(40, 200)), 0.9)
            cv2.rectangle(image, (int(x), int(top - 0.6 * k)), (int(right), int(top)), sign, -1)
        x = right + rng.uniform(0.4, 1.6) * k


def _display(image: NDArray[np.uint8], left: float, right: float, foot: float, rng: np.random.Generator) -> None:
    """Dummies in a shop window: the shape of a person in one pale or dark colour."""
    if rng.random() < 0.55:
        return
    x = left + 0.5 * _PIXELS_PER_METRE
    color = mix((70, 66, 64), (226, 214, 200), float(rng.random() > 0.3) * rng.uniform(0.6, 1.0))
    while x < right - 0.4 * _PIXELS_PER_METRE:
        dummy = Person(1.75, 0.85, 0.9, Pose.standing(rng, rng.uniform(-0.6, 0.6)), Outfit.uniform(color))
        sprite = draw_person(dummy, (x, foot), 1.75 * _PIXELS_PER_METRE)
        rows, columns, sprite_rows, sprite_columns = sprite.window(image.shape[1], image.shape[0])
        patch = sprite.rgba[sprite_rows, sprite_columns].astype(np.float32)
        image[rows, columns] = (
            (image[rows, columns] * (1 - patch[:, :, 3:] / 255) + patch[:, :, :3]).clip(0, 255).astype(np.uint8)
        )
        x += rng.uniform(0.8, 1.5) * _PIXELS_PER_METRE
