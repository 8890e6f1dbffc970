"""Sweep the confidence threshold over stored predictions: no image is read and no model is run."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robust.corruptions.records import CLEAN
from robust.eval.engine.cache import write_atomically
from robust.eval.evaluation_run import (
    FOLDER,
    chosen_point,
    flat_metrics,
    read_part,
    sweep_csv,
)
from robust.eval.evidence.candidate import sweep_cells
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.evidence.replicates import replicates_to_bytes
from robust.eval.evidence.study import EvidencePart
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.metrics.records import OperatingPoint
from robust.eval.selection import find_evaluations
from robust.eval.stored_cells import stored_cells
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
    after = _swept_part(store, run, plan)
    (candidate,) = after.evidence.candidates
    files = sweep_files(after.evidence, candidate)
    stored = {**files, **({"replicates.parquet": replicates_to_bytes(after.replicates)} if after.replicates else {})}
    manifest = _manifest(store, run, stored)
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        for name, content in stored.items():
            (Path(folder) / name).write_bytes(content)
        store.log_folder(run.run_id, Path(folder), FOLDER)
        (Path(folder) / "manifest.json").write_bytes(manifest)
        store.log_file(run.run_id, Path(folder) / "manifest.json", FOLDER)
    store.log_metrics(run.run_id, flat_metrics(candidate))
    if output is not None:
        for name, content in files.items():
            write_atomically(output / _folder_name(candidate.name) / name, content)
    judged = candidate.judged_on
    return Swept(run.run_id, candidate, judged, chosen_point(candidate, judged, CLEAN))


def _swept_part(store: Store, run: RunInfo, plan: SweepPlan) -> EvidencePart:
    """The evaluation with its cells swept anew, and with the rates at the new threshold among its replicates."""
    part = read_part(store, run)
    (before,) = part.evidence.candidates
    with stored_cells(store, run, before) as cells:
        sweep, rates = sweep_cells(cells.all(), cells.clean(plan.chosen_on), plan, part.evidence.resampling)
    after = before.model_copy(update={"sweep": sweep})
    replicates = part.replicates.with_values(rates) if part.replicates else None
    return EvidencePart(part.evidence.model_copy(update={"candidates": (after,)}), replicates)


def sweep_files(evidence: Evidence, swept: CandidateEvidence) -> dict[str, bytes]:
    """The artefacts of a sweep: table, JSON, picture, and the evidence that now holds it."""
    return {
        "evidence.json": evidence.to_json().encode(),
        "sweep.csv": sweep_csv(swept).encode(),
        "sweep.json": (json.dumps(swept.sweep.model_dump(mode="json"), indent=2) + "\n").encode(),
        "sweep.svg": plot_sweep(swept, swept.judged_on),
    }


def _manifest(store: Store, run: RunInfo, files: Mapping[str, bytes]) -> bytes:
    """The run's manifest with the hashes of what the sweep changes and adds."""
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        before = store.download(run.run_id, f"{FOLDER}/manifest.json", Path(folder))
        hashes = json.loads(before.read_text(encoding="utf-8")) if before else {}
    hashes.update({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    return (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode()


def _folder_name(candidate: str) -> str:
    """A run name as a folder name: what file systems refuse becomes an underscore."""
    return "".join(letter if letter.isalnum() or letter in "-_.=@ " else "_" for letter in candidate).strip(". ") or "_"
