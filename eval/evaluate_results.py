"""Evaluate detections that came as files: measured and logged like those of our own inference, without any model.

Images are neither opened nor looked for, but for two reasons: YOLO labels cannot be read without the sizes of their
images, and the labels of a built variant are checked against the images that it was built of.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from robust.corruptions.built import BuiltSet, read_built
from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.registry import get
from robust.corruptions.suites import Suite, load_suite
from robust.datasets.load import find_source, load_dataset, numbers_images
from robust.datasets.records import Dataset
from robust.errors import DataError, UsageError
from robust.eval.coco_results import SOURCE, Results, read_results
from robust.eval.engine.fill import Filled
from robust.eval.evaluate import DEFAULT_EXPERIMENT, Evaluation, environment
from robust.eval.evaluation_run import find_or_start, finished_part, log_evaluation, write_cell
from robust.eval.evidence.assemble import data_evidence, suite_evidence
from robust.eval.evidence.candidate import candidate_evidence, measure_cells
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import Evidence, NotEvaluated
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.records import Candidate, Configuration, GroundTruth, Role, content_key
from robust.eval.result_files import SELECTION_SPLIT, ResultFiles, ResultsRequest, shown_suite
from robust.eval.tracking import tags
from robust.eval.tracking.ending import ending
from robust.eval.tracking.records import DatasetInput
from robust.eval.tracking.store import Store

SCHEMA = 1
KEEPING = frozenset({"blur", "coding", "digital", "exposure", "focus", "light", "motion", "noise", "sensor", "weather"})
"""Causes whose corruptions add, hide and move no object, so that the labels of the clean images hold. Of a cause that
is not here, labels are taken from a built set only."""

Place = tuple[str, str]
"""Split and variant: ``("test", "night/3")``."""
Progress = Callable[[int, int], None]
"""Called with cells measured so far and in total."""


@dataclass(frozen=True)
class ResultsEvaluation:
    """What came out.

    Attributes:
        evaluation: As of our own inference.
        notes: What is peculiar about the files, one sentence or two each.
    """

    evaluation: Evaluation
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Read:
    """One detector with its files read: its clean cells first, the split that judges before the one that selects."""

    candidate: Candidate
    results: Mapping[Place, Results]

    @property
    def inference(self) -> dict[str, float | int | str | bool | None]:
        """Where the detections came from, flat, for the evidence and the run's parameters."""
        found: dict[str, float | int | str | bool | None] = {"source": SOURCE}
        for (split, variant), one in self.results.items():
            place = f"{split} {variant}"
            found[f"file of {place}"] = one.file.name
            found[f"sha256 of {place}"] = one.sha256
            found[f"lowest score of {place}"] = one.lowest_score
            if one.left_out:
                found[f"detections of other categories in {place}"] = sum(one.left_out.values())
        return found


@dataclass(frozen=True, eq=False)
class _Study:
    """What all detectors share."""

    request: ResultsRequest
    datasets: Mapping[str, Dataset]
    suite: Suite
    truths: Mapping[Place, GroundTruth]
    evidence: Evidence
    store: Store
    experiment_id: str

    @property
    def setting_sha256(self) -> str:
        """Hash of what detectors must share to be compared."""
        shared = self.evidence
        return content_key(
            {
                "data": shared.data.model_dump(mode="json", exclude={"name"}),
                "suite": shared.suite.model_dump(mode="json", exclude_defaults=True),
                "source": SOURCE,
                "environment": shared.environment,
                "resampling": self.request.resampling.model_dump(mode="json"),
            }
        )

    def key(self, place: Place, results: Results) -> str:
        """Address of one cell."""
        dataset = self.datasets[place[0]]
        return content_key(
            {
                "schema": SCHEMA,
                "source": SOURCE,
                "results_sha256": results.sha256,
                "dataset_sha256": dataset.fingerprint,
                "numbering": dataset.numbering,
                "recipe": self.variant(place).recipe(),
                "ground_truth_sha256": self.truths[place].sha256,
            }
        )

    def variant(self, place: Place) -> Variant:
        """The recipe of a variant."""
        clean = Variant(CLEAN, 0)
        return next((v for v in self.suite.variants if v.name == place[1]), clean)


