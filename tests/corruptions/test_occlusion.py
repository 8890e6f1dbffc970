from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robust.corruptions.apply import corrupt
from robust.corruptions.causes.occlusion import hide, visible_parts
from robust.corruptions.covers import KINDS, Site
from robust.corruptions.laws import Context, Scene
from robust.corruptions.masks import object_masks
from robust.corruptions.records import SEVERITIES
from robust.corruptions.registry import get, make_variant
from robust.datasets.records import Annotations
from tests.corruptions.street import Street, body, inside

APART = [(20.0, 40.0, 44.0, 110.0), (120.0, 50.0, 140.0, 108.0), (230.0, 35.0, 262.0, 125.0)]


def street_with(boxes: list[tuple[float, float, float, float]], *, outlined: bool) -> Street:
    street = Street()
    for seed in range(4):
        street.add_people(180, 320, boxes, outlined=outlined, seed=seed)
    return street


@pytest.mark.parametrize("outlined", [True, False])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_people_who_stand_apart_lose_the_chosen_share_within_five_points(severity: int, outlined: bool) -> None:
    street = street_with(APART, outlined=outlined)
    hidden = float(get("occlusion").severities[severity]["hidden"])
    for i in range(4):
        made = corrupt(street.dataset, i, make_variant("occlusion", severity), source=street.source)
        assert made.annotations.visible == pytest.approx(1 - hidden, abs=0.05)


@pytest.mark.parametrize("outlined", [True, False])
def test_the_visible_share_agrees_with_the_pixels_that_changed(outlined: bool) -> None:
    overlapping = [*APART, (36.0, 45.0, 60.0, 118.0), (128.0, 44.0, 150.0, 112.0)]
    street = street_with(overlapping, outlined=outlined)
    for i in range(4):
        made = corrupt(street.dataset, i, make_variant("occlusion", 3), source=street.source)
        changed = (made.pixels != street.pixels[street.images[i].sha256]).any(axis=2)
        nearer = np.zeros((180, 320), dtype=np.bool_)
        for j in sorted(range(5), key=lambda k: -overlapping[k][3]):
            x1, y1, x2, y2 = (int(v) for v in overlapping[j])
            mask = np.zeros((180, 320), dtype=np.bool_)
            mask[y1:y2, x1:x2] = True
            if outlined:
                whole = inside(body(overlapping[j]), 180, 320)
                mask, nearer = whole & ~nearer, nearer | whole
            # a cover may by chance have the colour of what it hides, and outlines differ by an edge pixel
            assert changed[mask].mean() == pytest.approx(1 - made.annotations.visible[j], abs=0.08)


def test_a_person_nearly_hidden_becomes_ignored_and_the_others_do_not() -> None:
    street = street_with(APART, outlined=True)
    most = make_variant("occlusion", 5, overrides={"hidden": 0.9})
    assert corrupt(street.dataset, 0, most, source=street.source).annotations.iscrowd.all()
    assert not corrupt(street.dataset, 0, make_variant("occlusion", 5), source=street.source).annotations.iscrowd.any()


def test_ignored_regions_get_no_cover_and_visible_shares_multiply() -> None:
    street = Street()
    street.add_people(180, 320, APART, seed=1)
    street.annotations[0] = street.annotations[0].with_(
        iscrowd=np.array([True, False, False]), visible=np.array([1.0, 0.5, 1.0])
    )
    variant = make_variant("occlusion", 2, overrides={"hidden": 0.3})
    made = corrupt(street.dataset, 0, variant, source=street.source).annotations
    assert made.visible == pytest.approx([1.0, 0.35, 0.7], abs=0.03)


def test_a_cover_does_not_forget_what_a_moved_camera_left_in_the_picture() -> None:
    street = street_with(APART, outlined=False)
    clean = Scene.start(street.pixels[street.images[0].sha256], street.annotations[0])
    left = np.array([0.5, 1.0, 0.75])
    moved = replace(clean, annotations=clean.annotations.with_(visible=left), inside=left)
    context = Context(np.random.default_rng(0), street.dataset, 0, street.source)
    covered = hide(moved, context, hidden=0.3)
    assert covered.inside is not None
    assert covered.inside.tolist() == left.tolist()
    assert covered.annotations.visible == pytest.approx(0.7 * left, abs=0.03)


