from __future__ import annotations

from pathlib import Path

import pytest

from robust.datasets.check import check
from robust.datasets.load import available_splits, load_dataset
from tests.shared_data import shared_data


@pytest.mark.parametrize(("split", "n_images", "n_objects"), [("train", 40, 175), ("val", 10, 31), ("test", 10, 47)])
def test_tiny_coco_has_the_counts_of_the_seed_study(split: str, n_images: int, n_objects: int) -> None:
    source = shared_data("tiny_coco.yaml")
    dataset = load_dataset(source, split)
    assert available_splits(source) == ("train", "val", "test")
    assert (dataset.name, len(dataset), dataset.n_objects) == ("tiny_coco", n_images, n_objects)


def test_tiny_coco_has_nothing_wrong_and_its_splits_share_nothing() -> None:
    report = check(shared_data("tiny_coco.yaml"))
    assert report.findings == ()
    assert {(o.n_identical, o.n_near_duplicates) for o in report.overlaps} == {(0, 0)}


def test_coco_person128_is_read_through_a_yaml_elsewhere(tmp_path: Path) -> None:
    source = tmp_path / "person128.yaml"
    folder = shared_data("coco_person128")
    source.write_text(f"path: {folder.as_posix()}\ntrain: images/train\nnames: [person]\n", encoding="utf-8")
    dataset = load_dataset(source, "train")
    assert (len(dataset), dataset.n_objects) == (128, 254)
    assert sum(len(a) == 0 for a in dataset.annotations) == 67
