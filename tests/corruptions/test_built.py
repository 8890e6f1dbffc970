from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust.corruptions.apply import corrupt
from robust.corruptions.build import build
from robust.corruptions.built import ANNOTATION_FIELDS, read_built
from robust.corruptions.suites import Suite, load_suite
from robust.datasets.coco import write_coco
from robust.datasets.images import write_image
from robust.datasets.load import load_dataset
from robust.datasets.records import Dataset
from robust.errors import DataError, IntegrityError, RobustError, UsageError
from tests.corruptions.street import backdrop


def write_data(folder: Path, seed: int = 0) -> Path:
    """Two images, one with 120 boxes of crooked floats, one without objects."""
    rng = np.random.default_rng(seed)
    labels = folder / "labels" / "test"
    labels.mkdir(parents=True)
    for i, name in enumerate("ab"):
        write_image(folder / "images" / "test" / f"{name}.jpg", backdrop(120, 160, seed + i))
    sides = rng.uniform(0.05, 0.9, (120, 2))
    centres = sides / 2 + rng.uniform(0, 1, (120, 2)) * (1 - sides)
    rows = [f"0 {x!r} {y!r} {w!r} {h!r}\n" for (x, y), (w, h) in zip(centres.tolist(), sides.tolist(), strict=True)]
    (labels / "a.txt").write_text("".join(rows), encoding="utf-8")
    (labels / "b.txt").write_text("", encoding="utf-8")
    path = folder / "data.yaml"
    path.write_text("test: images/test\nnames: {0: person}\n", encoding="utf-8")
    return path


def one(corruption: str = "jpeg", seed: int = 0) -> Suite:
    path = Path(f"{corruption}.yaml")
    path.write_text(f"corruptions: [{corruption}]\nseverities: [2]\n", encoding="utf-8")
    return load_suite(str(path), seed=seed)


@pytest.fixture
def dataset() -> Dataset:
    return load_dataset(write_data(Path("data")), "test")


@pytest.fixture
def folder(dataset: Dataset) -> Path:
    """The folder of jpeg/2."""
    (built,) = build(dataset, one(), Path("out"))
    return built.path


@pytest.mark.parametrize("corruption", ["jpeg", "occlusion"])
def test_a_built_set_is_the_variant_bit_for_bit(dataset: Dataset, corruption: str) -> None:
    suite = one(corruption)
    (variant,) = suite.variants
    (built,) = build(dataset, suite, Path("out"))
    found = read_built([built.path], dataset, suite)[variant.sha256]
    for i in range(len(dataset)):
        made, read = corrupt(dataset, i, variant), found.read(dataset, i)
        assert np.array_equal(made.pixels, read.pixels)
        for name in ANNOTATION_FIELDS:
            a, b = getattr(made.annotations, name), getattr(read.annotations, name)
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), name


def test_coco_alone_would_lose_the_last_bit_of_a_box(dataset: Dataset, folder: Path) -> None:
    coco = load_dataset(folder / "annotations" / "test.json", "test")
    found = read_built([folder], dataset, one())
    (exact,) = (built.annotations[0].boxes for built in found.values())
    assert coco.annotations[0].boxes == pytest.approx(exact)
    assert not np.array_equal(coco.annotations[0].boxes, exact)  # why the exact boxes are kept beside it


def test_of_a_whole_build_the_variants_of_the_suite_are_taken(dataset: Dataset) -> None:
    both = Path("both.yaml")
    both.write_text("corruptions: [jpeg, low_resolution]\nseverities: [2, 4]\n", encoding="utf-8")
    build(dataset, load_suite("both.yaml"), Path("out"))
    assert list(read_built([Path("out")], dataset, one())) == [one().variants[0].sha256]
    assert list(read_built([Path("out/jpeg-2/manifest.json")], dataset, one())) == [one().variants[0].sha256]
    with pytest.raises(UsageError, match="None of the variants"):
        read_built([Path("out")], dataset, one("night"))
    with pytest.raises(UsageError, match="given twice"):
        read_built([Path("out"), Path("out/jpeg-2")], dataset, one())
    with pytest.raises(UsageError, match="which suite night does not have"):
        read_built([Path("out/jpeg-2")], dataset, one("night"))


