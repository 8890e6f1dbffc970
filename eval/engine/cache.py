"""The folder of finished cells: written once, atomically, under the key of what decides their content."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robust.errors import IntegrityError, RobustError
from robust.eval.engine.tables import (
    ground_truth_to_bytes,
    predictions_to_bytes,
    read_ground_truth,
    read_predictions,
)
from robust.eval.records import GroundTruth, Predictions

DEFAULT_CACHE = Path(".robust")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, at any moment, finds the whole of it or nothing.

    Raises:
        RobustError: the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RobustError(
            f"Cannot write {path}.", error.strerror or str(error), "Free some space or choose another folder."
        ) from error


class CellCache:
    """Finished cells on disk.

    Args:
        root: Folder; made when the first cell is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Where the cell with this key lies, or would."""
        return self.root / "cells" / key[:2] / f"{key}.parquet"

    def has(self, key: str) -> bool:
        """Whether the cell is finished."""
        return self.path(key).is_file()

    def write_predictions(self, key: str, predictions: Predictions) -> None:
        """Store the predictions of one shard."""
        write_atomically(self.path(key), predictions_to_bytes(predictions))

    def write_ground_truth(self, key: str, truth: GroundTruth) -> None:
        """Store the ground truth of one shard."""
        write_atomically(self.path(key), ground_truth_to_bytes(truth))

    def read_predictions(self, key: str) -> Predictions:
        """Read the predictions of one shard.

        Raises:
            IntegrityError: the file is damaged; it is removed, so that the next run fills it again.
        """
        with _removing_damage(self.path(key)):
            return read_predictions(self.path(key))

    def read_ground_truth(self, key: str) -> GroundTruth:
        """Read the ground truth of one shard; errors as for `read_predictions`."""
        with _removing_damage(self.path(key)):
            return read_ground_truth(self.path(key))


@contextmanager
def _removing_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        path.unlink(missing_ok=True)
        raise IntegrityError(
            f"The stored cell {path.name} was damaged.", error.what, "It was removed: run the same command again."
        ) from error
