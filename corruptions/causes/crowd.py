"""Crowd: people of other images of the same split stand in the picture, in front of and behind those who were there.

Law: each added person gets a place on the ground (beside somebody for a share ``near`` of them, else anywhere that
people stand), the height that the picture's perspective gives there, and the brightness, colour and contrast of that
place (mean and deviation in linear light). All are drawn from the farthest to the nearest; people who were there and
stand nearer keep their outline in front. Added people get annotations; whoever is covered gets a smaller ``visible``.

Where the data has outlines, people are cut out along them; else along a soft body shape in the box, always in front.

Limits: shadows are a dark spot at the feet only; seated or cut people are not used as donors; body shapes carry some
of the donor's background along, so a data set with outlines gives the better crowd.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.donors import Donor, donor_pool
from robust.corruptions.ground import Ground, estimate
from robust.corruptions.ground_truth import new_ids
from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step
from robust.corruptions.masks import ObjectMask, object_masks
from robust.corruptions.pasting import Box, Pasted, blend, fit
from robust.datasets.records import Annotations

_TRIES = 24
_UPSCALE = 1.6
_MIN_HEIGHT = 16.0
_SMALLER = 0.6  # of the height of whoever stands behind: a child, or somebody who sits


@dataclass(frozen=True)
class Crowd:
    """Parameters of the law.

    Attributes:
        people: How many are added, as far as there is room for them.
        near: Share of them that stand beside somebody.
        overlap: Largest share of the width by which they overlap that somebody.
        cover: Another place is sought where the shares of anybody's box covered by those in front would add up to more
            (these overlap among themselves, so it may exceed 1).
    """

    people: int
    near: float
    overlap: float
    cover: float


@dataclass(eq=False)
class _Plan:
    """Who stands where: those who were there, then those who were added.

    Attributes:
        boxes: Of everybody.
        flat: Of everybody: True for who has no outline, and so cannot stand in front of newcomers.
        covered: Of everybody: the share of the box behind others.
        donors: Of those who were added.
    """

    boxes: list[Box]
    flat: list[bool]
    covered: list[float]
    donors: list[Donor] = field(default_factory=list)

    def load(self, box: Box) -> dict[int, float] | None:
        """Return what a new person at ``box`` adds to everybody's covered share; the new one comes last.

        None when they would stand before somebody who looks much taller, a close-up: nearer people do not look smaller.
        """
        added = {len(self.boxes): 0.0}
        for j, other in enumerate(self.boxes):
            w = min(box[2], other[2]) - max(box[0], other[0])
            h = min(box[3], other[3]) - max(box[1], other[1])
            if w <= 0 or h <= 0:
                continue
            nearer = box[3] >= other[3] or self.flat[j]
            if nearer and box[3] - box[1] < _SMALLER * (other[3] - other[1]):
                return None
            behind = other if nearer else box
            share = w * h / ((behind[2] - behind[0]) * (behind[3] - behind[1]))
            key = j if nearer else len(self.boxes)
            added[key] = added.get(key, 0.0) + share
        return added

    def add(self, box: Box, donor: Donor, load: dict[int, float]) -> None:
        """Let somebody stand at ``box``."""
        self.boxes.append(box)
        self.flat.append(False)
        self.covered.append(0.0)
        self.donors.append(donor)
        for j, share in load.items():
            self.covered[j] += share


def gather(scene: Scene, context: Context, *, crowd: Crowd) -> Scene:
    """Add people to a picture.

    Raises:
        DataError: nobody in the data set can be pasted, or a donor's image cannot be read.
    """
    pool, size = donor_pool(context.dataset), (scene.pixels.shape[0], scene.pixels.shape[1])
    plan = _plan(scene, context, crowd)
    added = []
    for donor, box in zip(plan.donors, plan.boxes[len(plan.boxes) - len(plan.donors) :], strict=True):
        cutout = pool.cutout(donor, context.read)
        added.append(fit(cutout, box, scene.pixels, mirror=bool(context.rng.random() < 0.5)))
    added.sort(key=lambda person: person.box[3])
    masks = object_masks(scene.annotations, size)
    pixels, visible, seen = _draw(scene, masks, added)
    n = len(scene.annotations)
    newcomers = _annotate(added, new_ids(context.dataset, context.index, len(added)), visible[n:])
    old = scene.annotations.with_(visible=np.where(scene.annotations.iscrowd, scene.annotations.visible, visible[:n]))
    return Scene(pixels, Annotations.concatenate([old, newcomers]), seen)


def _plan(scene: Scene, context: Context, crowd: Crowd) -> _Plan:
    """Choose places and donors; people for whom no place is found stay away."""
    annotations = scene.annotations
    counted = np.flatnonzero(~annotations.iscrowd)
    boxes: list[Box] = [(float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in annotations.boxes[counted]]
    plan = _Plan(boxes, [annotations.outlines[int(i)] is None for i in counted], [0.0] * len(boxes))
    size = (scene.pixels.shape[0], scene.pixels.shape[1])
    ground = estimate(annotations.boxes[counted], size)
    for _ in range(crowd.people):
        for _ in range(_TRIES):
            if _seek(plan, ground, size, crowd, context):
                break
    return plan


def _seek(plan: _Plan, ground: Ground, size: tuple[int, int], crowd: Crowd, context: Context) -> bool:
    """Try one place for one more person; True when it will do."""
    foot, x, height = _place(plan, ground, size, crowd, context.rng)
    if not _MIN_HEIGHT <= height <= 0.95 * size[0]:
        return False
    sha256 = context.dataset.images[context.index].sha256
    donor = donor_pool(context.dataset).pick(context.rng, sha256, height, _UPSCALE)
    if donor is None:
        return False
    if donor.height * _UPSCALE < height:  # enlarged they would be blurred: they stand farther away instead
        height = donor.height * _UPSCALE
        foot = ground.foot_of(height)
    width = donor.width / donor.height * height
    left = min(max(x - width / 2, 0.0), size[1] - width)
    box = (left, foot - height, left + width, foot)
    load = plan.load(box)
    if left < 0 or box[1] < 0 or foot > size[0] or load is None:
        return False
    if max(share + (plan.covered[j] if j < len(plan.boxes) else 0.0) for j, share in load.items()) > crowd.cover:
        return False
    plan.add(box, donor, load)
    return True


def _place(
    plan: _Plan, ground: Ground, size: tuple[int, int], crowd: Crowd, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Draw where somebody stands: row of the feet, middle column, height in pixels."""
    build = float(rng.uniform(0.92, 1.08))
    if plan.boxes and rng.random() < crowd.near:
        neighbour = int(rng.integers(len(plan.boxes)))
        x1, y1, x2, y2 = plan.boxes[neighbour]
        height, width = y2 - y1, x2 - x1
        foot = min(y2 + height * float(rng.uniform(0.0 if plan.flat[neighbour] else -0.10, 0.14)), size[0] - 1.0)
        reach = width * (1 - float(rng.uniform(0.7, 1.0)) * crowd.overlap)
        x = (x1 + x2) / 2 + (reach if rng.random() < 0.5 else -reach)
        if height >= 1.6 * width and y2 < size[0] - 2 and ground.height_at(y2) > 0:  # the neighbour tells the scale
            return foot, x, build * height * ground.height_at(foot) / ground.height_at(y2)
        return foot, x, build * ground.height_at(foot)
    foot = float(rng.uniform(ground.farthest, ground.nearest))
    return foot, float(rng.uniform(0, size[1])), build * ground.height_at(foot)


