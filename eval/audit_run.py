"""The audit of an experiment: what its store, and its data set if somebody names it, say of its trainings."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import RootModel

from robust.datasets.duplicates import Copy, HashedImages, find_copies, hash_images
from robust.datasets.load import available_splits, load_dataset
from robust.datasets.records import Dataset
from robust.errors import DataError, StoreError, UnknownName, UsageError
from robust.eval.audit.facts import DataFacts, ExperimentFacts, OverlapFacts, ReportedOn, RunFacts, SplitFacts
from robust.eval.audit.registry import audit
from robust.eval.audit.results import is_result
from robust.eval.audit.settings import as_integer
from robust.eval.evaluation_run import read_evidence
from robust.eval.evidence.findings import AuditEvidence
from robust.eval.evidence.records import DataEvidence, Evidence
from robust.eval.tracking import tags
from robust.eval.tracking.kept_files import ARGS, KeptFiles, args_paths, is_weights
from robust.eval.tracking.records import Artifact, RunInfo
from robust.eval.tracking.store import Store
from robust.eval.yaml_file import read_yaml

_NO_TRAINING = {"val", "predict", "export", "benchmark", "track"}  # modes of Ultralytics
_LONGEST_ARGS = 200_000  # bytes; Ultralytics writes about 2,000
_LONGEST_VALUE = 500
_VERSIONS = (tags.ULTRALYTICS, "ultralytics", "ultralytics_version", "ultralytics.version")
_VAL = "val"


class _Args(RootModel[dict[str, Any]]):
    """Any mapping."""


def audit_experiment(
    store: Store,
    experiment: str | None,
    run_ids: Sequence[str] = (),
    *,
    data: Path | DataFacts | None = None,
    declared: Mapping[str, int] | None = None,
) -> AuditEvidence:
    """Judge the training evidence of an experiment or of some runs, whoever logged them; no weights are read.

    Args:
        store: Where the runs are.
        experiment: All its training runs, unless runs are named.
        run_ids: Training runs, or evaluations of them.
        data: Data set to count and to search for copies, or what is known of one; no image is read without a path.
        declared: Split -> images that somebody says it has, held against a data set that is read.

    Raises:
        UsageError: nothing was named, or a run that has no training.
        UnknownName: there is no such experiment.
        DataError: the data set is wrong.
        StoreError: the store cannot be read.
    """
    return audit(read_facts(store, experiment, run_ids, data=data, declared=declared))


def read_facts(
    store: Store,
    experiment: str | None,
    run_ids: Sequence[str] = (),
    *,
    data: Path | DataFacts | None = None,
    declared: Mapping[str, int] | None = None,
) -> ExperimentFacts:
    """Read what the checks look at; as `audit_experiment`."""
    runs, name = _training_runs(store, experiment, run_ids)
    files = KeptFiles(store)
    found = [_run_facts(store, run, files) for run in runs]
    if not files.n_entries:  # nobody logged a file, or the artifacts lie elsewhere: what they would show is not known
        found = [run.model_copy(update={"has_weights": None}) for run in found]
    return ExperimentFacts(
        experiment=name,
        runs=tuple(found),
        data=read_data(data, declared) if isinstance(data, Path) else data,
        reported=_reported_on(store, runs),
    )


def _training_runs(store: Store, experiment: str | None, run_ids: Sequence[str]) -> tuple[list[RunInfo], str]:
    if run_ids:
        runs = {run.run_id: run for run in (_training_of(store, run_id) for run_id in run_ids)}
        numbers = dict.fromkeys(run.experiment_id for run in runs.values())
        return list(runs.values()), ", ".join(store.experiment_name(number) for number in numbers)
    if experiment is None:
        raise UsageError("No experiment was named.", fix="Give --experiment NAME or --run-id ID.")
    return _trainings(store.runs(experiment, kind="train")), experiment


def _trainings(everyone: Sequence[RunInfo]) -> list[RunInfo]:
    """Leave out what nobody trained: evaluations of others, and runs that hold others together, such as a search's."""
    trained = [run for run in everyone if run.kind or run.params.get("mode", "").strip().casefold() not in _NO_TRAINING]
    parents = {run.parent_run_id for run in trained}
    return [run for run in trained if run.kind or run.run_id not in parents]


