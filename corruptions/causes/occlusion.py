"""Occlusion: a chosen share of every person is hidden behind something natural.

Law: nearest person first, one cover of a random kind is raised until ``hidden`` of the person's visible pixels (of the
outline where there is one, else of the box) are covered; the level is an order statistic, so the share is exact to one
pixel (ties aside). Covers stand in front of their person and behind nearer people with an outline. Of up to four kinds,
the one that hides the least of other people is taken; what it still hides of them is measured on the real masks and
stored, like everything else, in ``visible``.

Boxes stay whole (amodal) by default, as in the field's occlusion benchmarks (Dollar et al. 2012, Caltech; Shao et al.
2018, CrowdHuman): a detector is asked for the whole person.

Limits: covers are drawn, not photographed; where the data has boxes only, a share of the box is covered, not of the
person in it; images without objects stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from robust.corruptions.covers import KINDS, Cover, Site, vehicle
from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step
from robust.corruptions.masks import Mask, ObjectMask, nearest_first, object_masks

_TRIES = 4
_HARMLESS = 0.02


@dataclass(frozen=True, eq=False)
class _Placed:
    """A cover at its level, with the pixels that it really hides."""

    cover: Cover
    level: float
    hides: Mask


def hide(scene: Scene, context: Context, *, hidden: float) -> Scene:
    """Cover a share of every object that counts.

    Args:
        scene: The image.
        context: Only its generator is used.
        hidden: Share of each object's visible pixels to cover, 0..1.
    """
    annotations, size = scene.annotations, (scene.pixels.shape[0], scene.pixels.shape[1])
    order = nearest_first(annotations.boxes, np.flatnonzero(~annotations.iscrowd))
    masks = object_masks(annotations, size)
    parts = visible_parts(masks, order, size)
    objects, covered, blocked = (np.zeros(size, dtype=np.bool_) for _ in range(3))
    for mask in masks:
        objects[mask.window.slices] |= mask.pixels
    pixels = scene.pixels.copy()
    for i in order:
        x1, y1, x2, y2 = (float(v) for v in annotations.boxes[i])
        others = [parts[j] for j in order if j != i]
        site = Site(scene.pixels, (x1, y1, x2, y2), objects, context.rng)
        placed = _choose(site, parts[i], others, (covered, blocked), hidden)
        if placed is not None:
            _paint(pixels, placed)
            covered[placed.cover.window.slices] |= placed.hides
            blocked[placed.cover.window.slices] |= placed.hides
        if masks[i].exact:
            blocked[masks[i].window.slices] |= masks[i].pixels
    visible, seen = annotations.visible.copy(), annotations.boxes.copy()
    for i in order:
        visible[i] *= 1.0 - parts[i].share(covered)
        seen[i] = parts[i].seen_box(covered[parts[i].window.slices], annotations.boxes[i])
    return replace(scene, pixels=pixels, annotations=annotations.with_(visible=visible), seen=seen)


def visible_parts(masks: Sequence[ObjectMask], order: Sequence[int], size: tuple[int, int]) -> list[ObjectMask]:
    """Take from every mask what nearer outlines already hide; an object hidden whole keeps its mask.

    Args:
        masks: One for each object.
        order: Indices of the objects that count, nearest first.
        size: Height and width of the image.
    """
    parts, nearer = list(masks), np.zeros(size, dtype=np.bool_)
    for i in order:
        window = masks[i].window
        left = masks[i].pixels & ~nearer[window.slices]
        if left.any():
            parts[i] = ObjectMask(window, left, masks[i].exact)
        if masks[i].exact:
            nearer[window.slices] |= masks[i].pixels
    return parts


def _choose(
    site: Site, part: ObjectMask, others: Sequence[ObjectMask], taken: tuple[Mask, Mask], hidden: float
) -> _Placed | None:
    covered, blocked = taken
    best, least = None, np.inf
    need = round(hidden * int(part.pixels.sum())) - int((part.pixels & covered[part.window.slices]).sum())
    if need <= 0:
        return None
    for kind in site.rng.permutation(len(KINDS))[:_TRIES]:
        if KINDS[int(kind)] is vehicle and not _fits_a_car(site):
            continue
        placed = _place(KINDS[int(kind)](site), part, blocked, need)
        if placed is None:
            continue
        harm = max((_newly_hidden(placed, other, covered) for other in others), default=0.0)
        if harm < least:
            best, least = placed, harm
        if harm <= _HARMLESS:
            break
    return best


def _fits_a_car(site: Site) -> bool:
    """A car in front of a close-up would fill the picture; in front of somebody high up it would hang in the air."""
    height = site.size[0]
    return site.box[3] - site.box[1] <= 0.5 * height and site.box[3] >= 0.45 * height


def _place(cover: Cover, part: ObjectMask, blocked: Mask, need: int) -> _Placed | None:
    """Raise a cover until it hides ``need`` more pixels of the part."""
    shared = cover.window.common(part.window)
    if shared is None:
        return None
    free = part.pixels[shared.inside(part.window)] & ~blocked[shared.slices]
    values = cover.field[shared.inside(cover.window)][free]
    if not len(values):
        return None
    rank = min(need, len(values)) - 1
    level = float(np.partition(values, rank)[rank])
    return _Placed(cover, level, cover.hides(level) & ~blocked[cover.window.slices])


def _newly_hidden(placed: _Placed, other: ObjectMask, covered: Mask) -> float:
    shared = placed.cover.window.common(other.window)
    if shared is None:
        return 0.0
    hit = placed.hides[shared.inside(placed.cover.window)] & other.pixels[shared.inside(other.window)]
    return float((hit & ~covered[shared.slices]).sum()) / float(other.pixels.sum())


def _paint(pixels: Pixels, placed: _Placed) -> None:
    """Blend a cover in, its edge one pixel soft inside what it hides."""
    rows, columns = placed.cover.window.slices
    alpha = np.clip(placed.level - placed.cover.field + 0.5, 0, 1) * placed.hides
    behind = pixels[rows, columns]
    color = np.clip(placed.cover.paint(placed.level), 0, 255)
    pixels[rows, columns] = np.round(behind + alpha[:, :, None] * (color - behind)).astype(np.uint8)


def mean_hidden(before: Scene, after: Scene) -> float:
    """Return the mean share of what could be seen of the objects and is hidden now, 0..1; 0 without objects."""
    counted = ~before.annotations.iscrowd & (before.annotations.visible > 0)
    if not counted.any():
        return 0.0
    shares = 1 - after.annotations.visible[: len(counted)][counted] / before.annotations.visible[counted]
    return float(shares.mean())


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(hide, hidden=float(parameters["hidden"])),)


CORRUPTIONS = (
    Corruption(
        name="occlusion",
        summary="Every person stands partly behind something: a pole, a bush, a car, a wall.",
        cause="occlusion",
        severities={
            1: {"hidden": 0.10},
            2: {"hidden": 0.20},
            3: {"hidden": 0.30},
            4: {"hidden": 0.40},
            5: {"hidden": 0.50},
        },
        ranges={"hidden": (0.0, 1.0)},
        steps=_steps,
        measure=Measure("share of each person hidden", "", mean_hidden),
        source=(
            "Dollar et al. 2012 (Caltech: occlusion levels), Shao et al. 2018 (CrowdHuman: whole and visible boxes)"
        ),
        limits=(
            "Covers are drawn, not photographed. Where the data has boxes only, a share of the box is "
            "covered, not of the person in it."
        ),
        version=2,
        alters_negatives=False,
    ),
)