@pytest.mark.parametrize("name", ["images/test/b.png", "labels/test/b.txt", "annotations/test.json", "data.yaml"])
@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_file_that_is_not_the_one_built_is_named(dataset: Dataset, folder: Path, name: str, damage: str) -> None:
    file = folder / name
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match=str(file)) as failure:
        read_built([folder], dataset, one())
    assert ("is missing" in failure.value.what) == (damage == "remove")


def test_the_manifest_lists_every_file(folder: Path) -> None:
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(listed) == files - {"manifest.json"}


def test_a_set_of_other_data_is_refused(dataset: Dataset, folder: Path) -> None:
    other = load_dataset(write_data(Path("other"), seed=1), "test")
    with pytest.raises(DataError, match="was made of other data than split 'test'"):
        read_built([folder], other, one())


def test_the_same_data_numbered_otherwise_is_refused(dataset: Dataset, folder: Path) -> None:
    annotations = tuple(a.with_(ids=a.ids + 100) for a in dataset.annotations)
    write_coco(replace(dataset, annotations=annotations), Path("data/renumbered.json"))
    renumbered = load_dataset(Path("data/renumbered.json"), "test")
    if renumbered.fingerprint != dataset.fingerprint:  # the last bit of a box, see above
        renumbered = replace(dataset, annotations=annotations)
    with pytest.raises(DataError, match="numbered otherwise"):
        read_built([folder], renumbered, one())


def test_another_seed_is_another_recipe(dataset: Dataset, folder: Path) -> None:
    with pytest.raises(UsageError, match="another recipe") as failure:
        read_built([folder], dataset, one(seed=3))
    assert failure.value.why == "They differ in seed."


def _schema(manifest: dict[str, Any]) -> None:
    manifest["schema"] = 1


def _library(manifest: dict[str, Any]) -> None:
    manifest["libraries"]["opencv-python"] = "1.0"


def _recipe(manifest: dict[str, Any]) -> None:
    manifest["recipe"]["parameters"]["quality"] = 99


def _order(manifest: dict[str, Any]) -> None:
    manifest["images"].reverse()


def _no_truth(manifest: dict[str, Any]) -> None:
    del manifest["files"]["ground_truth.json"]


def _absolute_image(manifest: dict[str, Any]) -> None:
    manifest["images"][0]["file_name"] = "/tmp/a.png"


def _upward_image(manifest: dict[str, Any]) -> None:
    manifest["images"][0]["file_name"] = "../../../a.png"


def _absolute_file(manifest: dict[str, Any]) -> None:
    manifest["images"][0]["file_name"] = "/tmp/a.png"
    manifest["files"]["/tmp/a.png"] = manifest["images"][0]["sha256"]


def _upward_file(manifest: dict[str, Any]) -> None:
    manifest["files"]["images/../../a.png"] = manifest["images"][0]["sha256"]


def _no_files(manifest: dict[str, Any]) -> None:
    del manifest["files"]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (_schema, UsageError, "schema is 1, not 2"),
        (_library, DataError, "made with opencv-python 1.0"),
        (_recipe, UsageError, "They differ in parameters"),
        (_order, IntegrityError, "does not list the images"),
        (_no_truth, IntegrityError, "does not list the images"),
        (_absolute_image, IntegrityError, "does not list the images"),
        (_upward_image, IntegrityError, "does not list the images"),
        (_absolute_file, IntegrityError, "outside of its folder: /tmp/a.png"),
        (_upward_file, IntegrityError, "outside of its folder: images/../../a.png"),
        (_no_files, IntegrityError, "It has no 'files'"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    dataset: Dataset, folder: Path, change: Any, error: type[RobustError], said: str
) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(error) as failure:
        read_built([folder], dataset, one())
    assert said in str(failure.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"images": [{}]}', '{"images": [{"boxes": 1}]}', '{"images": ["boxes"]}']
)
def test_ground_truth_that_was_written_by_others_is_refused_even_where_its_hash_is_right(
    dataset: Dataset, folder: Path, text: str
) -> None:
    (folder / "ground_truth.json").write_text(text, encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["ground_truth.json"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"ground_truth\.json is damaged"):
        read_built([folder], dataset, one())


def test_a_folder_without_a_manifest_says_what_to_give(dataset: Dataset, folder: Path) -> None:
    with pytest.raises(UsageError, match="holds no variant") as failure:
        read_built([Path("data")], dataset, one())
    assert "NAME=DATA" in failure.value.fix
    shutil.copytree(folder, "cut")
    Path("cut/manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_built([Path("cut")], dataset, one())
