"""Train a grid of candidates: one run each, none twice, failures noted, seeds checked."""

from __future__ import annotations

import itertools
import shutil
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from robust import __version__
from robust.datasets.data_yaml import is_coco
from robust.datasets.load import find_source, load_dataset
from robust.datasets.records import Dataset
from robust.errors import DataError, IntegrityError, UsageError
from robust.eval.detectors.checkpoint import CheckpointInfo, check_weights, file_sha256
from robust.eval.detectors.environment import available_cores, chosen_threads
from robust.eval.tracking import tags
from robust.eval.tracking.ending import ending
from robust.eval.tracking.records import DatasetInput, RunInfo
from robust.eval.tracking.store import Store
from robust.eval.tracking.weights import BASE_FOLDER
from robust.eval.training.fit import FitRequest
from robust.eval.training.plan import Grid, TrainJob, plan_grid
from robust.eval.training.workers import fit_here, fit_in_processes

COPIED_BASE_BYTES = 20 * 2**20
"""Starting weights up to this size are stored with every run, so that the baseline can always be evaluated."""

Progress = Callable[[int, int], None]
"""Called with epochs trained so far and in total; those of finished candidates count as trained."""


@dataclass(frozen=True)
class Trained:
    """One candidate of the grid.

    Attributes:
        name: Run name.
        run_id: MLflow run.
        status: FINISHED, FAILED or KILLED.
        reused: It had been trained before and was not trained again.
        reason: Why it did not finish.
        seconds: Training time; 0 for reused ones.
        tensors_sha256: Of the weights' tensors.
        metrics: Of the best weights on val, by Ultralytics' names.
    """

    name: str
    run_id: str
    status: str
    reused: bool
    reason: str
    seconds: float
    tensors_sha256: str | None
    metrics: dict[str, float]


@dataclass(frozen=True)
class GridResult:
    """What a grid gave.

    Attributes:
        experiment: MLflow experiment.
        candidates: In the order of the plan; those that were not begun before an interruption are missing.
        warnings: What should make people suspicious, one sentence each.
        interrupted: Somebody stopped it; running it again goes on where it stopped.
    """

    experiment: str
    candidates: tuple[Trained, ...]
    warnings: tuple[str, ...]
    interrupted: bool

    @property
    def failed(self) -> tuple[Trained, ...]:
        """Candidates whose training failed."""
        return tuple(candidate for candidate in self.candidates if candidate.status == "FAILED")


@dataclass(frozen=True)
class _Study:
    """What all trainings of a grid share."""

    grid: Grid
    experiment: str
    experiment_id: str
    train: Dataset
    val: Dataset
    base: CheckpointInfo
    trust: bool
    work: Path

    def key(self, job: TrainJob) -> str:
        return job.key(self.train.fingerprint, self.val.fingerprint, self.base.sha256)


def train_grid(
    grid: Grid,
    store: Store,
    experiment: str,
    *,
    jobs: int = 1,
    trust: bool = False,
    on_progress: Progress | None = None,
) -> GridResult:
    """Train every candidate of a grid that is not trained yet, and log each as a run.

    A candidate that fails is logged as FAILED with its reason, and the others go on. An interruption (Ctrl-C) ends the
    running ones as KILLED.

    Args:
        grid: What to train.
        store: Where runs are logged.
        experiment: Name; made if need be.
        jobs: Trainings at the same time, each in a process of its own when there is more than one.
        trust: Load starting weights that hold code.
        on_progress: Called after each epoch, or with several jobs after each candidate.

    Raises:
        UsageError: a value of the grid cannot be used.
        DataError: train or val is missing or wrong.
        IntegrityError: the starting weights hold code.
        StoreError: the store cannot be used.
    """
    plan = plan_grid(grid)
    if jobs < 1:
        raise UsageError(f"--jobs {jobs} is too small.", fix="Give at least 1.")
    base = check_weights(grid.model, trust=trust)
    if base.task not in (None, "detect"):
        raise DataError(
            f"{grid.model.name} is a network for {base.task!r}, not for detection.", fix="Give detection weights."
        )
    train, val = _load(grid.data, "train"), _load(grid.data, "val")
    experiment_id = store.create_experiment(experiment)
    with tempfile.TemporaryDirectory(prefix="robust-train-", ignore_cleanup_errors=True) as work:
        _copy_base(base, Path(work))
        study = _Study(grid, experiment, experiment_id, train, val, base, trust, Path(work))
        with _terminable():
            ended, interrupted = _run_all(plan, study, store, jobs, on_progress)
    candidates = tuple(ended[job] for job in plan if job in ended)
    warnings = (*_check_splits(train, val), *_check_seeds(ended, store))
    return GridResult(experiment, candidates, warnings, interrupted)


def _copy_base(base: CheckpointInfo, work: Path) -> None:
    """Copy the starting weights, so that a file replaced during a long grid changes neither trainings nor records."""
    for copy in (
        work / "base.pt",
        work / BASE_FOLDER / base.path.name,
    ):  # the former has a name Ultralytics leaves alone
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(base.path, copy)
        if file_sha256(copy) != base.sha256:
            raise IntegrityError(f"{base.path} changed while it was read.", fix="Wait for its writer, and run again.")


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM (a scheduler's or container's stop) end the running candidates as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _load(data: Path, split: str) -> Dataset:
    if is_coco(find_source(data)):
        raise DataError(
            f"{data} holds one split, but training needs train and val.",
            fix="Name a data.yaml with the lines `train: TRAIN.json` and `val: VAL.json`.",
        )
    return load_dataset(data, split)


