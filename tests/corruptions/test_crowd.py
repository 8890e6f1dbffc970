from __future__ import annotations

import numpy as np
import pytest

from robust.corruptions.apply import corrupt
from robust.corruptions.donors import DonorPool, donor_pool, matte
from robust.corruptions.ground import estimate
from robust.corruptions.masks import Window
from robust.corruptions.registry import make_variant
from robust.datasets.records import ImageRecord
from robust.errors import DataError
from tests.corruptions.street import Street, backdrop, body, digest, inside, picture_of


def crowded_street(n: int = 5, *, outlined: bool = True) -> Street:
    street = Street()
    for seed in range(n):
        boxes = [(30.0 + 9 * seed, 60.0, 60.0 + 9 * seed, 150.0), (200.0, 70.0, 222.0, 132.0 + seed)]
        street.add_people(180, 320, boxes, outlined=outlined, seed=seed)
    return street


@pytest.mark.parametrize("outlined", [True, False])
def test_added_people_are_annotated_where_the_picture_changed(outlined: bool) -> None:
    street = crowded_street(outlined=outlined)
    for i in range(5):
        made = corrupt(street.dataset, i, make_variant("crowd", 3), source=street.source)
        changed = (made.pixels != street.pixels[street.images[i].sha256]).any(axis=2)
        reach = np.zeros_like(changed)
        added = made.annotations.select(np.arange(2, len(made.annotations)))
        assert len(added) >= 3
        for box, visible in zip(added.boxes, added.visible, strict=True):
            w, h = (box[2:] - box[:2]).tolist()
            x1, y1, x2, y2 = (int(v) for v in box)
            reach[max(0, y1 - 2) : int(y2 + 0.07 * h) + 3, max(0, int(x1 - 0.25 * w) - 2) : int(x2 + 0.25 * w) + 3] = (
                True
            )
            if visible > 0.5:
                assert changed[y1:y2, x1:x2].mean() > 0.2
        assert not (changed & ~reach).any()  # shadows at the feet included, nothing else may change


def test_covered_people_lose_the_share_that_the_pixels_show() -> None:
    street = crowded_street()
    seen = 0
    for i in range(5):
        made = corrupt(street.dataset, i, make_variant("crowd", 5), source=street.source)
        changed = (made.pixels != street.pixels[street.images[i].sha256]).any(axis=2)
        for box, visible in zip(street.annotations[i].boxes, made.annotations.visible[:2], strict=True):
            hidden = changed[inside(body(tuple(box)), 180, 320)].mean()
            assert 1 - visible == pytest.approx(hidden, abs=0.12)  # soft edges and shadows change pixels too
            seen += visible < 0.95
    assert seen >= 2


def test_people_never_come_from_the_same_image_even_under_another_name() -> None:
    street = Street()
    pixels, outlines = picture_of(180, 320, [(40.0, 60.0, 70.0, 150.0)], seed=1)
    for _ in range(3):
        street.add(pixels, [(40.0, 60.0, 70.0, 150.0)], outlines)
    read: list[str] = []

    def source(image: ImageRecord) -> np.ndarray:
        read.append(image.file_name)
        return street.source(image)

    made = corrupt(street.dataset, 0, make_variant("crowd", 3), source=source)
    assert len(made.annotations) == 1
    assert read == ["1.png"]


def test_donors_are_whole_upright_tall_and_well_visible() -> None:
    street = Street()
    boxes = [
        (30.0, 40.0, 55.0, 110.0),
        (80.0, 50.0, 88.0, 70.0),
        (120.0, 100.0, 150.0, 180.0),
        (0.0, 40.0, 20.0, 110.0),
    ]
    boxes += [(200.0, 60.0, 270.0, 110.0), (280.0, 40.0, 300.0, 100.0), (160.0, 40.0, 180.0, 100.0)]
    crowd, visible = [False] * 6 + [True], [1.0] * 5 + [0.5, 1.0]
    pixels, outlines = picture_of(180, 320, boxes, seed=2)
    street.add(pixels, boxes, outlines, iscrowd=crowd, visible=visible)
    assert [donor.position for donor in DonorPool(street.dataset).donors] == [0]


