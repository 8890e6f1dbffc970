from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from robust.corruptions.depth import FAR, NEAR, View, follow_edges, likely_body, scene_depth
from robust.corruptions.laws import Scene
from robust.datasets.records import Annotations

PLAIN = View(focal=576.0, camera=1.6, horizon=200.0, backdrop=FAR)


def people(boxes: list[tuple[float, float, float, float]], outlines: object = None, **more: object) -> Annotations:
    return Annotations.build(boxes, [1] * len(boxes), range(1, len(boxes) + 1), outlines=outlines, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("row", "metres"), [(292.16, 10.0), (246.08, 20.0), (384.32, 5.0), (200.9216, 1000.0)])
def test_depth_of_a_row_by_hand(row: float, metres: float) -> None:
    # focal * camera = 921.6 pixel metres, over the rows below the horizon
    assert PLAIN.depth_of_rows(np.array([row]))[0] == pytest.approx(metres)


def test_the_sky_is_far_and_nothing_is_nearer_than_the_lens() -> None:
    assert PLAIN.depth_of_rows(np.array([200.0, 150.0, -400.0])).tolist() == pytest.approx([FAR] * 3)
    assert PLAIN.depth_of_rows(np.array([1e5]))[0] == pytest.approx(NEAR)


def test_the_ground_ends_at_the_backdrop_whose_tops_are_twenty_metres_up() -> None:
    view = View(focal=576.0, camera=1.6, horizon=200.0, backdrop=40.0)
    # at 40 m, 20 m are 288 pixels; half way up half of the nearness is left
    rows = np.array([260.0, 220.0, 200.0, 200.0 - 144.0, 200.0 - 288.0])
    assert view.depth_of_rows(rows).tolist() == pytest.approx([15.36, 40.0, 40.0, 80.0, FAR])


def test_depth_never_rises_towards_the_bottom_below_the_horizon() -> None:
    depths = View(576.0, 3.0, 90.0, 35.0).depth_of_rows(np.arange(480, dtype=np.float64))
    assert (np.diff(depths) <= 0).all()
    assert depths[0] > depths[89] >= depths[90] > depths[479]


def test_a_camera_at_three_metres_is_found_from_three_people() -> None:
    focal, camera, horizon, metres = 576.0, 3.0, 100.0, (8.0, 12.0, 20.0)
    feet = [horizon + focal * camera / z for z in metres]
    tall = [focal * 1.7 / z for z in metres]
    boxes = [
        (50.0 + 100 * i, f - h, 50.0 + 100 * i + h / 3, f) for i, (f, h) in enumerate(zip(feet, tall, strict=True))
    ]
    view = View.of(people(boxes), (480, 640))
    assert view.focal == focal
    assert view.camera == pytest.approx(camera, rel=0.01)
    assert view.horizon == pytest.approx(horizon, abs=1.0)
    assert view.backdrop == pytest.approx(40.0, rel=0.02)  # twice as far as the farthest
    assert [view.depth_of(np.array(box)) for box in boxes] == pytest.approx(metres, rel=0.02)


def test_the_backdrop_stays_between_six_and_a_hundred_metres() -> None:
    assert View.of(people([]), (480, 640)).backdrop == pytest.approx(40.0)
    close = people([(100, 10, 400, 480)])
    distant = people([(100, 200, 104, 212)])
    assert View.of(close, (480, 640)).backdrop == 6.0
    assert View.of(distant, (480, 640)).backdrop == 100.0


def test_whoever_is_cut_or_stands_high_up_is_no_farther_than_a_grown_person_of_that_height() -> None:
    # 300 pixels tall: 576 * 1.7 / 300 = 3.264 m, wherever the feet are
    assert PLAIN.depth_of(np.array([0.0, -150.0, 90.0, 150.0])) == pytest.approx(3.264)
    # 50 pixels tall, feet at 5 m (a child, or somebody lying): the ground counts
    assert PLAIN.depth_of(np.array([0.0, 334.32, 90.0, 384.32])) == pytest.approx(5.0)


def test_a_head_above_the_horizon_is_as_near_as_the_feet() -> None:
    box = (300.0, 100.0, 360.0, 400.0)
    outline = (np.array([(300, 100), (360, 100), (360, 400), (300, 400)], dtype=np.float64),)
    clean = people([box], (outline,))
    depth = scene_depth(Scene.start(np.zeros((480, 640, 3), dtype=np.uint8), clean))
    view = View.of(clean, (480, 640))
    assert view.horizon > 110  # the head is above it
    assert np.unique(depth[101:350, 301:359]) == pytest.approx([view.depth_of(np.array(box))], rel=1e-5)
    assert (depth[101:110, 380] >= view.backdrop - 1e-3).all()