def _training_of(store: Store, run_id: str) -> RunInfo:
    """The training run of that id, or the one that an evaluation of that id measured."""
    run = store.run(run_id)
    if run.kind in (None, "train"):
        return run
    source = run.tags.get(tags.SOURCE_RUN_ID) or run.parent_run_id
    if run.kind != "eval" or source is None:
        raise UsageError(
            f"Run {run_id} is of kind {run.kind!r}, and no training run belongs to it.",
            fix="Name training runs with --run-id, or their experiment with --experiment.",
        )
    return store.run(source)


def _run_facts(store: Store, run: RunInfo, files: KeptFiles) -> RunFacts:
    kept = files.of(run)
    resolved, unreadable = (None, ()) if kept is None else _read_args(store, run, kept)
    return RunFacts(
        run_id=run.run_id,
        name=run.name,
        status=run.status,
        params=run.params,
        has_own_params=_is_ours(run),
        resolved=resolved,
        unreadable=unreadable,
        metrics=run.metrics,
        courses=_courses(store, run),
        tags=run.tags,
        has_weights=None
        if kept is None
        else bool(run.model_ids) or any(is_weights(run, file) for file in kept.values()),
        weights_sha256=run.tags.get(tags.WEIGHTS_SHA256),
        tensors_sha256=run.tags.get(tags.TENSORS_SHA256),
        start_time=run.start_time,
        data_sha256=run.tags.get(tags.DATASET_SHA256),
        ultralytics=next((v for key in _VERSIONS if (v := run.tags.get(key) or run.params.get(key))), None),
    )


def _courses(store: Store, run: RunInfo) -> dict[str, dict[int, float]]:
    """Every result by step; neither learning rates nor times. One that has a single step is a last value, no course."""
    found = {}
    for name in sorted(filter(is_result, run.metrics)):
        points = store.metric_history(run.run_id, name)
        if len({point.step for point in points}) > 1:
            found[name] = {point.step: point.value for point in points}
    return found


def _read_args(store: Store, run: RunInfo, kept: dict[str, Artifact]) -> tuple[dict[str, str] | None, tuple[str, ...]]:
    """Read the settings that the training wrote down, and what was wrong with them."""
    paths = args_paths(kept)
    if not paths or _is_ours(run):
        return None, ()  # our own runs take their parameters from this file
    if len(paths) > 1:
        return None, (f"{ARGS} lies in several folders: {', '.join(paths[:3])}.",)
    file = kept[paths[0]]
    if (file.size_bytes or 0) > _LONGEST_ARGS:
        return None, (f"{file.path} has {file.size_bytes:,} bytes.",)
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        path = store.download(run.run_id, file.path, Path(folder), root=run.artifact_uri)
        return (None, (f"{file.path} is listed but cannot be fetched.",)) if path is None else _args_in(path, file.path)


def _args_in(path: Path, shown: str) -> tuple[dict[str, str] | None, tuple[str, ...]]:
    try:
        values = read_yaml(path, _Args, "settings", numbers_as_text=True).root
    except UsageError as error:
        return None, (f"{shown}: {error.why or error.what}",)
    except RecursionError:  # the reader descends into every bracket
        return None, (f"{shown} is nested too deep.",)
    return {str(key): str(value)[:_LONGEST_VALUE] for key, value in values.items()}, ()


def _is_ours(run: RunInfo) -> bool:
    return tags.TRAIN_KEY in run.tags or tags.ADOPTED_FROM in run.tags


