from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from robust.corruptions.apply import LONGEST, corrupt
from robust.corruptions.ground_truth import new_ids, settle
from robust.corruptions.laws import Scene
from robust.corruptions.masks import ObjectMask, Window, fill, nearest_first
from robust.corruptions.records import Variant
from robust.corruptions.registry import make_variant
from robust.datasets.records import Annotations, Dataset
from robust.errors import DataError
from tests.corruptions.street import Street, body, hard_street, inside

BEFORE = Annotations.build(
    [[0, 0, 10, 20], [20, 0, 30, 20], [40, 0, 50, 20]], [1, 1, 1], [1, 2, 3], visible=[1, 1, 0.1]
)
PIXELS = np.zeros((30, 60, 3), dtype=np.uint8)


def after(visible: list[float], extra: float | None = None) -> Scene:
    annotations = BEFORE.with_(visible=np.array(visible))
    seen = BEFORE.boxes.copy()
    seen[0] = [0, 0, 10, 12]
    if extra is not None:
        added = Annotations.build([[5, 5, 9, 15]], [1], [4], visible=[extra])
        annotations = Annotations.concatenate([annotations, added])
        seen = np.concatenate([seen, [[5, 5, 9, 9]]])
    return Scene(PIXELS, annotations, seen)


def test_whole_boxes_stay_and_the_nearly_hidden_are_ignored() -> None:
    settled = settle(BEFORE, after([0.6, 0.19, 0.1], extra=0.1), "amodal")
    assert np.array_equal(settled.boxes[:3], BEFORE.boxes)
    assert settled.iscrowd.tolist() == [False, True, False, True]  # the third was that hidden before: not our doing


def test_one_fifth_visible_still_counts() -> None:
    assert not settle(BEFORE, after([1.0, 0.2, 0.1]), "amodal").iscrowd.any()


def test_the_visible_policy_shrinks_what_was_covered_only() -> None:
    settled = settle(BEFORE, after([0.6, 1.0, 0.1], extra=0.4), "visible")
    assert settled.boxes.tolist() == [[0, 0, 10, 12], [20, 0, 30, 20], [40, 0, 50, 20], [5, 5, 9, 9]]
    assert settled.area.tolist() == pytest.approx([120.0, 200.0, 200.0, 16.0])


def without_the_first(visible: list[float], inside: list[float] | None) -> Scene:
    """The second and third object under their own ids, and somebody new."""
    added = Annotations.build([[5, 5, 9, 15]], [1], [4])
    annotations = Annotations.concatenate([BEFORE.select(np.array([1, 2])), added])
    seen = annotations.boxes.copy()
    seen[:, 3] -= 4
    return Scene(
        PIXELS, annotations.with_(visible=np.array(visible)), seen, None if inside is None else np.array(inside)
    )


def test_objects_are_known_by_their_id_when_others_have_left() -> None:
    settled = settle(BEFORE, without_the_first([1.0, 0.1, 1.0], None), "visible")
    assert settled.ids.tolist() == [2, 3, 4]
    assert settled.boxes.tolist() == [[20, 0, 30, 20], [40, 0, 50, 20], [5, 5, 9, 15]]  # by place, 3 would be "lost"
    assert not settled.iscrowd.any()
    settled = settle(BEFORE, without_the_first([0.15, 0.05, 0.1], None), "amodal")
    assert settled.iscrowd.tolist() == [True, True, True]


def test_what_left_the_picture_is_not_taken_off_a_second_time() -> None:
    moved = settle(BEFORE, without_the_first([0.5, 0.1, 1.0], [0.5, 1.0, 1.0]), "visible")
    assert moved.boxes[0].tolist() == [20, 0, 30, 20]
    assert moved.area.tolist() == pytest.approx([200.0, 200.0, 40.0])
    covered_too = settle(BEFORE, without_the_first([0.3, 0.1, 1.0], [0.5, 1.0, 1.0]), "visible")
    assert covered_too.boxes[0].tolist() == [20, 0, 30, 16]
    assert covered_too.area.tolist() == pytest.approx([120.0, 200.0, 40.0])  # three fifths of what is inside
    nearly_gone = settle(BEFORE, without_the_first([0.19, 0.1, 1.0], [0.19, 1.0, 1.0]), "visible")
    assert nearly_gone.iscrowd.tolist() == [True, False, False]


