"""The predictions and ground truth that an evaluation run keeps: what everything can be measured from again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robust.corruptions.records import CLEAN, Variant
from robust.errors import IntegrityError, RobustError
from robust.eval.engine.tables import read_ground_truth, read_predictions
from robust.eval.evaluation_run import FOLDER, artifact_name
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import CandidateEvidence, CellEvidence
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.store import Store


@dataclass(frozen=True)
class StoredCells:
    """The predictions and ground truth of an evaluation run, in a local folder.

    Attributes:
        folder: With ``predictions`` and ``ground_truth``.
        candidate: Whose they are.
        name: Of the run, for messages.
    """

    folder: Path
    candidate: CandidateEvidence
    name: str

    def all(self) -> Iterator[CellResult]:
        """Every cell, one in memory at a time.

        Raises:
            IntegrityError: a file is missing or damaged.
        """
        return map(self._read, self.candidate.cells)

    def clean(self, split: str) -> CellResult | None:
        """The clean cell of a split; None when it was not evaluated."""
        found = self._find(split, CLEAN)
        return self._read(found) if found else None

    def cell(self, split: str, variant: str) -> CellResult:
        """One cell.

        Raises:
            IntegrityError: it is not there.
        """
        found = self._find(split, variant)
        if found is None:
            raise IntegrityError(f"Evaluation {self.name!r} has no cell {variant} of {split}.")
        return self._read(found)

    def _find(self, split: str, variant: str) -> CellEvidence | None:
        return next((c for c in self.candidate.cells if (c.split, c.variant) == (split, variant)), None)

    def _read(self, cell: CellEvidence) -> CellResult:
        name = f"{artifact_name(cell.split, cell.variant, judged=cell.split == self.candidate.judged_on)}.parquet"
        predictions = self.folder / "predictions" / name
        if not predictions.is_file():
            raise IntegrityError(f"Evaluation {self.name!r} has lost the predictions of {cell.variant}.")
        corruption, _, severity = cell.variant.partition("/")
        return CellResult(
            split=cell.split,
            variant=Variant(corruption, int(severity or 0)),
            key=cell.key,
            truth=read_ground_truth(self.folder / "ground_truth" / name),
            predictions=read_predictions(predictions),
        )


@contextmanager
def stored_cells(store: Store, run: RunInfo, candidate: CandidateEvidence) -> Iterator[StoredCells]:
    """Download the stored predictions and ground truth of an evaluation run; they are gone when the context ends.

    Raises:
        RobustError: the run does not hold them.
    """
    with tempfile.TemporaryDirectory(prefix="robust-") as temporary:
        folder = Path(temporary)
        for part in ("predictions", "ground_truth"):
            if store.download(run.run_id, f"{FOLDER}/{part}", folder) is None:
                raise RobustError(f"Evaluation {run.name!r} holds no {part}.", fix="Evaluate it again.")
        yield StoredCells(folder / FOLDER, candidate, run.name)
