"""Which evaluations a command works on: found from training runs, evaluation runs or an experiment."""

from __future__ import annotations

from collections.abc import Sequence

from robust.errors import UsageError
from robust.eval.evidence.records import NotEvaluated
from robust.eval.tracking import tags
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.store import Store


def find_evaluations(store: Store, *, experiment: str | None, run_ids: Sequence[str]) -> tuple[RunInfo, ...]:
    """Return the finished evaluation runs of what was named, the latest of each candidate, with their baselines.

    All of them were made with the data and suite of the latest one, so that they can be compared.

    Args:
        store: Where runs are.
        experiment: All evaluations of it.
        run_ids: Training runs, or evaluation runs.

    Raises:
        UsageError: nothing was named, or nothing that was named has been evaluated.
    """
    named = [store.run(run_id) for run_id in dict.fromkeys(run_ids)]
    if named:
        everyone = [run for number in _experiments(named) for run in store.evaluations(experiment_id=number)]
        sources = {run.run_id for run in named if run.kind != "eval"}
        wanted = [r for r in everyone if r.tags.get(tags.SOURCE_RUN_ID) in sources] + [
            r for r in named if r.kind == "eval"
        ]
    elif experiment is not None:
        wanted = everyone = list(store.runs(experiment, kind="eval"))
    else:
        raise UsageError("No evaluation was named.", fix="Give --experiment NAME or --run-id ID.")
    finished = [run for run in wanted if run.status == "FINISHED"]
    if not finished:
        raise UsageError(
            "None of these runs has a finished evaluation.",
            fix="Run `robust eval` with the same --run-id or --experiment.",
        )
    latest = max(finished, key=_age)
    comparable = [run for run in finished if _setting(run) == _setting(latest)]
    baselines = [
        run
        for run in everyone
        if run.status == "FINISHED" and run.tags.get(tags.ROLE) == "baseline" and _setting(run) == _setting(latest)
    ]
    newest = {_identity(run): run for run in sorted([*baselines, *comparable], key=_age)}
    return tuple(newest[identity] for identity in sorted(newest))


def without_evaluation(store: Store, experiment: str, evaluated: Sequence[RunInfo]) -> tuple[NotEvaluated, ...]:
    """Return the training runs of an experiment that have no evaluation among ``evaluated``."""
    sources = {run.tags.get(tags.SOURCE_RUN_ID) for run in evaluated}
    return tuple(
        NotEvaluated(name=run.name, run_id=run.run_id, reason=_reason(run))
        for run in store.runs(experiment, kind="train")
        if run.run_id not in sources
    )


def _reason(run: RunInfo) -> str:
    if run.status == "FINISHED":
        return "trained but not evaluated with this data and suite"
    failure = run.tags.get(tags.FAILURE)
    return f"training is {run.status}" + (f": {failure}" if failure else "")


def _experiments(runs: Sequence[RunInfo]) -> list[str]:
    return list(dict.fromkeys(run.experiment_id for run in runs))


def _setting(run: RunInfo) -> tuple[str | None, str | None]:
    return run.tags.get(tags.DATASET_SHA256), run.tags.get(tags.SUITE)


def _identity(run: RunInfo) -> tuple[str, str, str]:
    return run.name, run.tags.get(tags.SOURCE_RUN_ID, ""), run.tags.get(tags.WEIGHTS_SHA256, "")


def _age(run: RunInfo) -> tuple[int, str]:
    return run.end_time or 0, run.run_id
