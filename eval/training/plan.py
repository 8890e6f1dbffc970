"""Which trainings a grid asks for: names, settings and keys. Pure: nothing is read, nothing is run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from robust.errors import UnknownName, UsageError
from robust.eval.records import content_key

OPTIMIZERS = ("SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp")
"""Those of Ultralytics, without ``auto``."""
_MOMENTUM_OPTIMIZERS = ("SGD", "MuSGD", "RMSProp")
"""Biases may warm up from Ultralytics' rate of 0.1 with these. For Adam and its kin, whose steps do not shrink with the
gradient, 0.1 destroys pretrained biases; Ultralytics' own ``auto`` therefore also starts them at 0."""
STRIDE = 32
"""Image sizes are multiples of it; Ultralytics would round others up and the name would lie."""
DEFAULT_PATIENCE = 100
_RECIPE = 1  # part of every key: raise it when equal settings no longer give equal trainings

Value = TypeVar("Value", int, float)


@dataclass(frozen=True)
class Grid:
    """What was asked for: every combination of the three axes.

    Attributes:
        data: YOLO data.yaml with the splits train and val.
        model: Weights to start from, a ``.pt`` file.
        imgsz: Sides of the training images, pixels, multiples of 32.
        lr0: Initial learning rates, above 0.
        seeds: At least 0.
        epochs: At least 1.
        batch: Images in one step, at least 1.
        optimizer: One of `OPTIMIZERS`, in any case; never ``auto``.
        patience: Epochs without improvement on val before a training stops; at least 1.
        device: "cpu", "0", "cuda:0".
        workers: Processes that load images (0: none); on the CPU Ultralytics always takes 0.
    """

    data: Path
    model: Path
    imgsz: tuple[int, ...] = (640,)
    lr0: tuple[float, ...] = (0.01,)
    seeds: tuple[int, ...] = (0,)
    epochs: int = 3
    batch: int = 8
    optimizer: str = "AdamW"
    patience: int = DEFAULT_PATIENCE
    device: str = "cpu"
    workers: int = 0


@dataclass(frozen=True)
class TrainJob:
    """One training. ``model`` is the stem of the starting weights, for the name; the other fields are as in `Grid`."""

    model: str
    imgsz: int
    lr0: float
    seed: int
    epochs: int
    batch: int
    optimizer: str
    patience: int
    device: str
    workers: int

    @property
    def name(self) -> str:
        """``yolov8n_e3_sz416_lr0.005_s42``."""
        return f"{self.model}_e{self.epochs}_sz{self.imgsz}_lr{self.lr0:g}_s{self.seed}"

    @property
    def configuration(self) -> TrainJob:
        """The same job with seed 0: equal for jobs that differ by seed only."""
        return replace(self, seed=0)

    def key(self, train_sha256: str, val_sha256: str, base_sha256: str) -> str:
        """Hash everything that decides the result: a finished training with this key need not be repeated.

        Names, places, devices and workers are no part of it.

        Args:
            train_sha256: Fingerprint of the split to train on.
            val_sha256: Fingerprint of the split that chooses the best epoch.
            base_sha256: Of the file of starting weights.
        """
        left_out = ("model", "device", "workers")
        settings = {name: value for name, value in asdict(self).items() if name not in left_out}
        data = {"train": train_sha256, "val": val_sha256, "base": base_sha256}
        return content_key({"recipe": _RECIPE, **settings, **data})

    def arguments(self) -> dict[str, Any]:
        """Return what Ultralytics' trainer is told, paths and names left out."""
        return {
            "task": "detect",
            "mode": "train",
            "imgsz": self.imgsz,
            "lr0": self.lr0,
            "seed": self.seed,
            "epochs": self.epochs,
            "batch": self.batch,
            "optimizer": self.optimizer,
            "patience": self.patience,
            "device": self.device,
            "workers": self.workers,
            "cache": "ram",  # Ultralytics falls back to reading files when the memory does not suffice
            "deterministic": True,
            **({} if self.optimizer in _MOMENTUM_OPTIMIZERS else {"warmup_bias_lr": 0.0}),
            "amp": False,  # its check of mixed precision downloads weights, and fp32 repeats better
            "plots": False,
            "verbose": False,
        }


def plan_grid(grid: Grid) -> tuple[TrainJob, ...]:
    """List the trainings of a grid: by size, then rate, then seed; repeated values count once.

    Raises:
        UsageError: a value is out of range, or the optimizer is ``auto``.
        UnknownName: there is no such optimizer.
    """
    optimizer = _optimizer(grid.optimizer)
    axes = _axis("--imgsz", grid.imgsz), _axis("--lr0", grid.lr0), _axis("--seed", grid.seeds)
    for imgsz in axes[0]:
        if imgsz < STRIDE or imgsz % STRIDE:
            nearest = max(STRIDE, round(imgsz / STRIDE) * STRIDE)
            raise UsageError(
                f"Image size {imgsz} is not a multiple of {STRIDE}.",
                "The network would train at another size than the name says.",
                f"Use --imgsz {nearest}.",
            )
    _at_least("--lr0", min(axes[1]), 1e-12)
    _at_least("--seed", min(axes[2]), 0)
    for option, value in (("--epochs", grid.epochs), ("--batch", grid.batch), ("--patience", grid.patience)):
        _at_least(option, value, 1)
    _at_least("--workers", grid.workers, 0)
    shared = (grid.epochs, grid.batch, optimizer, grid.patience, grid.device, grid.workers)
    return tuple(TrainJob(grid.model.stem, imgsz, lr0, seed, *shared) for imgsz, lr0, seed in product(*axes))


def _optimizer(name: str) -> str:
    if name.casefold() == "auto":
        raise UsageError(
            "Optimizer 'auto' cannot be used in a grid.",
            "With it Ultralytics ignores lr0 and picks a learning rate of its own, so different --lr0 train the same.",
            f"Name one: {', '.join(OPTIMIZERS)}.",
        )
    known = {optimizer.casefold(): optimizer for optimizer in OPTIMIZERS}
    if name.casefold() not in known:
        raise UnknownName("optimizer", name, OPTIMIZERS)
    return known[name.casefold()]


def _axis(option: str, values: Iterable[Value]) -> tuple[Value, ...]:
    chosen = tuple(dict.fromkeys(values))
    if not chosen:
        raise UsageError(f"{option} has no value.", fix=f"Give {option} at least once.")
    return chosen


def _at_least(option: str, value: float, least: float) -> None:
    if not value >= least:
        raise UsageError(f"{option} {value:g} is too small.", fix=f"Give at least {least:g}.")
