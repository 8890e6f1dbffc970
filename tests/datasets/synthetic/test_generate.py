"""The files of a synthetic data set."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import yaml

from robust.datasets.synthetic.generate import generate
from robust.datasets.synthetic.scene import BASE
from robust.errors import DataError, UsageError

SPLITS = {"train": 4, "test": 3}


def content(root: Path) -> dict[str, str]:
    files = (p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("synth") / "people", seed=3, splits=SPLITS).parent


def test_another_process_writes_the_same_bytes(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from robust.datasets.synthetic.generate import generate; "
        f"generate(Path(sys.argv[1]), seed=3, splits={SPLITS!r})"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "elsewhere")], check=True, cwd=tmp_path)
    assert content(tmp_path / "elsewhere") == content(root)


def test_the_number_of_workers_does_not_change_the_bytes(root: Path, tmp_path: Path) -> None:
    generate(tmp_path / "two", seed=3, splits=SPLITS, workers=2)
    assert content(tmp_path / "two") == content(root)


def test_more_images_keep_the_first_ones(root: Path, tmp_path: Path) -> None:
    generate(tmp_path / "more", seed=3, splits={"test": 5})
    ours, more = content(root), content(tmp_path / "more")
    assert all(more[name] == digest for name, digest in ours.items() if name.startswith("images/test/"))


def test_the_base_domain_shares_no_image(root: Path, tmp_path: Path) -> None:
    generate(tmp_path / "base", seed=3, splits=SPLITS, domain=BASE)
    images = {digest for name, digest in content(root).items() if name.endswith(".jpg")}
    base = {digest for name, digest in content(tmp_path / "base").items() if name.endswith(".jpg")}
    assert len(images) == len(base) == 7
    assert not images & base


def test_data_yaml_names_the_splits_and_the_class(root: Path) -> None:
    data = yaml.safe_load((root / "data.yaml").read_text(encoding="utf-8"))
    assert data["names"] == {0: "person"}
    for split, count in SPLITS.items():
        assert len(list((root / data[split]).glob("*.jpg"))) == count


def test_yolo_and_coco_say_the_same(root: Path) -> None:
    coco = json.loads((root / "annotations" / "train.json").read_text(encoding="utf-8"))
    ids = [a["id"] for a in coco["annotations"]]
    assert ids == list(range(1, len(ids) + 1))
    for image in coco["images"]:
        pixels = cv2.imread(str(root / image["file_name"]))
        assert pixels is not None
        assert pixels.shape[:2] == (image["height"], image["width"])
        wanted = [a["bbox"] for a in coco["annotations"] if a["image_id"] == image["id"] and not a["iscrowd"]]
        label = root / image["file_name"].replace("images/", "labels/").replace(".jpg", ".txt")
        rows = [[float(v) for v in line.split()] for line in label.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == len(wanted)
        for (_, x, y, w, h), box in zip(rows, wanted, strict=True):
            width, height = image["width"], image["height"]
            assert [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height] == pytest.approx(box, abs=0.01)


def test_coco_carries_outline_and_visible_share(root: Path) -> None:
    coco = json.loads((root / "annotations" / "train.json").read_text(encoding="utf-8"))
    seen = [a for a in coco["annotations"] if not a["iscrowd"]]
    assert seen
    for annotation in seen:
        assert 0.1 <= annotation["visible"] <= 1
        assert annotation["area"] > 0
        assert all(len(part) >= 6 and len(part) % 2 == 0 for part in annotation["segmentation"])


def test_a_strange_folder_is_left_alone(tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(DataError, match="not empty"):
        generate(album, splits={"test": 1})
    assert [p.name for p in album.iterdir()] == ["holiday.jpg"]


def test_its_own_output_is_replaced(tmp_path: Path) -> None:
    root = tmp_path / "only" / "d"
    generate(root, seed=1, splits={"train": 1, "test": 1})
    generate(root, seed=1, splits={"test": 1})
    assert not (root / "images" / "train").exists()
    assert [p.name for p in root.parent.iterdir()] == ["d"]


def test_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "only" / "d", splits={"test": 2}, progress=stop)
    assert list((tmp_path / "only").iterdir()) == []


@pytest.mark.parametrize("splits", [{"../up": 1}, {"test": 0}, {}])
def test_impossible_splits_are_refused(splits: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        generate(tmp_path / "d", splits=splits)
    assert not (tmp_path / "d").exists()


def test_progress_counts_every_image(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate(tmp_path / "d", splits={"val": 1, "test": 1}, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
