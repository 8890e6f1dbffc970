"""Fill the cells that are missing, and read all of them back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robust.corruptions.records import CLEAN, Variant
from robust.eval.engine.cache import CellCache
from robust.eval.engine.cells import Plan, Task
from robust.eval.engine.executors import Done, Executor
from robust.eval.records import Candidate, GroundTruth, Predictions


@dataclass(frozen=True)
class Filled:
    """What it took to have every cell.

    Attributes:
        n_cells: Cells of the plan (candidate x variant x shard).
        n_computed: Those that were missing.
        n_inferences: Forward passes of single images that were done.
        n_read: Variants whose images were read from a built set, wholly or for the missing shards.
        n_made: Variants whose images were corrupted now, likewise.
    """

    n_cells: int
    n_computed: int
    n_inferences: int
    n_read: int
    n_made: int


def missing_tasks(plan: Plan, cache: CellCache) -> tuple[Task, ...]:
    """Return the work that is left: one task for each shard of a variant that lacks ground truth or a prediction."""
    tasks = []
    for split, variant in _columns(plan):
        for shard in plan.shards(split):
            keys = {plan.shard_key(split, variant, c, shard): i for i, c in enumerate(plan.candidates)}
            lacking = tuple(position for key, position in keys.items() if not cache.has(key))
            if lacking or not cache.has(plan.ground_truth_key(split, variant, shard)):
                tasks.append(Task(split, variant, shard, lacking))
    return tuple(tasks)


def fill(plan: Plan, cache: CellCache, executor: Executor, done: Done) -> Filled:
    """Compute every missing cell.

    Args:
        plan: What is evaluated.
        cache: Where cells are and go.
        executor: Who computes.
        done: Called with numbers of finished inferences, as they finish.
    """
    tasks = missing_tasks(plan, cache)
    if tasks:
        executor.run(plan, cache, tasks, done)
    variants = {task.variant.sha256 for task in tasks if task.variant.corruption != CLEAN}
    n_cells = len(plan.candidates) * sum(len(plan.shards(split)) for split, _ in _columns(plan))
    return Filled(
        n_cells=n_cells,
        n_computed=sum(len(task.candidates) for task in tasks),
        n_inferences=sum(len(task.candidates) * len(task.shard) for task in tasks),
        n_read=len(variants & plan.built.keys()),
        n_made=len(variants - plan.built.keys()),
    )


def read_truth(plan: Plan, cache: CellCache, split: str, variant: Variant) -> GroundTruth:
    """Read the ground truth of a whole variant."""
    keys = [plan.ground_truth_key(split, variant, shard) for shard in plan.shards(split)]
    return GroundTruth.join([cache.read_ground_truth(key) for key in keys])


def read_cell(plan: Plan, cache: CellCache, split: str, variant: Variant, candidate: Candidate) -> Predictions:
    """Read the predictions of a whole cell."""
    keys = [plan.shard_key(split, variant, candidate, shard) for shard in plan.shards(split)]
    return Predictions.join([cache.read_predictions(key) for key in keys])


def _columns(plan: Plan) -> Iterator[tuple[str, Variant]]:
    for split, variants in plan.variants.items():
        for variant in variants:
            yield split, variant
