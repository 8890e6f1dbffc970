from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robust.corruptions import donors, pasting
from robust.corruptions.apply import corrupt
from robust.corruptions.causes.crowd import annotate, draw, people_added
from robust.corruptions.donors import Casting, DonorPool, donor_pool, matte, surrounding_light
from robust.corruptions.ground import Ground, estimate
from robust.corruptions.ground_truth import settle
from robust.corruptions.laws import Scene
from robust.corruptions.layers import Layers
from robust.corruptions.light import chroma
from robust.corruptions.masks import Window
from robust.corruptions.pasting import Pasted, blend
from robust.corruptions.places import Crowd, Standing, seek
from robust.corruptions.registry import make_variant
from robust.datasets.records import Annotations, ImageRecord
from robust.errors import DataError
from tests.corruptions.street import Street, backdrop, body, digest, inside, picture_of

STRANGER = ImageRecord(99, "99.png", Path("99.png"), 320, 180, "")


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


def test_covered_people_lose_the_share_that_the_pixels_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pasting, "_shade", lambda picture, person: None)  # shadows change pixels and hide nobody
    street = crowded_street()
    seen = 0
    for severity in (1, 3, 5):
        for i in range(5):
            made = corrupt(street.dataset, i, make_variant("crowd", severity), source=street.source)
            changed = (made.pixels != street.pixels[street.images[i].sha256]).any(axis=2)
            for box, visible in zip(street.annotations[i].boxes, made.annotations.visible[:2], strict=True):
                hidden = changed[inside(body(tuple(box)), 180, 320)].mean()
                assert hidden - 0.12 <= 1 - visible <= hidden + 0.03  # soft edges change pixels and hide nobody
                seen += visible < 0.95
    assert seen >= 10


def test_people_never_come_from_the_same_image_even_under_another_name() -> None:
    street = Street()
    pixels, outlines = picture_of(180, 320, [(40.0, 60.0, 70.0, 150.0)], seed=1)
    for _ in range(3):
        street.add(pixels, [(40.0, 60.0, 70.0, 150.0)], outlines)
    read: list[str] = []

    def source(image: ImageRecord) -> np.ndarray:
        read.append(image.file_name)
        return street.source(image)

    street.add_people(180, 320, [(90.0, 50.0, 120.0, 140.0)], seed=2)
    made = corrupt(street.dataset, 0, make_variant("crowd", 3), source=source)
    assert len(made.annotations) > 1
    assert set(read) == {"1.png", "4.png"}


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


def test_who_is_cut_off_by_somebody_nearer_is_no_donor_even_with_an_outline() -> None:
    street = Street()
    far, near = (30.0, 40.0, 60.0, 120.0), (42.0, 60.0, 76.0, 150.0)  # the second hides 45 % of the first's box
    street.add_people(180, 320, [far, near, (200.0, 40.0, 230.0, 120.0)], seed=2)
    assert [donor.position for donor in DonorPool(street.dataset).donors] == [1, 2]


def test_a_newcomer_is_no_more_visible_than_the_donor_was() -> None:
    street, boxes = Street(), [(30.0, 60.0, 60.0, 150.0), (200.0, 70.0, 222.0, 132.0)]
    for seed in range(3):
        pixels, outlines = picture_of(180, 320, boxes, seed)
        street.add(pixels, boxes, outlines, visible=[0.85, 0.85])
    for severity in (1, 5):
        made = corrupt(street.dataset, 0, make_variant("crowd", severity), source=street.source)
        assert len(made.annotations) > 2
        assert made.annotations.visible[2:].max() <= 0.85
    person = replace(pasted(10, 10, 20, 50), visible=0.85)  # half of it goes behind the next
    assert settled(scene_of([], outlined=False), [person, pasted(15, 10, 25, 51)]).visible.tolist() == [0.425, 1.0]


def test_nobody_comes_from_the_same_video_as_long_as_there_are_others() -> None:
    street = crowded_street(4)
    groups = ["a", "a", "b", None]
    images = [replace(image, group=group) for image, group in zip(street.images, groups, strict=True)]
    dataset = replace(street.dataset, images=tuple(images))
    pool = donor_pool(dataset)
    assert {d.image for d in Casting(pool, images[0]).donors} == {2, 3}
    assert {d.image for d in Casting(pool, images[2]).donors} == {0, 1, 3}
    assert {d.image for d in Casting(pool, images[3]).donors} == {0, 1, 2}
    alone = replace(dataset, images=tuple(replace(image, group="a") for image in images))
    assert {d.image for d in Casting(donor_pool(alone), alone.images[0]).donors} == {1, 2, 3}


