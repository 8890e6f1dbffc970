"""What every executor promises; call it from the executor's own tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robust.corruptions.records import Variant
from robust.corruptions.registry import make_variant
from robust.errors import DataError
from robust.eval.detectors.checkpoint import file_sha256
from robust.eval.engine.cache import CellCache
from robust.eval.engine.cells import Plan
from robust.eval.engine.executors import Executor, LocalExecutor
from robust.eval.engine.fill import fill, missing_tasks
from robust.eval.records import Candidate
from tests.eval.fakes import save_tiny_weights, small_dataset


def check_executor(executor: Executor, folder: Path) -> None:
    """Fill the same plan with it and with the plain one; then lose an image."""
    weights = save_tiny_weights(folder / "tiny.pt")
    candidate = Candidate("tiny", weights, file_sha256(weights), 64)
    dataset = small_dataset(folder / "images", 6)
    variants = (Variant("clean", 0), make_variant("night", 3), make_variant("occlusion", 3))
    plan = Plan({"test": dataset}, {"test": variants}, (candidate,), shard_images=2)
    caches = CellCache(folder / "expected"), CellCache(folder / "found")
    ticks: list[int] = []
    fill(plan, caches[0], LocalExecutor(), lambda n: None)
    fill(plan, caches[1], executor, ticks.append)
    expected, found = ({p.name: p.read_bytes() for p in c.root.rglob("*.parquet")} for c in caches)
    assert found == expected, "every cell is there, with the same bytes"
    assert sum(ticks) <= 18  # the last ticks of other processes may come too late to be told

    dataset.images[5].path.unlink()
    broken, cache = replace(plan, variants={"test": variants[:2]}), CellCache(folder / "broken")
    with pytest.raises(DataError, match="test006"):
        fill(broken, cache, executor, lambda n: None)
    left = {(task.variant.name, task.shard.start) for task in missing_tasks(broken, cache)}
    assert left >= {("clean", 4), ("night/3", 4)}, "what failed is not called done"
    assert not list(cache.root.rglob(".part-*")), "nothing is half-written"
