"""Sweep the confidence threshold over stored predictions: no image is read and no model is run."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robust.corruptions.records import CLEAN, Variant
from robust.errors import IntegrityError, RobustError
from robust.eval.engine.cache import write_atomically
from robust.eval.engine.tables import read_ground_truth, read_predictions
from robust.eval.evaluation_run import (
    FOLDER,
    artifact_name,
    chosen_point,
    flat_metrics,
    judged_split,
    read_evidence,
    sweep_csv,
)
from robust.eval.evidence.assemble import CellResult, SweepPlan, sweep_cell, sweep_evidence
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.metrics.records import OperatingPoint
from robust.eval.selection import find_evaluations
from robust.eval.sweep_plot import plot_sweep
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.store import Store


@dataclass(frozen=True)
class Swept:
    """One candidate's sweep.

    Attributes:
        run_id: The evaluation run.
        candidate: With the new sweep.
        judged_on: The split that numbers are reported on.
        point: Counts at the chosen threshold on that split, clean; None when no threshold was chosen.
    """

    run_id: str
    candidate: CandidateEvidence
    judged_on: str
    point: OperatingPoint | None


def sweep_evaluations(
    store: Store, plan: SweepPlan, *, experiment: str | None, run_ids: Sequence[str], output: Path | None = None
) -> tuple[Swept, ...]:
    """Sweep every evaluation, log the result to its run, and write it to a folder if one is given.

    Args:
        store: Where evaluation runs are.
        plan: Thresholds and constraints.
        experiment: All evaluations of it.
        run_ids: Training or evaluation runs.
        output: Folder for one sub-folder each candidate.
    """
    return tuple(
        _sweep_one(store, run, plan, output) for run in find_evaluations(store, experiment=experiment, run_ids=run_ids)
    )


def _sweep_one(store: Store, run: RunInfo, plan: SweepPlan, output: Path | None) -> Swept:
    evidence = read_evidence(store, run)
    (before,) = evidence.candidates
    cells = [sweep_cell(cell, plan) for cell in read_cells(store, run, before)]
    after = before.model_copy(update={"sweep": sweep_evidence(cells, plan)})
    files = sweep_files(evidence.model_copy(update={"candidates": (after,)}), after)
    manifest = _manifest(store, run, files)
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        store.log_folder(run.run_id, Path(folder), FOLDER)
        (Path(folder) / "manifest.json").write_bytes(manifest)
        store.log_file(run.run_id, Path(folder) / "manifest.json", FOLDER)
    store.log_metrics(run.run_id, flat_metrics(after))
    if output is not None:
        for name, content in files.items():
            write_atomically(output / _folder_name(after.name) / name, content)
    judged = judged_split(after)
    return Swept(run.run_id, after, judged, chosen_point(after, judged, CLEAN))


def sweep_files(evidence: Evidence, swept: CandidateEvidence) -> dict[str, bytes]:
    """The artefacts of a sweep: table, JSON, picture, and the evidence that now holds it."""
    return {
        "evidence.json": evidence.to_json().encode(),
        "sweep.csv": sweep_csv(swept).encode(),
        "sweep.json": (json.dumps(swept.sweep.model_dump(mode="json"), indent=2) + "\n").encode(),
        "sweep.svg": plot_sweep(swept, judged_split(swept)),
    }


def _manifest(store: Store, run: RunInfo, files: Mapping[str, bytes]) -> bytes:
    """The run's manifest with the hashes of what the sweep changes and adds."""
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        before = store.download(run.run_id, f"{FOLDER}/manifest.json", Path(folder))
        hashes = json.loads(before.read_text(encoding="utf-8")) if before else {}
    hashes.update({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    return (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode()


def read_cells(store: Store, run: RunInfo, candidate: CandidateEvidence) -> Iterator[CellResult]:
    """Read the stored predictions and ground truth of an evaluation run, one cell at a time.

    Raises:
        RobustError: the run does not hold them.
        IntegrityError: a file is damaged.
    """
    judged = judged_split(candidate)
    with tempfile.TemporaryDirectory(prefix="robust-") as temporary:
        folder = Path(temporary)
        for part in ("predictions", "ground_truth"):
            if store.download(run.run_id, f"{FOLDER}/{part}", folder) is None:
                raise RobustError(f"Evaluation {run.name!r} holds no {part}.", fix="Evaluate it again.")
        for cell in candidate.cells:
            name = f"{artifact_name(cell.split, cell.variant, judged=cell.split == judged)}.parquet"
            predictions = folder / FOLDER / "predictions" / name
            if not predictions.is_file():
                raise IntegrityError(f"Evaluation {run.name!r} has lost the predictions of {cell.variant}.")
            corruption, _, severity = cell.variant.partition("/")
            yield CellResult(
                split=cell.split,
                variant=Variant(corruption, int(severity or 0)),
                key=cell.key,
                truth=read_ground_truth(folder / FOLDER / "ground_truth" / name),
                predictions=read_predictions(predictions),
            )


def _folder_name(candidate: str) -> str:
    """A run name as a folder name: what file systems refuse becomes an underscore."""
    return "".join(letter if letter.isalnum() or letter in "-_.=@ " else "_" for letter in candidate).strip(". ") or "_"