def test_images_without_objects_stay_as_they_are() -> None:
    street = Street()
    street.add_people(60, 80, [])
    made = corrupt(street.dataset, 0, make_variant("occlusion", 5), source=street.source)
    assert np.array_equal(made.pixels, street.pixels[street.images[0].sha256])


def test_what_stands_behind_somebody_is_not_counted_as_hidden_by_a_cover() -> None:
    near, far = (10.0, 10.0, 30.0, 60.0), (20.0, 10.0, 40.0, 50.0)
    annotations = Annotations.build([near, far], [1, 1], [1, 2], outlines=[(body(near),), (body(far),)])
    masks = object_masks(annotations, (80, 60))
    parts = visible_parts(masks, [0, 1], (80, 60))
    assert parts[0].pixels.sum() == masks[0].pixels.sum()
    assert 0 < parts[1].pixels.sum() < masks[1].pixels.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_cover_hides_more_as_its_level_rises(kind: object) -> None:
    picture = street_with(APART, outlined=True).pixels
    image = next(iter(picture.values()))
    site = Site(image, APART[2], np.zeros(image.shape[:2], dtype=np.bool_), np.random.default_rng(5))
    cover = kind(site)  # type: ignore[operator]
    levels = np.quantile(cover.field[np.abs(cover.field) < 1e8], [0.1, 0.3, 0.5])
    shares = [float((cover.field <= level).mean()) for level in levels]
    assert shares == sorted(shares)
    colors = cover.paint(float(levels[1]))
    assert colors.shape == (*cover.window.size, 3)
    assert np.isfinite(colors).all()


def boxes_of_many_sizes() -> list[tuple[float, float, float, float]]:
    """People of 3 to 250 pixels, apart from each other, some cut by each border of a picture of 640 x 480."""
    boxes = [(200.0, 200.0, 290.0, 450.0), (420.0, 250.0, 470.0, 400.0), (520.5, 100.2, 540.7, 160.9)]
    boxes += [
        (100.0, 60.0, 110.0, 90.0),
        (140.0, 60.0, 146.0, 78.0),
        (170.3, 60.6, 173.9, 69.2),
        (185.0, 60.0, 188.0, 65.0),
    ]
    boxes += [
        (0.0, 150.0, 30.0, 260.0),
        (600.0, 200.0, 640.0, 330.0),
        (330.0, 0.0, 360.0, 70.0),
        (330.0, 380.0, 390.0, 480.0),
    ]
    return boxes


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("outlined", [True, False])
def test_the_visible_share_of_people_of_any_size_is_the_target_by_count_of_changed_pixels(
    severity: int, outlined: bool
) -> None:
    """In a picture of noise hardly any cover has the colour of what it hides: what changed is what is hidden."""
    hidden, boxes = float(get("occlusion").severities[severity]["hidden"]), boxes_of_many_sizes()
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, size=(480, 640, 3), dtype=np.uint8)
        street = Street()
        street.add(noise, boxes, tuple((body(box),) for box in boxes) if outlined else None)
        made = corrupt(street.dataset, 0, make_variant("occlusion", severity, seed=seed), source=street.source)
        changed = (made.pixels != noise).any(axis=2)
        for box, visible in zip(boxes, made.annotations.visible, strict=True):
            mask = np.zeros((480, 640), dtype=np.bool_)
            x1, y1, x2, y2 = (int(np.floor(box[0])), int(np.floor(box[1])), int(np.ceil(box[2])), int(np.ceil(box[3])))
            mask[y1:y2, x1:x2] = True
            if outlined:
                mask = inside(body(box), 480, 640)
            # an outline's edge pixels belong to it or not by half a pixel, which is much of somebody small
            pixel = 1.0 / mask.sum()
            edge = 0.03 + 6 * pixel if outlined else 0.0
            assert 1 - visible == pytest.approx(hidden, abs=0.05 + 2 * pixel), (box, seed)
            assert changed[mask].mean() == pytest.approx(hidden, abs=0.05 + 2 * pixel + edge), (box, seed)