def test_a_split_without_donors_is_refused_with_the_reason() -> None:
    street = Street()
    street.add_people(60, 80, [(10.0, 20.0, 16.0, 38.0)])
    with pytest.raises(DataError, match="nobody can be pasted"):
        corrupt(street.dataset, 0, make_variant("crowd", 1), source=street.source)


def test_new_ids_are_unique_over_the_data_set_and_follow_the_documented_scheme() -> None:
    street = crowded_street()
    dataset = street.dataset
    for i in range(5):
        made = corrupt(dataset, i, make_variant("crowd", 4), source=street.source).annotations
        added = made.ids[2:]
        assert added.tolist() == [10 + 1 + 1000 * i + k for k in range(len(added))]


def test_the_pool_is_the_whole_split_whatever_was_made_before() -> None:
    street, fresh = crowded_street(), crowded_street()
    dataset = street.dataset
    for i in (4, 2, 0):
        corrupt(dataset, i, make_variant("crowd", 2), source=street.source)
    late = corrupt(dataset, 3, make_variant("crowd", 3), source=street.source)
    assert digest(late) == digest(corrupt(fresh.dataset, 3, make_variant("crowd", 3), source=fresh.source))
    assert donor_pool(dataset) is donor_pool(dataset)


def test_the_ground_is_found_from_people_at_different_distances() -> None:
    feet = np.array([200.0, 260.0, 320.0, 400.0])
    heights = 0.8 * (feet - 150.0)
    boxes = np.stack([100 - heights / 6, feet - heights, 100 + heights / 6, feet], axis=1)
    ground = estimate(boxes, (480, 640))
    assert (ground.slope, ground.horizon) == pytest.approx((0.8, 150.0), abs=1e-6)
    assert ground.height_at(300.0) == pytest.approx(120.0)
    assert ground.foot_of(120.0) == pytest.approx(300.0)


def test_one_person_means_a_camera_at_eye_level_and_nobody_a_default_one() -> None:
    one = estimate(np.array([[100.0, 200.0, 130.0, 300.0]]), (480, 640))
    assert one.horizon == pytest.approx(300 - 94.0)
    assert one.height_at(300.0) == pytest.approx(100.0)
    nobody = estimate(np.zeros((0, 4)), (480, 640))
    assert not nobody.known
    assert nobody.horizon == pytest.approx(216.0)


def test_added_people_have_the_height_of_their_place() -> None:
    street = crowded_street()
    made = corrupt(
        street.dataset, 0, make_variant("crowd", 5, overrides={"near": 0.0}), source=street.source
    ).annotations
    ground = estimate(street.annotations[0].boxes, (180, 320))
    for box in made.boxes[2:]:
        assert box[3] - box[1] == pytest.approx(ground.height_at(box[3]), rel=0.15)


def test_without_outlines_most_of_the_background_is_left_behind() -> None:
    pixels = backdrop(160, 120, seed=3)
    polygon = body((40.0, 30.0, 75.0, 140.0))
    mask = inside(polygon, 160, 120)
    pixels[mask] = (200, 30, 40)
    window = Window(40, 30, 75, 140)
    alpha, truth = matte(pixels, window), mask[30:140, 40:75]
    assert alpha[truth].mean() > 0.8
    assert alpha[~truth].mean() < 0.2


@pytest.mark.parametrize("outlined", [True, False])
def test_nobody_small_is_put_in_front_of_a_close_up(outlined: bool) -> None:
    street = crowded_street()
    close_up = [(60.0, 20.0, 200.0, 180.0)]
    position = street.add_people(180, 320, close_up, outlined=outlined, seed=9)
    for severity in (1, 3, 5):
        made = corrupt(street.dataset, position, make_variant("crowd", severity), source=street.source)
        for x1, y1, x2, y2 in made.annotations.boxes[1:]:
            in_front = (x1 < 200 and x2 > 60) and (not outlined or y2 > 180)
            assert not in_front or y2 - y1 >= 0.58 * 160