def evaluate_results(
    request: ResultsRequest, store: Store, *, on_progress: Progress | None = None
) -> ResultsEvaluation:
    """Measure detections from files on clean splits and on those variants of the suite that there are files of.

    Args:
        request: What to do.
        store: Where evaluation runs are logged.
        on_progress: Called as cells are measured.

    Raises:
        UsageError: files are missing or name a split or variant that there is not, or a variant's labels are not known.
        DataError: a file or the data is wrong.
        IntegrityError: a built set is not what it was.
    """
    suite = shown_suite(request)
    datasets = _datasets(request)
    truths = _truths(request, suite, datasets)
    readers = _read_all(request, datasets, list(truths))
    experiment_id = store.create_experiment(request.experiment or DEFAULT_EXPERIMENT)
    study = _Study(
        request,
        datasets,
        suite,
        truths,
        Evidence(
            experiment=store.experiment_name(experiment_id),
            resampling=request.resampling,
            data=data_evidence(datasets, {}, request.data.stem),
            suite=suite_evidence(suite, [(v, truths[request.split, v.name]) for v in suite.variants]),
            candidates=(),
            environment=environment(),
        ),
        store,
        experiment_id,
    )
    total = sum(len(one.results) for one in readers)
    parts, run_ids, done = [], {}, 0
    for one in readers:
        run_id, part = _measure(one, study)
        run_ids[one.candidate.name] = run_id
        parts.append(part)
        done += len(one.results)
        if on_progress is not None:
            on_progress(done, total)
    notes = [f"{r.file.name}: {note}" for one in readers for r in one.results.values() for note in r.notes]
    filled = Filled(n_cells=total, n_computed=0, n_inferences=0, n_read=0, n_made=0)
    return ResultsEvaluation(Evaluation(assemble_study(parts), run_ids, filled), tuple(dict.fromkeys(notes)))


def _datasets(request: ResultsRequest) -> dict[str, Dataset]:
    """The split that judges, and the one that selects where there are detections on it."""
    find_source(request.data)
    splits = [request.split, *(s for s in (SELECTION_SPLIT,) if s in request.candidates[0].splits)]
    found = {
        split: load_dataset(request.data, split, labels_only=not (request.built and split == request.split))
        for split in dict.fromkeys(splits)
    }
    first = [category.name for category in found[request.split].categories]
    for split, dataset in found.items():
        if [category.name for category in dataset.categories] != first:
            raise DataError(f"Split {split!r} has other categories than {request.split!r}.")
        if split != request.split and dataset.fingerprint == found[request.split].fingerprint:
            raise UsageError(
                f"Splits {split!r} and {request.split!r} have the same images and labels.",
                "A threshold that is chosen on the images that judge looks better than it is.",
                f"Leave out the detections on {split!r}, or give it images of its own.",
            )
    return found


def _truths(request: ResultsRequest, suite: Suite, datasets: Mapping[str, Dataset]) -> dict[Place, GroundTruth]:
    """Ground truth of every cell.

    Raises:
        UsageError: a variant has labels of its own, and no built set gives them.
    """
    main = datasets[request.split]
    whole = load_suite(request.suite, severities=request.severities, seed=request.seed)
    built = read_built(request.built, main, whole)
    truths = {(split, CLEAN): GroundTruth.from_dataset(dataset) for split, dataset in datasets.items()}
    for variant in suite.variants:
        truths[request.split, variant.name] = _truth(variant, main, built)
    return truths


def _truth(variant: Variant, main: Dataset, built: Mapping[str, BuiltSet]) -> GroundTruth:
    own = built.get(variant.sha256)
    if own is not None:
        return GroundTruth.from_dataset(replace(main, annotations=own.annotations))
    if keeps_labels(variant):
        return GroundTruth.from_dataset(main)
    raise UsageError(
        f"Detections on {variant.name} cannot be measured with the labels of the clean images.",
        f"{variant.corruption} adds, hides or moves objects, so its images have labels of their own.",
        "Give the folder that the images are from, made by `robust variants build`, too: --variant DIR.",
    )


def keeps_labels(variant: Variant) -> bool:
    """Whether the labels of the clean images hold for a variant: no object is added, hidden or moved."""
    corruption = get(variant.corruption)
    return corruption.cause in KEEPING and not corruption.moves_objects


