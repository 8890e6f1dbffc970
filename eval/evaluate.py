"""Evaluate candidates: corrupt once, infer once, measure, and log the evidence."""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, product
from pathlib import Path

from robust import __version__
from robust.corruptions.built import read_built
from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.suites import Suite, load_suite
from robust.datasets.check import leakage
from robust.datasets.data_yaml import is_coco
from robust.datasets.load import available_splits, find_source, load_dataset
from robust.datasets.records import Dataset
from robust.errors import DataError, IntegrityError
from robust.eval.candidates import Chosen, Selection, choose
from robust.eval.detectors.judgeable import check_judgeable
from robust.eval.engine.cache import DEFAULT_CACHE, CellCache, write_atomically
from robust.eval.engine.cells import Plan, software
from robust.eval.engine.executors import Executor, LocalExecutor
from robust.eval.engine.fill import Filled, fill, missing_tasks, read_cell, read_truth
from robust.eval.evaluation_run import (
    find_or_start,
    finished_part,
    log_evaluation,
    training_evidence,
    write_cell,
)
from robust.eval.evidence.assemble import data_evidence, suite_evidence
from robust.eval.evidence.candidate import candidate_evidence, measure_cells
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.recorded import recorded_evidence
from robust.eval.evidence.records import (
    CandidateEvidence,
    DataEvidence,
    Evidence,
    NotEvaluated,
    SuiteEvidence,
    TrainingEvidence,
)
from robust.eval.evidence.replicates import Replicates
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.metrics.resampling import Resampling
from robust.eval.recorded import load_recorded, shown_as
from robust.eval.records import Candidate, InferenceSettings, content_key
from robust.eval.tracking import tags
from robust.eval.tracking.ending import ending
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
        trained_on: Corruptions or causes that training images were augmented with.
        built: Folders of variants on disk that stand in for those of the suite; the results are the same.
        recorded: Name -> YOLO data.yaml or COCO JSON of real images of a condition, for a column of their own.
        settings: Inference settings; each candidate brings its own imgsz.
        renamed: Network's class name -> data set's.
        cache_dir: Where finished cells are kept.
        resampling: How the replicates behind the intervals are drawn.
        select_on_variants: Show the split that selects in all variants too, so that a threshold can be chosen for the
            worst of them.
    """

    data: Path
    selection: Selection
    split: str = "test"
    suite: str = "core"
    severities: tuple[int, ...] | None = None
    seed: int = 0
    trained_on: tuple[str, ...] = ()
    built: tuple[Path, ...] = ()
    recorded: dict[str, Path] = field(default_factory=dict)
    settings: InferenceSettings = field(default_factory=InferenceSettings)
    renamed: dict[str, str] = field(default_factory=dict)
    cache_dir: Path = DEFAULT_CACHE
    resampling: Resampling = field(default_factory=Resampling)
    select_on_variants: bool = False


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

    @cached_property
    def sha256(self) -> str:
        """Hash of what candidates must share to be compared; names and sizes are no part of it."""
        settings = {name: value for name, value in self.plan.settings.to_json().items() if name != "imgsz"}
        return content_key(
            {
                "data": self.data.model_dump(mode="json", exclude={"name"}),
                "suite": self.suite.model_dump(mode="json", exclude_defaults=True),  # later fields change no hash
                "inference": settings,
                "class_map": dict(self.plan.renamed),
                "environment": self.environment,
                "resampling": self.request.resampling.model_dump(mode="json"),
                "select_on_variants": self.request.select_on_variants,
            }
        )


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
    suite = load_suite(request.suite, severities=request.severities, seed=request.seed, trained_on=request.trained_on)
    datasets, unread = load_splits(request.data, request.split)
    main = datasets[request.split]
    recorded = load_recorded(request.recorded, request.split, main, datasets)
    built = read_built(request.built, main, suite)
    chosen = choose(request.selection, store, request.cache_dir)
    plan = Plan(
        datasets={s: d for s, d in datasets.items() if s in (request.split, SELECTION_SPLIT)} | recorded,
        variants=_variants(datasets, request, suite) | {name: (Variant(CLEAN, 0),) for name in recorded},
        candidates=chosen.candidates,
        settings=request.settings,
        renamed=request.renamed,
        trust=request.selection.trust,
        built=built,
    )
    cache = CellCache(request.cache_dir)
    chosen = _without_unusable(chosen, plan, cache, request.selection)
    plan = replace(plan, candidates=chosen.candidates)
    data = data_evidence(datasets, _leaks(_pairs(datasets, recorded), request.cache_dir), request.data.stem)
    filled = _fill(plan, cache, executor or LocalExecutor(), on_progress or _silent)
    setting = _Setting(request, plan, cache, data, _suite_evidence(plan, cache, suite, request), environment())
    missing = (*chosen.not_evaluated, *unread)
    parts, run_ids = [], {}
    for candidate, experiment_id in _places(chosen, request.selection, store):
        run_id, part = _measure(candidate, experiment_id, chosen, setting, store)
        run_ids[candidate.name if candidate.name not in run_ids else f"{candidate.name} ({run_id[:8]})"] = run_id
        parts.append(part)
    return Evaluation(assemble_study(parts, missing), run_ids, filled)


def _silent(done: int, total: int) -> None:
    """Nobody wants to know."""
    del done, total


def load_splits(data: Path, split: str) -> tuple[dict[str, Dataset], tuple[NotEvaluated, ...]]:
    """Load the split to judge on, the one to select on, and the others for the leakage check.

    Returns:
        Split -> data set, and the splits that cannot be read: leakage into those is not known.

    Raises:
        DataError: the split to judge on or to select on is missing or wrong, or has other categories.
    """
    datasets = {split: load_dataset(data, split)}
    unread = []
    others = () if is_coco(find_source(data)) else (s for s in available_splits(data) if s != split)
    for name in others:
        try:
            datasets[name] = load_dataset(data, name)
        except DataError as error:
            if name == SELECTION_SPLIT:
                raise
            unread.append(NotEvaluated(name=f"split {name}", run_id=None, reason=error.what))
    first = [category.name for category in datasets[split].categories]
    for name, dataset in datasets.items():
        if [category.name for category in dataset.categories] != first:
            raise DataError(f"Split {name!r} has other categories than {split!r}.")
    return datasets, tuple(unread)


def environment() -> dict[str, str]:
    """Versions that belong to the evidence; nothing that changes from run to run."""
    return {"robust": __version__, "python": platform.python_version(), **software()}


def _variants(datasets: dict[str, Dataset], request: Request, suite: Suite) -> dict[str, tuple[Variant, ...]]:
    clean = Variant(CLEAN, 0)
    variants: dict[str, tuple[Variant, ...]] = {request.split: (clean, *suite.variants)}
    if SELECTION_SPLIT in datasets and request.split != SELECTION_SPLIT:
        variants[SELECTION_SPLIT] = (clean, *(suite.variants if request.select_on_variants else ()))
    return variants


def _without_unusable(chosen: Chosen, plan: Plan, cache: CellCache, selection: Selection) -> Chosen:
    """Leave out weights that cannot be judged on this data, unless the user named them.

    Only weights with unfinished cells are looked at; the others have been judged before.

    Raises:
        DataError: weights that were named miss a category, or are no finite detection network.
    """
    unfinished = {i for task in missing_tasks(plan, cache) for i in task.candidates}
    categories = next(iter(plan.datasets.values())).categories
    reasons: dict[tuple[str, str, int], NotEvaluated] = {}
    for position in sorted(unfinished):
        candidate = plan.candidates[position]
        try:
            check_judgeable(candidate.weights, categories, plan.renamed, trust=plan.trust)
        except DataError as error:
            if selection.baseline if candidate.role == "baseline" else not selection.is_whole_experiment:
                raise
            left_out = NotEvaluated(name=candidate.name, run_id=candidate.source_run_id, reason=error.what)
            reasons[candidate.identity] = left_out
        except IntegrityError as error:  # downloaded weights are named by their hash, which tells nobody whose they are
            raise IntegrityError(f"{candidate.name}: {error.what}", error.why, error.fix) from error
    if not any(c.role == "candidate" and c.identity not in reasons for c in chosen.candidates):
        raise DataError("No candidate can be judged on this data.", next(iter(reasons.values())).reason)
    lost = {(sha256, imgsz) for role, sha256, imgsz in reasons if role == "baseline"}
    kept = [c for c in chosen.candidates if c.identity not in reasons]
    kept = [
        replace(c, baseline=None, baseline_sha256=None) if (c.baseline_sha256, c.imgsz) in lost else c for c in kept
    ]
    return Chosen(tuple(kept), chosen.runs, (*chosen.not_evaluated, *reasons.values()))


def _fill(plan: Plan, cache: CellCache, executor: Executor, on_progress: Progress) -> Filled:
    total = sum(task.inferences for task in missing_tasks(plan, cache))
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    return fill(plan, cache, executor, tick)


_Named = tuple[str, Dataset]


def _pairs(datasets: dict[str, Dataset], recorded: dict[str, Dataset]) -> list[tuple[_Named, _Named]]:
    """What is compared: all splits with each other, and with each recorded set.

    What a recorded set shares with the split that judges is no leakage, but its images are then not all its own.
    """
    return [*combinations(datasets.items(), 2), *product(datasets.items(), recorded.items())]


def _leaks(pairs: list[tuple[_Named, _Named]], cache_dir: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Count shared images; the result is kept, because near-duplicates need every image decoded."""
    found = {}
    for (first, a), (second, b) in pairs:
        key = content_key({"leakage": 1, "splits": sorted([a.fingerprint, b.fingerprint])})
        path = cache_dir / "leakage" / f"{key}.json"
        if not path.is_file():
            write_atomically(path, json.dumps(leakage(a, b)).encode())
        identical, near = json.loads(path.read_text(encoding="utf-8"))
        found[first, second] = (int(identical), int(near))
    return found


