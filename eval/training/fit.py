"""Fit one candidate with Ultralytics, and log it as Ultralytics' own MLflow callback would."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml

from robust.datasets.records import Dataset
from robust.errors import RobustError
from robust.eval.detectors.checkpoint import check_weights, loading
from robust.eval.detectors.environment import load_ultralytics
from robust.eval.tracking import tags
from robust.eval.tracking.store import Store
from robust.eval.training.plan import TrainJob

Status = Literal["FINISHED", "FAILED", "KILLED"]


class Signal(Protocol):
    """Tells whether to stop: a `threading.Event` or a `multiprocessing.Event`."""

    def is_set(self) -> bool:
        """Whether somebody asked to stop."""


@dataclass(frozen=True)
class FitRequest:
    """Everything that one fit needs; can be sent to another process.

    Attributes:
        job: What to train.
        run_id: Where to log it; the run exists and is running.
        tracking_uri: Of the store.
        train: Split to train on.
        val: Split that chooses the best epoch.
        base: Private copy of the starting weights.
        data: What the user called the data; logged as the parameter ``data``.
        model: What the user called the starting weights; logged as the parameter ``model``.
        experiment: Name; logged as the parameter ``project``.
        work: Private folder; a subfolder is made and removed.
        threads: For torch on the CPU.
        trust: Load starting weights that hold code.
    """

    job: TrainJob
    run_id: str
    tracking_uri: str
    train: Dataset
    val: Dataset
    base: Path
    data: str
    model: str
    experiment: str
    work: Path
    threads: int = 1
    trust: bool = False


@dataclass(frozen=True)
class FitResult:
    """How a fit ended.

    Attributes:
        run_id: Where it was logged.
        status: FINISHED, FAILED or KILLED.
        reason: Why it did not finish; empty when it did.
        seconds: How long it took.
        tensors_sha256: Of the weights' tensors; None when it did not finish.
        metrics: Of the best weights on val, by Ultralytics' names.
    """

    run_id: str
    status: Status
    reason: str = ""
    seconds: float = 0.0
    tensors_sha256: str | None = None
    metrics: Mapping[str, float] | None = None


class TrainingError(RobustError):
    """A training ended without usable weights."""


def fit(request: FitRequest, stop: Signal | None = None, on_epoch: Callable[[], None] | None = None) -> FitResult:
    """Train one candidate and log it; a failure is logged too, and is a result, not an exception.

    Args:
        request: What to do.
        stop: Ends the training after the current step when it is set; the run becomes KILLED.
        on_epoch: Called after each epoch.

    Raises:
        StoreError: the store no longer takes even the failure.
    """
    start = time.monotonic()
    store = Store.open(request.tracking_uri)
    folder = request.work / request.run_id
    try:
        result = _train(request, store, folder, stop, on_epoch)
        store.finish(request.run_id, "FINISHED")
    except KeyboardInterrupt:
        result = FitResult(request.run_id, "KILLED", "interrupted")
        store.finish(request.run_id, "KILLED", result.reason)
    except Exception as error:  # whatever Ultralytics raises is this candidate's failure; the grid goes on
        result = FitResult(request.run_id, "FAILED", _reason(error))
        store.finish(request.run_id, "FAILED", result.reason)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return replace(result, seconds=time.monotonic() - start)


def _train(
    request: FitRequest, store: Store, folder: Path, stop: Signal | None, on_epoch: Callable[[], None] | None
) -> FitResult:
    load_ultralytics()
    from robust.eval.training.trainer import RecordTrainer

    log = _RunLog(request, store, stop, on_epoch)
    overrides = {
        **request.job.arguments(),
        "model": str(request.base),
        "data": str(_data_yaml(request, folder)),
        "project": str(folder),
        "name": "fit",
    }
    with loading(request.trust), redirect_stdout(sys.stderr):  # stdout is for results
        trainer = RecordTrainer({"train": request.train, "val": request.val}, log, request.threads, overrides)
        trainer.train()  # type: ignore[no-untyped-call]
    return _log_outcome(request, store, log, Path(trainer.save_dir))


def _log_outcome(request: FitRequest, store: Store, log: _RunLog, saved: Path) -> FitResult:
    best = saved / "weights" / "best.pt"
    if not best.is_file():
        raise TrainingError("The training left no best.pt.")
    info = check_weights(best, trust=request.trust)
    if not (info.finite and log.losses_finite):
        raise TrainingError("The loss or the weights are not finite.", "The training diverged.", "Use a smaller --lr0.")
    for path, where in ((best, "weights"), (saved / "results.csv", None), (saved / "args.yaml", None)):
        store.log_file(request.run_id, path, where)
    store.set_tags(request.run_id, {tags.WEIGHTS_SHA256: info.sha256, tags.TENSORS_SHA256: info.tensors_sha256})
    return FitResult(request.run_id, "FINISHED", tensors_sha256=info.tensors_sha256, metrics=log.final_metrics)


class _RunLog:
    """Logs a training under the names of Ultralytics' callback: parentheses dropped, epochs counted from 0."""

    def __init__(
        self, request: FitRequest, store: Store, stop: Signal | None, on_epoch: Callable[[], None] | None
    ) -> None:
        self._request = request
        self._store = store
        self._stop = stop
        self._on_epoch = on_epoch
        self.losses_finite = True
        self.final_metrics: dict[str, float] = {}

    def on_pretrain_routine_end(self, trainer: Any) -> None:
        """Give the arguments their meaning back (the trainer worked with private copies), then log all of them."""
        request, arguments = self._request, trainer.args
        arguments.data, arguments.model = request.data, request.model
        arguments.project, arguments.name, arguments.save_dir = request.experiment, request.job.name, None
        plain = {key: value if value is None else _yaml_value(value) for key, value in vars(arguments).items()}
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        (Path(trainer.save_dir) / "args.yaml").write_text(text, encoding="utf-8", newline="\n")
        self._store.log_params(request.run_id, plain)

    def on_train_epoch_end(self, trainer: Any) -> None:
        """Log rates and training losses of the epoch."""
        losses = _plain_names(trainer.label_loss_items(trainer.tloss, prefix="train"))
        self.losses_finite = all(math.isfinite(value) for value in losses.values())
        self._store.log_metrics(self._request.run_id, {**_plain_names(trainer.lr), **losses}, step=trainer.epoch)

    def on_fit_epoch_end(self, trainer: Any) -> None:
        """Log the validation of the epoch; the last call is the best weights', one step after the last epoch."""
        self.final_metrics = _plain_names(trainer.metrics)
        self._store.log_metrics(self._request.run_id, self.final_metrics, step=trainer.epoch)
        if self._on_epoch is not None:
            self._on_epoch()

    def on_train_batch_end(self, trainer: Any) -> None:
        """Stop when asked to, and when Ultralytics silently trains something else than was planned."""
        if self._stop is not None and self._stop.is_set():
            raise KeyboardInterrupt
        if trainer.batch_size != self._request.job.batch:
            raise TrainingError(
                f"Out of memory with {self._request.job.batch} images in a step.",
                f"Ultralytics would go on with {trainer.batch_size}: another candidate than its name says.",
                "Use a smaller --batch or --imgsz.",
            )


def _data_yaml(request: FitRequest, folder: Path) -> Path:
    """Write the YAML that Ultralytics wants to see: class names, and an empty folder where images would be."""
    (folder / "images").mkdir(parents=True)
    names = {i: category.name for i, category in enumerate(request.train.categories)}
    path = folder / "data.yaml"
    values = {"path": str(folder), "train": "images", "val": "images", "names": names}
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8", newline="\n")
    return path


def _plain_names(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {key.replace("(", "").replace(")", ""): float(value) for key, value in metrics.items()}


def _yaml_value(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, list, dict)) else str(value)


def _reason(error: Exception) -> str:
    if isinstance(error, RobustError):
        return " ".join(part for part in (error.what, error.why) if part)
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