def _read_all(request: ResultsRequest, datasets: Mapping[str, Dataset], places: Iterable[Place]) -> list[_Read]:
    """Read every file before anything is logged.

    Raises:
        UsageError: two detectors have the same detections.
    """
    order = list(places)
    own = {split: numbers_images(request.data, split) for split in datasets}

    def read(files: ResultFiles, role: Role) -> _Read:
        given = {(split, CLEAN): path for split, path in files.splits.items()}
        given |= {(request.split, name): path for name, path in files.variants.items()}
        results = {
            place: read_results(given[place], datasets[place[0]], ids_are_own=own[place[0]])
            for place in order
            if place in given
        }
        return _Read(_candidate(files, role, results), results)

    baseline = read(request.baseline, "baseline") if request.baseline else None
    candidates = [read(files, "candidate") for files in request.candidates]
    everybody = [*candidates, *([baseline] if baseline else [])]
    seen: dict[str, str] = {}
    for one in everybody:
        same = seen.setdefault(one.candidate.weights_sha256, one.candidate.name)
        if same != one.candidate.name:
            raise UsageError(
                f"{same} and {one.candidate.name} have the same detections.",
                "Their files are equal to the last byte.",
                "Leave one of them out, or give the file that was meant.",
            )
    if baseline is None:
        return candidates
    name, sha256 = baseline.candidate.name, baseline.candidate.weights_sha256
    return [
        *(replace(c, candidate=replace(c.candidate, baseline=name, baseline_sha256=sha256)) for c in candidates),
        baseline,
    ]


def _candidate(files: ResultFiles, role: Role, results: Mapping[Place, Results]) -> Candidate:
    """A candidate without weights: the hash of its files stands for them, and it has no image size."""
    hashes = {" ".join(place): one.sha256 for place, one in results.items()}
    first = next(iter(results.values()))
    sha256 = first.sha256 if len(results) == 1 else content_key(hashes)
    return Candidate(files.name, first.file, sha256, 0, role=role, configuration=Configuration(model=files.name))


def _measure(one: _Read, study: _Study) -> tuple[str, EvidencePart]:
    """Return the evaluation run of one detector with what it holds, made now or found finished."""
    store, candidate = study.store, one.candidate
    key = content_key(
        {
            "cells": [study.key(place, results) for place, results in one.results.items()],
            "candidate": [candidate.name, *candidate.identity, candidate.baseline, candidate.baseline_sha256],
            "files": one.inference,
            "setting": study.setting_sha256,
        }
    )
    marks = {
        tags.SUITE: study.suite.name,
        tags.DATASET_SHA256: study.datasets[study.request.split].fingerprint,
        tags.SETTING_SHA256: study.setting_sha256,
    }
    run = find_or_start(store, study.experiment_id, candidate, key=key, marks=marks)
    store.set_tags(run.run_id, {tags.REQUESTED_AT: str(time.time_ns() // 1_000_000)})
    finished = finished_part(store, run)
    if finished is not None:
        return run.run_id, finished
    with ending(store, run.run_id), tempfile.TemporaryDirectory(prefix="robust-") as temporary:
        folder = Path(temporary)
        part = _measured_part(one, study, folder)
        log_evaluation(store, run.run_id, part, folder, _inputs(study))
    return run.run_id, part


def _measured_part(one: _Read, study: _Study, folder: Path) -> EvidencePart:
    """Measure one detector, and write its cells as artifacts into ``folder``."""
    judged = study.request.split
    cells = [
        CellResult(
            split=place[0],
            variant=study.variant(place),
            key=study.key(place, results),
            truth=study.truths[place],
            predictions=replace(
                results.predictions, provenance={**results.predictions.provenance, "inference": one.inference}
            ),
        )
        for place, results in one.results.items()
    ]
    for cell in cells:
        write_cell(folder, cell, judged=cell.split == judged)
    selecting = next((c for c in cells if (c.split, c.variant.corruption) == (SELECTION_SPLIT, CLEAN)), None)
    measured = measure_cells(cells, selecting, SweepPlan(chosen_on=SELECTION_SPLIT), study.request.resampling)
    found = candidate_evidence(one.candidate, measured, judged_on=judged, training=None, weights_bytes=None)
    own = study.evidence.model_copy(update={"candidates": (found,), "not_evaluated": _cut_off(one)})
    return EvidencePart(own, measured.replicates)


def _cut_off(one: _Read) -> tuple[NotEvaluated, ...]:
    """What a file with high scores only leaves open: a reader of AP must know."""
    return tuple(
        NotEvaluated(
            name=f"scores of {one.candidate.name} below {results.lowest_score:.3g} on {split} {variant}",
            run_id=None,
            reason=f"{results.file.name} holds no such detections, so AP is understated",
        )
        for (split, variant), results in one.results.items()
        if results.lowest_score is not None and results.is_cut_off
    )


def _inputs(study: _Study) -> list[DatasetInput]:
    return [
        DatasetInput(
            f"{dataset.name}-{split}",
            dataset.fingerprint,
            str(study.request.data),
            "evaluation",
            {"images": len(dataset), "objects": dataset.n_objects},
        )
        for split, dataset in study.datasets.items()
    ]
