from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from robust.datasets.convert import convert
from robust.datasets.load import available_splits, load_dataset
from robust.errors import DataError
from tests.datasets.builders import annotation, coco_values, make_coco, make_yolo

BOX = "0 0.503 0.51 0.253 0.5\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    splits = {"train": {"a.png": BOX, "b.png": None}, "test": {"c.png": BOX + "0 0.1 0.1 0.05 0.07\n"}}
    return make_yolo(tmp_path / "set", splits)


def _fingerprints(source: Path) -> dict[str, str]:
    return {split: load_dataset(source, split).fingerprint for split in available_splits(source)}


@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_there_and_back_is_the_same_data(tmp_path: Path, source: Path, to: Any) -> None:
    done = convert(source, tmp_path / "there", to)
    assert (done.splits, done.n_images, done.n_objects, done.n_ignored_dropped) == (("train", "test"), 3, 3, 0)
    back = convert(done.path, tmp_path / "back", "yolo")
    assert _fingerprints(source) == _fingerprints(done.path) == _fingerprints(back.path)


def test_ultralytics_can_resolve_the_result_from_anywhere(tmp_path: Path, source: Path) -> None:
    values = yaml.safe_load(convert(source, tmp_path / "out", "yolo").path.read_text(encoding="utf-8"))
    assert values == {"train": "images/train", "test": "images/test", "names": {0: "person"}}, "no path: key"


def test_ignored_regions_that_yolo_cannot_hold_are_counted(tmp_path: Path) -> None:
    file = make_coco(tmp_path / "set.json", coco_values(1, [annotation(), annotation(id=2, iscrowd=1)]))
    done = convert(file, tmp_path / "out", "yolo")
    assert (done.n_objects, done.n_ignored_dropped) == (1, 1)


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    convert(source, out, "coco")  # an empty one is fine
    before = sorted(out.rglob("*"))
    with pytest.raises(DataError, match="something is there already"):
        convert(source, out, "yolo")
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_a_failure_leaves_nothing_half_written(
    tmp_path: Path, source: Path, to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("robust.datasets.convert.write_text", full)
    monkeypatch.setattr("robust.datasets.yolo.write_text", full)
    target = tmp_path / "new"
    with pytest.raises(OSError, match="space"):
        convert(source, target / "out", to)
    assert not target.exists()


def test_wrong_data_is_not_converted(tmp_path: Path) -> None:
    source = make_yolo(tmp_path / "set", {"test": {"a.png": "0 0.5 0.5 9 9\n"}})
    with pytest.raises(DataError, match=r"a\.txt:1"):
        convert(source, tmp_path / "out", "coco")
    assert not (tmp_path / "out").exists()
