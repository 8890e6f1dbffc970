"""Reading the labels of a COCO file without its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robust.datasets.coco import read_coco, scan_coco
from robust.datasets.load import load_dataset, numbers_images
from robust.errors import DataError
from tests.datasets.builders import HEIGHT, WIDTH, annotation, coco_values, make_coco
from tests.eval.tiny_study import write_data


def _labels(folder: Path) -> Path:
    values = coco_values(3, [annotation(id=7, image_id=2, iscrowd=1), annotation(id=3, image_id=1)])
    for item in values["images"]:
        item.update(width=WIDTH, height=HEIGHT)
    values["images"][1]["video_id"] = 4
    return make_coco(folder / "set.json", values)


def test_labels_are_the_same_with_and_without_the_images(tmp_path: Path) -> None:
    file = _labels(tmp_path)
    whole = read_coco(file, "test")
    for picture in tmp_path.rglob("*.png"):
        picture.unlink()
    with pytest.raises(DataError):
        read_coco(file, "test")
    labels = load_dataset(file, "test", labels_only=True)
    assert labels.numbering == whole.numbering
    for one, other in zip(labels.images, whole.images, strict=True):
        assert (one.id, one.file_name, one.width, one.height, one.group) == (
            (other.id, other.file_name, other.width, other.height, other.group)
        )
        assert one.sha256 == ""
    for ours, theirs in zip(labels.annotations, whole.annotations, strict=True):
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)
        np.testing.assert_array_equal(ours.iscrowd, theirs.iscrowd)
    assert labels.fingerprint != whole.fingerprint


@pytest.mark.parametrize("size", [(None, 4), (4, None), ("4", 4), (0, 4), (4.5, 4), (-1, 4), (True, 4)])
def test_without_images_the_file_must_state_their_sizes(tmp_path: Path, size: tuple[object, object]) -> None:
    values = coco_values(1, [])
    values["images"][0].update(width=size[0], height=size[1])
    (found,) = scan_coco(make_coco(tmp_path / "set.json", values), "test", labels_only=True).problems
    assert found.code == "image-size"
    assert "image id 1 has no width and height" in found.message


def test_ids_of_images_come_with_coco_files_only(tmp_path: Path) -> None:
    file = _labels(tmp_path)
    yaml = tmp_path / "data.yaml"
    yaml.write_text("test: set.json\n", encoding="utf-8")
    assert numbers_images(file, "test")
    assert numbers_images(yaml, "test")
    assert not numbers_images(write_data(tmp_path / "yolo"), "val")
