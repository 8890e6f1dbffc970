"""One scene: who and what stands where, the picture, and the exact annotations."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Annotations, Outline
from robust.datasets.synthetic import props
from robust.datasets.synthetic.camera import Camera
from robust.datasets.synthetic.canvas import Sprite
from robust.datasets.synthetic.houses import paint_houses
from robust.datasets.synthetic.light import Light, ShadowMap, expose, grain_patch, paste
from robust.datasets.synthetic.person import Person, draw_person
from robust.datasets.synthetic.props import Prop, Spot
from robust.datasets.synthetic.street import Street, paint_ground, paint_sky
from robust.datasets.synthetic.wardrobe import Outfit

PERSON = 1
"""Category id of people."""
LEAST_VISIBLE = 0.1
"""People of whom less can be seen are marked as crowd, to be ignored."""
LEAST_HEIGHT = 10
"""People whose box is less tall, in pixels, are marked as crowd."""


@dataclass(frozen=True)
class Domain:
    """What kind of scenes are drawn.

    Attributes:
        name: Part of every image's seed: images of different domains are never the same.
        dim: Share of images at dusk.
        winter: Share of coats and dark clothes.
        negatives: Share of images without people.
        crowds: Share of images with many people.
    """

    name: str = "demo"
    dim: float = 0.25
    winter: float = 0.5
    negatives: float = 0.1
    crowds: float = 0.12


DEMO = Domain()
BASE = Domain("base", dim=0.05, winter=0.25)
"""Where the demo's base weights come from: brighter days, lighter clothes; so fine-tuning has something to learn."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A drawn image.

    Attributes:
        pixels: uint8 (h, w, 3), RGB.
        annotations: The people; boxes hold the whole body, clipped to the image; outlines hold what can be seen.
        quality: JPEG quality that fits the scene's camera.
    """

    pixels: NDArray[np.uint8]
    annotations: Annotations
    quality: int


def image_rng(seed: int, domain: str, split: str, index: int) -> np.random.Generator:
    """Return the random numbers of one image: a function of seed, domain, split and index only."""
    digest = hashlib.sha256(f"robust-synthetic-1\0{seed}\0{domain}\0{split}\0{index}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


@dataclass(frozen=True, eq=False)
class Actor:
    """Something that stands in the scene: a sprite at a ground point, a person or not."""

    sprite: Sprite
    x: float
    z: float
    metres: float
    person: bool


def draw_scene(rng: np.random.Generator, domain: Domain = DEMO) -> Scene:
    """Draw one image of the domain."""
    width, height = int(rng.choice([384, 416, 416, 416, 448])), int(rng.choice([288, 320, 320, 320, 336]))
    camera, street, light = Camera.sample(rng, width, height), Street.sample(rng), Light.sample(rng, dim=domain.dim)
    image: NDArray[np.uint8] = np.empty((height, width, 3), np.uint8)
    actors = _people(camera, street, light, rng, domain) + _things(camera, street, light, rng)
    actors.sort(key=lambda actor: -actor.z)
    paint_sky(image, camera, light, rng)
    paint_ground(image, camera, street, light, rng)
    shadows = ShadowMap(camera, light)
    for actor in actors:
        shadows.cast(actor.sprite, actor.x, actor.z, actor.metres)
    shadows.apply(image)
    paint_houses(image, camera, street, light, rng)
    for actor in actors:
        paste(image, actor.sprite, light.share_of_haze(actor.z), light.haze_color)
    sprites = [(actor.sprite, actor.person) for actor in actors]
    return Scene(expose(image, light, rng), annotate(sprites, width, height), light.quality)


def annotate(sprites: list[tuple[Sprite, bool]], width: int, height: int) -> Annotations:
    """Measure the people among sprites that are painted in the given order, later ones in front.

    Args:
        sprites: Pairs of sprite and whether it is a person.
        width: Image width, pixels.
        height: Image height, pixels.

    Returns:
        One annotation for each person of whom a pixel can be seen. ``boxes``: bounds of the whole silhouette, clipped
        to the image. ``outlines`` and ``area``: the part that can be seen. ``visible``: pixels that can be seen, over
        all pixels of the silhouette, those outside the image included. ``ids`` count from 1.
    """
    owner: NDArray[np.int32] = np.zeros((height, width), np.int32)
    people: list[tuple[int, tuple[float, float, float, float], int]] = []
    for index, (sprite, is_person) in enumerate(sprites, start=1):
        rows, columns, sprite_rows, sprite_columns = sprite.window(width, height)
        solid = sprite.solid
        inside = solid[sprite_rows, sprite_columns]
        if not inside.any():
            continue
        owner[rows, columns][inside] = index
        if is_person:
            ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
            x0, y0 = columns.start, rows.start
            box = (float(x0 + xs[0]), float(y0 + ys[0]), float(x0 + xs[-1] + 1), float(y0 + ys[-1] + 1))
            people.append((index, box, int(solid.sum())))
    counts = np.bincount(owner.ravel(), minlength=len(sprites) + 1)
    people = [person for person in people if counts[person[0]] > 0]
    if not people:
        return Annotations.empty()
    seen = [int(counts[index]) for index, _, _ in people]
    visible = np.array([s / total for s, (_, _, total) in zip(seen, people, strict=True)])
    boxes = np.array([box for _, box, _ in people])
    return Annotations.build(
        boxes,
        np.full(len(people), PERSON),
        np.arange(1, len(people) + 1),
        iscrowd=(visible < LEAST_VISIBLE) | (boxes[:, 3] - boxes[:, 1] < LEAST_HEIGHT),
        area=np.array(seen, np.float64),
        visible=visible,
        outlines=[_outline(owner, index, box) for index, box, _ in people],
    )


def _outline(owner: NDArray[np.int32], index: int, box: tuple[float, float, float, float]) -> Outline | None:
    """Polygons around the visible pixels, None when nothing can be seen."""
    x1, y1, x2, y2 = (int(v) for v in box)
    mask = (owner[y1:y2, x1:x2] == index).astype(np.uint8)
    # Doubled, so that the contour runs along the outer edges of the pixels instead of through their centres.
    large = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = [np.asarray(c, np.float64).reshape(-1, 2) for c in contours]
    scaled = (np.ceil(part / 2) + np.array([x1, y1], np.float64) for part in parts if len(part) >= 3)
    return tuple(scaled) or None


def _textured(sprite: Sprite, rng: np.random.Generator, amount: float) -> Sprite:
    """Folds and dirt: the sprite with its colours made lighter and darker in spots."""
    h, w = sprite.rgba.shape[:2]
    factor = 1 + grain_patch(rng, h, w) * np.float32(amount)
    bright = cv2.multiply(sprite.rgba, cv2.merge([factor, factor, factor, np.ones_like(factor)]), dtype=cv2.CV_8U)
    return Sprite(sprite.x, sprite.y, np.asarray(bright, np.uint8))


def _range(camera: Camera, street: Street, z: float) -> tuple[float, float]:
    """Where somebody can stand at distance z: left and right X, metres."""
    left, right = (
        (-0.04 * camera.width - camera.center) * z / camera.focal,
        (1.04 * camera.width - camera.center) * z / camera.focal,
    )
    if street.plan == "street":
        left, right = max(left, street.walls[0] + 0.4), min(right, street.walls[1] - 0.4)
    return left, right


def _place(camera: Camera, street: Street, rng: np.random.Generator) -> tuple[float, float] | None:
    """A ground point for a person whose height in the image is between 12 and 200 pixels, small ones more often."""
    low, high = math.log(12), math.log(200)
    for _ in range(8):
        pixels = math.exp(low + (high - low) * rng.beta(1.5, 1.5))
        z = camera.depth_of(1.7, pixels)
        foot = camera.project(0, 0, z)[1]
        if foot - 0.55 * pixels > camera.height or (street.plan == "front" and z > street.walls[0] - 0.3):
            continue
        left, right = _range(camera, street, z)
        if right - left < 0.3:
            continue
        x = rng.uniform(left, right)
        on_road = street.plan != "front" and street.road[0] < x < street.road[1]
        if on_road and street.plan == "street" and rng.random() < 0.6:
            continue
        return x, z
    return None


def _people(camera: Camera, street: Street, light: Light, rng: np.random.Generator, domain: Domain) -> list[Actor]:
    kind = rng.random()
    if kind < domain.negatives:
        return []
    wanted = int(rng.integers(14, 26)) if kind > 1 - domain.crowds else 1 + int(rng.poisson(5.2))
    actors: list[Actor] = []
    while wanted > 0:
        group = min(wanted, int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12])))
        wanted -= group
        spot = _place(camera, street, rng)
        if spot is None:
            continue
        yaw = rng.uniform(-math.pi, math.pi)
        for member in range(group):
            x = spot[0] + member * rng.uniform(0.3, 0.75)
            z = max(1.5, spot[1] + member * rng.uniform(-0.5, 0.5))
            actors.extend(_somebody(camera, light, rng, domain, at=(x, z), yaw=yaw + rng.normal(0, 0.25)))
    return actors


def _somebody(
    camera: Camera, light: Light, rng: np.random.Generator, domain: Domain, *, at: tuple[float, float], yaw: float
) -> list[Actor]:
    """One person, with a bench when they sit."""
    seated = rng.random() < 0.04
    person = Person.sample(
        rng, Outfit.sample(rng, winter=domain.winter), rng.uniform(-0.6, 0.6) if seated else yaw, seated=seated
    )
    x, z = at
    spot = Spot.at(camera, x, z)
    sprite = _textured(draw_person(person, (spot.u, spot.v), person.stature * spot.scale, light.side), rng, 0.16)
    actors = [Actor(sprite, x, z, person.stature, person=True)]
    if seated:
        seat = props.bench(camera, spot, light, rng)
        actors.append(Actor(seat.sprite, x, z + 0.25, seat.metres, person=False))
    return actors


def _things(camera: Camera, street: Street, light: Light, rng: np.random.Generator) -> list[Actor]:
    actors: list[Actor] = []
    shares = np.array([share for _, share in props.MAKERS])
    for _ in range(int(rng.integers(3, 11))):
        make = props.MAKERS[int(rng.choice(len(shares), p=shares / shares.sum()))][0]
        z = math.exp(rng.uniform(math.log(4.2), math.log(36)))
        if street.plan == "front":
            z = min(z, street.walls[0] - 0.5)
        left, right = _range(camera, street, z)
        if make is props.car:
            z = max(z, 6.0)
            left, right = (left, right) if street.plan == "front" else (street.road[0] + 0.9, street.road[1] - 0.9)
            if street.plan == "park":
                continue
        if right <= left:
            continue
        x = rng.uniform(left, right)
        thing: Prop = make(camera, Spot.at(camera, x, z), light, rng)
        actors.append(Actor(_textured(thing.sprite, rng, 0.12), x, z, thing.metres, person=False))
    return actors
