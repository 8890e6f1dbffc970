"""What a body does: angles of its joints, walking, standing or sitting."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Angles in radians; pairs are (left, right).

    Attributes:
        thigh: Forward swing of the upper legs.
        knee: Bend of the knees, at least 0.
        arm: Forward swing of the upper arms.
        elbow: Bend of the elbows, at least 0.
        spread: Outward angle of the arms.
        inward: How far the hands turn to the middle, 0..1.
        lean: Forward lean of the trunk.
        yaw: The way the person faces: 0 to the camera, pi away from it, pi/2 to the right of the image.
        seated: Whether the person sits.
    """

    thigh: tuple[float, float]
    knee: tuple[float, float]
    arm: tuple[float, float]
    elbow: tuple[float, float]
    spread: tuple[float, float]
    inward: tuple[float, float]
    lean: float
    yaw: float
    seated: bool = False

    @classmethod
    def walking(cls, rng: np.random.Generator, yaw: float) -> Pose:
        """Draw a moment of a stride."""
        phase, stride = rng.uniform(0, 2 * math.pi), rng.uniform(0.25, 0.55)
        swing = stride * math.sin(phase)
        lift = [max(0.0, math.cos(phase)), max(0.0, -math.cos(phase))]
        arm = rng.uniform(0.5, 1.1) * swing
        busy = rng.random() < 0.25  # one hand holds a phone or a strap
        return cls(
            thigh=(swing + 0.35 * lift[0], -swing + 0.35 * lift[1]),
            knee=(0.1 + 0.9 * lift[0], 0.1 + 0.9 * lift[1]),
            arm=(-arm, rng.uniform(0.2, 0.6) if busy else arm),
            elbow=(rng.uniform(0.1, 0.6), rng.uniform(1.5, 2.3) if busy else rng.uniform(0.1, 0.6)),
            spread=(rng.uniform(0.03, 0.18), rng.uniform(0.03, 0.18)),
            inward=(rng.uniform(0, 0.2), rng.uniform(0.3, 0.8) if busy else rng.uniform(0, 0.2)),
            lean=rng.uniform(0.0, 0.12),
            yaw=yaw,
        )

    @classmethod
    def standing(cls, rng: np.random.Generator, yaw: float) -> Pose:
        """Draw somebody who waits: arms hanging, in the pockets, on the hip, crossed or raised."""
        shift = rng.uniform(-0.08, 0.08)
        style = rng.choice(5, p=[0.4, 0.2, 0.12, 0.13, 0.15])
        spread, elbow, inward, arm = [(0.1, 0.15, 0.1, 0.0), (0.25, 0.9, 0.5, -0.25), (0.6, 1.5, 0.9, -0.5),
                                      (0.15, 1.7, 1.1, 0.2), (0.15, 2.0, 0.5, 0.5)][style]  # fmt: skip
        both = style in (1, 3) or rng.random() < 0.3
        other = (spread, elbow, inward, arm) if both else (0.1, 0.15, 0.1, 0.0)
        jitter = rng.uniform(0.8, 1.2, 8)
        return cls(
            thigh=(shift + 0.05, -shift),
            knee=(abs(shift) * 1.5, 0.03),
            arm=(arm * jitter[0], other[3] * jitter[1]),
            elbow=(elbow * jitter[2], other[1] * jitter[3]),
            spread=(spread * jitter[4], other[0] * jitter[5]),
            inward=(inward * jitter[6], other[2] * jitter[7]),
            lean=rng.uniform(-0.05, 0.08),
            yaw=yaw,
        )

    @classmethod
    def sitting(cls, rng: np.random.Generator, yaw: float) -> Pose:
        """Draw somebody on a bench."""
        bend = rng.uniform(1.3, 1.55)
        return cls(
            thigh=(bend, bend + rng.uniform(-0.1, 0.1)),
            knee=(bend, bend + rng.uniform(-0.1, 0.3)),
            arm=(0.4, 0.5),
            elbow=(rng.uniform(0.6, 1.6), rng.uniform(0.6, 1.6)),
            spread=(0.1, 0.1),
            inward=(rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.7)),
            lean=rng.uniform(-0.1, 0.2),
            yaw=yaw,
            seated=True,
        )
