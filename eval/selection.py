"""Which evaluations a command works on: found from training runs, evaluation runs or an experiment."""

from __future__ import annotations

from collections.abc import Sequence

from robust.errors import UsageError
from robust.eval.evidence.records import NotEvaluated
from robust.eval.tracking import tags
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.store import Store


def find_evaluations(store: Store, *, experiment: str | None, run_ids: Sequence[str]) -> tuple[RunInfo, ...]:
    """Return the finished evaluation runs of what was named, one for each candidate, with the baselines beside them.

    All of them share the setting (data, suite, inference, versions) of the one that was asked for last, so that they
    can be compared.

    Args:
        store: Where runs are.
        experiment: All evaluations of it.
        run_ids: Training runs, or evaluation runs.

    Raises:
        UsageError: nothing was named, or something that was named has no evaluation in that setting.
    """
    named = [store.run(run_id) for run_id in dict.fromkeys(run_ids)]
    if named:
        numbers = dict.fromkeys(run.experiment_id for run in named)
        everyone = [run for number in numbers for run in store.evaluations(experiment_id=number)]
        ids = {run.run_id for run in named}
        wanted = [run for run in everyone if {run.run_id, run.tags.get(tags.SOURCE_RUN_ID)} & ids]
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
    setting = _setting(max(finished, key=_age))
    alike = [run for run in everyone if run.status == "FINISHED" and _setting(run) == setting]
    chosen = [run for run in alike if run in finished]
    _check_complete(named, chosen)
    baselines = [run for run in alike if run.tags.get(tags.ROLE) == "baseline"]
    newest = {_identity(run): run for run in sorted([*baselines, *chosen], key=_age)}
    return tuple(sorted(newest.values(), key=lambda run: (run.name, _identity(run))))


def without_evaluation(store: Store, experiment: str, evaluated: Sequence[RunInfo]) -> tuple[NotEvaluated, ...]:
    """Return the training runs of an experiment that have no evaluation among ``evaluated``."""
    sources = {run.tags.get(tags.SOURCE_RUN_ID) for run in evaluated}
    return tuple(
        NotEvaluated(name=run.name, run_id=run.run_id, reason=unfinished(run) or _NOT_EVALUATED)
        for run in store.runs(experiment, kind="train")
        if run.run_id not in sources
    )


_NOT_EVALUATED = "trained but not evaluated with this data and suite"


def unfinished(run: RunInfo) -> str | None:
    """Say why a training run cannot be used; None for a finished one."""
    if run.status == "FINISHED":
        return None
    failure = run.tags.get(tags.FAILURE)
    return f"training is {run.status}" + (f": {failure}" if failure else "")


def _check_complete(named: Sequence[RunInfo], chosen: Sequence[RunInfo]) -> None:
    """A decision on some of the named runs must not pass for one on all of them."""
    covered = {key for run in chosen for key in (run.run_id, run.tags.get(tags.SOURCE_RUN_ID))}
    left_out = [run for run in named if run.run_id not in covered]
    if left_out:
        raise UsageError(
            f"Run {left_out[0].name!r} ({left_out[0].run_id}) has no finished evaluation like the others.",
            "All named runs must be evaluated with the same data, suite and settings.",
            "Run `robust eval` over all of them.",
        )


def _setting(run: RunInfo) -> str | None:
    return run.tags.get(tags.SETTING_SHA256)


def _identity(run: RunInfo) -> tuple[str, str, str]:
    source = run.tags.get(tags.SOURCE_RUN_ID) or run.tags.get(tags.WEIGHTS_SHA256, "")
    return run.tags.get(tags.ROLE, ""), source, run.params.get("imgsz", "")


def _age(run: RunInfo) -> tuple[int, int, str]:
    return int(run.tags.get(tags.REQUESTED_AT, "0")), run.end_time or 0, run.run_id
