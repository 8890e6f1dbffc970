"""From stored cells to measured candidates, several at a time; neither a store nor a model is needed for it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from robust.corruptions.records import CLEAN, Variant
from robust.eval.candidates import Selection
from robust.eval.engine.cache import DEFAULT_CACHE, CellCache
from robust.eval.engine.cells import Plan
from robust.eval.engine.fill import read_cell, read_truth
from robust.eval.evaluation_run import write_cell
from robust.eval.evidence.candidate import candidate_evidence, measure_cells
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import CandidateEvidence, DataEvidence, SuiteEvidence, TrainingEvidence
from robust.eval.evidence.replicates import Replicates
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.metrics.resampling import Resampling
from robust.eval.recorded import shown_as
from robust.eval.records import Candidate, InferenceSettings, content_key
from robust.eval.result_files import SELECTION_SPLIT

WORTH_A_PROCESS = 4
"""Candidates from which on several processes finish earlier, although each takes seconds to start."""


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
class Setting:
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


@dataclass(frozen=True)
class Job:
    """One candidate to measure.

    Attributes:
        candidate: Who.
        training: What its training run logged; None for bare weights.
        folder: Where its cells are written as artifacts.
    """

    candidate: Candidate
    training: TrainingEvidence | None
    folder: Path


def measure_all(
    jobs: Sequence[Job], setting: Setting, n_workers: int
) -> Iterator[tuple[CandidateEvidence, Replicates]]:
    """Measure candidates from their stored cells, in the order of the jobs.

    The result does not depend on the number of processes.
    """
    n_workers = min(n_workers, len(jobs))
    if n_workers < 2 or len(jobs) < WORTH_A_PROCESS:
        yield from (measure_one(job, setting) for job in jobs)
        return
    pool = ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn"), _start_worker)
    try:
        yield from pool.map(partial(measure_one, setting=setting), jobs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means


def measure_one(job: Job, setting: Setting) -> tuple[CandidateEvidence, Replicates]:
    """Measure one candidate, and write its cells as artifacts."""
    candidate, request = job.candidate, setting.request
    measured = measure_cells(
        _cells(job, setting), _selecting(candidate, setting), SweepPlan(chosen_on=SELECTION_SPLIT), request.resampling
    )
    size = candidate.weights.stat().st_size
    found = candidate_evidence(candidate, measured, judged_on=request.split, training=job.training, weights_bytes=size)
    return found, measured.replicates


def _cells(job: Job, setting: Setting) -> Iterator[CellResult]:
    """All cells of one candidate, one in memory at a time."""
    for place, variants in setting.plan.variants.items():
        for variant in variants:
            cell = _read(job.candidate, place, variant, setting)
            write_cell(job.folder, cell, judged=cell.split == setting.request.split)
            yield cell


def _selecting(candidate: Candidate, setting: Setting) -> CellResult | None:
    """The clean cell of the split that thresholds are chosen on."""
    if SELECTION_SPLIT not in setting.plan.variants:
        return None
    return _read(candidate, SELECTION_SPLIT, Variant(CLEAN, 0), setting)


def _read(candidate: Candidate, place: str, variant: Variant, setting: Setting) -> CellResult:
    plan, cache, request = setting.plan, setting.cache, setting.request
    split, name = shown_as(place, variant, request.split, request.recorded)
    return CellResult(
        split=split,
        variant=name,
        key=plan.key(place, variant, candidate),
        truth=read_truth(plan, cache, place, variant),
        predictions=read_cell(plan, cache, place, variant, candidate),
    )