def _suite_evidence(plan: Plan, cache: CellCache, suite: Suite, request: Request) -> SuiteEvidence:
    truths = [(variant, read_truth(plan, cache, request.split, variant)) for variant in suite.variants]
    recorded = [
        recorded_evidence(name, plan.datasets[name], read_truth(plan, cache, name, Variant(CLEAN, 0)))
        for name in request.recorded
    ]
    return suite_evidence(suite, truths, recorded)


def _places(chosen: Chosen, selection: Selection, store: Store) -> list[tuple[Candidate, str]]:
    """Each candidate with the id of the experiment to log it in; a baseline goes wherever its candidates are."""
    common = None
    places: list[tuple[Candidate, str]] = []
    for candidate in chosen.candidates:
        run = chosen.runs.get(candidate.source_run_id or "")
        if run is not None:
            places.append((candidate, run.experiment_id))
        elif candidate.role == "candidate":
            common = common or store.create_experiment(selection.experiment or DEFAULT_EXPERIMENT)
            places.append((candidate, common))
        else:
            key = (candidate.weights_sha256, candidate.imgsz)
            theirs = dict.fromkeys(place for other, place in places if (other.baseline_sha256, other.imgsz) == key)
            places += [(candidate, place) for place in theirs]
    return places


def _measure(
    candidate: Candidate, experiment_id: str, chosen: Chosen, setting: _Setting, store: Store
) -> tuple[str, EvidencePart]:
    """Return the evaluation run of one candidate with what it holds, made now or found finished."""
    plan, request = setting.plan, setting.request
    columns = [(place, variant) for place, variants in plan.variants.items() for variant in variants]
    key = content_key(
        {
            "cells": [plan.key(place, variant, candidate) for place, variant in columns],
            "candidate": [candidate.name, *candidate.identity, candidate.baseline, candidate.baseline_sha256],
            "setting": setting.sha256,
        }
    )
    marks = {
        tags.SUITE: setting.suite.name,
        tags.DATASET_SHA256: plan.datasets[request.split].fingerprint,
        tags.SETTING_SHA256: setting.sha256,
    }
    run = find_or_start(store, experiment_id, candidate, key=key, marks=marks)
    store.set_tags(run.run_id, {tags.REQUESTED_AT: str(time.time_ns() // 1_000_000)})
    finished = finished_part(store, run)
    if finished is not None:
        return run.run_id, finished
    with ending(store, run.run_id), tempfile.TemporaryDirectory(prefix="robust-") as temporary:
        folder = Path(temporary)
        source = chosen.runs.get(candidate.source_run_id or "")
        training = training_evidence(store, source) if source else None
        measured, replicates = _measured_part(candidate, training, setting, folder)
        evidence = Evidence(
            experiment=store.experiment_name(experiment_id),
            resampling=request.resampling,
            data=setting.data,
            suite=setting.suite,
            candidates=(measured,),
            not_evaluated=tuple(entry for entry in chosen.not_evaluated if entry.run_id is None),
            environment=setting.environment,
        )
        part = EvidencePart(evidence, replicates)
        finished = finished_part(store, store.run(run.run_id))  # somebody else may have measured it meanwhile
        if finished is not None:
            return run.run_id, finished
        log_evaluation(store, run.run_id, part, folder, _inputs(plan, request))
    return run.run_id, part


def _measured_part(
    candidate: Candidate, training: TrainingEvidence | None, setting: _Setting, folder: Path
) -> tuple[CandidateEvidence, Replicates]:
    """Measure one candidate from its stored cells, and write the cells as artifacts into ``folder``."""
    request = setting.request
    plan = SweepPlan(chosen_on=SELECTION_SPLIT)
    cells, selecting = _cells(candidate, setting, folder), _selecting(candidate, setting)
    measured = measure_cells(cells, selecting, plan, request.resampling)
    size = candidate.weights.stat().st_size
    found = candidate_evidence(candidate, measured, judged_on=request.split, training=training, weights_bytes=size)
    return found, measured.replicates


def _cells(candidate: Candidate, setting: _Setting, folder: Path) -> Iterator[CellResult]:
    """All cells of one candidate, one in memory at a time."""
    for place, variants in setting.plan.variants.items():
        for variant in variants:
            cell = _read(candidate, place, variant, setting)
            write_cell(folder, cell, judged=cell.split == setting.request.split)
            yield cell


def _selecting(candidate: Candidate, setting: _Setting) -> CellResult | None:
    """The clean cell of the split that thresholds are chosen on."""
    if SELECTION_SPLIT not in setting.plan.variants:
        return None
    return _read(candidate, SELECTION_SPLIT, Variant(CLEAN, 0), setting)


def _read(candidate: Candidate, place: str, variant: Variant, setting: _Setting) -> CellResult:
    plan, cache, request = setting.plan, setting.cache, setting.request
    split, name = shown_as(place, variant, request.split, request.recorded)
    return CellResult(
        split=split,
        variant=name,
        key=plan.key(place, variant, candidate),
        truth=read_truth(plan, cache, place, variant),
        predictions=read_cell(plan, cache, place, variant, candidate),
    )


def _inputs(plan: Plan, request: Request) -> list[DatasetInput]:
    return [
        DatasetInput(
            f"{dataset.name}-{dataset.split}",
            dataset.fingerprint,
            str(request.recorded.get(place, request.data)),
            "evaluation",
            {"images": len(dataset), "objects": dataset.n_objects},
        )
        for place, dataset in plan.datasets.items()
    ]