def _run_all(
    plan: Sequence[TrainJob], study: _Study, store: Store, jobs: int, on_progress: Progress | None
) -> tuple[dict[TrainJob, Trained], bool]:
    """Train what is not trained; return how each job ended, and whether somebody interrupted."""
    known = {job: run for job in plan if (run := _finished(store, study, job)) is not None}
    ended = {job: _reused(run) for job, run in known.items()}
    waiting = deque(job for job in plan if job not in ended)
    total = sum(job.epochs for job in plan)
    counter = itertools.count(sum(job.epochs for job in ended) + 1)

    def on_epoch() -> None:
        if on_progress is not None:
            on_progress(min(next(counter), total), total)

    def start(job: TrainJob) -> FitRequest:
        return _request(job, study, store, chosen_threads() if alone else max(1, available_cores() // jobs))

    alone = jobs == 1 or len(waiting) < 2
    results = fit_here(waiting, start, on_epoch) if alone else fit_in_processes(waiting, start, jobs, store, on_epoch)
    interrupted = False
    for job, result in results:
        ended[job] = Trained(
            job.name,
            result.run_id,
            result.status,
            False,
            result.reason,
            result.seconds,
            result.tensors_sha256,
            dict(result.metrics or {}),
        )
        interrupted = interrupted or result.status == "KILLED"
    return ended, interrupted


def _request(job: TrainJob, study: _Study, store: Store, threads: int) -> FitRequest:
    """Start the run, say what goes into it, and return what the fit needs."""
    base = study.base
    marks = {
        tags.KIND: "train",
        tags.SCHEMA_TAG: tags.SCHEMA,
        tags.TRAIN_KEY: study.key(job),
        tags.DATASET_SHA256: study.train.fingerprint,
        tags.VAL_DATA_SHA256: study.val.fingerprint,
        tags.BASE_WEIGHTS_SHA256: base.sha256,
        tags.VERSION: __version__,
        tags.ULTRALYTICS: version("ultralytics"),
        tags.THREADS: str(threads),
    }
    run_id = store.create_run(study.experiment_id, job.name, tags=marks)
    with ending(store, run_id):
        _log_inputs(store, run_id, study)
    return FitRequest(
        job=job,
        run_id=run_id,
        tracking_uri=store.tracking_uri,
        train=study.train,
        val=study.val,
        base=study.work / "base.pt",
        data=str(study.grid.data),
        model=str(study.grid.model),
        experiment=study.experiment,
        work=study.work,
        threads=threads,
        trust=study.trust,
    )


def _log_inputs(store: Store, run_id: str, study: _Study) -> None:
    base = study.base
    if base.size_bytes <= COPIED_BASE_BYTES:
        artifact = f"{BASE_FOLDER}/{base.path.name}"
        store.log_file(run_id, study.work / BASE_FOLDER / base.path.name, BASE_FOLDER)
        store.set_tags(run_id, {tags.BASE_WEIGHTS_ARTIFACT: artifact})
    for dataset, context in ((study.train, "training"), (study.val, "validation")):
        profile = {"images": len(dataset), "objects": dataset.n_objects}
        name = f"{dataset.name}/{dataset.split}"
        store.log_dataset(run_id, DatasetInput(name, dataset.fingerprint, str(study.grid.data), context, profile))


def _finished(store: Store, study: _Study, job: TrainJob) -> RunInfo | None:
    runs = store.find(study.experiment_id, {tags.KIND: "train", tags.TRAIN_KEY: study.key(job)})
    done = [run for run in runs if run.status == "FINISHED"]
    return done[-1] if done else None


def _reused(run: RunInfo) -> Trained:
    tensors = run.tags.get(tags.TENSORS_SHA256)
    metrics = {key: value for key, value in run.metrics.items() if key.startswith("metrics/")}
    return Trained(run.name, run.run_id, run.status, True, "", 0.0, tensors, metrics)


def _check_splits(train: Dataset, val: Dataset) -> tuple[str, ...]:
    """Warn of images that are trained on and validated on: val flatters the candidates then."""
    shared = {image.sha256 for image in train.images} & {image.sha256 for image in val.images}
    if not shared:
        return ()
    return (f"train and val share {len(shared)} image(s): numbers on val are too good. See `robust data check`.",)


def _check_seeds(ended: dict[TrainJob, Trained], store: Store) -> tuple[str, ...]:
    """Mark candidates of different seeds that have the same tensors: their spread would be a false zero."""
    warnings = []
    for (a, first), (b, second) in itertools.combinations(ended.items(), 2):
        same = first.tensors_sha256 is not None and first.tensors_sha256 == second.tensors_sha256
        if not same:
            continue
        axis = "seeds" if a.configuration == b.configuration else "settings"
        warnings.append(
            f"{first.name} and {second.name} have identical weights although their {axis} differ: "
            "they count as one training, not two."
        )
        for one, other in ((first, second), (second, first)):
            store.set_tags(one.run_id, {tags.SAME_WEIGHTS_AS: other.run_id})
    return tuple(warnings)