def test_a_picture_that_no_other_can_lend_people_to_is_refused() -> None:
    street = crowded_street(1)
    with pytest.raises(DataError, match="nobody can be pasted"):
        corrupt(street.dataset, 0, make_variant("crowd", 5), source=street.source)


def test_the_pool_goes_when_its_data_set_goes() -> None:
    street = crowded_street()
    dataset = street.dataset
    corrupt(dataset, 0, make_variant("crowd", 1), source=street.source)
    gone = weakref.ref(dataset), weakref.ref(donor_pool(dataset))
    del dataset
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_what_a_moving_camera_left_of_everybody_is_kept_and_newcomers_are_wholly_inside() -> None:
    scene = replace(scene_of([(10.0, 10.0, 30.0, 50.0)], outlined=False), inside=np.array([0.7]))
    after = joined_by(scene, [pasted(40, 10, 50, 50), pasted(55, 10, 65, 50)])
    assert after.inside is not None
    assert after.inside.tolist() == [0.7, 1.0, 1.0]


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


def test_who_stands_alone_has_the_height_of_their_place() -> None:
    street, ground = crowded_street(), Ground(60.0, 0.8, 170.0, 110.0, True)
    casting = Casting(donor_pool(street.dataset), STRANGER)
    nobody = Standing.of(np.zeros((0, 4)), np.zeros(0, dtype=np.bool_), (180, 320))
    rng, feet = np.random.default_rng(4), []
    for _ in range(20):
        found = seek(nobody, ground, Crowd(1, 0.5), casting, rng)
        _, top, _, foot = found[0][1]
        assert 0.92 <= (foot - top) / (0.8 * (foot - 60.0)) <= 1.08
        feet.append(foot)
    assert np.ptp(feet) > 30


def test_who_stands_beside_somebody_is_as_tall_as_perspective_makes_them_and_not_closer_than_allowed() -> None:
    street, ground = crowded_street(), Ground(60.0, 0.8, 170.0, 110.0, True)
    casting = Casting(donor_pool(street.dataset), STRANGER)
    somebody = np.array([[140.0, 80.0, 170.0, 160.0]])  # 80 pixels tall at row 160, as the ground has it
    beside = 0
    for seed in range(30):
        one = Standing.of(somebody, np.array([False]), (180, 320))
        found = seek(one, ground, Crowd(1, 0.6), casting, np.random.default_rng(seed))
        if not found:
            continue
        x1, top, x2, foot = found[0][1]
        assert 0.92 <= (foot - top) / (0.8 * (foot - 60.0)) <= 1.08
        assert x1 < 170
        assert x2 > 140
        assert 0.36 <= one.behind(found[0][1][None])[0].mean(axis=1).max() <= 0.6  # 60 % of the overlap is the least
        beside += 1
    assert beside >= 25


def test_what_is_hidden_is_the_share_of_the_columns_behind_a_body() -> None:
    boxes = np.array([[100.0, 100.0, 180.0, 200.0], [0.0, 100.0, 40.0, 230.0]])
    standing = Standing.of(boxes, np.array([False, False]), (300, 300))
    # nearer, from half the height down; without its slim sides it spans columns 140..220 of the first: half of them
    hidden = standing.behind(np.array([[130.0, 150.0, 230.0, 220.0]]))[0]
    assert hidden[0].tolist() == [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5]
    assert not hidden[1:].any()
    # farther than the second, who spans 4..36 without the slim sides: the newcomer is behind, not the second
    hidden = standing.behind(np.array([[0.0, 90.0, 80.0, 190.0]]))[0]
    assert not hidden[:2].any()
    assert hidden[2].tolist() == [0.9, 0.9, 0.9, 0.9, 0, 0, 0, 0]


def scene_of(boxes: list[tuple[float, float, float, float]], *, outlined: bool) -> Scene:
    outlines = [(body(box),) for box in boxes] if outlined else None
    annotations = Annotations.build(boxes, [1] * len(boxes), range(1, len(boxes) + 1), outlines=outlines)
    return Scene.start(np.full((60, 80, 3), 100, dtype=np.uint8), annotations)


def pasted(x1: int, y1: int, x2: int, y2: int) -> Pasted:
    solid = np.full((y2 - y1, x2 - x1), 255, dtype=np.uint8)
    colour = np.full((*solid.shape, 3), 200, dtype=np.uint8)
    box = (float(x1), float(y1), float(x2), float(y2))
    return Pasted(colour, solid, Window(x1, y1, x2, y2), box, None, 1, float(solid.size), 1.0, np.full((2, 3), 0.5))


