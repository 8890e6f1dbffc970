from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robust.corruptions.records import Variant
from robust.datasets.records import Category
from robust.eval.engine.cells import Plan, Shard
from robust.eval.records import Candidate, InferenceSettings

from ..fakes import small_dataset

CLEAN = Variant("clean", 0)
NIGHT = Variant("night", 3, parameters=(("ev", -3.0),))
CANDIDATE = Candidate("a", Path("a.pt"), "a" * 64, 320)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        {"test": small_dataset(tmp_path)}, {"test": (CLEAN, NIGHT)}, (CANDIDATE,), software={"numpy": "1"} | _VERSIONS
    )


_VERSIONS = {"albumentations": "1", "opencv-python": "1", "torch": "1"}


def test_shards_cover_every_image_once() -> None:
    assert [(s.start, s.stop) for s in Shard.split(5, 2)] == [(0, 2), (2, 4), (4, 5)]
    assert Shard.split(0) == ()


def test_key_changes_with_all_that_decides_the_predictions(plan: Plan) -> None:
    key = plan.key("test", CLEAN, CANDIDATE)
    others = [
        plan.key("test", NIGHT, CANDIDATE),
        plan.key("test", CLEAN, replace(CANDIDATE, weights_sha256="b" * 64)),
        plan.key("test", CLEAN, replace(CANDIDATE, imgsz=416)),
        replace(plan, settings=InferenceSettings(nms_iou=0.5)).key("test", CLEAN, CANDIDATE),
        replace(plan, renamed={"human": "person"}).key("test", CLEAN, CANDIDATE),
        replace(plan, software={**plan.software, "torch": "2"}).key("test", CLEAN, CANDIDATE),
    ]
    assert len({key, *others}) == len(others) + 1


def test_same_content_numbered_otherwise_has_other_cells(plan: Plan) -> None:
    dataset = plan.datasets["test"]
    other = replace(
        dataset,
        categories=(Category(7, "person"),),
        annotations=tuple(a.with_(category_ids=a.category_ids * 7) for a in dataset.annotations),
    )
    assert other.fingerprint == dataset.fingerprint
    renumbered = replace(plan, datasets={"test": other})
    assert renumbered.key("test", CLEAN, CANDIDATE) != plan.key("test", CLEAN, CANDIDATE)
    shard = Shard(0, 5)
    assert renumbered.ground_truth_key("test", CLEAN, shard) != plan.ground_truth_key("test", CLEAN, shard)


def test_key_does_not_change_with_names_and_places(plan: Plan) -> None:
    moved = replace(CANDIDATE, name="b", weights=Path("elsewhere/b.pt"), source_run_id="run")
    assert plan.key("test", CLEAN, moved) == plan.key("test", CLEAN, CANDIDATE)


def test_clean_images_are_the_same_for_every_suite_seed(plan: Plan) -> None:
    assert plan.key("test", replace(CLEAN, seed=7), CANDIDATE) == plan.key("test", CLEAN, CANDIDATE)
    assert plan.key("test", replace(NIGHT, seed=7), CANDIDATE) != plan.key("test", NIGHT, CANDIDATE)


def test_ground_truth_does_not_depend_on_the_network(plan: Plan) -> None:
    shard = Shard(0, 5)
    key = plan.ground_truth_key("test", NIGHT, shard)
    assert replace(plan, software={**plan.software, "torch": "2"}).ground_truth_key("test", NIGHT, shard) == key
    assert replace(plan, software={**plan.software, "numpy": "2"}).ground_truth_key("test", NIGHT, shard) != key