def test_ids_of_added_people_follow_the_largest_of_the_data_set() -> None:
    dataset = hard_street().dataset
    largest = max(int(a.ids.max()) for a in dataset.annotations if len(a))
    assert new_ids(dataset, 2, 3).tolist() == [largest + 2001, largest + 2002, largest + 2003]
    with pytest.raises(ValueError, match="1000"):
        new_ids(dataset, 0, 1001)


def test_the_largest_id_of_a_data_set_is_looked_for_once() -> None:
    street, looked = Street(), 0
    for seed in range(3):
        street.add_people(60, 80, [(10, 10, 20, 40)], seed=seed)

    class Counted(tuple[Annotations, ...]):
        def __iter__(self) -> Iterator[Annotations]:
            nonlocal looked
            looked += 1
            return super().__iter__()

    dataset = replace(street.dataset, annotations=Counted(street.annotations))
    looked = 0
    firsts = [new_ids(dataset, i, 1)[0] for i in range(3)]
    assert looked == 1  # else a data set of n images is read n times
    assert firsts == [dataset.largest_id + 1 + 1000 * i for i in range(3)]
    assert dataset.largest_id == 3
    assert Dataset("none", "test", (), (), ()).largest_id == 0


def test_clean_images_come_back_untouched() -> None:
    street = hard_street()
    made = corrupt(street.dataset, 0, Variant("clean", 0), source=street.source)
    assert np.array_equal(made.pixels, street.pixels[street.images[0].sha256])
    assert made.annotations is street.annotations[0]


def test_an_image_that_changed_its_size_is_refused() -> None:
    street = hard_street()
    with pytest.raises(DataError, match="its record says 160 x 120"):
        corrupt(street.dataset, 0, make_variant("night", 1), source=lambda _: np.zeros((3, 4, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", ["roll", "steep_view", "elastic_transform"])
def test_a_side_that_sixteen_bits_cannot_count_is_refused(name: str) -> None:
    street = Street()
    street.add(np.zeros((2, LONGEST, 3), dtype=np.uint8), [])
    street.add(np.zeros((LONGEST + 1, 2, 3), dtype=np.uint8), [])
    made = corrupt(street.dataset, 0, make_variant(name, 1), source=street.source)
    assert made.pixels.shape == (2, LONGEST, 3)
    with pytest.raises(DataError, match="2 x 32767 pixels are too many") as failure:
        corrupt(street.dataset, 1, make_variant(name, 1), source=street.source)
    assert "scale it down" in failure.value.fix
    assert len(corrupt(street.dataset, 1, Variant("clean", 0), source=street.source).pixels) == LONGEST + 1


def test_windows_hold_at_least_one_pixel_of_the_image() -> None:
    assert Window.around(2.2, 3.7, 2.4, 3.9, (10, 10)) == Window(2, 3, 3, 4)
    assert Window.around(-5, -5, -1, -1, (10, 10)) == Window(0, 0, 1, 1)
    assert Window.around(8.5, 9.5, 40, 40, (10, 10)) == Window(8, 9, 10, 10)
    assert Window(0, 0, 4, 4).common(Window(4, 0, 6, 6)) is None


def test_outlines_are_filled_like_the_even_odd_rule_says() -> None:
    polygon = body((3.3, 4.1, 33.7, 71.2))
    ours, judge = fill((polygon,), Window(0, 0, 40, 80)), inside(polygon, 80, 40)
    edge = (ours != judge).sum()
    assert edge <= 0.08 * judge.sum()  # OpenCV also fills the pixels on the line
    assert ours[judge].mean() > 0.99


def test_overlapping_parts_of_an_outline_are_joined() -> None:
    square = np.array([[2.0, 2.0], [8.0, 2.0], [8.0, 8.0], [2.0, 8.0]])
    assert fill((square, square + 1), Window(0, 0, 12, 12))[5, 5]


def test_seen_boxes_keep_the_exact_sides_that_nothing_covers() -> None:
    box = np.array([2.3, 1.6, 9.7, 11.2])
    mask = ObjectMask.of(box, None, (20, 20))
    hidden = np.zeros(mask.window.size, dtype=np.bool_)
    assert mask.seen_box(hidden, box).tolist() == box.tolist()
    hidden[6:] = True
    assert mask.seen_box(hidden, box).tolist() == [2.3, 1.6, 9.7, 7.0]
    assert mask.seen_box(np.ones_like(hidden), box).tolist() == box.tolist()


def test_who_stands_lower_is_nearer() -> None:
    assert nearest_first(BEFORE.boxes * [[1], [2], [1]], [0, 1, 2]) == [1, 0, 2]
