"""Evaluate candidates: corrupt once, infer once, measure, and log the evidence."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

from robust import __version__
from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.suites import Suite, load_suite
from robust.datasets.check import leakage
from robust.datasets.load import available_splits, load_dataset
from robust.datasets.records import Dataset
from robust.errors import DataError
from robust.eval.candidates import Chosen, Selection, choose
from robust.eval.detectors.checkpoint import check_weights
from robust.eval.detectors.classes import map_classes
from robust.eval.engine.cache import DEFAULT_CACHE, CellCache, write_atomically
from robust.eval.engine.cells import Plan, software
from robust.eval.engine.executors import Executor, LocalExecutor
from robust.eval.engine.fill import Filled, fill, missing_tasks, read_cell, read_truth
from robust.eval.evaluation_run import find_or_start, log_evaluation, read_evidence, training_evidence
from robust.eval.evidence.assemble import (
    CellResult,
    SweepPlan,
    candidate_evidence,
    data_evidence,
    merge,
    suite_evidence,
)
from robust.eval.evidence.records import DataEvidence, Evidence, NotEvaluated, SuiteEvidence
from robust.eval.records import Candidate, InferenceSettings, content_key
from robust.eval.tracking import tags
from robust.eval.tracking.records import DatasetInput
from robust.eval.tracking.store import Store

DEFAULT_EXPERIMENT = "robust"
SELECTION_SPLIT = "val"

Progress = Callable[[int, int], None]
"""Called with images inferred so far and in total."""


@dataclass(frozen=True)
class Request:
    """What to evaluate, on what, and how.

    Attributes:
        data: YOLO data.yaml or COCO JSON.
        selection: The candidates and baselines.
        split: To judge on; every variant is made of it.
        suite: Name or YAML file.
        severities: Of the suite; None for all.
        seed: Of the suite.
        settings: Inference settings; each candidate brings its own imgsz.
        renamed: Network's class name -> data set's.
        cache_dir: Where finished cells are kept.
    """

    data: Path
    selection: Selection
    split: str = "test"
    suite: str = "core"
    severities: tuple[int, ...] | None = None
    seed: int = 0
    settings: InferenceSettings = field(default_factory=InferenceSettings)
    renamed: dict[str, str] = field(default_factory=dict)
    cache_dir: Path = DEFAULT_CACHE


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    Attributes:
        evidence: Of all candidates and baselines together.
        run_ids: Candidate name -> evaluation run.
        filled: How much had to be computed.
    """

    evidence: Evidence
    run_ids: dict[str, str]
    filled: Filled


@dataclass(frozen=True)
class _Setting:
    """What all candidates of one evaluation share."""

    request: Request
    plan: Plan
    cache: CellCache
    data: DataEvidence
    suite: SuiteEvidence
    environment: dict[str, str]


def evaluate(
    request: Request, store: Store, *, executor: Executor | None = None, on_progress: Progress | None = None
) -> Evaluation:
    """Measure every candidate on the clean splits and on every variant of the suite.

    Work that is already stored is not done again: neither inference nor, for runs that are finished, metrics.

    Args:
        request: What to do.
        store: Where training runs are found and evaluation runs are logged.
        executor: Who infers; this process by default.
        on_progress: Called as images are inferred.
    """
    datasets = load_splits(request.data, request.split)
    suite = load_suite(request.suite, severities=request.severities, seed=request.seed)
    chosen = choose(request.selection, store, request.cache_dir)
    plan = Plan(
        datasets={s: d for s, d in datasets.items() if s in (request.split, SELECTION_SPLIT)},
        variants=_variants(datasets, request.split, suite),
        candidates=chosen.candidates,
        settings=request.settings,
        renamed=request.renamed,
        trust=request.selection.trust,
    )
    cache = CellCache(request.cache_dir)
    chosen = _without_foreign_baselines(chosen, plan, cache)
    plan = replace(plan, candidates=chosen.candidates)
    filled = _fill(plan, cache, executor or LocalExecutor(), on_progress or _silent)
    setting = _Setting(
        request=request,
        plan=plan,
        cache=cache,
        data=data_evidence(datasets, _leaks(datasets, request.cache_dir), request.data.stem),
        suite=_suite_evidence(plan, cache, suite, request.split),
        environment=environment(),
    )
    experiments = _experiments(chosen, request.selection, store)
    parts, run_ids = [], {}
    for candidate in chosen.candidates:
        run_ids[candidate.name], part = _measure(candidate, chosen, setting, store, experiments[candidate.name])
        parts.append(part)
    return Evaluation(merge(parts, chosen.not_evaluated), run_ids, filled)


def _silent(done: int, total: int) -> None:
    """Nobody wants to know."""
    del done, total


def load_splits(data: Path, split: str) -> dict[str, Dataset]:
    """Load the split to judge on and every other split, which are needed for selection and for the leakage check.

    Raises:
        DataError: the split is missing or empty, or the selection split is the one to judge on and the only one.
    """
    names = available_splits(data)
    wanted = [split, *(name for name in names if name != split)] if data.suffix.lower() != ".json" else [split]
    datasets = {name: load_dataset(data, name) for name in wanted}
    first = datasets[split].categories
    for name, dataset in datasets.items():
        if [c.name for c in dataset.categories] != [c.name for c in first]:
            raise DataError(f"Split {name!r} has other categories than {split!r}.")
    return datasets


