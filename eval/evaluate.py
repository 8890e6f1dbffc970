"""Evaluate candidates: corrupt once, infer once, measure, and log the evidence."""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
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
from robust.eval.engine.cache import CellCache, write_atomically
from robust.eval.engine.cells import Plan, software
from robust.eval.engine.executors import Executor, LocalExecutor
from robust.eval.engine.fill import Filled, fill, missing_tasks, read_truth
from robust.eval.evaluation_run import (
    find_or_start,
    finished_part,
    log_evaluation,
    training_evidence,
)
from robust.eval.evidence.assemble import data_evidence, suite_evidence
from robust.eval.evidence.recorded import recorded_evidence
from robust.eval.evidence.records import (
    Evidence,
    NotEvaluated,
    SuiteEvidence,
)
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.measuring import Job, Request, Setting, measure_all
from robust.eval.recorded import load_recorded
from robust.eval.records import Candidate, content_key
from robust.eval.result_files import SELECTION_SPLIT
from robust.eval.tracking import tags
from robust.eval.tracking.ending import ending
from robust.eval.tracking.records import DatasetInput, RunInfo
from robust.eval.tracking.store import Store

DEFAULT_EXPERIMENT = "robust"

Progress = Callable[[int, int], None]
"""Called with images inferred so far and in total."""


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


def _silent(done: int, total: int) -> None:
    """Nobody wants to know."""
    del done, total


def evaluate(
    request: Request,
    store: Store,
    *,
    executor: Executor | None = None,
    on_progress: Progress = _silent,
    on_measured: Progress = _silent,
) -> Evaluation:
    """Measure every candidate on the clean splits and on every variant of the suite.

    Work that is already stored is not done again: neither inference nor, for runs that are finished, metrics.

    Args:
        request: What to do.
        store: Where training runs are found and evaluation runs are logged.
        executor: Who infers and measures; this process by default.
        on_progress: Called as images are inferred.
        on_measured: Called as candidates are measured.
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
    filled = _fill(plan, cache, executor or LocalExecutor(), on_progress)
    setting = Setting(request, plan, cache, data, _suite_evidence(plan, cache, suite, request), environment())
    missing = (*chosen.not_evaluated, *unread)
    parts, run_ids = [], {}
    places = _places(chosen, request.selection, store)
    n_workers = executor.n_workers if executor else 1
    for done, (candidate, run_id, part) in enumerate(_measure(places, chosen, setting, store, n_workers), start=1):
        on_measured(done, len(places))
        run_ids[candidate.name if candidate.name not in run_ids else f"{candidate.name} ({run_id[:8]})"] = run_id
        parts.append(part)
    return Evaluation(assemble_study(parts, missing), run_ids, filled)


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


def _run_of(
    candidate: Candidate, experiment_id: str, setting: Setting, store: Store
) -> tuple[RunInfo, EvidencePart | None]:
    """The evaluation run of one candidate, and what it holds if it is finished."""
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
    return run, finished_part(store, run)


def _measure(
    places: Sequence[tuple[Candidate, str]], chosen: Chosen, setting: Setting, store: Store, n_workers: int
) -> Iterator[tuple[Candidate, str, EvidencePart]]:
    """Each candidate with its evaluation run and what it holds, made now or found finished."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="robust-")))
        found: list[tuple[RunInfo, EvidencePart | None]] = []
        jobs: list[Job] = []
        for place, (candidate, experiment_id) in enumerate(places):
            run, finished = _run_of(candidate, experiment_id, setting, store)
            found.append((run, finished))
            if finished is None:
                stack.enter_context(ending(store, run.run_id))
                source = chosen.runs.get(candidate.source_run_id or "")
                training = training_evidence(store, source) if source else None
                jobs.append(Job(candidate, training, folder / str(place)))
        results = zip(jobs, measure_all(jobs, setting, n_workers), strict=True)
        for (candidate, experiment_id), (run, finished) in zip(places, found, strict=True):
            if finished is not None:
                yield candidate, run.run_id, finished
                continue
            job, (measured, replicates) = next(results)
            evidence = Evidence(
                experiment=store.experiment_name(experiment_id),
                resampling=setting.request.resampling,
                data=setting.data,
                suite=setting.suite,
                candidates=(measured,),
                not_evaluated=tuple(entry for entry in chosen.not_evaluated if entry.run_id is None),
                environment=setting.environment,
            )
            part = finished_part(store, store.run(run.run_id))  # somebody else may have measured it meanwhile
            if part is None:
                part = EvidencePart(evidence, replicates)
                log_evaluation(store, run.run_id, part, job.folder, _inputs(setting.plan, setting.request))
            yield candidate, run.run_id, part


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
