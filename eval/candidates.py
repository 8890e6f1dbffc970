"""Who is evaluated: candidates from runs and files, and the baselines that they must beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robust.errors import UsageError
from robust.eval.detectors.checkpoint import check_weights, file_sha256
from robust.eval.evidence.records import NotEvaluated
from robust.eval.records import Candidate, Configuration
from robust.eval.tracking import tags
from robust.eval.tracking.records import RunInfo
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
        baselines: Files or run ids to use instead of the runs' own starting weights.
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


def _with_baselines(
    candidates: Sequence[Candidate], runs: dict[str, RunInfo], selection: Selection, store: Store, cache_dir: Path
) -> tuple[list[Candidate], list[Candidate], list[NotEvaluated]]:
    """Give each candidate its baseline: the named ones, else the weights its training started from."""
    named = [_named_baseline(text, store, cache_dir) for text in selection.baselines]
    baselines: dict[tuple[str, int], Candidate] = {}
    missing: dict[str, NotEvaluated] = {}
    matched = []
    for candidate in candidates:
        first = candidate.baseline
        starts = named or _starting_weights(candidate, runs, store, cache_dir, missing)
        for start in starts:
            name = f"{start.stem}@{candidate.imgsz}"
            sha256 = file_sha256(start)
            if sha256 == candidate.weights_sha256:
                continue  # a file is no baseline of itself
            key = (sha256, candidate.imgsz)
            configuration = Configuration(model=start.stem, imgsz=candidate.imgsz)
            baselines.setdefault(
                key, Candidate(name, start, sha256, candidate.imgsz, role="baseline", configuration=configuration)
            )
            first = first or baselines[key].name
        matched.append(replace(candidate, baseline=first))
    return matched, list(baselines.values()), list(missing.values())


def _starting_weights(
    candidate: Candidate, runs: dict[str, RunInfo], store: Store, cache_dir: Path, missing: dict[str, NotEvaluated]
) -> list[Path]:
    run = runs.get(candidate.source_run_id or "")
    if run is None:
        return []
    artifact = run.tags.get(tags.BASE_WEIGHTS_ARTIFACT)
    if artifact:
        sha256 = run.tags.get(tags.BASE_WEIGHTS_SHA256, run.run_id)
        kept = cache_dir / "baselines" / sha256[:16] / Path(artifact).name
        if kept.is_file():
            return [kept]
        fetched = store.download(run.run_id, artifact, kept.parent / "download")
        if fetched is not None:
            fetched.replace(kept)
            return [kept]
    named = run.params.get("model", "")
    if named.endswith(".pt") and Path(named).is_file():
        return [Path(named)]
    missing.setdefault(
        named,
        NotEvaluated(
            name=f"starting weights {Path(named).name or '(not logged)'}",
            run_id=run.run_id,
            reason="not found on this machine nor among the run's artifacts; give them with --baseline FILE",
        ),
    )
    return []


def _named_baseline(text: str, store: Store, cache_dir: Path) -> Path:
    if Path(text).is_file():
        return Path(text)
    if text.endswith(".pt"):
        raise UsageError(f"There is no baseline file {text}.", fix="Give an existing .pt file or a run id.")
    return resolve_weights(store, store.run(text), cache_dir).path


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