def environment() -> dict[str, str]:
    """Versions that belong to the evidence; nothing that changes from run to run."""
    return {"robust": __version__, "python": platform.python_version(), **software()}


def _variants(datasets: dict[str, Dataset], split: str, suite: Suite) -> dict[str, tuple[Variant, ...]]:
    clean = Variant(CLEAN, 0)
    variants = {split: (clean, *suite.variants)}
    if SELECTION_SPLIT in datasets and split != SELECTION_SPLIT:
        variants[SELECTION_SPLIT] = (clean,)
    return variants


def _without_foreign_baselines(chosen: Chosen, plan: Plan, cache: CellCache) -> Chosen:
    """Leave out baselines that know no class of the data; a candidate that does not is an error."""
    unfinished = {i for task in missing_tasks(plan, cache) for i in task.candidates}
    foreign: dict[str, str] = {}
    for position in sorted(unfinished):
        candidate = plan.candidates[position]
        if candidate.role == "baseline":
            info = check_weights(candidate.weights, trust=plan.trust)
            try:
                map_classes(info.names, next(iter(plan.datasets.values())).categories, plan.renamed)
            except DataError as error:
                foreign[candidate.name] = error.what
    kept = [c for c in chosen.candidates if c.name not in foreign]
    return Chosen(
        tuple(replace(c, baseline=None) if c.baseline in foreign else c for c in kept),
        chosen.runs,
        (*chosen.not_evaluated, *(NotEvaluated(name=name, run_id=None, reason=why) for name, why in foreign.items())),
    )


def _fill(plan: Plan, cache: CellCache, executor: Executor, on_progress: Progress) -> Filled:
    total = sum(task.inferences for task in missing_tasks(plan, cache))
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    return fill(plan, cache, executor, tick)


def _leaks(datasets: dict[str, Dataset], cache_dir: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Compare every pair of splits; the result is kept, because near-duplicates need every image decoded."""
    found = {}
    for a, b in combinations(datasets.values(), 2):
        key = content_key({"leakage": 1, "splits": sorted([a.fingerprint, b.fingerprint])})
        path = cache_dir / "leakage" / f"{key}.json"
        if not path.is_file():
            write_atomically(path, json.dumps(leakage(a, b)).encode())
        identical, near = json.loads(path.read_text(encoding="utf-8"))
        found[a.split, b.split] = (int(identical), int(near))
    return found


def _suite_evidence(plan: Plan, cache: CellCache, suite: Suite, split: str) -> SuiteEvidence:
    truths = [(variant, read_truth(plan, cache, split, variant)) for variant in suite.variants]
    return suite_evidence(suite.name, suite.seed, truths)


def _experiments(chosen: Chosen, selection: Selection, store: Store) -> dict[str, str]:
    """The experiment id of each candidate: its training run's; for files and baselines the common one."""
    ids = [run.experiment_id for run in chosen.runs.values()]
    common = ids[0] if ids else store.create_experiment(selection.experiment or DEFAULT_EXPERIMENT)
    return {
        candidate.name: chosen.runs[candidate.source_run_id].experiment_id if candidate.source_run_id else common
        for candidate in chosen.candidates
    }


def _measure(
    candidate: Candidate, chosen: Chosen, setting: _Setting, store: Store, experiment_id: str
) -> tuple[str, Evidence]:
    """Return the evaluation run of one candidate with its evidence, made now or found finished."""
    plan, request = setting.plan, setting.request
    columns = [(split, variant) for split, variants in plan.variants.items() for variant in variants]
    key = content_key(
        {
            "cells": [plan.key(split, variant, candidate) for split, variant in columns],
            "candidate": [candidate.name, candidate.role, candidate.baseline, candidate.source_run_id],
            "data": setting.data.model_dump(mode="json"),
            "suite": setting.suite.model_dump(mode="json"),
            "environment": setting.environment,
        }
    )
    marks = {tags.SUITE: setting.suite.name, tags.DATASET_SHA256: plan.datasets[request.split].fingerprint}
    run = find_or_start(store, experiment_id, candidate, key=key, marks=marks)
    if run.status == "FINISHED":
        return run.run_id, read_evidence(store, run)
    cells = [
        CellResult(
            split=split,
            variant=variant,
            key=plan.key(split, variant, candidate),
            truth=read_truth(plan, setting.cache, split, variant),
            predictions=read_cell(plan, setting.cache, split, variant, candidate),
        )
        for split, variant in columns
    ]
    source = chosen.runs.get(candidate.source_run_id or "")
    measured = candidate_evidence(
        candidate,
        cells,
        judged_on=request.split,
        plan=SweepPlan(chosen_on=SELECTION_SPLIT),
        training=training_evidence(store, source) if source else None,
        weights_bytes=candidate.weights.stat().st_size,
    )
    evidence = Evidence(
        experiment=store.experiment_name(experiment_id),
        data=setting.data,
        suite=setting.suite,
        candidates=(measured,),
        environment=setting.environment,
    )
    log_evaluation(store, run.run_id, evidence, cells, [_input(d, request) for d in plan.datasets.values()])
    return run.run_id, evidence


def _input(dataset: Dataset, request: Request) -> DatasetInput:
    profile = {"images": len(dataset), "objects": dataset.n_objects}
    name = f"{dataset.name}-{dataset.split}"
    return DatasetInput(name, dataset.fingerprint, str(request.data), "evaluation", profile)
