from __future__ import annotations

import json
import math
import re
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from robust.corruptions.apply import corrupt
from robust.corruptions.laws import Scene
from robust.corruptions.registry import get, make_variant
from robust.corruptions.suites import load_suite
from robust.corruptions.warp import FILL, Homography, box_inflation, ellipse, move, move_pixels, pitched, rolled
from robust.datasets.coco import scan_coco
from robust.datasets.images import write_image
from robust.datasets.polygons import area, box_inside, clip
from robust.datasets.records import Annotations, Outline
from robust.datasets.synthetic.scene import draw_scene, image_rng
from robust.errors import UsageError
from tests.corruptions.street import Street, backdrop, body, inside

SIZE = (240, 320)
TURNS = [rolled(30, SIZE), rolled(-75, SIZE), pitched(20, 60, SIZE), pitched(50, 60, SIZE)]
every_turn = pytest.mark.parametrize("turn", TURNS, ids=["roll 30", "roll -75", "pitch 20", "pitch 50"])


def one(box: list[float], outline: Outline | None = None, size: tuple[int, int] = SIZE, **more: object) -> Scene:
    annotations = Annotations.build([box], [1], [7], outlines=[outline], **more)
    return Scene.start(np.zeros((*size, 3), dtype=np.uint8), annotations)


