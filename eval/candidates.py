"""Who is evaluated: candidates from runs and files, and the baselines that they must beat."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from robust.errors import DataError, IntegrityError, UsageError
from robust.eval.detectors.checkpoint import check_weights, file_sha256
from robust.eval.evidence.records import NotEvaluated
from robust.eval.records import Candidate, Configuration
from robust.eval.selection import unfinished
from robust.eval.tracking import tags
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.registry import SCHEME as MODEL_SCHEME
from robust.eval.tracking.registry import run_of_model
from robust.eval.tracking.store import Store
from robust.eval.tracking.weights import resolve_weights

DEFAULT_IMGSZ = 640
STRIDE = 32
"""Image sizes are multiples of it, pixels."""


@dataclass(frozen=True)
class Selection:
    """What the user named.

    Attributes:
        run_ids: Training runs.
        experiment: All its training runs, if neither runs nor files are named; else only where files are logged.
        weights: Bare files.
        baseline: File, run id or registered model (models:/NAME@ALIAS), instead of the runs' own starting weights.
        imgsz: Inference size instead of the one trained with, a multiple of 32.
        trust: Load weights that hold code.
    """

    run_ids: tuple[str, ...] = ()
    experiment: str | None = None
    weights: tuple[Path, ...] = ()
    baseline: str | None = None
    imgsz: int | None = None
    trust: bool = False

    @property
    def is_whole_experiment(self) -> bool:
        """Nobody was named: what cannot be used is left out and told, rather than an error."""
        return not (self.run_ids or self.weights)


@dataclass(frozen=True)
class Chosen:
    """Who is evaluated, and who should have been.

    Attributes:
        candidates: Candidates first, then baselines; no two have the same `Candidate.identity`.
        runs: Training run of each candidate that has one, by run id.
        not_evaluated: Runs that failed, weights that cannot be used, baselines that cannot be found.
    """

    candidates: tuple[Candidate, ...]
    runs: dict[str, RunInfo]
    not_evaluated: tuple[NotEvaluated, ...]


def choose(selection: Selection, store: Store, cache_dir: Path) -> Chosen:
    """Find the weights of everything that was named.

    Args:
        selection: What the user named.
        store: Where runs are.
        cache_dir: Where downloaded weights go.

    Raises:
        UsageError: nothing was named, a run does not exist, or a named run has no weights.
    """
    if selection.imgsz is not None and selection.imgsz % STRIDE:
        nearest = max(round(selection.imgsz / STRIDE), 1) * STRIDE
        raise UsageError(f"--imgsz {selection.imgsz} is no multiple of {STRIDE}.", fix=f"The nearest is {nearest}.")
    runs, not_evaluated = _training_runs(selection, store)
    candidates = []
    for run in runs:
        try:
            candidates.append(_from_run(run, selection, store, cache_dir))
        except (DataError, UsageError) as error:
            if not selection.is_whole_experiment:
                raise
            not_evaluated.append(NotEvaluated(name=run.name, run_id=run.run_id, reason=error.what))
    candidates += [_from_file(path, selection) for path in dict.fromkeys(selection.weights)]
    if not candidates:
        raise UsageError(
            "There is nothing to evaluate.",
            f"Experiment {selection.experiment!r} has no training run that can be used."
            if selection.experiment
            else "",
            "Name training runs (--run-id, --experiment) or files (--weights).",
        )
    by_run = {run.run_id: run for run in runs}
    candidates, baselines, missing = _with_baselines(candidates, by_run, selection, store, cache_dir)
    return Chosen((*candidates, *baselines), by_run, (*not_evaluated, *missing))


def _training_runs(selection: Selection, store: Store) -> tuple[list[RunInfo], list[NotEvaluated]]:
    """Runs to evaluate. A run named by id must be usable; in an experiment, unfinished ones are left out and told."""
    named = [store.run(run_id) for run_id in dict.fromkeys(selection.run_ids)]
    for run in named:
        if run.kind not in (None, "train"):
            raise UsageError(
                f"Run {run.run_id} is of kind {run.kind!r}, not a training run.",
                fix=f"Its training run is {run.tags.get(tags.SOURCE_RUN_ID) or run.parent_run_id or 'not known'}.",
            )
    if selection.experiment is None or not selection.is_whole_experiment:
        return named, []
    everyone = store.runs(selection.experiment, kind="train")
    left_out = [
        NotEvaluated(name=run.name, run_id=run.run_id, reason=reason)
        for run in everyone
        if (reason := unfinished(run)) is not None
    ]
    return [run for run in everyone if unfinished(run) is None], left_out


def _from_run(run: RunInfo, selection: Selection, store: Store, cache_dir: Path) -> Candidate:
    resolved = resolve_weights(store, run, cache_dir)
    imgsz = selection.imgsz or _integer(run.params.get("imgsz"))
    if imgsz is None:
        imgsz = _trained_imgsz(resolved.path, selection.trust)
    return Candidate(
        name=run.name,
        weights=resolved.path,
        weights_sha256=resolved.sha256,
        imgsz=imgsz,
        source_run_id=run.run_id,
        configuration=replace(configuration_of(run), imgsz=imgsz),  # at another size it is another configuration
        seed=_integer(run.params.get("seed")),
    )


def _from_file(path: Path, selection: Selection) -> Candidate:
    if not path.is_file():
        raise UsageError(f"There is no weights file {path}.", fix="Give the path of an existing .pt file.")
    imgsz = selection.imgsz or _trained_imgsz(path, selection.trust)
    configuration = Configuration(model=path.stem, imgsz=imgsz)
    return Candidate(path.stem, path, file_sha256(path), imgsz, configuration=configuration)


def configuration_of(run: RunInfo) -> Configuration:
    """Read what a training run shares with those of other seeds; local folders are left out."""
    params = run.params
    return Configuration(
        model=_stem(params.get("model")),
        imgsz=_integer(params.get("imgsz")),
        lr0=_number(params.get("lr0")),
        epochs=_integer(params.get("epochs")),
        batch=_integer(params.get("batch")),
        optimizer=params.get("optimizer"),
        data=_stem(params.get("data")),
        model_sha256=_sha256(run.tags.get(tags.BASE_WEIGHTS_SHA256)),
        data_sha256=_sha256(run.tags.get(tags.DATASET_SHA256)),
    )


class _Start(NamedTuple):
    """Weights to beat, and what to call them."""

    label: str
    path: Path


def _with_baselines(
    candidates: Sequence[Candidate], runs: dict[str, RunInfo], selection: Selection, store: Store, cache_dir: Path
) -> tuple[list[Candidate], list[Candidate], list[NotEvaluated]]:
    """Give each candidate its baseline: the named one, else the weights its training started from."""
    named = _named_baseline(selection.baseline, store, cache_dir) if selection.baseline else None
    baselines: dict[tuple[str, str, int], Candidate] = {}
    missing: dict[str, NotEvaluated] = {}
    matched = []
    for candidate in candidates:
        start = named or _starting_weights(candidate, runs, store, cache_dir, missing)
        baseline = _baseline(start, candidate.imgsz) if start else None
        if baseline is None or baseline.weights_sha256 == candidate.weights_sha256:  # a file is no baseline of itself
            matched.append(candidate)
            continue
        baseline = baselines.setdefault(baseline.identity, baseline)
        matched.append(replace(candidate, baseline=baseline.name, baseline_sha256=baseline.weights_sha256))
    return matched, list(baselines.values()), list(missing.values())


def _baseline(start: _Start, imgsz: int) -> Candidate:
    configuration = Configuration(model=start.label, imgsz=imgsz)
    name, sha256 = f"{start.label}@{imgsz}", file_sha256(start.path)
    return Candidate(name, start.path, sha256, imgsz, role="baseline", configuration=configuration)


def _starting_weights(
    candidate: Candidate, runs: dict[str, RunInfo], store: Store, cache_dir: Path, missing: dict[str, NotEvaluated]
) -> _Start | None:
    """Find what a training started from: the copy stored with its run, else the file it names, if it is still here."""
    run = runs.get(candidate.source_run_id or "")
    if run is None:
        return None
    expected, logged = run.tags.get(tags.BASE_WEIGHTS_SHA256), run.params.get("model", "")
    kept = _stored_copy(run, store, cache_dir)
    if kept is not None:
        return _Start(kept.stem, kept)
    path = Path(logged)
    if path.suffix == ".pt" and path.is_file() and (expected == file_sha256(path) if expected else path.is_absolute()):
        return _Start(path.stem, path)
    name = f"starting weights {_stem(logged) or '(not logged)'}"
    reason = "not found, or not for certain the same; say which file they are with --baseline FILE"
    missing.setdefault(name, NotEvaluated(name=name, run_id=None, reason=reason))
    return None


def _stored_copy(run: RunInfo, store: Store, cache_dir: Path) -> Path | None:
    """Fetch the starting weights that lie among a run's artifacts, once; None when it has none."""
    artifact = run.tags.get(tags.BASE_WEIGHTS_ARTIFACT)
    if not artifact:
        return None
    folder = cache_dir / "baselines" / (run.tags.get(tags.BASE_WEIGHTS_SHA256) or run.run_id)[:16]
    kept = folder / Path(artifact).name
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:  # others may fetch the same file
            fetched = store.download(run.run_id, artifact, Path(part))
            if fetched is None:
                return None
            _check_copy(fetched, run)
            fetched.replace(kept)
    return kept


