from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robust.corruptions.records import Variant
from robust.corruptions.registry import make_variant
from robust.errors import DataError, IntegrityError, RobustError
from robust.eval.engine.cache import CellCache, write_atomically
from robust.eval.engine.cells import Plan
from robust.eval.engine.executors import LocalExecutor
from robust.eval.engine.fill import fill, missing_tasks, read_cell, read_truth
from robust.eval.records import Candidate, GroundTruth

from ..fakes import BrightDetector, small_dataset

CLEAN = Variant("clean", 0)
A, B = (Candidate(name, Path(f"{name}.pt"), name * 64, 320) for name in "ab")


class Bench:
    """A plan with counted detectors."""

    def __init__(
        self, folder: Path, *, candidates: tuple[Candidate, ...] = (A, B), n_images: int = 5, **changes: object
    ) -> None:
        variants = (CLEAN, make_variant("night", 3))
        dataset = small_dataset(folder / "images", n_images)
        self.plan = replace(Plan({"test": dataset}, {"test": variants}, candidates), **changes)
        self.cache = CellCache(folder / "cache")
        self.detectors: dict[str, BrightDetector] = {}
        self.ticks: list[int] = []

    def load(self, candidate: Candidate, *_: object) -> BrightDetector:
        return self.detectors.setdefault(candidate.name, BrightDetector())

    def fill(self) -> object:
        return fill(self.plan, self.cache, LocalExecutor(self.load), self.ticks.append)

    def files(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted(self.cache.root.rglob("*")) if p.is_file()}


def test_every_model_sees_every_image_of_every_variant_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    filled = bench.fill()
    assert (filled.n_cells, filled.n_computed, filled.n_inferences) == (4, 4, 20)
    assert {name: detector.n_images for name, detector in bench.detectors.items()} == {"a": 10, "b": 10}
    assert sum(bench.ticks) == 20


def test_a_second_run_infers_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fill()
    before, bench.detectors = bench.files(), {}
    assert bench.fill().n_inferences == 0
    assert bench.detectors == {} and bench.files() == before


def test_a_lost_cell_is_the_only_one_computed_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fill()
    before, bench.detectors = bench.files(), {}
    (shard,) = bench.plan.shards("test")
    bench.cache.path(bench.plan.shard_key("test", CLEAN, B, shard)).unlink()
    assert bench.fill().n_computed == 1
    assert set(bench.detectors) == {"b"} and bench.files() == before


def test_a_new_candidate_leaves_the_others_alone(tmp_path: Path) -> None:
    Bench(tmp_path, candidates=(A,)).fill()
    bench = Bench(tmp_path)
    assert bench.fill().n_computed == 2
    assert set(bench.detectors) == {"b"}


@pytest.mark.parametrize("shard_images", [1, 2, 7])
def test_shards_do_not_change_the_result(tmp_path: Path, shard_images: int) -> None:
    whole, cut = Bench(tmp_path / "whole", n_images=7), Bench(tmp_path / "cut", n_images=7, shard_images=shard_images)
    whole.fill()
    cut.fill()
    for variant in whole.plan.variants["test"]:
        one = read_cell(whole.plan, whole.cache, "test", variant, A)
        other = read_cell(cut.plan, cut.cache, "test", variant, A)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.image_index, other.image_index)
        assert one.provenance == other.provenance
        assert (
            read_truth(whole.plan, whole.cache, "test", variant).sha256
            == read_truth(cut.plan, cut.cache, "test", variant).sha256
        )


def test_clean_cell_holds_the_data_sets_own_annotations(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fill()
    assert (
        read_truth(bench.plan, bench.cache, "test", CLEAN).sha256
        == GroundTruth.from_dataset(bench.plan.datasets["test"]).sha256
    )


def test_missing_image_is_named_and_finished_cells_stay(tmp_path: Path) -> None:
    bench = Bench(tmp_path, shard_images=2)
    bench.plan.datasets["test"].images[4].path.unlink()
    with pytest.raises(DataError, match="test005"):
        bench.fill()
    assert len(missing_tasks(bench.plan, bench.cache)) == 4  # two of six shards were done before the lost image


def test_damaged_cell_is_removed_so_that_the_next_run_mends_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fill()
    (shard,) = bench.plan.shards("test")
    path = bench.cache.path(bench.plan.shard_key("test", CLEAN, A, shard))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IntegrityError, match="run the same command again"):
        read_cell(bench.plan, bench.cache, "test", CLEAN, A)
    assert bench.fill().n_computed == 1
    assert len(read_cell(bench.plan, bench.cache, "test", CLEAN, A)) == 4


def test_full_disk_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(RobustError, match="No space left"):
        write_atomically(tmp_path / "cells" / "x.parquet", b"content")
    assert list((tmp_path / "cells").iterdir()) == []
