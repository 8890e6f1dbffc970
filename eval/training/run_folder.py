"""What an Ultralytics training leaves in its folder: ``args.yaml``, ``results.csv`` and ``weights/``."""

from __future__ import annotations

import csv
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from robust.errors import DataError

_NOT_METRICS = ("epoch", "time")


@dataclass(frozen=True)
class RunFolder:
    """A training folder that was read.

    Attributes:
        path: The folder.
        args: All of ``args.yaml``.
        history: Metric name as in MLflow -> epoch from 0 -> value; undefined values are left out.
        best: ``weights/best.pt``.
        sha256: Hex digest of the three files' contents: the same training again, wherever it lies.
    """

    path: Path
    args: dict[str, Any]
    history: dict[str, dict[int, float]]
    best: Path
    sha256: str

    @property
    def seed(self) -> int | None:
        """The seed of ``args.yaml``."""
        value = self.args.get("seed")
        return value if isinstance(value, int) else None


def read_run_folder(path: Path) -> RunFolder:
    """Read a training folder.

    Raises:
        DataError: a file is missing or cannot be read; it is named.
    """
    files = [path / "args.yaml", path / "results.csv", path / "weights" / "best.pt"]
    for file in files:
        if not file.is_file():
            raise DataError(
                f"{path} is no finished Ultralytics training folder.",
                f"It has no {file.relative_to(path).as_posix()}.",
                "Name folders such as runs/detect/train that hold args.yaml, results.csv and weights/best.pt.",
            )
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return RunFolder(path, _read_args(files[0]), _read_history(files[1]), files[2], digest.hexdigest())


def _read_args(file: Path) -> dict[str, Any]:
    try:
        args = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read.", str(error).splitlines()[0]) from error
    if not isinstance(args, dict):
        raise DataError(f"{file} holds no settings.", fix="Was it written by Ultralytics?")
    return {str(key): value for key, value in args.items()}


def _read_history(file: Path) -> dict[str, dict[int, float]]:
    """Read the metrics of each epoch. The file counts epochs from 1 (old versions from 0), MLflow from 0."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [
            {(key or "").strip(): (value or "").strip() for key, value in row.items()} for row in csv.DictReader(stream)
        ]
    if not rows or "epoch" not in rows[0]:
        raise DataError(f"{file} holds no epochs.", fix="Was the training interrupted in its first epoch?")
    history: dict[str, dict[int, float]] = {}
    first = _number(rows[0]["epoch"])
    for line, row in enumerate(rows, start=2):
        epoch = _number(row["epoch"])
        if epoch is None or first is None:
            raise DataError(f"{file}:{line}: {row['epoch']!r} is no epoch.")
        for name, text in row.items():
            value = _number(text)
            if name not in _NOT_METRICS and name and value is not None:
                history.setdefault(name.replace("(", "").replace(")", ""), {})[int(epoch - min(first, 1))] = value
    return history


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