def by_matrices(
    rotation: NDArray[np.float64], window: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """K' R K^-1 as the textbook has it, for a field of view of 60 degrees along the longer side of ``SIZE``."""
    focal = 160 / math.tan(math.radians(30))
    camera = np.array([[focal, 0, 160], [0, focal, 120], [0, 0, 1]])
    moved = (window @ camera @ rotation @ np.linalg.inv(camera)) @ np.vstack([points.T, np.ones(len(points))])
    return np.asarray((moved[:2] / moved[2]).T, dtype=np.float64)


def test_a_camera_that_turns_about_itself_is_the_textbooks_homography() -> None:
    points = np.array([[0.0, 0.0], [320.0, 0.0], [320.0, 240.0], [47.0, 201.0], [160.0, 120.0]])
    c, s = math.cos(math.radians(25)), math.sin(math.radians(25))
    about_axis = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    assert rolled(25, SIZE)(points) == pytest.approx(by_matrices(about_axis, np.eye(3), points), abs=1e-6)
    downwards = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    focal, scale = 160 / math.tan(math.radians(30)), c**1.5
    sunk = 120 - focal * s / c  # the row where the middle of the old picture would be: above the new one's middle
    window = np.array([[scale, 0, 160 * (1 - scale)], [0, scale, 120 - scale * sunk], [0, 0, 1]])
    assert pitched(25, 60, SIZE)(points) == pytest.approx(by_matrices(downwards, window, points), abs=1e-6)


@every_turn
def test_the_way_back_ends_where_it_began_and_the_middle_stays(turn: Homography) -> None:
    points = np.array([[0.0, 0.0], [320.0, 0.0], [17.5, 230.0], [160.0, 120.0]])
    assert turn.inverse(turn(points)) == pytest.approx(points, abs=1e-6)
    assert turn(points)[3] == pytest.approx([160.0, 120.0])


def test_looking_down_keeps_areas_in_the_middle_and_upright_lines_meet_below() -> None:
    turn = pitched(40, 60, SIZE)
    square = np.array([[159.9, 119.9], [160.1, 119.9], [160.1, 120.1], [159.9, 120.1]])
    assert area(turn(square)) == pytest.approx(area(square), rel=1e-4)
    above, middle, below = turn(np.array([[260.0, 20.0], [260.0, 120.0], [260.0, 220.0]]))[:, 0]
    assert above > middle > below > 160


def test_a_quarter_turn_moves_every_pixel_to_its_place() -> None:
    square = backdrop(64, 64, seed=2)
    assert np.array_equal(move_pixels(square, rolled(90, (64, 64))), np.rot90(square, -1))  # clockwise
    assert np.array_equal(move_pixels(square, rolled(180, (64, 64))), square[::-1, ::-1])
    assert np.array_equal(move_pixels(square, rolled(0, (64, 64))), square)
    assert np.array_equal(move_pixels(square, pitched(0, 60, (64, 64))), square)


@every_turn
def test_pixels_are_opencvs_own_warp_to_its_rounding(turn: Homography) -> None:
    smooth = np.asarray(cv2.GaussianBlur(backdrop(*SIZE, seed=3), (0, 0), 4), dtype=np.uint8)
    shift = np.array([[1, 0, 160 - 0.5], [0, 1, 120 - 0.5], [0, 0, 1.0]])  # OpenCV counts from pixel centres
    matrix = shift @ turn.matrix @ np.linalg.inv(shift)
    judge = cv2.warpPerspective(smooth, matrix, (320, 240), borderValue=(FILL, FILL, FILL))
    away = np.abs(judge.astype(int) - move_pixels(smooth, turn))
    assert away.mean() < 0.5
    assert (away > 8).mean() < 0.002  # pixels on the border of the old picture


def test_places_that_were_not_in_the_picture_are_grey() -> None:
    made = move_pixels(np.zeros((100, 100, 3), dtype=np.uint8), rolled(45, (100, 100)))
    assert (made[0, 0] == FILL).all()
    assert (made[99, 99] == FILL).all()
    assert not made[50].any()
    corners = 1 - (2 * math.sqrt(2) - 2)  # a square and itself turned by 45 degrees share an octagon
    assert (made == FILL).all(axis=2).mean() == pytest.approx(corners, abs=0.01)


@every_turn
@pytest.mark.parametrize(
    "box", [(140, 60, 190, 190), (5, 20, 60, 150), (250, 100, 300, 236), (90, 2, 140, 60), (30, 180, 200, 235)]
)
def test_with_an_outline_the_box_is_that_of_the_moved_mask(turn: Homography, box: tuple[float, ...]) -> None:
    polygon = body((box[0], box[1], box[2], box[3]))
    moved = move(one(list(box), (polygon,)), turn).annotations
    mask = inside(polygon * 4, 960, 1280)  # four pixels for one
    centred = np.array([[0.25, 0, 0.125 - 160], [0, 0.25, 0.125 - 120], [0, 0, 1.0]])
    matrix = np.linalg.inv(centred) @ turn.matrix @ centred
    judge = cv2.warpPerspective(mask.astype(np.float32), matrix, (1280, 960)) > 0.5
    if not judge.any():
        assert len(moved) == 0
        return
    rows, columns = np.nonzero(judge)
    wanted = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 4
    assert moved.boxes[0] == pytest.approx(wanted, abs=0.6)
    scale = (box[2] - box[0]) * (box[3] - box[1]) / mask.sum()  # the clean area is that of the box
    assert moved.area[0] == pytest.approx(judge.sum() * scale, rel=0.01)


def test_a_shape_bent_around_a_corner_of_the_picture_does_not_hold_the_corner() -> None:
    bent = np.array([[-30.0, 5.0], [10.0, 5.0], [10.0, 10.0], [-20.0, 10.0], [-20.0, -20.0], [5.0, -20.0]])
    bent = np.vstack([bent, [[5.0, -30.0], [-30.0, -30.0]]])
    assert box_inside([bent], (100, 100)) == pytest.approx([0, 5, 10, 10])
    assert area(clip(bent, (100, 100))) == pytest.approx(50)
    assert box_inside([bent - 40], (100, 100)) is None


def test_the_picture_inside_a_shape_is_all_of_it() -> None:
    around = np.array([[-5.0, -5.0], [200.0, -5.0], [200.0, 200.0], [-5.0, 200.0]])
    assert box_inside([around], (30, 50)) == pytest.approx([0, 0, 50, 30])
    assert area(clip(around, (30, 50))) == pytest.approx(1500)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_quarter_turns_of_a_box_without_outline_are_exact(degrees: int) -> None:
    scene = one([130, 60, 170, 160])
    wanted = {
        0: [130, 60, 170, 160],
        90: [120, 90, 220, 130],  # x' = 160 - (y - 120), y' = 120 + (x - 160)
        180: [150, 80, 190, 180],
        270: [100, 110, 200, 150],
    }
    moved = move(scene, rolled(degrees, SIZE)).annotations
    assert moved.boxes[0] == pytest.approx(wanted[degrees])
    assert moved.visible[0] == 1.0


def test_without_outline_a_rolled_box_is_the_closed_form_of_its_ellipse() -> None:
    half_width, half_height = 20.0, 50.0
    for degrees in (10, 33, 60):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        wide, high = math.hypot(half_width * c, half_height * s), math.hypot(half_width * s, half_height * c)
        made = move(one([140, 70, 180, 170]), rolled(degrees, SIZE)).annotations
        assert made.boxes[0] == pytest.approx([160 - wide, 120 - high, 160 + wide, 120 + high], abs=0.02)
        assert made.area[0] == pytest.approx(4000)


def test_without_outline_a_pitched_box_is_that_of_the_exact_conic() -> None:
    turn, box = pitched(45, 60, SIZE), np.array([200.0, 90.0, 230.0, 190.0])
    shape = np.array([[15, 0, 215 - 160], [0, 50, 140 - 120], [0, 0, 1.0]])  # the unit circle's way to the ellipse
    dual = (turn.matrix @ shape) @ np.diag([1, 1, -1.0]) @ (turn.matrix @ shape).T

    def tangents(i: int) -> list[float]:
        root = math.sqrt(dual[i, 2] ** 2 - dual[i, i] * dual[2, 2])
        return sorted((dual[i, 2] + sign * root) / dual[2, 2] for sign in (1, -1))

    (x1, x2), (y1, y2) = tangents(0), tangents(1)
    wanted = [x1 + 160, y1 + 120, x2 + 160, y2 + 120]
    assert move(one(box.tolist()), turn).annotations.boxes[0] == pytest.approx(wanted, abs=0.02)


def test_half_of_a_person_out_of_the_picture_is_half_visible() -> None:
    size, turn = (100, 200), rolled(90, (100, 200))  # x' = 100 - (y - 50), y' = 50 + (x - 100): x 50..150 stay
    block = np.array([[140.0, 20.0], [160.0, 20.0], [160.0, 80.0], [140.0, 80.0]])
    scene = one([140, 20, 160, 80], (block,), size, visible=[0.8], area=[900.0])
    moved = move(scene, turn)
    assert moved.annotations.boxes[0] == pytest.approx([70, 90, 130, 100])
    assert moved.annotations.visible[0] == pytest.approx(0.4)
    assert moved.annotations.area[0] == pytest.approx(450)
    assert moved.inside == pytest.approx([0.5])
    outline = moved.annotations.outlines[0]
    assert outline is not None
    assert area(outline[0]) == pytest.approx(600)


def seen_before(turn: Homography, shape: NDArray[np.bool_]) -> float:
    """Share of a shape's pixels whose centres the turn leaves in the picture, one by one."""
    rows, columns = np.nonzero(shape)
    x, y = turn(np.stack([columns + 0.5, rows + 0.5], axis=1)).T
    height, width = turn.size
    return float(((x >= 0) & (x <= width) & (y >= 0) & (y <= height)).mean())


@pytest.mark.parametrize("degrees", [20.0, 42.0, 56.0])
@pytest.mark.parametrize("outlined", [True, False])
def test_the_visible_share_counts_pixels_of_the_clean_picture(degrees: float, outlined: bool) -> None:
    size, box = (480, 640), (60.0, 0.0, 180.0, 400.0)
    turn = pitched(degrees, 60, size)
    polygon = body(box) if outlined else ellipse(np.array(box))
    moved = move(one(list(box), (polygon,) if outlined else None, size), turn)
    assert moved.annotations.visible[0] == pytest.approx(seen_before(turn, inside(polygon, *size)), abs=0.005)
    assert moved.inside == pytest.approx(moved.annotations.visible)


def test_who_is_mostly_in_the_steep_picture_still_counts() -> None:
    size, turn = (480, 640), pitched(56, 60, (480, 640))
    block = np.array([[60.0, 0.0], [180.0, 0.0], [180.0, 400.0], [60.0, 400.0]])
    moved = move(one([60, 0, 180, 400], (block,), size), turn).annotations
    shape = np.zeros(size, dtype=np.bool_)
    shape[:400, 60:180] = True
    assert moved.visible[0] == pytest.approx(seen_before(turn, shape), abs=0.005)
    assert moved.visible[0] > 0.5
    projected = area(clip(turn(block), size))
    assert moved.area[0] == pytest.approx(projected)  # the area is that of what the new picture shows
    assert projected < 0.25 * area(turn(block))


def test_a_box_that_reached_out_of_the_picture_to_behind_the_new_camera_is_cut_first() -> None:
    size, turn = (480, 640), pitched(56, 60, (480, 640))
    reaching = move(one([300, -400, 340, 300], size=size), turn).annotations
    assert reaching.boxes[0, 0] < 320 < reaching.boxes[0, 2]
    assert reaching.boxes[0, 1] >= 0
    assert reaching.boxes[0, 3] == pytest.approx(turn(np.array([[320.0, 300.0]]))[0, 1], abs=0.5)
    assert 0 < reaching.visible[0] <= 1
    assert len(move(one([300, -400, 340, -10], size=size), turn).annotations) == 0


def test_who_leaves_is_removed_and_who_nearly_leaves_is_ignored() -> None:
    street = Street()
    boxes = [(10.0, 20.0, 20.0, 80.0), (95.0, 20.0, 105.0, 80.0), (148.5, 20.0, 158.5, 80.0)]
    blocks = [(np.array([[a, b], [c, b], [c, d], [a, d]]),) for a, b, c, d in boxes]
    street.add(backdrop(100, 200), boxes, blocks)
    dataset = street.dataset
    variant = make_variant("roll", 1, overrides={"degrees": 90.0})
    made = corrupt(dataset, 0, variant, source=street.source).annotations
    first, last = dataset.annotations[0].ids[[1, 2]].tolist()
    assert made.ids.tolist() == [first, last]
    clockwise = int(dataset.images[0].sha256[-1], 16) % 2 == 0
    assert made.boxes[1] == pytest.approx([70, 98.5, 130, 100] if clockwise else [70, 0, 130, 1.5])
    assert made.visible.tolist() == pytest.approx([1.0, 0.15])
    assert made.iscrowd.tolist() == [False, True]
    visible = make_variant("roll", 1, overrides={"degrees": 90.0}, ground_truth="visible")
    same = corrupt(dataset, 0, visible, source=street.source).annotations
    assert np.array_equal(same.boxes, made.boxes)
    assert np.array_equal(same.area, made.area)  # what left is taken off once, not twice
    assert all(outline is not None for outline in same.outlines)


def test_an_outline_of_the_visible_part_only_does_not_shrink_the_whole_box() -> None:
    upper = body((140, 60, 190, 110))  # the legs are hidden: the box goes on to 190
    made = move(one([140, 60, 190, 190], (upper,), visible=[0.4]), rolled(20, SIZE)).annotations
    bare = move(one([140, 60, 190, 190]), rolled(20, SIZE)).annotations
    assert (made.boxes[0, :2] <= bare.boxes[0, :2]).all()
    assert (made.boxes[0, 2:] >= bare.boxes[0, 2:]).all()
    assert made.visible[0] == 0.4


def test_somebody_whom_a_coco_file_draws_beyond_the_border_is_moved_by_the_outline(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", backdrop(*SIZE, seed=1))
    block = [-60, 130, 40, 130, 40, 200, -60, 200]
    values = {
        "images": [{"id": 1, "file_name": "a.png", "width": 320, "height": 240}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [-60, 130, 100, 70],
                "segmentation": [block],
                "area": 7000,
            }
        ],
    }
    (tmp_path / "set.json").write_text(json.dumps(values), encoding="utf-8")
    dataset = scan_coco(tmp_path / "set.json", "test").dataset
    turn = pitched(20, 60, SIZE)
    made = move(Scene.start(np.zeros((*SIZE, 3), dtype=np.uint8), dataset.annotations[0]), turn).annotations
    corners = turn(np.array([[0.0, 130.0], [40.0, 130.0], [40.0, 200.0], [0.0, 200.0]]))
    assert (corners >= 0).all()
    assert made.boxes[0] == pytest.approx(around(corners))
    assert made.area[0] == pytest.approx(7000 * area(corners) / (40 * 70))  # an ellipse would grow by another factor
    assert made.visible[0] == 1.0


def test_regions_to_ignore_keep_all_of_their_corners() -> None:
    corners = np.array([[100.0, 100.0], [150.0, 100.0], [150.0, 140.0], [100.0, 140.0]])
    made = move(one([100, 100, 150, 140], iscrowd=[True]), rolled(25, SIZE)).annotations
    moved = rolled(25, SIZE)(corners)
    assert made.boxes[0] == pytest.approx([*moved.min(axis=0), *moved.max(axis=0)])


@cache
def drawn_people() -> tuple[tuple[tuple[int, int], Outline], ...]:
    """Image size and outline of synthetic pedestrians of whom everything can be seen."""
    found: list[tuple[tuple[int, int], Outline]] = []
    for k in range(30):
        scene = draw_scene(image_rng(1, "demo", "test", k))
        a = scene.annotations
        for i, outline in enumerate(a.outlines):
            if outline is not None and a.visible[i] >= 0.999 and a.boxes[i, 3] - a.boxes[i, 1] >= 40:
                found.append(((scene.pixels.shape[0], scene.pixels.shape[1]), outline))
    return tuple(found)


def estimates(name: str, severity: int) -> tuple[float, float, float]:
    """Means over pedestrians who stay whole in the picture: area of the estimated box over that of the exact one,
    the two boxes' IoU, and the area of the box around the old box's corners over that of the exact one."""
    values = []
    degrees = float(get(name).severities[severity]["degrees"])
    for size, outline in drawn_people():
        turn = rolled(degrees, size) if name == "roll" else pitched(degrees, 60, size)
        box = around(np.concatenate(outline))
        exact = around(turn(np.concatenate(outline)))
        corners = around(turn(box[[[0, 1], [2, 1], [2, 3], [0, 3]]]))
        if (corners[:2] < 0).any() or (corners[2:] > size[::-1]).any():
            continue
        made = move(one(box.tolist(), size=size), turn).annotations.boxes[0]
        common = np.minimum(made[2:], exact[2:]) - np.maximum(made[:2], exact[:2])
        overlap = common.prod() / (area_of(made) + area_of(exact) - common.prod())
        ratio = box_inflation(outline, turn)
        assert ratio == pytest.approx(area_of(made) / area_of(exact))
        values.append((ratio, overlap, area_of(corners) / area_of(exact)))
    assert len(values) >= 15
    ratio, overlap, naive = np.mean(values, axis=0).tolist()
    return ratio, overlap, naive


def around(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def area_of(box: NDArray[np.float64]) -> float:
    return float((box[2:] - box[:2]).prod())


@pytest.mark.parametrize("name", ["roll", "steep_view"])
def test_the_error_of_boxes_without_outlines_is_the_one_that_the_limits_state(name: str) -> None:
    ratio, overlap, naive = estimates(name, 3)
    stated = re.search(r"have ([\d.]+) times .* box \(IoU ([\d.]+); .*: ([\d.]+) times", get(name).limits)
    assert stated is not None
    assert [float(number) for number in stated.groups()] == pytest.approx([ratio, overlap, naive], abs=0.01)
    for severity in (1, 2, 4, 5):
        assert estimates(name, severity)[0] == pytest.approx(ratio, abs=0.06)


def test_impossible_angles_are_refused() -> None:
    with pytest.raises(UsageError, match="from 0 to 59"):
        make_variant("steep_view", 1, overrides={"degrees": 70.0})
    together = {"degrees": 58.0, "field_of_view": 80.0}  # each alone is allowed
    with pytest.raises(UsageError, match="58 degrees with a field of view of 80"):
        make_variant("steep_view", 1, overrides=together)
    Path("steep.yaml").write_text(
        "corruptions: [{name: steep_view, parameters: {degrees: 58.0, field_of_view: 80.0}}]", encoding="utf-8"
    )
    with pytest.raises(UsageError, match="field of view of 80"):
        load_suite("steep.yaml")
    with pytest.raises(ValueError, match="vertical"):
        pitched(60, 60, SIZE)


def test_the_ellipse_touches_all_sides_of_its_box() -> None:
    box = np.array([10.25, 20.5, 40.75, 99.0])
    points = ellipse(box)
    assert np.concatenate([points.min(axis=0), points.max(axis=0)]).tolist() == box.tolist()


def test_both_directions_of_roll_occur_and_each_image_keeps_its_own() -> None:
    street = Street()
    for seed in range(12):
        street.add(backdrop(60, 60, seed=seed), [])
    dataset, ways = street.dataset, set()
    for i, image in enumerate(dataset.images):
        clean = street.pixels[image.sha256]
        made = corrupt(dataset, i, make_variant("roll", 1), source=street.source).pixels
        way = [np.array_equal(made, move_pixels(clean, rolled(d, (60, 60)))) for d in (10, -10)]
        assert sum(way) == 1
        ways.add(tuple(way))
    assert len(ways) == 2


def test_the_angle_suite_holds_every_severity() -> None:
    assert [v.name for v in load_suite("angle").variants] == [
        f"{name}/{severity}" for name in ("roll", "steep_view") for severity in (1, 2, 3, 4, 5)
    ]
