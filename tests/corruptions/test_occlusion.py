from __future__ import annotations

import numpy as np
import pytest

from robust.corruptions.apply import corrupt
from robust.corruptions.causes.occlusion import visible_parts
from robust.corruptions.covers import KINDS, Site
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