def _reported_on(store: Store, runs: Sequence[RunInfo]) -> ReportedOn:
    """Read how the latest evaluations of these runs used the splits, from one of them: they share their setting."""
    ids = {run.run_id for run in runs}
    numbers = dict.fromkeys(run.experiment_id for run in runs)
    everyone = [run for n in numbers for run in store.runs(store.experiment_name(n), kind="train")] if runs else []
    n_trainings = sum(run.status == "FINISHED" for run in _trainings(everyone))
    evaluations = [run for number in numbers for run in store.evaluations(experiment_id=number)]
    finished = [run for run in evaluations if run.status == "FINISHED"]
    own = [run for run in finished if run.tags.get(tags.SOURCE_RUN_ID) in ids]
    if not own:
        return ReportedOn(n_trainings=n_trainings)
    latest = max(own, key=lambda run: (as_integer(run.tags.get(tags.REQUESTED_AT)) or 0, run.end_time or 0, run.run_id))
    setting = latest.tags.get(tags.SETTING_SHA256)
    alike = [run for run in finished if run.tags.get(tags.SETTING_SHA256) == setting]
    baselines = {run.name.removeprefix("eval ") for run in alike if run.tags.get(tags.ROLE) == "baseline"}
    told = ReportedOn(
        n_evaluated=len({run.tags[tags.SOURCE_RUN_ID] for run in alike if run.tags.get(tags.SOURCE_RUN_ID) in ids}),
        baselines=tuple(sorted(baselines)),
        n_trainings=n_trainings,
    )
    try:
        evidence = read_evidence(store, latest)
    except (DataError, UsageError, StoreError):  # of an older schema, or cut off: which split was used is not known
        return told
    return told.model_copy(update=_splits_of(evidence, runs))


def _splits_of(evidence: Evidence, runs: Sequence[RunInfo]) -> dict[str, Any]:
    measured = evidence.candidates[0]
    others = sorted({cell.split for cell in measured.cells} - {measured.judged_on})
    val = next((split for split in evidence.data.splits if split.split == _VAL), None)
    is_same_val = val is not None and {run.tags.get(tags.VAL_DATA_SHA256) for run in runs} == {val.fingerprint}
    return {
        "selected_on": _VAL if _VAL in others else others[0] if len(others) == 1 else None,
        "judged_on": measured.judged_on,
        "n_val": val.n_images if val is not None and is_same_val else None,
        "variants": tuple(sorted({variant.corruption for variant in evidence.suite.variants if not variant.recorded})),
        "trained_on": evidence.suite.trained_on,
    }


def read_data(source: Path, declared: Mapping[str, int] | None = None) -> DataFacts:
    """Count the splits of a data set and look for images that two of them share; reads every image.

    Raises:
        DataError: the data set is wrong.
        UnknownName: a key of its YAML is unknown, or a split is declared that the data set does not have.
    """
    names = available_splits(source)
    for split in declared or {}:
        if split not in names:
            raise UnknownName("split", split, names)
    splits = [load_dataset(source, split) for split in names]
    hashed = [_hashed(split) for split in splits]
    overlaps = []
    for (a, first), (b, second) in combinations(zip(splits, hashed, strict=True), 2):
        copies = find_copies(second, first)
        overlaps.append(
            OverlapFacts(
                splits=(a.split, b.split),
                identical=_pairs(copies, first, second, identical=True),
                near=_pairs(copies, first, second, identical=False),
            )
        )
    return DataFacts(
        name=splits[0].name,
        splits=tuple(
            SplitFacts(split=s.split, n_images=len(s), n_objects=s.n_objects, fingerprint=s.fingerprint) for s in splits
        ),
        overlaps=tuple(overlaps),
        declared=dict(declared or {}),
    )


def known_data(data: DataEvidence) -> DataFacts:
    """What an evaluation found out about its data set; pairs of images are counted there, not named."""
    names = {split.split for split in data.splits}
    return DataFacts(
        name=data.name,
        splits=tuple(
            SplitFacts(split=s.split, n_images=s.n_images, n_objects=s.n_objects, fingerprint=s.fingerprint)
            for s in data.splits
        ),
        overlaps=tuple(
            OverlapFacts(splits=one.splits, unnamed_identical=one.n_identical, unnamed_near=one.n_near_duplicates)
            for one in data.leakage
            if set(one.splits) <= names  # recordings beside the data set are no split of it
        ),
    )


def _hashed(dataset: Dataset) -> HashedImages:
    hashes, errors = hash_images(dataset.images)
    if errors:
        raise errors[0]
    return HashedImages(dataset.images, hashes)


def _pairs(
    copies: Sequence[Copy], first: HashedImages, second: HashedImages, *, identical: bool
) -> tuple[tuple[str, str], ...]:
    return tuple(
        (first.images[copy.of].file_name, second.images[copy.index].file_name)
        for copy in copies
        if (copy.distance is None) is identical
    )
