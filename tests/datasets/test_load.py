from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from robust.datasets.load import available_splits, find_source, load_dataset
from robust.errors import DataError
from tests.datasets.builders import annotation, coco_values, make_coco, make_yolo

BOX = "0 0.5 0.5 0.25 0.5\n"


def test_a_missing_split_lists_those_that_exist(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {"a.png": BOX}, "test": {"b.png": BOX}})
    assert available_splits(source) == ("train", "test")
    with pytest.raises(DataError, match="no split 'val'") as caught:
        load_dataset(source, "val")
    assert "train, test" in caught.value.why


def test_a_folder_with_one_yaml_stands_for_it(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {"a.png": BOX}})
    assert find_source(tmp_path) == source
    assert load_dataset(tmp_path, "test").n_objects == 1
    (tmp_path / "other.yml").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="no data set description") as caught:
        find_source(tmp_path)
    assert "data.yaml, other.yml" in caught.value.why


def test_what_is_no_description_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("", encoding="utf-8")
    for name in ("nothing.yaml", "a.txt"):
        with pytest.raises(DataError, match=name):
            load_dataset(tmp_path / name, "test")


def test_a_coco_file_is_one_split_called_as_asked(tmp_path: Path) -> None:
    file = make_coco(tmp_path / "set.json", coco_values(1, [annotation()]))
    assert available_splits(file) == ("test",)
    assert load_dataset(file, "holdout").split == "holdout"
    with pytest.raises(DataError, match="nowhere"):
        load_dataset(file, "test", images=None) if (tmp_path / "1.png").unlink() is None else None


def test_a_yaml_may_name_coco_files(tmp_path: Path) -> None:
    make_coco(tmp_path / "annotations" / "val.json", coco_values(2, [annotation()]), tmp_path / "images" / "val")
    source = tmp_path / "data.yaml"

    def write(**values: object) -> None:
        source.write_text(yaml.safe_dump(values), encoding="utf-8")

    write(val="annotations/val.json")
    dataset = load_dataset(source, "val")
    assert (len(dataset), dataset.n_objects, dataset.split) == (2, 1, "val")
    write(val="annotations/val.json", names=["person"])
    assert load_dataset(source, "val").fingerprint == dataset.fingerprint
    write(val="annotations/val.json", names=["dog"])
    with pytest.raises(DataError, match="the classes are dog"):
        load_dataset(source, "val")
    write(val=["annotations/val.json", "annotations/val.json"])
    with pytest.raises(DataError, match="one COCO file"):
        load_dataset(source, "val")
