"""The picture and its annotations agree."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from robust.datasets.synthetic.canvas import Canvas, Sprite
from robust.datasets.synthetic.person import Person, Pose, draw_person
from robust.datasets.synthetic.scene import DEMO, LEAST_VISIBLE, Scene, annotate, draw_scene, image_rng
from robust.datasets.synthetic.wardrobe import Outfit


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(image_rng(0, "demo", "test", i), DEMO) for i in range(60)]


def block(x: int, y: int, width: int, height: int) -> Sprite:
    return Sprite(x, y, np.full((height, width, 4), 255, np.uint8))


def test_a_person_half_hidden_by_a_nearer_one_is_half_visible() -> None:
    far, near = block(10, 10, 20, 40), block(20, 0, 30, 60)
    result = annotate([(far, True), (near, True)], 100, 80)
    assert result.boxes.tolist() == [[10, 10, 30, 50], [20, 0, 50, 60]]  # amodal: the hidden half is inside the box
    assert result.visible.tolist() == [0.5, 1.0]
    assert result.area.tolist() == [400.0, 1800.0]
    assert not result.iscrowd.any()
    outline = result.outlines[0]
    assert outline is not None
    assert (outline[0].min(axis=0).tolist(), outline[0].max(axis=0).tolist()) == (
        [10, 10],
        [20, 50],
    )  # the visible half only


def test_a_thing_hides_a_person_without_becoming_one() -> None:
    result = annotate([(block(0, 0, 20, 40), True), (block(0, 0, 19, 40), False)], 100, 80)
    assert len(result) == 1
    assert result.visible.tolist() == [0.05]
    assert result.iscrowd.tolist() == [True]


def test_what_lies_outside_the_image_counts_as_hidden_and_is_cut_from_the_box() -> None:
    result = annotate([(block(-10, 60, 20, 40), True)], 100, 80)
    assert result.boxes.tolist() == [[0, 60, 10, 80]]
    assert result.visible.tolist() == [0.25]


def test_a_person_behind_a_wall_is_not_annotated() -> None:
    assert len(annotate([(block(5, 5, 20, 40), True), (block(0, 0, 60, 60), False)], 100, 80)) == 0


def test_a_person_outside_the_image_is_not_annotated() -> None:
    assert len(annotate([(block(200, 0, 20, 40), True)], 100, 80)) == 0


def test_outline_encloses_exactly_the_visible_pixels() -> None:
    person = Person.sample(np.random.default_rng(3), Outfit.sample(np.random.default_rng(4)), 0.3)
    sprite = draw_person(person, (100.0, 190.0), 150.0)
    result = annotate([(sprite, True)], 200, 200)
    outline = result.outlines[0]
    assert outline is not None
    shoelace = sum(abs(float(cv2.contourArea(part.astype(np.float32)))) for part in outline)
    assert shoelace == pytest.approx(
        float(result.area[0]), rel=0.02, abs=30
    )  # holes (between arm and trunk) are inside


@pytest.mark.parametrize("yaw", [0.0, 1.57, 3.14, -2.0])
def test_box_is_tight_around_the_silhouette(yaw: float) -> None:
    rng = np.random.default_rng(7)
    sprite = draw_person(Person(1.7, 1.0, 1.0, Pose.walking(rng, yaw), Outfit.sample(rng)), (60.4, 110.6), 100.0)
    (x1, y1, x2, y2) = annotate([(sprite, True)], 200, 200).boxes[0].astype(int)
    inside = np.zeros((200, 200), bool)
    rows, columns, sprite_rows, sprite_columns = sprite.window(200, 200)
    inside[rows, columns] = sprite.solid[sprite_rows, sprite_columns]
    assert inside[y1:y2, x1:x2].sum() == inside.sum()
    for edge in (inside[y1, :], inside[y2 - 1, :], inside[:, x1], inside[:, x2 - 1]):
        assert edge.any()


@pytest.mark.parametrize("pixels", [12, 50, 200])
def test_a_standing_person_is_as_tall_as_asked(pixels: int) -> None:
    rng = np.random.default_rng(1)
    person = Person(1.7, 1.0, 1.0, Pose.standing(rng, 0.0), Outfit.uniform((90, 90, 90)))
    box = annotate([(draw_person(person, (150.0, 240.0), float(pixels)), True)], 300, 260).boxes[0]
    assert box[3] - box[1] == pytest.approx(pixels, rel=0.06, abs=1.5)


def test_sizes_reach_from_12_to_200_pixels(scenes: list[Scene]) -> None:
    whole = [
        b[3] - b[1] for s in scenes for b, v in zip(s.annotations.boxes, s.annotations.visible, strict=True) if v > 0.9
    ]
    assert min(whole) <= 16
    assert max(whole) >= 150
    assert 25 < np.median(whole) < 90


def test_there_are_negatives_crowds_and_partly_hidden_people(scenes: list[Scene]) -> None:
    counts = [len(s.annotations) for s in scenes]
    assert 2 <= counts.count(0) <= 15
    assert max(counts) >= 10
    visible = np.concatenate([s.annotations.visible for s in scenes])
    assert 0.1 < (visible < 0.7).mean() < 0.6


def test_hardly_visible_people_are_to_be_ignored(scenes: list[Scene]) -> None:
    for scene in scenes:
        hidden = scene.annotations.visible < LEAST_VISIBLE
        assert scene.annotations.iscrowd[hidden].all()


def test_the_same_seed_draws_the_same_pixels_whatever_was_drawn_before() -> None:
    first = draw_scene(image_rng(5, "demo", "train", 3), DEMO)
    draw_scene(image_rng(5, "demo", "train", 9), DEMO)
    again = draw_scene(image_rng(5, "demo", "train", 3), DEMO)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.annotations.boxes, again.annotations.boxes)


@pytest.mark.parametrize(
    "other", [(1, "demo", "test", 0), (0, "base", "test", 0), (0, "demo", "train", 0), (0, "demo", "test", 1)]
)
def test_seed_domain_split_and_index_each_change_the_numbers(other: tuple[int, str, str, int]) -> None:
    assert image_rng(0, "demo", "test", 0).integers(2**60) != image_rng(*other).integers(2**60)


def test_canvas_places_shapes_with_sub_pixel_precision() -> None:
    canvas = Canvas(0, 0, 10, 10, scale=8)
    canvas.polygon([(2.5, 2), (7.5, 2), (7.5, 8), (2.5, 8)], (200.0, 100.0, 0.0))
    alpha = canvas.finish().rgba[:, :, 3].astype(float) / 255
    assert alpha[5].round(1).tolist() == pytest.approx([0, 0, 0.5, 1, 1, 1, 1, 0.5, 0, 0], abs=0.15)
    assert alpha.sum() == pytest.approx(30, rel=0.1)
