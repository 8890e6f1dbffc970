from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust.datasets.coco import _extent, read_coco, scan_coco, write_coco
from robust.datasets.images import write_image
from robust.datasets.records import Annotations, Category, Dataset, ImageRecord
from robust.errors import DataError
from tests.datasets.builders import HEIGHT, WIDTH, annotation, coco_values, make_coco, picture


def test_images_objects_crowds_and_outlines_are_read(tmp_path: Path) -> None:
    polygon = [10, 5, 30, 5, 30, 35, 10, 35]
    values = coco_values(
        3,
        [
            annotation(id=7, image_id=2, segmentation=[polygon, [1, 1, 2, 2], [1, 1, 3, 1, 2, 4]], visible=0.25),
            annotation(id=3, image_id=2, iscrowd=1, segmentation={"size": [48, 64], "counts": "x"}),
            annotation(id=9, image_id=1, ignore=1, area=None),
        ],
    )
    values["images"][0]["group"] = "scene 1"
    values["images"][1]["video_id"] = 4
    dataset = read_coco(make_coco(tmp_path / "set.json", values), "val")
    assert (dataset.name, dataset.split, dataset.categories) == ("set", "val", (Category(1, "person"),))
    assert [(i.id, i.file_name, i.width, i.height, i.group) for i in dataset.images] == [
        (1, "1.png", WIDTH, HEIGHT, "scene 1"),
        (2, "2.png", WIDTH, HEIGHT, "4"),
        (3, "3.png", WIDTH, HEIGHT, None),
    ]
    one, two, three = dataset.annotations
    assert (one.iscrowd.tolist(), one.area.tolist(), len(three)) == ([True], [600.0], 0)
    assert two.ids.tolist() == [7, 3]
    np.testing.assert_array_equal(two.boxes, [[10, 5, 30, 35], [10, 5, 30, 35]])
    assert (two.iscrowd.tolist(), two.area.tolist(), two.visible.tolist()) == ([False, True], [500, 500], [0.25, 1])
    assert two.outlines[0] is not None and two.outlines[1] is None
    assert [part.tolist() for part in two.outlines[0]] == [
        [[10, 5], [30, 5], [30, 35], [10, 35]],
        [[1, 1], [3, 1], [2, 4]],
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": 0}, "annotation id 0: COCO's matcher reads id 0"),
        ({"id": -4}, "annotation id -4"),
        ({"id": "a"}, "annotation id a"),
        ({"id": 5}, "annotation id 5: the id occurs twice"),
        ({"bbox": [1, 2, math.nan, 4]}, "annotation id 1: .*finite"),
        ({"bbox": [1, 2, math.inf, 4]}, "annotation id 1: .*finite"),
        ({"bbox": [1, 2, 0, 4]}, "annotation id 1: .*no area"),
        ({"bbox": [1, 2, 3, -4]}, "annotation id 1: .*no area"),
        ({"bbox": [1, 2, 3]}, "annotation id 1: bbox must be"),
        ({"bbox": None}, "annotation id 1: bbox must be"),
        ({"bbox": [500, 2, 3, 4]}, "annotation id 1: .*outside of the image"),
        ({"category_id": 2}, "annotation id 1: there is no category id 2"),
        ({"image_id": 99}, "annotation id 1: there is no image id 99"),
        ({"iscrowd": 2}, "annotation id 1: iscrowd"),
        ({"area": -1}, "annotation id 1: area"),
        ({"visible": 1.5}, "annotation id 1: visible"),
        ({"segmentation": [[1, 2, 3]]}, "annotation id 1: a polygon"),
        ({"segmentation": [[1, 2, 3, 4, 5, math.nan]]}, "annotation id 1: a polygon"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    values = coco_values(2, [annotation(id=5), annotation(id=6), annotation(**changes)])
    file = make_coco(tmp_path / "set.json", values)
    with pytest.raises(DataError, match=rf"set\.json: {message}") as caught:
        read_coco(file, "test")
    assert caught.value.exit_code == 2
    scan = scan_coco(file, "test")
    assert len(scan.dataset.annotations[0]) == 2, "the sound ones are still there"


def test_an_annotation_without_id_is_named_by_its_place(tmp_path: Path) -> None:
    without = {key: value for key, value in annotation().items() if key != "id"}
    with pytest.raises(DataError, match=r"annotations\[1\]"):
        read_coco(make_coco(tmp_path / "set.json", coco_values(1, [annotation(), without])), "test")


def test_a_box_beyond_the_border_is_cut_there(tmp_path: Path) -> None:
    values = coco_values(1, [annotation(bbox=[-0.5, 5, 20, 30]), annotation(id=2, bbox=[50, 5, 60, 30])])
    scan = scan_coco(make_coco(tmp_path / "set.json", values), "test")
    np.testing.assert_array_equal(scan.dataset.annotations[0].boxes, [[0, 5, 19.5, 35], [50, 5, WIDTH, 35]])
    assert [(p.severity, p.code) for p in scan.problems] == [("warning", "annotation-overhang")]
    assert "annotation id 2" in scan.problems[0].message


def test_an_outline_beyond_the_border_is_cut_there_and_its_area_stays(tmp_path: Path) -> None:
    slanted = [-20, 5, 20, 5, 20, 45]  # the border is crossed at (0, 5) and (0, 25)
    outside = [-9, 5, -3, 5, -3, 9]
    values = coco_values(
        1,
        [
            annotation(bbox=[-20, 5, 40, 40], segmentation=[slanted, outside], area=812),
            annotation(id=2, bbox=[-20, 5, 40, 40], segmentation=[outside]),
        ],
    )
    first = scan_coco(make_coco(tmp_path / "set.json", values), "test").dataset.annotations[0]
    assert first.outlines[0] is not None
    assert [sorted(part.tolist()) for part in first.outlines[0]] == [[[0, 5], [0, 25], [20, 5], [20, 45]]]
    assert first.area[0] == 812
    assert first.outlines[1] is None  # what remains is only the box


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["images"].append(dict(v["images"][0])), "image id 1 occurs twice"),
        (lambda v: v["images"].append({**v["images"][0], "id": 9}), "image 1.png occurs twice"),
        (lambda v: v["images"][0].update(width=HEIGHT, height=WIDTH), "48 x 64 here, but 64 x 48 on disk .after EXIF"),
        (lambda v: v["images"][0].update(id="one"), r"images\[0\] needs a whole id"),
        (lambda v: v["categories"].append({"id": 1, "name": "dog"}), "category id 1 occurs twice"),
        (lambda v: v["categories"].append({"id": 2, "name": "person"}), "category name 'person' occurs twice"),
        (lambda v: v["categories"].append({"name": "dog"}), r"categories\[1\]"),
        (lambda v: v.pop("annotations"), "no list 'annotations'"),
        (lambda v: v["images"].clear(), "lists no image"),
    ],
)
def test_what_is_wrong_with_images_and_categories_is_named(tmp_path: Path, change: Any, message: str) -> None:
    values = coco_values(2, [annotation()])
    file = make_coco(tmp_path / "set.json", values)
    change(values)
    file.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_coco(file, "test")