def _check_copy(fetched: Path, run: RunInfo) -> None:
    expected, found = run.tags.get(tags.BASE_WEIGHTS_SHA256), file_sha256(fetched)
    if expected is not None and found != expected:
        raise IntegrityError(
            f"The starting weights stored with run {run.name!r} are not those it was trained from.",
            f"Their sha256 is {found[:12]}..., the run's tag says {expected[:12]}...",
            "Find out who replaced them, or give the right ones with --baseline FILE.",
        )


def _named_baseline(text: str, store: Store, cache_dir: Path) -> _Start:
    path = Path(text)
    if path.is_file():
        return _Start(path.stem, path)
    if text.endswith(".pt"):
        raise UsageError(
            f"There is no baseline file {text}.", fix="Give an existing .pt file, a run id or models:/NAME@ALIAS."
        )
    registered = text.startswith(MODEL_SCHEME)
    run = store.run(run_of_model(text, store.tracking_uri) if registered else text)
    label = text.removeprefix(MODEL_SCHEME) if registered else run.name
    return _Start(label, resolve_weights(store, run, cache_dir).path)


def _trained_imgsz(path: Path, trust: bool) -> int:
    found = check_weights(path, trust=trust).train_args.get("imgsz")
    return int(found) if isinstance(found, int | float) else DEFAULT_IMGSZ


def _integer(text: str | None) -> int | None:
    number = _number(text)
    return int(number) if number is not None and number == int(number) else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _sha256(text: str | None) -> str | None:
    """A tag that is no hash says nothing."""
    return text if text and re.fullmatch("[0-9a-f]{64}", text) else None


def _stem(text: str | None) -> str | None:
    return Path(text.replace("\\", "/")).stem if text else None