def settled(scene: Scene, added: list[Pasted]) -> Annotations:
    return settle(scene.annotations, joined_by(scene, added), "amodal")


def joined_by(scene: Scene, added: list[Pasted]) -> Scene:
    layers = Layers.of(scene.annotations, (60, 80))
    for person in added:
        layers = layers.joined(person)
    return annotate(scene, layers, draw(scene.pixels, layers), np.arange(100, 100 + len(added)))


def test_by_hand_a_person_of_whom_too_little_is_left_becomes_ignored() -> None:
    scene = scene_of([(10.0, 10.0, 30.0, 50.0)], outlined=False)
    for covered, visible, ignored in ((10, 0.5, False), (15, 0.25, False), (17, 0.15, True), (20, 0.0, True)):
        made = settled(scene, [pasted(10, 10, 10 + covered, 50)])
        assert made.visible.tolist() == pytest.approx([visible, 1.0])
        assert made.iscrowd.tolist() == [ignored, False]


def test_by_hand_the_order_in_which_newcomers_come_does_not_matter() -> None:
    scene = scene_of([(10.0, 10.0, 30.0, 50.0)], outlined=True)
    people = [pasted(10, 8, 20, 48), pasted(12, 12, 22, 52), pasted(14, 14, 24, 54)]
    one, other = joined_by(scene, people), joined_by(scene, people[::-1])
    assert np.array_equal(one.pixels, other.pixels)
    assert one.annotations.visible[0] == other.annotations.visible[0] < 1
    assert one.annotations.visible[1:].tolist() == other.annotations.visible[:0:-1].tolist()


def test_by_hand_newcomers_of_whom_too_little_is_seen_are_not_counted() -> None:
    scene = scene_of([(50.0, 10.0, 70.0, 50.0)], outlined=False)
    for covered, count in ((15, 2), (17, 1)):  # of 20 columns: 25 % and 15 % of the first are left
        after = joined_by(scene, [pasted(10, 10, 30, 50), pasted(10, 10, 10 + covered, 51)])
        assert people_added(scene, after) == count


@pytest.mark.parametrize("outlined", [True, False])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_nobody_is_hidden_more_than_the_overlap_allows_and_nearly_all_asked_for_count(
    severity: int, outlined: bool
) -> None:
    street, rng = Street(), np.random.default_rng(11)
    for seed in range(8):
        x, foot = rng.uniform(10, 580, 6), rng.uniform(260, 440, 6)
        tall = 0.9 * (foot - 180)
        boxes = [(float(a), float(b - h), float(a + h / 3), float(b)) for a, b, h in zip(x, foot, tall, strict=True)]
        street.add_people(480, 720, boxes, outlined=outlined, seed=seed)
    variant, counted = make_variant("crowd", severity), []
    parameters = dict(variant.parameters)
    for i in range(8):
        made = corrupt(street.dataset, i, variant, source=street.source)
        least = np.append(street.annotations[i].visible, np.ones(len(made.annotations) - 6))
        assert (made.annotations.visible >= least - float(parameters["overlap"]) - 0.02).all()
        before = Scene.start(street.source(street.images[i]), street.annotations[i])
        counted.append(people_added(before, Scene.start(made.pixels, made.annotations)))
    assert np.mean(counted) >= 0.95 * float(parameters["people"])


def test_by_hand_newcomers_hide_each_other_and_shares_hidden_twice_count_once() -> None:
    scene = scene_of([(10.0, 10.0, 30.0, 50.0)], outlined=False)
    made = settled(scene, [pasted(10, 12, 20, 52), pasted(14, 14, 24, 54)])
    # of the first person columns 10..20 from row 12 and columns 14..24 from row 14 are gone
    gone = (10 * 38 + 4 * 36) / 800
    assert made.visible.tolist() == pytest.approx([1 - gone, 1 - (6 * 38) / 400, 1.0])


def test_by_hand_who_was_there_and_stands_nearer_stays_in_front_with_an_outline() -> None:
    box = (10.0, 10.0, 30.0, 50.0)
    scene = scene_of([box], outlined=True)
    farther, hidden = settled(scene, [pasted(8, 8, 32, 48)]), inside(body(box), 60, 80)[8:48, 8:32].mean()
    assert farther.visible[0] == 1.0
    assert farther.visible[1] == pytest.approx(1 - hidden, abs=0.04)
    nearer = settled(scene, [pasted(8, 8, 32, 52)])
    assert nearer.visible.tolist() == [0.0, 1.0]
    assert nearer.iscrowd.tolist() == [True, False]


