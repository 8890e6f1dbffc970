"""Crowd: people of other images of the same split stand in the picture, in front of and behind those who were there.

Law: newcomers get a place on the ground beside somebody, the height that the picture's perspective gives there, and the
brightness, colour and contrast of that place (mean and deviation in linear light). They stand as close as ``overlap``
allows: each hides somebody, or is hidden, by at least 60 % of it where there is room for that, and those in full view
are chosen first, so that the more people there are, the smaller the share of them that is seen whole. Nobody comes who
would hide more than ``overlap`` of anybody, or be hidden by more, counted in pixels of the masks. All are drawn from
the farthest to the nearest; people who were there and stand nearer keep their outline in front. Added people get
annotations; whoever is covered gets a smaller ``visible``.

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
from robust.corruptions.ground_truth import IGNORE_BELOW, new_ids
from robust.corruptions.laws import Context, Corruption, Measure, Parameters, Pixels, Scene, Step
from robust.corruptions.layers import Layers
from robust.corruptions.light import chroma
from robust.corruptions.pasting import blend, fit, lit
from robust.corruptions.places import Crowd, Standing, seek
from robust.datasets.records import Annotations

_GREY, _COLOUR = 4.0, 12.0  # chroma of a black and white picture at most, of one in colour at least
_TRIES = 12  # to find a place for one newcomer; then the picture is full
_PASSED_OVER = 2  # donors, at most, for one newcomer


def gather(scene: Scene, context: Context, *, crowd: Crowd) -> Scene:
    """Add people to a picture.

    Raises:
        DataError: nobody in the data set can be pasted, or a donor's image cannot be read.
    """
    layers = _gathered(scene, context, crowd)
    return annotate(
        scene, layers, draw(scene.pixels, layers), new_ids(context.dataset, context.index, len(layers.added))
    )


def _gathered(scene: Scene, context: Context, crowd: Crowd) -> Layers:
    """Choose places and donors; whoever would be hidden too much there, or hide too much, goes somewhere else."""
    pixels, people = scene.pixels, scene.annotations.boxes[~scene.annotations.iscrowd]
    size = (pixels.shape[0], pixels.shape[1])
    layers = Layers.of(scene.annotations, size)
    standing = Standing.of(people, layers.flat, size)
    ground, colour = estimate(people, size), chroma(pixels)
    pool, casting = cast(context.dataset, context.index)
    missed = passed = 0
    while len(layers.added) < crowd.people and missed < _TRIES:
        missed += 1
        came: set[int] = set()
        before = standing
        for who, box in seek(standing, ground, crowd, casting, context.rng):
            if len(layers.added) == crowd.people:
                break
            if who in came or (standing is not before and not standing.natural(box[None])[0]):
                continue
            came.add(who)
            cutout = pool.cutout(casting.donors[who], context.read)
            if not _suits(cutout, colour) and passed < _PASSED_OVER:
                casting.call(who)
                passed, missed = passed + 1, 0
                continue
            x1, y1, x2, y2 = (float(v) for v in box)
            more = layers.joined(fit(cutout, (x1, y1, x2, y2), size, mirror=bool(context.rng.random() < 0.5)))
            if more.hides_at_most(crowd.overlap, layers):
                casting.call(who)
                layers, standing = more, standing.joined(box, more.columns)
                missed = passed = 0
    return layers


def _suits(cutout: Cutout, colour: float) -> bool:
    """Return False for people from a black and white picture in one that has colours."""
    return cutout.chroma > _GREY or colour < _COLOUR


def draw(picture: Pixels, layers: Layers) -> Pixels:
    """Draw the newcomers from far to near into a copy of the picture."""
    pixels, colour = picture.copy(), chroma(picture)
    for person in layers.far_to_near:
        blend(pixels, lit(person, picture, chroma=colour), person.alpha)
    return pixels


def annotate(scene: Scene, layers: Layers, pixels: Pixels, ids: NDArray[np.int64]) -> Scene:
    """Return what was drawn with everybody in it; crowd regions keep their visible share."""
    old, added = scene.annotations, layers.added
    newcomers = Annotations.build(
        np.array([person.box for person in added]),
        [person.category_id for person in added],
        ids,
        area=[person.area for person in added],
        visible=[person.visible for person in added],
        outlines=[person.outline for person in added],
    )
    everybody = Annotations.concatenate([old, newcomers])
    counted = np.flatnonzero(~everybody.iscrowd)
    visible, seen = everybody.visible.copy(), everybody.boxes.copy()
    visible[counted] *= layers.shown
    for i, mask, hidden in zip(counted, layers.masks, layers.hidden, strict=True):
        seen[i] = mask.seen_box(hidden, everybody.boxes[i])
    inside = None if scene.inside is None else np.append(scene.inside, np.ones(len(added)))
    return replace(scene, pixels=pixels, annotations=everybody.with_(visible=visible), seen=seen, inside=inside)


def people_added(before: Scene, after: Scene) -> float:
    """Return how many people were added of whom enough can be seen to count."""
    a = after.annotations
    counts = ~np.isin(a.ids, before.annotations.ids) & ~a.iscrowd & (a.visible >= IGNORE_BELOW)
    return float(np.count_nonzero(counts))


def _steps(parameters: Parameters, _size: tuple[int, int]) -> tuple[Step, ...]:
    values: dict[str, Any] = dict(parameters)
    return (partial(gather, crowd=Crowd(**values)),)


CORRUPTIONS = (
    Corruption(
        name="crowd",
        summary="The place fills with people who stand in front of each other.",
        cause="density",
        severities={
            1: {"people": 5, "overlap": 0.54},
            2: {"people": 7, "overlap": 0.63},
            3: {"people": 10, "overlap": 0.70},
            4: {"people": 13, "overlap": 0.75},
            5: {"people": 15, "overlap": 0.79},
        },
        ranges={"people": (0, 1000), "overlap": (0.0, 1.0)},
        steps=_steps,
        measure=Measure("people added", "", people_added),
        source=(
            "Hoiem et al. 2008 (scale from the ground), Dwibedi et al. 2017 (cut and paste), Shao et "
            "al. 2018 (CrowdHuman)"
        ),
        limits=(
            "Fewer people come where there is no room for them. Shadows are a dark spot at the feet only, and nobody "
            "sits. Without outlines people carry some of their old background along."
        ),
        version=3,
    ),
)
