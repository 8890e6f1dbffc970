"""Articulated people: build, pose, clothes, and how they are drawn from any side.

Lengths inside a body are shares of its height (proportions after Drillis and Contini, 1966, "Body segment
parameters", rounded). Body axes: x to the person's left as seen from the front, y up, z the way the person faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robust.datasets.synthetic.canvas import Canvas, Color, Point, Sprite, mix, shade
from robust.datasets.synthetic.pose import Pose
from robust.datasets.synthetic.wardrobe import Outfit

Joint = tuple[float, float, float]
_THIGH, _SHIN, _UPPER_ARM, _FOREARM = 0.245, 0.235, 0.175, 0.16


@dataclass(frozen=True)
class Person:
    """Somebody to draw.

    Attributes:
        stature: Height when standing straight, metres.
        girth: Width of the trunk and limbs relative to an average adult, about 0.8 to 1.4.
        head: Size of the head relative to an adult's of the same stature (children: up to 1.5).
        pose: What they do.
        outfit: What they wear.
    """

    stature: float
    girth: float
    head: float
    pose: Pose
    outfit: Outfit

    @classmethod
    def sample(cls, rng: np.random.Generator, outfit: Outfit, yaw: float, *, seated: bool = False) -> Person:
        """Draw a person: one in eight is a child."""
        child = rng.random() < 0.12
        stature = rng.uniform(1.0, 1.45) if child else float(np.clip(rng.normal(1.7, 0.09), 1.48, 1.98))
        make = Pose.sitting if seated else Pose.walking if rng.random() < 0.62 else Pose.standing
        girth = float(np.clip(rng.normal(1.03, 0.14), 0.8, 1.45))
        return cls(stature, girth, 1.0 + (1.6 - stature) * 0.45 if child else 1.0, make(rng, yaw), outfit)


@dataclass(frozen=True)
class _Skeleton:
    """Projected joints: (x right, y down, depth towards the camera) in pixels; pairs are (left, right)."""

    hip: tuple[Joint, Joint]
    knee: tuple[Joint, Joint]
    ankle: tuple[Joint, Joint]
    toe: tuple[Joint, Joint]
    shoulder: tuple[Joint, Joint]
    elbow: tuple[Joint, Joint]
    hand: tuple[Joint, Joint]
    pelvis: Joint
    chest: Joint
    skull: Joint


def _turn(joint: Joint, yaw: float) -> Joint:
    cos, sin = math.cos(yaw), math.sin(yaw)
    return joint[0] * cos + joint[2] * sin, joint[1], joint[2] * cos - joint[0] * sin


def _leg(pose: Pose, girth: float, side: int) -> tuple[Joint, Joint, Joint, Joint]:
    sign = 1 - 2 * side
    thigh, shin = pose.thigh[side], pose.thigh[side] - pose.knee[side]
    hip = (sign * 0.052 * girth, 0.525, 0.0)
    knee = (hip[0] + sign * 0.004, hip[1] - _THIGH * math.cos(thigh), _THIGH * math.sin(thigh))
    ankle = (knee[0], knee[1] - _SHIN * math.cos(shin), knee[2] + _SHIN * math.sin(shin))
    tilt = shin * 0.6
    return hip, knee, ankle, (ankle[0] + sign * 0.012, ankle[1] - 0.03 + 0.08 * max(0.0, tilt), ankle[2] + 0.085)


def _arm(pose: Pose, girth: float, side: int) -> tuple[Joint, Joint, Joint]:
    sign = 1 - 2 * side
    swing, spread, inward = pose.arm[side], pose.spread[side], pose.inward[side]
    back = math.sin(pose.lean) * 0.3
    shoulder = (sign * 0.108 * (0.6 + 0.4 * girth), 0.805, back)
    elbow = (
        shoulder[0] + sign * _UPPER_ARM * math.sin(spread),
        shoulder[1] - _UPPER_ARM * math.cos(spread) * math.cos(swing),
        shoulder[2] + _UPPER_ARM * math.sin(swing),
    )
    fore = swing + pose.elbow[side]
    turn = spread * 0.5 - inward * 1.1
    hand = (
        elbow[0] + sign * _FOREARM * math.sin(turn),
        elbow[1] - _FOREARM * math.cos(fore) * math.cos(turn),
        elbow[2] + _FOREARM * math.sin(fore) * abs(math.cos(turn)),
    )
    return shoulder, elbow, hand


def _skeleton(person: Person, foot: Point, pixels: float) -> _Skeleton:
    pose = person.pose
    legs = [_leg(pose, person.girth, side) for side in (0, 1)]
    arms = [_arm(pose, person.girth, side) for side in (0, 1)]
    drop = min(leg[2][1] for leg in legs) - 0.04  # the lower foot stands on the ground

    def place(joint: Joint) -> Joint:
        x, y, z = _turn(joint, pose.yaw)
        return foot[0] + x * pixels, foot[1] - (y - drop) * pixels, z * pixels

    lean = math.sin(pose.lean)
    return _Skeleton(
        hip=(place(legs[0][0]), place(legs[1][0])),
        knee=(place(legs[0][1]), place(legs[1][1])),
        ankle=(place(legs[0][2]), place(legs[1][2])),
        toe=(place(legs[0][3]), place(legs[1][3])),
        shoulder=(place(arms[0][0]), place(arms[1][0])),
        elbow=(place(arms[0][1]), place(arms[1][1])),
        hand=(place(arms[0][2]), place(arms[1][2])),
        pelvis=place((0.0, 0.52, 0.0)),
        chest=place((0.0, 0.8, lean * 0.3)),
        skull=place((0.0, 0.93 + 0.02 * (person.head - 1), lean * 0.45 + 0.01)),
    )


class _Painter:
    """Draws one person part by part; ``light`` is -1 for light from the left of the image, +1 from the right."""

    def __init__(self, person: Person, foot: Point, pixels: float, light: float) -> None:
        self.person, self.size, self.light = person, pixels, light
        self.outfit = person.outfit
        self.bones = _skeleton(person, foot, pixels)
        margin = 0.36 * pixels
        scale = int(np.clip(round(170 / pixels), 2, 8))
        self.canvas = Canvas(foot[0] - margin, foot[1] - 1.1 * pixels, foot[0] + margin, foot[1] + 0.08 * pixels, scale)
        self.facing = math.cos(person.pose.yaw)
        self.side = math.sin(person.pose.yaw)
        self.near = 0 if self.side < 0 else 1  # side 0 has its x axis towards the camera when turned to the left

    def _stroke(self, a: Joint, b: Joint, ra: float, rb: float, color: Color) -> None:
        """A limb with a lit and a shaded side."""
        ra, rb = ra * self.size, rb * self.size
        self.canvas.limb(a[:2], b[:2], ra, rb, shade(color, 0.8))
        off = 0.32 * self.light
        self.canvas.limb((a[0] + off * ra, a[1]), (b[0] + off * rb, b[1]), ra * 0.62, rb * 0.62, shade(color, 1.08))

    def leg(self, side: int) -> None:
        """One leg with its shoe."""
        bones, outfit, girth = self.bones, self.outfit, 0.55 + 0.45 * self.person.girth
        dim = 1.0 if side == self.near else 0.86
        thigh = shade(outfit.bottom if outfit.leg_cover > 0.2 else outfit.skin, dim)
        shin = shade(outfit.bottom if outfit.leg_cover > 0.8 else outfit.skin, dim)
        wide = 1.0 + outfit.loose
        toe, ankle = bones.toe[side], bones.ankle[side]
        self._stroke((ankle[0], ankle[1] + 0.012 * self.size, 0), toe, 0.024, 0.018, shade(outfit.shoes, dim))
        self._stroke(bones.knee[side], ankle, 0.038 * girth * wide, 0.025 * wide, shin)
        self._stroke(bones.hip[side], bones.knee[side], 0.058 * girth, 0.04 * girth * wide, thigh)

    def arm(self, side: int) -> None:
        """One arm with its hand."""
        bones, outfit, girth = self.bones, self.outfit, 0.5 + 0.5 * self.person.girth
        dim = 0.97 if side == self.near else 0.84
        sleeve = shade(outfit.top, dim)
        fore = sleeve if outfit.sleeves > 0.5 else shade(outfit.skin, dim)
        thick = 1.0 + outfit.bulk
        self.canvas.disc(bones.hand[side][:2], 0.021 * self.size, shade(outfit.skin, dim))
        self._stroke(bones.elbow[side], bones.hand[side], 0.026 * girth * thick, 0.019 * thick, fore)
        self._stroke(bones.shoulder[side], bones.elbow[side], 0.034 * girth * thick, 0.028 * girth * thick, sleeve)

    def _half(self, wide: float, deep: float) -> float:
        """Half the width of an elliptic section seen from this side, pixels."""
        return math.hypot(wide * self.facing, deep * self.side) * self.size * (1.0 + 0.6 * self.outfit.bulk)

    def trunk(self) -> None:
        """Chest, belly and what hangs from them (coat, skirt)."""
        person, outfit, bones = self.person, self.outfit, self.bones
        g = person.girth
        (cx, cy, _), (px, py, _) = bones.chest, bones.pelvis
        belly = 0.075 + 0.075 * max(0.0, g - 1.0)
        rows = [  # share of the way from chest to pelvis, half width, half depth
            (-0.16, 0.04, 0.04), (-0.06, 0.1 * (0.6 + 0.4 * g), 0.055), (0.12, 0.118 * (0.5 + 0.5 * g), 0.068 * g),
            (0.55, 0.092 * g, belly * g), (0.85, 0.096 * g, 0.074 * g), (1.1, 0.1 * g, 0.074 * g),
        ]  # fmt: skip
        if not person.pose.seated and outfit.hem > 0:
            flare = 0.1 + outfit.flare
            rows.append((1.1 + outfit.hem, flare * g, (flare - 0.015) * g))
        bulge = 0.25 * belly * self.size * self.side * max(0.0, g - 1.0) * 4
        left, right = [], []
        for t, wide, deep in rows:
            x, y, half = cx + (px - cx) * t, cy + (py - cy) * t, self._half(wide, deep)
            x += bulge if 0.4 < t < 0.7 else 0.0
            left.append((x - half, y))
            right.append((x + half, y))
        self._panel(left, right, 0, len(rows), outfit.top)
        if outfit.hem > 0 and outfit.skirt and not person.pose.seated:
            self._panel(left, right, 4, len(rows), outfit.bottom)
        self._details(left, right)

    def _panel(self, left: list[Point], right: list[Point], first: int, last: int, color: Color) -> None:
        """Part of the trunk between two rows, darker on the side away from the light."""
        self.canvas.polygon(left[first:last] + right[first:last][::-1], shade(color, 0.82))
        bright = []
        for (lx, y), (rx, _) in zip(left[first:last], right[first:last], strict=True):
            middle, half = (lx + rx) / 2, (rx - lx) / 2
            bright.append((middle + 0.3 * self.light * half, y, half * 0.68))
        lit = [(x - h, y) for x, y, h in bright] + [(x + h, y) for x, y, h in bright[::-1]]
        self.canvas.polygon(lit, shade(color, 1.06))

    def _details(self, left: list[Point], right: list[Point]) -> None:
        """Stripes, an open jacket, a belt."""
        outfit = self.outfit
        if outfit.stripes is not None:
            for i in range(5):
                t = 0.1 + i * 0.19
                ya = left[1][1] + (left[5][1] - left[1][1]) * t
                row = min(4, 1 + int(t * 4))
                xl, xr, h = left[row][0], right[row][0], 0.014 * self.size
                self.canvas.polygon([(xl, ya), (xr, ya), (xr, ya + h), (xl, ya + h)], outfit.stripes)
        if outfit.under is not None and self.facing > 0.3:
            x = self.bones.chest[0] + 0.03 * self.side * self.size
            half, top, bottom = 0.028 * self.size, left[1][1], left[5][1]
            self.canvas.polygon(
                [(x - half, top), (x + half, top), (x + half * 0.8, bottom), (x - half * 0.8, bottom)], outfit.under
            )

    def head(self) -> None:
        """Neck, hair, face, hat."""
        outfit, size = self.outfit, self.size
        x, y, _ = self.bones.skull
        r = 0.062 * self.person.head * size
        wide = r * (0.82 + 0.12 * abs(self.side))
        self.canvas.limb(
            (self.bones.chest[0], self.bones.chest[1] - 0.02 * size),
            (x, y),
            0.034 * size,
            0.032 * size,
            shade(outfit.skin, 0.78),
        )
        if outfit.hair_length > 0:
            fall = outfit.hair_length * 2.2 * r
            self.canvas.limb(
                (x - 0.25 * self.side * r, y), (x - 0.4 * self.side * r, y + fall), wide * 1.12, wide * 0.8, outfit.hair
            )
        self.canvas.ellipse((x, y), wide * 1.06, r * 1.08, outfit.hair)
        if self.facing > -0.35:
            self._face(x, y, wide, r)
        if outfit.hat is not None:
            self.canvas.ellipse((x, y - 0.5 * r), wide * 1.15, r * 0.66, outfit.hat)
            brim = 0.7 * self.side * r
            self.canvas.ellipse(
                (x + brim, y - 0.32 * r), wide * (0.9 + 0.5 * abs(self.side)), r * 0.16, shade(outfit.hat, 0.7)
            )

    def _face(self, x: float, y: float, wide: float, r: float) -> None:
        skin = self.outfit.skin
        shift = 0.3 * self.side * r
        width = wide * (0.9 if self.facing > 0 else 0.9 + self.facing)
        self.canvas.ellipse((x + shift, y + 0.16 * r), width, r * 0.9, shade(skin, 0.86))
        self.canvas.ellipse((x + shift + 0.2 * self.light * r, y + 0.16 * r), width * 0.72, r * 0.8, shade(skin, 1.06))
        if self.size > 60 and self.facing > 0.2:
            for sign in (-1, 1):
                self.canvas.disc(
                    (x + shift * 1.6 + sign * 0.33 * wide * self.facing, y + 0.06 * r), 0.1 * r, (40, 30, 28)
                )
            self.canvas.ellipse((x + shift * 1.6, y + 0.62 * r), 0.22 * wide, 0.06 * r, mix(skin, (120, 50, 50), 0.5))
        if self.outfit.beard:
            self.canvas.ellipse((x + shift, y + 0.75 * r), width * 0.75, r * 0.42, self.outfit.hair)

    def bag(self) -> None:
        """A backpack or a handbag, on the side where it can be seen."""
        outfit, bones, size = self.outfit, self.bones, self.size
        if outfit.bag is None:
            return
        if outfit.backpack:
            x, y, _ = bones.chest
            shift = -0.1 * self.side * size
            half = (0.055 + 0.03 * abs(self.facing)) * size
            self.canvas.limb((x + shift, y + 0.05 * size), (x + shift, y + 0.2 * size), half * 0.9, half, outfit.bag)
            self.canvas.limb(
                (x + shift, y + 0.16 * size),
                (x + shift, y + 0.2 * size),
                half * 0.6,
                half * 0.6,
                shade(outfit.bag, 0.75),
            )
            return
        hx, hy, _ = bones.hand[self.near]
        w, h = 0.06 * size, 0.1 * size
        self.canvas.limb((hx, hy), (hx, hy + 0.06 * size), 0.008 * size, 0.008 * size, shade(outfit.bag, 0.6))
        top = hy + 0.05 * size
        self.canvas.polygon(
            [(hx - w, top), (hx + w, top), (hx + w * 1.1, top + h), (hx - w * 1.1, top + h)], outfit.bag
        )

    def paint(self) -> Sprite:
        """All parts, far ones first."""
        far = 1 - self.near
        behind = self.outfit.backpack and self.facing > -0.1
        if behind:
            self.bag()
        self.arm(far)
        self.leg(far)
        self.leg(self.near)
        if abs(self.side) < 0.5:
            order = [self.trunk, lambda: self.arm(far), lambda: self.arm(self.near), self.head]
            if self.facing < 0:
                order = [lambda: self.arm(far), lambda: self.arm(self.near), self.trunk, self.head]
        else:
            order = [self.trunk, self.head, lambda: self.arm(self.near)]
        for step in order:
            step()
        if not behind:
            self.bag()
        return self.canvas.finish()


def draw_person(person: Person, foot: Point, pixels: float, light: float = 0.0) -> Sprite:
    """Draw a person standing at a point.

    Args:
        person: Who.
        foot: The spot on the ground, image pixels.
        pixels: Height in the image when standing straight.
        light: -1 for light from the left of the image, +1 from the right.
    """
    return _Painter(person, foot, pixels, light).paint()