def test_nobody_comes_twice_before_all_have_come() -> None:
    casting = Casting(donor_pool(crowded_street(3).dataset), STRANGER)
    called = []
    for _ in range(2 * len(casting.donors)):
        who = int(casting.tall_enough(np.array([0.0]), np.array([0.99]))[0])
        casting.call(who)
        called.append(who)
    half = len(casting.donors)
    assert half == 6
    assert sorted(called[:half]) == sorted(called[half:]) == list(range(half))


def test_donors_are_tall_enough_or_of_the_tallest() -> None:
    casting = Casting(donor_pool(crowded_street(5).dataset), STRANGER)
    luck = np.linspace(0, 0.999, 50)
    some = casting.tall_enough(np.full(50, 65.0), luck)
    assert set(some.tolist()) == set(np.flatnonzero(casting.heights >= 65.0).tolist())
    assert casting.heights[casting.tall_enough(np.full(50, 1000.0), luck)].min() == casting.heights.max()


def test_a_large_split_lends_donors_from_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(donors, "_MOST", 5)
    images = [donor.image for donor in DonorPool(crowded_street(10).dataset).donors]
    assert images == [0, 2, 4, 6, 8]


def test_cutouts_that_were_let_go_are_cut_again_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    street, other = crowded_street(), crowded_street()
    kept = corrupt(street.dataset, 0, make_variant("crowd", 3), source=street.source)
    monkeypatch.setattr(donors, "_CACHED_BYTES", 1)
    assert digest(corrupt(other.dataset, 0, make_variant("crowd", 3), source=other.source)) == digest(kept)


def test_people_of_black_and_white_pictures_stay_out_of_pictures_in_colour() -> None:
    street, boxes = Street(), [(30.0, 60.0, 60.0, 150.0), (200.0, 70.0, 222.0, 132.0)]
    for seed in range(6):
        pixels, outlines = picture_of(180, 320, boxes, seed)
        if seed >= 3:
            pixels = np.repeat(pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
        elif seed > 0:
            pixels[..., 2] = 0
        street.add(pixels, boxes, outlines)
    made = corrupt(street.dataset, 0, make_variant("crowd", 1), source=street.source)
    assert chroma(street.pixels[street.images[0].sha256]) > 12
    for box in made.annotations.boxes[2:]:
        x1, y1, x2, y2 = (int(v) for v in box)
        new = made.pixels[y1:y2, x1:x2][inside(body((0.0, 0.0, x2 - x1, y2 - y1)), y2 - y1, x2 - x1)]
        assert len(new)
    added = len(made.annotations) - 2
    assert added >= 2
    lit = (made.pixels != street.pixels[street.images[0].sha256]).any(axis=2)
    painted = made.pixels[lit].astype(int)
    assert (painted.max(axis=1) - painted.min(axis=1) <= 2).mean() < 0.05


def test_a_solid_person_replaces_the_picture_and_a_half_solid_one_is_the_mean() -> None:
    picture, person = np.full((60, 80, 3), 100, dtype=np.uint8), pasted(10, 10, 20, 20)
    for alpha, value in ((255, 200), (0, 100), (128, 150)):
        drawn = picture.copy()
        blend(drawn, person, np.full((10, 10), alpha, dtype=np.uint8))
        assert np.abs(drawn[10:18, 10:20].astype(int) - value).max() <= 1


def test_the_light_around_somebody_is_the_mean_and_deviation_of_linear_light() -> None:
    box = np.array([20.0, 10.0, 40.0, 50.0])
    plain = surrounding_light(np.full((60, 80, 3), 188, dtype=np.uint8), box)
    assert plain[0] == pytest.approx(0.5029, abs=1e-4)  # sRGB code 188, IEC 61966-2-1
    assert plain[1] == pytest.approx(0.0, abs=1e-6)
    striped = np.zeros((60, 80, 3), dtype=np.uint8)
    striped[:, 30:] = 255  # half of the widened box, 15 to 45
    assert surrounding_light(striped, box) == pytest.approx(np.full((2, 3), 0.5), abs=1e-4)


def test_without_outlines_most_of_the_background_is_left_behind() -> None:
    pixels = backdrop(160, 120, seed=3)
    polygon = body((40.0, 30.0, 75.0, 140.0))
    mask = inside(polygon, 160, 120)
    pixels[mask] = (200, 30, 40)
    window = Window(40, 30, 75, 140)
    alpha, truth = matte(pixels, window), mask[30:140, 40:75]
    assert alpha[truth].mean() > 0.8 * 255
    assert alpha[~truth].mean() < 0.2 * 255


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
