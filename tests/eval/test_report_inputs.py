"""Weights, data and stored predictions are held against the report that was made from them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from robust.corruptions.records import Variant
from robust.datasets.load import load_dataset
from robust.errors import DataError, IntegrityError, UsageError
from robust.eval.candidates import Selection
from robust.eval.engine.cells import Plan, Shard
from robust.eval.engine.tables import predictions_to_bytes, read_meta, read_predictions
from robust.eval.evaluate import evaluate
from robust.eval.measuring import Request
from robust.eval.records import Predictions
from robust.eval.report.card import Card
from robust.eval.report.files import VerifiedReport, verify_report, write_report
from robust.eval.report_inputs import check_data, check_predictions, check_weights
from robust.eval.tracking.store import Store
from robust.eval.verify import Given, verify

from .fakes import save_tiny_weights, write_data_yaml
from .report.written import policy_for


@dataclass
class Desk:
    """A study that was really measured, with everything it rests on."""

    folder: Path
    report: VerifiedReport
    artifacts: Path

    @property
    def cache(self) -> Path:
        return self.folder / "cache"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("study")
    data = write_data_yaml(folder)
    weights = save_tiny_weights(folder / "tiny.pt", seed=0)
    baseline = save_tiny_weights(folder / "base.pt", seed=1)
    store = Store.open(f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
    selection = Selection(weights=(weights,), baseline=str(baseline), imgsz=64)
    with pytest.MonkeyPatch.context() as patch:  # several shards: five images in files of two
        patch.setattr(Plan, "shards", lambda self, split: Shard.split(len(self.datasets[split]), 2))
        done = evaluate(Request(data, selection, severities=(1,), cache_dir=folder / "cache"), store)
    write_report(done.evidence, policy_for("PROMOTE"), Card(), folder / "report")
    artifacts = folder / "artifacts"
    for run in done.run_ids.values():
        (artifacts / run).mkdir(parents=True)
        assert store.download(run, "robust", artifacts / run) is not None
    return Desk(folder, verify_report(folder / "report"), artifacts)


@pytest.fixture
def copied(desk: Desk, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: shutil.copytree(desk.folder / name, tmp_path / name)


def test_all_that_was_given_is_checked_and_nothing_else_is_claimed(desk: Desk) -> None:
    weights = (desk.folder / "tiny.pt", desk.folder / "base.pt")
    whole = verify(desk.folder / "report", Given(weights, desk.folder / "data.yaml", predictions=desk.cache))
    assert whole.not_checked == ()
    assert len(whole.checked) == 2 + 2 + 2 * len(desk.report.evidence.candidates[0].cells)
    none = verify(desk.folder / "report")
    assert none.checked == () and len(none.not_checked) == len(whole.checked)


def test_weights_are_found_by_their_hash_under_any_name(desk: Desk, tmp_path: Path) -> None:
    other = shutil.copy(desk.folder / "tiny.pt", tmp_path / "renamed.pt")
    found = check_weights(desk.report.manifest, [Path(other)])
    assert found.checked == (f"{other}: weights of tiny",) and found.not_checked == ("weights of base@64",)


def test_weights_with_one_changed_byte_are_refused_by_name(desk: Desk, tmp_path: Path) -> None:
    content = bytearray((desk.folder / "tiny.pt").read_bytes())
    content[-1] ^= 1
    (tmp_path / "tiny.pt").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"tiny\.pt is none of the weights"):
        check_weights(desk.report.manifest, [tmp_path / "tiny.pt"])
    with pytest.raises(UsageError, match="cannot be read"):
        check_weights(desk.report.manifest, [tmp_path / "none.pt"])


def data_of(desk: Desk, folder: Path) -> Path:
    for part in ("images", "labels"):
        shutil.copytree(desk.folder / part, folder / part)
    return Path(shutil.copy(desk.folder / "data.yaml", folder))


def test_data_that_was_moved_is_the_same_and_one_changed_label_is_another(desk: Desk, tmp_path: Path) -> None:
    data = data_of(desk, tmp_path)
    assert check_data(desk.report.manifest, data, {}).not_checked == ()
    label = next(path for path in sorted((tmp_path / "labels/test").iterdir()) if path.read_text())
    first, *rest = label.read_text().split(" ")
    label.write_text(" ".join([first, repr(float(rest[0]) + 0.001), *rest[1:]]))
    with pytest.raises(IntegrityError, match=r"data\.yaml: the split test is not the data"):
        check_data(desk.report.manifest, data, {})


def test_a_split_that_the_data_lacks_is_not_called_checked(desk: Desk, tmp_path: Path) -> None:
    data = data_of(desk, tmp_path)
    lines = [line for line in data.read_text().splitlines() if not line.startswith("val")]
    data.write_text("\n".join(lines))
    found = check_data(desk.report.manifest, data, {})
    assert len(found.checked) == len(found.not_checked) == 1 and found.not_checked[0].endswith(" val")


def test_data_that_cannot_be_read_and_conditions_nobody_measured_are_told(desk: Desk) -> None:
    with pytest.raises(DataError):
        check_data(desk.report.manifest, desk.folder / "none.yaml", {})
    with pytest.raises(UsageError, match="no recorded set 'dusk'"):
        check_data(desk.report.manifest, None, {"dusk": desk.folder / "data.yaml"})


@pytest.mark.parametrize("place", ["cache", "artifacts"])
def test_stored_predictions_give_the_numbers_of_the_report(desk: Desk, place: str) -> None:
    found = check_predictions(desk.report.evidence, desk.folder / place)
    assert found.not_checked == ()
    assert "predictions of tiny on test night/1: measured again, the same numbers" in found.checked
    assert any(words.startswith("predictions of base@64 on val clean") for words in found.checked)


def fewer(old: Predictions) -> Predictions:
    """The first detection is gone."""
    arrays = (old.image_index[1:], old.boxes[1:], old.scores[1:], old.category_ids[1:])
    return Predictions(old.image_ids, *arrays, old.provenance)


def better(old: Predictions) -> Predictions:
    """As many detections, but the first one of each image is where the object is."""
    image = load_dataset(Path("data.yaml"), "test")
    boxes = old.boxes.copy()
    for position, number in enumerate(old.image_ids.tolist()):
        objects = next(a for i, a in zip(image.images, image.annotations, strict=True) if i.id == number)
        if len(objects) and (old.image_index == position).any():
            boxes[np.flatnonzero(old.image_index == position)[0]] = objects.boxes[0]
    return Predictions(old.image_ids, old.image_index, boxes, old.scores, old.category_ids, old.provenance)


@pytest.mark.parametrize("edit", [fewer, better])
def test_changed_predictions_are_found_and_the_file_named(
    desk: Desk,
    copied: Callable[[str], Path],
    edit: Callable[[Predictions], Predictions],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(desk.folder)
    tiny = next(c for c in desk.report.evidence.candidates if c.name == "tiny")
    shards = [
        path
        for path in sorted(copied("cache").rglob("*.parquet"))
        if (told := read_meta(path).get("provenance", {})).get("weights_sha256") == tiny.weights_sha256
        and told["recipe"] == Variant("clean", 0).recipe()
        and told["dataset_sha256"] == load_dataset(Path("data.yaml"), "test").fingerprint
        and told["shard"] == [0, 2]
    ]
    (path,) = shards
    path.write_bytes(predictions_to_bytes(edit(read_predictions(path))))
    with pytest.raises(IntegrityError, match=f"{path.name} is not what the report was made from"):
        check_predictions(desk.report.evidence, path.parents[2])


def test_predictions_under_another_address_are_refused(desk: Desk, copied: Callable[[str], Path]) -> None:
    cache = copied("cache")
    path = next(p for p in sorted(cache.rglob("*.parquet")) if read_meta(p)["kind"] == "predictions")
    path.rename(path.with_name("0" * 64 + ".parquet"))
    with pytest.raises(IntegrityError, match="own address"):
        check_predictions(desk.report.evidence, cache)


def test_a_cell_with_a_lost_shard_or_ground_truth_is_not_called_checked(
    desk: Desk, copied: Callable[[str], Path]
) -> None:
    cache = copied("cache")
    whole = len(check_predictions(desk.report.evidence, cache).checked)
    lost = next(p for p in sorted(cache.rglob("*.parquet")) if read_meta(p)["kind"] == "predictions")
    lost.unlink()
    found = check_predictions(desk.report.evidence, cache)
    assert len(found.checked) == whole - 1 and len(found.not_checked) == 1
    for path in cache.rglob("*.parquet"):
        if read_meta(path)["kind"] == "ground_truth":
            path.unlink()
    assert check_predictions(desk.report.evidence, cache).checked == ()


def test_damaged_files_and_folders_without_predictions_are_told(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no predictions"):
        check_predictions(desk.report.evidence, tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match=r"x\.parquet cannot be read"):
        check_predictions(desk.report.evidence, tmp_path)


def test_the_manifest_of_a_measured_study_has_the_addresses_of_its_cells(desk: Desk) -> None:
    listed = json.loads((desk.folder / "report/manifest.json").read_text())["predictions"]
    cells = {cell.key for one in desk.report.evidence.candidates for cell in one.cells}
    assert {entry["cell"] for entry in listed} == cells and len(listed) == len(cells)