def test_a_likely_body_is_upright_and_fills_half_of_its_box() -> None:
    body = likely_body(200, 80)
    assert body[100, 40] == 1.0
    assert not body[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    # its middle is 3 x^2 + 1.5 y^4 = 1.3: an integral of sqrt((1.3 - 1.5 y^4) / 3) from 0 to (1.3 / 1.5)^(1/4)
    area = quad(lambda y: math.sqrt((1.3 - 1.5 * y**4) / 3), 0, (1.3 / 1.5) ** 0.25)[0]
    assert body.mean() == pytest.approx(area, abs=0.01)
    assert np.array_equal(body, body[::-1, ::-1])


def test_without_outlines_a_body_is_near_and_what_is_beside_it_in_the_box_is_not() -> None:
    pixels = np.full((480, 640, 3), 200, dtype=np.uint8)
    pixels[100:400, 310:350] = 40  # somebody dark before a bright wall, narrower than the box
    clean = people([(280.0, 100.0, 380.0, 400.0)])
    depth, view = scene_depth(Scene.start(pixels, clean)), View.of(clean, (480, 640))
    person, wall = view.depth_of(clean.boxes[0]), float(view.depth_of_rows(np.array([115.0]))[0])
    assert wall > 1.8 * person
    body, beside = depth[180:320, 315:345], depth[180:320, 284:304]
    assert np.median(body) == pytest.approx(person, rel=0.1)
    # the map follows the edge of the body: it changes more there than anywhere else along the row
    row = 1.0 / depth[130]
    assert set(np.argsort(np.abs(np.diff(row)))[-2:].tolist()) == {309, 349}
    assert np.median(beside) > 1.1 * np.median(body)


def test_a_map_without_edges_in_the_picture_is_only_smoothed() -> None:
    flat = np.full((240, 320, 3), 90, dtype=np.uint8)
    ramp = np.repeat(np.linspace(0.01, 0.3, 240, dtype=np.float32)[:, None], 320, axis=1)
    assert follow_edges(ramp, flat)[20:220] == pytest.approx(ramp[20:220], abs=1e-4)


def test_a_map_of_the_picture_itself_is_kept_where_the_picture_has_contrast() -> None:
    pixels = np.zeros((240, 320, 3), dtype=np.uint8)
    pixels[:, 160:] = 200
    step = np.where(pixels[..., 0] > 0, np.float32(0.4), np.float32(0.1))
    assert follow_edges(step, pixels) == pytest.approx(step, abs=0.01)


def test_the_nearer_of_two_people_is_in_front_whatever_their_order() -> None:
    near, far = (200.0, 120.0, 330.0, 460.0), (240.0, 180.0, 290.0, 300.0)
    boxes = [near, far]
    outlines = [(np.array([box[:2], (box[2], box[1]), box[2:], (box[0], box[3])]),) for box in boxes]
    flat = np.full((480, 640, 3), 90, dtype=np.uint8)
    one = scene_depth(Scene.start(flat, people(boxes, tuple(outlines))))
    other = scene_depth(Scene.start(flat, people(boxes[::-1], tuple(outlines[::-1]))))
    assert np.array_equal(one, other)
    assert one[240, 265] == pytest.approx(View.of(people(boxes), (480, 640)).depth_of(np.array(near)), rel=1e-5)


@pytest.mark.parametrize("outlined", [True, False])
def test_a_region_to_ignore_is_no_body_that_stands_there(outlined: bool) -> None:
    person, region = (300.0, 150.0, 350.0, 330.0), (20.0, 20.0, 620.0, 470.0)
    box = np.array(region)
    outline = (box[[[0, 1], [2, 1], [2, 3], [0, 3]]],) if outlined else None
    pixels = np.random.default_rng(0).integers(0, 256, size=(480, 640, 3)).astype(np.uint8)
    both = people([person, region], (None, outline), iscrowd=[False, True])
    with_region = scene_depth(Scene.start(pixels, both))
    assert np.array_equal(with_region, scene_depth(Scene.start(pixels, people([person]))))
    only = scene_depth(Scene.start(pixels, both.select(np.array([1]))))
    assert np.array_equal(only, scene_depth(Scene.start(pixels, people([]))))


def test_a_picture_of_one_pixel_has_a_depth() -> None:
    depth = scene_depth(Scene.start(np.zeros((1, 1, 3), dtype=np.uint8), people([(0, 0, 1, 1)])))
    assert depth.shape == (1, 1)
    assert NEAR <= float(depth[0, 0]) <= FAR
