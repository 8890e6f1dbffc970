"""Who is evaluated: candidates from runs and files, and the baselines that they must beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from robust.errors import IntegrityError, UsageError
from robust.eval.detectors.checkpoint import check_weights, file_sha256
from robust.eval.evidence.records import NotEvaluated
from robust.eval.records import Candidate, Configuration
from robust.eval.tracking import tags
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.registry import SCHEME as MODEL_SCHEME
from robust.eval.tracking.registry import run_of_model
from robust.eval.tracking.store import Store
from robust.eval.tracking.weights import resolve_weights

DEFAULT_IMGSZ = 640


@dataclass(frozen=True)
class Selection:
    """What the user named.

    Attributes:
        run_ids: Training runs.
        experiment: All training runs of it.
        weights: Bare files.
        baselines: Files, run ids or registered models (models:/NAME@ALIAS), instead of the runs' own starting weights.
        imgsz: Inference size instead of the one trained with.
        trust: Load weights that hold code.
    """

    run_ids: tuple[str, ...] = ()
    experiment: str | None = None
    weights: tuple[Path, ...] = ()
    baselines: tuple[str, ...] = ()
    imgsz: int | None = None
    trust: bool = False


@dataclass(frozen=True)
class Chosen:
    """Who is evaluated, and who should have been.

    Attributes:
        candidates: Candidates first, then baselines; names are unique.
        runs: Training run of each candidate that has one, by run id.
        not_evaluated: Runs that failed, baselines that cannot be found.
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
    runs, not_evaluated = _training_runs(selection, store)
    candidates = [_from_run(run, selection, store, cache_dir) for run in runs]
    candidates += [_from_file(path, selection) for path in selection.weights]
    if not candidates:
        raise UsageError(
            "There is nothing to evaluate.",
            f"Experiment {selection.experiment!r} has no finished training run." if selection.experiment else "",
            "Name training runs (--run-id, --experiment) or files (--weights).",
        )
    candidates = _unique_names(candidates)
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
    if selection.experiment is None or named:
        return named, []
    everyone = store.runs(selection.experiment, kind="train")
    finished = [run for run in everyone if run.status == "FINISHED"]
    left_out = [
        NotEvaluated(
            name=run.name,
            run_id=run.run_id,
            reason=f"training is {run.status}" + (f": {run.tags[tags.FAILURE]}" if tags.FAILURE in run.tags else ""),
        )
        for run in everyone
        if run.status != "FINISHED"
    ]
    return finished, left_out


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
        configuration=configuration_of(run),
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
    )


class _Start(NamedTuple):
    """Weights to beat, and what to call them."""

    label: str
    path: Path


def _with_baselines(
    candidates: Sequence[Candidate], runs: dict[str, RunInfo], selection: Selection, store: Store, cache_dir: Path
) -> tuple[list[Candidate], list[Candidate], list[NotEvaluated]]:
    """Give each candidate its baseline: the named ones, else the weights its training started from."""
    named = [_named_baseline(text, store, cache_dir) for text in selection.baselines]
    baselines: dict[tuple[str, int], Candidate] = {}
    missing: dict[str, NotEvaluated] = {}
    matched = []
    for candidate in candidates:
        starts = named or _starting_weights(candidate, runs, store, cache_dir, missing)
        mine = [b for start in starts if (b := _baseline(start, candidate, baselines)) is not None]
        matched.append(replace(candidate, baseline=mine[0].name if mine else None))
    return matched, list(baselines.values()), list(missing.values())


def _baseline(start: _Start, candidate: Candidate, known: dict[tuple[str, int], Candidate]) -> Candidate | None:
    """Return the baseline at the candidate's size, made once; None where it is the candidate itself."""
    sha256 = file_sha256(start.path)
    if sha256 == candidate.weights_sha256:
        return None
    key = (sha256, candidate.imgsz)
    if key not in known:
        name = f"{start.label}@{candidate.imgsz}"
        if name in {other.name for other in known.values()}:  # other weights under the same file name
            name = f"{name} ({sha256[:8]})"
        configuration = Configuration(model=start.label, imgsz=candidate.imgsz)
        known[key] = Candidate(name, start.path, sha256, candidate.imgsz, role="baseline", configuration=configuration)
    return known[key]


def _starting_weights(
    candidate: Candidate, runs: dict[str, RunInfo], store: Store, cache_dir: Path, missing: dict[str, NotEvaluated]
) -> list[_Start]:
    """Find what a training started from: the copy stored with its run, else the file it names, if it is still here."""
    run = runs.get(candidate.source_run_id or "")
    if run is None:
        return []
    artifact, logged = run.tags.get(tags.BASE_WEIGHTS_ARTIFACT), run.params.get("model", "")
    if artifact:
        sha256 = run.tags.get(tags.BASE_WEIGHTS_SHA256, run.run_id)
        kept = cache_dir / "baselines" / sha256[:16] / Path(artifact).name
        if not kept.is_file():
            fetched = store.download(run.run_id, artifact, kept.parent / "download")
            if fetched is not None:
                fetched.replace(kept)
        if kept.is_file():
            _check_copy(kept, run)
            return [_Start(kept.stem, kept)]
    if logged.endswith(".pt") and Path(logged).is_file():
        return [_Start(Path(logged).stem, Path(logged))]
    name = _stem(logged) or "(not logged)"
    reason = "not found on this machine nor among the run's artifacts; give them with --baseline FILE"
    missing.setdefault(logged, NotEvaluated(name=f"starting weights {name}", run_id=run.run_id, reason=reason))
    return []


def _check_copy(kept: Path, run: RunInfo) -> None:
    expected, found = run.tags.get(tags.BASE_WEIGHTS_SHA256), file_sha256(kept)
    if expected is not None and found != expected:
        kept.unlink()
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


def _unique_names(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Add the start of the run id or of the hash to names that occur twice."""
    candidates = list(candidates)
    names = [candidate.name for candidate in candidates]
    return [
        replace(c, name=f"{c.name} ({(c.source_run_id or c.weights_sha256)[:8]})") if names.count(c.name) > 1 else c
        for c in candidates
    ]


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


def _stem(text: str | None) -> str | None:
    return Path(text.replace("\\", "/")).stem if text else None
