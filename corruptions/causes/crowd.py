"""Crowd: people of other images of the same split stand in the picture, in front of and behind those who were there.

Law: newcomers get a place on the ground beside somebody, the height that the picture's perspective gives there, and the
brightness, colour and contrast of that place (mean and deviation in linear light). They stand as close as ``overlap``
allows: each hides somebody, or is hidden, by at least 60 % of it, and those in full view are chosen first, so that the
more people there are, the smaller the share of them that is seen whole. All are drawn from the farthest to the
nearest; people who were there and stand nearer keep their outline in front. Added people get annotations; whoever is
covered gets a smaller ``visible``.

Where the data has outlines, people are cut out along them; else along a soft body shape in the box, always in front.

Limits: shadows are a dark spot at the feet only; seated or cut people are not used as donors; body shapes carry some
of the donor's background along, so a data set with outlines gives the better crowd.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.donors import Cutout, cast
from robust.corruptions.ground import estimate
from robust.corruptions.ground_truth import new_ids
from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step
from robust.corruptions.light import chroma
from robust.corruptions.masks import ObjectMask, object_masks
from robust.corruptions.pasting import Pasted, blend, fit
from robust.corruptions.places import Crowd, Standing, seek
from robust.datasets.records import Annotations

_GREY, _COLOUR = 4.0, 12.0  # chroma of a black and white picture at most, of one in colour at least
_GROUPS = 1 / 7  # begun after the first, at most, for each newcomer
_TRIES = 6  # to place the first one
_PASSED_OVER = 2  # donors, at most, for one newcomer

Drawn = tuple[Pixels, NDArray[np.float64], NDArray[np.float64]]
"""The picture, the visible share of everybody (n,) and the boxes of what is seen of them (n, 4): old ones first."""


def gather(scene: Scene, context: Context, *, crowd: Crowd) -> Scene:
    """Add people to a picture.

    Raises:
        DataError: nobody in the data set can be pasted, or a donor's image cannot be read.
    """
    size = (scene.pixels.shape[0], scene.pixels.shape[1])
    added = sorted(_newcomers(scene, context, crowd), key=lambda person: person.box[3])
    drawn = draw(scene, object_masks(scene.annotations, size), added)
    return annotate(scene, added, drawn, new_ids(context.dataset, context.index, len(added)))


def _newcomers(scene: Scene, context: Context, crowd: Crowd) -> list[Pasted]:
    """Choose places and donors; people for whom no place is found stay away."""
    annotations, pixels = scene.annotations, scene.pixels
    counted, size = np.flatnonzero(~annotations.iscrowd), (pixels.shape[0], pixels.shape[1])
    flat = np.array([annotations.outlines[int(i)] is None for i in counted], dtype=np.bool_)
    standing = Standing.of(annotations.boxes[counted], flat, size)
    ground, colour = estimate(standing.boxes, size), chroma(pixels)
    pool, casting = cast(context.dataset, context.index)
    added: list[Pasted] = []
    apart, missed = True, 0
    for _ in range(crowd.people):
        for last in (False,) * _PASSED_OVER + (True,):
            found = seek(standing, ground, crowd, casting, context.rng, apart=apart)
            if found is None:
                break
            casting.call(found[0])
            cutout = pool.cutout(casting.donors[found[0]], context.read)
            if _suits(cutout, colour) or last:
                standing = found[1]
                x1, y1, x2, y2 = (float(v) for v in standing.boxes[-1])
                mirror = bool(context.rng.random() < 0.5)
                added.append(fit(cutout, (x1, y1, x2, y2), pixels, chroma=colour, mirror=mirror))
                break
        missed += found is None
        if missed > _GROUPS * crowd.people and (added or missed > _TRIES):
            break
        apart = found is None  # where nobody more can join a group, another one begins
    return added


def _suits(cutout: Cutout, colour: float) -> bool:
    """Return False for people from a black and white picture in one that has colours."""
    return cutout.chroma > _GREY or colour < _COLOUR


def draw(scene: Scene, masks: tuple[ObjectMask, ...], added: list[Pasted]) -> Drawn:
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
                alpha[shared.inside(person.window)][front] = 0
                hidden[k][shared.inside(person.window)] |= front
        blend(pixels, person, alpha)
        solid = alpha > 127
        for j in range(k):
            shared = own[j].window.common(person.window)
            if shared is not None and not (j < n and masks[j].exact and feet[j] > feet[k]):
                hidden[j][shared.inside(own[j].window)] |= solid[shared.inside(person.window)]
    start = np.concatenate([scene.annotations.visible, [person.visible for person in added]])
    boxes = np.concatenate([scene.annotations.boxes, np.array([p.box for p in added]).reshape(-1, 4)])
    shown = np.array(
        [1.0 - np.count_nonzero(h & m.pixels) / np.count_nonzero(m.pixels) for m, h in zip(own, hidden, strict=True)]
    )
    seen = [m.seen_box(h, b) for m, h, b in zip(own, hidden, boxes, strict=True)]
    return pixels, start * shown, np.array(seen).reshape(-1, 4)


def annotate(scene: Scene, added: list[Pasted], drawn: Drawn, ids: NDArray[np.int64]) -> Scene:
    """Return what was drawn with everybody in it; crowd regions keep their visible share."""
    pixels, visible, seen = drawn
    old, n = scene.annotations, len(scene.annotations)
    newcomers = Annotations.build(
        np.array([person.box for person in added]),
        [person.category_id for person in added],
        ids,
        area=[person.area for person in added],
        visible=visible[n:],
        outlines=[person.outline for person in added],
    )
    old = old.with_(visible=np.where(old.iscrowd, old.visible, visible[:n]))
    inside = None if scene.inside is None else np.append(scene.inside, np.ones(len(added)))
    return replace(
        scene, pixels=pixels, annotations=Annotations.concatenate([old, newcomers]), seen=seen, inside=inside
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
            1: {"people": 4, "overlap": 0.50},
            2: {"people": 6, "overlap": 0.56},
            3: {"people": 10, "overlap": 0.64},
            4: {"people": 13, "overlap": 0.69},
            5: {"people": 17, "overlap": 0.75},
        },
        ranges={"people": (0, 1000), "overlap": (0.0, 1.0)},
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
        version=2,
    ),
)
