from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest

from robust.datasets.check import check, leakage
from robust.datasets.images import read_image, write_image
from robust.datasets.load import load_dataset
from robust.errors import DataError, UnknownName
from tests.datasets.builders import annotation, coco_values, make_coco, make_yolo, picture

BOX = "0 0.5 0.5 0.25 0.5\n"


def _files(root: Path) -> dict[str, float]:
    return {str(file): file.stat().st_mtime for file in root.rglob("*")}


def test_a_sound_data_set_is_counted_and_has_no_findings(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {"a.png": BOX, "b.png": ""}, "test": {"c.png": BOX + "0 0.2 0.2 0.1 0.1\n"}})
    before = _files(tmp_path)
    seen: list[tuple[int, int]] = []
    report = check(source, on_progress=lambda done, total: seen.append((done, total)))
    assert report.findings == () and report.categories == ("person",)
    assert [(s.split, s.counts.n_images, s.counts.n_objects, s.counts.n_negatives) for s in report.splits] == [
        ("train", 2, 1, 1),
        ("test", 1, 2, 0),
    ]
    assert [s.fingerprint for s in report.splits] == [load_dataset(source, s).fingerprint for s in ("train", "test")]
    assert [(o.splits, o.n_identical, o.n_near_duplicates) for o in report.overlaps] == [(("train", "test"), 0, 0)]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert _files(tmp_path) == before, "nothing is written beside the data"


def test_every_wrong_label_of_every_split_is_listed_with_file_and_line(tmp_path: Path) -> None:
    labels = {"a.png": "9 0.5 0.5 0.1 0.1\n" + BOX + "0 0.5 0.5 7 0.1\n", "b.png": "0 0.5 nan 0.1 0.1\n"}
    source = make_yolo(tmp_path, {"train": labels, "test": {"c.png": "0 1\n", "d.png": BOX}}, val="images/none")
    (tmp_path / "images" / "test" / "d.png").write_bytes(b"")
    report = check(source)
    found = [(Path(p.file).name if p.file else None, p.line, p.code) for p in report.errors]
    assert found == [
        ("a.txt", 1, "label-class"),
        ("a.txt", 3, "label-range"),
        ("b.txt", 1, "label-finite"),
        (None, None, "split-unreadable"),
        ("c.txt", 1, "label-columns"),
        (None, None, "image-unreadable"),
    ]
    assert [s.fingerprint for s in report.splits] == [None, None]
    assert report.splits[0].counts.n_objects == 1


def test_copies_are_found_within_and_across_splits(tmp_path: Path) -> None:
    splits = {"train": {"a.png": BOX, "b.png": BOX, "c.png": BOX}, "test": {"d.png": BOX, "e.png": BOX, "f.png": BOX}}
    source = make_yolo(tmp_path, splits)
    train, test = tmp_path / "images" / "train", tmp_path / "images" / "test"
    shutil.copyfile(train / "a.png", train / "c.png")
    shutil.copyfile(train / "b.png", test / "d.png")
    half = cv2.resize(read_image(train / "a.png"), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    write_image(test / "e.png", half)
    report = check(source)
    assert [(s.n_identical, s.n_near_duplicates) for s in report.splits] == [(1, 0), (0, 0)]
    assert [(o.n_identical, o.n_near_duplicates) for o in report.overlaps] == [(1, 2)]
    assert [(d.split, d.image, d.of_split, d.of_image, d.distance is None) for d in report.duplicates] == [
        ("train", "c.png", "train", "a.png", True),
        ("test", "d.png", "train", "b.png", True),
        ("test", "e.png", "train", "a.png", False),
    ]
    assert [(p.severity, p.code) for p in report.findings] == [
        ("error", "split-overlap"),
        ("warning", "duplicate"),
        ("warning", "split-near-overlap"),
    ]
    assert leakage(load_dataset(source, "train"), load_dataset(source, "test")) == (1, 2)
    assert leakage(load_dataset(source, "test"), load_dataset(source, "train")) == (1, 2)


def test_an_image_whose_pixels_are_broken_is_an_error_of_the_check_and_of_leakage(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {"a.png": BOX, "b.png": BOX}})
    file = tmp_path / "images" / "test" / "a.png"
    whole = file.read_bytes()
    file.write_bytes(whole[:60] + whole[-12:])  # the header tells a size, the end is there, the pixels are gone
    report = check(source)
    assert [p.code for p in report.errors] == ["image-unreadable"]
    assert "a.png" in str(report.errors[0])
    dataset = load_dataset(source, "test")
    with pytest.raises(DataError, match=r"a\.png"):
        leakage(dataset, dataset)


def test_splits_without_objects_or_a_class_are_pointed_out(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {"a.png": BOX}, "test": {"b.png": ""}}, names=["person", "dog"])
    assert [(p.severity, p.code) for p in check(source).findings] == [
        ("warning", "no-objects"),
        ("note", "class-absent"),
    ]


def test_a_coco_file_is_checked_too(tmp_path: Path) -> None:
    values = coco_values(2, [annotation(id=0), annotation(id=2, bbox=[1, 1, 0, 4]), annotation(id=3, iscrowd=1)])
    report = check(make_coco(tmp_path / "set.json", values))
    assert [p.code for p in report.errors] == ["annotation-id", "annotation-area"]
    assert report.splits[0].counts.n_ignored == 1


def test_a_yaml_that_cannot_be_understood_stops_the_check(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {"a.png": BOX}}, trian="x")
    with pytest.raises(UnknownName, match="trian"):
        check(source)


def test_the_report_is_plain_json_and_the_same_each_time(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {"a.png": BOX}, "test": {"b.png": "0 1\n"}})
    text = check(source).to_json()
    assert text == check(source).to_json()
    values = json.loads(text)
    assert values["splits"][0]["counts"]["n_objects"] == 1
    assert values["findings"][0]["line"] == 1


def test_many_images_are_compared_in_seconds(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {f"{i:03}.png": BOX for i in range(60)}})
    write_image(tmp_path / "images" / "train" / "059.png", picture(1))
    assert check(source).splits[0].n_identical == 1


def test_splits_with_other_classes_are_an_error(tmp_path: Path) -> None:
    for split, name in (("train", "person"), ("test", "dog")):
        values = {**coco_values(1), "categories": [{"id": 1, "name": name}]}
        make_coco(tmp_path / "annotations" / f"{split}.json", values, tmp_path / "images" / split)
    source = tmp_path / "data.yaml"
    source.write_text("train: annotations/train.json\ntest: annotations/test.json\n", encoding="utf-8")
    assert "classes-differ" in [p.code for p in check(source).errors]