def test_a_missing_image_is_one_error_and_its_annotations_none_more(tmp_path: Path) -> None:
    file = make_coco(tmp_path / "set.json", coco_values(2, [annotation(image_id=2)]))
    (tmp_path / "2.png").unlink()
    problems = scan_coco(file, "test").problems
    assert [p.code for p in problems] == ["image-unreadable"]
    assert "2.png" in problems[0].message


@pytest.mark.parametrize("text", ["{", "[]", '{"images": 3}', b"\xff\xfe"])
def test_what_is_no_coco_file_is_an_error(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "set.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=r"set\.json"):
        read_coco(file, "test")


@pytest.mark.parametrize(
    "folder", ["annotations", "images", ".", "images/instances_val", "images/val", "val", "elsewhere"]
)
def test_images_are_found_in_the_usual_places(tmp_path: Path, folder: str) -> None:
    file = tmp_path / "annotations" / "instances_val.json"
    make_coco(file, coco_values(1), images=tmp_path / folder)
    if folder == "elsewhere":
        with pytest.raises(DataError, match="is nowhere"):
            read_coco(file, "test")
    explicit = read_coco(file, "test", images=tmp_path / folder)
    assert explicit.images[0].path == tmp_path / folder / "1.png"
    if folder != "elsewhere":
        assert read_coco(file, "test").fingerprint == explicit.fingerprint


def _rich(root: Path) -> Dataset:
    rng = np.random.default_rng(5)
    images, annotations, next_id = [], [], 1
    for i in range(4):
        path = root / "deep" / f"é{i}.png"
        write_image(path, picture(i))
        low = rng.uniform(0, 20, (i, 2))
        boxes = np.hstack([low, low + rng.uniform(1, 25, (i, 2))])
        outlines = [None if j % 2 else (rng.uniform(0, 40, (5, 2)), rng.uniform(0, 40, (3, 2))) for j in range(i)]
        ids = list(range(next_id, next_id + i))
        annotations.append(
            Annotations.build(
                boxes,
                [3] * i,
                ids,
                iscrowd=rng.random(i) < 0.5,
                area=rng.uniform(1, 99, i),
                visible=rng.random(i),
                outlines=outlines,
            )
        )
        images.append(ImageRecord(2 * i, f"deep/é{i}.png", path, WIDTH, HEIGHT, "0" * 64, "g" if i else None))
        next_id += i
    dataset = Dataset("x", "val", tuple(images), tuple(annotations), (Category(3, "person"), Category(8, "dog")))
    return read_coco(write_coco(dataset, root / "first.json"), "val")


@pytest.mark.parametrize("images", ["relative", "copy"])
def test_what_is_written_reads_the_same_bit_for_bit(tmp_path: Path, images: Any) -> None:
    first = _rich(tmp_path / "one")
    again = read_coco(write_coco(first, tmp_path / "two" / "second.json", images), "val")
    assert again.fingerprint == first.fingerprint
    assert [i.id for i in again.images] == [0, 2, 4, 6]
    assert [i.path == j.path for i, j in zip(first.images, again.images, strict=True)] == [images == "relative"] * 4
    assert not list(tmp_path.rglob("*.part"))


@given(st.floats(0, 10000), st.floats(1e-3, 10000))
def test_a_box_survives_being_written_as_width(low: float, extent: float) -> None:
    high = low + extent
    assert low + _extent(low, high) == high


def test_pycocotools_reads_what_we_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    dataset = _rich(tmp_path)
    coco = COCO(str(write_coco(dataset, tmp_path / "second.json")))
    assert sorted(coco.getImgIds()) == [0, 2, 4, 6]
    found = [a["bbox"] for a in coco.loadAnns(coco.getAnnIds(imgIds=[6]))]
    boxes = dataset.annotations[3].boxes
    np.testing.assert_allclose(found, np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]))
