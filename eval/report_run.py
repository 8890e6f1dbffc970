"""The evidence of a report from the tracking store, and the report back into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robust.errors import IntegrityError, UsageError
from robust.eval.audit_run import audit_experiment, known_data
from robust.eval.decision.decide import select
from robust.eval.decision.policy import Policy
from robust.eval.decision.study import Study
from robust.eval.evaluation_run import FOLDER, read_evidence, read_part
from robust.eval.evidence.assemble import require_one_rule
from robust.eval.evidence.findings import AuditEvidence
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.evidence.study import assemble_study
from robust.eval.gallery import Drawn, draw_gallery
from robust.eval.gallery_images import Origin
from robust.eval.refine import refine
from robust.eval.report.gallery import Mode
from robust.eval.report.manifest import MANIFEST
from robust.eval.selection import find_evaluations, without_evaluation
from robust.eval.stored_cells import stored_cells
from robust.eval.tracking import tags
from robust.eval.tracking.ending import ending
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.store import Store


@dataclass(frozen=True)
class Named:
    """Evaluations that somebody named: an experiment or runs, and the store that holds them."""

    experiment: str | None
    run_ids: tuple[str, ...]
    tracking_uri: str | None


def collect_evidence(
    *, experiment: str | None, run_ids: Sequence[str], tracking_uri: str | None, policy: Policy | None = None
) -> Evidence:
    """Put the evidence of stored evaluations together; no image is read and no model is run.

    Args:
        experiment: All its evaluations; training runs without one are listed as not evaluated.
        run_ids: Training or evaluation runs.
        tracking_uri: Of the store.
        policy: Whose close calls are made again with more replicates, from stored predictions; None for no such calls.

    Raises:
        UsageError: nothing was named or evaluated, or the evaluations cannot be compared.
    """
    store = Store.open(tracking_uri)
    runs = find_evaluations(store, experiment=experiment, run_ids=run_ids)
    missing = without_evaluation(store, experiment, runs) if experiment and not run_ids else ()
    parts = [read_part(store, run) for run in runs]
    everybody = [candidate for part in parts for candidate in part.evidence.candidates]
    used = {(c.baseline_sha256, c.imgsz) for c in everybody if c.role == "candidate"}
    kept = [
        part
        for part in parts
        if any(c.role == "candidate" or (c.weights_sha256, c.imgsz) in used for c in part.evidence.candidates)
    ]
    if not kept:
        raise UsageError(
            "Only baselines have been evaluated.", fix="Evaluate candidates: robust eval --run-id or --weights."
        )
    merged = assemble_study(kept, missing)
    require_one_rule(merged)
    merged = merged.model_copy(update={"audit": _audited(store, merged)})
    if policy is None:
        return merged
    merged = merged.model_copy(update={"policy_sha256": policy.sha256})
    homes = {c.key: run for run, part in zip(runs, parts, strict=True) for c in part.evidence.candidates}
    return refine(merged, policy, lambda candidate: stored_cells(store, homes[candidate.key], candidate))


def _audited(store: Store, evidence: Evidence) -> AuditEvidence | None:
    """Audit the experiment of the trainings, also where one of them was named; None when none of them is in this store.

    What is wrong with a training (a copy, a seed counted twice) shows beside its siblings only.
    """
    found = {}
    for candidate in evidence.candidates:
        if candidate.training is not None:
            try:
                run = store.run(candidate.training.run_id)
            except (
                UsageError
            ):  # deleted, or in the store that it was trained with: "not audited" is what the report says
                return None
            found[run.run_id] = run.experiment_id
    if not found:
        return None
    homes = set(found.values())
    data = known_data(evidence.data)
    if len(homes) > 1:
        return audit_experiment(store, None, tuple(found), data=data)
    return audit_experiment(store, store.experiment_name(homes.pop()), data=data)


def collect_gallery(
    evidence: Evidence,
    policy: Policy,
    mode: Mode,
    *,
    named: Named,
    data: Path | None = None,
) -> Drawn:
    """Make the pictures of the worst images, from stored predictions and the images that were evaluated.

    Args:
        evidence: As `collect_evidence` gave it.
        policy: Whose candidate it is.
        mode: What is done to people in the pictures, or ``none`` for no pictures.
        named: Where the evaluations are.
        data: The data set, where it no longer lies at the place it was evaluated from.

    Raises:
        IntegrityError: stored predictions are not those of the evidence.
    """
    candidate = Study(evidence).candidate(select(Study(evidence), policy.selection).candidate)
    if candidate is None:
        return draw_gallery(evidence, policy, mode, Origin(data))
    store = Store.open(named.tracking_uri)
    run = _home(store, find_evaluations(store, experiment=named.experiment, run_ids=named.run_ids), candidate)
    places = {fingerprint: Path(source) for fingerprint, source in store.data_sources(run.run_id).items()}
    origin = Origin(data, places, lambda one: stored_cells(store, run, one))
    return draw_gallery(evidence, policy, mode, origin)


def _home(store: Store, runs: Sequence[RunInfo], candidate: CandidateEvidence) -> RunInfo:
    """The evaluation that a candidate's evidence is from."""
    alike = [run for run in runs if run.tags.get(tags.WEIGHTS_SHA256) == candidate.weights_sha256]
    for run in alike:
        if any(one.key == candidate.key for one in read_evidence(store, run).candidates):
            return run
    raise IntegrityError(f"No evaluation of {candidate.name} is in the store any more.", fix="Evaluate it again.")


def log_report(folder: Path, *, evidence: Evidence, decision: str, summary: str, tracking_uri: str | None) -> str:
    """Store a written report as a run of the experiment that its evidence is of.

    A report with the same files is stored once.

    Args:
        folder: With report.html, report.md, evidence.json, decision.json and manifest.json.
        evidence: That the report was made from.
        decision: PROMOTE, REJECT or HOLD.
        summary: Markdown of a few lines for the run's page.
        tracking_uri: Of the store.

    Returns:
        The run's id.
    """
    store = Store.open(tracking_uri)
    experiment_id = store.create_experiment(evidence.experiment)
    sha256, listing = (hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("report.html", MANIFEST))
    marks = {tags.KIND: "report", tags.REPORT_SHA256: sha256, tags.MANIFEST_SHA256: listing}
    same = [run for run in store.find(experiment_id, marks) if run.status == "FINISHED"]
    if same:
        return same[0].run_id
    marks = {**marks, tags.SCHEMA_TAG: tags.SCHEMA, tags.DECISION: decision, tags.NOTE: summary}
    run_id = store.create_run(experiment_id, f"report: {decision}", tags=marks)
    with ending(store, run_id):
        for name in (*json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"], MANIFEST):
            store.log_file(run_id, folder / name, FOLDER)  # the folder may hold files that are not ours
        store.finish(run_id)
    return run_id
