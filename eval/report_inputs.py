"""What a report rests on, held against its manifest: weights, data and stored predictions.

None of them lies in the report's folder, so each is checked only where it is given, and what was not given is named.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust.datasets.load import available_splits, load_dataset
from robust.errors import DataError, IntegrityError, UsageError
from robust.eval.engine.cells import PIXELS
from robust.eval.engine.tables import read_ground_truth, read_meta, read_predictions
from robust.eval.evidence.records import CellEvidence, Evidence
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.records import CocoMetrics
from robust.eval.records import GroundTruth, Predictions, content_key
from robust.eval.report.manifest import DataEntry, Manifest

_LAST_BIT = 1e-12  # sums of the same numbers may differ by this between versions of NumPy


@dataclass(frozen=True)
class Inputs:
    """What was held against the manifest.

    Attributes:
        checked: What fits, in words.
        not_checked: What was not given, in words.
    """

    checked: tuple[str, ...]
    not_checked: tuple[str, ...]


def check_weights(manifest: Manifest, files: Sequence[Path]) -> Inputs:
    """Hold weight files (or files of detections that were judged) against the manifest.

    Raises:
        IntegrityError: a file is none of those that were evaluated.
        UsageError: a file cannot be read.
    """
    known: dict[str, list[str]] = defaultdict(list)
    for entry in manifest.weights:
        known[entry.sha256].append(f"{entry.kind} of {entry.candidate}")
    found: dict[str, str] = {}
    for file in files:
        sha256 = _sha256_of_file(file)
        if sha256 not in known:
            listed = ", ".join(f"{entry.candidate} {entry.sha256[:12]}" for entry in manifest.weights)
            raise IntegrityError(
                f"{file} is none of the weights that this report is about.",
                f"Its sha256 is {sha256}.",
                f"The report is about: {listed}.",
            )
        found.setdefault(sha256, f"{file}: {', '.join(known[sha256])}")
    absent = [", ".join(names) for sha256, names in known.items() if sha256 not in found]
    return Inputs(tuple(found.values()), tuple(absent))


def check_data(manifest: Manifest, data: Path | None, recorded: Mapping[str, Path]) -> Inputs:
    """Hold a data set, and sets recorded under a condition, against the fingerprints of the manifest.

    Args:
        manifest: Of the report.
        data: YOLO data.yaml or COCO JSON; None for none.
        recorded: Name of the condition -> the same.

    Raises:
        IntegrityError: a split is another one than was evaluated.
        UsageError: a condition is not in the report.
    """
    own = [entry for entry in manifest.data if not entry.recorded]
    others = {entry.name: entry for entry in manifest.data if entry.recorded}
    strange = [name for name in recorded if name not in others]
    if strange:
        listed = ", ".join(others) or "none"
        raise UsageError(f"The report has no recorded set {strange[0]!r}.", f"It has: {listed}.")
    fitting = [entry for entry in own if data is not None and _fits(entry, data, own)]
    fitting += [entry for name, entry in others.items() if name in recorded and _fits(entry, recorded[name], [entry])]
    named = {entry: f"data {entry.name}" + ("" if entry.recorded else f" {entry.split}") for entry in manifest.data}
    return Inputs(
        tuple(words for entry, words in named.items() if entry in fitting),
        tuple(words for entry, words in named.items() if entry not in fitting),
    )


def check_predictions(evidence: Evidence, folder: Path | None) -> Inputs:
    """Find the cells of the report in a folder, and measure them again.

    Looked for in the cell cache (``.robust``) and in the artifacts of evaluation runs. A cell fits when its address
    follows from its provenance, its ground truth is the variant's, and there are as many detections, with the same COCO
    numbers, as in the evidence. The evidence has no hash of the detections, so a change that moves none of these
    numbers stays unseen.

    Raises:
        IntegrityError: a file gives other numbers than the evidence has, or is not under its own address.
        UsageError: the folder holds none of the cells.
    """
    wanted = {(one.name, cell.split, cell.variant): cell for one in evidence.candidates for cell in one.cells}
    found: list[tuple[str, str, str]] = []
    if folder is not None:
        stored = _find_cells(folder, {cell.key for cell in wanted.values()})
        if not stored:
            raise UsageError(
                f"{folder} holds no predictions of this report.",
                "Looked for Parquet files with the addresses of the report's cells.",
                "Give the cell cache (.robust), or a folder with the artifacts of its evaluation runs.",
            )
        measured: dict[str, bool] = {}
        for place, cell in wanted.items():
            if cell.key in stored and cell.key not in measured:
                measured[cell.key] = _remeasure(stored[cell.key], cell, evidence)
            if measured.get(cell.key):
                found.append(place)
    words = {place: "predictions of {} on {} {}".format(*place) for place in wanted}
    return Inputs(
        tuple(f"{text}: measured again, the same numbers" for place, text in words.items() if place in found),
        tuple(text for place, text in words.items() if place not in found),
    )


@dataclass(frozen=True)
class _Part:
    """One file of a cell: where it is, and the first image that it is about."""

    start: int
    path: Path
    provenance: Mapping[str, Any]


def _sha256_of_file(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{file} cannot be read.", error.strerror or str(error)) from error


def _fits(entry: DataEntry, source: Path, own: Sequence[DataEntry]) -> bool:
    """Whether a split of the source is the entry; False when the source does not offer it.

    A source with a single split may call it anything, so there the fingerprint alone decides.

    Raises:
        IntegrityError: the source offers the split, and it is another one.
    """
    offered = available_splits(source)
    alone = len(offered) == 1
    if entry.split not in offered and not alone and not entry.recorded:
        return False
    names = offered if alone or entry.recorded else (entry.split,)
    prints = [fingerprint for name in names for fingerprint in _fingerprints(source, name)]
    if entry.fingerprint in prints:
        return True
    if alone and any(other.fingerprint in prints for other in own):
        return False
    raise IntegrityError(
        f"{source}: the split {entry.split} is not the data that the report is about.",
        f"Its fingerprint is {prints[0]}; the report has {entry.fingerprint}.",
        "An image, a label or a file name was changed, added or removed.",
    )


def _fingerprints(source: Path, split: str) -> list[str]:
    """With images and, for detections that were judged without any, from the labels alone."""
    found, trouble = [], None
    for labels_only in (False, True):
        try:
            found.append(load_dataset(source, split, labels_only=labels_only).fingerprint)
        except DataError as error:
            trouble = error
    if not found and trouble is not None:
        raise trouble
    return found


def _find_cells(folder: Path, keys: set[str]) -> dict[str, list[_Part]]:
    found: dict[str, list[_Part]] = defaultdict(list)
    for path in sorted(folder.rglob("*.parquet")):
        meta = read_meta(path)
        provenance = meta.get("provenance")
        if meta.get("kind") != "predictions" or not isinstance(provenance, dict):
            continue
        cell = {name: value for name, value in provenance.items() if name not in {"n_parameters", "shard"}}
        key = content_key(cell)
        if key not in keys:
            continue
        shard = provenance.get("shard")
        if shard is not None and path.stem != content_key({**cell, "shard": shard}):
            raise IntegrityError(f"{path} is not under its own address.", "Its provenance gives another file name.")
        found[key].append(_Part(shard[0] if shard else 0, path, provenance))
    return found


def _remeasure(parts: Sequence[_Part], cell: CellEvidence, evidence: Evidence) -> bool:
    """Measure a stored cell again; False when some of its images or its ground truth are not there."""
    once = sorted({part.start: part for part in parts}.values(), key=lambda part: part.start)
    truths = [_truth_of(part) for part in once]
    known = [truth for truth in truths if truth is not None]
    if len(known) < len(truths):
        return False
    truth = GroundTruth.join(known)
    predictions = Predictions.join([read_predictions(part.path) for part in once])
    shown = next((v for v in evidence.suite.variants if v.name == cell.variant), None)
    judged = next((c.judged_on for c in evidence.candidates if cell in c.cells), cell.split)
    split = next((s for s in evidence.data.splits if s.split == cell.split), None)
    expected = shown.n_images if shown and cell.split == judged else split.n_images if split else None
    if expected is not None and len(truth.image_ids) < expected:
        return False
    path = once[0].path
    if shown is not None and cell.split == judged and truth.sha256 != shown.ground_truth_sha256:
        raise IntegrityError(f"The ground truth beside {path} is not that of {cell.variant} in the report.")
    if len(predictions) != cell.n_detections:
        raise _other(path, cell, f"{len(predictions):,} detections; the report has {cell.n_detections:,}")
    differing = _differing(coco_metrics(truth, predictions), cell.coco)
    if differing:
        raise _other(path, cell, differing)
    return True


def _truth_of(part: _Part) -> GroundTruth | None:
    """The ground truth of a part: by its address in a cache, beside the predictions in a run's artifacts."""
    shard = part.provenance.get("shard")
    if shard is None:
        path = part.path.parent.parent / "ground_truth" / part.path.name
    else:
        given = part.provenance
        address = content_key(
            {
                **{name: given[name] for name in ("schema", "dataset_sha256", "numbering", "recipe")},
                "software": {name: given["software"][name] for name in PIXELS},
                "shard": shard,
            }
        )
        path = part.path.parent.parent / address[:2] / f"{address}.parquet"
    return read_ground_truth(path) if path.is_file() else None


def _differing(found: CocoMetrics, told: CocoMetrics) -> str:
    for name in CocoMetrics.model_fields:
        now, then = getattr(found, name), getattr(told, name)
        same = now is then if now is None or then is None else math.isclose(now, then, rel_tol=0, abs_tol=_LAST_BIT)
        if not same:
            return f"{name} {now}; the report has {then}"
    return ""


def _other(path: Path, cell: CellEvidence, what: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is not what the report was made from.",
        f"{cell.variant} of {cell.split} gives {what}.",
        "The file was changed, or the evidence was.",
    )
