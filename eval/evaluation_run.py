"""An evaluation as an MLflow run: how it is found again, and what is logged to it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robust.corruptions.records import CLEAN
from robust.errors import DataError, IntegrityError, UsageError
from robust.eval.engine.tables import ground_truth_to_bytes, predictions_to_bytes
from robust.eval.evidence.measure import MISS_RATES, CellResult
from robust.eval.evidence.parse import parse_evidence
from robust.eval.evidence.records import CandidateEvidence, CellEvidence, Curve, Evidence, TrainingEvidence
from robust.eval.evidence.replicates import read_replicates, replicates_to_bytes
from robust.eval.evidence.study import EvidencePart
from robust.eval.metrics.counts import RATES
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.records import CocoMetrics, OperatingPoint
from robust.eval.metrics.robustness_records import RobustnessEvidence
from robust.eval.records import Candidate
from robust.eval.tracking import tags
from robust.eval.tracking.records import DatasetInput, RunInfo
from robust.eval.tracking.store import Store

AGGREGATES = ("mPC", "rPC", "worst", "worst_mean")
"""Fields of the robustness evidence that are logged under their own names."""
POINT = "operating_point"
"""What the numbers at the chosen threshold are logged under."""

FOLDER = "robust"
EVIDENCE = f"{FOLDER}/evidence.json"
REPLICATES = f"{FOLDER}/replicates.parquet"
HEADLINE = ("AP", "AP50", "AP75", "AR100")
"""Metrics logged for each corrupted variant; the clean splits get all twelve."""
BOUNDED = ("AP", "AP50")
"""Metrics whose 95 % interval is logged too, as NAME_low and NAME_high."""


def find_or_start(
    store: Store, experiment_id: str, candidate: Candidate, *, key: str, marks: Mapping[str, str]
) -> RunInfo:
    """Return the run of this evaluation: the one that is there, finished or broken off, or a new one.

    Args:
        store: Where runs are.
        experiment_id: Where the run lives.
        candidate: Who is measured.
        key: Hash of all that decides the evaluation.
        marks: Tags of the evaluation.
    """
    same = store.find(experiment_id, {tags.KIND: "eval", tags.EVAL_KEY: key})
    if same:
        finished = [run for run in same if run.status == "FINISHED"]
        return (finished or list(same))[0]
    run_id = store.create_run(
        experiment_id,
        f"eval {candidate.name}",
        parent=candidate.source_run_id,
        tags={
            **marks,
            tags.KIND: "eval",
            tags.SCHEMA_TAG: tags.SCHEMA,
            tags.WEIGHTS_SHA256: candidate.weights_sha256,
            tags.EVAL_KEY: key,
            tags.ROLE: candidate.role,
            **({tags.SOURCE_RUN_ID: candidate.source_run_id} if candidate.source_run_id else {}),
        },
    )
    return store.run(run_id)


def read_evidence(store: Store, run: RunInfo) -> Evidence:
    """Read the evidence of an evaluation run.

    Raises:
        UsageError: the run holds none, because it was broken off.
        DataError: the file is not valid evidence of this schema.
    """
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        path = store.download(run.run_id, EVIDENCE, Path(folder))
        if path is None:
            raise UsageError(
                f"Evaluation {run.name!r} ({run.run_id}) holds no evidence.",
                f"Its status is {run.status}.",
                "Run `robust eval` again: it goes on where it stopped.",
            )
        return parse_evidence(path.read_bytes(), f"The evidence of run {run.run_id}")


def read_part(store: Store, run: RunInfo) -> EvidencePart:
    """Read the evidence of an evaluation run with the replicates behind its intervals.

    Raises:
        UsageError: the run holds none, because it was broken off.
        DataError: the evidence is not valid, or of an older schema.
        IntegrityError: the replicates are damaged.
    """
    evidence = read_evidence(store, run)
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        path = store.download(run.run_id, REPLICATES, Path(folder))
        return EvidencePart(evidence, read_replicates(path) if path else None)


def finished_part(store: Store, run: RunInfo) -> EvidencePart | None:
    """Return what a finished evaluation holds; None when it is to be made again, from the cells that are stored.

    That is when it is unfinished or damaged, or was written by an older version that measured less.
    """
    if run.status != "FINISHED":
        return None
    try:
        part = read_part(store, run)
    except (DataError, UsageError, IntegrityError):  # cut off by a full disk or a kill while it was written
        return None
    is_complete = all(cell.intervals for one in part.evidence.candidates for cell in one.cells)
    return part if is_complete and part.replicates is not None else None


def training_evidence(store: Store, run: RunInfo) -> TrainingEvidence:
    """Read what a training run logged, epoch by epoch.

    Ultralytics logs the final evaluation of ``best.pt`` one step after the last epoch; the courses here end with the
    last epoch.
    """
    loss = store.metric_history(run.run_id, "train/box_loss")
    epochs = {point.step for point in loss}

    def course(key: str) -> tuple[float, ...]:
        return tuple(p.value for p in store.metric_history(run.run_id, key) if not epochs or p.step in epochs)

    return TrainingEvidence(
        run_id=run.run_id,
        run_name=run.name,
        status=run.status,
        parameters=dict(sorted(run.params.items())),
        logged_metrics=dict(sorted(run.metrics.items())),
        train_box_loss=tuple(point.value for point in loss),
        val_box_loss=course("val/box_loss"),
        val_map=course("metrics/mAP50-95B"),
    )


def log_evaluation(store: Store, run_id: str, part: EvidencePart, folder: Path, inputs: Sequence[DatasetInput]) -> None:
    """Log everything of one candidate's evaluation and finish the run.

    Args:
        store: Where the run is.
        run_id: The evaluation run.
        part: Of this one candidate.
        folder: With its cells, from `write_cell`; becomes the run's artifacts.
        inputs: The data it was measured on.
    """
    evidence = part.evidence
    (measured,) = evidence.candidates
    settings = {
        **measured.inference,
        "suite": evidence.suite.name,
        "suite_seed": evidence.suite.seed,
        "replicates": evidence.resampling.replicates,
        "resampling_seed": evidence.resampling.seed,
    }
    store.log_params(run_id, settings)
    store.log_metrics(run_id, flat_metrics(measured))
    for data in inputs:
        store.log_dataset(run_id, data)
    write_artifacts(folder, part)
    store.log_folder(run_id, folder, FOLDER)
    store.finish(run_id)


def write_cell(folder: Path, cell: CellResult, *, judged: bool) -> None:
    """Write the predictions and the ground truth of one cell as artifacts."""
    name = artifact_name(cell.split, cell.variant.name, judged=judged)
    for kind, content in (
        ("predictions", predictions_to_bytes(cell.predictions)),
        ("ground_truth", ground_truth_to_bytes(cell.truth)),
    ):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{name}.parquet").write_bytes(content)


def write_artifacts(folder: Path, part: EvidencePart) -> None:
    """Write the artifacts of one candidate's evaluation beside its cells, with a manifest of all hashes."""
    evidence = part.evidence
    (measured,) = evidence.candidates
    files: dict[str, bytes] = {
        "evidence.json": evidence.to_json().encode(),
        "conditions.csv": conditions_csv(measured.cells).encode(),
        "sweep.csv": sweep_csv(measured).encode(),
        "environment.json": _json(dict(evidence.environment)),
        **({"replicates.parquet": replicates_to_bytes(part.replicates)} if part.replicates else {}),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    (folder / "manifest.json").write_bytes(_json(hashes))


def artifact_name(split: str, variant: str, *, judged: bool) -> str:
    """File stem of a cell: ``night-3``; ``val-clean`` for the split that is not judged on."""
    stem = variant.replace("/", "-")
    return stem if judged else f"{split}-{stem}"


def flat_metrics(measured: CandidateEvidence) -> dict[str, float | None]:
    """Name the numbers of one candidate as MLflow metrics; undefined ones are None."""
    judged = measured.judged_on
    flat: dict[str, float | None] = {}
    for cell in measured.cells:
        corruption, _, severity = cell.variant.partition("/")
        prefix = corruption if not severity else f"{corruption}/s{severity}"
        prefix = prefix if cell.split == judged else f"{cell.split}/{prefix}"
        names = CocoMetrics.model_fields if corruption == CLEAN else HEADLINE
        flat.update({f"{prefix}/{name}": getattr(cell.coco, name) for name in names})
        for name in BOUNDED:
            flat.update(_ends(f"{prefix}/{name}", cell.intervals.get(name)))
        flat.update({f"{prefix}/{name}": value for name, value in _pedestrian_metrics(cell).items()})
    for aggregate in measured.robustness:
        flat.update(_robustness_metrics(aggregate))
    point = chosen_point(measured, judged, CLEAN)
    if point is not None:
        flat.update({f"{POINT}/{name}": value for name, value in point.model_dump().items()})
    flat[f"{POINT}/chosen"] = float(point is not None)  # a sweep without a choice leaves older numbers behind
    return flat


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    """The ends of a 95 % interval under names of their own."""
    return {f"{name}_low": interval.low if interval else None, f"{name}_high": interval.high if interval else None}


def _robustness_metrics(found: RobustnessEvidence) -> dict[str, float | None]:
    """The aggregates of one base metric. A ladder that never breaks has no breaking point, so none is logged."""
    breaks = {c: point.severity if point else None for c, point in found.breaking_points.items()}
    per_corruption = {"mean": found.corruption_means, "retained_area": found.retained_areas, "breaking_point": breaks}
    ends = [_ends(f"{name}/{found.metric}", found.intervals.get(name)) for name in ("mPC", "rPC")]
    return {
        **{name: end for pair in ends for name, end in pair.items()},
        **{f"{name}/{found.metric}": getattr(found, name) for name in AGGREGATES},
        **{f"{c}/{name}/{found.metric}": value for name, of in per_corruption.items() for c, value in of.items()},
    }


def _pedestrian_metrics(cell: CellEvidence) -> dict[str, float | None]:
    """Miss rate, recall at few false alarms, and AP50 by kind of object; an unstable miss rate is not logged."""
    rate = cell.miss_rate
    logged = {name: getattr(rate, field) for field, name in MISS_RATES.items()} if rate else {}
    if rate and not rate.is_stable:
        logged["MR-2"] = None
    return {
        **logged,
        **{f"{part.division}_{part.stratum}/AP50": part.AP50 for part in cell.strata},
    }


def chosen_point(measured: CandidateEvidence, split: str, variant: str) -> OperatingPoint | None:
    """Return the counts at the chosen threshold in one cell; None when no threshold was chosen."""
    threshold = measured.sweep.choice.threshold
    for curve in measured.sweep.curves:
        if (curve.split, curve.variant) == (split, variant):
            return next((point for point in curve.points if point.threshold == threshold), None)
    return None


def conditions_csv(cells: Sequence[CellEvidence]) -> str:
    """One row for each cell with the twelve COCO numbers; undefined ones are empty."""
    rows = [
        {
            "split": cell.split,
            "variant": cell.variant,
            "detections": cell.n_detections,
            **cell.coco.model_dump(),
            **{end: value for name in BOUNDED for end, value in _ends(name, cell.intervals.get(name)).items()},
        }
        for cell in cells
    ]
    return _csv(rows)


def sweep_csv(measured: CandidateEvidence) -> str:
    """One row for each cell and threshold."""
    chosen = measured.sweep.choice.threshold
    return _csv(
        [
            {
                "split": curve.split,
                "variant": curve.variant,
                **point.model_dump(),
                **_band_ends(curve, place),
                "chosen": point.threshold == chosen,
            }
            for curve in measured.sweep.curves
            for place, point in enumerate(curve.points)
        ]
    )


def _band_ends(curve: Curve, place: int) -> dict[str, float | None]:
    """The ends of the 95 % intervals at one threshold, None where there is none."""
    found: dict[str, float | None] = {}
    for rate in RATES:
        ends = curve.bands.at(rate, place) if curve.bands else None
        found[f"{rate}_low"], found[f"{rate}_high"] = ends or (None, None)
    return found


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