def _draw(
    scene: Scene, masks: tuple[ObjectMask, ...], added: list[Pasted]
) -> tuple[Pixels, NDArray[np.float64], NDArray[np.float64]]:
    """Draw from far to near; return the picture, everybody's visible share and the boxes of what is seen."""
    pixels, n = scene.pixels.copy(), len(masks)
    own = [*masks, *(ObjectMask(p.window, p.solid, True) for p in added)]
    hidden = [np.zeros(mask.window.size, dtype=np.bool_) for mask in own]
    feet = [*(float(b[3]) for b in scene.annotations.boxes), *(person.box[3] for person in added)]
    for k, person in enumerate(added, start=n):
        alpha = person.alpha.copy()
        for j in range(n):  # people who were there and stand nearer keep their outline in front
            shared = masks[j].window.common(person.window)
            if shared is not None and masks[j].exact and feet[j] > feet[k] and not scene.annotations.iscrowd[j]:
                front = masks[j].pixels[shared.inside(masks[j].window)]
                alpha[shared.inside(person.window)][front] = 0.0
                hidden[k][shared.inside(person.window)] |= front
        blend(pixels, person, alpha)
        solid = alpha > 0.5
        for j in range(k):
            shared = own[j].window.common(person.window)
            if shared is not None and not (j < n and masks[j].exact and feet[j] > feet[k]):
                hidden[j][shared.inside(own[j].window)] |= solid[shared.inside(person.window)]
    start = np.concatenate([scene.annotations.visible, np.ones(len(added))])
    boxes = np.concatenate([scene.annotations.boxes, np.array([p.box for p in added]).reshape(-1, 4)])
    shown = np.array([1.0 - float(h[m.pixels].mean()) for m, h in zip(own, hidden, strict=True)])
    seen = [m.seen_box(h, b) for m, h, b in zip(own, hidden, boxes, strict=True)]
    return pixels, start * shown, np.array(seen).reshape(-1, 4)


def _annotate(added: list[Pasted], ids: NDArray[np.int64], visible: NDArray[np.float64]) -> Annotations:
    return Annotations.build(
        np.array([person.box for person in added]),
        [person.category_id for person in added],
        ids,
        area=[person.area for person in added],
        visible=visible,
        outlines=[person.outline for person in added],
    )


def people_added(before: Scene, after: Scene) -> float:
    """Return how many people were added."""
    return float(len(after.annotations) - len(before.annotations))


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    values: dict[str, Any] = dict(parameters)
    return (partial(gather, crowd=Crowd(**values)),)


CORRUPTIONS = (
    Corruption(
        name="crowd",
        summary="The place fills with people who stand in front of each other.",
        cause="density",
        severities={
            1: {"people": 3, "near": 0.80, "overlap": 0.50, "cover": 0.7},
            2: {"people": 6, "near": 0.95, "overlap": 0.70, "cover": 0.9},
            3: {"people": 10, "near": 0.97, "overlap": 0.75, "cover": 1.0},
            4: {"people": 15, "near": 0.97, "overlap": 0.78, "cover": 1.05},
            5: {"people": 22, "near": 0.97, "overlap": 0.80, "cover": 1.1},
        },
        steps=_steps,
        measure=Measure("people added", "", people_added),
        source=(
            "Hoiem et al. 2008 (scale from the ground), Dwibedi et al. 2017 (cut and paste), Shao et "
            "al. 2018 (CrowdHuman)"
        ),
        limits=(
            "Shadows are a dark spot at the feet only, and nobody sits. Without outlines people carry "
            "some of their old background along."
        ),
    ),
)
